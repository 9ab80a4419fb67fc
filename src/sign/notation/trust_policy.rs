use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;

use super::{Action, Identities, Level, PolicyError, StoreName, TimestampRule};

/// Whom to trust for which repository.
///
/// <https://github.com/notaryproject/specifications/blob/v1.1.0/specs/trust-store-trust-policy.md#trust-policy>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustPolicy {
    policies: Vec<(Vec<String>, Policy)>,
}

/// Whom to trust for some repositories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What people call it.
    pub name: String,
    /// What is looked at; nothing where nothing is.
    pub checks: Option<Checks>,
}

/// What is looked at, and whom to trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checks {
    /// How strictly.
    pub level: Level,
    /// When a timestamp is needed.
    pub timestamp: TimestampRule,
    /// Where the certificates of the authorities lie.
    pub stores: Vec<StoreName>,
    /// Which of their signers count.
    pub identities: Identities,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    version: String,
    trust_policies: Vec<Statement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    name: String,
    #[serde(default)]
    registry_scopes: Vec<String>,
    signature_verification: Verification,
    #[serde(default)]
    trust_stores: Vec<String>,
    #[serde(default)]
    trusted_identities: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verification {
    level: String,
    #[serde(default)]
    r#override: BTreeMap<String, Action>,
    #[serde(default)]
    verify_timestamp: Option<String>,
}

/// Every repository.
const ANY: &str = "*";

impl TrustPolicy {
    /// The largest file that is read.
    pub const LARGEST: u64 = 1024 * 1024;

    /// Reads a policy file and checks all of it: a mistake in the policy of another repository is one as well.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        let document: Document =
            serde_json::from_slice(bytes).map_err(|error| PolicyError::Malformed { message: error.to_string() })?;
        if document.version != "1.0" {
            return Err(PolicyError::Version { version: document.version });
        }
        if document.trust_policies.is_empty() {
            return Err(PolicyError::Empty);
        }
        let mut names = HashSet::new();
        let mut scopes = HashSet::new();
        let mut policies = Vec::new();
        for statement in document.trust_policies {
            if statement.name.is_empty() || !names.insert(statement.name.clone()) {
                return Err(PolicyError::Name { name: statement.name });
            }
            if let Some(twice) = statement.registry_scopes.iter().find(|scope| !scopes.insert((*scope).clone())) {
                return Err(PolicyError::ScopeTwice { scope: twice.clone() });
            }
            let name = statement.name.clone();
            let policy = statement.check();
            policies.push(policy.map_err(|problem| PolicyError::Within { name, problem: Box::new(problem) })?);
        }
        Ok(Self { policies })
    }

    /// The policy for `registry/repository`: the one that names it, otherwise the one for all.
    pub fn of(&self, repository: &str) -> Option<&Policy> {
        let with = |scope: &str| {
            let names = |scopes: &[String]| scopes.iter().any(|named| named == scope);
            self.policies.iter().find(|(scopes, _)| names(scopes)).map(|(_, policy)| policy)
        };
        with(repository).or_else(|| with(ANY))
    }
}

impl Statement {
    fn check(self) -> Result<(Vec<String>, Policy), PolicyError> {
        let scopes = self.registry_scopes;
        let is_global = scopes == [ANY];
        if scopes.is_empty() {
            return Err(PolicyError::NoScopes);
        }
        if !is_global {
            if scopes.iter().any(|scope| scope == ANY) {
                return Err(PolicyError::AnyAmongScopes);
            }
            let is_repository = |scope: &str| {
                !scope.contains('*')
                    && scope.split_once('/').is_some_and(|(host, name)| !host.is_empty() && !name.is_empty())
            };
            if let Some(scope) = scopes.iter().find(|scope| !is_repository(scope)) {
                return Err(PolicyError::Scope { scope: scope.clone() });
            }
        }
        let verification = self.signature_verification;
        let level = Level::named(&verification.level, &verification.r#override)?;
        let timestamp = match verification.verify_timestamp.as_deref() {
            None | Some("" | "always") => TimestampRule::Always,
            Some("afterCertExpiry") => TimestampRule::AfterExpiry,
            Some(value) => return Err(PolicyError::VerifyTimestamp { value: value.to_owned() }),
        };
        let Some(level) = level else {
            return if !self.trust_stores.is_empty() || !self.trusted_identities.is_empty() {
                Err(PolicyError::SkipTrusts)
            } else if is_global {
                Err(PolicyError::SkipEverywhere)
            } else {
                Ok((scopes, Policy { name: self.name, checks: None }))
            };
        };
        if self.trust_stores.is_empty() {
            return Err(PolicyError::NoStores);
        }
        let stores = self.trust_stores.iter().map(|store| StoreName::parse(store)).collect::<Result<_, _>>()?;
        let identities = Identities::parse(&self.trusted_identities)?;
        Ok((scopes, Policy { name: self.name, checks: Some(Checks { level, timestamp, stores, identities }) }))
    }
}
