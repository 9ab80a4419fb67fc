//! The headers of an envelope that its signature covers, whichever way they are written.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{EnvelopeError, Payload, SigningScheme};

pub(super) const SCHEME: &str = "io.cncf.notary.signingScheme";
pub(super) const SIGNING_TIME: &str = "io.cncf.notary.signingTime";
pub(super) const AUTHENTIC_SIGNING_TIME: &str = "io.cncf.notary.authenticSigningTime";
pub(super) const EXPIRY: &str = "io.cncf.notary.expiry";
pub(super) const PLUGIN: &str = "io.cncf.notary.verificationPlugin";
pub(super) const PLUGIN_VERSION: &str = "io.cncf.notary.verificationPluginMinVersion";
/// Not covered by the signature.
pub(super) const SIGNING_AGENT: &str = "io.cncf.notary.signingAgent";
/// Not covered by the signature, but a signature itself.
pub(super) const TIMESTAMP: &str = "io.cncf.notary.timestampSignature";

/// Who made an envelope.
pub(super) const AGENT: &str = concat!("consign/", env!("CARGO_PKG_VERSION"));

/// The headers as they stand there: times read, nothing checked.
#[derive(Debug, Default)]
pub(super) struct Raw {
    pub(super) content_type: Option<String>,
    pub(super) critical: Vec<String>,
    pub(super) scheme: Option<String>,
    pub(super) signing_time: Option<Timestamp>,
    pub(super) authentic_signing_time: Option<Timestamp>,
    pub(super) expiry: Option<Timestamp>,
    pub(super) plugin: Option<String>,
    pub(super) plugin_version: Option<String>,
    /// What else stands there.
    pub(super) others: BTreeMap<String, Value>,
}

/// The headers, checked together.
#[derive(Debug, Clone, PartialEq)]
pub struct SignedHeaders {
    /// Who vouches for the time.
    pub scheme: SigningScheme,
    /// When it was signed: as the signer says, or with [`SigningScheme::SigningAuthority`] as the authority does.
    pub signing_time: Timestamp,
    /// Until when it counts.
    pub expiry: Option<Timestamp>,
    /// The plugin without which it must not be accepted, and its lowest version.
    pub plugin: Option<(String, Option<String>)>,
    /// Critical attributes that only the plugin can understand.
    pub extended: BTreeMap<String, Value>,
}

impl Raw {
    /// <https://github.com/notaryproject/specifications/blob/v1.1.0/specs/signature-specification.md#signed-attributes>
    pub(super) fn check(self) -> Result<SignedHeaders, EnvelopeError> {
        let absent = |name| EnvelopeError::header(name, "is missing");
        match self.content_type.as_deref() {
            Some(Payload::MEDIA_TYPE) => {}
            Some(_) => return Err(EnvelopeError::header("cty", "is not that of a Notary Project payload")),
            None => return Err(absent("cty")),
        }
        let scheme = self.scheme.ok_or_else(|| absent(SCHEME))?;
        let scheme = SigningScheme::named(&scheme)
            .ok_or_else(|| EnvelopeError::header(SCHEME, "names a scheme that is not known"))?;
        let mut must = vec![SCHEME];
        let (signing_time, name, other) = match scheme {
            SigningScheme::X509 => {
                (self.signing_time, SIGNING_TIME, self.authentic_signing_time.map(|_| AUTHENTIC_SIGNING_TIME))
            }
            SigningScheme::SigningAuthority => {
                must.push(AUTHENTIC_SIGNING_TIME);
                (self.authentic_signing_time, AUTHENTIC_SIGNING_TIME, self.signing_time.map(|_| SIGNING_TIME))
            }
        };
        if let Some(other) = other {
            return Err(EnvelopeError::header(other, "does not belong to its signing scheme"));
        }
        let signing_time = signing_time.ok_or_else(|| absent(name))?;
        must.extend(self.expiry.map(|_| EXPIRY));
        must.extend(self.plugin.as_ref().map(|_| PLUGIN));
        must.extend(self.plugin_version.as_ref().map(|_| PLUGIN_VERSION));
        if let Some(name) = must.iter().find(|name| !self.critical.iter().any(|critical| critical == *name)) {
            return Err(EnvelopeError::NotCritical { name });
        }
        if self.expiry.is_some_and(|expiry| expiry <= signing_time) {
            return Err(EnvelopeError::ExpiresEarly);
        }
        let mut others = self.others;
        let mut extended = BTreeMap::new();
        for name in self.critical {
            if must.contains(&name.as_str()) {
                continue;
            }
            let Some(value) = others.remove(&name) else {
                return Err(EnvelopeError::header(name, "is listed as critical, and is missing"));
            };
            // Whoever does not understand it must not accept the signature, whatever the others do.
            if self.plugin.is_none() {
                return Err(EnvelopeError::UnknownCritical { name });
            }
            extended.insert(name, value);
        }
        let version = self.plugin_version;
        if self.plugin.is_none() && version.is_some() {
            return Err(absent(PLUGIN));
        }
        let plugin = self.plugin.map(|plugin| (plugin, version));
        Ok(SignedHeaders { scheme, signing_time, expiry: self.expiry, plugin, extended })
    }
}
