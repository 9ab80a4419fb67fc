use serde_json::{Value, json};

use super::{Ability, Finding, Verdict};
use crate::oci::{RegistryName, RepositoryName};

/// What was found out about a registry, and about one repository of it where one was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examination {
    /// The registry.
    pub registry: RegistryName,
    /// The repository.
    pub repository: Option<RepositoryName>,
    /// In the order in which they are told.
    pub findings: Vec<Finding>,
    /// What was pushed and could not be removed again.
    pub left_behind: Vec<String>,
}

impl Examination {
    pub(super) const fn new(registry: RegistryName, repository: Option<RepositoryName>) -> Self {
        Self { registry, repository, findings: Vec::new(), left_behind: Vec::new() }
    }

    /// What was found out about `ability`, if it was looked at.
    pub fn verdict(&self, ability: Ability) -> Option<Verdict> {
        self.findings.iter().find(|finding| finding.ability == ability).map(|finding| finding.verdict)
    }

    /// Whether somebody could work with it: it is a registry and lets us in.
    pub fn is_usable(&self) -> bool {
        [Ability::Api, Ability::Login, Ability::Pull].iter().all(|ability| self.verdict(*ability) != Some(Verdict::No))
    }

    /// The same for programs: `registry`, `repository`, `findings` (each with `ability`, `verdict`, `detail`) and
    /// `left_behind`.
    pub fn to_json(&self) -> Value {
        json!({
            "registry": self.registry.to_string(),
            "repository": self.repository.as_ref().map(ToString::to_string),
            "findings": self.findings,
            "left_behind": self.left_behind,
        })
    }

    /// Notes a finding; a later one about the same ability counts.
    pub(super) fn note(&mut self, ability: Ability, verdict: Verdict, detail: impl Into<String>) {
        let finding = Finding { ability, verdict, detail: detail.into() };
        match self.findings.iter_mut().find(|known| known.ability == ability) {
            Some(known) => *known = finding,
            None => self.findings.push(finding),
        }
    }
}
