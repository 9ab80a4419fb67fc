use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use super::{Refusal, Statement, dsse, schemes};
use crate::sign::key::{Hash, KeyError, PrivateKey, PublicKey};

/// A statement, signed, with what it takes to verify it.
///
/// One that exists has exactly one signature, which nobody has looked at yet.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// Which key signed, as the bundle says; nobody vouches for it.
    hint: Option<String>,
    payload: Vec<u8>,
    signature: Vec<u8>,
    timestamps: Vec<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    media_type: String,
    verification_material: Material,
    #[serde(skip_serializing_if = "Option::is_none")]
    dsse_envelope: Option<Envelope>,
    #[serde(default, skip_serializing)]
    message_signature: Option<serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<KeyHint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp_verification_data: Option<Timestamps>,
}

#[derive(Serialize, Deserialize)]
struct KeyHint {
    #[serde(default)]
    hint: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Timestamps {
    #[serde(default)]
    rfc3161_timestamps: Vec<SignedTimestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignedTimestamp {
    signed_timestamp: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Serialize, Deserialize)]
struct EnvelopeSignature {
    sig: String,
    #[serde(default, skip_serializing)]
    keyid: String,
}

/// How many timestamps of one signature are kept.
const TIMESTAMPS: usize = 8;

impl Bundle {
    /// What a bundle is, as a blob and as an artifact.
    pub const MEDIA_TYPE: &'static str = "application/vnd.dev.sigstore.bundle.v0.3+json";
    /// The largest bundle that is read: attestations have SBOMs in them.
    pub const LARGEST: u64 = 32 * 1024 * 1024;

    /// Whether that is the media type of a bundle, of whatever version.
    pub fn is_media_type(media_type: &str) -> bool {
        media_type.starts_with("application/vnd.dev.sigstore.bundle.v0.")
            || media_type.starts_with("application/vnd.dev.sigstore.bundle+json")
    }

    /// The statement, signed with that key.
    pub fn sign(statement: &Statement, key: &PrivateKey) -> Result<Self, KeyError> {
        let payload = statement.to_bytes();
        let kind = key.public().kind();
        let scheme = schemes::signing_scheme(kind).ok_or(KeyError::Scheme { kind })?;
        let signature = key.sign(scheme, &dsse::encode(dsse::IN_TOTO, &payload))?;
        Ok(Self { hint: Some(hint(key.public())), payload, signature, timestamps: Vec::new() })
    }

    /// The signature alone: what a timestamp is about.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The same with what a timestamp service answered, DER.
    #[must_use]
    pub fn with_timestamp(mut self, response: Vec<u8>) -> Self {
        self.timestamps.push(response);
        self
    }

    /// What timestamp services answered, DER.
    pub fn timestamps(&self) -> &[Vec<u8>] {
        &self.timestamps
    }

    /// As it is stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        let timestamps = self.timestamps.iter().map(|der| SignedTimestamp { signed_timestamp: STANDARD.encode(der) });
        let timestamps: Vec<_> = timestamps.collect();
        let wire = Wire {
            media_type: Self::MEDIA_TYPE.to_owned(),
            verification_material: Material {
                public_key: self.hint.clone().map(|hint| KeyHint { hint }),
                timestamp_verification_data: (!timestamps.is_empty())
                    .then_some(Timestamps { rfc3161_timestamps: timestamps }),
            },
            dsse_envelope: Some(Envelope {
                payload: STANDARD.encode(&self.payload),
                payload_type: dsse::IN_TOTO.to_owned(),
                signatures: vec![EnvelopeSignature { sig: STANDARD.encode(&self.signature), keyid: String::new() }],
            }),
            message_signature: None,
        };
        // Nothing but text and lists, which JSON can hold.
        serde_json::to_vec(&wire).unwrap_or_default()
    }

    /// Takes a bundle apart that is about a manifest.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let wire: Wire =
            serde_json::from_slice(bytes).map_err(|error| Refusal::bad(format!("it is no bundle: {error}")))?;
        if !Self::is_media_type(&wire.media_type) {
            return Err(Refusal::bad(format!("`{}` is no version of a bundle", wire.media_type)));
        }
        let Some(envelope) = wire.dsse_envelope.filter(|_| wire.message_signature.is_none()) else {
            return Err(Refusal::bad("the bundle signs a file, not a manifest: it has no `dsseEnvelope` alone"));
        };
        if envelope.payload_type != dsse::IN_TOTO {
            return Err(Refusal::bad(format!("its payload is `{}`, not `{}`", envelope.payload_type, dsse::IN_TOTO)));
        }
        let [signature] = envelope.signatures.as_slice() else {
            return Err(Refusal::bad(format!("the bundle has {} signatures, where one is", envelope.signatures.len())));
        };
        // cosign refuses these: a reader that picks keys by them would believe another one.
        if !signature.keyid.is_empty() {
            return Err(Refusal::bad("its signature names a key in `keyid`"));
        }
        let decode = |text: &str, what: &str| {
            STANDARD.decode(text).map_err(|_| Refusal::bad(format!("its {what} is not base64")))
        };
        let material = wire.verification_material;
        let timestamps = material.timestamp_verification_data.map(|data| data.rfc3161_timestamps).unwrap_or_default();
        let timestamps = timestamps.iter().take(TIMESTAMPS);
        Ok(Self {
            hint: material.public_key.map(|key| key.hint).filter(|hint| !hint.is_empty()),
            payload: decode(&envelope.payload, "payload")?,
            signature: decode(&signature.sig, "signature")?,
            timestamps: timestamps.map(|one| decode(&one.signed_timestamp, "timestamp")).collect::<Result<_, _>>()?,
        })
    }

    /// What it would say, if the signature were right.
    pub(super) fn statement(&self) -> Result<Statement, Refusal> {
        Statement::read(&self.payload)
    }

    /// What one of the keys signed, with that key.
    pub fn verify<'a>(&self, keys: &'a [PublicKey]) -> Result<(Statement, &'a PublicKey), Refusal> {
        let message = dsse::encode(dsse::IN_TOTO, &self.payload);
        let signer = keys.iter().find(|key| schemes::verify(key, &message, &self.signature).is_ok());
        let Some(signer) = signer else {
            let says_ours = keys.iter().any(|key| self.hint.as_ref().is_some_and(|said| *said == hint(key)));
            return Err(if says_ours { Refusal::Broken } else { Refusal::Stranger { hint: self.hint.clone() } });
        };
        Ok((self.statement()?, signer))
    }
}

/// How cosign names a key: base64 of the SHA-256 of its `SubjectPublicKeyInfo`.
pub fn hint(key: &PublicKey) -> String {
    STANDARD.encode(Hash::Sha256.of(key.spki_der()))
}
