//! What can be found out without writing anything.

use reqwest::{Method, StatusCode, header};

use super::{
    Ability, Examination, Verdict,
    patient::{Patient, Question, nothing, said, unlikely},
    writing,
};
use crate::{
    oci::{RegistryName, RepositoryName, media_type},
    store::{
        StoreError,
        registry::{Answer, Registries, Scope, origin},
    },
};

/// What is said where a repository does not exist.
pub(super) const NOT_THERE: &str = "the repository is not there yet";

impl Registries {
    /// Finds out what a registry can do, and where a repository is named, what can be done there. Unless `may_leave`,
    /// nothing is pushed that cannot be removed again. It fails where nobody answers.
    pub async fn examine(
        &self,
        registry: &RegistryName,
        repository: Option<&RepositoryName>,
        may_leave: bool,
    ) -> Result<Examination, StoreError> {
        let open = self.registry(registry);
        let mut patient = Patient::new(&open, repository);
        greet(&mut patient).await?;
        if patient.can(Ability::Api) {
            self.look_at_login(&mut patient).await;
        }
        if let Some(repository) = repository.filter(|_| patient.can(Ability::Api)) {
            tags(&mut patient, repository).await?;
            if patient.found.is_usable() {
                referrers(&mut patient, repository).await?;
                deletes(&mut patient, repository).await?;
                writing::try_all(&mut patient, repository, may_leave).await?;
            }
        }
        limits(&mut patient);
        Ok(patient.found)
    }

    /// Whose login is used. The registry was asked before.
    async fn look_at_login(&self, patient: &mut Patient<'_>) {
        let login = self.credentials().find(&patient.registry.name, patient.found.repository.as_ref()).await;
        let greeting = patient.registry.greet().await;
        match (login, greeting) {
            (Err(error), _) => patient.no(Ability::Login, error.to_string()),
            (Ok(_), Ok(false)) => patient.yes(Ability::Login, "not needed: it takes anybody"),
            (Ok(Some(login)), Ok(true)) => {
                let user = login.credential.username().map_or(String::new(), |user| format!("as `{user}`, "));
                patient.yes(Ability::Login, format!("{user}from {}", login.source));
            }
            (Ok(None), Ok(true)) => {
                patient.yes(Ability::Login, "nobody: it lets everybody in, and may give more to others");
            }
            (Ok(None), Err(_)) => {
                let name = &patient.registry.name;
                let detail = format!("there is none: run `consign login {name} -u USER`");
                patient.no(Ability::Login, detail);
            }
            (Ok(Some(login)), Err(_)) => {
                patient.no(Ability::Login, format!("the registry does not take the one from {}", login.source));
            }
        }
    }
}

/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#determining-support>
async fn greet(patient: &mut Patient<'_>) -> Result<(), StoreError> {
    let url = patient.registry.root()?;
    let scheme = if url.scheme() == "https" { "over TLS" } else { "over plain HTTP" };
    let answer = patient.ask(Question::new(Method::GET, url, Scope::registry())).await?;
    match answer.status {
        StatusCode::OK | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let server = answer.header(header::SERVER.as_str()).map_or(String::new(), |name| format!(", by `{name}`"));
            patient.yes(Ability::Api, format!("{scheme}{server}"));
        }
        _ => patient.no(Ability::Api, format!("{scheme}: {} to `/v2/`", said(&answer))),
    }
    Ok(())
}

/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags>
async fn tags(patient: &mut Patient<'_>, repository: &RepositoryName) -> Result<(), StoreError> {
    #[derive(serde::Deserialize)]
    struct Page {
        tags: Option<Vec<String>>,
    }

    let mut url = patient.registry.url(repository, &["tags", "list"])?;
    url.query_pairs_mut().append_pair("n", "1");
    let answer = patient.ask(Question::new(Method::GET, url, Scope::pull(repository))).await?;
    match answer.status {
        StatusCode::OK => patient.yes(Ability::Pull, ""),
        StatusCode::NOT_FOUND => patient.yes(Ability::Pull, NOT_THERE),
        _ => {
            patient.note_refusal(Ability::Pull, &answer);
            return Ok(());
        }
    }
    let count = serde_json::from_slice::<Page>(&answer.body).ok().map(|page| page.tags.unwrap_or_default().len());
    match (count, answer.header(header::LINK.as_str())) {
        (Some(2..), _) => patient.no(Ability::TagPaging, "all tags come at once, however few are asked for"),
        (_, Some(_)) => patient.yes(Ability::TagPaging, "one tag was asked for, and came with a link to the next"),
        (_, None) => patient.unknown(Ability::TagPaging, "the repository has fewer than two tags, or hides them"),
    }
    Ok(())
}

/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers>
async fn referrers(patient: &mut Patient<'_>, repository: &RepositoryName) -> Result<(), StoreError> {
    let url = patient.registry.url(repository, &["referrers", &nothing().to_string()])?;
    let question = Question::new(Method::GET, url, Scope::pull(repository)).header("accept", media_type::IMAGE_INDEX);
    let answer = patient.ask(question).await?;
    let is_list = answer.header("content-type").map(media_type::essence).as_deref() == Some(media_type::IMAGE_INDEX);
    match answer.status {
        StatusCode::OK if is_list => patient.yes(Ability::ReferrersApi, "it answers with a list"),
        StatusCode::OK => patient.no(Ability::ReferrersApi, "the answer is no list: the tag schema is used"),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            let unknown = answer.has_code("NAME_UNKNOWN");
            let verdict = if unknown { Verdict::Unknown } else { Verdict::No };
            let detail = if unknown { NOT_THERE } else { "the tag schema is used" };
            patient.found.note(Ability::ReferrersApi, verdict, detail);
        }
        _ => patient.note_refusal(Ability::ReferrersApi, &answer),
    }
    Ok(())
}

/// Asks for the delete of what is not there.
///
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#content-management>
pub(super) async fn deletes(patient: &mut Patient<'_>, repository: &RepositoryName) -> Result<(), StoreError> {
    let (digest, tag) = (nothing().to_string(), format!("consign-doctor-{}", unlikely()));
    for (ability, parts) in [
        (Ability::DeleteManifests, ["manifests", &digest]),
        (Ability::DeleteTags, ["manifests", &tag]),
        (Ability::DeleteBlobs, ["blobs", &digest]),
    ] {
        let url = patient.registry.url(repository, &parts)?;
        let answer = patient.ask(Question::new(Method::DELETE, url, Scope::delete(repository))).await?;
        if answer.status == StatusCode::NOT_FOUND && answer.has_code("NAME_UNKNOWN") {
            patient.unknown(ability, NOT_THERE);
        } else if answer.status == StatusCode::NOT_FOUND || answer.status.is_success() {
            patient.yes(ability, "");
        } else {
            patient.note_refusal(ability, &answer);
        }
    }
    Ok(())
}

fn limits(patient: &mut Patient<'_>) {
    let limits: Vec<_> = patient.limits.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    if limits.is_empty() {
        patient.unknown(Ability::RateLimits, "none was seen in the answers");
    } else {
        patient.yes(Ability::RateLimits, limits.join(", "));
    }
}

/// Where an upload goes on, if the answer says so and it is the registry itself.
pub(super) fn session(patient: &Patient<'_>, answer: &Answer) -> Option<url::Url> {
    let place = answer.header(header::LOCATION.as_str())?;
    let url = patient.registry.follow(answer, place).ok()?;
    origin::is_same(&answer.url, &url).then_some(url)
}
