//! Signatures of Notary Project: an envelope, JWS or COSE, with the certificates of the signer.
//!
//! An [`Envelope`] that exists was signed by the key of its first certificate; whether that is enough, [`Verification`]
//! says, against a [`Trust`].
//!
//! <https://github.com/notaryproject/specifications/blob/v1.1.0/specs/signature-specification.md>

mod algorithm;
mod cose;
mod draft;
mod envelope;
mod envelope_error;
mod envelope_format;
mod headers;
mod home;
mod identities;
mod jws;
mod level;
mod parts;
mod payload;
mod plugin;
mod plugin_check;
mod policy_error;
mod refusal;
mod signature_manifest;
mod signing_scheme;
mod store_name;
mod trust;
mod trust_policy;
mod verification;
mod verified;

pub use self::{
    algorithm::Algorithm,
    draft::Draft,
    envelope::Envelope,
    envelope_error::EnvelopeError,
    envelope_format::EnvelopeFormat,
    headers::SignedHeaders,
    home::{Home, NamedKey, NamedKeyError},
    identities::Identities,
    level::{Action, Level},
    payload::{Payload, TargetArtifact},
    plugin::{
        Capability, Described, Generated, GeneratedEnvelope, Metadata, Plugin, PluginError, PluginVerdict, Plugins,
        VerificationResult,
    },
    policy_error::PolicyError,
    refusal::Refusal,
    signature_manifest::SignatureManifest,
    signing_scheme::SigningScheme,
    store_name::{StoreKind, StoreName},
    trust::{TimestampRule, Trust},
    trust_policy::{Checks, Policy, TrustPolicy},
    verification::Verification,
    verified::Verified,
};

#[cfg(test)]
mod tests;
