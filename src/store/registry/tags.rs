//! Listing tags over HTTP.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags>

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode, header::LINK};
use serde::Deserialize;
use url::Url;

use super::{Answer, RegistryError, RegistryProblem, RegistryStore, Request, Scope, link};
use crate::{oci::Tag, store::StoreError};

#[derive(Deserialize)]
struct Page {
    tags: Option<Vec<String>>,
}

/// Registries without paging send everything at once: this is a million tags of 30 letters.
const PAGE: usize = 32 * 1024 * 1024;
/// How many tags are asked for at once. More is an error at some registries.
const COUNT: usize = 1000;
const MAX_PAGES: usize = 1000;
/// What all pages have together at most.
const WHOLE: usize = 128 * 1024 * 1024;

impl RegistryStore {
    /// Every tag.
    pub(super) async fn all_tags(&self) -> Result<Vec<Tag>, StoreError> {
        let (tags, is_whole) = self.read_tags(MAX_PAGES).await?;
        if is_whole {
            return Ok(tags.into_iter().collect());
        }
        let url = self.registry.url(&self.name, &["tags", "list"])?;
        Err(RegistryError::new(&Method::GET, &url, RegistryProblem::Endless { pages: MAX_PAGES }).into())
    }

    /// The tags on at most `pages` pages, and whether these were all.
    pub(super) async fn read_tags(&self, pages: usize) -> Result<(BTreeSet<Tag>, bool), StoreError> {
        let shared = self.known.reading_tags.share(&(), || self.ask_tags(pages)).await?;
        // Whoever asked first may have been content with fewer pages.
        if shared.1 || pages < MAX_PAGES { Ok(shared) } else { self.ask_tags(pages).await }
    }

    /// The same, asked now: never the answer to a question that somebody else asked before.
    pub(super) async fn ask_tags(&self, pages: usize) -> Result<(BTreeSet<Tag>, bool), StoreError> {
        let first = self.registry.url(&self.name, &["tags", "list"])?;
        let mut url = first.clone();
        url.query_pairs_mut().append_pair("n", &COUNT.to_string());
        let mut tags = BTreeSet::new();
        let mut length = 0;
        for _ in 0..pages {
            let request = Request::new(Method::GET, url, Scope::pull(&self.name)).limit(PAGE);
            let answer = self.registry.send(&request).await?;
            match answer.status {
                StatusCode::OK => {}
                StatusCode::NOT_FOUND => return Ok((tags, true)),
                _ => return Err(answer.refused().into()),
            }
            length += answer.body.len();
            if length > WHOLE {
                return Err(answer.problem(RegistryProblem::TooLong { limit: WHOLE }).into());
            }
            let page: Page = serde_json::from_slice(&answer.body).map_err(|error| {
                answer.problem(RegistryProblem::Body { expected: "a list of tags", message: error.to_string() })
            })?;
            let page = page.tags.unwrap_or_default();
            let before = tags.len();
            // What is no tag cannot be asked for either.
            tags.extend(page.iter().filter_map(|tag| tag.parse::<Tag>().ok()));
            url = match (self.next_page(&answer)?, page.last()) {
                (Some(next), _) => next,
                // Some registries cut the list and do not say so. Those that know no pages give the same list again.
                (None, Some(last)) if page.len() >= COUNT && tags.len() > before => {
                    let mut next = first.clone();
                    next.query_pairs_mut().append_pair("n", &COUNT.to_string()).append_pair("last", last);
                    next
                }
                (None, _) => return Ok((tags, true)),
            };
        }
        Ok((tags, false))
    }

    /// Where the list goes on, if it does: never at another registry.
    pub(super) fn next_page(&self, answer: &Answer) -> Result<Option<Url>, StoreError> {
        let mut links = answer.headers.get_all(LINK).iter().filter_map(|link| link.to_str().ok());
        let next = links.find_map(link::next);
        next.map(|next| self.registry.follow_within(answer, next)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Reply, Server};
    use crate::store::Store;

    #[tokio::test]
    async fn pages_are_followed_within_the_registry_only() {
        let server = Server::with(|received, _| {
            let (body, next) = match received.query.as_str() {
                "n=1000" => (r#"{"tags":["b","not a tag","a"]}"#, "</v2/a/tags/list?last=b>;rel=next"),
                "last=b" => (r#"{"tags":null}"#, r#"<?last=c>; rel="next""#),
                "last=c" => (r#"{"tags":["c"]}"#, ""),
                _ => return None,
            };
            let far = received.path.contains("/far/").then_some("<http://127.0.0.2:1/v2/>; rel=next");
            Some(Reply::status(200).header("link", far.unwrap_or(next)).body(body))
        })
        .await;
        let tags: Vec<_> = server.store("a").tags().await.unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(tags, ["a", "b", "c"]);
        server.log();
        let error = server.store("far").tags().await.unwrap_err();
        assert!(error.to_string().ends_with("`http://127.0.0.2:1/v2/`, which is not the same registry"), "{error}");
        assert_eq!(server.log().len(), 1);
    }

    #[tokio::test]
    async fn a_page_that_is_full_may_be_cut_without_a_word() {
        let page = |tags: std::ops::Range<u32>| {
            let tags: Vec<_> = tags.map(|tag| format!("t{tag:04}")).collect();
            Reply::status(200).body(serde_json::json!({ "tags": tags }).to_string())
        };
        let server = Server::with(move |received, _| {
            Some(match (received.path.contains("/cut/"), received.query.as_str()) {
                (true, "n=1000") => page(0..1000),
                (true, "n=1000&last=t0999") => page(1000..2000),
                (true, "n=1000&last=t1999") => page(2000..2000),
                (true, _) => Reply::status(400),
                (false, _) => page(0..1500),
            })
        })
        .await;
        for (repository, tags, requests) in [("cut", 2000, 3), ("whole", 1500, 2)] {
            assert_eq!(server.store(repository).tags().await.unwrap().len(), tags);
            assert_eq!(server.log().len(), requests, "{repository}");
        }
    }

    #[tokio::test]
    async fn a_list_without_end_is_an_error() {
        let server =
            Server::with(|_, _| Some(Reply::status(200).header("link", "<?again>; rel=next").body(r#"{"tags":[]}"#)))
                .await;
        let error = server.store("a").tags().await.unwrap_err();
        assert!(error.to_string().ends_with("the list does not end after 1000 pages"), "{error}");
    }
}
