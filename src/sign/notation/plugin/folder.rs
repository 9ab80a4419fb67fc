use std::{path::PathBuf, sync::Arc};

use globset::GlobMatcher;

use super::{Plugin, PluginError};

/// Where plugins are installed.
#[derive(Debug, Clone)]
pub struct Plugins {
    folder: PathBuf,
    /// Which of them may run, by the names of their programs: those that every list has.
    allowed: Vec<Arc<[GlobMatcher]>>,
}

impl Plugins {
    /// Those in `folder`, each in one of its own: `NAME/notation-NAME`.
    pub fn within(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), allowed: Vec::new() }
    }

    /// The same, of which only those run whose program fits one of each of these lists.
    #[must_use]
    pub fn only(self, allowed: Vec<Arc<[GlobMatcher]>>) -> Self {
        Self { allowed, ..self }
    }

    /// The program of a plugin.
    pub fn program(name: &str) -> String {
        format!("notation-{name}")
    }

    /// The plugin of that name, where it is installed.
    pub fn find(&self, name: &str) -> Result<Plugin, PluginError> {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-');
        if name.is_empty() || matches!(name, "." | "..") || !name.chars().all(is_plain) {
            return Err(PluginError::Name { name: name.to_owned() });
        }
        let program = Self::program(name);
        if !self.allowed.iter().all(|list| list.iter().any(|glob| glob.is_match(&program))) {
            return Err(PluginError::NotAllowed { name: name.to_owned(), program });
        }
        let path = self.folder.join(name).join(format!("{program}{}", std::env::consts::EXE_SUFFIX));
        if !path.is_file() {
            return Err(PluginError::Missing { name: name.to_owned(), path });
        }
        Ok(Plugin::new(name, path))
    }
}
