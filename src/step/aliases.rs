use std::{collections::BTreeMap, sync::Arc};

use crate::oci::{RegistryName, RegistryPrefix, Repository};

/// Registries that have other names: what is said of an alias is meant for the registry behind it.
#[derive(Debug, Clone, Default)]
pub struct Aliases(Arc<BTreeMap<RegistryName, RegistryPrefix>>);

impl Aliases {
    /// Each name with what it is another name of, which is no alias itself.
    pub fn new(aliases: impl IntoIterator<Item = (RegistryName, RegistryPrefix)>) -> Self {
        let aliases = aliases.into_iter().map(|(name, behind)| (name.identity(), behind));
        Self(Arc::new(aliases.collect()))
    }

    /// The repository itself, whatever name it has here.
    pub fn behind(&self, repository: &Repository) -> Repository {
        let Repository::Registry { registry, name } = repository else { return repository.clone() };
        let behind = self.0.get(&registry.identity()).and_then(|behind| behind.repository(name));
        behind.unwrap_or_else(|| repository.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Reference;

    #[test]
    fn an_alias_is_the_registry_behind_it() {
        let aliases = Aliases::new([
            ("r.lan".parse().unwrap(), "r.example.com".parse().unwrap()),
            ("localhost:5000".parse().unwrap(), "r.example.com/cache".parse().unwrap()),
        ]);
        for (text, expected) in [
            ("r.lan/a/b", "r.example.com/a/b"),
            ("r.example.com/a/b", "r.example.com/a/b"),
            ("localhost:5000/a", "r.example.com/cache/a"),
            ("127.0.0.1:5000/a", "r.example.com/cache/a"),
            ("localhost:5001/a", "localhost:5001/a"),
            ("oci-layout:a", "oci-layout:a"),
        ] {
            let repository = text.parse::<Reference>().unwrap().repository;
            assert_eq!(aliases.behind(&repository).to_string(), expected);
        }
    }
}
