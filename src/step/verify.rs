use async_trait::async_trait;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Declare, Done, EffectInfo, Effects, Guess, Places, Sort, Step, StepContext, StepError,
    effect_info::reads,
    kind::{DIGEST, MEDIA_TYPE, OutputInfo, REFERENCE, SIZE, output},
    reading::{check_subject, read_effects},
    signature::{Demand, Finding, VerifyFields},
};
use crate::{
    event::Outcome,
    oci::{Descriptor, Reference},
    output::Output,
    plan::{Diagnostic, yaml::Spanned},
};

/// Makes sure that a manifest is signed by somebody who is trusted; otherwise what follows does not run.
#[derive(Debug, Deserialize)]
#[serde(from = "VerifyFields")]
pub struct Verify {
    /// The manifest that must be signed.
    pub subject: Spanned<Reference>,
    /// How, and by whom.
    pub demand: Demand,
}

impl From<VerifyFields> for Verify {
    fn from(fields: VerifyFields) -> Self {
        let (subject, demand) = fields.split();
        Self { subject, demand }
    }
}

impl JsonSchema for Verify {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Verify".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = VerifyFields::json_schema(generator);
        schema.insert("description".to_owned(), json!(Self::SUMMARY));
        schema
    }
}

impl Declare for Verify {
    const NAME: &'static str = "verify";
    const SUMMARY: &'static str = "Makes sure that a manifest is signed by somebody who is trusted.";
    const EXAMPLE: &'static str = "\
subject: localhost:5000/net-monitor:v1
format: notation
certificates: [certificates/acme-root.pem]
require:
  - { artifact_type: sbom/example }
";
    const MORE: &'static [&'static str] = &[
        "\
subject: localhost:5000/net-monitor:v1
format: notation
trust_policy: keys/trustpolicy.json
trust_store: keys/truststore
annotations: { build: \"123\" }
",
        "\
subject: localhost:5000/net-monitor:v1
format: notation
certificates: [keys/acme-root.crt]
signing_authorities: [keys/acme-root.crt]
identities: [\"x509.subject: C=US, ST=WA, O=acme\"]
timestamp_certificates: [keys/timestamp-root.crt]
require: [{ artifact_type: sbom/example }]
",
        "\
subject: localhost:5000/net-monitor:v1
format: cosign
key: keys/cosign.pub
require: [{ predicate_type: slsaprovenance1 }]
",
        "\
subject: localhost:5000/net-monitor:v1
format: cosign
keys: [keys/cosign.pub, keys/older.pub]
",
        "\
subject: localhost:5000/net-monitor:v1
format: cosign
identity:
  subject: https://github.com/example/app/.github/workflows/release.yml@refs/heads/main
  issuer: https://token.actions.githubusercontent.com
  trusted_root: keys/trusted-root.json
  or: [{ subject: dev@example.com, issuer: https://accounts.google.com }]
",
    ];
    const EFFECTS: &'static [EffectInfo] = &[
        reads(Sort::Path, "of keys, certificates and policies"),
        reads(Sort::Tag, "in `subject`, where no digest is"),
        reads(Sort::Graph, "of the repository in `subject`"),
    ];
    const GATE: Option<&'static str> = Some("always");
    const LISTS: bool = true;
    const OUTPUTS: &'static [OutputInfo] = &[
        REFERENCE,
        DIGEST,
        MEDIA_TYPE,
        SIZE,
        output(
            "signers",
            "a list of `signer`, `signature`, `subject`, `format`, `thumbprint`, `signed_at`, `expires_at`, `annotations` and `warnings`, one for each signature that counts",
        ),
    ];
    const CONTENT: &'static [&'static str] = &["annotations"];
}

/// The output `signers`.
pub(super) fn signers(counted: &[(Descriptor, Finding)]) -> Value {
    let signer = |(about, finding): &(Descriptor, Finding)| {
        let mut entry = finding.describe()?;
        entry.as_object_mut()?.insert("subject".to_owned(), json!(about.digest.to_string()));
        Some(entry)
    };
    counted.iter().filter_map(signer).collect()
}

#[async_trait]
impl Step for Verify {
    fn effects(&self, places: &Places) -> Effects {
        read_effects(self.demand.read_files(Effects::default(), places), &self.subject, places)
    }

    fn is_gate(&self) -> bool {
        true
    }

    fn check(&self, _: &Places) -> Vec<Diagnostic> {
        self.demand.check().into_iter().chain(check_subject(&self.subject)).collect()
    }

    fn sources(&self) -> Vec<&Spanned<String>> {
        self.demand.sources()
    }

    fn foresee(&self, guess: &Guess<'_>) -> Output {
        let output = guess.manifest(&self.subject.repository);
        let output = match &self.subject.digest {
            Some(digest) => {
                let reference = Reference::by_digest(self.subject.repository.clone(), digest.clone());
                output.with("digest", digest.to_string()).with("reference", reference.to_string())
            }
            None => output,
        };
        let signer = json!({ "signer": guess.text("signer"), "signature": guess.digest("signature").to_string() });
        output.with("signers", json!([signer]))
    }

    async fn run(&self, cx: &StepContext) -> Result<Done, StepError> {
        // The tag stays where it is found now, for all later steps.
        let subject = cx.resolve(&self.subject).await.map_err(|error| error.at_gate(&self.subject.value))?;
        let store = cx.open(&self.subject.repository);
        let counted =
            self.demand.ask(cx, &*store, &self.subject.repository, &self.subject.repository, &subject).await?;
        let output = Output::of_manifest(&self.subject.repository, &subject);
        Ok(Done::new(Outcome::Passed, output.with("signers", signers(&counted))))
    }
}
