//! The one algorithm that moves a graph between any two stores.
//!
//! One half reads the source and finds manifests (`discover.rs`), the other brings them to the target as they come
//! (`mover.rs`). Blobs go before their manifest, what an index lists before the index, a subject before its referrers;
//! everything else goes out together, within the limit.
//!
//! That the target has a manifest is no proof that it has what the manifest needs: an earlier copy may have been cut off,
//! and a cache may fetch on demand. So every blob and every child is offered to the target each time; a store that has it
//! says so. Only where the target's tag points to the root already, blobs of what is there are not asked for: the tag moved
//! last. A referrer counts as there only if it is listed too. What is most likely there is read from the target, which tells
//! that it is there and what it is with one request.

mod before;
mod discover;
mod filter;
mod listed;
mod mover;
mod queue;

use std::{
    pin::pin,
    sync::{Arc, atomic::AtomicU64},
};

use tokio::sync::mpsc;

use self::{discover::Discovery, mover::Mover};
pub use self::{
    filter::{ReferrerFilter, ReferrerMatch},
    mover::is_beside,
};
use super::{Store, StoreError};
use crate::{
    event::Progress,
    oci::{Descriptor, Digest, Manifest},
};

/// What goes along, and how much of it at a time.
#[derive(Debug, Clone)]
pub struct CopyOptions {
    /// Whether referrers go along: those of every level, and those of what an index lists.
    pub referrers: bool,
    /// Which of them; all of them where there is none.
    pub filter: Option<Arc<ReferrerFilter>>,
    /// How many transfers run at a time, at least 1, and beside them so many reads of manifests that go along.
    pub concurrency: usize,
    /// Whether whoever copies pushes the root with its tag: then it is pushed here only where something that goes along
    /// refers to it.
    pub leaves_root: bool,
}

/// What a copy did. Blobs and manifests together, sorted by digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The manifest that was asked for.
    pub root: Descriptor,
    /// What was sent, with the root where it is left to whoever copies.
    pub copied: Vec<Digest>,
    /// What the target's registry took from another of its repositories.
    pub mounted: Vec<Digest>,
    /// What was there.
    pub existing: Vec<Digest>,
    /// How many manifests went along as referrers, whether they were there or not.
    pub referrers: usize,
}

impl Copied {
    /// What a copy did that did nothing.
    pub fn nothing(root: &Descriptor) -> Self {
        Self { root: root.clone(), copied: Vec::new(), mounted: Vec::new(), existing: Vec::new(), referrers: 0 }
    }
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self { referrers: true, filter: None, concurrency: 8, leaves_root: false }
    }
}

/// What is known of the root at the target before the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing: the target is asked.
    Unknown,
    /// None of the tags is there that are to point to it: it is taken for new.
    Absent,
    /// The tags point to it already. They moved last, so that what is under them was there: of a manifest that is there,
    /// the blobs are not asked for.
    Settled,
}

/// Brings `root` from `source` to `target` with everything that it needs, and its referrers if asked for.
///
/// It sets no tag: whoever called does, last. It fails at the first error, and running it again goes on from there.
pub async fn copy(
    source: &Arc<dyn Store>,
    root: &Manifest,
    target: &Arc<dyn Store>,
    options: &CopyOptions,
    progress: &Progress,
    standing: Standing,
) -> Result<Copied, StoreError> {
    let (tx, rx) = mpsc::unbounded_channel();
    let mover = Mover::new(source, root, target, progress, options, standing);
    let found = Discovery { source, target, root, options, weight: AtomicU64::new(0), tx }.run(standing);
    let copied = {
        let mut moving = pin!(mover.run(rx));
        tokio::select! {
            biased;
            copied = &mut moving => copied?,
            found = found => {
                found?;
                moving.await?
            }
        }
    };
    target.list_pushed().await?;
    Ok(copied)
}
