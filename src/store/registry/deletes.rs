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
        if answer.status.is_client_error()
            && answer.messages().iter().any(|said| said.message.contains("referenced by"))
        {
            return Err(answer.problem(RegistryProblem::StillListed { messages: answer.messages() }).into());
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

    /// Removes a list of referrers as it was seen, by its digest: nothing else has that, and a list that somebody has
    /// written meanwhile stays. Where the registry deletes no manifests, by its tag. `false`: it deletes nothing.
    pub(super) async fn remove_list(&self, tag: &Tag, digest: &Digest) -> Result<bool, StoreError> {
        let answer = self.delete(&digest.to_string()).await?;
        if !is_refused(&answer) {
            was_there(&answer)?;
            self.known.manifest_is_gone(digest);
            return Ok(true);
        }
        if !self.registry.known.deletes_tags() {
            return Ok(false);
        }
        let answer = self.delete(tag.as_str()).await?;
        if is_tag_refused(&answer) {
            self.registry.known.refuses_tag_deletes();
            return Ok(false);
        }
        was_there(&answer)?;
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

#[cfg(test)]
mod tests {
    use super::super::testing::{Reply, Server};
    use crate::{
        oci::{Index, Manifest, Target},
        store::Store,
    };

    #[tokio::test]
    async fn a_manifest_goes_with_what_is_known_of_it() {
        let server = Server::start().await;
        let store = server.store("a");
        let manifest = Manifest::from_index(Index::new(Vec::new())).unwrap();
        let tag = "v1".parse().unwrap();
        store.push_manifest(&manifest, Some(&tag)).await.unwrap();
        assert!(store.delete_manifest(manifest.digest()).await.unwrap());
        assert!(store.resolve(&Target::Tag(tag.clone())).await.unwrap().is_none());
        assert!(store.resolve(&Target::Digest(manifest.digest().clone())).await.unwrap().is_none());
        assert!(!store.delete_manifest(manifest.digest()).await.unwrap());
        server.log();
        // And it can be pushed again.
        store.push_manifest(&manifest, Some(&tag)).await.unwrap();
        assert_eq!(server.log(), ["PUT /v2/a/manifests/v1"]);
    }

    #[tokio::test]
    async fn what_a_registry_does_not_delete_is_said_plainly() {
        let server = Server::with(|received, _| {
            let body = r#"{"errors":[{"code":"UNSUPPORTED","message":"The operation is unsupported."}]}"#;
            received.path.contains("/off/").then(|| Reply::status(405).body(body))
        })
        .await;
        let manifest = Manifest::from_index(Index::new(Vec::new())).unwrap();
        let tag = "v1".parse().unwrap();
        let error = server.store("off").delete_manifest(manifest.digest()).await.unwrap_err();
        assert!(error.to_string().contains("deletes are switched off on this registry: UNSUPPORTED"), "{error}");
        let store = server.store("a");
        store.push_manifest(&manifest, Some(&tag)).await.unwrap();
        let error = store.untag(&tag).await.unwrap_err();
        assert!(error.to_string().contains("this registry cannot delete a tag alone: DIGEST_INVALID"), "{error}");
    }

    #[tokio::test]
    async fn what_an_index_still_lists_is_said_to_be_listed() {
        // As ECR says it.
        let server = Server::with(|_, _| {
            let message = "Requested image referenced by manifest list: [sha256:01]";
            let body = serde_json::json!({ "errors": [{ "code": "DENIED", "message": message }] });
            Some(Reply::status(403).body(body.to_string()))
        })
        .await;
        let manifest = Manifest::from_index(Index::new(Vec::new())).unwrap();
        let error = server.store("a").delete_manifest(manifest.digest()).await.unwrap_err();
        let said =
            "an index still lists this manifest: DENIED (Requested image referenced by manifest list: [sha256:01])";
        assert!(error.to_string().ends_with(said), "{error}");
    }

    #[tokio::test]
    async fn an_unsupported_delete_may_be_a_bad_request_too() {
        let body = r#"{"errors":[{"code":"UNSUPPORTED","message":"no"}]}"#;
        let server = Server::with(move |_, _| Some(Reply::status(400).body(body))).await;
        let manifest = Manifest::from_index(Index::new(Vec::new())).unwrap();
        let error = server.store("a").delete_manifest(manifest.digest()).await.unwrap_err();
        assert!(error.to_string().ends_with("deletes are switched off on this registry: UNSUPPORTED (no)"), "{error}");
    }

    #[tokio::test]
    async fn a_delete_whose_answer_was_lost_counts() {
        let mut is_lost = false;
        let server = Server::with(move |received, shelf| {
            let loses = received.method == "DELETE" && !std::mem::replace(&mut is_lost, received.method == "DELETE");
            loses.then(|| {
                shelf.answer(received);
                Reply::cut()
            })
        })
        .await;
        let store = server.store("a");
        let manifest = Manifest::from_index(Index::new(Vec::new())).unwrap();
        store.push_manifest(&manifest, None).await.unwrap();
        assert!(store.delete_manifest(manifest.digest()).await.unwrap());
    }
}
