//! The COSE envelope: one signature, tagged.
//!
//! <https://github.com/notaryproject/specifications/blob/v1.1.0/specs/signature-envelope-cose.md>

use coset::{
    ContentType, CoseSign1, CoseSign1Builder, Header, HeaderBuilder, Label, RegisteredLabelWithPrivate,
    TaggedCborSerializable,
    cbor::value::Value,
    iana::{self, EnumI64},
};
use jiff::Timestamp;

use super::{
    Algorithm, Draft, EnvelopeError, Payload,
    headers::{
        AGENT, AUTHENTIC_SIGNING_TIME, EXPIRY, PLUGIN, PLUGIN_VERSION, Raw, SCHEME, SIGNING_AGENT, SIGNING_TIME,
        TIMESTAMP,
    },
    parts::Parts,
};
use crate::sign::certificate::Chain;

/// The chain of certificates.
const X5CHAIN: i64 = 33;
/// The tag of a time in seconds since 1970.
const EPOCH: u64 = 1;

/// Reads an envelope; nothing is checked.
pub(super) fn read(bytes: &[u8]) -> Result<Parts, EnvelopeError> {
    let envelope = CoseSign1::from_tagged_slice(bytes).map_err(EnvelopeError::malformed)?;
    let signed = envelope.tbs_data(&[]);
    let (algorithm, headers) = headers(envelope.protected.header)?;
    let mut certificates = None;
    let mut timestamp = None;
    for (label, value) in envelope.unprotected.rest {
        match (label, value) {
            (Label::Int(X5CHAIN), Value::Array(list)) if list.len() <= Chain::LONGEST => {
                let not_bytes = |_| EnvelopeError::header("x5chain", "is not a list of certificates");
                let ders = list.into_iter().map(|value| value.into_bytes().map_err(not_bytes));
                certificates = Some(ders.collect::<Result<_, _>>()?);
            }
            (Label::Int(X5CHAIN), Value::Array(_)) => {
                return Err(EnvelopeError::header("x5chain", "lists more certificates than a chain may have"));
            }
            (Label::Int(X5CHAIN), _) => return Err(EnvelopeError::header("x5chain", "is not a list of certificates")),
            (Label::Text(name), Value::Bytes(token)) if name == TIMESTAMP => {
                timestamp = Some(token).filter(|token| !token.is_empty());
            }
            (Label::Text(name), _) if name == TIMESTAMP => {
                return Err(EnvelopeError::header(TIMESTAMP, "is not a timestamp token"));
            }
            _ => {}
        }
    }
    Ok(Parts {
        algorithm,
        headers,
        certificates: certificates.ok_or_else(|| EnvelopeError::header("x5chain", "is missing"))?,
        timestamp,
        payload: envelope.payload.ok_or_else(|| EnvelopeError::malformed("it has no payload"))?,
        signature: envelope.signature,
        signed,
    })
}

fn headers(protected: Header) -> Result<(String, Raw), EnvelopeError> {
    let algorithm = match protected.alg {
        Some(RegisteredLabelWithPrivate::Assigned(algorithm)) => algorithm,
        Some(_) => return Err(EnvelopeError::header("alg", "names an algorithm that is not known")),
        None => return Err(EnvelopeError::header("alg", "is missing")),
    };
    // Shown and compared under the one name that both envelopes have for it.
    let known = Algorithm::ALL.into_iter().find(|known| identifier(*known) == algorithm);
    let algorithm = known.map_or_else(|| algorithm.to_i64().to_string(), |known| known.jws().to_owned());
    let mut raw = Raw {
        content_type: match protected.content_type {
            Some(ContentType::Text(text)) => Some(text),
            Some(_) => return Err(EnvelopeError::header("content type", "is not text")),
            None => None,
        },
        ..Raw::default()
    };
    for label in protected.crit {
        raw.critical.push(match label {
            RegisteredLabelWithPrivate::Text(name) => name,
            RegisteredLabelWithPrivate::Assigned(label) => label.to_i64().to_string(),
            RegisteredLabelWithPrivate::PrivateUse(label) => label.to_string(),
        });
    }
    for (label, value) in protected.rest {
        let name = match label {
            Label::Text(name) => name,
            Label::Int(number) => number.to_string(),
        };
        match name.as_str() {
            SCHEME => raw.scheme = Some(text(SCHEME, value)?),
            SIGNING_TIME => raw.signing_time = Some(time(SIGNING_TIME, &value)?),
            AUTHENTIC_SIGNING_TIME => raw.authentic_signing_time = Some(time(AUTHENTIC_SIGNING_TIME, &value)?),
            EXPIRY => raw.expiry = Some(time(EXPIRY, &value)?),
            PLUGIN => raw.plugin = Some(text(PLUGIN, value)?),
            PLUGIN_VERSION => raw.plugin_version = Some(text(PLUGIN_VERSION, value)?),
            _ => {
                // Only a plugin could read it, which gets JSON.
                raw.others.insert(name, serde_json::to_value(&value).unwrap_or_default());
            }
        }
    }
    Ok((algorithm, raw))
}

fn text(name: &'static str, value: Value) -> Result<String, EnvelopeError> {
    value.into_text().map_err(|_| EnvelopeError::header(name, "is not text"))
}

fn time(name: &'static str, value: &Value) -> Result<Timestamp, EnvelopeError> {
    let fail = || EnvelopeError::header(name, "is not a time: a tagged number of seconds since 1970");
    let Value::Tag(EPOCH, value) = value else { return Err(fail()) };
    let seconds = value.as_integer().and_then(|seconds| i64::try_from(i128::from(seconds)).ok()).ok_or_else(fail)?;
    Timestamp::from_second(seconds).map_err(|_| fail())
}

const fn identifier(algorithm: Algorithm) -> iana::Algorithm {
    match algorithm {
        Algorithm::Ps256 => iana::Algorithm::PS256,
        Algorithm::Ps384 => iana::Algorithm::PS384,
        Algorithm::Ps512 => iana::Algorithm::PS512,
        Algorithm::Es256 => iana::Algorithm::ES256,
        Algorithm::Es384 => iana::Algorithm::ES384,
        Algorithm::Es512 => iana::Algorithm::ES512,
    }
}

/// The headers of a draft: the same bytes each time.
fn protected(draft: &Draft) -> Header {
    let epoch = |time: Timestamp| Value::Tag(EPOCH, Box::new(Value::Integer(time.as_second().into())));
    let critical = |name: &str| RegisteredLabelWithPrivate::Text(name.to_owned());
    let mut header = HeaderBuilder::new()
        .algorithm(identifier(draft.algorithm))
        .add_critical_label(critical(SCHEME))
        .content_type(Payload::MEDIA_TYPE.to_owned())
        .text_value(SCHEME.to_owned(), Value::Text(draft.scheme.name().to_owned()))
        .text_value(draft.time_header().to_owned(), epoch(draft.signing_time));
    if draft.time_header() == AUTHENTIC_SIGNING_TIME {
        header = header.add_critical_label(critical(AUTHENTIC_SIGNING_TIME));
    }
    if let Some(expiry) = draft.expiry {
        header = header.add_critical_label(critical(EXPIRY)).text_value(EXPIRY.to_owned(), epoch(expiry));
    }
    header.build()
}

fn unsigned(draft: &Draft) -> CoseSign1Builder {
    CoseSign1Builder::new().protected(protected(draft)).payload(draft.payload.clone())
}

/// What the key signs.
pub(super) fn to_sign(draft: &Draft) -> Vec<u8> {
    unsigned(draft).build().tbs_data(&[])
}

/// The envelope of a signature over that.
pub(super) fn write(draft: &Draft, signature: &[u8], chain: &Chain, timestamp: Option<&[u8]>) -> Vec<u8> {
    let chain = chain.certificates().iter().map(|certificate| Value::Bytes(certificate.der().to_vec()));
    let mut header = HeaderBuilder::new()
        .value(X5CHAIN, Value::Array(chain.collect()))
        .text_value(SIGNING_AGENT.to_owned(), Value::Text(AGENT.to_owned()));
    if let Some(timestamp) = timestamp {
        header = header.text_value(TIMESTAMP.to_owned(), Value::Bytes(timestamp.to_vec()));
    }
    let envelope = unsigned(draft).unprotected(header.build()).signature(signature.to_vec()).build();
    // Everything in it was made here, and can be written.
    envelope.to_tagged_vec().unwrap_or_default()
}
