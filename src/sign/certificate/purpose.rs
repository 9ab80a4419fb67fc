/// What the first certificate of a chain is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Signing artifacts.
    Signing,
    /// Signing the time.
    Timestamping,
}
