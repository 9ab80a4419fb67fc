/// How a blob came to be in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It was there.
    Existing,
    /// The registry took it from another of its repositories.
    Mounted,
    /// Its bytes were sent.
    Copied,
}
