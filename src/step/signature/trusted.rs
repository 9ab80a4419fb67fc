use std::collections::BTreeMap;

use super::{Demand, Finding, SignatureFormat, cosign, notation};
use crate::{
    oci::{Descriptor, Repository},
    sign::{cosign::PredicateType, notation::Trust},
    step::{StepContext, StepError},
    store::Store,
};

/// Whose signatures count, read from the files that a step names.
#[derive(Debug)]
pub(super) enum Trusted {
    /// Who has a certificate.
    Notation(Trust),
    /// A policy says that nothing is looked at.
    Anybody,
    /// Who has a key, or a name.
    Cosign(cosign::Signers),
}

impl Trusted {
    /// `scope` is the repository for which a policy is looked up.
    pub(super) async fn read(cx: &StepContext, demand: &Demand, scope: &Repository) -> Result<Self, StepError> {
        Ok(match demand.format.value {
            SignatureFormat::Notation => {
                notation::trust(cx, demand, scope).await?.map_or(Self::Anybody, Self::Notation)
            }
            SignatureFormat::Cosign => Self::Cosign(match &demand.identity {
                Some(identity) => cosign::Signers::identities(cx, identity).await?,
                None => cosign::Signers::named(cx, demand).await?,
            }),
        })
    }

    /// The signatures of a manifest, whatever they are worth.
    pub(super) async fn signatures(
        &self,
        cx: &StepContext,
        store: &dyn Store,
        subject: &Descriptor,
        annotations: &BTreeMap<String, String>,
    ) -> Result<Vec<Finding>, StepError> {
        match self {
            Self::Anybody => Ok(Vec::new()),
            Self::Notation(trust) => notation::Look { cx, store, subject, trust, annotations }.all().await,
            Self::Cosign(signers) => cosign::Look { store, subject, signers, annotations }.signatures().await,
        }
    }

    /// The attestations of that type, whatever they are worth.
    pub(super) async fn attestations(
        &self,
        store: &dyn Store,
        subject: &Descriptor,
        wanted: &PredicateType,
    ) -> Result<Vec<Finding>, StepError> {
        match self {
            // Notary Project has none.
            Self::Notation(_) | Self::Anybody => Ok(Vec::new()),
            Self::Cosign(signers) => {
                let annotations = &BTreeMap::new();
                cosign::Look { store, subject, signers, annotations }.attestations(wanted).await
            }
        }
    }
}
