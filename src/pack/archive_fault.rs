/// How bytes fail to be a tar archive.
///
/// <https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_06>
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveFault {
    /// The stream ends inside an entry.
    #[error("it is cut off")]
    CutOff,
    /// A header's checksum is wrong.
    #[error("a header has a wrong checksum")]
    Checksum,
    /// A size that is no number.
    #[error("a header has a size that is no number")]
    Size,
    /// An extended header that is too long to be one.
    #[error("an extended header is longer than 1 MiB")]
    LongExtension,
    /// An extended header that cannot be read.
    #[error("an extended header is malformed")]
    Extension,
    /// A name that is not UTF-8.
    #[error("a name is not UTF-8")]
    NotUnicode,
}
