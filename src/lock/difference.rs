use std::fmt;

use super::Lock;
use crate::oci::Digest;

/// Where what is there is not what a lock says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// A tag that the plan reads names something else.
    Reference {
        /// `repository:tag`
        reference: String,
        /// In the lock; nothing where it is not in it.
        locked: Option<Digest>,
        /// Now; nothing where the plan does not read it any more.
        now: Option<Digest>,
    },
    /// A step makes something else.
    Step {
        /// Its id.
        step: String,
        /// In the lock; nothing where it is not in it.
        locked: Option<Digest>,
        /// Now; nothing where it makes nothing any more.
        now: Option<Digest>,
    },
}

impl Lock {
    /// What is different `now`, references first, each sorted.
    pub fn differences(&self, now: &Self) -> Vec<Difference> {
        let references = differing(&self.references, &now.references);
        let references = references.map(|(reference, locked, now)| Difference::Reference { reference, locked, now });
        let steps = differing(&self.steps, &now.steps);
        references.chain(steps.map(|(step, locked, now)| Difference::Step { step, locked, now })).collect()
    }
}

type Digests = std::collections::BTreeMap<String, Digest>;

fn differing(locked: &Digests, now: &Digests) -> impl Iterator<Item = (String, Option<Digest>, Option<Digest>)> {
    let names: std::collections::BTreeSet<&String> = locked.keys().chain(now.keys()).collect();
    let each = names.into_iter().map(|name| (name.clone(), locked.get(name).cloned(), now.get(name).cloned()));
    each.filter(|(_, locked, now)| locked != now).collect::<Vec<_>>().into_iter()
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reference { reference, locked: Some(locked), now: Some(now) } => {
                write!(f, "{reference} is {now}, and {locked} is locked")
            }
            Self::Reference { reference, locked: None, now: Some(now) } => {
                write!(f, "{reference} is {now}, and is not locked")
            }
            Self::Reference { reference, .. } => write!(f, "{reference} is locked, and nobody reads it"),
            Self::Step { step, locked: Some(locked), now: Some(now) } => {
                write!(f, "`{step}` makes {now}, and {locked} is locked")
            }
            Self::Step { step, locked: None, now: Some(now) } => write!(f, "`{step}` makes {now}, and is not locked"),
            Self::Step { step, .. } => write!(f, "`{step}` is locked, and makes nothing"),
        }
    }
}
