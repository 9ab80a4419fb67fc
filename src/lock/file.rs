use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    oci::{Digest, Reference, Repository, Tag},
    step::Places,
};

/// What a lock file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Of the format, 1.
    pub consign_lock: u32,
    /// The tags that the plan only reads, and the manifests that they name.
    #[serde(default)]
    pub references: BTreeMap<String, Digest>,
    /// The steps that make a manifest, and its digest. Signatures are none of them.
    #[serde(default)]
    pub steps: BTreeMap<String, Digest>,
}

/// Why a lock file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is something else.
    #[error("{} is not what `consign lock` writes: {why}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// The largest file that is read, in bytes.
const LARGEST: u64 = 16 * 1024 * 1024;
const HEAD: &str = "# Written by `consign lock`: what the plan reads, and what its steps make. Check it in.\n";

impl Lock {
    /// The version of the format.
    pub const VERSION: u32 = 1;

    /// Where the lock file of a plan is.
    pub fn path(plan: &Path) -> PathBuf {
        let mut path = plan.as_os_str().to_owned();
        path.push(".lock");
        path.into()
    }

    /// The lock of a plan, where it has one.
    pub fn read(plan: &Path) -> Result<Option<Self>, LockError> {
        let path = Self::path(plan);
        let mut text = String::new();
        match File::open(&path).and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(LockError::Io { path, source }),
        }
        let unreadable = |why: String| LockError::Unreadable { path: path.clone(), why };
        if text.len() as u64 > LARGEST {
            return Err(unreadable(format!("it has more than {LARGEST} bytes")));
        }
        let lock: Self = serde_yaml::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
        if lock.consign_lock != Self::VERSION {
            return Err(unreadable(format!("it has version {}", lock.consign_lock)));
        }
        for reference in lock.references.keys() {
            reference.parse::<Reference>().map_err(|error| unreadable(error.to_string()))?;
        }
        Ok(Some(lock))
    }

    /// Writes the lock of a plan.
    pub fn write(&self, plan: &Path) -> Result<(), LockError> {
        let path = Self::path(plan);
        let text = serde_yaml::to_string(self).map_err(io::Error::other);
        let written = text.and_then(|text| fs::write(&path, HEAD.to_owned() + &text));
        written.map_err(|source| LockError::Io { path, source })
    }

    /// The tags and what they name, by the repository behind its name.
    pub fn tags(&self, places: &Places) -> Vec<(Repository, Tag, Digest)> {
        let tags = self.references.iter().filter_map(|(reference, digest)| {
            let reference: Reference = reference.parse().ok()?;
            Some((places.repository(&reference.repository), reference.tag?, digest.clone()))
        });
        tags.collect()
    }
}
