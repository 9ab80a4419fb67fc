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
use crate::oci::{Descriptor, Digest, Manifest, RepositoryName, media_type};

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
        let (index, next) = index(&referrers);
        let mut answer = answer::with(Answer::new(body::whole(index)), header::CONTENT_TYPE, media_type::IMAGE_INDEX);
        if wanted.is_some() {
            answer = answer::with(answer, answer::FILTERS_APPLIED, "artifactType");
        }
        if let Some(last) = next {
            let last = last.to_string();
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

/// The index of these manifests, cut where it would be more than clients read at once: not before, since some do not ask
/// for what follows. Then what it ends with is told.
fn index(referrers: &[Descriptor]) -> (String, Option<&Digest>) {
    let mut text = format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":["#, media_type::IMAGE_INDEX);
    let (start, mut last) = (text.len(), None);
    for referrer in referrers {
        // A value of this program's own has no keys that JSON cannot have.
        let entry = serde_json::to_string(referrer).unwrap_or_default();
        // One that is larger than all the room is handed out alone: there is no other way on.
        if last.is_some() && (text.len() + entry.len() + 3) as u64 > Manifest::MAX_SIZE {
            text.push_str("]}");
            return (text, last);
        }
        if text.len() > start {
            text.push(',');
        }
        text.push_str(&entry);
        last = Some(&referrer.digest);
    }
    text.push_str("]}");
    (text, None)
}

fn linked(answer: Answer, head: &Head, path: &str, last: Option<String>) -> Answer {
    let (Some(last), Some(count)) = (last, head.parameter("n")) else {
        return answer;
    };
    answer::with(answer, header::LINK, &page::link(path, &[("n", count), ("last", &last)]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::oci::Index;

    #[test]
    fn a_list_that_is_too_long_is_handed_out_in_parts() {
        let referrer = |number: u32, length: usize| Descriptor {
            annotations: BTreeMap::from([("text".to_owned(), "x".repeat(length))]),
            ..Descriptor::of(media_type::IMAGE_MANIFEST, &number.to_le_bytes())
        };
        let mut rest: Vec<_> =
            (0..50).map(|number| referrer(number, 200_000)).chain([referrer(50, 5_000_000)]).collect();
        let all: Vec<_> = rest.iter().map(|referrer| referrer.digest.clone()).collect();
        let mut found = Vec::new();
        while !rest.is_empty() {
            let (text, last) = index(&rest);
            let part: Index = serde_json::from_str(&text).unwrap();
            assert!(text.len() as u64 <= Manifest::MAX_SIZE || part.manifests.len() == 1);
            assert_eq!(last.is_some(), part.manifests.len() < rest.len());
            assert_eq!(text, serde_json::to_string(&part).unwrap());
            rest.drain(..part.manifests.len());
            found.extend(part.manifests.into_iter().map(|referrer| referrer.digest));
        }
        assert_eq!(found, all);
        assert_eq!(index(&[]), (serde_json::to_string(&Index::new(Vec::new())).unwrap(), None));
    }
}
