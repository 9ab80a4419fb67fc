//! Signatures of Sigstore, as cosign writes and reads them: bundles, the older layout under a tag, key files; and verifying
//! those that were made without a key.
//!
//! What is read here was signed by somebody whom the caller names, or it is a [`Refusal`]. Nothing here knows of stores, or
//! asks anybody.
//!
//! <https://github.com/sigstore/protobuf-specs/blob/v0.5.0/protos/sigstore_bundle.proto>

mod bundle;
mod bundle_manifest;
mod dsse;
mod key_file;
mod key_file_error;
mod keyless;
mod predicate;
mod predicate_type;
mod refusal;
mod schemes;
mod signature_image;
mod signed_at;
mod simple_signing;
mod statement;

pub use self::{
    bundle::{Bundle, hint},
    bundle_manifest::BundleManifest,
    key_file::KeyFile,
    key_file_error::KeyFileError,
    keyless::{Identity, Keyless},
    predicate::check_predicate,
    predicate_type::PredicateType,
    refusal::Refusal,
    schemes::signing_scheme,
    signature_image::{SignatureImage, TaggedSignature},
    signed_at::signed_at,
    simple_signing::SimpleSigning,
    statement::Statement,
};

#[cfg(test)]
mod tests;
