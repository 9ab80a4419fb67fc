use std::{env, path::PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Plugins;

/// The folder in which notation keeps what it knows: keys, plugins, whom to trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home(PathBuf);

/// A key that notation knows by a name.
#[derive(Debug, Clone, PartialEq)]
pub enum NamedKey {
    /// Files, PEM.
    Files {
        /// The private key.
        key: PathBuf,
        /// Its certificates.
        certificates: PathBuf,
    },
    /// A key that a plugin has.
    Plugin {
        /// The plugin.
        plugin: String,
        /// What the plugin calls the key.
        id: String,
        /// What the plugin is told.
        config: Map<String, Value>,
    },
}

/// Why a key cannot be found by its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NamedKeyError {
    /// The list cannot be read.
    #[error("the list of keys cannot be read: {message}")]
    Malformed {
        /// Why.
        message: String,
    },
    /// It is not in the list.
    #[error("there is no key `{name}`: the keys are {}", names.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// Those that are there.
        names: Vec<String>,
    },
    /// No name was given, and none is said to be the default.
    #[error("no key is the default: write `notation:NAME`")]
    NoDefault,
    /// Neither files nor a plugin.
    #[error("the key `{name}` has neither `keyPath` with `certPath` nor `pluginName` with `id`")]
    Incomplete {
        /// Which.
        name: String,
    },
}

#[derive(Deserialize)]
struct Keys {
    #[serde(default)]
    default: Option<String>,
    #[serde(default)]
    keys: Vec<Key>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    name: String,
    #[serde(rename = "keyPath")]
    private: Option<PathBuf>,
    #[serde(rename = "certPath")]
    certificates: Option<PathBuf>,
    id: Option<String>,
    plugin_name: Option<String>,
    #[serde(default)]
    plugin_config: Option<Map<String, Value>>,
}

impl Home {
    /// The user's, where there is one: `$XDG_CONFIG_HOME/notation`, otherwise `~/.config/notation`.
    pub fn of_user() -> Option<Self> {
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))?;
        Some(Self(folder.join("notation")))
    }

    /// One that lies elsewhere.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// Whom to trust.
    pub fn trust_policy(&self) -> PathBuf {
        self.0.join("trustpolicy.json")
    }

    /// The same, as newer versions name it; it counts before the other.
    pub fn oci_trust_policy(&self) -> PathBuf {
        self.0.join("trustpolicy.oci.json")
    }

    /// The certificates of those who are trusted.
    pub fn trust_store(&self) -> PathBuf {
        self.0.join("truststore")
    }

    /// The list of keys.
    pub fn signing_keys(&self) -> PathBuf {
        self.0.join("signingkeys.json")
    }

    /// The plugins.
    pub fn plugins(&self) -> Plugins {
        Plugins::within(self.0.join("plugins"))
    }
}

impl NamedKey {
    /// Finds a key in the list; without a name, the default.
    pub fn find(list: &[u8], name: &str) -> Result<Self, NamedKeyError> {
        let list: Keys =
            serde_json::from_slice(list).map_err(|error| NamedKeyError::Malformed { message: error.to_string() })?;
        let name = match (name, list.default) {
            ("", Some(default)) if !default.is_empty() => default,
            ("", _) => return Err(NamedKeyError::NoDefault),
            (name, _) => name.to_owned(),
        };
        let names = || list.keys.iter().map(|key| format!("`{}`", key.name)).collect();
        let Some(key) = list.keys.iter().find(|key| key.name == name) else {
            return Err(NamedKeyError::Unknown { names: names(), name });
        };
        match key {
            Key { private: Some(key), certificates: Some(certificates), .. } => {
                Ok(Self::Files { key: key.clone(), certificates: certificates.clone() })
            }
            Key { id: Some(id), plugin_name: Some(plugin), plugin_config, .. } => Ok(Self::Plugin {
                plugin: plugin.clone(),
                id: id.clone(),
                config: plugin_config.clone().unwrap_or_default(),
            }),
            _ => Err(NamedKeyError::Incomplete { name }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        #[test]
        fn any_list_has_the_key_or_not(text in "\\PC{0,200}", name in ".{0,20}", field in "keyPath|certPath|id|pluginName|x", value: bool) {
            let _ = NamedKey::find(text.as_bytes(), &name);
            let value = if value { json!(text) } else { json!({ "a": [text] }) };
            let list = json!({ "default": name, "keys": [{ "name": name, (field): value, "pluginConfig": { "a": value } }] });
            prop_assert!(NamedKey::find(list.to_string().as_bytes(), &name).is_err());
        }
    }

    #[test]
    fn a_key_is_found_by_its_name() {
        let list = json!({
            "default": "files",
            "keys": [
                { "name": "files", "keyPath": "/k.key", "certPath": "/k.crt" },
                { "name": "cloud", "id": "42", "pluginName": "kms", "pluginConfig": { "a": "b" } },
                { "name": "broken", "keyPath": "/k.key" },
            ],
        });
        let find = |name: &str| NamedKey::find(list.to_string().as_bytes(), name).map_err(|error| error.to_string());
        let files = NamedKey::Files { key: "/k.key".into(), certificates: "/k.crt".into() };
        assert_eq!((find("files"), find("")), (Ok(files.clone()), Ok(files)));
        let config = Map::from_iter([("a".to_owned(), json!("b"))]);
        let cloud = NamedKey::Plugin { plugin: "kms".to_owned(), id: "42".to_owned(), config };
        assert_eq!(find("cloud"), Ok(cloud));
        let wrong = "the key `broken` has neither `keyPath` with `certPath` nor `pluginName` with `id`";
        assert_eq!(find("broken"), Err(wrong.to_owned()));
        let wrong = "there is no key `other`: the keys are `files`, `cloud`, `broken`";
        assert_eq!(find("other"), Err(wrong.to_owned()));
        let none = NamedKey::find(b"{}", "").unwrap_err().to_string();
        assert_eq!(none, "no key is the default: write `notation:NAME`");
        assert!(NamedKey::find(b"[", "").unwrap_err().to_string().starts_with("the list of keys cannot be read: "));
    }
}
