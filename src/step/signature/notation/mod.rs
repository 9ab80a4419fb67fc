//! Signatures of Notary Project in a repository: referrers, each with an envelope.

mod look;
mod signer;
mod trust;

pub(in crate::step) use self::{
    look::Look,
    signer::{Signer, Wording},
    trust::trust,
};
