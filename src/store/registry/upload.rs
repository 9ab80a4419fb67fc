//! Writing blobs over HTTP: mounted where another repository has them, otherwise sent in one piece.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-blobs>

use reqwest::{
    Method, StatusCode,
    header::{CONTENT_TYPE, LOCATION},
};
use url::Url;

use super::{Answer, RegistryStore, Request, Scope, origin::LeadError, request::Body};
use crate::{
    oci::{Descriptor, Repository, RepositoryName},
    store::{Delivery, Source, StoreError},
};

/// Up to this size a blob is sent without asking whether it is there: asking takes as long.
const TINY: u64 = 4 * 1024;
/// From this size on it is worth asking even when an upload session is open already.
const LARGE: u64 = 1024 * 1024;

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
            let answer = self.mount(blob, &holder).await?;
            match answer.status {
                StatusCode::CREATED => return Ok(Delivery::Mounted),
                StatusCode::ACCEPTED => session = Some(self.session(&answer)?),
                // Whoever may not read the source may still write here.
                _ => {}
            }
        }
        let is_worth_asking = if session.is_some() { blob.size > LARGE } else { blob.size > TINY };
        if is_worth_asking && self.ask_blob(blob).await? {
            return Ok(Delivery::Existing);
        }
        let mut backoff = self.registry.pace.start();
        loop {
            let place = match session.take() {
                Some(session) => session,
                None => self.start().await?,
            };
            let failure = match self.finish(place, blob, source).await {
                Ok(answer) if matches!(answer.status, StatusCode::CREATED | StatusCode::NO_CONTENT) => {
                    return Ok(Delivery::Copied);
                }
                // A session that is gone may be the one that an earlier try has ended well.
                Ok(answer) if answer.status == StatusCode::NOT_FOUND => (answer.refused().into(), true, None),
                Ok(answer) => {
                    let refused = answer.refused();
                    let is_temporary = refused.is_temporary();
                    (refused.into(), is_temporary, answer.retry_after())
                }
                Err(error) => {
                    let is_temporary = error.is_temporary();
                    (error, is_temporary, None)
                }
            };
            let (error, is_temporary, asked): (StoreError, _, _) = failure;
            let Some(wait) = backoff.next(asked).filter(|_| is_temporary) else {
                return Err(error);
            };
            tokio::time::sleep(wait).await;
            // Perhaps only the answer was lost.
            if self.ask_blob(blob).await? {
                return Ok(Delivery::Copied);
            }
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
        self.registry.send(&Request::new(Method::POST, url, Scope::mount(&self.name, holder))).await
    }

    /// Opens an upload session and says where it goes on.
    async fn start(&self) -> Result<Url, StoreError> {
        let url = self.registry.url(&self.name, &["blobs", "uploads", ""])?;
        let answer = self.registry.send(&Request::new(Method::POST, url, Scope::push(&self.name))).await?;
        if answer.status != StatusCode::ACCEPTED {
            return Err(answer.refused().into());
        }
        self.session(&answer)
    }

    fn session(&self, answer: &Answer) -> Result<Url, StoreError> {
        let place = answer.header(LOCATION.as_str()).ok_or_else(|| answer.problem(LeadError::Missing))?;
        self.registry.follow(answer, place)
    }

    /// Sends the content. Not tried again with the same session: how much of it arrived is not known.
    async fn finish(&self, mut place: Url, blob: &Descriptor, source: &Source) -> Result<Answer, StoreError> {
        place.query_pairs_mut().append_pair("digest", &blob.digest.to_string());
        let request = Request::new(Method::PUT, place, Scope::push(&self.name))
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(Body::Content { blob, source })
            .single();
        self.registry.send(&request).await
    }
}
