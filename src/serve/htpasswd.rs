//! Who may ask: a file of users with the bcrypt hashes of their passwords, as `htpasswd -B` writes it.

use std::{
    collections::HashMap,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};
use tokio::{sync::Semaphore, task};

/// Users and the hashes of their passwords.
pub struct Htpasswd {
    users: HashMap<String, String>,
    /// A hash that nobody's password has, to take as long over a user that does not exist.
    nobody: String,
    /// What was found right before: hashing takes a tenth of a second by design. Passwords are not kept, only what
    /// they hash to together with `salt`.
    known: Mutex<HashMap<String, [u8; 32]>>,
    salt: [u8; 32],
    /// How many passwords are hashed at a time: who guesses must not take the machine.
    turns: Arc<Semaphore>,
}

/// Why a file of users cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HtpasswdError {
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is something else.
    #[error("{}:{line}: it takes `user:hash` with a bcrypt hash, as `htpasswd -B` writes it", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which, from 1.
        line: usize,
    },
    /// There is nobody in it.
    #[error("{}: there is no user in it, so that nobody could ask", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The system has no randomness to give.
    #[error("there is no randomness: {0}")]
    Random(getrandom::Error),
}

impl Htpasswd {
    /// Reads the file. Empty lines and lines that begin with `#` are left out.
    pub fn read(path: &Path) -> Result<Self, HtpasswdError> {
        let text = fs::read_to_string(path).map_err(|source| HtpasswdError::Io { path: path.to_owned(), source })?;
        let mut users = HashMap::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (user, hash) = line
                .split_once(':')
                .filter(|(user, hash)| !user.is_empty() && is_bcrypt(hash))
                .ok_or(HtpasswdError::Line { path: path.to_owned(), line: number + 1 })?;
            users.insert(user.to_owned(), hash.to_owned());
        }
        let Some(nobody) = users.values().next().cloned() else {
            return Err(HtpasswdError::Empty { path: path.to_owned() });
        };
        let mut salt = [0; 32];
        getrandom::fill(&mut salt).map_err(HtpasswdError::Random)?;
        Ok(Self { users, nobody, known: Mutex::default(), salt, turns: Arc::new(Semaphore::new(2)) })
    }

    /// The user that an `Authorization` header proves.
    pub(super) async fn user(&self, header: &str) -> Option<String> {
        let (scheme, encoded) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let pair = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        let (user, password) = pair.split_once(':')?;
        let print = self.print(user, password);
        if self.known.lock().unwrap_or_else(PoisonError::into_inner).get(user).is_some_and(|known| same(known, &print))
        {
            return Some(user.to_owned());
        }
        let hash = self.users.get(user).cloned();
        let is_known = hash.is_some();
        let (hash, password) = (hash.unwrap_or_else(|| self.nobody.clone()), password.to_owned());
        let turn = Arc::clone(&self.turns).acquire_owned().await.ok()?;
        let is_right = task::spawn_blocking(move || {
            let is_right = bcrypt::verify(password, &hash).unwrap_or(false);
            drop(turn);
            is_right
        });
        if !is_right.await.unwrap_or(false) || !is_known {
            return None;
        }
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(user.to_owned(), print);
        Some(user.to_owned())
    }

    fn print(&self, user: &str, password: &str) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(self.salt);
        hasher.update((user.len() as u64).to_le_bytes());
        hasher.update(user);
        hasher.update(password);
        hasher.finalize().into()
    }
}

/// Whether they are the same, in a time that does not tell where they differ.
fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    one.iter().zip(other).fold(0, |difference, (one, other)| difference | (one ^ other)) == 0
}

fn is_bcrypt(hash: &str) -> bool {
    ["$2y$", "$2a$", "$2b$", "$2x$"].iter().any(|start| hash.starts_with(start))
        && hash.parse::<bcrypt::HashParts>().is_ok()
}

impl fmt::Debug for Htpasswd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Htpasswd").field("users", &self.users.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        fs::write(&path, text).unwrap();
        (folder, path)
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    #[tokio::test]
    async fn only_the_right_password_is_a_user() {
        let (one, other) = (bcrypt::hash("secret", 4).unwrap(), bcrypt::hash("other", 4).unwrap());
        let (_folder, path) = file(&format!("# users\n\njane:{one}\njohn:{}\n", other.replacen("$2b$", "$2y$", 1)));
        let users = Htpasswd::read(&path).unwrap();
        // Twice, since the second time is answered from memory.
        for _ in 0..2 {
            for (pair, expected) in [
                ("jane:secret", Some("jane")),
                ("john:other", Some("john")),
                ("jane:other", None),
                ("jane:", None),
                ("nobody:secret", None),
                ("nobody:other", None),
                ("jane", None),
            ] {
                assert_eq!(users.user(&basic(pair)).await.as_deref(), expected, "{pair}");
            }
        }
        for header in ["", "Basic", "Basic !", "Bearer x", &STANDARD.encode("jane:secret")] {
            assert_eq!(users.user(header).await, None, "{header}");
        }
        assert_eq!(format!("{users:?}"), "Htpasswd { users: 2, .. }");
    }

    #[test]
    fn a_file_that_is_none_is_said() {
        for (text, message) in [
            ("jane:secret", "users:1: it takes `user:hash` with a bcrypt hash, as `htpasswd -B` writes it"),
            ("\n# x\njane:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "users:3: it takes"),
            ("jane:$2y$05$short", "users:1: it takes"),
            (":$2y$05$", "users:1: it takes"),
            ("# nobody\n", "there is no user in it"),
        ] {
            let (_folder, path) = file(text);
            let error = Htpasswd::read(&path).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
