//! Who refers to a manifest, as registries with the referrers API say it, and both ways of asking as one answer.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers>

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::{
    Method, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};

use super::{Answer, RegistryError, RegistryProblem, RegistryStore, Request, Scope};
use crate::{
    oci::{Descriptor, Digest, Index, Manifest, Target, media_type},
    store::StoreError,
};

const MAX_PAGES: usize = 1000;
/// A page may have as many entries as the registry likes.
const PAGE: usize = 8 * 1024 * 1024;
/// What all pages have together at most.
const WHOLE: usize = 64 * 1024 * 1024;
/// How many manifests are read at once to complete a list.
const TOGETHER: usize = 16;

impl RegistryStore {
    /// The referrers of `subject`, from the API and from the tag schema, complete and in order.
    pub(super) async fn find_referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        let listed = self.list_referrers(subject).await?;
        let complete: Vec<_> = stream::iter(listed.into_iter().map(|entry| self.completed(subject, entry)))
            .buffered(TOGETHER)
            .try_collect()
            .await?;
        Ok(complete.into_iter().flatten().collect())
    }

    /// The entries of both, as they are listed, in order.
    pub(super) async fn list_referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        let (api, list) = if self.registry.known.referrers_api().is_none() {
            // Whoever finds out whether there is an API asks both ways at once.
            let list = async { self.tag_referrers(subject).await.map(Some) };
            futures_util::try_join!(self.api_referrers(subject), list)?
        } else {
            (self.api_referrers(subject).await?, None)
        };
        let has_api = api.is_some();
        let from_api = api.unwrap_or_default();
        let mut from_tag = Vec::new();
        if from_api.is_empty() || self.known.writes_lists() {
            let list = match list {
                Some(list) => list,
                None if has_api && !self.known.writes_lists() && !self.may_have_old_list(subject).await => Vec::new(),
                None => self.tag_referrers(subject).await?,
            };
            for entry in list {
                // With an API nobody takes entries out of the tag's list any more: it may name what is gone.
                if !has_api || self.find_descriptor(&Target::Digest(entry.digest.clone())).await?.is_some() {
                    from_tag.push(entry);
                }
            }
        }
        // What the API says about an entry counts more than what some client wrote.
        let by_digest: BTreeMap<_, _> =
            from_tag.into_iter().chain(from_api).map(|entry| (entry.digest.clone(), entry)).collect();
        Ok(by_digest.into_values().collect())
    }

    /// The entries that the API lists. Nothing: the registry has no such API.
    pub(super) async fn api_referrers(&self, subject: &Digest) -> Result<Option<Vec<Descriptor>>, StoreError> {
        // The first to ask finds out for all.
        let _probing = match self.registry.known.referrers_api() {
            None => Some(self.registry.known.probing.lock().await),
            Some(_) => None,
        };
        if self.registry.known.referrers_api() == Some(false) {
            return Ok(None);
        }
        let mut url = self.registry.url(&self.name, &["referrers", &subject.to_string()])?;
        let mut entries = Vec::new();
        let mut length = 0;
        for _ in 0..MAX_PAGES {
            let request = Request::new(Method::GET, url.clone(), Scope::pull(&self.name))
                .header(ACCEPT, media_type::IMAGE_INDEX)
                .limit(PAGE);
            let answer = self.registry.send(&request).await?;
            if is_missing(&answer) {
                // A repository that is not there yet says nothing about the API.
                if !answer.has_code("NAME_UNKNOWN") {
                    if self.registry.known.is_api_sure() {
                        return Err(answer.problem(RegistryProblem::NoReferrersApi).into());
                    }
                    self.registry.known.learn_referrers_api(false);
                }
                return Ok(None);
            }
            if answer.status != StatusCode::OK {
                return Err(answer.refused().into());
            }
            let content_type = answer.header(CONTENT_TYPE.as_str()).map(media_type::essence);
            if content_type.as_deref() != Some(media_type::IMAGE_INDEX) {
                // Something that answers 200 to everything.
                return if self.registry.known.is_api_sure() {
                    Err(answer.problem(RegistryProblem::NoReferrersApi).into())
                } else {
                    Ok(None)
                };
            }
            length += answer.body.len();
            if length > WHOLE {
                return Err(answer.problem(RegistryProblem::TooLong { limit: WHOLE }).into());
            }
            let index: Index = serde_json::from_slice(&answer.body).map_err(|error| {
                answer.problem(RegistryProblem::Body { expected: "a list of referrers", message: error.to_string() })
            })?;
            self.registry.known.learn_referrers_api(true);
            entries.extend(index.manifests);
            match self.next_page(&answer)? {
                Some(next) => url = next,
                None => return Ok(Some(entries)),
            }
        }
        Err(RegistryError::new(&Method::GET, &url, RegistryProblem::Endless { pages: MAX_PAGES }).into())
    }

    /// Whether the registry has the API; asked once for each registry.
    pub(super) async fn has_api(&self) -> Result<bool, StoreError> {
        if self.registry.known.referrers_api().is_none() {
            // Whether this manifest exists does not matter: an API that is there answers with an empty list.
            self.api_referrers(&Digest::sha256(b"")).await?;
        }
        Ok(self.registry.known.referrers_api() == Some(true))
    }

    /// After `manifest` was pushed: it waits to be listed, unless the registry does that itself, as its answer may have
    /// said.
    pub(super) async fn expect_listed(
        &self,
        subject: &Digest,
        manifest: &Manifest,
        may_list_itself: bool,
    ) -> Result<(), StoreError> {
        if self.registry.known.is_api_sure() {
            return Ok(());
        }
        if may_list_itself && self.registry.known.referrers_api() != Some(false) {
            let mut lists_itself = self.known.lists_itself.lock().await;
            // Some registries sent the header before they had the API: it counts once the list was seen to hold.
            let holds = if let Some(holds) = *lists_itself {
                holds
            } else {
                let entries = self.api_referrers(subject).await?.unwrap_or_default();
                *lists_itself.insert(entries.iter().any(|entry| entry.digest == *manifest.digest()))
            };
            if holds {
                return Ok(());
            }
        }
        self.known.list_to_write(subject).wait(manifest.referrer_descriptor());
        Ok(())
    }

    /// The entry with the artifact type and annotations of its manifest, where the list does not have them. Nothing:
    /// there is no such manifest, or it is about something else.
    async fn completed(&self, subject: &Digest, entry: Descriptor) -> Result<Option<Descriptor>, StoreError> {
        if !entry.is_type_doubtful() {
            return Ok(Some(entry));
        }
        let manifest = self.find_manifest(&Target::Digest(entry.digest.clone())).await?;
        let manifest = manifest.filter(|manifest| manifest.subject().is_some_and(|about| about.digest == *subject));
        Ok(manifest.map(|manifest| {
            let described = manifest.referrer_descriptor();
            Descriptor { artifact_type: described.artifact_type, annotations: described.annotations, ..entry }
        }))
    }
}

fn is_missing(answer: &Answer) -> bool {
    matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED)
        || (answer.status.is_client_error() && answer.has_code("METHOD_UNKNOWN"))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            ReferrersMode, RegistryOptions, RegistrySettings,
            testing::{self, Reply, Server, Shelf},
        },
        *,
    };
    use crate::{
        oci::{ImageManifest, Tag},
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

    fn listed(entries: &[Descriptor]) -> Reply {
        let manifest = Manifest::from_index(Index::new(entries.to_vec())).unwrap();
        let content_type = "Application/vnd.oci.image.index.v1+json; charset=utf-8";
        Reply::status(200).header("content-type", content_type).body(manifest.bytes().clone())
    }

    /// What a registry with the API lists: everything, bare.
    fn everything(shelf: &Shelf) -> Vec<Descriptor> {
        let bare = |((_, digest), (media_type, bytes)): (&(String, Digest), &(String, bytes::Bytes))| {
            Descriptor::new(media_type.clone(), digest.clone(), bytes.len() as u64)
        };
        shelf
            .manifests
            .iter()
            .filter(|(_, (media_type, _))| media_type == media_type::IMAGE_MANIFEST)
            .map(bare)
            .collect()
    }

    /// A registry that says that it lists referrers, and does so where `is_true`.
    async fn with_api(is_true: bool) -> Server {
        Server::with(move |received, shelf| {
            if received.path.contains("/referrers/") {
                return Some(listed(&if is_true { everything(shelf) } else { Vec::new() }));
            }
            (received.method == "PUT" && received.path.contains("/manifests/sha256:"))
                .then(|| shelf.answer(received).header("oci-subject", subject().digest.to_string()))
        })
        .await
    }

    #[tokio::test]
    async fn an_api_that_lists_what_was_pushed_is_believed_from_then_on() {
        let server = with_api(true).await;
        let store = server.store("a");
        store.attach(&referrer("one")).await.unwrap();
        // The push, the list of the tag schema beside it, and the look whether the API has it.
        assert_eq!(server.log().len(), 3);
        store.attach(&referrer("two")).await.unwrap();
        assert_eq!(server.log().len(), 1);
        store.settle().await.unwrap();
        assert_eq!(store.subjects().await.unwrap(), None);
        assert!(server.log().is_empty());
    }

    #[tokio::test]
    async fn beside_an_api_it_is_asked_once_which_old_lists_there_are() {
        for may_list in [true, false] {
            let server = Server::with(move |received, _| match received.path.as_str() {
                path if path.contains("/referrers/") => Some(listed(&[])),
                path if path.ends_with("/tags/list") && !may_list => Some(Reply::status(403)),
                _ => None,
            })
            .await;
            let subjects: Vec<_> = (0..10).map(|number| Digest::sha256(&[number])).collect();
            let store = server.store("a");
            let old = referrer("old");
            // As an older client left it.
            store.push_manifest(&old, None).await.unwrap();
            for list in [&subjects[2], &subjects[7]] {
                let index = Manifest::from_index(Index::new(vec![old.referrer_descriptor()])).unwrap();
                store.push_manifest(&index, Some(&Tag::of_referrers(list))).await.unwrap();
            }
            let store = server.store("a");
            server.log();
            for (number, subject) in subjects.iter().enumerate() {
                let found = store.referrers(subject).await.unwrap();
                assert_eq!(found.len(), usize::from(number == 2 || number == 7), "{number}");
            }
            let log = server.log();
            let count = |part: &str| log.iter().filter(|line| line.contains(part)).count();
            assert_eq!(count("/tags/list"), 1, "{log:#?}");
            // One beside the question whether there is an API, four before it is worth asking, and the one that is there.
            assert_eq!(count("GET /v2/a/manifests/sha256-"), if may_list { 6 } else { 10 }, "{log:#?}");
        }
    }

    #[tokio::test]
    async fn a_list_is_there_also_where_what_it_lists_is_not_what_it_should_be() {
        let doubtful = Descriptor {
            artifact_type: Some(media_type::EMPTY.to_owned()),
            ..Descriptor::of(media_type::IMAGE_MANIFEST, b"what was there")
        };
        let entry = doubtful.clone();
        let server = Server::with(move |received, _| match received.path.as_str() {
            path if path.contains("/referrers/") => Some(listed(std::slice::from_ref(&entry))),
            path if path.contains("/manifests/sha256:") => {
                let reply = Reply::status(200).header("content-type", media_type::IMAGE_MANIFEST);
                Some(reply.body("what is there now"))
            }
            _ => None,
        })
        .await;
        let store = server.store("a");
        assert_eq!(store.listed(&subject().digest).await.unwrap(), [doubtful]);
        let error = store.referrers(&subject().digest).await.unwrap_err();
        assert!(error.is_content(), "{error}");
    }

    #[tokio::test]
    async fn a_referrer_whose_answer_was_lost_is_looked_for() {
        for has_api in [true, false] {
            let mut is_lost = false;
            let server = Server::with(move |received, shelf| {
                if has_api && received.path.contains("/referrers/") {
                    return Some(listed(&everything(shelf)));
                }
                let is_first = received.method == "PUT" && !std::mem::replace(&mut is_lost, received.method == "PUT");
                is_first.then(|| {
                    shelf.answer(received);
                    Reply::cut()
                })
            })
            .await;
            server.store("a").attach(&referrer("one")).await.unwrap();
            // Only a registry without the API gets a list.
            assert_eq!(server.shelf(|shelf| shelf.tags.len()), usize::from(!has_api));
            assert_eq!(server.store("a").referrers(&subject().digest).await.unwrap().len(), 1);
        }
    }

    #[tokio::test]
    async fn an_api_that_only_says_so_gets_a_list_too() {
        let server = with_api(false).await;
        let store = server.store("a");
        store.attach(&referrer("one")).await.unwrap();
        store.attach(&referrer("two")).await.unwrap();
        let tag = Tag::of_referrers(&subject().digest).to_string();
        assert!(server.shelf(|shelf| shelf.tags.contains_key(&("a".to_owned(), tag))));
        assert_eq!(server.store("a").referrers(&subject().digest).await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn an_entry_that_says_nothing_is_completed_from_its_manifest() {
        let server = with_api(true).await;
        let mine = referrer("mine");
        server.store("a").attach(&mine).await.unwrap();
        let other = Manifest::from_image(ImageManifest::new(Descriptor::empty())).unwrap();
        server.store("a").attach(&other).await.unwrap();
        // The other one is listed, but is about nothing.
        let referrers = server.store("a").referrers(&subject().digest).await.unwrap();
        assert_eq!(referrers, [mine.referrer_descriptor()]);
    }

    #[tokio::test]
    async fn an_entry_with_the_type_of_its_config_is_read_again() {
        let mine = referrer("mine");
        let entry = mine.referrer_descriptor();
        let server = Server::with(move |received, _| {
            let wrong =
                Descriptor { artifact_type: Some("application/vnd.acme.config.v1+json".to_owned()), ..entry.clone() };
            received.path.contains("/referrers/").then(|| listed(&[wrong]))
        })
        .await;
        server.store("a").push_manifest(&mine, None).await.unwrap();
        let referrers = server.store("a").referrers(&subject().digest).await.unwrap();
        assert_eq!(referrers, [mine.referrer_descriptor()]);
    }

    #[tokio::test]
    async fn a_plan_says_how_referrers_are_listed() {
        let run = |server: &Server, referrers| {
            let settings = RegistrySettings { referrers, ..RegistrySettings::default() };
            let settings = [(server.name.clone(), settings)].into();
            let options = RegistryOptions { settings, ..RegistryOptions::default() };
            testing::run(options).repository(&server.name, &"a".parse().unwrap())
        };
        // The API is there, and must not be asked.
        let server = with_api(true).await;
        let store = run(&server, ReferrersMode::Tag);
        store.attach(&referrer("one")).await.unwrap();
        assert_eq!(store.referrers(&subject().digest).await.unwrap().len(), 1);
        assert!(server.log().iter().all(|line| !line.contains("/referrers/")));
        // The API is believed at once, whatever the answer to a push says.
        let server = with_api(false).await;
        let store = run(&server, ReferrersMode::Api);
        store.attach(&referrer("one")).await.unwrap();
        assert_eq!(server.log().len(), 1);
        assert!(store.referrers(&subject().digest).await.unwrap().is_empty());
        // There is none.
        let server = Server::start().await;
        let error = run(&server, ReferrersMode::Api).referrers(&subject().digest).await.unwrap_err();
        assert!(error.to_string().ends_with("no referrers API here, and the plan says `referrers: api`"), "{error}");
    }

    #[tokio::test]
    async fn a_missing_api_is_asked_for_once_in_a_registry() {
        let server = Server::start().await;
        let registries = super::super::testing::registries(super::super::Credentials::none());
        for name in ["a", "b"] {
            let store = registries.repository(&server.name, &name.parse().unwrap());
            assert!(store.referrers(&subject().digest).await.unwrap().is_empty());
        }
        let asked = server.log().iter().filter(|line| line.contains("/referrers/")).count();
        assert_eq!(asked, 1);
    }

    #[tokio::test]
    async fn a_repository_that_is_not_there_says_nothing_about_the_api() {
        let server = Server::with(|received, shelf| {
            if !received.path.contains("/referrers/") {
                return None;
            }
            let body = r#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known"}]}"#;
            let is_there = received.path.starts_with("/v2/a/");
            Some(if is_there { listed(&everything(shelf)) } else { Reply::status(404).body(body) })
        })
        .await;
        let registries = super::super::testing::registries(super::super::Credentials::none());
        let [none, some] = ["b", "a"].map(|name| registries.repository(&server.name, &name.parse().unwrap()));
        assert!(none.referrers(&subject().digest).await.unwrap().is_empty());
        some.attach(&referrer("one")).await.unwrap();
        assert_eq!(some.referrers(&subject().digest).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn pages_are_read_to_the_end_and_errors_are_not_absence() {
        let (one, two) = (referrer("one").referrer_descriptor(), referrer("two").referrer_descriptor());
        let entries = [one, two];
        let server = Server::with(move |received, _| {
            if received.path.starts_with("/v2/throttled/") {
                return Some(Reply::status(424));
            }
            let is_first = received.query.is_empty();
            let page = listed(&entries[usize::from(!is_first)..][..1]);
            Some(if is_first { page.header("link", "<?page=2>; rel=\"next\"") } else { page })
        })
        .await;
        assert_eq!(server.store("a").referrers(&subject().digest).await.unwrap().len(), 2);
        assert!(server.store("throttled").referrers(&subject().digest).await.is_err());
    }
}
