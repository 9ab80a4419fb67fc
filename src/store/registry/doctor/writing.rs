//! What can be found out only by writing: uploads that are given up again, and content that is removed again.

use bytes::Bytes;
use reqwest::{Method, StatusCode};

use super::{
    Ability, Verdict,
    patient::{Patient, Question, said, unlikely},
    reading::{NOT_THERE, deletes, session},
};
use crate::{
    oci::{Descriptor, ImageManifest, Manifest, RepositoryName, media_type},
    store::{
        StoreError,
        registry::{Answer, Scope},
    },
};

/// What the chunks of a tried upload have, in bytes, unless the registry wants more.
const CHUNK: usize = 16;
/// No chunk is made longer than this for a registry that wants long ones.
const MAX_CHUNK: usize = 16 * 1024 * 1024;
const MIN_LENGTH: &str = "oci-chunk-min-length";
/// What is tried with upload sessions.
const UPLOADS: [Ability; 4] =
    [Ability::Push, Ability::ChunkedUploads, Ability::ResumedUploads, Ability::CancelledUploads];
/// What is tried with content.
const CONTENT: [Ability; 5] = [
    Ability::SingleRequestUploads,
    Ability::Mounts,
    Ability::BlobRanges,
    Ability::ConditionalPuts,
    Ability::ReferrersFilter,
];
const NOT_TRIED: &str = "not tried: what is pushed for it could not be removed again (`--push` tries it all the same)";

/// Tries everything that writes and that leaves nothing behind, or `may_leave` something.
pub(super) async fn try_all(
    patient: &mut Patient<'_>,
    repository: &RepositoryName,
    may_leave: bool,
) -> Result<(), StoreError> {
    let is_there = patient.found.findings.iter().all(|finding| finding.detail != NOT_THERE);
    if !is_there && !may_leave {
        for ability in UPLOADS.into_iter().chain(CONTENT) {
            patient.unknown(ability, "not tried: it would make the repository (`--push` tries it all the same)");
        }
        return Ok(());
    }
    try_uploads(patient, repository).await?;
    let can_remove = patient.can(Ability::DeleteManifests) && patient.can(Ability::DeleteBlobs);
    if patient.can(Ability::Push) && (can_remove || may_leave) {
        return try_content(patient, repository).await;
    }
    let why = if patient.can(Ability::Push) { NOT_TRIED } else { "not tried: nothing can be pushed" };
    for ability in CONTENT {
        patient.unknown(ability, why);
    }
    Ok(())
}

/// Opens an upload session, sends two chunks, and gives it up.
///
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-a-blob-in-chunks>
async fn try_uploads(patient: &mut Patient<'_>, repository: &RepositoryName) -> Result<(), StoreError> {
    let scope = || Scope::push(repository);
    let url = patient.registry.url(repository, &["blobs", "uploads", ""])?;
    let opened = patient.ask(Question::new(Method::POST, url, scope())).await?;
    if opened.status != StatusCode::ACCEPTED {
        patient.note_refusal(Ability::Push, &opened);
        return Ok(());
    }
    patient.yes(Ability::Push, "");
    let Some(mut place) = session(patient, &opened) else {
        for ability in [Ability::ChunkedUploads, Ability::ResumedUploads, Ability::CancelledUploads] {
            patient.unknown(ability, "not tried: uploads go to another place than the registry");
        }
        return Ok(());
    };
    let wanted = opened.header(MIN_LENGTH).and_then(|length| length.parse::<usize>().ok());
    let length = wanted.unwrap_or(0).clamp(CHUNK, MAX_CHUNK);
    let mut refused = None;
    for number in 0..2 {
        let question = Question::new(Method::PATCH, place.clone(), scope())
            .header("content-type", "application/octet-stream")
            .header("content-range", format!("{}-{}", number * length, (number + 1) * length - 1))
            .body(vec![b'x'; length]);
        let answer = patient.ask(question).await?;
        let goes_on = answer.header("range").is_none_or(|range| range == format!("0-{}", (number + 1) * length - 1));
        if !answer.status.is_success() {
            refused = Some(said(&answer));
        } else if !goes_on {
            refused =
                Some(format!("the registry loses count: `Range: {}`", answer.header("range").unwrap_or_default()));
        }
        place = session(patient, &answer).unwrap_or(place);
        if refused.is_some() {
            break;
        }
    }
    let least = wanted.filter(|length| *length > 0).map_or(String::new(), |length| format!("{length} bytes at least"));
    match refused {
        None => patient.yes(Ability::ChunkedUploads, least),
        Some(said) => patient.no(Ability::ChunkedUploads, said),
    }
    let status = patient.ask(Question::new(Method::GET, place.clone(), scope())).await?;
    match status.header("range") {
        Some(range) if status.status.is_success() => patient.yes(Ability::ResumedUploads, format!("it has `{range}`")),
        _ if status.status.is_success() => patient.no(Ability::ResumedUploads, "it does not say how much it has"),
        _ => patient.note_refusal(Ability::ResumedUploads, &status),
    }
    let cancelled = patient.ask(Question::new(Method::DELETE, place, scope())).await?;
    if cancelled.status.is_success() {
        patient.yes(Ability::CancelledUploads, "");
    } else {
        patient.note_refusal(Ability::CancelledUploads, &cancelled);
        patient.found.left_behind.push("an upload session, which ends by itself".to_owned());
    }
    Ok(())
}

/// Pushes a small artifact and a referrer of it, looks at what the registry makes of them, and removes them.
async fn try_content(patient: &mut Patient<'_>, repository: &RepositoryName) -> Result<(), StoreError> {
    let content = Content::new()?;
    // Whatever goes wrong in between, what was pushed is removed.
    let mut tried = content.push_and_look(patient, repository).await;
    if patient.found.verdict(Ability::DeleteManifests) == Some(Verdict::Unknown) {
        // Now the repository is there, and can say.
        tried = tried.and(deletes(patient, repository).await);
    }
    let removed = content.remove(patient, repository).await;
    tried.and(removed)
}

/// What is pushed.
struct Content {
    blob: Bytes,
    layer: Descriptor,
    artifact: Manifest,
    referrer: Manifest,
    tag: String,
}

const ARTIFACT_TYPE: &str = "application/vnd.consign.doctor";

impl Content {
    fn new() -> Result<Self, StoreError> {
        let name = unlikely();
        let blob = Bytes::from(format!("what `consign doctor` has tried: {name}\n"));
        let layer = Descriptor::of("text/plain", &blob);
        let manifest = |subject| ImageManifest {
            artifact_type: Some(ARTIFACT_TYPE.to_owned()),
            layers: vec![layer.clone()],
            subject,
            ..ImageManifest::new(layer.clone())
        };
        let artifact = Manifest::from_image(manifest(None))?;
        let referrer = Manifest::from_image(manifest(Some(artifact.descriptor().plain())))?;
        Ok(Self { blob, layer, artifact, referrer, tag: format!("consign-doctor-{name}") })
    }

    async fn push_and_look(&self, patient: &mut Patient<'_>, repository: &RepositoryName) -> Result<(), StoreError> {
        if self.push_blob(patient, repository).await? {
            self.mount(patient, repository).await?;
            self.read_range(patient, repository).await?;
            self.put_twice(patient, repository).await?;
            self.refer(patient, repository).await?;
        }
        Ok(())
    }

    /// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#single-post>
    async fn push_blob(&self, patient: &mut Patient<'_>, repository: &RepositoryName) -> Result<bool, StoreError> {
        let mut url = patient.registry.url(repository, &["blobs", "uploads", ""])?;
        url.query_pairs_mut().append_pair("digest", &self.layer.digest.to_string());
        let answer = self.send_blob(patient, Method::POST, url, repository).await?;
        match answer.status {
            StatusCode::CREATED => patient.yes(Ability::SingleRequestUploads, ""),
            StatusCode::ACCEPTED => patient.no(Ability::SingleRequestUploads, "it takes them in two"),
            _ => patient.note_refusal(Ability::SingleRequestUploads, &answer),
        }
        if answer.status == StatusCode::CREATED {
            return Ok(true);
        }
        let Some(mut place) = session(patient, &answer) else { return Ok(false) };
        place.query_pairs_mut().append_pair("digest", &self.layer.digest.to_string());
        Ok(self.send_blob(patient, Method::PUT, place, repository).await?.status == StatusCode::CREATED)
    }

    async fn send_blob(
        &self,
        patient: &mut Patient<'_>,
        method: Method,
        url: url::Url,
        repository: &RepositoryName,
    ) -> Result<Answer, StoreError> {
        let question = Question::new(method, url, Scope::push(repository));
        patient.ask(question.header("content-type", "application/octet-stream").body(self.blob.clone())).await
    }

    /// From the repository itself, which is enough to see it: no other is known.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#mounting-a-blob-from-another-repository>
    async fn mount(&self, patient: &mut Patient<'_>, repository: &RepositoryName) -> Result<(), StoreError> {
        let mut url = patient.registry.url(repository, &["blobs", "uploads", ""])?;
        url.query_pairs_mut()
            .append_pair("mount", &self.layer.digest.to_string())
            .append_pair("from", repository.as_str());
        let answer = patient.ask(Question::new(Method::POST, url, Scope::mount(repository, repository))).await?;
        match answer.status {
            StatusCode::CREATED => patient.yes(Ability::Mounts, ""),
            StatusCode::ACCEPTED => {
                patient.no(Ability::Mounts, "it opens an upload session instead");
                if let Some(place) = session(patient, &answer) {
                    patient.ask(Question::new(Method::DELETE, place, Scope::push(repository))).await?;
                }
            }
            _ => patient.note_refusal(Ability::Mounts, &answer),
        }
        Ok(())
    }

    async fn read_range(&self, patient: &mut Patient<'_>, repository: &RepositoryName) -> Result<(), StoreError> {
        let url = patient.registry.url(repository, &["blobs", &self.layer.digest.to_string()])?;
        let question = Question::new(Method::GET, url, Scope::pull(repository)).header("range", "bytes=5-9");
        let answer = patient.ask(question).await?;
        match answer.status {
            StatusCode::PARTIAL_CONTENT if answer.body == self.blob.slice(5..10) => {
                patient.yes(Ability::BlobRanges, "");
            }
            StatusCode::PARTIAL_CONTENT => patient.no(Ability::BlobRanges, "it sends another part than was asked for"),
            StatusCode::OK => patient.no(Ability::BlobRanges, "it sends the whole blob"),
            _ => patient.note_refusal(Ability::BlobRanges, &answer),
        }
        Ok(())
    }

    /// Writes a tag, and again on the condition that it is not there.
    async fn put_twice(&self, patient: &mut Patient<'_>, repository: &RepositoryName) -> Result<(), StoreError> {
        let put = |condition: bool| {
            let url = patient.registry.url(repository, &["manifests", &self.tag])?;
            let question = Question::new(Method::PUT, url, Scope::push(repository))
                .header("content-type", media_type::IMAGE_MANIFEST)
                .body(self.artifact.bytes().clone());
            Ok::<_, StoreError>(if condition { question.header("if-none-match", "*") } else { question })
        };
        let (first, second) = (put(false)?, put(true)?);
        let answer = patient.ask(first).await?;
        if !answer.status.is_success() {
            patient.note_refusal(Ability::ConditionalPuts, &answer);
            return Ok(());
        }
        let answer = patient.ask(second).await?;
        match answer.status {
            StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT => patient.yes(Ability::ConditionalPuts, ""),
            status if status.is_success() => patient.no(Ability::ConditionalPuts, "the condition is not looked at"),
            _ => patient.note_refusal(Ability::ConditionalPuts, &answer),
        }
        Ok(())
    }

    /// Pushes a referrer and looks for it.
    async fn refer(&self, patient: &mut Patient<'_>, repository: &RepositoryName) -> Result<(), StoreError> {
        let url = patient.registry.url(repository, &["manifests", &self.referrer.digest().to_string()])?;
        let question = Question::new(Method::PUT, url, Scope::push(repository))
            .header("content-type", media_type::IMAGE_MANIFEST)
            .body(self.referrer.bytes().clone());
        let pushed = patient.ask(question).await?;
        if !pushed.status.is_success() {
            patient.note_refusal(Ability::ReferrersApi, &pushed);
            return Ok(());
        }
        let says_so = if pushed.header("oci-subject").is_some() { "" } else { "; it does not answer `OCI-Subject`" };
        let mut url = patient.registry.url(repository, &["referrers", &self.artifact.digest().to_string()])?;
        url.query_pairs_mut().append_pair("artifactType", ARTIFACT_TYPE);
        let answer = patient.ask(Question::new(Method::GET, url, Scope::pull(repository))).await?;
        let lists_it = String::from_utf8_lossy(&answer.body).contains(&self.referrer.digest().to_string());
        match answer.status {
            StatusCode::OK if lists_it => {
                patient.yes(Ability::ReferrersApi, format!("what was pushed is listed{says_so}"));
                match answer.header("oci-filters-applied") {
                    Some(_) => patient.yes(Ability::ReferrersFilter, ""),
                    None => patient.no(Ability::ReferrersFilter, "the list comes whole, and consign filters it"),
                }
            }
            StatusCode::OK => patient.no(Ability::ReferrersApi, "it answers, but does not list what was pushed"),
            _ => patient.no(Ability::ReferrersApi, "the tag schema is used"),
        }
        if !patient.can(Ability::ReferrersApi) {
            patient.unknown(Ability::ReferrersFilter, "there is no referrers API");
        }
        Ok(())
    }

    async fn remove(&self, patient: &mut Patient<'_>, repository: &RepositoryName) -> Result<(), StoreError> {
        let (referrer, artifact) = (self.referrer.digest().to_string(), self.artifact.digest().to_string());
        let layer = self.layer.digest.to_string();
        for (what, part, digest) in
            [("manifest", "manifests", referrer), ("manifest", "manifests", artifact), ("blob", "blobs", layer)]
        {
            let url = patient.registry.url(repository, &[part, &digest])?;
            let answer = patient.ask(Question::new(Method::DELETE, url, Scope::delete(repository))).await?;
            if !answer.status.is_success() && answer.status != StatusCode::NOT_FOUND {
                patient.found.left_behind.push(format!("the {what} {digest}: {}", said(&answer)));
            }
        }
        Ok(())
    }
}
