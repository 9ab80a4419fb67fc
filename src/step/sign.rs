use std::{borrow::Cow, collections::BTreeMap};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Declare, Done, EffectInfo, Effects, FileOrSecret, Guess, Mode, Places, Sort, Step, StepContext, StepError, Thing,
    effect_info::{adds, changes, reads},
    kind::{DIGEST, OutputInfo, REFERENCE, output},
    reading::{append_effects, check_changed},
    several::several,
    signature::{
        Attached, Clock, EnvelopeName, IfSigned, Lifetime, PluginKey, SchemeName, SignatureFormat, TimestampService,
        Unsigned, cosign,
        notation::{NAMED, Signing},
    },
};
use crate::{
    event::Outcome,
    oci::Reference,
    output::Output,
    plan::{
        Diagnostic, Span,
        yaml::{SecretName, Spanned},
    },
    sign::notation::{Payload, Plugins},
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
    /// Whose signatures to make: `notation` for those of Notary Project, `cosign` for those of Sigstore.
    #[schemars(with = "SignatureFormat")]
    pub format: Spanned<SignatureFormat>,
    /// The private key: a file with PEM, with `format: cosign` also one that a password opens; or a secret. With
    /// `format: notation` also `notation:NAME`, for one of notation's `signingkeys.json`.
    pub key: Option<FileOrSecret>,
    /// The certificate of the key and those of its issuers up to the root, PEM: a file or a secret. With
    /// `format: notation` it must be there.
    pub certificate_chain: Option<FileOrSecret>,
    /// A key that a plugin of notation has; instead of `key`.
    pub plugin: Option<PluginKey>,
    /// The password of the key, a secret. By default the environment variable `COSIGN_PASSWORD`.
    pub password: Option<Spanned<SecretName>>,
    /// How the signature is wrapped: `jws` by default, with `format: cosign` `bundle`.
    #[schemars(with = "Option<EnvelopeName>")]
    pub envelope: Option<Spanned<EnvelopeName>>,
    /// Who vouches for the time: `x509` by default; `signing_authority` where the key is that of an authority that signs for
    /// others. With `format: notation`.
    #[schemars(with = "Option<SchemeName>")]
    pub scheme: Option<Spanned<SchemeName>>,
    /// How long the signature counts, as `90d` or `12h`; for ever by default.
    pub expiry: Option<Lifetime>,
    /// A service that says when it was signed, so that the signature counts longer than its certificates.
    pub timestamp: Option<TimestampService>,
    /// What the signature says besides.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub annotations: BTreeMap<String, Spanned<String>>,
    /// What to do where the manifest is signed with that key already: `keep` by default.
    #[serde(default)]
    pub if_signed: IfSigned,
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
    const MORE: &'static [&'static str] = &[
        "\
subjects: [localhost:5000/net-monitor:v1, localhost:5000/net-monitor:v2]
format: notation
plugin: { name: azure-kv, key_id: \"https://vault.example.com/keys/release/1\", config: { ca_certs: keys/ca.pem } }
envelope: cose
expiry: 90d
timestamp: { url: \"http://timestamp.example.com\", certificates: [keys/timestamp-root.crt] }
if_signed: replace
",
        "\
subject: localhost:5000/net-monitor:v1
format: notation
key: keys/release.key
certificate_chain: keys/release.crt
scheme: signing_authority
",
        "\
subject: localhost:5000/net-monitor:v1
format: cosign
key: keys/cosign.key
password: ${{ KEY_PASSWORD }}
envelope: simple_signing
",
    ];
    const EFFECTS: &'static [EffectInfo] = &[
        reads(Sort::Path, "of keys and certificates"),
        reads(Sort::Tag, "in `subject` and `subjects`, where no digest is"),
        adds(Sort::Graph, "of the repository in `subject` and `subjects`"),
        changes(Sort::Graph, "of that repository, with `if_signed: replace`"),
        changes(Sort::Tag, "`sha256-….sig`, with `envelope: simple_signing`"),
        adds(Sort::TagList, "of that repository, with `envelope: simple_signing`"),
    ];
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

impl Sign {
    fn all(&self) -> impl Iterator<Item = &Spanned<Reference>> {
        self.subject.iter().chain(&self.subjects)
    }

    pub(super) fn envelope(&self) -> Option<EnvelopeName> {
        self.envelope.as_ref().map(|envelope| envelope.value)
    }

    /// What belongs to the other format, or is missing for this one.
    fn check_format(&self) -> Vec<Diagnostic> {
        let mut wrong = Vec::new();
        let format = self.format.value;
        let mut foreign = |field: &str, span: Span| {
            let message = format!("{field} means nothing with `format: {}`", format.word());
            wrong.push(Diagnostic::new(message).at(span).help("leave one of them out"));
        };
        if let Some(envelope) = self.envelope.as_ref().filter(|envelope| envelope.format() != format) {
            foreign(&format!("`envelope: {}`", envelope.word()), envelope.span);
        }
        match format {
            SignatureFormat::Notation => {
                if let Some(password) = &self.password {
                    foreign("`password`", password.span);
                }
            }
            SignatureFormat::Cosign => {
                if let Some(path) = self.certificate_chain.as_ref().and_then(FileOrSecret::file) {
                    foreign("`certificate_chain`", path.span);
                }
                if self.expiry.is_some() {
                    foreign("`expiry`", self.format.span);
                }
                if let Some(scheme) = &self.scheme {
                    foreign(&format!("`scheme: {}`", scheme.value.word()), scheme.span);
                }
            }
        }
        wrong
    }

    /// What an authority that signs for others cannot do.
    fn check_scheme(&self) -> Option<Diagnostic> {
        let scheme = self.scheme.as_ref().filter(|_| self.format.value == SignatureFormat::Notation)?;
        let (message, help) = match (scheme.value, &self.plugin, &self.timestamp) {
            (SchemeName::SigningAuthority, _, Some(_)) => {
                ("a signing authority says itself when it signs", "leave `timestamp` out")
            }
            (SchemeName::SigningAuthority, Some(_), _) => {
                ("a plugin that signs for others says so itself", "leave `scheme` out")
            }
            _ => return None,
        };
        Some(Diagnostic::new(message).at(scheme.span).help(help))
    }

    async fn sign_all(&self, cx: &StepContext) -> Result<Vec<Attached>, StepError> {
        let unsigned = match self.if_signed {
            IfSigned::Add => Unsigned::default(),
            IfSigned::Keep | IfSigned::Replace => Unsigned::ask(cx, self.all().map(|subject| &subject.value)).await,
        };
        if let (SignatureFormat::Cosign, Some(key)) = (self.format.value, &self.key) {
            let password = self.password.as_ref().map(|password| &password.value);
            let annotations = self.annotations.iter().map(|(name, value)| (name.clone(), value.value.clone()));
            let signing = cosign::Signing {
                signer: cosign::Signer::new(cosign::private_key(cx, key, password).await?),
                is_tagged: self.envelope() == Some(EnvelopeName::SimpleSigning),
                annotations: annotations.collect(),
                clock: Clock::read(cx, self.timestamp.as_ref()).await?,
                if_signed: self.if_signed,
                unsigned,
            };
            let signatures = self.all().map(|subject| signing.one(cx, subject));
            return several(SUBJECTS, signatures.collect()).await;
        }
        let signing = Signing::prepare(cx, self, unsigned).await?;
        let signatures = self.all().map(|subject| signing.sign(subject));
        several(SUBJECTS, signatures.collect()).await
    }

    /// Whether the key is one that notation knows by a name.
    fn is_named(&self) -> bool {
        self.key.as_ref().and_then(FileOrSecret::file).is_some_and(|key| key.starts_with(NAMED))
    }

    /// What is wrong with what says who signs.
    fn check_key(&self) -> Option<Diagnostic> {
        let is_notation = self.format.value == SignatureFormat::Notation;
        let (key, chain) = (self.key.is_some(), self.certificate_chain.is_some());
        let (message, help) = match &self.plugin {
            Some(_) if !is_notation => ("`plugin` means nothing with `format: cosign`", "write `key: FILE`"),
            Some(_) if key => ("`sign` needs one of `key` and `plugin`", "leave one of them out"),
            None if !key && is_notation => {
                ("`sign` needs one of `key` and `plugin`", "write `key: FILE` with `certificate_chain: FILE`")
            }
            None if !key => ("`sign` has no `key`", "write `key: FILE`"),
            None if !is_notation => return None,
            Some(_) if chain => ("a plugin brings its certificates along", "leave `certificate_chain` out"),
            None if self.is_named() && chain => ("notation knows the certificates", "leave `certificate_chain` out"),
            None if !self.is_named() && !chain => (
                "`sign` has no `certificate_chain`",
                "write `certificate_chain: FILE`, the certificate of the key and those of its issuers",
            ),
            _ => return None,
        };
        Some(Diagnostic::new(message).at(self.format.span).help(help))
    }
}

#[async_trait]
impl Step for Sign {
    fn effects(&self, places: &Places) -> Effects {
        let effects = Effects::default();
        let effects = self.sources().into_iter().fold(effects, |effects, path| effects.read(places.read_thing(path)));
        self.all().fold(effects, |effects, subject| {
            let mut effects = append_effects(effects, subject, places);
            if self.envelope() == Some(EnvelopeName::SimpleSigning) {
                let repository = places.repository(&subject.repository);
                effects = effects.write(Thing::signature_tags(&repository)).append(Thing::tag_list(&repository));
            }
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
        let mut wrong: Vec<_> = self.all().filter_map(check_changed).collect();
        if self.subject.is_some() != self.subjects.is_empty() {
            wrong.push(Diagnostic::new("`sign` needs one of `subject` and `subjects`").at(self.format.span));
        }
        let reserved = self.annotations.iter().filter(|(name, _)| name.starts_with(Payload::RESERVED));
        wrong.extend(reserved.map(|(name, value)| {
            let message = format!("the annotation `{name}` belongs to Notary Project");
            Diagnostic::new(message).at(value.span).help("choose a name that does not begin with `io.cncf.notary`")
        }));
        wrong.extend(self.check_format());
        wrong.extend(self.check_key());
        wrong.extend(self.check_scheme());
        wrong.extend(self.timestamp.as_ref().and_then(TimestampService::check));
        wrong
    }

    fn sources(&self) -> Vec<&Spanned<String>> {
        let files = [&self.key, &self.certificate_chain].into_iter().flatten().filter_map(FileOrSecret::file);
        let clocks = self.timestamp.iter().flat_map(TimestampService::sources);
        files.filter(|key| !key.starts_with(NAMED)).chain(clocks).collect()
    }

    fn runs(&self) -> Option<Cow<'_, str>> {
        self.plugin.as_ref().map(|plugin| Plugins::program(&plugin.name).into())
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
        let signed = self.sign_all(cx).await?;
        let has = |wanted: fn(&Outcome) -> bool| signed.iter().any(|signed| wanted(&signed.outcome));
        let outcome = if has(|outcome| matches!(outcome, Outcome::Updated)) {
            Outcome::Updated
        } else if has(|outcome| matches!(outcome, Outcome::Created)) {
            Outcome::Created
        } else {
            Outcome::Unchanged
        };
        let describe = |signed: &Attached| {
            let (subject, reference) = (signed.subject.to_string(), signed.signature.to_string());
            let digest = signed.signature.digest.as_ref().map(ToString::to_string);
            json!({ "subject": subject, "digest": digest, "reference": reference })
        };
        let output = Output::default().with("signatures", signed.iter().map(describe).collect::<Value>());
        let output = match (&self.subject, signed.first()) {
            (Some(_), Some(Attached { signature, .. })) => {
                let digest = signature.digest.as_ref().map(ToString::to_string).unwrap_or_default();
                output.with("digest", digest).with("reference", signature.to_string())
            }
            _ => output,
        };
        Ok(Done::new(outcome, output))
    }
}
