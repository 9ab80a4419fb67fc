use std::{collections::BTreeMap, path::Path};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Declare, Done, EffectInfo, Effects, FileOrSecret, Guess, Places, Sort, Step, StepContext, StepError,
    effect_info::{adds, reads},
    kind::{DIGEST, OutputInfo, REFERENCE, output},
    reading::{append_effects, check_changed},
    signature::{
        Clock, PredicateName, TimestampService,
        cosign::{Look, Signer, Signers, private_key},
    },
};
use crate::{
    event::Outcome,
    oci::{Descriptor, Digest, Reference},
    output::Output,
    plan::{
        Diagnostic,
        yaml::{SecretName, Spanned},
    },
    sign::cosign::{Bundle, Statement, check_predicate},
    store::Store,
};

/// Vouches for something about a manifest, signed, as cosign does.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attest {
    /// The manifest that it is about, by tag or digest.
    #[schemars(with = "String")]
    pub subject: Spanned<Reference>,
    /// What is vouched for: a URI, or one of cosign's short names, such as `slsaprovenance1`, `spdxjson`, `cyclonedx`.
    #[schemars(with = "String")]
    pub predicate_type: Spanned<PredicateName>,
    /// The same in full.
    #[schemars(with = "Predicate")]
    pub predicate: Spanned<Predicate>,
    /// The private key: a file with PEM, also one that a password opens; or a secret.
    pub key: FileOrSecret,
    /// The password of the key, a secret. By default the environment variable `COSIGN_PASSWORD`.
    pub password: Option<Spanned<SecretName>>,
    /// A service that says when it was signed.
    pub timestamp: Option<TimestampService>,
}

/// What is vouched for: `path` or `json`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["path"] }, { "required": ["json"] }]))]
pub struct Predicate {
    /// A file with JSON, relative to the plan's folder.
    #[schemars(with = "Option<String>")]
    pub path: Option<Spanned<String>>,
    /// The value itself.
    pub json: Option<Value>,
}

/// The largest predicate that is read from a file, in bytes: base64 makes a third more of it, and a bundle has 32 MiB.
const LARGEST: u64 = Bundle::LARGEST / 2;

impl Declare for Attest {
    const NAME: &'static str = "attest";
    const SUMMARY: &'static str = "Vouches for something about a manifest, signed, as cosign does.";
    const EXAMPLE: &'static str = "\
subject: localhost:5000/net-monitor:v1
predicate_type: cyclonedx
predicate: { json: { bomFormat: CycloneDX, specVersion: \"1.6\" } }
key: keys/cosign.key
";
    const MORE: &'static [&'static str] = &["\
subject: localhost:5000/net-monitor:v1
predicate_type: slsaprovenance1
predicate: { path: build/provenance.json }
key: keys/cosign.key
password: ${{ KEY_PASSWORD }}
timestamp: { url: \"http://timestamp.example.com\", certificates: [keys/timestamp-root.crt] }
"];
    const EFFECTS: &'static [EffectInfo] = &[
        reads(Sort::Path, "of `predicate`, keys and certificates"),
        reads(Sort::Tag, "in `subject`, where no digest is"),
        adds(Sort::Graph, "of the repository in `subject`"),
    ];
    const OUTPUTS: &'static [OutputInfo] =
        &[REFERENCE, DIGEST, output("signatures", "a list of one: `subject`, `digest` and `reference`")];
    const CONTENT: &'static [&'static str] = &["predicate"];
    const UNFORESEEABLE: Option<&'static str> = Some("a signature is different each time");
}

impl Attest {
    async fn predicate(&self, cx: &StepContext) -> Result<Value, StepError> {
        let predicate = match (&self.predicate.path, &self.predicate.json) {
            (Some(path), _) => {
                let (source, shown) = (cx.places.source(path), path.value.clone());
                let read = tokio::task::spawn_blocking(move || read(&source, &shown));
                read.await.map_err(|error| StepError::BrokenOff { message: error.to_string() })??
            }
            (None, json) => json.clone().unwrap_or_default(),
        };
        match check_predicate(&self.predicate_type.value.0, &predicate) {
            None => Ok(predicate),
            Some(problem) => Err(StepError::Predicate { problem }),
        }
    }

    /// The manifest with an equal attestation of that key.
    async fn earlier(
        &self,
        store: &dyn Store,
        subject: &Descriptor,
        signer: &Signer,
        clock: Option<&Clock>,
        statement: &Statement,
    ) -> Result<Option<Digest>, StepError> {
        let signers = Signers::of(signer, clock);
        let look = Look { store, subject, signers: &signers, annotations: &BTreeMap::new() };
        let is_equal = |said: &Statement| {
            said.predicate_type() == statement.predicate_type() && said.predicate() == statement.predicate()
        };
        let mut bundled = look.bundled().await?.into_iter();
        let equal =
            bundled.find(|one| one.said.as_ref().is_ok_and(|said| said.time.is_ok() && is_equal(&said.statement)));
        Ok(equal.map(|one| one.manifest.digest))
    }
}

/// Reads a file with JSON. Blocking.
fn read(path: &Path, shown: &str) -> Result<Value, StepError> {
    use std::io::Read;
    let fail = |message: String| StepError::Unreadable { path: shown.to_owned(), message };
    let file = std::fs::File::open(path).map_err(|error| fail(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| fail(error.to_string()))?;
    if bytes.len() as u64 > LARGEST {
        return Err(fail(format!("it holds more than {LARGEST} bytes")));
    }
    serde_json::from_slice(&bytes).map_err(|error| fail(format!("it is not JSON: {error}")))
}

#[async_trait]
impl Step for Attest {
    fn effects(&self, places: &Places) -> Effects {
        let effects = Effects::default();
        let effects = self.sources().into_iter().fold(effects, |effects, path| effects.read(places.read_thing(path)));
        append_effects(effects, &self.subject, places)
    }

    fn check(&self, _: &Places) -> Vec<Diagnostic> {
        let mut wrong: Vec<_> = check_changed(&self.subject).into_iter().collect();
        wrong.extend(self.timestamp.as_ref().and_then(TimestampService::check));
        match (&self.predicate.path, &self.predicate.json) {
            (None, Some(json)) => {
                let problem = check_predicate(&self.predicate_type.value.0, json);
                wrong.extend(problem.map(|problem| Diagnostic::new(problem).at(self.predicate.span)));
            }
            (Some(_), None) => {}
            _ => {
                let diagnostic = Diagnostic::new("a predicate is one of `path` and `json`").at(self.predicate.span);
                wrong.push(diagnostic.help("write `{ path: FILE }`, or the value itself as `{ json: { … } }`"));
            }
        }
        wrong
    }

    fn sources(&self) -> Vec<&Spanned<String>> {
        let clocks = self.timestamp.iter().flat_map(TimestampService::sources);
        self.key.file().into_iter().chain(&self.predicate.path).chain(clocks).collect()
    }

    fn subject(&self) -> Option<(&'static str, &Reference)> {
        Some(("subject", &self.subject.value))
    }

    fn foresee(&self, guess: &Guess<'_>) -> Output {
        let digest = guess.digest("digest");
        let reference = Reference::by_digest(self.subject.repository.clone(), digest.clone()).to_string();
        let about = self.subject.digest.clone().unwrap_or_else(|| guess.digest("subject"));
        described(guess.output(), &about, &digest, reference)
    }

    async fn run(&self, cx: &StepContext) -> Result<Done, StepError> {
        let predicate = self.predicate(cx).await?;
        let password = self.password.as_ref().map(|password| &password.value);
        let signer = Signer::new(private_key(cx, &self.key, password).await?);
        let clock = Clock::read(cx, self.timestamp.as_ref()).await?;
        let store = cx.open(&self.subject.repository);
        let subject = cx.resolve(&self.subject).await?.plain();
        let statement = Statement::attestation(&subject.digest, &self.predicate_type.value.0, predicate);
        let (digest, outcome) = match self.earlier(&*store, &subject, &signer, clock.as_ref(), &statement).await? {
            Some(digest) if cx.made.contains(store.repository(), &digest) => (digest, Outcome::Created),
            Some(digest) => (digest, Outcome::Unchanged),
            None => {
                let manifest = signer.attach(cx, &*store, &subject, statement, clock.as_ref()).await?;
                (manifest.digest().clone(), Outcome::Created)
            }
        };
        let reference = Reference::by_digest(self.subject.repository.clone(), digest.clone()).to_string();
        Ok(Done::new(outcome, described(Output::default(), &subject.digest, &digest, reference)))
    }
}

fn described(output: Output, subject: &Digest, digest: &Digest, reference: String) -> Output {
    let signature = json!({ "subject": subject.to_string(), "digest": digest.to_string(), "reference": reference });
    output.with("signatures", json!([signature])).with("digest", digest.to_string()).with("reference", reference)
}
