use super::PolicyError;

/// A trust store by its kind and name, such as `ca:acme`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreName {
    /// What its certificates are trusted for.
    pub kind: StoreKind,
    /// The name of its folder.
    pub name: String,
}

/// What the certificates of a trust store are trusted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// Issuing certificates of signers.
    Authority,
    /// Signing for others, and for the time.
    SigningAuthority,
    /// Signing the time.
    TimestampAuthority,
}

impl StoreName {
    /// Reads `ca:acme`. The name is that of a folder, and leads nowhere else.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let wrong = || PolicyError::Store { store: text.to_owned() };
        let (kind, name) = text.split_once(':').ok_or_else(wrong)?;
        let kinds = [StoreKind::Authority, StoreKind::SigningAuthority, StoreKind::TimestampAuthority];
        let kind = kinds.into_iter().find(|known| known.folder() == kind).ok_or_else(wrong)?;
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-');
        if name.is_empty() || matches!(name, "." | "..") || !name.chars().all(is_plain) {
            return Err(wrong());
        }
        Ok(Self { kind, name: name.to_owned() })
    }
}

impl StoreKind {
    /// Its folder, and its name in a policy.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Authority => "ca",
            Self::SigningAuthority => "signingAuthority",
            Self::TimestampAuthority => "tsa",
        }
    }
}
