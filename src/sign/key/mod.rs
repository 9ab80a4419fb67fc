//! Keys: reading them, signing, and verifying. What a private key says stays in it.

mod error;
mod hash;
mod kind;
mod private_key;
mod public_key;
mod scheme;

pub use self::{
    error::KeyError, hash::Hash, kind::KeyKind, private_key::PrivateKey, public_key::PublicKey, scheme::Scheme,
};

#[cfg(test)]
mod tests;
