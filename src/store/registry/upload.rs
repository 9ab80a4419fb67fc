//! Writing blobs over HTTP: mounted where another repository has them, otherwise sent, as whole as the registry takes them.
//!
//! What broke off is gone on with where the registry has kept some of it, in parts from then on. Which ways a registry does
//! not take is found out by what it does, and known for the rest of the run.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-blobs>

use reqwest::{Method, StatusCode};

use super::{
    Answer, RegistryStore, Request, Scope,
    outgoing::Outgoing,
    session::{Session, Setback, SetbackKind, Way},
};
use crate::{
    oci::{Descriptor, Repository, RepositoryName},
    store::{Delivery, Source, StoreError},
};

/// Up to this size a blob is sent without asking whether it is there: asking takes as long.
const TINY: u64 = 4 * 1024;
/// From this size on it is worth asking even when an upload session is open already.
const LARGE: u64 = 1024 * 1024;
/// How often the way of sending may change for one blob.
const MAX_CHANGES: u32 = 12;

impl RegistryStore {
    /// Makes sure that the blob is there. Who comes while it is being sent waits for that.
    pub(super) async fn bring(
        &self,
        blob: &Descriptor,
        source: &Source,
        from: Option<&Repository>,
    ) -> Result<Delivery, StoreError> {
        if self.registry.known.has_blob(&self.name, &blob.digest) {
            return Ok(Delivery::Existing);
        }
        let _turn = self.known.pushing.take(&blob.digest).await;
        if self.registry.known.has_blob(&self.name, &blob.digest) {
            return Ok(Delivery::Existing);
        }
        let delivery = self.deliver(blob, source, from).await?;
        self.registry.known.blob_is_there(&self.name, &blob.digest);
        Ok(delivery)
    }

    async fn deliver(
        &self,
        blob: &Descriptor,
        source: &Source,
        from: Option<&Repository>,
    ) -> Result<Delivery, StoreError> {
        let mut session = None;
        if let Some(holder) = self.holder(blob, from) {
            match self.mount(blob, &holder).await {
                Ok(answer) if answer.status == StatusCode::CREATED => return Ok(Delivery::Mounted),
                Ok(answer) if answer.status == StatusCode::ACCEPTED => {
                    session = Some(Session::new(&self.registry, &self.name, &answer)?);
                }
                // Whoever may not read the source may still write here.
                Ok(_) => {}
                // It is a short cut, and the way around it is tried as often as need be. Some token services refuse a
                // token for both repositories.
                Err(error) if error.is_temporary() || is_refusal(&error) => {}
                Err(error) => return Err(error),
            }
        }
        let is_worth_asking = if session.is_some() { blob.size > LARGE } else { blob.size > TINY };
        if is_worth_asking && self.ask_blob(blob).await? {
            return Ok(Delivery::Existing);
        }
        self.send(blob, source, session).await
    }

    /// Sends the content until it is there, in one way or another.
    async fn send(
        &self,
        blob: &Descriptor,
        source: &Source,
        mut session: Option<Session>,
    ) -> Result<Delivery, StoreError> {
        let content = Outgoing::new(blob, source);
        let known = &self.registry.known;
        let mut tries = self.registry.start();
        let mut way = known.upload_way(blob.size);
        let mut changes = 0;
        loop {
            let mut current = match session.take() {
                Some(session) => session,
                None => self.start().await?,
            };
            let before = current.at;
            let Err(setback) = current.send(&content, way).await else {
                return Ok(Delivery::Copied);
            };
            let Setback { error, kind, is_end } = setback;
            if current.at > before {
                tries.achieved();
            }
            match kind {
                SetbackKind::Passing | SetbackKind::Gone => {
                    // A session that is gone may be the one that an earlier try has ended well.
                    tries.again_if(error, kind == SetbackKind::Gone).await?;
                    // Perhaps only the answer was lost.
                    if is_end && self.ask_blob(blob).await? {
                        current.is_over();
                        return Ok(Delivery::Copied);
                    }
                    if kind == SetbackKind::Gone {
                        current.is_over();
                        continue;
                    }
                    // What is small is sent as fast as it is asked for.
                    if blob.size > LARGE && known.takes_chunks() && current.ask(blob.size).await? {
                        way = way.narrower();
                        session = Some(current);
                    }
                    continue;
                }
                _ if changes >= MAX_CHANGES => return Err(error),
                SetbackKind::TooLarge => {
                    let Some(narrower) = way.below(blob.size) else { return Err(error) };
                    known.learn_upload_way(narrower);
                    way = narrower;
                    session = current.ask(blob.size).await?.then_some(current);
                }
                SetbackKind::Range => {
                    let at = current.at;
                    session = current.ask(blob.size).await?.then_some(current);
                    if session.as_ref().is_some_and(|current| current.at == at) {
                        // Nothing was wrong with where it began, so it was too much.
                        let Some(narrower) = way.modest() else { return Err(error) };
                        known.learn_upload_way(narrower);
                        way = narrower;
                    }
                }
                SetbackKind::Way if way != Way::Whole => {
                    known.learn_upload_way(Way::Whole);
                    way = Way::Whole;
                }
                SetbackKind::Way | SetbackKind::Final => return Err(error),
            }
            changes += 1;
            // Whole content needs a session with nothing in it.
            session = session.filter(|session| way != Way::Whole || session.at == 0);
        }
    }

    /// Another repository of this registry that has the blob.
    fn holder(&self, blob: &Descriptor, from: Option<&Repository>) -> Option<RepositoryName> {
        let named = match from {
            Some(Repository::Registry { registry, name }) if registry.identity() == self.registry.name.identity() => {
                Some(name)
            }
            _ => None,
        };
        let known = self.registry.known.holder(&blob.digest, named);
        known.or_else(|| named.cloned()).filter(|holder| *holder != self.name)
    }

    /// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#mounting-a-blob-from-another-repository>
    async fn mount(&self, blob: &Descriptor, holder: &RepositoryName) -> Result<Answer, StoreError> {
        let mut url = self.registry.url(&self.name, &["blobs", "uploads", ""])?;
        url.query_pairs_mut().append_pair("mount", &blob.digest.to_string()).append_pair("from", holder.as_str());
        self.registry.send(&Request::new(Method::POST, url, Scope::mount(&self.name, holder)).single()).await
    }

    /// Opens an upload session and says where it goes on.
    async fn start(&self) -> Result<Session, StoreError> {
        let url = self.registry.url(&self.name, &["blobs", "uploads", ""])?;
        let answer = self.registry.send(&Request::new(Method::POST, url, Scope::push(&self.name))).await?;
        if answer.status != StatusCode::ACCEPTED {
            return Err(answer.refused().into());
        }
        Session::new(&self.registry, &self.name, &answer)
    }
}

/// Whether somebody answered, and said no.
fn is_refusal(error: &StoreError) -> bool {
    matches!(error, StoreError::Registry(error) if error.status().is_some_and(|status| status.is_client_error()))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{
        super::{
            Credentials,
            testing::{Reply, Server, registries},
        },
        *,
    };
    use crate::{
        oci::{ImageManifest, Manifest},
        store::{ContentError, Store},
    };

    fn blob(size: usize) -> (Descriptor, Source) {
        let bytes = vec![b'x'; size];
        (Descriptor::of("a/b", &bytes), Source::bytes(bytes))
    }

    #[tokio::test]
    async fn a_push_asks_and_sends_only_what_it_must() {
        let server = Server::start().await;
        let registries = registries(Credentials::none());
        let store = registries.repository(&server.name, &"a".parse().unwrap());
        let (tiny, small) = (blob(2), blob(5000));
        for (blob, source) in [&tiny, &small] {
            assert_eq!(store.push_blob(blob, source, None).await.unwrap(), Delivery::Copied);
            assert_eq!(store.push_blob(blob, source, None).await.unwrap(), Delivery::Existing);
        }
        let manifest = Manifest::from_image(ImageManifest { layers: vec![small.0], ..ImageManifest::new(tiny.0) });
        let (manifest, tag) = (manifest.unwrap(), "v1".parse().unwrap());
        for _ in 0..2 {
            store.push_manifest(&manifest, Some(&tag)).await.unwrap();
        }
        store.push_manifest(&manifest, None).await.unwrap();
        assert_eq!(store.resolve(&tag.clone().into()).await.unwrap(), Some(manifest.descriptor()));
        assert_eq!(store.manifest(&tag.into()).await.unwrap().unwrap().bytes(), manifest.bytes());
        assert_eq!(
            server.log(),
            [
                "POST /v2/a/blobs/uploads/",
                "PUT /v2/a/blobs/uploads/session?state=x&digest=sha256:5dde",
                "HEAD /v2/a/blobs/sha256:c59d",
                "POST /v2/a/blobs/uploads/",
                "PUT /v2/a/blobs/uploads/session?state=x&digest=sha256:c59d",
                "PUT /v2/a/manifests/v1",
            ]
        );
    }

    #[tokio::test]
    async fn what_another_repository_has_is_mounted() {
        let server = Server::start().await;
        let registries = registries(Credentials::none());
        let (a, b) = ("a".parse().unwrap(), "b".parse().unwrap());
        let (blob, source) = blob(5000);
        registries.repository(&server.name, &a).push_blob(&blob, &source, None).await.unwrap();
        server.log();
        let delivery = registries.repository(&server.name, &b).push_blob(&blob, &source, None).await.unwrap();
        assert_eq!(delivery, Delivery::Mounted);
        assert_eq!(server.log(), ["POST /v2/b/blobs/uploads/?mount=sha256:c59d&from=a"]);
        // Another run knows nothing, but was told where the blob is.
        let from = Repository::Registry { registry: server.name.clone(), name: a };
        let delivery = server.store("c").push_blob(&blob, &source, Some(&from)).await.unwrap();
        assert_eq!(delivery, Delivery::Mounted);
        assert_eq!(server.log(), ["POST /v2/c/blobs/uploads/?mount=sha256:c59d&from=a"]);
    }

    #[tokio::test]
    async fn a_mount_that_is_not_done_goes_on_in_its_session() {
        let server = Server::start().await;
        let (blob, source) = blob(5000);
        let from = Repository::Registry { registry: server.name.clone(), name: "a".parse().unwrap() };
        let delivery = server.store("b").push_blob(&blob, &source, Some(&from)).await.unwrap();
        assert_eq!(delivery, Delivery::Copied);
        assert_eq!(
            server.log(),
            [
                "POST /v2/b/blobs/uploads/?mount=sha256:c59d&from=a",
                "PUT /v2/b/blobs/uploads/session?state=x&digest=sha256:c59d",
            ]
        );
    }

    #[tokio::test]
    async fn a_lost_answer_is_settled_by_asking() {
        let mut is_lost = false;
        let server = Server::with(move |received, shelf| {
            let loses = received.method == "PUT" && !std::mem::replace(&mut is_lost, received.method == "PUT");
            loses.then(|| {
                shelf.answer(received);
                Reply::cut()
            })
        })
        .await;
        let (blob, source) = blob(2);
        assert_eq!(server.store("a").push_blob(&blob, &source, None).await.unwrap(), Delivery::Copied);
        assert_eq!(
            server.log(),
            [
                "POST /v2/a/blobs/uploads/",
                "PUT /v2/a/blobs/uploads/session?state=x&digest=sha256:5dde",
                "HEAD /v2/a/blobs/sha256:5dde",
            ]
        );
    }

    #[tokio::test]
    async fn a_session_that_broke_starts_anew_with_the_whole_body() {
        let mut failures = 2;
        let server = Server::with(move |received, _| {
            let fails = received.method == "PUT" && failures > 0;
            failures -= i32::from(fails);
            fails.then(|| if failures == 1 { Reply::cut() } else { Reply::status(503) })
        })
        .await;
        let (blob, source) = blob(3_000_000);
        assert_eq!(server.store("a").push_blob(&blob, &source, None).await.unwrap(), Delivery::Copied);
        let puts: Vec<_> = server.received().into_iter().filter(|received| received.method == "PUT").collect();
        assert_eq!(puts.len(), 3);
        assert!(puts.iter().all(|put| put.body.len() == 3_000_000 && put.header("content-length") == Some("3000000")));
        assert!(puts.iter().all(|put| put.header("transfer-encoding").is_none()));
    }

    #[tokio::test]
    async fn one_blob_is_sent_once_however_many_push_it() {
        let server = Server::start().await;
        let store = server.store("a");
        let (blob, source) = blob(5000);
        let pushes = (0..8).map(|_| store.push_blob(&blob, &source, None));
        let mut deliveries = futures_util::future::try_join_all(pushes).await.unwrap();
        deliveries.sort_by_key(|delivery| *delivery == Delivery::Existing);
        assert_eq!(deliveries[0], Delivery::Copied);
        assert!(deliveries[1..].iter().all(|delivery| *delivery == Delivery::Existing));
        assert_eq!(server.log().len(), 3);
    }

    #[tokio::test]
    async fn content_that_is_something_else_is_not_stored_and_not_tried_again() {
        for size in [2, 3_000_000] {
            let server = Server::start().await;
            let wrong = Source::bytes(vec![b'y'; size]);
            let error = server.store("a").push_blob(&blob(size).0, &wrong, None).await.unwrap_err();
            assert!(matches!(error, StoreError::Content(ContentError::Digest { .. })), "{error}");
            assert!(server.shelf(|shelf| shelf.blobs.is_empty()));
        }
    }

    #[tokio::test]
    async fn copies_within_one_registry_do_not_wait_for_each_other_for_ever() {
        let server = Server::with(|received, _| {
            received.query.contains("mount").then(|| Reply::status(202).header("location", "/v2/b/blobs/uploads/1"))
        })
        .await;
        let blobs: Vec<_> = (0..12_u8).map(|seed| Bytes::from([vec![seed], vec![b'x'; 2_000_000]].concat())).collect();
        let name = server.name.clone();
        server.shelf(|shelf| {
            for blob in &blobs {
                shelf.blobs.insert(("a".to_owned(), Descriptor::of("", blob).digest), blob.clone());
            }
        });
        let options = super::super::RegistryOptions { concurrency: 1, ..Default::default() };
        let registries = super::super::Registries::new(options).unwrap();
        let source = registries.repository(&name, &"a".parse().unwrap());
        let target = registries.repository(&name, &"b".parse().unwrap());
        let descriptors: Vec<_> = blobs.iter().map(|blob| Descriptor::of("a/b", blob)).collect();
        let from = source.repository().clone();
        let source = Source::blob(source);
        let pushes = descriptors.iter().map(|blob| target.push_blob(blob, &source, Some(&from)));
        let deliveries = futures_util::future::try_join_all(pushes).await.unwrap();
        assert!(deliveries.iter().all(|delivery| *delivery == Delivery::Copied));
        assert_eq!(server.shelf(|shelf| shelf.blobs.len()), 24);
    }
}
