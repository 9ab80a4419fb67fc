//! Signatures in repositories: finding them, looking at them, and bringing new ones.
//!
//! What a signature is and whom to trust is decided in [`crate::sign`]; here it meets stores, the files that a plan names,
//! and the words of the plan.

mod attached;
mod clock;
pub(super) mod cosign;
mod demand;
mod envelope_name;
mod files;
mod finding;
mod format;
mod identity_fields;
mod if_signed;
mod key_fields;
mod lifetime;
mod mark;
pub(super) mod notation;
mod predicate_name;
mod requirement;
mod scheme_name;
mod signing;
#[cfg(test)]
mod tests;
mod trusted;
mod unsigned;

pub(super) use self::{
    attached::Attached,
    clock::Clock,
    demand::VerifyFields,
    finding::{Finding, Signature},
    unsigned::Unsigned,
};
pub use self::{
    demand::Demand,
    envelope_name::EnvelopeName,
    format::SignatureFormat,
    identity_fields::{IdentityFields, SignerFields},
    if_signed::IfSigned,
    key_fields::{PluginKey, TimestampService},
    lifetime::Lifetime,
    predicate_name::PredicateName,
    requirement::Requirement,
    scheme_name::SchemeName,
};
use self::{mark::MARK, trusted::Trusted};
