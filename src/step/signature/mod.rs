//! Signatures in repositories: finding them, looking at them, and bringing new ones.
//!
//! What a signature is and whom to trust is decided in [`crate::sign`]; here it meets stores, the files that a plan names,
//! and the words of the plan.

mod demand;
mod files;
mod finding;
mod format;
mod if_signed;
mod lifetime;
pub(super) mod notation;
mod requirement;
#[cfg(test)]
mod tests;

pub use self::{
    demand::Demand, format::SignatureFormat, if_signed::IfSigned, lifetime::Lifetime, requirement::Requirement,
};
pub(super) use self::{
    demand::VerifyFields,
    finding::{Finding, Signature},
};
