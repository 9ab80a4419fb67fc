//! Deleting over HTTP.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#content-management>

use reqwest::{Method, StatusCode};

use super::{Answer, RegistryProblem, RegistryStore, Request, Scope};
use crate::{
    oci::{Digest, Tag},
    store::StoreError,
};

impl RegistryStore {
    /// Removes a manifest and its tags. `false`: it was not there.
    pub(super) async fn remove_manifest(&self, digest: &Digest) -> Result<bool, StoreError> {
        let answer = self.delete(&digest.to_string()).await?;
        if is_refused(&answer) {
            return Err(answer.problem(RegistryProblem::DeletesOff { messages: answer.messages() }).into());
        }
        let was_there = was_there(&answer)?;
        self.known.manifest_is_gone(digest);
        Ok(was_there)
    }

    /// Removes a tag alone. `false`: it was not there.
    pub(super) async fn remove_tag(&self, tag: &Tag) -> Result<bool, StoreError> {
        let answer = self.delete(tag.as_str()).await?;
        if is_tag_refused(&answer) {
            self.registry.known.refuses_tag_deletes();
            return Err(answer.problem(RegistryProblem::TagDeletesOff { messages: answer.messages() }).into());
        }
        let was_there = was_there(&answer)?;
        self.known.tag_is_gone(tag);
        Ok(was_there)
    }

    /// Removes a list of referrers, by its tag or, where tags cannot be deleted, by its digest: nothing else has that.
    /// `false`: the registry deletes nothing.
    pub(super) async fn remove_list(&self, tag: &Tag, digest: &Digest) -> Result<bool, StoreError> {
        if self.registry.known.deletes_tags() {
            let answer = self.delete(tag.as_str()).await?;
            if !is_tag_refused(&answer) {
                was_there(&answer)?;
                return Ok(true);
            }
            self.registry.known.refuses_tag_deletes();
        }
        let answer = self.delete(&digest.to_string()).await?;
        if is_refused(&answer) {
            return Ok(false);
        }
        was_there(&answer)?;
        self.known.manifest_is_gone(digest);
        Ok(true)
    }

    async fn delete(&self, target: &str) -> Result<Answer, StoreError> {
        let url = self.registry.url(&self.name, &["manifests", target])?;
        self.registry.send(&Request::new(Method::DELETE, url, Scope::delete(&self.name))).await
    }
}

fn was_there(answer: &Answer) -> Result<bool, StoreError> {
    match answer.status {
        StatusCode::ACCEPTED | StatusCode::OK | StatusCode::NO_CONTENT => Ok(true),
        // Where the answer to an earlier try was lost, that try has done it.
        StatusCode::NOT_FOUND => Ok(answer.is_again),
        _ => Err(answer.refused().into()),
    }
}

fn is_refused(answer: &Answer) -> bool {
    answer.status == StatusCode::METHOD_NOT_ALLOWED
        || (answer.status.is_client_error() && answer.has_code("UNSUPPORTED"))
}

/// Registries that know no such thing take the tag for a digest, and say that it is not one.
fn is_tag_refused(answer: &Answer) -> bool {
    is_refused(answer) || answer.status == StatusCode::BAD_REQUEST
}
