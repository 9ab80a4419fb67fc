use crate::sign::key::KeyError;

/// Why an encrypted key file cannot be used. It says nothing of what the file or the password holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// It is not as cosign writes them.
    #[error("the encrypted key cannot be read: {problem}")]
    Malformed {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Whoever made it wants more, or less, work than cosign takes.
    #[error(
        "the encrypted key asks for N = {n}, r = {r}, p = {p} of scrypt: cosign takes N = 65536 or 32768, r = 8, p = 1"
    )]
    Work {
        /// How much memory, and how often.
        n: u64,
        /// How large a block.
        r: u32,
        /// How many at once.
        p: u32,
    },
    /// It could not be made.
    #[error("the key could not be encrypted")]
    NotSealed,
    /// The password is another one, or the file was changed.
    #[error("the password does not open the encrypted key")]
    Password,
    /// What is in it is no key.
    #[error(transparent)]
    Key(#[from] KeyError),
}
