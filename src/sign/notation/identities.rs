use super::PolicyError;
use crate::sign::certificate::Name;

/// Which signers of a trusted authority count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identities {
    /// All of them.
    Any,
    /// Those with one of these in their names.
    Some(Vec<Name>),
}

impl Identities {
    /// What stands before a name.
    const PREFIX: &'static str = "x509.subject:";

    /// Reads the identities of a policy: `*` alone, or names that tell their owners apart.
    ///
    /// <https://github.com/notaryproject/specifications/blob/v1.1.0/specs/trust-store-trust-policy.md#trusted-identities-constraints>
    pub fn parse(texts: &[String]) -> Result<Self, PolicyError> {
        if texts == ["*"] {
            return Ok(Self::Any);
        }
        if texts.is_empty() {
            return Err(PolicyError::NoIdentities);
        }
        let mut names: Vec<Name> = Vec::new();
        for text in texts {
            let identity = || text.clone();
            if text == "*" {
                return Err(PolicyError::AnyAmongIdentities);
            }
            let name =
                text.strip_prefix(Self::PREFIX).ok_or_else(|| PolicyError::IdentityKind { identity: identity() })?;
            let name = Name::parse(name).map_err(|source| PolicyError::Identity { identity: identity(), source })?;
            if names.iter().any(|other| name.is_part_of(other) || other.is_part_of(&name)) {
                return Err(PolicyError::IdentitiesOverlap { identity: identity() });
            }
            names.push(name);
        }
        Ok(Self::Some(names))
    }

    /// As a policy has them.
    pub fn texts(&self) -> Vec<String> {
        match self {
            Self::Any => vec!["*".to_owned()],
            Self::Some(names) => names.iter().map(|name| format!("{} {name}", Self::PREFIX)).collect(),
        }
    }

    /// Whether the owner of `name` counts.
    pub fn include(&self, name: &Name) -> bool {
        match self {
            Self::Any => true,
            Self::Some(names) => names.iter().any(|wanted| wanted.is_part_of(name)),
        }
    }
}
