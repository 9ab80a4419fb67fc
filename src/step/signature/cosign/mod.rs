//! Signatures of Sigstore in a repository: referrers that carry a bundle, and images under the tag `sha256-….sig`.

mod keys;
mod look;
mod said;
mod signer;
mod signers;
mod signing;
mod stand_in;
mod tagged;

pub(in crate::step) use self::{
    keys::private_key, look::Look, said::Said, signer::Signer, signers::Signers, signing::Signing, stand_in::StandIn,
    tagged::Tagged,
};
use self::{keys::public_keys, tagged::Added};

#[cfg(test)]
mod tests;
