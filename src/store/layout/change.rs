//! Changes to `index.json`, and the queue in which they wait: whoever comes to write takes along all that wait.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use tokio::sync::oneshot;

use super::catalog::Catalog;
use crate::{
    oci::{Digest, Manifest, Tag, Target},
    store::{Condition, StoreError},
};

/// One change, to be made only where its condition holds.
#[derive(Debug)]
pub(super) enum Change {
    /// Lists a manifest, and moves the tags to it. The condition is about `of`.
    Put { manifest: Manifest, tags: Vec<Tag>, condition: Condition, of: Target },
    /// Takes a tag away; its manifest stays.
    Untag { tag: Tag, condition: Condition },
    /// Removes a manifest with its tags and its content.
    Remove { digest: Digest, condition: Condition },
}

/// What waits to be written, first come, first served.
#[derive(Debug, Default)]
pub(super) struct Queue(Mutex<VecDeque<Waiting>>);

#[derive(Debug)]
struct Waiting {
    change: Change,
    answer: oneshot::Sender<Result<bool, StoreError>>,
}

impl Queue {
    /// Puts a change in line; the answer comes when somebody has made it.
    pub(super) fn put(&self, change: Change) -> oneshot::Receiver<Result<bool, StoreError>> {
        let (answer, receiver) = oneshot::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(Waiting { change, answer });
        receiver
    }

    /// Makes every change that waits. One at a time may do this.
    pub(super) fn serve(&self, catalog: &Catalog) {
        loop {
            let (changes, answers): (Vec<_>, Vec<_>) = self.next().into_iter().unzip();
            if changes.is_empty() {
                return;
            }
            for (sender, answer) in answers.into_iter().zip(catalog.change(&changes)) {
                // Who has gone does not want to know.
                let _ = sender.send(answer);
            }
        }
    }

    /// What can be written at once. A removal is made alone: content goes only after nothing leads to it any more, and
    /// what comes later must see that.
    fn next(&self) -> Vec<(Change, oneshot::Sender<Result<bool, StoreError>>)> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Who gave up before anything was done gets nothing done.
        waiting.retain(|waiting| !waiting.answer.is_closed());
        let is_removal = |waiting: &Waiting| matches!(waiting.change, Change::Remove { .. });
        let together = waiting.iter().take_while(|waiting| !is_removal(waiting)).count().max(1).min(waiting.len());
        waiting.drain(..together).map(|Waiting { change, answer }| (change, answer)).collect()
    }
}
