//! X.509 certificates as signatures need them: reading, names, and the rules that a chain must keep.
//!
//! The rules are those of Notary Project, which differ from those of TLS: a chain is complete up to a self-signed end, a
//! leaf may be its own root, and what a key may be used for is said by its usage and not by its name. Whether a chain is
//! trusted is asked elsewhere.
//!
//! <https://github.com/notaryproject/specifications/blob/v1.1.0/specs/signature-specification.md#certificate-requirements>

#[expect(clippy::module_inception, reason = "the noun of this module")]
mod certificate;
mod chain;
mod error;
mod known_chains;
mod name;
mod purpose;
mod raw;
mod rules;
mod self_signed;
mod signature_algorithm;
mod validity;

pub use self::{
    certificate::Certificate,
    chain::Chain,
    error::CertificateError,
    name::{Name, NameError},
    purpose::Purpose,
    signature_algorithm::SignatureAlgorithm,
    validity::Validity,
};

pub(in crate::sign) use self::raw::signed_part;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
