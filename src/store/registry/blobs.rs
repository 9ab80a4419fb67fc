//! Reading blobs over HTTP.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-blobs>

use reqwest::{Method, StatusCode};

use super::{RegistryStore, Request, Scope, download::Download};
use crate::{
    oci::Descriptor,
    store::{ByteStream, StoreError},
};

impl RegistryStore {
    /// Whether the blob is there; asked once in a run as long as the answer is yes.
    pub(super) async fn find_blob(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        if self.registry.known.has_blob(&self.name, &blob.digest) {
            return Ok(true);
        }
        self.ask_blob(blob).await
    }

    pub(super) async fn ask_blob(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        let answer = self.registry.send(&self.blob_request(blob)?).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(false),
            status if status.is_success() => {
                self.registry.known.blob_is_there(&self.name, &blob.digest);
                Ok(true)
            }
            _ => Err(answer.refused().into()),
        }
    }

    /// The content, verified on its way.
    pub(super) async fn open_blob(&self, blob: &Descriptor) -> Result<ByteStream, StoreError> {
        if let Some(content) = Download::open(&self.registry, &self.name, blob).await? {
            self.registry.known.blob_is_there(&self.name, &blob.digest);
            return Ok(content);
        }
        self.registry.known.blob_is_gone(&self.name, &blob.digest);
        Err(StoreError::Missing { digest: blob.digest.clone(), repository: self.repository.to_string() })
    }

    fn blob_request(&self, blob: &Descriptor) -> Result<Request<'static>, StoreError> {
        let url = self.registry.url(&self.name, &["blobs", &blob.digest.to_string()])?;
        Ok(Request::new(Method::HEAD, url, Scope::pull(&self.name)))
    }
}
