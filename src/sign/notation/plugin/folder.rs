use std::path::PathBuf;

use super::{Plugin, PluginError};

/// Where plugins are installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugins(PathBuf);

impl Plugins {
    /// Those in `folder`, each in one of its own: `NAME/notation-NAME`.
    pub fn within(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// The plugin of that name, where it is installed.
    pub fn find(&self, name: &str) -> Result<Plugin, PluginError> {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-');
        if name.is_empty() || matches!(name, "." | "..") || !name.chars().all(is_plain) {
            return Err(PluginError::Name { name: name.to_owned() });
        }
        let path = self.0.join(name).join(format!("notation-{name}{}", std::env::consts::EXE_SUFFIX));
        if !path.is_file() {
            return Err(PluginError::Missing { name: name.to_owned(), path });
        }
        Ok(Plugin::new(name, path))
    }
}
