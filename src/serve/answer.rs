//! Answers, and the headers that many of them have.

use hyper::{
    Response, StatusCode,
    header::{self, HeaderName, HeaderValue},
};
use serde::Serialize;

use super::body::{self, Body};
use crate::oci::{Digest, RepositoryName};

/// What a request gets.
pub(super) type Answer = Response<Body>;

/// The digest of what an answer is about.
pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
/// That the subject of a manifest was seen.
pub(super) const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
/// The tags that were pushed along.
pub(super) const TAG: HeaderName = HeaderName::from_static("oci-tag");
/// The filters that a list was made with.
pub(super) const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");
/// Which upload an answer is about, for clients that read it there.
pub(super) const UPLOAD: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Answer {
    let mut answer = Answer::new(body::empty());
    *answer.status_mut() = status;
    answer
}

/// `200 OK`, with JSON.
pub(super) fn json(value: &impl Serialize) -> Answer {
    // A value of this program's own has no keys that JSON cannot have.
    let text = serde_json::to_vec(value).unwrap_or_default();
    with(Answer::new(body::whole(text)), header::CONTENT_TYPE, "application/json")
}

/// The same answer with one more header.
pub(super) fn with(mut answer: Answer, name: HeaderName, value: &str) -> Answer {
    // What cannot stand in a header is left out rather than believed.
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().append(name, value);
    }
    answer
}

/// `201 Created`, with where it is.
pub(super) fn created(location: &str, digest: &Digest) -> Answer {
    let answer = with(empty(StatusCode::CREATED), header::LOCATION, location);
    with(answer, CONTENT_DIGEST, &digest.to_string())
}

/// The entity tag of content.
pub(super) fn etag(digest: &Digest) -> String {
    format!("\"{digest}\"")
}

/// Where a blob can be pulled.
pub(super) fn blob_location(name: &RepositoryName, digest: &Digest) -> String {
    format!("/v2/{name}/blobs/{digest}")
}

/// The bytes that have arrived, as uploads tell them. No bytes at all are told like the first.
pub(super) fn received(size: u64) -> String {
    format!("0-{}", size.saturating_sub(1))
}
