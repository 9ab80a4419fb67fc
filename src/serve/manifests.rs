//! Manifests: pulled, pushed and deleted.

use hyper::{Method, StatusCode, body::Incoming, header};
use serde::Deserialize;

use super::{
    answer::{self, Answer},
    body, condition,
    failure::Failure,
    request::Head,
    service::Service,
};
use crate::oci::{Algorithm, Descriptor, Digest, DigestError, Manifest, RepositoryName, Tag, Target};

/// How many tags are pushed with one request.
const TAGS: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Typed {
    media_type: Option<String>,
}

impl Service {
    /// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests>
    pub(super) async fn pull_manifest(
        &self,
        head: &Head,
        name: &RepositoryName,
        text: &str,
    ) -> Result<Answer, Failure> {
        let unknown = || Failure::ManifestUnknown { target: text.to_owned() };
        // What can be the name of nothing names nothing.
        let target = target(text).map_err(|_| unknown())?;
        let store = self.repository(name).await?;
        if head.method == Method::HEAD {
            let found = store.resolve(&target).await?.ok_or_else(unknown)?;
            let answer = described(&found, condition::has_already(&head.headers, &found.digest));
            return Ok(answer::with(answer, header::CONTENT_LENGTH, &found.size.to_string()));
        }
        let manifest = store.manifest(&target).await?.ok_or_else(unknown)?;
        let has_already = condition::has_already(&head.headers, manifest.digest());
        let mut answer = described(&manifest.descriptor(), has_already);
        if !has_already {
            *answer.body_mut() = body::whole(manifest.bytes().clone());
        }
        Ok(answer)
    }

    /// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests>
    pub(super) async fn push_manifest(
        &self,
        head: &Head,
        name: &RepositoryName,
        text: &str,
        body: &mut Incoming,
    ) -> Result<Answer, Failure> {
        let target = target(text)?;
        let bytes = body::read(body, Manifest::MAX_SIZE).await?;
        let algorithm = match &target {
            Target::Digest(digest) => digest.algorithm(),
            Target::Tag(_) => Algorithm::Sha256,
        };
        let digest = Digest::of(algorithm, &bytes);
        let tags = match &target {
            Target::Digest(wanted) if *wanted != digest => {
                return Err(Failure::DigestInvalid { message: format!("the manifest is `{digest}`, not `{wanted}`") });
            }
            Target::Digest(_) => tags(head)?,
            Target::Tag(tag) => vec![tag.clone()],
        };
        let media_type = match head.header(header::CONTENT_TYPE) {
            Some(media_type) => media_type.to_owned(),
            None => serde_json::from_slice(&bytes).ok().and_then(|typed: Typed| typed.media_type).ok_or_else(|| {
                Failure::ManifestInvalid { message: "neither the request nor the manifest says what it is".to_owned() }
            })?,
        };
        let manifest = Manifest::parse_as(&media_type, digest, bytes)?;
        let store = self.host.open(name).await?;
        store.put_manifest(&manifest, &target, &tags, &condition::of(&head.headers)).await?;
        let digest = manifest.digest();
        let mut answer = answer::created(&format!("/v2/{name}/manifests/{digest}"), digest);
        answer = answer::with(answer, header::ETAG, &answer::etag(digest));
        if let Some(subject) = manifest.subject().filter(|_| self.options.referrers) {
            answer = answer::with(answer, answer::SUBJECT, &subject.digest.to_string());
        }
        if matches!(target, Target::Digest(_)) {
            for tag in &tags {
                answer = answer::with(answer, answer::TAG, tag.as_str());
            }
        }
        Ok(answer)
    }

    /// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#content-management>
    pub(super) async fn delete_manifest(
        &self,
        head: &Head,
        name: &RepositoryName,
        text: &str,
    ) -> Result<Answer, Failure> {
        let target = target(text)?;
        let store = self.repository(name).await?;
        if store.remove(&target, &condition::of(&head.headers)).await? {
            Ok(answer::empty(StatusCode::ACCEPTED))
        } else {
            Err(Failure::ManifestUnknown { target: text.to_owned() })
        }
    }
}

/// What the last part of a path names.
fn target(text: &str) -> Result<Target, Failure> {
    if !text.contains(':') {
        let tag = text.parse::<Tag>().map(Target::Tag);
        return tag.map_err(|error| Failure::ManifestInvalid { message: error.to_string() });
    }
    digest(text).map(Target::Digest)
}

/// A digest that a client names.
pub(super) fn digest(text: &str) -> Result<Digest, Failure> {
    text.parse().map_err(|error: DigestError| Failure::DigestInvalid { message: error.to_string() })
}

/// The tags that a manifest is to be pushed with.
fn tags(head: &Head) -> Result<Vec<Tag>, Failure> {
    let tags: Result<Vec<Tag>, _> = head.parameters("tag").take(TAGS + 1).map(str::parse).collect();
    let tags = tags.map_err(|error| Failure::ManifestInvalid { message: format!("{error}") })?;
    if tags.len() > TAGS {
        return Err(Failure::TooManyTags { limit: TAGS });
    }
    Ok(tags)
}

/// The answer about a manifest, without its bytes.
fn described(descriptor: &Descriptor, has_already: bool) -> Answer {
    let status = if has_already { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let mut answer = answer::with(answer::empty(status), header::ETAG, &answer::etag(&descriptor.digest));
    answer = answer::with(answer, answer::CONTENT_DIGEST, &descriptor.digest.to_string());
    answer::with(answer, header::CONTENT_TYPE, &descriptor.media_type)
}
