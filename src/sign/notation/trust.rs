use super::{Identities, Level, StoreKind};
use crate::sign::certificate::Certificate;

/// Whom to trust, whichever way it was said: by a policy with its stores, or by certificates that a plan names.
#[derive(Debug, Clone)]
pub struct Trust {
    /// What is done where a check fails.
    pub level: Level,
    /// When a timestamp is needed.
    pub timestamp: TimestampRule,
    /// Which signers count.
    pub identities: Identities,
    /// Certificates that are trusted, each for its purpose.
    pub anchors: Vec<(StoreKind, Certificate)>,
}

/// When a signature needs a timestamp, where authorities for the time are trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampRule {
    /// Always.
    Always,
    /// When one of its certificates has expired.
    AfterExpiry,
}

impl Trust {
    /// Trust in authorities, strictly, whoever of their signers it is.
    pub fn in_authorities(certificates: impl IntoIterator<Item = Certificate>) -> Self {
        Self {
            level: Level::STRICT,
            timestamp: TimestampRule::Always,
            identities: Identities::Any,
            anchors: certificates.into_iter().map(|certificate| (StoreKind::Authority, certificate)).collect(),
        }
    }

    /// Trust in the signers of that authority, whoever vouches for the time of their signatures.
    pub fn in_signers_of(certificate: &Certificate) -> Self {
        let mut trust = Self::in_authorities([certificate.clone()]);
        trust.anchors.push((StoreKind::SigningAuthority, certificate.clone()));
        trust
    }

    /// The certificates that are trusted for that.
    pub fn anchors(&self, kind: StoreKind) -> Vec<Certificate> {
        let of_kind = self.anchors.iter().filter(|(known, _)| *known == kind);
        of_kind.map(|(_, certificate)| certificate.clone()).collect()
    }
}
