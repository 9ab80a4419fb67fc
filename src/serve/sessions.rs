//! Uploads that have begun and not ended.

use std::{
    collections::HashMap,
    fmt::Write,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::failure::Failure;
use crate::{oci::RepositoryName, store::Staged};

/// How many uploads may be open at a time: each holds a file open.
const LIMIT: usize = 320;

/// How long an upload may be left alone.
const PATIENCE: Duration = Duration::from_mins(30);

/// An upload that has begun.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) name: RepositoryName,
    pub(super) staged: Staged,
    used: Mutex<Instant>,
}

/// All of them. They end with the server.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Arc<Session>>>);

impl Session {
    /// Where it goes on.
    pub(super) fn location(&self) -> String {
        format!("/v2/{}/blobs/uploads/{}", self.name, self.id)
    }

    /// Takes note that somebody is at work here.
    pub(super) fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn is_forgotten(&self) -> bool {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).elapsed() > PATIENCE
    }
}

impl Sessions {
    /// A new one, with an id that nobody can guess.
    pub(super) fn begin(&self, name: &RepositoryName, staged: Staged) -> Result<Arc<Session>, Failure> {
        let id = uuid()?;
        let used = Mutex::new(Instant::now());
        let session = Arc::new(Session { id: id.clone(), name: name.clone(), staged, used });
        self.lock().insert(id, Arc::clone(&session));
        Ok(session)
    }

    /// Fails where there are as many as there may be.
    pub(super) fn make_room(&self) -> Result<(), Failure> {
        if self.count() < LIMIT {
            return Ok(());
        }
        self.sweep();
        if self.count() < LIMIT { Ok(()) } else { Err(Failure::TooMany) }
    }

    /// Gives up those that were left alone.
    pub(super) fn sweep(&self) {
        self.lock().retain(|_, session| !session.is_forgotten());
    }

    /// The one with that id, of that repository.
    pub(super) fn find(&self, name: &RepositoryName, id: &str) -> Result<Arc<Session>, Failure> {
        let session = self.lock().get(id).filter(|session| session.name == *name).cloned();
        let session = session.ok_or(Failure::UploadUnknown)?;
        session.touch();
        Ok(session)
    }

    /// Ends it, whatever has become of it.
    pub(super) fn end(&self, session: &Session) {
        session.staged.close();
        self.lock().remove(&session.id);
    }

    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Every change to it is whole, so that a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Session>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A random UUID.
///
/// <https://www.rfc-editor.org/rfc/rfc9562#section-5.4>
fn uuid() -> Result<String, Failure> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        let source = std::io::Error::other(error);
        Failure::Internal(crate::store::StoreError::Io { path: "/dev/urandom".into(), source })
    })?;
    let [.., _, _, _, _, _, _, version, _, variant, _, _, _, _, _, _, _] = &mut bytes;
    *version = (*version & 0x0f) | 0x40;
    *variant = (*variant & 0x3f) | 0x80;
    let mut text = String::with_capacity(36);
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn an_id_is_a_uuid_and_new_each_time() {
        let shape = Regex::new("^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$").unwrap();
        let (one, other) = (uuid().unwrap(), uuid().unwrap());
        assert!(shape.is_match(&one), "{one}");
        assert_ne!(one, other);
    }
}
