use std::time::Duration;

use super::{ExecError, PlaceError};
use crate::{
    event::{Failure, FailureKind, Place},
    oci::{Digest, ManifestError},
    pack::PackError,
    secret::SecretError,
    sign::{
        WebError,
        certificate::CertificateError,
        cosign::KeyFileError,
        key::{KeyError, KeyKind},
        notation::{EnvelopeError, NamedKeyError, PluginError, PolicyError, Refusal},
        timestamp::TimestampError,
    },
    store::StoreError,
    text,
};

/// Why a step failed, or said no.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// A store could not.
    #[error("failed to {doing} {what}: {source}")]
    Store {
        /// A verb.
        doing: &'static str,
        /// A reference or a file's name.
        what: String,
        /// Why.
        source: StoreError,
    },
    /// Something could not be packed or unpacked.
    #[error("failed to {doing}: {source}")]
    Pack {
        /// In words.
        doing: String,
        /// Why.
        source: PackError,
    },
    /// A manifest could not be made.
    #[error("failed to make a manifest: {0}")]
    Manifest(#[from] ManifestError),
    /// What is written would lie elsewhere than allowed.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// A secret of the plan has no value.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A program could not, or said no.
    #[error(transparent)]
    Exec(ExecError),
    /// A file cannot be written.
    #[error("`{path}` cannot be written: {message}")]
    Unwritable {
        /// As written.
        path: String,
        /// Why.
        message: String,
    },
    /// A file that the step reads whole cannot be read.
    #[error("`{path}` cannot be read: {message}")]
    Unreadable {
        /// As written.
        path: String,
        /// Why.
        message: String,
    },
    /// A key cannot be used.
    #[error("{key} cannot sign: {source}")]
    Key {
        /// Which, in words.
        key: String,
        /// Why.
        source: KeyError,
    },
    /// A public key cannot be used.
    #[error("{key} cannot verify: {source}")]
    PublicKey {
        /// Which, in words.
        key: String,
        /// Why.
        source: KeyError,
    },
    /// An encrypted key cannot be used.
    #[error("{key} cannot be used: {source}")]
    KeyFile {
        /// Which, in words.
        key: String,
        /// Why.
        source: KeyFileError,
    },
    /// A file with authorities and logs cannot be used.
    #[error("`{path}` is no trusted root: {problem}; `cosign trusted-root create` writes one")]
    TrustedRoot {
        /// As written.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// What is vouched for is not what its type says.
    #[error("{problem}")]
    Predicate {
        /// What is wrong with it.
        problem: String,
    },
    /// A key of that kind signs in a way that cosign does not verify.
    #[error(
        "{key} is a key of the kind {kind}: cosign does not verify what it signs itself with one; use P-256, RSA or Ed25519"
    )]
    KeyKind {
        /// Which, in words.
        key: String,
        /// What kind it is.
        kind: KeyKind,
    },
    /// A digest is too long for a tag.
    #[error("cosign's older layout has no tag for `{subject}`: leave `envelope` out")]
    NoSignatureTag {
        /// The manifest that is signed.
        subject: Digest,
    },
    /// Others write the same tag all the time.
    #[error(
        "the signature under the tag `{tag}` was overwritten again and again: somebody else signs the same manifest"
    )]
    SignatureLost {
        /// The tag.
        tag: String,
    },
    /// A key and its certificates do not belong together.
    #[error("{key} is not the key of the certificate `{subject}`: the chain begins with the certificate of the key")]
    OtherKey {
        /// Which, in words.
        key: String,
        /// Whose certificate it is.
        subject: String,
    },
    /// Certificates are not such.
    #[error("{path}: {source}")]
    Certificate {
        /// Where they stand, in words.
        path: String,
        /// What is wrong with them.
        source: CertificateError,
    },
    /// A signature cannot be made.
    #[error("it cannot be signed: {source}")]
    Envelope {
        /// Why.
        #[from]
        source: EnvelopeError,
    },
    /// A signature that was just made is not what was asked for.
    #[error("what was signed does not count: {source}")]
    Signature {
        /// Why.
        source: Refusal,
    },
    /// A trust policy is not one.
    #[error("{path}: {source}")]
    Policy {
        /// Where it stands, in words.
        path: String,
        /// What is wrong with it.
        source: PolicyError,
    },
    /// A key cannot be found by its name.
    #[error("`{path}`: {source}")]
    NamedKey {
        /// The list of keys.
        path: String,
        /// Why.
        source: NamedKeyError,
    },
    /// A plugin did not do what it was asked.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// There is no timestamp.
    #[error(transparent)]
    Timestamp(#[from] TimestampError),
    /// A service gave no answer.
    #[error(transparent)]
    Web(#[from] WebError),
    /// The reference names nothing.
    #[error("`{reference}` does not exist")]
    NotThere {
        /// As asked.
        reference: String,
    },
    /// The reference has neither tag nor digest.
    #[error("`{reference}` names a repository: add `:tag` or `@digest`")]
    NoTarget {
        /// As asked.
        reference: String,
    },
    /// A tag that must not be moved points to something else.
    #[error("the tag `{reference}` points elsewhere already")]
    TagElsewhere {
        /// The tag.
        reference: String,
        /// Where it points.
        there: String,
        /// Where it would point.
        here: String,
    },
    /// A manifest cannot be deleted while other tags name it.
    #[error("`{reference}` has other tags: {}", tags.join(", "))]
    OtherTags {
        /// The manifest.
        reference: String,
        /// The other tags, sorted.
        tags: Vec<String>,
    },
    /// There are more tags than are looked at.
    #[error("`{repository}` has more than {limit} tags: whether others name `{digest}` is not looked at")]
    TooManyTags {
        /// The repository.
        repository: String,
        /// The manifest.
        digest: String,
        /// How many are looked at.
        limit: usize,
    },
    /// What a kind cannot work with.
    #[error("`{reference}` is {what}: {wanted}")]
    WrongManifest {
        /// What was given.
        reference: String,
        /// What it is.
        what: String,
        /// What would be right.
        wanted: &'static str,
    },
    /// There is no manifest for the platform.
    #[error("`{reference}` has nothing for {platform}")]
    NoPlatform {
        /// What was asked.
        reference: String,
        /// What was asked for.
        platform: String,
        /// What there is, sorted.
        there: Vec<String>,
    },
    /// Two manifests of an index could not be told apart.
    #[error("two manifests are for {platform}: clients take the first and never see the other")]
    SamePlatform {
        /// What both are for.
        platform: String,
        /// Where they were named, or their digests.
        manifests: [String; 2],
    },
    /// An archive has several images, and none was named.
    #[error("`{reference}` has {count} images: name one of them by its tag")]
    SeveralImages {
        /// The archive.
        reference: String,
        /// How many there are.
        count: usize,
        /// The tags, sorted.
        tags: Vec<String>,
    },
    /// No tag of a repository was chosen.
    #[error("none of the {all} tags of `{repository}` is selected")]
    NothingSelected {
        /// The repository.
        repository: String,
        /// How many tags it has, without those of digests.
        all: usize,
    },
    /// A task of the step broke off.
    #[error("the step broke off: {message}")]
    BrokenOff {
        /// What was said.
        message: String,
    },
    /// It took longer than it may.
    #[error("it ran out of time: it may take {}", text::duration(*limit))]
    OutOfTime {
        /// How long it may take.
        limit: Duration,
        /// Whether it may be faster the next time, as it is where a registry was slow.
        is_temporary: bool,
    },
    /// A gate looked, and says no.
    #[error("{message}")]
    Refused {
        /// What was expected and what was found.
        message: String,
        /// What was found, one line each.
        found: Vec<String>,
    },
}

impl StepError {
    /// Makes the error of a store one of a step that was doing `doing` to `what`.
    pub fn store(doing: &'static str, what: &impl ToString) -> impl FnOnce(StoreError) -> Self {
        let what = what.to_string();
        move |source| Self::Store { doing, what, source }
    }

    /// The same as a gate tells it that looks at `subject`: content that is not what its digest says was looked at, and the
    /// answer is no. What could not be had at all is no answer, and stays what it is.
    pub(super) fn at_gate(self, subject: &impl ToString) -> Self {
        match self {
            Self::Store { ref source, .. } if source.is_content() => Self::Refused {
                message: format!("what is handed out for `{}` is not what it should be", subject.to_string()),
                found: vec![self.to_string()],
            },
            other => other,
        }
    }

    /// Makes the error of packing one of a step that was doing `doing`.
    pub fn pack(doing: impl Into<String>) -> impl FnOnce(PackError) -> Self {
        let doing = doing.into();
        move |source| Self::Pack { doing, source }
    }

    /// What reporters show; `place` is where the step stands.
    pub fn failure(&self, place: Option<Place>) -> Failure {
        let kind = match self {
            Self::Refused { .. } => FailureKind::Gate,
            Self::Exec(error) if error.is_no() => FailureKind::Gate,
            Self::Store { source, .. } if source.is_temporary() => FailureKind::Temporary,
            Self::Web(_) | Self::OutOfTime { is_temporary: true, .. } => FailureKind::Temporary,
            _ => FailureKind::Step,
        };
        Failure { kind, message: self.to_string(), notes: self.notes(), help: self.help(), place }
    }

    fn notes(&self) -> Vec<String> {
        match self {
            Self::TagElsewhere { there, here, .. } => vec![format!("there: {there}"), format!("here:  {here}")],
            Self::Refused { found, .. } => found.clone(),
            Self::SeveralImages { tags, .. } if !tags.is_empty() => vec![format!("there is: {}", tags.join(", "))],
            Self::NoPlatform { there, .. } if there.is_empty() => vec!["it is for no platform".to_owned()],
            Self::NoPlatform { there, .. } => vec![format!("there is: {}", there.join(", "))],
            Self::SamePlatform { manifests, .. } => manifests.to_vec(),
            Self::Store { source, .. } => source.notes(),
            _ => Vec::new(),
        }
    }

    fn help(&self) -> Vec<String> {
        match self {
            Self::TagElsewhere { .. } => {
                vec!["to move the tag say `if_exists: replace`, to leave it `if_exists: keep`".to_owned()]
            }
            Self::OtherTags { .. } => vec![
                "a manifest goes with every tag that names it: say `all_tags: true` for that".to_owned(),
                "to remove one tag alone say `tag_only: true`".to_owned(),
            ],
            Self::TooManyTags { .. } => {
                vec!["say `all_tags: true` to delete it with every tag that names it".to_owned()]
            }
            Self::SamePlatform { .. } => {
                vec!["leave one out, or tell them apart by `platform` (a variant) or `annotations`".to_owned()]
            }
            Self::OutOfTime { .. } => {
                vec!["raise `timeout` where it takes longer; what was done is found when it runs again".to_owned()]
            }
            Self::Store { source, .. } => source.help().into_iter().collect(),
            Self::Exec(error) => error.help().into_iter().collect(),
            _ => Vec::new(),
        }
    }
}
