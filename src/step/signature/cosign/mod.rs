//! Signatures of Sigstore in a repository: referrers that carry a bundle, and images under the tag `sha256-….sig`.

mod keys;
mod look;
mod signer;
mod signing;
mod tagged;

pub(in crate::step) use self::{
    keys::{private_key, public_keys},
    look::Look,
    signer::Signer,
    signing::Signing,
    tagged::Tagged,
};

#[cfg(test)]
mod tests;
