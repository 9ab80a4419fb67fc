//! Copying one manifest with what goes along, and moving its tags last.

use std::collections::BTreeSet;

use futures_util::future::try_join_all;

use super::{
    Copy, CopyReferrers, IfExists, StepContext, StepError, copy_platforms::with_platforms, platforms::platform,
    several::several, tag_selection::is_of_digest,
};
use crate::{
    event::Outcome,
    oci::{Descriptor, Digest, Manifest, Platform, Reference, Tag},
    store::{self, Copied, CopyOptions, Standing},
};

/// What one step copies, and how.
pub(super) struct Copying<'a> {
    cx: &'a StepContext,
    step: &'a Copy,
    platforms: Vec<Platform>,
    options: CopyOptions,
}

/// What was done to all that a step copied.
pub(super) struct Totals {
    pub(super) outcome: Outcome,
    /// Where the tag of the last one points.
    pub(super) manifest: Option<Descriptor>,
    pub(super) copied: BTreeSet<Digest>,
    pub(super) mounted: BTreeSet<Digest>,
    pub(super) existing: BTreeSet<Digest>,
}

/// Where the tags of the target point.
enum At {
    /// Those that are to move, and whether any of them is there.
    Free { moving: Vec<Tag>, is_there: bool },
    /// All of them to what is to stay.
    Kept(Box<Descriptor>),
}

/// How many manifests are looked at together, whether they are signed.
const VOUCHED: usize = 8;

impl Default for Totals {
    fn default() -> Self {
        let nothing = BTreeSet::new;
        Self { outcome: Outcome::Unchanged, manifest: None, copied: nothing(), mounted: nothing(), existing: nothing() }
    }
}

impl Totals {
    /// The digests that were sent, mounted and found. What was sent once and found there later was sent.
    pub(super) fn digests(&self) -> [Vec<Digest>; 3] {
        let brought = |digest: &&Digest| self.copied.contains(digest) || self.mounted.contains(digest);
        let mounted = self.mounted.iter().filter(|digest| !self.copied.contains(digest)).cloned();
        let existing = self.existing.iter().filter(|digest| !brought(digest)).cloned();
        [self.copied.iter().cloned().collect(), mounted.collect(), existing.collect()]
    }

    fn add(&mut self, outcome: Outcome, copied: Copied) {
        self.outcome = match (self.outcome.clone(), outcome) {
            (Outcome::Updated, _) | (_, Outcome::Updated) => Outcome::Updated,
            (Outcome::Created, _) | (_, Outcome::Created) => Outcome::Created,
            (before, _) => before,
        };
        self.copied.extend(copied.copied);
        self.mounted.extend(copied.mounted);
        self.existing.extend(copied.existing);
    }
}

impl<'a> Copying<'a> {
    pub(super) fn new(cx: &'a StepContext, step: &'a Copy) -> Result<Self, StepError> {
        let platforms = step.platforms.iter().map(|given| platform(Some(given)));
        let platforms = platforms.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        let options = CopyOptions {
            referrers: !matches!(step.referrers, CopyReferrers::None),
            filter: step.referrers.filter(),
            concurrency: cx.concurrency,
            // What is looked at before the tag moves has to be there, and tags of digests belong to what is there.
            leaves_root: step.verify.is_none() && !step.digest_tags,
        };
        Ok(Self { cx, step, platforms, options })
    }

    /// What `from` names, vouched for where that is asked.
    async fn vouched(&self, from: &Reference) -> Result<Manifest, StepError> {
        let cx = self.cx;
        let whole = cx.manifest(from).await;
        let whole = whole.map_err(|error| if self.step.verify.is_some() { error.at_gate(from) } else { error })?;
        if let Some(demand) = &self.step.verify {
            let source = cx.open(&from.repository);
            demand.ask(cx, &*source, &from.repository, &from.repository, &whole.descriptor()).await?;
        }
        Ok(whole)
    }

    /// What each of these tags of the source names, in that order, where it must be vouched for: all of them before anything
    /// is written. Otherwise nothing.
    pub(super) async fn all_vouched(&self, tags: &[Tag]) -> Result<Vec<Manifest>, StepError> {
        if self.step.verify.is_none() {
            return Ok(Vec::new());
        }
        let vouched = tags.iter().map(|tag| async move {
            let from = Reference::by_tag(self.step.from.repository.clone(), tag.clone());
            let vouched = self.vouched(&from).await;
            vouched.map_err(|error| match error {
                StepError::Refused { message, mut found } => {
                    found.insert(0, format!("it is what `{from}` names"));
                    StepError::Refused { message, found }
                }
                error => error,
            })
        });
        several(VOUCHED, vouched.collect()).await
    }

    /// Copies what `from` names, where that was vouched for already as it was then, and points `tags` to it.
    pub(super) async fn one(
        &self,
        from: &Reference,
        vouched: Option<Manifest>,
        tags: &[Tag],
        totals: &mut Totals,
    ) -> Result<(), StepError> {
        let cx = self.cx;
        let source = cx.open(&from.repository);
        let whole = async {
            match vouched {
                Some(whole) => Ok(whole),
                None => self.vouched(from).await,
            }
        };
        // Beside each other: neither says anything about the other.
        let (whole, there) = tokio::join!(whole, self.where_they_point(tags));
        let whole = whole?;
        let whole_digest = whole.digest().clone();
        let root = match self.platforms.as_slice() {
            [] => whole,
            platforms => with_platforms(&*source, whole, from, platforms).await?,
        };
        let (at, copied) = self.bring(from, &root, tags, there?, true).await?;
        let (moving, is_there) = match at {
            At::Free { moving, is_there } => (moving, is_there),
            At::Kept(there) => {
                totals.add(Outcome::Unchanged, copied);
                totals.manifest = Some(*there);
                return Ok(());
            }
        };
        if self.step.digest_tags {
            self.digest_tags(from, &copied, totals).await?;
        }
        // Nobody signed an index that is made here. What is in it was vouched for by who signed the whole one.
        if let Some(demand) = self.step.verify.as_ref().filter(|_| *root.digest() == whole_digest) {
            let target = cx.open(&self.step.to.repository);
            demand.ask(cx, &*target, &self.step.to.repository, &from.repository, &root.descriptor()).await?;
        }
        let outcome = self.finish(&root, &moving, is_there, &copied).await?;
        totals.add(outcome, copied);
        totals.manifest = Some(root.descriptor());
        Ok(())
    }

    /// Where the tags of the target point.
    async fn where_they_point(&self, tags: &[Tag]) -> Result<Vec<Option<Descriptor>>, StepError> {
        let target = self.cx.open(&self.step.to.repository);
        let target = &*target;
        let found = tags.iter().map(|tag| async move {
            let found = self.cx.pins.resolve(target, tag).await;
            let name = || Reference::by_tag(self.step.to.repository.clone(), tag.clone());
            found.map_err(|error| StepError::store("look for", &name())(error))
        });
        try_join_all(found).await
    }

    /// Brings a manifest, where the tags may point to it.
    async fn bring(
        &self,
        from: &Reference,
        root: &Manifest,
        tags: &[Tag],
        there: Vec<Option<Descriptor>>,
        with_referrers: bool,
    ) -> Result<(At, Copied), StepError> {
        let cx = self.cx;
        let at = self.look(root, tags, there)?;
        let standing = match &at {
            At::Kept(there) => {
                let nothing = Copied::nothing(there);
                return Ok((at, nothing));
            }
            At::Free { .. } if tags.is_empty() => Standing::Unknown,
            At::Free { moving, .. } if moving.is_empty() => Standing::Settled,
            At::Free { is_there: true, .. } => Standing::Unknown,
            At::Free { is_there: false, .. } => Standing::Absent,
        };
        let (source, target) = (cx.open(&from.repository), cx.open(&self.step.to.repository));
        let options = CopyOptions {
            referrers: with_referrers && self.options.referrers,
            leaves_root: self.options.leaves_root && !tags.is_empty(),
            ..self.options.clone()
        };
        let copied = store::copy(&source, root, &target, &options, &cx.progress, standing).await;
        cx.made.arrived(target.repository());
        Ok((at, copied.map_err(StepError::store("copy to", &self.step.to.value))?))
    }

    /// What the tags of the target allow, which point there.
    fn look(&self, root: &Manifest, tags: &[Tag], there: Vec<Option<Descriptor>>) -> Result<At, StepError> {
        let (mut moving, mut is_there, mut kept, mut any_right) = (Vec::new(), false, None, false);
        for (tag, there) in tags.iter().zip(there) {
            is_there |= there.is_some();
            match (there, self.step.if_exists) {
                (Some(there), _) if there.digest == *root.digest() => any_right = true,
                (Some(there), IfExists::Keep) => kept = kept.or(Some(there)),
                (Some(there), IfExists::Fail) => {
                    let name = Reference::by_tag(self.step.to.repository.clone(), tag.clone());
                    return Err(StepError::TagElsewhere {
                        reference: name.to_string(),
                        there: there.digest.to_string(),
                        here: root.digest().to_string(),
                    });
                }
                (Some(_), IfExists::Replace) | (None, _) => moving.push(tag.clone()),
            }
        }
        match kept {
            Some(there) if moving.is_empty() && !any_right => Ok(At::Kept(Box::new(there))),
            _ => Ok(At::Free { moving, is_there }),
        }
    }

    /// Moves the tags: whatever is under them is there by now.
    async fn finish(
        &self,
        root: &Manifest,
        moving: &[Tag],
        is_there: bool,
        copied: &Copied,
    ) -> Result<Outcome, StepError> {
        let target = self.cx.open(&self.step.to.repository);
        for tag in moving {
            let name = Reference::by_tag(self.step.to.repository.clone(), tag.clone());
            let moved = target.push_manifest(root, Some(tag)).await;
            moved.map_err(StepError::store("tag", &name))?;
            self.cx.pins.set(target.repository(), tag, &root.descriptor()).await;
        }
        target.flush().await.map_err(StepError::store("write", &self.step.to.value))?;
        Ok(match is_there {
            _ if moving.is_empty() && copied.copied.is_empty() && copied.mounted.is_empty() => Outcome::Unchanged,
            true => Outcome::Updated,
            false => Outcome::Created,
        })
    }

    /// Takes along what is tagged after the digest of a manifest that was copied: `sha256-….sig` and what else there is.
    async fn digest_tags(&self, from: &Reference, of: &Copied, totals: &mut Totals) -> Result<(), StepError> {
        let source = self.cx.open(&from.repository);
        let name = Reference { tag: None, digest: None, ..from.clone() };
        let mut tags = source.tags().await.map_err(StepError::store("list the tags of", &name))?;
        tags.retain(is_of_digest);
        let mut digests = prefixes(of);
        // What is kept under such a tag may be signed under another one.
        loop {
            let belongs = |tag: &Tag| tag.as_str().split_once('.').is_some_and(|(digest, _)| digests.contains(digest));
            let (chosen, rest): (Vec<_>, Vec<_>) = tags.into_iter().partition(belongs);
            if chosen.is_empty() {
                return Ok(());
            }
            tags = rest;
            for tag in chosen {
                let from = Reference::by_tag(from.repository.clone(), tag.clone());
                let tags = std::slice::from_ref(&tag);
                let (root, there) = tokio::join!(self.cx.manifest(&from), self.where_they_point(tags));
                let root = root?;
                let (at, copied) = self.bring(&from, &root, tags, there?, false).await?;
                digests.extend(prefixes(&copied));
                let outcome = match at {
                    At::Free { moving, is_there } => self.finish(&root, &moving, is_there, &copied).await?,
                    At::Kept(_) => Outcome::Unchanged,
                };
                totals.add(outcome, copied);
            }
        }
    }
}

/// What the tags begin with that belong to what was copied.
fn prefixes(of: &Copied) -> BTreeSet<String> {
    let digests = [&of.copied, &of.mounted, &of.existing].into_iter().flatten();
    digests.map(|digest| Tag::of_referrers(digest).to_string()).collect()
}
