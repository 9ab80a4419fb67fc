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
const COUNT: &str = "1000";
const MAX_PAGES: usize = 1000;

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
        let mut url = self.registry.url(&self.name, &["tags", "list"])?;
        url.query_pairs_mut().append_pair("n", COUNT);
        let mut tags = BTreeSet::new();
        for _ in 0..pages {
            let request = Request::new(Method::GET, url, Scope::pull(&self.name)).limit(PAGE);
            let answer = self.registry.send(&request).await?;
            match answer.status {
                StatusCode::OK => {}
                StatusCode::NOT_FOUND => return Ok((tags, true)),
                _ => return Err(answer.refused().into()),
            }
            let page: Page = serde_json::from_slice(&answer.body).map_err(|error| {
                answer.problem(RegistryProblem::Body { expected: "a list of tags", message: error.to_string() })
            })?;
            // What is no tag cannot be asked for either.
            tags.extend(page.tags.unwrap_or_default().iter().filter_map(|tag| tag.parse::<Tag>().ok()));
            match self.next_page(&answer)? {
                Some(next) => url = next,
                None => return Ok((tags, true)),
            }
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
