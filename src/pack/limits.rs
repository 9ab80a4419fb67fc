/// How much an archive may hold before it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Headers, extended ones included.
    pub entries: u64,
    /// Bytes of the uncompressed archive.
    pub bytes: u64,
    /// Bytes of an entry's name.
    pub name: usize,
}

impl Default for Limits {
    /// A million entries, 200 GiB, names of 4,096 bytes.
    fn default() -> Self {
        Self { entries: 1_000_000, bytes: 200 * 1024 * 1024 * 1024, name: 4096 }
    }
}
