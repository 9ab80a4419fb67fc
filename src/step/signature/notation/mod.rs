//! Signatures of Notary Project in a repository: referrers, each with an envelope.

mod key_source;
mod look;
mod plugins;
mod sign;
mod signer;
mod stand_in;
mod trust;

pub(super) use self::look::Look;
pub(super) use self::trust::trust;
pub(in crate::step) use self::{key_source::NAMED, sign::Signing, trust::NOTATION};
