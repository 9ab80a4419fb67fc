use std::{collections::BTreeMap, sync::Arc};

use super::{CompileOptions, includes, settings};
use crate::{
    oci::{Reference, RegistryName},
    plan::{Document, Names, Scope, SourceFile, Templates, resolve_inputs, yaml},
    step::Kind,
    store::registry::RegistrySettings,
};

/// Plans that a plan includes and that are not on this machine, and how their registries are asked.
#[derive(Debug, Default)]
pub struct MissingPlans {
    /// Each once, in the order of the file.
    pub references: Vec<Reference>,
    /// As the plan says.
    pub registries: BTreeMap<RegistryName, RegistrySettings>,
}

impl MissingPlans {
    /// Looks for plans that are missing. What is wrong with the plan is said when it is compiled.
    pub fn of(source: &SourceFile, options: &CompileOptions) -> Self {
        let mut diagnostics = Vec::new();
        let Some(root) = yaml::recover(source).0 else { return Self::default() };
        let kinds = Kind::infos();
        let document = Document::read(root, &kinds, &mut diagnostics);
        let (document, source) = includes::expand(document, source, &kinds, options, &mut diagnostics);
        let mut references: Vec<Reference> = Vec::new();
        for reference in options.places.plans.take_missing() {
            if !references.contains(&reference) {
                references.push(reference);
            }
        }
        if references.is_empty() {
            return Self::default();
        }
        let templates = Arc::new(Templates::default());
        let names = Names::new(&document, &kinds, &source, &templates, &mut diagnostics);
        let scope = Scope::new(source.clone(), &document, Arc::clone(&templates));
        let unset = resolve_inputs(&document, &options.given, &names, &scope, &mut diagnostics);
        let settings = settings::read(&document, &names, &scope, &unset, &options.places, &mut diagnostics);
        Self { references, registries: settings.registries }
    }
}
