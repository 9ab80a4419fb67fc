use std::collections::BTreeMap;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Declare, Done, Effects, FileOrSecret, Guess, Mode, Places, Step, StepContext, StepError, Thing,
    file::Layer,
    kind::{DIGEST, OutputInfo, REFERENCE, output},
    publish::push_blobs,
    reading::{append_effects, check_subject},
    several::several,
    signature::{
        IfSigned, Lifetime, SignatureFormat,
        notation::{Look, Signer, Wording},
    },
};
use crate::{
    event::Outcome,
    oci::{Descriptor, Digest, Reference},
    output::Output,
    plan::{Diagnostic, yaml::Spanned},
    sign::notation::{EnvelopeFormat, Payload, Trust},
    store::Store,
};

/// Signs manifests, so that others can tell who vouches for them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["subject"] }, { "required": ["subjects"] }]))]
pub struct Sign {
    /// The manifest to sign, by tag or digest.
    #[schemars(with = "Option<String>")]
    pub subject: Option<Spanned<Reference>>,
    /// Several of them, each signed on its own.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub subjects: Vec<Spanned<Reference>>,
    /// Whose signatures to make: `notation` for those of Notary Project.
    #[schemars(with = "SignatureFormat")]
    pub format: Spanned<SignatureFormat>,
    /// The private key: a file with PEM, or a secret.
    pub key: FileOrSecret,
    /// The certificate of the key and those of its issuers up to the root, PEM: a file or a secret.
    pub certificate_chain: FileOrSecret,
    /// How the signature is wrapped: `jws` by default.
    #[serde(default)]
    pub envelope: EnvelopeName,
    /// How long the signature counts, as `90d` or `12h`; for ever by default.
    pub expiry: Option<Lifetime>,
    /// What the signature says besides.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub annotations: BTreeMap<String, Spanned<String>>,
    /// What to do where the manifest is signed with that key already: `keep` by default.
    #[serde(default)]
    pub if_signed: IfSigned,
}

/// How a signature of Notary Project is wrapped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EnvelopeName {
    /// JSON.
    #[default]
    Jws,
    /// CBOR.
    Cose,
}

impl Declare for Sign {
    const NAME: &'static str = "sign";
    const SUMMARY: &'static str = "Signs manifests, so that others can tell who vouches for them.";
    const EXAMPLE: &'static str = "\
subject: localhost:5000/net-monitor:v1
format: notation
key: keys/release.key
certificate_chain: keys/release.crt
annotations: { build: \"123\" }
";
    const UNFORESEEABLE: Option<&'static str> = Some("a signature is different each time");
    const OUTPUTS: &'static [OutputInfo] = &[
        REFERENCE,
        DIGEST,
        output("signatures", "a list of `subject`, `digest` and `reference`, in the order of the subjects"),
    ];
    const CONTENT: &'static [&'static str] = &["annotations", "expiry", "envelope"];
}

/// How many subjects are signed at a time.
const SUBJECTS: usize = 8;

/// A signature that is there now.
struct Signed {
    subject: Digest,
    signature: Reference,
    outcome: Outcome,
}

impl Sign {
    fn all(&self) -> impl Iterator<Item = &Spanned<Reference>> {
        self.subject.iter().chain(&self.subjects)
    }

    fn wording(&self) -> Wording {
        let text = |(name, value): (&String, &Spanned<String>)| (name.clone(), value.value.clone());
        Wording {
            envelope: match self.envelope {
                EnvelopeName::Jws => EnvelopeFormat::Jws,
                EnvelopeName::Cose => EnvelopeFormat::Cose,
            },
            lifetime: self.expiry.map(|Lifetime(lifetime)| lifetime),
            annotations: self.annotations.iter().map(text).collect(),
        }
    }

    /// Signs one manifest, unless that was done.
    async fn one(
        &self,
        cx: &StepContext,
        reference: &Reference,
        signer: &Signer,
        wording: &Wording,
    ) -> Result<Signed, StepError> {
        let store = cx.open(&reference.repository);
        let subject = cx.resolve(reference).await?.plain();
        let done = |digest: &Digest, outcome| Signed {
            subject: subject.digest.clone(),
            signature: Reference::by_digest(reference.repository.clone(), digest.clone()),
            outcome,
        };
        let earlier = match self.if_signed {
            IfSigned::Add => Vec::new(),
            IfSigned::Keep | IfSigned::Replace => self.earlier(cx, &*store, &subject, signer, wording).await?,
        };
        if let (IfSigned::Keep, Some(kept)) = (self.if_signed, earlier.iter().find(|earlier| earlier.counts)) {
            let made = cx.made.contains(store.repository(), &kept.digest);
            return Ok(done(&kept.digest, if made { Outcome::Created } else { Outcome::Unchanged }));
        }
        let (manifest, envelope) = signer.sign(&subject, wording).await?;
        let fail = || StepError::store("attach the signature to", reference);
        let envelope = Layer::bytes(Descriptor::of(wording.envelope.media_type(), &envelope), envelope);
        cx.made.add(store.repository(), manifest.digest());
        push_blobs(cx, &*store, &[envelope, Layer::bytes(Descriptor::empty(), &b"{}"[..])]).await?;
        store.attach(&manifest).await.map_err(fail())?;
        if self.if_signed == IfSigned::Keep || earlier.is_empty() {
            return Ok(done(manifest.digest(), Outcome::Created));
        }
        // The new one is there: now the earlier ones may go.
        let gone: Vec<Digest> = earlier.into_iter().map(|earlier| earlier.digest).collect();
        store.unlist(&subject.digest, &gone).await.map_err(fail())?;
        for digest in &gone {
            store.delete_manifest(digest).await.map_err(StepError::store("delete the signature", digest))?;
        }
        Ok(done(manifest.digest(), Outcome::Updated))
    }

    /// The signatures of that key that are there.
    async fn earlier(
        &self,
        cx: &StepContext,
        store: &dyn Store,
        subject: &Descriptor,
        signer: &Signer,
        wording: &Wording,
    ) -> Result<Vec<Earlier>, StepError> {
        // Nothing can be attached to what this run brought, unless this run did.
        if cx.made.contains(store.repository(), &subject.digest) && store.attached(&subject.digest).is_empty() {
            return Ok(Vec::new());
        }
        let root = signer.chain().certificates().last().cloned();
        let trust = Trust::in_authorities(root);
        let look = Look { store, subject, trust: &trust, annotations: &wording.annotations };
        let mut found = Vec::new();
        for (manifest, envelope) in look.envelopes().await? {
            let Ok(envelope) = envelope else { continue };
            if envelope.chain.leaf() == signer.chain().leaf() && envelope.payload.target_artifact.is(subject) {
                found.push(Earlier { digest: manifest.digest, counts: look.verify(&envelope).await.is_ok() });
            }
        }
        Ok(found)
    }
}

/// A signature of the same key that was there before.
struct Earlier {
    digest: Digest,
    /// Whether it verifies and says what the new one would.
    counts: bool,
}

#[async_trait]
impl Step for Sign {
    fn effects(&self, places: &Places) -> Effects {
        let effects = Effects::default();
        let effects = self.sources().into_iter().fold(effects, |effects, path| effects.read(places.read_thing(path)));
        self.all().fold(effects, |effects, subject| {
            let effects = append_effects(effects, subject, places);
            if self.if_signed == IfSigned::Replace {
                effects.write(Thing::graph(&places.repository(&subject.repository)))
            } else {
                effects
            }
        })
    }

    fn lacks(&self, _: Mode) -> &'static [(&'static str, &'static str)] {
        match self.subject {
            Some(_) => &[],
            None => {
                &[("digest", "say `subject`, or use `signatures`"), ("reference", "say `subject`, or use `signatures`")]
            }
        }
    }

    fn check(&self, _: &Places) -> Vec<Diagnostic> {
        let mut wrong: Vec<_> = self.all().filter_map(check_subject).collect();
        if self.subject.is_some() != self.subjects.is_empty() {
            wrong.push(Diagnostic::new("`sign` needs one of `subject` and `subjects`").at(self.format.span));
        }
        let reserved = self.annotations.iter().filter(|(name, _)| name.starts_with(Payload::RESERVED));
        wrong.extend(reserved.map(|(name, value)| {
            let message = format!("the annotation `{name}` belongs to Notary Project");
            Diagnostic::new(message).at(value.span).help("choose a name that does not begin with `io.cncf.notary`")
        }));
        wrong
    }

    fn sources(&self) -> Vec<&Spanned<String>> {
        [&self.key, &self.certificate_chain].into_iter().filter_map(FileOrSecret::file).collect()
    }

    fn subject(&self) -> Option<(&'static str, &Reference)> {
        self.subject.as_ref().map(|subject| ("subject", &subject.value))
    }

    fn foresee(&self, guess: &Guess<'_>) -> Output {
        let signature = |subject: &Spanned<Reference>| {
            let digest = guess.digest("signatures");
            let reference = Reference::by_digest(subject.repository.clone(), digest.clone());
            let about = subject.digest.clone().unwrap_or_else(|| guess.digest("subject"));
            json!({ "subject": about.to_string(), "digest": digest.to_string(), "reference": reference.to_string() })
        };
        let output = guess.output().with("signatures", self.all().map(signature).collect::<Value>());
        match &self.subject {
            Some(subject) => {
                let digest = guess.digest("digest");
                let reference = Reference::by_digest(subject.repository.clone(), digest.clone());
                output.with("digest", digest.to_string()).with("reference", reference.to_string())
            }
            None => output,
        }
    }

    async fn run(&self, cx: &StepContext) -> Result<Done, StepError> {
        let signer = Signer::read(cx, &self.key, &self.certificate_chain).await?;
        let wording = self.wording();
        let signatures = self.all().map(|subject| self.one(cx, subject, &signer, &wording));
        let signed = several(SUBJECTS, signatures.collect()).await?;
        let has = |wanted: fn(&Outcome) -> bool| signed.iter().any(|signed| wanted(&signed.outcome));
        let outcome = if has(|outcome| matches!(outcome, Outcome::Updated)) {
            Outcome::Updated
        } else if has(|outcome| matches!(outcome, Outcome::Created)) {
            Outcome::Created
        } else {
            Outcome::Unchanged
        };
        let describe = |signed: &Signed| {
            let (subject, reference) = (signed.subject.to_string(), signed.signature.to_string());
            let digest = signed.signature.digest.as_ref().map(ToString::to_string);
            json!({ "subject": subject, "digest": digest, "reference": reference })
        };
        let output = Output::default().with("signatures", signed.iter().map(describe).collect::<Value>());
        let output = match (&self.subject, signed.first()) {
            (Some(_), Some(Signed { signature, .. })) => {
                let digest = signature.digest.as_ref().map(ToString::to_string).unwrap_or_default();
                output.with("digest", digest).with("reference", signature.to_string())
            }
            _ => output,
        };
        Ok(Done::new(outcome, output))
    }
}
