use std::fmt;

/// What sort of thing a step touches, without which one it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sort {
    /// A tag.
    Tag,
    /// The manifests of a repository with what refers to them, or a part of them.
    Graph,
    /// The list of a repository's tags.
    TagList,
    /// A repository with all that is in it, or several.
    Repository,
    /// A file or a folder on this machine.
    Path,
    /// Whatever there is.
    Everything,
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tag => "the tag",
            Self::Graph => "the graph",
            Self::TagList => "the tag list",
            Self::Repository => "the repository",
            Self::Path => "files and folders",
            Self::Everything => "everything",
        })
    }
}
