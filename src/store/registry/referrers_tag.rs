//! Who refers to a manifest, for registries without the referrers API: an index under a tag that every client updates.
//!
//! No registry has conditional writes, so nobody can know that an update was not written over. Three things hold it:
//! within a run one update at a time for each subject, taking along all that wait; after each update a look whether it
//! holds; and once more at the end of the run ([`RegistryStore::settle_lists`]), not before an update that somebody else
//! had begun by then must be over.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema>

use std::collections::HashSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Method;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    RegistryError, RegistryProblem, RegistryStore,
    subject_list::{SubjectList, Written},
};
use crate::{
    oci::{Content, Descriptor, Digest, Index, Manifest, Tag, Target},
    store::StoreError,
};

/// How often a list is written before the run gives up on it.
const MAX_WRITES: u32 = 16;
/// How often a list that others write is looked at until it holds.
const MAX_LOOKS: u32 = 64;
/// How many lists are looked at together.
const TOGETHER: usize = 16;
/// With more pages of tags than this, asking for each subject is cheaper.
const MAX_TAG_PAGES: usize = 10;

impl RegistryStore {
    /// The entries of the list of `subject`, if there is one.
    pub(super) async fn tag_referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        let target = Target::Tag(Tag::of_referrers(subject));
        let manifest = self.ask_manifest(&target).await?;
        Ok(manifest.as_ref().and_then(|manifest| list_in(subject, manifest)).map_or_else(Vec::new, |it| it.manifests))
    }

    /// Every digest that has a list. Nothing: the registry knows better, or there are too many tags.
    pub(super) async fn listed_subjects(&self) -> Result<Option<HashSet<Digest>>, StoreError> {
        if self.has_api().await? {
            return Ok(None);
        }
        let (tags, is_whole) = self.read_tags(MAX_TAG_PAGES).await?;
        // The tag of a longer digest does not have all of it.
        let is_cut = |tag: &Tag| tag.is_of_referrers() && tag.referrers_subject().is_none();
        if !is_whole || tags.iter().any(is_cut) {
            return Ok(None);
        }
        Ok(Some(tags.iter().filter_map(Tag::referrers_subject).collect()))
    }

    /// Lists `entry` under `subject`, together with everything else that waits for that.
    pub(super) async fn append(&self, subject: &Digest, entry: Descriptor) -> Result<(), StoreError> {
        let list = self.known.list(subject);
        list.wait(entry.clone());
        let mut written = list.update.lock().await;
        let Some(batch) = list.take(&entry) else {
            return Ok(());
        };
        self.merge(subject, &list, &batch, &mut written).await?;
        list.is_listed(batch);
        Ok(())
    }

    /// Writes the list until it has `batch`, and everything that this run has listed before: what is written without
    /// that would pass for right later.
    async fn merge(
        &self,
        subject: &Digest,
        list: &SubjectList,
        batch: &[Descriptor],
        written: &mut Written,
    ) -> Result<(), StoreError> {
        let tag = Target::Tag(Tag::of_referrers(subject));
        let mut backoff = self.registry.pace.start();
        for round in 0..MAX_WRITES {
            let found = self.ask_manifest(&tag).await?;
            let read = Instant::now();
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
                let wait = backoff.next(error.retry_after()).filter(|_| error.is_temporary()).ok_or(error)?;
                sleep(wait).await;
                continue;
            }
            written.end(read);
            written.digest = Some(manifest.digest().clone());
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
        stream::iter(self.known.all_lists())
            .map(|(subject, list)| async move { self.settle_list(&subject, &list).await })
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
        self.merge(subject, list, &[], written).await
    }

    /// Takes `referrers` out of the list of `subject`; the list goes with its last entry.
    pub(super) async fn unlist_all(&self, subject: &Digest, referrers: &[Digest]) -> Result<(), StoreError> {
        if self.has_api().await? && !self.known.writes_lists() {
            return Ok(());
        }
        let tag = Tag::of_referrers(subject);
        let list = self.known.list(subject);
        let mut written = list.update.lock().await;
        list.withdraw(referrers);
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
            *written = Written::default();
            return Ok(());
        }
        let manifest = Manifest::from_index(index)?;
        self.put_manifest(&manifest, &Target::Tag(tag)).await?;
        written.digest = Some(manifest.digest().clone());
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
mod tests {
    use std::sync::{Arc, Mutex};

    use futures_util::future::try_join_all;

    use super::{
        super::{
            Registries, RegistryOptions,
            testing::{Received, Reply, Server, Shelf},
        },
        *,
    };
    use crate::{
        oci::{ImageManifest, media_type},
        store::Store,
    };

    fn subject() -> Descriptor {
        Descriptor::of(media_type::IMAGE_MANIFEST, b"subject")
    }

    fn referrer(name: &str) -> Manifest {
        Manifest::from_image(ImageManifest {
            artifact_type: Some("sbom/example".to_owned()),
            subject: Some(subject()),
            annotations: [("name".to_owned(), name.to_owned())].into(),
            ..ImageManifest::new(Descriptor::empty())
        })
        .unwrap()
    }

    /// The names of the referrers that another run finds.
    async fn names(server: &Server) -> Vec<String> {
        let referrers = server.store("a").referrers(&subject().digest).await.unwrap();
        let mut names: Vec<_> = referrers
            .into_iter()
            .map(|entry| {
                assert_eq!(entry.artifact_type.as_deref(), Some("sbom/example"));
                entry.annotations["name"].clone()
            })
            .collect();
        names.sort();
        names
    }

    fn is_put_of_list(received: &Received) -> bool {
        received.method == "PUT" && received.path.contains("/manifests/sha256-")
    }

    /// Puts `list` where the list is, as another process does that knows nothing of ours.
    fn overwrite(shelf: &mut Shelf, list: &Manifest) {
        let tag = Tag::of_referrers(&subject().digest).to_string();
        let content = (list.media_type().to_owned(), list.bytes().clone());
        shelf.manifests.insert(("a".to_owned(), list.digest().clone()), content);
        shelf.tags.insert(("a".to_owned(), tag), list.digest().clone());
    }

    #[tokio::test]
    async fn an_attach_lists_the_referrer_and_a_second_one_changes_nothing() {
        let server = Server::start().await;
        let store = server.store("a");
        let referrer = referrer("one");
        store.push_manifest(&referrer, None).await.unwrap();
        let put = format!("PUT /v2/a/manifests/sha256:{}", &referrer.digest().hex()[..4]);
        let list = format!("/v2/a/manifests/sha256-{}", &subject().digest.hex()[..4]);
        assert_eq!(server.log(), [put.clone(), format!("GET {list}"), format!("PUT {list}"), format!("HEAD {list}")]);
        store.settle().await.unwrap();
        assert_eq!(server.log(), [format!("HEAD {list}")]);
        server.store("a").push_manifest(&referrer, None).await.unwrap();
        assert_eq!(server.log(), [put, format!("GET {list}")]);
        assert_eq!(names(&server).await, ["one"]);
    }

    #[tokio::test]
    async fn attaches_beside_each_other_share_their_updates() {
        let server = Server::start().await;
        let store = server.store("a");
        let referrers: Vec<_> = (0..64).map(|name| referrer(&format!("{name:02}"))).collect();
        try_join_all(referrers.iter().map(|referrer| store.push_manifest(referrer, None))).await.unwrap();
        let updates = server.received().iter().filter(|received| is_put_of_list(received)).count();
        assert!(updates < 16, "{updates}");
        assert_eq!(names(&server).await, (0..64).map(|name| format!("{name:02}")).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn what_another_writes_over_is_written_again_at_once_or_at_the_end() {
        for is_late in [false, true] {
            let foreign = referrer("foreign");
            let list = Manifest::from_index(Index::new(vec![foreign.referrer_descriptor()])).unwrap();
            let theirs = list.clone();
            let mut is_done = false;
            let server = Server::with(move |received, shelf| {
                if is_late || is_done || !is_put_of_list(received) {
                    return None;
                }
                is_done = true;
                let reply = shelf.answer(received);
                overwrite(shelf, &theirs);
                Some(reply)
            })
            .await;
            let store = server.store("a");
            let mine = referrer("mine");
            store.push_manifest(&mine, None).await.unwrap();
            if is_late {
                server.shelf(|shelf| overwrite(shelf, &list));
            }
            server.log();
            store.settle().await.unwrap();
            assert!(server.log().len() >= 2, "a list that others write is looked at twice");
            assert_eq!(names(&server).await, ["foreign", "mine"]);
        }
    }

    #[tokio::test]
    async fn what_was_written_over_comes_back_with_the_next_attach() {
        let server = Server::start().await;
        let store = server.store("a");
        store.push_manifest(&referrer("one"), None).await.unwrap();
        let list = Manifest::from_index(Index::new(vec![referrer("foreign").referrer_descriptor()])).unwrap();
        server.shelf(|shelf| overwrite(shelf, &list));
        store.push_manifest(&referrer("two"), None).await.unwrap();
        assert_eq!(names(&server).await, ["foreign", "one", "two"]);
        // What another process has deleted is not brought back.
        server.shelf(|shelf| shelf.manifests.remove(&("a".to_owned(), referrer("one").digest().clone())));
        server.shelf(|shelf| overwrite(shelf, &list));
        store.settle().await.unwrap();
        assert_eq!(names(&server).await, ["foreign", "two"]);
    }

    #[tokio::test]
    async fn two_processes_lose_nothing() {
        let server = Server::start().await;
        let attach = async |side: &'static str| {
            let registries = Registries::new(RegistryOptions::default())?;
            let store = registries.repository(&server.name, &"a".parse().unwrap());
            let referrers: Vec<_> = (0..32).map(|name| referrer(&format!("{side}{name:02}"))).collect();
            for some in referrers.chunks(8) {
                try_join_all(some.iter().map(|referrer| store.push_manifest(referrer, None))).await?;
            }
            store.settle().await
        };
        tokio::try_join!(attach("a"), attach("b")).unwrap();
        assert_eq!(names(&server).await.len(), 64);
    }

    #[tokio::test]
    async fn entries_of_other_tools_keep_their_members_and_their_place() {
        let server = Server::start().await;
        let theirs = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{}","size":1,"artifactType":"sbom/example","annotations":{{"name":"theirs"}},"future":{{"x":[1]}}}}]}}"#,
            media_type::IMAGE_INDEX,
            media_type::IMAGE_MANIFEST,
            Digest::sha256(b"theirs")
        );
        let list = Manifest::parse(media_type::IMAGE_INDEX, theirs.into()).unwrap();
        server.shelf(|shelf| overwrite(shelf, &list));
        server.store("a").push_manifest(&referrer("mine"), None).await.unwrap();
        let written = server.shelf(|shelf| {
            let tag = Tag::of_referrers(&subject().digest).to_string();
            let digest = shelf.tags[&("a".to_owned(), tag)].clone();
            String::from_utf8(shelf.manifests[&("a".to_owned(), digest)].1.to_vec()).unwrap()
        });
        let (theirs, mine) = (written.find(r#""future":{"x":[1]}"#).unwrap(), written.find("mine").unwrap());
        assert!(theirs < mine, "{written}");
    }

    #[tokio::test]
    async fn a_list_shrinks_and_goes_with_its_last_entry() {
        let server = Server::start().await;
        let store = server.store("a");
        let (one, two) = (referrer("one"), referrer("two"));
        for manifest in [&one, &two] {
            store.push_manifest(manifest, None).await.unwrap();
        }
        let subject = subject().digest;
        assert_eq!(store.subjects().await.unwrap(), Some([subject.clone()].into()));
        store.delete_manifest(one.digest()).await.unwrap();
        store.unlist(&subject, &[one.digest().clone()]).await.unwrap();
        assert_eq!(names(&server).await, ["two"]);
        // What was deleted does not come back at the end.
        store.settle().await.unwrap();
        assert_eq!(names(&server).await, ["two"]);
        store.delete_manifest(two.digest()).await.unwrap();
        store.unlist(&subject, &[two.digest().clone()]).await.unwrap();
        store.settle().await.unwrap();
        assert_eq!(store.subjects().await.unwrap(), Some(HashSet::new()));
        assert!(server.shelf(|shelf| shelf.tags.is_empty()));
    }

    #[tokio::test]
    async fn a_registry_that_takes_the_tag_for_the_subject_lists_nothing() {
        let bytes = br#"{"schemaVersion":2,"manifests":[]}"#;
        let subject = Digest::sha256(bytes);
        let server = Server::with(|received, _| {
            let reply = Reply::status(200).header("content-type", media_type::IMAGE_INDEX).body(&bytes[..]);
            received.path.contains("/manifests/").then_some(reply)
        })
        .await;
        assert!(server.store("a").referrers(&subject).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_is_no_list_is_not_written_over() {
        let server = Server::start().await;
        let image = Manifest::from_image(ImageManifest::new(Descriptor::empty())).unwrap();
        server.shelf(|shelf| overwrite(shelf, &image));
        assert!(server.store("a").referrers(&subject().digest).await.unwrap().is_empty());
        let error = server.store("a").push_manifest(&referrer("mine"), None).await.unwrap_err();
        assert!(error.to_string().contains("the tag is not a list of referrers"), "{error}");
    }

    #[tokio::test]
    async fn a_list_that_never_holds_is_an_error() {
        let empty = Manifest::from_index(Index::new(Vec::new())).unwrap();
        let writes = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&writes);
        let server = Server::with(move |received, shelf| {
            is_put_of_list(received).then(|| {
                *counted.lock().unwrap() += 1;
                let reply = shelf.answer(received);
                overwrite(shelf, &empty);
                reply
            })
        })
        .await;
        let error = server.store("a").push_manifest(&referrer("mine"), None).await.unwrap_err();
        assert!(error.is_temporary(), "{error}");
        assert_eq!(*writes.lock().unwrap(), MAX_WRITES);
    }
}
