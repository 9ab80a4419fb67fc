use std::io;

use hyper::{StatusCode, header};

use super::{
    answer::{self, Answer},
    body,
};
use crate::{
    oci::{Digest, Manifest, ManifestError},
    store::{ContentError, StoreError},
};

/// Why a request is not done, in the words of the specification.
///
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes>
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("there is no blob `{digest}`")]
    BlobUnknown { digest: String },
    #[error("there is no such upload: it was finished, given up, or left alone for too long")]
    UploadUnknown,
    #[error("{message}")]
    UploadInvalid { message: &'static str },
    /// Where the upload stands is told with it.
    #[error("the upload goes on behind its first {size} bytes")]
    OutOfOrder { location: String, size: u64 },
    #[error("{message}")]
    DigestInvalid { message: String },
    #[error("`{digest}`, which the manifest needs, is not in the repository")]
    ManifestBlobUnknown { digest: Digest },
    #[error("{message}")]
    ManifestInvalid { message: String },
    #[error("there is no manifest `{target}`")]
    ManifestUnknown { target: String },
    #[error("`{name}` is not the name of a repository")]
    NameInvalid { name: String },
    #[error("there is no repository `{name}`")]
    NameUnknown { name: String },
    #[error("the content is not as long as was said")]
    SizeInvalid,
    #[error("at most {limit} bytes are taken")]
    TooLarge { limit: u64 },
    #[error("at most {limit} tags are taken at a time")]
    TooManyTags { limit: usize },
    #[error("the range is not within the {size} bytes of the blob")]
    Range { size: u64 },
    #[error("a user and a password are needed")]
    Unauthorized,
    #[error("what is there is not what the request expects")]
    Condition { current: Option<Digest> },
    #[error("there is nothing here")]
    NoRoute,
    #[error("{message}")]
    NotAllowed { message: &'static str, allow: &'static str },
    #[error("{message}")]
    BadRequest { message: &'static str },
    #[error("too many uploads are open")]
    TooMany,
    #[error("the request broke off")]
    BrokenOff,
    /// The client is not told more than that.
    #[error("the registry failed")]
    Internal(StoreError),
}

impl Failure {
    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::BlobUnknown { .. } => (StatusCode::NOT_FOUND, "BLOB_UNKNOWN"),
            Self::UploadUnknown => (StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
            Self::UploadInvalid { .. } | Self::BrokenOff => (StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID"),
            Self::OutOfOrder { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID"),
            Self::DigestInvalid { .. } => (StatusCode::BAD_REQUEST, "DIGEST_INVALID"),
            Self::ManifestBlobUnknown { .. } => (StatusCode::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN"),
            Self::ManifestInvalid { .. } => (StatusCode::BAD_REQUEST, "MANIFEST_INVALID"),
            Self::ManifestUnknown { .. } => (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
            Self::NameInvalid { .. } => (StatusCode::BAD_REQUEST, "NAME_INVALID"),
            Self::NameUnknown { .. } => (StatusCode::NOT_FOUND, "NAME_UNKNOWN"),
            Self::SizeInvalid => (StatusCode::BAD_REQUEST, "SIZE_INVALID"),
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID"),
            Self::TooManyTags { .. } => (StatusCode::URI_TOO_LONG, "MANIFEST_INVALID"),
            Self::Range { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "SIZE_INVALID"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
            Self::Condition { .. } => (StatusCode::PRECONDITION_FAILED, "DENIED"),
            Self::NoRoute => (StatusCode::NOT_FOUND, "UNSUPPORTED"),
            Self::NotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"),
            Self::BadRequest { .. } => (StatusCode::BAD_REQUEST, "UNSUPPORTED"),
            Self::TooMany => (StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS"),
            Self::Internal(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::StorageFull => {
                (StatusCode::INSUFFICIENT_STORAGE, "UNKNOWN")
            }
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN"),
        }
    }

    /// What the client gets.
    pub(super) fn answer(&self) -> Answer {
        let (status, code) = self.status_and_code();
        let error = serde_json::json!({ "errors": [{ "code": code, "message": self.to_string() }] });
        let mut answer = answer::json(&error);
        *answer.status_mut() = status;
        match self {
            Self::OutOfOrder { location, size } => {
                answer = answer::with(answer, header::LOCATION, location);
                answer::with(answer, header::RANGE, &answer::received(*size))
            }
            Self::Range { size } => answer::with(answer, header::CONTENT_RANGE, &format!("bytes */{size}")),
            Self::Unauthorized => answer::with(answer, header::WWW_AUTHENTICATE, r#"Basic realm="consign""#),
            Self::NotAllowed { allow, .. } if !allow.is_empty() => answer::with(answer, header::ALLOW, allow),
            Self::Condition { current: Some(current) } => answer::with(answer, header::ETAG, &answer::etag(current)),
            Self::TooMany => answer::with(answer, header::RETRY_AFTER, "1"),
            _ => answer,
        }
    }

    /// The same, for who has asked with `HEAD`.
    pub(super) fn answer_without_body(&self) -> Answer {
        let (head, _) = self.answer().into_parts();
        Answer::from_parts(head, body::empty())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing { digest, .. } => Self::ManifestBlobUnknown { digest },
            StoreError::Condition { current } => Self::Condition { current },
            StoreError::Closed => Self::UploadUnknown,
            StoreError::Content(ContentError::Digest { .. }) => Self::DigestInvalid { message: error.to_string() },
            error => Self::Internal(error),
        }
    }
}

impl From<ManifestError> for Failure {
    fn from(error: ManifestError) -> Self {
        match error {
            ManifestError::TooLarge { .. } => Self::TooLarge { limit: Manifest::MAX_SIZE },
            error => Self::ManifestInvalid { message: error.to_string() },
        }
    }
}
