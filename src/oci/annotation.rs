//! Annotation keys that consign reads or writes.

/// When the content was made, RFC 3339.
/// <https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md#pre-defined-annotation-keys>
pub const CREATED: &str = "org.opencontainers.image.created";
/// The digest of what `BASE_NAME` names: the image that this one was made on.
pub const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";
/// The reference of the image that this one was made on.
pub const BASE_NAME: &str = "org.opencontainers.image.base.name";
/// The file name of a layer.
pub const TITLE: &str = "org.opencontainers.image.title";
/// The tag of an entry of an image layout's `index.json`.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// oras: the digest of the uncompressed tar of a layer that was a directory.
pub const ORAS_CONTENT_DIGEST: &str = "io.deis.oras.content.digest";
/// oras: `true` where the layer is a directory to unpack.
pub const ORAS_UNPACK: &str = "io.deis.oras.content.unpack";
