//! Tags, repositories and referrers.

use hyper::{StatusCode, header};
use serde::Serialize;

use super::{
    answer::{self, Answer},
    body,
    failure::Failure,
    page,
    request::Head,
    service::Service,
};
use crate::oci::{Descriptor, Digest, Index, Manifest, RepositoryName, media_type};

#[derive(Serialize)]
struct TagList<'a> {
    name: &'a str,
    tags: Vec<String>,
}

#[derive(Serialize)]
struct Catalog {
    repositories: Vec<String>,
}

impl Service {
    /// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags>
    pub(super) async fn tags(&self, head: &Head, name: &RepositoryName) -> Result<Answer, Failure> {
        let store = self.repository(name).await?;
        let page = page::page(head, store.tags().await?)?;
        let tags: Vec<_> = page.entries.iter().map(ToString::to_string).collect();
        let last = tags.last().cloned();
        let answer = answer::json(&TagList { name: name.as_str(), tags });
        Ok(linked(answer, head, &format!("/v2/{name}/tags/list"), last.filter(|_| page.is_cut)))
    }

    /// The list of repositories, which the specification leaves to registries.
    pub(super) async fn catalog(&self, head: &Head) -> Result<Answer, Failure> {
        let page = page::page(head, self.host.names().await?)?;
        let repositories: Vec<_> = page.entries.iter().map(ToString::to_string).collect();
        let last = repositories.last().cloned();
        let answer = answer::json(&Catalog { repositories });
        Ok(linked(answer, head, "/v2/_catalog", last.filter(|_| page.is_cut)))
    }

    /// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers>
    pub(super) async fn referrers(&self, head: &Head, name: &RepositoryName, subject: &str) -> Result<Answer, Failure> {
        if !self.options.referrers {
            return Err(Failure::NoRoute);
        }
        let subject: Digest =
            subject.parse().map_err(|error| Failure::DigestInvalid { message: format!("{error}") })?;
        let mut referrers = match self.host.find(name).await? {
            Some(store) => store.referrers(&subject).await?,
            // Who has the API never says that it is not there.
            None => Vec::new(),
        };
        let wanted = head.parameter("artifactType").filter(|wanted| !wanted.is_empty());
        if let Some(wanted) = wanted {
            referrers.retain(|referrer| referrer.artifact_type.as_deref() == Some(wanted));
        }
        if let Some(last) = head.parameter("last").and_then(|last| last.parse::<Digest>().ok()) {
            referrers.retain(|referrer| referrer.digest > last);
        }
        let next = cut(&mut referrers);
        let index = serde_json::to_vec(&Index::new(referrers)).unwrap_or_default();
        let mut answer = answer::with(Answer::new(body::whole(index)), header::CONTENT_TYPE, media_type::IMAGE_INDEX);
        if wanted.is_some() {
            answer = answer::with(answer, answer::FILTERS_APPLIED, "artifactType");
        }
        if let Some(last) = next {
            let mut parameters = vec![("last", last.as_str())];
            parameters.extend(wanted.map(|wanted| ("artifactType", wanted)));
            let link = page::link(&format!("/v2/{name}/referrers/{subject}"), &parameters);
            answer = answer::with(answer, header::LINK, &link);
        }
        Ok(answer)
    }

    /// What is counted, for Prometheus.
    pub(super) fn metrics(&self) -> Answer {
        let text = self.counters.text(self.sessions.count());
        let answer = Answer::new(body::whole(text));
        answer::with(answer, header::CONTENT_TYPE, "text/plain; version=0.0.4")
    }

    /// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#determining-support>
    pub(super) fn base() -> Answer {
        let mut answer = answer::json(&serde_json::json!({}));
        *answer.status_mut() = StatusCode::OK;
        answer
    }
}

/// Cuts a list where it would be more than clients read at once: not before, since some do not ask for what follows.
/// Then what it ends with is told.
fn cut(referrers: &mut Vec<Descriptor>) -> Option<String> {
    // The frame of the index, with room to spare.
    let mut room = Manifest::MAX_SIZE - 1024;
    let fit = referrers
        .iter()
        .take_while(|referrer| {
            let size = serde_json::to_vec(referrer).map_or(0, |text| text.len() as u64 + 1);
            let fits = size <= room;
            room = room.saturating_sub(size);
            fits
        })
        .count();
    // One that is larger than all the room is handed out alone: there is no other way on.
    let fit = fit.max(1);
    if fit >= referrers.len() {
        return None;
    }
    referrers.truncate(fit);
    referrers.last().map(|last| last.digest.to_string())
}

fn linked(answer: Answer, head: &Head, path: &str, last: Option<String>) -> Answer {
    let (Some(last), Some(count)) = (last, head.parameter("n")) else {
        return answer;
    };
    answer::with(answer, header::LINK, &page::link(path, &[("n", count), ("last", &last)]))
}
