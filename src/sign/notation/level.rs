use std::collections::BTreeMap;

use serde::Deserialize;

use super::PolicyError;

/// What is done where a check fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The signature is refused.
    Enforce,
    /// It is said, and the signature may still count.
    Log,
    /// It is not looked at.
    Skip,
}

/// How strictly a signature is looked at. That it was not changed is always enforced.
///
/// <https://github.com/notaryproject/specifications/blob/v1.1.0/specs/trust-store-trust-policy.md#signature-verification-details>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Whether the signer is trusted.
    pub authenticity: Action,
    /// Whether the certificates counted when it was signed.
    pub authentic_timestamp: Action,
    /// Whether the signature has expired.
    pub expiry: Action,
    /// Whether a certificate was revoked.
    pub revocation: Action,
}

impl Level {
    /// Everything is enforced.
    pub const STRICT: Self = Self::of(Action::Enforce, Action::Enforce, Action::Enforce);
    /// The signer must be trusted.
    pub const PERMISSIVE: Self = Self::of(Action::Enforce, Action::Log, Action::Log);
    /// Only changes are refused.
    pub const AUDIT: Self = Self::of(Action::Log, Action::Log, Action::Log);

    const fn of(authenticity: Action, age: Action, revocation: Action) -> Self {
        Self { authenticity, authentic_timestamp: age, expiry: age, revocation }
    }

    /// The level of that name, with single checks treated otherwise; nothing for `skip`.
    pub(super) fn named(name: &str, overrides: &BTreeMap<String, Action>) -> Result<Option<Self>, PolicyError> {
        let mut level = match name {
            "strict" => Self::STRICT,
            "permissive" => Self::PERMISSIVE,
            "audit" => Self::AUDIT,
            "skip" if overrides.is_empty() => return Ok(None),
            "skip" => return Err(PolicyError::SkipOverridden),
            _ => return Err(PolicyError::Level { level: name.to_owned() }),
        };
        for (check, action) in overrides {
            let place = match check.as_str() {
                "authenticity" => &mut level.authenticity,
                "authenticTimestamp" => &mut level.authentic_timestamp,
                "expiry" => &mut level.expiry,
                "revocation" => &mut level.revocation,
                _ => return Err(PolicyError::Override { check: check.clone() }),
            };
            *place = *action;
        }
        Ok(Some(level))
    }
}
