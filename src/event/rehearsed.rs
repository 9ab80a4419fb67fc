use std::{collections::BTreeMap, ops::BitOr};

use crate::oci::{Digest, Repository, Target};

/// What a rehearsal did, and so what a real run would do, as long as the registries are as the rehearsal found them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rehearsed {
    /// Every repository that steps have to do with, sorted.
    pub repositories: Vec<RehearsedRepository>,
    /// What was asked to go wrong and can be counted, in the order in which it was asked.
    pub faults: Vec<InjectedFault>,
    /// How often something was tried again because of them.
    pub tries: u64,
}

/// One repository of a rehearsal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RehearsedRepository {
    /// Under the name under which it was asked for.
    pub repository: Repository,
    /// What whoever runs the plan must be allowed to do there.
    pub rights: Rights,
    /// What is different afterwards, or was in between: tags before manifests, sorted.
    pub changes: Vec<Change>,
}

/// What is done in a repository, in the words of registries' tokens.
///
/// <https://distribution.github.io/distribution/spec/auth/scope/>
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rights {
    /// Something is read.
    pub pull: bool,
    /// Something is written.
    pub push: bool,
    /// Something is deleted.
    pub delete: bool,
}

/// A tag or a manifest that a rehearsal changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub target: Target,
    /// The manifest that it named before, where it was there.
    pub before: Option<Digest>,
    /// The manifest that it names afterwards, where it is there.
    pub after: Option<Digest>,
}

/// A fault, and how often it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InjectedFault {
    /// As it was written.
    pub spec: String,
    /// How often it was to come about.
    pub wanted: u32,
    /// How often it did.
    pub injected: u32,
}

impl Rehearsed {
    /// Says that steps need these rights. The keys are identities of repositories.
    pub fn need(&mut self, rights: BTreeMap<Repository, Rights>) {
        for (repository, rights) in rights {
            let place = self.repositories.binary_search_by(|known| known.repository.identity().cmp(&repository));
            match place {
                Ok(place) => {
                    if let Some(known) = self.repositories.get_mut(place) {
                        known.rights = known.rights | rights;
                    }
                }
                Err(place) => {
                    self.repositories.insert(place, RehearsedRepository { repository, rights, changes: Vec::new() });
                }
            }
        }
    }
}

impl Rights {
    /// To read.
    pub const PULL: Self = Self { pull: true, push: false, delete: false };
    /// To write, and to look at what is there before.
    pub const PUSH: Self = Self { pull: true, push: true, delete: false };
    /// To delete, and to look at what is there before.
    pub const DELETE: Self = Self { pull: true, push: false, delete: true };

    /// The words for them: `pull`, `push` and `delete`.
    pub fn words(self) -> Vec<&'static str> {
        let words = [(self.pull, "pull"), (self.push, "push"), (self.delete, "delete")];
        words.into_iter().filter(|(is_needed, _)| *is_needed).map(|(_, word)| word).collect()
    }
}

impl BitOr for Rights {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self { pull: self.pull | other.pull, push: self.push | other.push, delete: self.delete | other.delete }
    }
}

impl Change {
    /// The verb for it.
    pub const fn verb(&self) -> &'static str {
        match (&self.before, &self.after) {
            (None, Some(_)) => "create",
            (Some(_), Some(_)) => "move",
            (Some(_), None) => "delete",
            (None, None) => "create and delete",
        }
    }
}
