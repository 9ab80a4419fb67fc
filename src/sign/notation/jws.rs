//! The JWS envelope: flattened JSON with one signature.
//!
//! <https://github.com/notaryproject/specifications/blob/v1.1.0/specs/signature-envelope-jws.md>

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    Draft, EnvelopeError, Payload,
    headers::{AGENT, AUTHENTIC_SIGNING_TIME, EXPIRY, PLUGIN, PLUGIN_VERSION, Raw, SCHEME, SIGNING_TIME, TIMESTAMP},
    parts::Parts,
};
use crate::sign::certificate::Chain;

#[derive(Serialize, Deserialize)]
struct Jws {
    payload: String,
    protected: String,
    header: Unprotected,
    signature: String,
}

#[derive(Serialize, Deserialize)]
struct Unprotected {
    #[serde(rename = "io.cncf.notary.timestampSignature", default, skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    x5c: Vec<String>,
    #[serde(rename = "io.cncf.notary.signingAgent", default, skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
}

/// Reads an envelope; nothing is checked.
pub(super) fn read(bytes: &[u8]) -> Result<Parts, EnvelopeError> {
    let jws: Jws = serde_json::from_slice(bytes).map_err(EnvelopeError::malformed)?;
    let protected = decode_url("protected", &jws.protected)?;
    let protected: Map<String, Value> = serde_json::from_slice(&protected).map_err(EnvelopeError::malformed)?;
    let (algorithm, headers) = headers(protected)?;
    if jws.header.x5c.len() > Chain::LONGEST {
        return Err(EnvelopeError::header("x5c", "lists more certificates than a chain may have"));
    }
    let certificates = jws.header.x5c.iter().map(|certificate| decode("x5c", certificate)).collect::<Result<_, _>>()?;
    let timestamp = jws.header.timestamp.as_deref().filter(|timestamp| !timestamp.is_empty());
    Ok(Parts {
        algorithm,
        headers,
        certificates,
        timestamp: timestamp.map(|timestamp| decode(TIMESTAMP, timestamp)).transpose()?,
        payload: decode_url("payload", &jws.payload)?,
        signature: decode_url("signature", &jws.signature)?,
        signed: format!("{}.{}", jws.protected, jws.payload).into_bytes(),
    })
}

fn decode_url(name: &'static str, text: &str) -> Result<Vec<u8>, EnvelopeError> {
    let fail = |_| EnvelopeError::header(name, "is not base64 as URLs have it, without padding");
    URL_SAFE_NO_PAD.decode(text).map_err(fail)
}

fn decode(name: &'static str, text: &str) -> Result<Vec<u8>, EnvelopeError> {
    STANDARD.decode(text).map_err(|_| EnvelopeError::header(name, "is not base64"))
}

fn headers(mut protected: Map<String, Value>) -> Result<(String, Raw), EnvelopeError> {
    let mut text = |name: &str| match protected.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(EnvelopeError::header(name, "is not text")),
    };
    let time = |name: &str, text: Option<String>| match text.map(|text| text.parse::<Timestamp>()) {
        None => Ok(None),
        Some(Ok(time)) => Ok(Some(time)),
        Some(Err(_)) => Err(EnvelopeError::header(name, "is not a time as RFC 3339 has it")),
    };
    let algorithm = text("alg")?.ok_or_else(|| EnvelopeError::header("alg", "is missing"))?;
    let mut raw = Raw {
        content_type: text("cty")?,
        scheme: text(SCHEME)?,
        signing_time: time(SIGNING_TIME, text(SIGNING_TIME)?)?,
        authentic_signing_time: time(AUTHENTIC_SIGNING_TIME, text(AUTHENTIC_SIGNING_TIME)?)?,
        expiry: time(EXPIRY, text(EXPIRY)?)?,
        plugin: text(PLUGIN)?,
        plugin_version: text(PLUGIN_VERSION)?,
        ..Raw::default()
    };
    let critical = protected.remove("crit").ok_or_else(|| EnvelopeError::header("crit", "is missing"))?;
    raw.critical =
        serde_json::from_value(critical).map_err(|_| EnvelopeError::header("crit", "is not a list of names"))?;
    raw.others = protected.into_iter().collect();
    Ok((algorithm, raw))
}

/// The headers of a draft, as they are signed.
fn protected(draft: &Draft) -> Map<String, Value> {
    let mut critical = vec![SCHEME];
    let mut headers = Map::new();
    headers.insert("alg".to_owned(), json!(draft.algorithm.jws()));
    headers.insert("cty".to_owned(), json!(Payload::MEDIA_TYPE));
    headers.insert(SCHEME.to_owned(), json!(draft.scheme.name()));
    headers.insert(draft.time_header().to_owned(), json!(draft.signing_time.to_string()));
    if draft.time_header() == AUTHENTIC_SIGNING_TIME {
        critical.push(AUTHENTIC_SIGNING_TIME);
    }
    if let Some(expiry) = draft.expiry {
        critical.push(EXPIRY);
        headers.insert(EXPIRY.to_owned(), json!(expiry.to_string()));
    }
    headers.insert("crit".to_owned(), json!(critical));
    headers
}

/// What the key signs.
pub(super) fn to_sign(draft: &Draft) -> Vec<u8> {
    let protected = Value::Object(protected(draft)).to_string();
    format!("{}.{}", URL_SAFE_NO_PAD.encode(protected), URL_SAFE_NO_PAD.encode(&draft.payload)).into_bytes()
}

/// The envelope of a signature over `signed`.
pub(super) fn write(signed: &[u8], signature: &[u8], chain: &Chain, timestamp: Option<&[u8]>) -> Vec<u8> {
    let signed = String::from_utf8_lossy(signed);
    let (protected, payload) = signed.split_once('.').unwrap_or_default();
    let envelope = Jws {
        payload: payload.to_owned(),
        protected: protected.to_owned(),
        header: Unprotected {
            timestamp: timestamp.map(|timestamp| STANDARD.encode(timestamp)),
            x5c: chain.certificates().iter().map(|certificate| STANDARD.encode(certificate.der())).collect(),
            agent: Some(AGENT.to_owned()),
        },
        signature: URL_SAFE_NO_PAD.encode(signature),
    };
    // Text and lists of it can always be written.
    serde_json::to_vec(&envelope).unwrap_or_default()
}
