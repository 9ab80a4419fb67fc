use std::{collections::BTreeMap, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{key_source::KeySource, plugins::plugins, stand_in::StandIn};
use crate::{
    oci::{Descriptor, Manifest},
    sign::{
        Web,
        certificate::{Certificate, CertificateError, Chain, Purpose},
        key::{KeyError, PrivateKey},
        notation::{
            Algorithm, Capability, Described, Draft, Envelope, EnvelopeError, EnvelopeFormat, Generated,
            GeneratedEnvelope, Metadata, Payload, Plugin, PluginError, Refusal, SignatureManifest, SigningScheme,
        },
        timestamp::token_of,
    },
    step::{
        StepContext, StepError,
        signature::{Clock, signing::signing},
    },
};

/// Somebody who signs.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a step has one of them, and it is not moved about")]
pub(in crate::step) enum Signer {
    /// A key that is here.
    Key { key: Arc<PrivateKey>, algorithm: Algorithm, chain: Chain },
    /// A program that has a key, or reaches one.
    Plugin { plugin: Plugin, metadata: Metadata, id: String, config: Map<String, Value> },
}

/// What is signed besides the manifest, and how it is wrapped.
#[derive(Debug, Clone)]
pub(in crate::step) struct Wording {
    pub(in crate::step) envelope: EnvelopeFormat,
    pub(in crate::step) lifetime: Option<Duration>,
    pub(in crate::step) annotations: BTreeMap<String, String>,
    /// Who vouches for the time; a plugin that makes whole envelopes decides that itself.
    pub(in crate::step) scheme: SigningScheme,
    pub(in crate::step) clock: Option<Clock>,
    /// Whether it is for an image layout.
    pub(in crate::step) is_layout: bool,
}

/// A signature that nobody has yet.
#[derive(Debug)]
pub(in crate::step) struct Signed {
    pub(in crate::step) manifest: Manifest,
    pub(in crate::step) envelope: Vec<u8>,
    pub(in crate::step) chain: Chain,
}

impl Signer {
    /// The signer of that key, ready to sign: its certificates belong to it and count now.
    pub(super) async fn new(cx: &StepContext, source: KeySource) -> Result<Self, StepError> {
        match (source.read(cx).await?, source) {
            (Some([key, certificates]), _) => Self::of_key(&key, &certificates),
            (None, KeySource::Plugin { name, id, config }) => {
                let plugin = plugins(cx).map_or_else(
                    || Err(PluginError::Missing { name: name.clone(), path: "$HOME/.config/notation/plugins".into() }),
                    |plugins| plugins.find(&name),
                )?;
                let metadata = plugin.metadata(&config).await?;
                if !metadata.can(Capability::Signature) && !metadata.can(Capability::Envelope) {
                    return Err(PluginError::Incapable { name, what: "sign" }.into());
                }
                Ok(Self::Plugin { plugin, metadata, id, config })
            }
            (None, source) => Err(StepError::BrokenOff { message: format!("{source:?} cannot be read") }),
        }
    }

    /// A throw-away signer, for a rehearsal.
    pub(super) fn stand_in() -> Result<Self, StepError> {
        let StandIn { key, chain } =
            StandIn::get().map_err(|error| StepError::BrokenOff { message: error.to_string() })?;
        Ok(Self::Key { key, algorithm: Algorithm::Es256, chain })
    }

    fn of_key((key, pem): &(String, Vec<u8>), (path, certificates): &(String, Vec<u8>)) -> Result<Self, StepError> {
        let unusable = |source: KeyError| StepError::Key { key: key.clone(), source };
        let pem = str::from_utf8(pem).map_err(|_| unusable(KeyError::NoPrivateKey))?;
        let private = PrivateKey::from_pem(pem).map_err(unusable)?;
        let fail = |source: CertificateError| StepError::Certificate { path: path.clone(), source };
        let certificates = Certificate::from_file(certificates).map_err(fail)?;
        let chain = Chain::new(certificates, Purpose::Signing).map_err(fail)?;
        chain.check_validity(Timestamp::now()).map_err(fail)?;
        let public = chain.leaf().public_key().map_err(fail)?;
        let subject = || chain.leaf().subject().to_string();
        if public.spki_der() != private.public().spki_der() {
            return Err(StepError::OtherKey { key: key.clone(), subject: subject() });
        }
        let algorithm = Algorithm::of(&public).ok_or_else(|| EnvelopeError::Key { subject: subject() })?;
        Ok(Self::Key { key: Arc::new(private), algorithm, chain })
    }

    /// Whose certificates come along; nothing where only signing tells.
    pub(in crate::step) const fn chain(&self) -> Option<&Chain> {
        match self {
            Self::Key { chain, .. } => Some(chain),
            Self::Plugin { .. } => None,
        }
    }

    /// Signs `subject`.
    pub(in crate::step) async fn sign(
        &self,
        web: Option<&dyn Web>,
        subject: &Descriptor,
        wording: &Wording,
    ) -> Result<Signed, StepError> {
        let now = Timestamp::now();
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let draft = |algorithm| Draft {
            format: wording.envelope,
            algorithm,
            scheme: wording.scheme,
            signing_time: now,
            expiry: wording.lifetime.and_then(|lifetime| now.checked_add(lifetime).ok()),
            payload: Payload::new(subject, &wording.annotations).to_bytes(),
        };
        let (envelope, chain, more) = match self {
            Self::Key { key, algorithm, chain } => {
                let (draft, scheme) = (draft(*algorithm), algorithm.scheme());
                let message = draft.to_sign();
                let signed = signing(key, move |key| key.sign(scheme, &message)).await?;
                let name = || format!("the key of `{}`", chain.leaf().subject());
                let signature = signed.map_err(|source| StepError::Key { key: name(), source })?;
                let token = timestamp(web, wording, *algorithm, &signature).await?;
                (draft.seal(&signature, chain, token.as_deref()), chain.clone(), BTreeMap::new())
            }
            Self::Plugin { plugin, metadata, id, config } if metadata.can(Capability::Signature) => {
                let request = |more: Value| with(more, id, config);
                let described: Described = plugin.ask_with("describe-key", request(json!({}))).await?;
                let known = Algorithm::ALL.into_iter().find(|known| known.key_spec() == described.key_spec);
                let wrong = |problem: String| PluginError::Answer {
                    name: plugin.name().to_owned(),
                    command: "generate-signature",
                    problem,
                };
                let algorithm = known.ok_or_else(|| wrong(format!("its key is a `{}`", described.key_spec)))?;
                let draft = draft(algorithm);
                let generated: Generated = plugin
                    .ask_with(
                        "generate-signature",
                        request(json!({
                            "keySpec": algorithm.key_spec(),
                            "hashAlgorithm": algorithm.hash_name(),
                            "payload": STANDARD.encode(draft.to_sign()),
                        })),
                    )
                    .await?;
                if generated.key_id != *id || generated.signing_algorithm != algorithm.plugin_name() {
                    return Err(wrong("it has signed with another key or algorithm".to_owned()).into());
                }
                let certificates = generated.certificate_chain.iter().map(|der| Certificate::from_der(der));
                let chain = certificates.collect::<Result<_, _>>().and_then(|all| Chain::new(all, Purpose::Signing));
                let chain = chain.map_err(EnvelopeError::Certificate)?;
                let token = timestamp(web, wording, algorithm, &generated.signature).await?;
                (draft.seal(&generated.signature, &chain, token.as_deref()), chain, BTreeMap::new())
            }
            Self::Plugin { plugin, id, config, .. } => {
                let mut more = json!({
                    "payload": STANDARD.encode(Payload::new(subject, &wording.annotations).to_bytes()),
                    "payloadType": Payload::MEDIA_TYPE,
                    "signatureEnvelopeType": wording.envelope.media_type(),
                });
                if let Some(lifetime) = wording.lifetime {
                    more["expiryDurationInSeconds"] = json!(lifetime.as_secs());
                }
                let generated: GeneratedEnvelope = plugin.ask_with("generate-envelope", with(more, id, config)).await?;
                let wrong = |problem: &str| {
                    let (name, problem) = (plugin.name().to_owned(), problem.to_owned());
                    PluginError::Answer { name, command: "generate-envelope", problem }
                };
                if generated.signature_envelope_type != wording.envelope.media_type() {
                    return Err(wrong("its envelope is of another type").into());
                }
                let read = Envelope::read(&generated.signature_envelope_type, &generated.signature_envelope)?;
                if wording.clock.is_some() && read.timestamp.is_none() {
                    return Err(wrong("its envelope has no timestamp, and this one is sealed already").into());
                }
                (generated.signature_envelope, read.chain, generated.annotations)
            }
        };
        let read = Envelope::read(wording.envelope.media_type(), &envelope)?;
        let target = &read.payload.target_artifact;
        let says_all = wording.annotations.iter().all(|(name, value)| target.annotations.get(name) == Some(value));
        if !target.is(subject) || !says_all {
            return Err(StepError::Signature { source: Refusal::Foreign { about: target.digest.clone() } });
        }
        let manifest =
            SignatureManifest::write(subject, wording.envelope, &envelope, &chain, now, more, wording.is_layout)?;
        Ok(Signed { manifest, envelope, chain })
    }
}

/// A question to a plugin about a key.
fn with(more: Value, id: &str, config: &Map<String, Value>) -> Map<String, Value> {
    let mut request = match more {
        Value::Object(request) => request,
        _ => Map::new(),
    };
    request.insert("keyId".to_owned(), json!(id));
    request.insert("pluginConfig".to_owned(), json!(config));
    request
}

/// The token of a timestamp over `signature`, where one is asked for and somebody may be asked.
async fn timestamp(
    web: Option<&dyn Web>,
    wording: &Wording,
    algorithm: Algorithm,
    signature: &[u8],
) -> Result<Option<Vec<u8>>, StepError> {
    let (Some(web), Some(clock)) = (web, &wording.clock) else { return Ok(None) };
    let answer = clock.ask(web, algorithm.hash(), signature).await?;
    Ok(Some(token_of(&answer, None)?))
}
