use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use reqwest::StatusCode;

use super::{Fault, FaultError, fault::FaultKind};
use crate::{event::InjectedFault, oci::RegistryName, store::patience::Patience};

/// The faults of a rehearsal, and how often each has come about.
#[derive(Debug, Default)]
pub struct Faults {
    each: Vec<Counted>,
    /// The kind of each step, by its name.
    kinds: BTreeMap<String, String>,
    /// How often something was tried again.
    tries: AtomicU64,
}

#[derive(Debug)]
struct Counted {
    fault: Fault,
    left: AtomicU32,
}

impl Faults {
    /// These faults, for steps with these names and kinds.
    pub fn new<'a>(
        faults: Vec<Fault>,
        steps: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, FaultError> {
        let kinds = steps.into_iter().map(|(name, kind)| (name.to_owned(), kind.to_owned()));
        let kinds: BTreeMap<String, String> = kinds.collect();
        let is_known = |step: &String| kinds.contains_key(step) || kinds.values().any(|kind| kind == step);
        for name in faults.iter().filter_map(|fault| fault.step.as_ref()) {
            if !is_known(name) {
                return Err(FaultError::NoStep { name: name.clone() });
            }
        }
        let each = faults.into_iter().map(|fault| Counted { left: AtomicU32::new(fault.times), fault }).collect();
        Ok(Self { each, kinds, tries: AtomicU64::new(0) })
    }

    /// Whether requests to that registry may go wrong.
    pub(super) fn concern(&self, registry: &RegistryName) -> bool {
        self.each.iter().any(|it| it.is_at(registry) && it.fault.kind != FaultKind::NoReferrers)
    }

    /// Whether that registry has a referrers API.
    pub(super) fn leave_referrers(&self, registry: &RegistryName) -> bool {
        !self.each.iter().any(|it| it.is_at(registry) && it.fault.kind == FaultKind::NoReferrers)
    }

    /// The status that refuses this request, if one does.
    pub(super) fn refuse(&self, registry: &RegistryName) -> Option<StatusCode> {
        self.each.iter().find_map(|it| match it.fault.kind {
            FaultKind::Status(status) => (self.meets(it, registry) && it.take()).then_some(status),
            _ => None,
        })
    }

    /// Whether a fault of that kind comes about now.
    pub(super) fn strike(&self, kind: FaultKind, registry: &RegistryName) -> bool {
        self.each.iter().any(|it| it.fault.kind == kind && self.meets(it, registry) && it.take())
    }

    /// Something is tried again because of a fault.
    pub(super) fn tried_again(&self) {
        self.tries.fetch_add(1, Ordering::Relaxed);
    }

    /// How often something was tried again.
    pub(super) fn tries(&self) -> u64 {
        self.tries.load(Ordering::Relaxed)
    }

    /// What can be counted, and how often it came about.
    pub(super) fn injected(&self) -> Vec<InjectedFault> {
        let counted = self.each.iter().filter(|it| it.fault.kind != FaultKind::NoReferrers);
        let injected = counted.map(|it| {
            let wanted = it.fault.times;
            let injected = wanted.saturating_sub(it.left.load(Ordering::Relaxed));
            InjectedFault { spec: it.fault.to_string(), wanted, injected }
        });
        injected.collect()
    }

    /// Whether it is about this registry and the step that asks now.
    fn meets(&self, it: &Counted, registry: &RegistryName) -> bool {
        let is_step = |wanted: &String| {
            Patience::current()
                .step()
                .is_some_and(|step| step.name() == wanted || self.kinds.get(step.name()) == Some(wanted))
        };
        it.is_at(registry) && it.fault.step.as_ref().is_none_or(is_step)
    }
}

impl Counted {
    fn is_at(&self, registry: &RegistryName) -> bool {
        self.fault.registry.as_ref().is_none_or(|at| at.identity() == registry.identity())
    }

    /// Takes one of the times that are left.
    fn take(&self) -> bool {
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}
