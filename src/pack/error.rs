use std::{io, path::PathBuf};

use super::{ArchiveFault, EntryFault, PathFault};
use crate::oci::Digest;

/// Why something could not be packed or unpacked.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// Nothing has that path.
    #[error("`{}` does not exist", path.display())]
    NotFound {
        /// What was looked for.
        path: PathBuf,
    },
    /// A file was wanted.
    #[error("`{}` is not a file", path.display())]
    NotAFile {
        /// What is something else.
        path: PathBuf,
    },
    /// A directory was wanted.
    #[error("`{}` is not a directory", path.display())]
    NotADirectory {
        /// What is something else.
        path: PathBuf,
    },
    /// A FIFO, a socket or a device stands in a directory that is packed.
    #[error("`{}` is neither a file nor a directory nor a symbolic link: a layer cannot hold it", path.display())]
    FileType {
        /// Where it stands.
        path: PathBuf,
    },
    /// A name that a layer cannot hold on every machine.
    #[error("the name of `{}` is not UTF-8: rename it", path.display())]
    NotUnicode {
        /// What is named so.
        path: PathBuf,
    },
    /// A symbolic link that may lead out of the directory that is packed.
    #[error(
        "the symbolic link `{}` leads to `{}`, out of the directory: let it be relative, with `..` at its beginning only, and stay inside",
        path.display(), target.display()
    )]
    LinkOutside {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A file became longer or shorter while it was read.
    #[error("`{}` changed while it was read", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A title or folder that is no safe relative path.
    #[error("`{title}` cannot be a title: {fault}; a title is a relative path such as `docs/readme.md`")]
    Title {
        /// What was given.
        title: String,
        /// What is wrong with it.
        fault: PathFault,
    },
    /// Two files would have one name.
    #[error("two layers have the title `{title}`, or one lies under the other's file: titles must differ")]
    DuplicateTitle {
        /// The title of the second one.
        title: String,
    },
    /// A pattern that no file has.
    #[error("nothing matches `{pattern}`")]
    NoMatch {
        /// The pattern.
        pattern: String,
    },
    /// A text that is no pattern.
    #[error("`{pattern}` is no pattern: {message}")]
    Pattern {
        /// What was given.
        pattern: String,
        /// What is wrong with it.
        message: String,
    },
    /// The file system said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The layer could not be written to its temporary file.
    #[error("the layer cannot be written: {0}")]
    Write(#[source] io::Error),
    /// The layer could not be read or decompressed.
    #[error("the layer cannot be read: {0}")]
    Read(#[source] io::Error),
    /// The layer is no tar archive.
    #[error("the layer is no tar archive: {0}")]
    Archive(#[from] ArchiveFault),
    /// An entry of the archive that is not let out.
    #[error("the entry `{name}` cannot be unpacked: {fault}")]
    Entry {
        /// The name that the archive gives it.
        name: String,
        /// What is wrong with it.
        fault: EntryFault,
    },
    /// The archive has too many entries.
    #[error("the archive has more than {limit} entries")]
    TooManyEntries {
        /// How many are let through.
        limit: u64,
    },
    /// The archive is too long when it is decompressed.
    #[error("the archive has more than {limit} bytes when it is decompressed")]
    TooManyBytes {
        /// How many are let through.
        limit: u64,
    },
    /// The archive is whole, but not the one that was wanted.
    #[error("the uncompressed layer should be `{expected}`, but is `{actual}`")]
    Digest {
        /// What was wanted.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// A file is there already, with other content.
    #[error("`{}` exists, with other content: `if_exists` says whether to replace or to keep it", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file stands where a directory must go, or the other way round.
    #[error("`{}` is in the way: a directory never replaces a file, nor a file a directory", path.display())]
    InTheWay {
        /// What stands there.
        path: PathBuf,
    },
}

impl PackError {
    /// What makes an error of the file system one that names its path.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path },
            _ => Self::Io { path, source },
        }
    }

    /// What makes a fault one that names its entry.
    pub(super) fn entry(name: &str) -> impl Fn(EntryFault) -> Self {
        move |fault| Self::Entry { name: name.to_owned(), fault }
    }
}
