use std::path::PathBuf;

use bytes::Bytes;
use tempfile::TempPath;

use super::{Compression, listing::Seen};
use crate::oci::{Descriptor, Digest, annotation};

/// How a directory or a file becomes a layer.
#[derive(Debug, Clone)]
pub struct LayerOptions {
    /// What names in the archive begin with: the title, or the folder of the image without its leading slash.
    /// Empty for an image's root.
    pub prefix: String,
    /// Whose conventions hold.
    pub form: LayerForm,
    /// How the tar is compressed.
    pub compression: Compression,
    /// The modification time of every entry, in seconds since 1970.
    pub modified: u64,
    /// Where the temporary file goes; by default where the system has them.
    pub temporary: Option<PathBuf>,
}

/// What an archive's directories look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerForm {
    /// As oras has it: the directory itself comes first, and no directory's name ends with a slash.
    Artifact,
    /// As container images have it: the folders above the prefix come first, and directories' names end with a slash.
    Image,
}

impl LayerOptions {
    /// A directory of an artifact: gzip, all times 1970.
    pub fn artifact(title: impl Into<String>) -> Self {
        Self {
            prefix: title.into(),
            form: LayerForm::Artifact,
            compression: Compression::Gzip,
            modified: 0,
            temporary: None,
        }
    }

    /// A layer of an image whose files go into the folder `at`, with or without a leading slash: gzip, all times 1970.
    pub fn image(at: &str) -> Self {
        Self { form: LayerForm::Image, ..Self::artifact(at.trim_matches('/')) }
    }
}

/// A layer, ready to be pushed.
#[derive(Debug)]
pub struct PackedLayer {
    /// Media type, digest and size of the compressed bytes. No annotations.
    pub descriptor: Descriptor,
    /// The digest of the uncompressed tar: what an image's configuration and oras's annotation hold.
    ///
    /// <https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md#layer-diffid>
    pub diff_id: Digest,
    /// The compressed bytes.
    pub content: LayerContent,
    /// How many entries the tar has.
    pub entries: usize,
    /// What tells that the folder has not changed since.
    pub(super) seen: Option<Seen>,
}

/// What a folder is as a layer, where its bytes are elsewhere.
#[derive(Debug, Clone)]
pub struct KnownLayer {
    /// Media type, digest and size of the compressed bytes. No annotations.
    pub descriptor: Descriptor,
    /// The digest of the uncompressed tar.
    pub diff_id: Digest,
    /// What tells that the folder has not changed since.
    pub(super) seen: Option<Seen>,
}

#[cfg(test)]
impl KnownLayer {
    /// The same, as it is once its folder has been left alone for long enough.
    pub(crate) fn settled(mut self) -> Self {
        if let Some(seen) = &mut self.seen {
            seen.quiet = std::time::Duration::from_hours(1);
        }
        self
    }
}

impl PackedLayer {
    /// What is known of it without its bytes.
    pub fn known(&self) -> KnownLayer {
        KnownLayer { descriptor: self.descriptor.clone(), diff_id: self.diff_id.clone(), seen: self.seen.clone() }
    }

    /// The descriptor as oras writes it for a directory: with the title, and what makes a pull unpack it again.
    pub fn titled(&self, title: impl Into<String>) -> Descriptor {
        let mut descriptor = self.descriptor.clone();
        descriptor.annotations.extend([
            (annotation::TITLE.to_owned(), title.into()),
            (annotation::ORAS_CONTENT_DIGEST.to_owned(), self.diff_id.to_string()),
            (annotation::ORAS_UNPACK.to_owned(), "true".to_owned()),
        ]);
        descriptor
    }
}

/// Where the bytes of a packed layer are.
#[derive(Debug)]
pub enum LayerContent {
    /// In memory: less than 1 MiB.
    Bytes(Bytes),
    /// In a file that is removed when this is dropped.
    File(TempPath),
}
