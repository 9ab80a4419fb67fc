//! Who refers to a manifest, for registries without the referrers API: an index under a tag that every client updates.
//!
//! No registry has conditional writes, so nobody can know that an update was not written over. Three things hold it:
//! within a run one update at a time for each subject, taking along all that wait; a look whether it holds whenever the
//! run reads the list again, and where others write it too, after each update; and once more at the end of the run
//! ([`RegistryStore::settle_lists`]), not before an update that somebody else had begun by then must be over.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema>

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Method;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    RegistryError, RegistryProblem, RegistryStore,
    subject_list::{Seen, SubjectList, Written},
};
use crate::{
    oci::{Content, Descriptor, Digest, Index, Manifest, Tag, Target},
    store::StoreError,
};

/// How often a list is written before the run gives up on it.
const MAX_WRITES: u32 = 16;
/// How often a list that others write is looked at until it holds.
const MAX_LOOKS: u32 = 64;
/// For how long a list that was seen is good enough to be removed as a whole.
const FRESH: Duration = Duration::from_secs(5);
/// How many lists are looked at together; the registry's own limit holds besides.
const TOGETHER: usize = 32;
/// With so many lists to write, it is worth asking which of them there are.
const MANY: usize = 4;
/// With more pages of tags than this, asking for each subject is cheaper.
const MAX_TAG_PAGES: usize = 10;

/// A list as it was read.
struct Read {
    found: Option<Manifest>,
    /// How often this run had written it by then.
    writes: u64,
    at: Instant,
}

impl RegistryStore {
    /// The entries of the list of `subject`, if there is one.
    pub(super) async fn tag_referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        self.known.reading_lists.share(subject, || self.ask_list(subject)).await
    }

    async fn ask_list(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        let target = Target::Tag(Tag::of_referrers(subject));
        let Some(list) = self.known.own_list(subject) else {
            let manifest = self.ask_manifest(&target).await?;
            return Ok(self.see_list(subject, manifest.as_ref()));
        };
        let mut written = list.update.lock().await;
        let mut manifest = self.ask_manifest(&target).await?;
        let listed = list.listed();
        if !listed.is_empty() && manifest.as_ref().map(Manifest::digest) != written.digest.as_ref() {
            // Others write it too: what this run has attached may have been written over.
            written.is_contended = true;
            self.restore(subject, &list, listed, &mut written).await?;
            manifest = self.ask_manifest(&target).await?;
        }
        Ok(self.see_list(subject, manifest.as_ref()))
    }

    /// The entries of the list that was found, if it is one.
    fn see_list(&self, subject: &Digest, found: Option<&Manifest>) -> Vec<Descriptor> {
        let Some((found, index)) = found.and_then(|found| Some((found, list_in(subject, found)?))) else {
            return Vec::new();
        };
        let entries = index.manifests.iter().map(|entry| entry.digest.clone()).collect();
        self.known.saw_list(subject, Seen { digest: found.digest().clone(), entries, at: Instant::now() });
        index.manifests
    }

    /// Every digest that has a list. Nothing: the registry knows better, or there are too many tags.
    pub(super) async fn listed_subjects(&self) -> Result<Option<HashSet<Digest>>, StoreError> {
        let (has_api, tags) = if self.registry.known.referrers_api().is_none() {
            // Whoever finds out whether there is an API does not wait for that.
            let (has_api, tags) = futures_util::join!(self.has_api(), self.read_tags(MAX_TAG_PAGES));
            (has_api?, Some(tags))
        } else {
            (self.has_api().await?, None)
        };
        if has_api {
            return Ok(None);
        }
        let (tags, is_whole) = match tags {
            Some(tags) => tags?,
            None => self.read_tags(MAX_TAG_PAGES).await?,
        };
        Ok(subjects_of(&tags, is_whole))
    }

    /// Whether `subject` may have a list, where the registry has the API.
    pub(super) async fn may_have_old_list(&self, subject: &Digest) -> bool {
        let ask = async || {
            // Who may not list the tags asks for each.
            let (tags, is_whole) = self.read_tags(MAX_TAG_PAGES).await.ok()?;
            subjects_of(&tags, is_whole)
        };
        self.known.old_lists.may_have(subject, || Box::pin(ask())).await
    }

    /// Pushes a referrer and lists it. Where nobody else is attaching to its subject, the list is read meanwhile, also where
    /// only the answer to the push tells whether there is a list to be kept.
    pub(super) async fn push_and_list(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let api = self.registry.known.referrers_api();
        let Some(subject) = manifest.subject().filter(|_| api != Some(true)).map(|subject| &subject.digest) else {
            self.push(manifest, None).await?;
            return self.list_waiting().await;
        };
        let arrival = self.known.arrivals.announce(subject);
        let list = self.known.list(subject);
        let read = async {
            if !arrival.is_alone() {
                return Ok(None);
            }
            let writes = list.update.lock().await.writes;
            let found = self.ask_manifest(&Target::Tag(Tag::of_referrers(subject))).await?;
            Ok::<_, StoreError>(Some(Read { found, writes, at: Instant::now() }))
        };
        let ((), read) = futures_util::try_join!(self.push(manifest, None), read)?;
        drop(arrival);
        self.update(subject, &list, read).await
    }

    /// Lists everything that was pushed and waits for it.
    pub(super) async fn list_waiting(&self) -> Result<(), StoreError> {
        let mut waiting = self.known.all_lists();
        waiting.retain(|(_, list)| list.has_waiting());
        let lists = waiting.len();
        stream::iter(waiting)
            .map(|(subject, list)| async move { self.list_one(&subject, &list, lists).await })
            .buffer_unordered(TOGETHER)
            .try_collect()
            .await
    }

    /// Lists what was pushed to `subject` and waits for it, one of so many.
    pub(super) async fn list_waiting_to(&self, subject: &Digest, lists: usize) -> Result<(), StoreError> {
        match self.known.own_list(subject) {
            Some(list) => self.list_one(subject, &list, lists).await,
            None => Ok(()),
        }
    }

    /// Lists what waits. Where there is more than a little to list, the registry is asked once which lists there are: one
    /// that is not, of a manifest that this run has brought, need not be looked for.
    async fn list_one(&self, subject: &Digest, list: &SubjectList, lists: usize) -> Result<(), StoreError> {
        let may_be_new = lists >= MANY && list.has_waiting() && self.known.was_pushed(subject);
        let read = if may_be_new { self.read_as_new(subject).await? } else { None };
        self.update(subject, list, read).await
    }

    /// That there is no list of `subject`, where the tags tell. Whoever wants to know meanwhile shares the answer; nobody
    /// does later, since an update is in the race with those of others from the moment of the question.
    ///
    /// Only for a list that this run has not written: one that it has must be read.
    async fn read_as_new(&self, subject: &Digest) -> Result<Option<Read>, StoreError> {
        if self.known.is_silent_on_lists() {
            return Ok(None);
        }
        let ask = || async {
            let at = Instant::now();
            let (tags, is_whole) = self.ask_tags(MAX_TAG_PAGES).await?;
            let subjects = subjects_of(&tags, is_whole);
            if subjects.is_none() {
                self.known.tags_are_silent_on_lists();
            }
            Ok::<_, StoreError>((at, subjects.map(Arc::new)))
        };
        let (at, subjects) = self.known.asking_for_lists.share(&(), ask).await?;
        let is_new = subjects.is_some_and(|subjects| !subjects.contains(subject));
        Ok(is_new.then_some(Read { found: None, writes: 0, at }))
    }

    /// Lists what waits to be listed under `subject`. `read` is the list as it was a moment ago.
    async fn update(&self, subject: &Digest, list: &SubjectList, read: Option<Read>) -> Result<(), StoreError> {
        let mut written = list.update.lock().await;
        if !list.has_waiting() {
            // An update of somebody else in this run has taken it along.
            return Ok(());
        }
        self.known.arrivals.wait(subject).await;
        let batch = list.take();
        match self.merge(subject, list, &batch, read, &mut written).await {
            Ok(()) => {
                list.is_listed(batch);
                Ok(())
            }
            Err(error) => {
                list.wait_again(batch);
                Err(error)
            }
        }
    }

    /// Writes the list until it has `batch`, and everything that this run has listed before: what is written without
    /// that would pass for right later.
    async fn merge(
        &self,
        subject: &Digest,
        list: &SubjectList,
        batch: &[Descriptor],
        read: Option<Read>,
        written: &mut Written,
    ) -> Result<(), StoreError> {
        // What this run itself has written since is not in it.
        let mut read = read.filter(|read| read.writes == written.writes);
        let tag = Target::Tag(Tag::of_referrers(subject));
        let mut tries = self.registry.start();
        for round in 0..MAX_WRITES {
            let (found, at) = match read.take() {
                Some(read) => (read.found, read.at),
                None => (self.ask_manifest(&tag).await?, Instant::now()),
            };
            let digest = found.as_ref().map(Manifest::digest).cloned();
            written.is_contended |= written.digest.is_some() && written.digest != digest;
            let mut index = self.list_to_write(subject, found)?;
            let missing: Vec<_> = missing(&index, list.listed().iter().chain(batch)).collect();
            if missing.is_empty() {
                written.digest = digest;
                return Ok(());
            }
            index.manifests.extend(missing);
            let manifest = Manifest::from_index(index)?;
            // Not tried again as it is: by then it would write over what others have added.
            if let Err(error) = self.put_manifest_once(&manifest, &tag).await {
                tries.again(error).await?;
                continue;
            }
            written.end(at);
            written.digest = Some(manifest.digest().clone());
            if !written.is_contended {
                // Whoever reads the list next in this run looks whether it holds, at the latest `settle`.
                return Ok(());
            }
            let now = self.ask_descriptor(&tag).await?;
            if now.is_some_and(|now| now.digest == *manifest.digest()) {
                return Ok(());
            }
            written.is_contended = true;
            sleep(self.registry.pace.moment(round)).await;
        }
        Err(self.list_error(subject, RegistryProblem::Contended { tries: MAX_WRITES }))
    }

    /// Looks once more at every list that this run has appended to.
    pub(super) async fn settle_lists(&self) -> Result<(), StoreError> {
        // What a step pushed that failed before it was listed.
        self.list_waiting().await?;
        // What is quiet already does not wait for what is not.
        let mut order = Vec::new();
        for (subject, list) in self.known.all_lists() {
            let quiet = list.update.lock().await.quiet();
            order.push((quiet, subject, list));
        }
        order.sort_by_key(|(quiet, ..)| *quiet);
        stream::iter(order)
            .map(|(_, subject, list)| async move { self.settle_list(&subject, &list).await })
            .buffer_unordered(TOGETHER)
            .try_collect()
            .await
    }

    async fn settle_list(&self, subject: &Digest, list: &SubjectList) -> Result<(), StoreError> {
        let mut written = list.update.lock().await;
        let tag = Target::Tag(Tag::of_referrers(subject));
        let mut held = 0;
        for round in 0..MAX_LOOKS {
            let listed = list.listed();
            if listed.is_empty() {
                return Ok(());
            }
            sleep_until(written.quiet()).await;
            let now = self.ask_descriptor(&tag).await?.map(|now| now.digest);
            if now == written.digest {
                held += 1;
            } else {
                written.is_contended = true;
                held = 0;
                self.restore(subject, list, listed, &mut written).await?;
            }
            if held >= if written.is_contended { 2 } else { 1 } {
                return Ok(());
            }
            sleep(written.patience() + self.registry.pace.moment(round)).await;
        }
        Err(self.list_error(subject, RegistryProblem::Contended { tries: MAX_LOOKS }))
    }

    /// Lists again what was written over. What is gone altogether was taken out on purpose.
    async fn restore(
        &self,
        subject: &Digest,
        list: &SubjectList,
        listed: Vec<Descriptor>,
        written: &mut Written,
    ) -> Result<(), StoreError> {
        let found = self.ask_manifest(&Target::Tag(Tag::of_referrers(subject))).await?;
        let index = self.list_to_write(subject, found)?;
        let absent: Vec<_> = missing(&index, &listed).collect();
        let is_gone = async |entry: &Descriptor| {
            let now = self.ask_descriptor(&Target::Digest(entry.digest.clone())).await?;
            Ok::<_, StoreError>(now.is_none().then(|| entry.digest.clone()))
        };
        let gone: Vec<_> = stream::iter(&absent).map(is_gone).buffer_unordered(TOGETHER).try_collect().await?;
        list.withdraw(&gone.into_iter().flatten().collect::<Vec<_>>());
        self.merge(subject, list, &[], None, written).await
    }

    /// Takes `referrers` out of the list of `subject`; the list goes with its last entry.
    pub(super) async fn unlist_all(&self, subject: &Digest, referrers: &[Digest]) -> Result<(), StoreError> {
        if self.has_api().await? && !self.known.writes_lists() {
            return Ok(());
        }
        let tag = Tag::of_referrers(subject);
        let list = self.known.list_to_write(subject);
        let mut written = list.update.lock().await;
        list.withdraw(referrers);
        // Whoever takes out everything that was listed a moment ago need not read the list again.
        let seen = self
            .known
            .take_seen_list(subject)
            .filter(|seen| seen.at.elapsed() < FRESH && seen.entries.iter().all(|entry| referrers.contains(entry)));
        if let Some(seen) = seen
            && self.remove_list(&tag, &seen.digest).await?
        {
            written.is_removed();
            return Ok(());
        }
        let found = self.ask_manifest(&Target::Tag(tag.clone())).await?;
        let Some((digest, mut index)) = found.and_then(|found| {
            let index = list_in(subject, &found)?;
            Some((found.digest().clone(), index))
        }) else {
            return Ok(());
        };
        let before = index.manifests.len();
        index.manifests.retain(|entry| !referrers.contains(&entry.digest));
        if index.manifests.len() == before {
            return Ok(());
        }
        if index.manifests.is_empty() && self.remove_list(&tag, &digest).await? {
            written.is_removed();
            return Ok(());
        }
        let manifest = Manifest::from_index(index)?;
        self.put_manifest(&manifest, &Target::Tag(tag)).await?;
        written.digest = Some(manifest.digest().clone());
        written.writes += 1;
        Ok(())
    }

    /// The list that `found` is, to be added to. What is no list must not be written over.
    fn list_to_write(&self, subject: &Digest, found: Option<Manifest>) -> Result<Index, StoreError> {
        let Some(found) = found.filter(|found| found.digest() != subject) else {
            return Ok(Index::new(Vec::new()));
        };
        list_in(subject, &found).ok_or_else(|| {
            self.list_error(subject, RegistryProblem::NotReferrers { media_type: found.media_type().to_owned() })
        })
    }

    fn list_error(&self, subject: &Digest, problem: RegistryProblem) -> StoreError {
        match self.registry.url(&self.name, &["manifests", Tag::of_referrers(subject).as_str()]) {
            Ok(url) => RegistryError::new(&Method::PUT, &url, problem).into(),
            Err(error) => error,
        }
    }
}

/// The digests that have a list, by the tags that there are. Nothing: they do not tell.
fn subjects_of(tags: &BTreeSet<Tag>, is_whole: bool) -> Option<HashSet<Digest>> {
    // The tag of a longer digest does not have all of it.
    let is_cut = |tag: &Tag| tag.is_of_referrers() && tag.referrers_subject().is_none();
    if !is_whole || tags.iter().any(is_cut) {
        return None;
    }
    Some(tags.iter().filter_map(Tag::referrers_subject).collect())
}

/// The list that `manifest` is. GitLab takes the tag for the digest in it and answers with the subject.
fn list_in(subject: &Digest, manifest: &Manifest) -> Option<Index> {
    match manifest.content() {
        Content::Index(index) if manifest.digest() != subject => {
            Some(Index { media_type: Index::new(Vec::new()).media_type, ..Index::clone(index) })
        }
        _ => None,
    }
}

/// The entries that the list does not have.
fn missing<'a>(index: &Index, entries: impl IntoIterator<Item = &'a Descriptor>) -> impl Iterator<Item = Descriptor> {
    let mut listed: HashSet<_> = index.manifests.iter().map(|entry| entry.digest.clone()).collect();
    entries.into_iter().filter(move |entry| listed.insert(entry.digest.clone())).cloned()
}

#[cfg(test)]
mod tests;
