//! Media types, and what they say about the content.
//!
//! <https://github.com/opencontainers/image-spec/blob/v1.1.1/media-types.md>

/// An OCI image manifest.
pub const IMAGE_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An OCI image index.
pub const IMAGE_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// An OCI image configuration.
pub const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// A Docker image configuration.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// A tar layer. Also what oras gives a plain file without a media type.
pub const LAYER_TAR: &str = "application/vnd.oci.image.layer.v1.tar";
/// A tar layer, gzip.
pub const LAYER_TAR_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// A tar layer, zstd.
pub const LAYER_TAR_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
/// The two bytes `{}`.
pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// The artifact type of a push that names none, as oras has it.
pub const UNKNOWN_ARTIFACT: &str = "application/vnd.unknown.artifact.v1";
/// A Docker image manifest, schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// A Docker manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// The artifact manifest that release 1.1 of the image specification dropped; still found in registries.
pub const ARTIFACT_MANIFEST: &str = "application/vnd.oci.artifact.manifest.v1+json";

/// Every manifest media type that consign reads, in the order of preference.
pub const MANIFESTS: [&str; 5] = [IMAGE_MANIFEST, IMAGE_INDEX, DOCKER_MANIFEST, DOCKER_LIST, ARTIFACT_MANIFEST];

/// Whether content of this media type is addressed under `/manifests/`, not `/blobs/`.
pub fn is_manifest(media_type: &str) -> bool {
    MANIFESTS.contains(&media_type)
}

/// Whether this is an index or a manifest list.
pub fn is_index(media_type: &str) -> bool {
    matches!(media_type, IMAGE_INDEX | DOCKER_LIST)
}

/// Whether this is the configuration of a container image.
pub fn is_image_config(media_type: &str) -> bool {
    matches!(media_type, IMAGE_CONFIG | DOCKER_CONFIG)
}

/// Whether this is a layer that its licence keeps out of registries: it is fetched from elsewhere, and neither copied nor missed.
///
/// <https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#non-distributable-layers>
pub fn is_foreign(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.oci.image.layer.nondistributable.")
        || media_type.starts_with("application/vnd.docker.image.rootfs.foreign.")
}

/// The media type that the OCI has for a layer that Docker gave this one; any other as it is. The content is the same.
///
/// <https://github.com/opencontainers/image-spec/blob/v1.1.1/media-types.md#compatibility-matrix>
pub fn oci_layer(media_type: &str) -> &str {
    match media_type {
        "application/vnd.docker.image.rootfs.diff.tar" => LAYER_TAR,
        "application/vnd.docker.image.rootfs.diff.tar.gzip" => LAYER_TAR_GZIP,
        "application/vnd.docker.image.rootfs.diff.tar.zstd" => LAYER_TAR_ZSTD,
        "application/vnd.docker.image.rootfs.foreign.diff.tar" => {
            "application/vnd.oci.image.layer.nondistributable.v1.tar"
        }
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" => {
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
        }
        other => other,
    }
}

/// A media type without its parameters, in lower case: `a/b; charset=utf-8` is `a/b`.
pub fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether this is `type/subtype` as RFC 6838 section 4.2 has it.
pub fn is_valid(media_type: &str) -> bool {
    fn is_name(name: &str) -> bool {
        let starts_well = name.starts_with(|first: char| first.is_ascii_alphanumeric());
        starts_well
            && name.len() <= 127
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    }
    media_type.split_once('/').is_some_and(|(kind, subtype)| is_name(kind) && is_name(subtype))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_has_two_names() {
        for good in ["readme/example", "application/vnd.oci.empty.v1+json", "a/b"] {
            assert!(is_valid(good), "{good}");
        }
        for bad in ["", "bad", "a/", "/b", "a/b/c", "a b/c", "a/b; charset=utf-8", "-a/b"] {
            assert!(!is_valid(bad), "{bad}");
        }
    }

    #[test]
    fn a_layer_of_docker_stays_foreign_or_not() {
        for (docker, oci, foreign) in [
            ("application/vnd.docker.image.rootfs.diff.tar.gzip", LAYER_TAR_GZIP, false),
            (
                "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
                true,
            ),
            (LAYER_TAR, LAYER_TAR, false),
        ] {
            assert_eq!((oci_layer(docker), is_foreign(docker), is_foreign(oci)), (oci, foreign, foreign));
        }
    }

    #[test]
    fn parameters_do_not_count() {
        assert_eq!(essence("Application/VND.oci.image.index.v1+json; charset=utf-8"), IMAGE_INDEX);
    }
}
