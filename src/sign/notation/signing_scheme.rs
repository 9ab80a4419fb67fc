/// Who vouches for the time of signing.
///
/// <https://github.com/notaryproject/specifications/blob/v1.1.0/specs/signing-scheme.md>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningScheme {
    /// Nobody but the signer: trust in it comes from a timestamp, or from certificates that count now.
    X509,
    /// An authority that signs for others, and for the time.
    SigningAuthority,
}

impl SigningScheme {
    /// Its name in an envelope.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X509 => "notary.x509",
            Self::SigningAuthority => "notary.x509.signingAuthority",
        }
    }

    /// The scheme of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::X509, Self::SigningAuthority].into_iter().find(|scheme| scheme.name() == name)
    }
}
