use std::{collections::HashSet, time::Duration};

use tokio::time::Instant;

use crate::oci::Digest;

/// Which digests had a list of referrers when the tags of a repository were read.
///
/// What is not in it may be written as a new list without a look, which takes part in the race of everybody who attaches
/// to that subject from the moment when the tags were asked for. Others wait for about four times as long as they
/// themselves take from reading to writing, so this is used for no longer than a question takes.
#[derive(Debug)]
pub(super) struct ListedSubjects {
    asked: Instant,
    took: Duration,
    /// Nothing: the tags do not tell.
    subjects: Option<HashSet<Digest>>,
}

/// For how long it is not asked again where the tags do not tell.
const UNTOLD: Duration = Duration::from_secs(1);

impl ListedSubjects {
    /// What the answer says that has just come to a question of `asked`.
    pub(super) fn new(asked: Instant, subjects: Option<HashSet<Digest>>) -> Self {
        Self { asked, took: asked.elapsed(), subjects }
    }

    pub(super) const fn asked(&self) -> Instant {
        self.asked
    }

    pub(super) fn lacks(&self, subject: &Digest) -> bool {
        self.subjects.as_ref().is_some_and(|subjects| !subjects.contains(subject))
    }

    /// Whether it holds still.
    pub(super) fn is_recent(&self) -> bool {
        self.asked.elapsed() <= if self.subjects.is_some() { self.took * 2 } else { UNTOLD }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_used_for_as_long_as_the_question_took() {
        let digest = |name: &str| Digest::sha256(name.as_bytes());
        let asked = Instant::now();
        tokio::time::advance(Duration::from_millis(30)).await;
        let listed = ListedSubjects::new(asked, Some(HashSet::from([digest("a")])));
        assert_eq!(listed.asked(), asked);
        assert!(listed.lacks(&digest("b")) && !listed.lacks(&digest("a")));
        tokio::time::advance(Duration::from_millis(30)).await;
        assert!(listed.is_recent());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!listed.is_recent());
    }

    #[tokio::test(start_paused = true)]
    async fn tags_that_do_not_tell_are_not_read_over_and_over() {
        let listed = ListedSubjects::new(Instant::now(), None);
        assert!(!listed.lacks(&Digest::sha256(b"a")));
        tokio::time::advance(Duration::from_millis(900)).await;
        assert!(listed.is_recent());
    }
}
