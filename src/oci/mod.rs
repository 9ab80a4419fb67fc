//! The nouns of the OCI specifications as values: digests, references, descriptors and manifests.
//!
//! Nothing here does I/O. A value that exists is valid: every constructor parses.

mod algorithm;
pub mod annotation;
mod descriptor;
mod digest;
mod hasher;
mod image_config;
mod image_manifest;
mod index;
mod manifest;
mod manifest_error;
pub mod media_type;
mod platform;
mod reference;
mod reference_error;
mod registry_name;
mod registry_prefix;
mod repository;
mod repository_name;
mod tag;
mod target;

pub use self::{
    algorithm::Algorithm,
    descriptor::Descriptor,
    digest::{Digest, DigestError},
    hasher::Hasher,
    image_config::{ContainerConfig, ImageConfig, RootFs},
    image_manifest::ImageManifest,
    index::Index,
    manifest::{Content, Manifest},
    manifest_error::ManifestError,
    platform::Platform,
    reference::Reference,
    reference_error::ReferenceError,
    registry_name::RegistryName,
    registry_prefix::RegistryPrefix,
    repository::{ArchiveForm, Repository},
    repository_name::RepositoryName,
    tag::Tag,
    target::Target,
};
