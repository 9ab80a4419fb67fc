use std::path::PathBuf;

use super::PathFault;

/// Why an entry of an archive is not let out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    /// Its name is no safe relative path.
    #[error(transparent)]
    Name(#[from] PathFault),
    /// Its name is longer than anything that is packed in earnest.
    #[error("its name has {length} bytes; at most {limit} are allowed")]
    TooLong {
        /// In bytes.
        length: usize,
        /// In bytes.
        limit: usize,
    },
    /// It lies outside the directory that the title names.
    #[error("it does not lie in `{title}/`, as the layer's title says")]
    OutsideTitle {
        /// The title of the layer.
        title: String,
    },
    /// A folder in its path is a symbolic link.
    #[error("`{}` in its path is a symbolic link", link.display())]
    ThroughLink {
        /// The link, relative to the directory.
        link: PathBuf,
    },
    /// A folder in its path is a file.
    #[error("`{}` in its path is a file", file.display())]
    ThroughFile {
        /// The file, relative to the directory.
        file: PathBuf,
    },
    /// It links to something outside.
    #[error("it links to `{target}`, which may be outside the directory")]
    LinkOutside {
        /// What it links to.
        target: String,
    },
    /// A hard link to something that no earlier entry made a file.
    #[error("it is a hard link to `{target}`, which is no file that came before it")]
    LinkTarget {
        /// What it links to.
        target: String,
    },
    /// Something of that name is there already.
    #[error("something of that name came before it")]
    Duplicate,
    /// An entry type that would be unpacked as something else.
    #[error("entries of type `{kind}` are not supported")]
    Kind {
        /// The type, as the header has it.
        kind: char,
    },
    /// A file with holes.
    #[error("sparse files are not supported")]
    Sparse,
}
