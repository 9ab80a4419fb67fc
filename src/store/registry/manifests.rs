//! Manifests over HTTP.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests>,
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests>

use reqwest::{
    Method, StatusCode,
    header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE},
};
use serde::Deserialize;

use super::{Answer, RegistryProblem, RegistryStore, Request, Scope, request::Body};
use crate::{
    oci::{Descriptor, Digest, Manifest, Tag, Target, media_type},
    store::{ContentError, StoreError},
};

/// Optional for a long time, so it may be missing.
const DIGEST: &str = "docker-content-digest";

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
            None => self.ask_manifest(target).await,
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
        let manifest = Manifest::parse_as(&media_type, actual, answer.body)?;
        self.known.manifest_is_there(manifest.descriptor());
        self.registry.known.keep(&manifest);
        Ok(Some(manifest))
    }

    /// Stores the manifest, and lists it where it has a subject.
    pub(super) async fn push(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<(), StoreError> {
        let is_pushed = self.known.was_pushed(manifest.digest());
        if is_pushed && tag.is_none_or(|tag| self.known.tag(tag).as_ref() == Some(manifest.digest())) {
            return Ok(());
        }
        let target = match tag {
            Some(tag) => Target::Tag(tag.clone()),
            None => Target::Digest(manifest.digest().clone()),
        };
        let answer = self.put_manifest(manifest, &target).await?;
        if let Some(subject) = manifest.subject().filter(|_| !is_pushed) {
            self.list_referrer(&subject.digest, manifest, &answer).await?;
        }
        self.registry.known.keep(manifest);
        self.known.is_pushed(manifest.descriptor(), tag);
        Ok(())
    }

    /// The one request of a push.
    pub(super) async fn put_manifest(&self, manifest: &Manifest, target: &Target) -> Result<Answer, StoreError> {
        let url = self.registry.url(&self.name, &["manifests", &target.to_string()])?;
        let request = Request::new(Method::PUT, url, Scope::push(&self.name))
            .header(CONTENT_TYPE, manifest.media_type())
            .body(Body::Bytes(manifest.bytes().clone()));
        let answer = self.registry.send(&request).await?;
        if !matches!(answer.status, StatusCode::CREATED | StatusCode::OK) {
            if answer.has_code("MANIFEST_BLOB_UNKNOWN") || answer.has_code("BLOB_UNKNOWN") {
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

    fn manifest_request(&self, method: Method, target: &Target) -> Result<Request<'static>, StoreError> {
        let url = self.registry.url(&self.name, &["manifests", &target.to_string()])?;
        Ok(Request::new(method, url, Scope::pull(&self.name))
            .header(ACCEPT, &media_type::MANIFESTS.join(", "))
            .limit(usize::try_from(Manifest::MAX_SIZE).unwrap_or(usize::MAX)))
    }
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
    RegistryProblem::Header { header: "Docker-Content-Digest", value, expected }
}
