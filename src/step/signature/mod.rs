//! Signatures in repositories: finding them, looking at them, and bringing new ones.
//!
//! What a signature is and whom to trust is decided in [`crate::sign`]; here it meets stores, the files that a plan names,
//! and the words of the plan.

pub(super) mod cosign;
mod demand;
mod files;
mod finding;
mod format;
mod identity_fields;
mod if_signed;
mod lifetime;
pub(super) mod notation;
mod predicate_name;
mod requirement;
#[cfg(test)]
mod tests;
mod trusted;

use self::trusted::Trusted;
pub use self::{
    demand::Demand, format::SignatureFormat, identity_fields::IdentityFields, if_signed::IfSigned, lifetime::Lifetime,
    predicate_name::PredicateName, requirement::Requirement,
};
pub(super) use self::{
    demand::VerifyFields,
    finding::{Finding, Signature},
};
