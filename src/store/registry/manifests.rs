//! Manifests over HTTP.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests>,
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests>

use reqwest::{
    Method, StatusCode,
    header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE},
};
use serde::Deserialize;
use tokio::time::sleep;

use super::{
    Answer, RegistryError, RegistryProblem, RegistryStore, Request, Scope, error::DIGEST, registry::Registry,
    request::Body,
};
use crate::{
    oci::{Descriptor, Digest, Manifest, RepositoryName, Tag, Target, media_type},
    store::{ContentError, StoreError},
};

/// How often a manifest is pushed again whose blobs the registry does not find.
const BLIND_ROUNDS: u32 = 4;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MediaTypeOnly {
    media_type: Option<String>,
}

impl RegistryStore {
    /// As [`RegistryStore::ask_descriptor`], unless the run knows the answer.
    pub(super) async fn find_descriptor(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        match self.known_digest(target).and_then(|digest| self.known.manifest(&digest)) {
            Some(known) => Ok(Some(known)),
            None => self.ask_descriptor(target).await,
        }
    }

    /// As [`RegistryStore::ask_manifest`], unless the run knows the answer.
    pub(super) async fn find_manifest(&self, target: &Target) -> Result<Option<Manifest>, StoreError> {
        let known = self.known_digest(target).filter(|digest| self.known.manifest(digest).is_some());
        match known.and_then(|digest| self.registry.known.content(&digest)) {
            Some(manifest) => Ok(Some(manifest)),
            None => match target {
                Target::Digest(digest) => match self.mirrored_manifest(digest).await {
                    Some(manifest) => Ok(Some(manifest)),
                    None => self.ask_manifest(target).await,
                },
                Target::Tag(_) => self.ask_manifest(target).await,
            },
        }
    }

    /// What the registry says now. Where HEAD does not say enough, GET does.
    pub(super) async fn ask_descriptor(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        let answer = self.registry.send(&self.manifest_request(Method::HEAD, target)?).await?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            StatusCode::METHOD_NOT_ALLOWED => {
                return Ok(self.ask_manifest(target).await?.map(|manifest| manifest.descriptor()));
            }
            _ => return Err(answer.refused().into()),
        }
        let size = answer.header(CONTENT_LENGTH.as_str()).and_then(|size| size.parse().ok());
        let media_type = answer.header(CONTENT_TYPE.as_str()).map(media_type::essence);
        let media_type = media_type.filter(|media_type| media_type::is_manifest(media_type));
        let (Some(digest), Some(size), Some(media_type)) = (digest(&answer)?, size, media_type) else {
            return Ok(self.ask_manifest(target).await?.map(|manifest| manifest.descriptor()));
        };
        if let Target::Digest(wanted) = target {
            same_digest(&answer, wanted, &digest)?;
        }
        let descriptor = Descriptor::new(media_type, digest, size);
        self.known.manifest_is_there(descriptor.clone());
        Ok(Some(descriptor))
    }

    /// What the registry has now, verified.
    pub(super) async fn ask_manifest(&self, target: &Target) -> Result<Option<Manifest>, StoreError> {
        let answer = self.registry.send(&self.manifest_request(Method::GET, target)?).await?;
        let Some(manifest) = read(answer, target)? else { return Ok(None) };
        self.known.manifest_is_there(manifest.descriptor());
        self.registry.known.keep(&manifest);
        Ok(Some(manifest))
    }

    /// Stores the manifest, and lists it where it has a subject.
    pub(super) async fn push(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<(), StoreError> {
        // Of one that was only seen it is not known whether its subject lists it.
        let is_seen = manifest.subject().is_none() && self.known.manifest(manifest.digest()).is_some();
        let is_pushed = is_seen || self.known.was_pushed(manifest.digest());
        if is_pushed && tag.is_none_or(|tag| self.known.tag(tag).as_ref() == Some(manifest.digest())) {
            return Ok(());
        }
        let target = match tag {
            Some(tag) => Target::Tag(tag.clone()),
            None => Target::Digest(manifest.digest().clone()),
        };
        let may_list_itself = self.put_manifest(manifest, &target).await?;
        if let Some(subject) = manifest.subject().filter(|_| !is_pushed) {
            self.expect_listed(&subject.digest, manifest, may_list_itself).await?;
        }
        self.registry.known.keep(manifest);
        self.known.is_pushed(manifest.descriptor(), tag);
        Ok(())
    }

    /// The one request of a push. Where the registry does not find a blob, it is asked again: docker-registry writes the
    /// link to a blob anew whenever somebody pushes that blob, and does not see it for that moment. `true`: it may be that
    /// the registry lists what has a subject itself.
    pub(super) async fn put_manifest(&self, manifest: &Manifest, target: &Target) -> Result<bool, StoreError> {
        let request = self.put_request(manifest, target)?.single();
        let mut tries = self.registry.start();
        let mut round = 0;
        loop {
            match self.stored(manifest, &request).await {
                Ok(answer) => return Ok(answer.header("oci-subject").is_some()),
                Err(StoreError::Registry(error))
                    if round < BLIND_ROUNDS && is_blob_unknown(|code| error.has_code(code)) =>
                {
                    sleep(self.registry.pace.moment(round)).await;
                    round += 1;
                }
                // A tag that must not move need not move to where it is.
                Err(StoreError::Registry(error)) if is_immutable(&error) => {
                    return if self.has_manifest(manifest, target).await? { Ok(true) } else { Err(error.into()) };
                }
                Err(error) => {
                    let is_unheard = error.is_throttled();
                    tries.again(error).await?;
                    // Perhaps only the answer was lost. What would have stood in it has to be looked for.
                    if !is_unheard && self.has_manifest(manifest, target).await? {
                        return Ok(true);
                    }
                }
            }
        }
    }

    /// Whether `target` names this manifest now.
    async fn has_manifest(&self, manifest: &Manifest, target: &Target) -> Result<bool, StoreError> {
        let there = self.ask_descriptor(target).await?;
        Ok(there.is_some_and(|there| there.digest == *manifest.digest()))
    }

    /// As [`RegistryStore::put_manifest`], tried once.
    pub(super) async fn put_manifest_once(&self, manifest: &Manifest, target: &Target) -> Result<Answer, StoreError> {
        self.stored(manifest, &self.put_request(manifest, target)?.single()).await
    }

    async fn stored(&self, manifest: &Manifest, request: &Request<'_>) -> Result<Answer, StoreError> {
        let answer = self.registry.send(request).await?;
        if !matches!(answer.status, StatusCode::CREATED | StatusCode::OK) {
            if is_blob_unknown(|code| answer.has_code(code)) {
                // Somebody has removed what was known to be there: whoever tries again must send it.
                for blob in manifest.blobs() {
                    self.registry.known.blob_is_gone(&self.name, &blob.digest);
                }
            }
            return Err(answer.refused().into());
        }
        if let Some(digest) = digest(&answer)?.filter(|digest| digest.algorithm() == manifest.digest().algorithm()) {
            same_digest(&answer, manifest.digest(), &digest)?;
        }
        Ok(answer)
    }

    fn known_digest(&self, target: &Target) -> Option<Digest> {
        match target {
            Target::Tag(tag) => self.known.tag(tag),
            Target::Digest(digest) => Some(digest.clone()),
        }
    }

    fn put_request(&self, manifest: &Manifest, target: &Target) -> Result<Request<'static>, StoreError> {
        let url = self.registry.url(&self.name, &["manifests", &target.to_string()])?;
        Ok(Request::new(Method::PUT, url, Scope::push(&self.name))
            .header(CONTENT_TYPE, manifest.media_type())
            .body(Body::Bytes(manifest.bytes().clone())))
    }

    fn manifest_request(&self, method: Method, target: &Target) -> Result<Request<'static>, StoreError> {
        request(&self.registry, &self.name, method, target)
    }
}

/// The request for a manifest, or for what is said about it.
pub(super) fn request(
    registry: &Registry,
    name: &RepositoryName,
    method: Method,
    target: &Target,
) -> Result<Request<'static>, StoreError> {
    let url = registry.url(name, &["manifests", &target.to_string()])?;
    Ok(Request::new(method, url, Scope::pull(name))
        .header(ACCEPT, &media_type::MANIFESTS.join(", "))
        .limit(usize::try_from(Manifest::MAX_SIZE).unwrap_or(usize::MAX)))
}

/// The manifest that came, verified. Nothing: there is none.
pub(super) fn read(answer: Answer, target: &Target) -> Result<Option<Manifest>, StoreError> {
    match answer.status {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Ok(None),
        _ => return Err(answer.refused().into()),
    }
    let expected = match target {
        Target::Digest(digest) => digest.clone(),
        Target::Tag(_) => digest(&answer)?.unwrap_or_else(|| Digest::sha256(&answer.body)),
    };
    let actual = Digest::of(expected.algorithm(), &answer.body);
    if actual != expected {
        return Err(ContentError::Digest { expected, actual }.into());
    }
    let media_type = answer.header(CONTENT_TYPE.as_str()).map(media_type::essence).unwrap_or_default();
    let media_type = if media_type::is_manifest(&media_type) {
        media_type
    } else {
        // Some file servers know only JSON; then the manifest must say itself what it is.
        let inside = serde_json::from_slice::<MediaTypeOnly>(&answer.body).ok();
        inside.and_then(|inside| inside.media_type).unwrap_or(media_type)
    };
    Ok(Some(Manifest::parse_as(&media_type, actual, answer.body)?))
}

/// The digest that the registry says, if it says one.
pub(super) fn digest(answer: &Answer) -> Result<Option<Digest>, StoreError> {
    let Some(text) = answer.header(DIGEST).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match text.parse() {
        Ok(digest) => Ok(Some(digest)),
        Err(_) => Err(answer.problem(wrong_digest(text, "a digest".to_owned())).into()),
    }
}

fn same_digest(answer: &Answer, wanted: &Digest, said: &Digest) -> Result<(), StoreError> {
    if wanted == said {
        return Ok(());
    }
    Err(answer.problem(wrong_digest(&said.to_string(), format!("`{wanted}`"))).into())
}

fn wrong_digest(value: &str, expected: String) -> RegistryProblem {
    let value = format!("`{}`", value.chars().take(150).collect::<String>());
    RegistryProblem::Header { header: DIGEST, value, expected }
}

/// Whether the registry refuses to write over what is there: ECR, Harbor, Azure, and whoever answers as HTTP has it.
fn is_immutable(error: &RegistryError) -> bool {
    let codes = ["TAG_INVALID", "PRECONDITION", "TAG_ALREADY_EXISTS", "ImageTagAlreadyExistsException"];
    let statuses = [StatusCode::CONFLICT, StatusCode::PRECONDITION_FAILED, StatusCode::METHOD_NOT_ALLOWED];
    error.status().is_some_and(|status| statuses.contains(&status)) || codes.iter().any(|code| error.has_code(code))
}

fn is_blob_unknown(has_code: impl Fn(&str) -> bool) -> bool {
    has_code("MANIFEST_BLOB_UNKNOWN") || has_code("BLOB_UNKNOWN")
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            Credentials,
            testing::{Reply, Server, registries},
        },
        *,
    };
    use crate::{oci::Index, store::Store};

    fn manifest(text: &str) -> Manifest {
        let annotations = [("x".to_owned(), text.to_owned())].into();
        Manifest::from_index(Index { annotations, ..Index::new(Vec::new()) }).unwrap()
    }

    /// A registry that has `v1` in `a`, and leaves out these headers.
    async fn without(left_out: &'static [&'static str]) -> (Server, Manifest) {
        let server = Server::with(move |received, shelf| {
            let mut reply = shelf.answer(received);
            reply.headers.retain(|(name, _)| !left_out.contains(&name.as_str()));
            Some(reply)
        })
        .await;
        let manifest = manifest("one");
        server.store("a").push_manifest(&manifest, Some(&"v1".parse().unwrap())).await.unwrap();
        server.log();
        (server, manifest)
    }

    fn tag(text: &str) -> Target {
        Target::Tag(text.parse().unwrap())
    }

    #[tokio::test]
    async fn a_tag_is_resolved_by_head_and_by_get_where_that_says_too_little() {
        for (left_out, methods) in [
            (&[][..], &["HEAD /v2/a/manifests/v1"][..]),
            (&["docker-content-digest"], &["HEAD /v2/a/manifests/v1", "GET /v2/a/manifests/v1"]),
            (&["content-type"], &["HEAD /v2/a/manifests/v1", "GET /v2/a/manifests/v1"]),
            (&["content-type", "docker-content-digest"], &["HEAD /v2/a/manifests/v1", "GET /v2/a/manifests/v1"]),
        ] {
            let (server, manifest) = without(left_out).await;
            let resolved = server.store("a").resolve(&tag("v1")).await.unwrap();
            assert_eq!(
                (resolved, server.log()),
                (Some(manifest.descriptor()), methods.iter().map(|it| (*it).to_owned()).collect())
            );
        }
    }

    #[tokio::test]
    async fn absence_is_an_answer_and_refusal_is_an_error() {
        let server = Server::with(|received, _| {
            let status = if received.path.contains("/b/") { 403 } else { 404 };
            Some(Reply::status(status).header("www-authenticate", "Basic").body("404 page not found"))
        })
        .await;
        assert_eq!(server.store("a").resolve(&tag("v1")).await.unwrap(), None);
        assert!(server.store("a").manifest(&tag("v1")).await.unwrap().is_none());
        assert!(server.store("a").tags().await.unwrap().is_empty());
        let error = server.store("b").manifest(&tag("v1")).await.unwrap_err();
        let expected = format!("GET http://{}/v2/b/manifests/v1: 403 Forbidden: 404 page not found", server.name);
        assert_eq!(error.to_string(), expected);
    }

    #[tokio::test]
    async fn only_the_manifest_that_was_asked_for_is_taken() {
        let other = manifest("other");
        let bytes = other.bytes().clone();
        let said = Digest::sha256(b"said").to_string();
        let server = Server::with(move |_, _| {
            let reply = Reply::status(200).header("content-type", media_type::IMAGE_INDEX).body(bytes.clone());
            Some(reply.header("docker-content-digest", &said))
        })
        .await;
        let wanted = Target::Digest(Digest::sha256(b"wanted"));
        let store = server.store("a");
        for error in [store.manifest(&wanted).await.unwrap_err(), store.manifest(&tag("v1")).await.unwrap_err()] {
            assert!(matches!(error, StoreError::Content(ContentError::Digest { .. })), "{error}");
        }
        let error = store.resolve(&wanted).await.unwrap_err();
        assert!(error.to_string().contains("`Docker-Content-Digest` is `sha256:"), "{error}");
        let error = store.push_manifest(&manifest("mine"), None).await.unwrap_err();
        assert!(error.to_string().contains("`Docker-Content-Digest` is `sha256:"), "{error}");
    }

    #[tokio::test]
    async fn what_was_read_by_digest_is_not_asked_again_until_it_is_forgotten() {
        let (server, manifest) = without(&[]).await;
        let registries = registries(Credentials::none());
        let store = registries.repository(&server.name, &"a".parse().unwrap());
        let target = Target::Digest(manifest.digest().clone());
        for _ in 0..2 {
            assert!(store.manifest(&target).await.unwrap().is_some());
            assert!(store.resolve(&target).await.unwrap().is_some());
        }
        assert_eq!(server.log().len(), 1);
        // That another repository has it says nothing about this one.
        let other = registries.repository(&server.name, &"b".parse().unwrap());
        assert!(other.manifest(&target).await.unwrap().is_none());
        server.shelf(|shelf| shelf.manifests.clear());
        assert!(store.manifest(&target).await.unwrap().is_some());
        registries.forget();
        assert!(store.manifest(&target).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn parameters_of_a_media_type_do_not_count() {
        let manifest = manifest("one");
        let bytes = manifest.bytes().clone();
        let digest = manifest.digest().to_string();
        let server = Server::with(move |_, _| {
            let reply =
                Reply::status(200).header("content-type", "Application/vnd.oci.image.index.v1+json;charset=utf-8");
            Some(reply.header("docker-content-digest", &digest).body(bytes.clone()))
        })
        .await;
        assert_eq!(server.store("a").resolve(&tag("v1")).await.unwrap(), Some(manifest.descriptor()));
        assert_eq!(server.log(), ["HEAD /v2/a/manifests/v1"]);
        assert_eq!(server.store("a").manifest(&tag("v1")).await.unwrap().unwrap().descriptor(), manifest.descriptor());
    }

    #[tokio::test]
    async fn a_tag_that_must_not_move_may_be_pushed_to_where_it_is() {
        for (status, code) in [(400, "TAG_INVALID"), (412, "PRECONDITION"), (409, "CONFLICT")] {
            let server = Server::with(move |received, shelf| {
                let is_there = shelf.tags.contains_key(&("a".to_owned(), "v1".to_owned()));
                let body = format!(r#"{{"errors":[{{"code":"{code}","message":"the tag is immutable"}}]}}"#);
                (received.method == "PUT" && is_there).then(|| Reply::status(status).body(body))
            })
            .await;
            let (one, two) = (manifest("one"), manifest("two"));
            let push = async |manifest| server.store("a").push_manifest(manifest, Some(&"v1".parse().unwrap())).await;
            push(&one).await.unwrap();
            server.log();
            push(&one).await.unwrap();
            assert_eq!(server.log(), ["PUT /v2/a/manifests/v1", "HEAD /v2/a/manifests/v1"]);
            let error = push(&two).await.unwrap_err().to_string();
            assert!(error.contains(code) && error.starts_with("PUT "), "{error}");
        }
    }

    #[tokio::test]
    async fn a_manifest_whose_answer_was_lost_is_asked_for_before_it_is_sent_again() {
        for is_stored in [true, false] {
            let mut puts = 0;
            let server = Server::with(move |received, shelf| {
                puts += u32::from(received.method == "PUT");
                (received.method == "PUT" && puts == 1).then(|| {
                    let answer = is_stored.then(|| shelf.answer(received));
                    if answer.is_some() { Reply::cut() } else { Reply::status(500) }
                })
            })
            .await;
            server.store("a").push_manifest(&manifest("one"), Some(&"v1".parse().unwrap())).await.unwrap();
            let mut expected = vec!["PUT /v2/a/manifests/v1", "HEAD /v2/a/manifests/v1"];
            expected.extend((!is_stored).then_some("PUT /v2/a/manifests/v1"));
            assert_eq!(server.log(), expected);
        }
    }

    #[tokio::test]
    async fn a_manifest_may_have_four_mebibytes() {
        let padding = "x".repeat(4 * 1024 * 1024 - manifest("").bytes().len());
        let large = manifest(&padding);
        assert_eq!(large.bytes().len(), 4 * 1024 * 1024);
        let server = Server::start().await;
        server.store("a").push_manifest(&large, Some(&"v1".parse().unwrap())).await.unwrap();
        assert!(server.store("a").manifest(&tag("v1")).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn an_endless_manifest_is_not_read() {
        let server = Server::with(|_, _| {
            let body = vec![b' '; 5 * 1024 * 1024];
            Some(Reply::status(200).header("content-type", media_type::IMAGE_INDEX).body(body))
        })
        .await;
        let error = server.store("a").manifest(&tag("v1")).await.unwrap_err();
        assert!(error.to_string().ends_with("the answer has more than 4194304 bytes"), "{error}");
    }
}
