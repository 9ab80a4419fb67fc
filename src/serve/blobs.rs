//! Blobs: pulled, whole and in parts, and deleted.

use hyper::{Method, StatusCode, header};

use super::{
    answer::{self, Answer},
    body, condition,
    failure::Failure,
    manifests::digest,
    range::{self, Wanted},
    request::Head,
    service::Service,
};
use crate::oci::{RepositoryName, Target};

impl Service {
    /// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-blobs>
    pub(super) async fn pull_blob(&self, head: &Head, name: &RepositoryName, text: &str) -> Result<Answer, Failure> {
        let digest = digest(text)?;
        let unknown = || Failure::BlobUnknown { digest: digest.to_string() };
        let store = self.repository(name).await?;
        let size = store.blob_size(&digest).await?.ok_or_else(unknown)?;
        let described = |status| {
            let answer = answer::with(answer::empty(status), header::ETAG, &answer::etag(&digest));
            let answer = answer::with(answer, answer::CONTENT_DIGEST, &digest.to_string());
            answer::with(answer, header::ACCEPT_RANGES, "bytes")
        };
        if condition::has_already(&head.headers, &digest) {
            return Ok(described(StatusCode::NOT_MODIFIED));
        }
        // A part of what is no longer there would not fit what the client has.
        let is_same = head.header(header::IF_RANGE).is_none_or(|tag| tag.trim() == answer::etag(&digest));
        let asked = head.header(header::RANGE).filter(|_| is_same && head.method == Method::GET);
        let (status, part) = match range::wanted(asked, size) {
            Wanted::Whole => (StatusCode::OK, 0..size),
            Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
            Wanted::Nothing => return Err(Failure::Range { size }),
        };
        let mut answer = described(status);
        answer = answer::with(answer, header::CONTENT_TYPE, "application/octet-stream");
        answer = answer::with(answer, header::CONTENT_LENGTH, &(part.end - part.start).to_string());
        if status == StatusCode::PARTIAL_CONTENT {
            let value = format!("bytes {}-{}/{size}", part.start, part.end - 1);
            answer = answer::with(answer, header::CONTENT_RANGE, &value);
        }
        if head.method == Method::GET {
            *answer.body_mut() = body::stream(store.blob_range(&digest, part).await?.ok_or_else(unknown)?);
        }
        Ok(answer)
    }

    /// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#deleting-blobs>
    pub(super) async fn delete_blob(&self, name: &RepositoryName, text: &str) -> Result<Answer, Failure> {
        let digest = digest(text)?;
        let store = self.repository(name).await?;
        if store.resolve(&Target::Digest(digest.clone())).await?.is_some() {
            let message = "this is a manifest: it is deleted under `/manifests/`";
            return Err(Failure::NotAllowed { message, allow: "GET, HEAD" });
        }
        if store.remove_blob(&digest).await? {
            Ok(answer::empty(StatusCode::ACCEPTED))
        } else {
            Err(Failure::BlobUnknown { digest: digest.to_string() })
        }
    }
}
