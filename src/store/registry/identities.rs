use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use super::Secret;

/// The identity tokens of a run. A service may give a new one in the place of the one that it was shown; from then on,
/// and for this run, that one counts.
#[derive(Debug, Default)]
pub(super) struct Identities {
    by_first: Mutex<HashMap<Secret, Arc<AsyncMutex<Identity>>>>,
}

/// One of them, held by whoever is about to show it.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) token: Secret,
    /// Whether the service was seen to leave the token as it is. Until then only one may be on its way: a service that
    /// replaces a token may take the old one once.
    pub(super) is_lasting: bool,
}

impl Identities {
    /// What counts for the token that the credential store has.
    pub(super) async fn hold(&self, first: &Secret) -> OwnedMutexGuard<Identity> {
        let identity = {
            let mut by_first = self.by_first.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(
                by_first
                    .entry(first.clone())
                    .or_insert_with(|| Arc::new(AsyncMutex::new(Identity { token: first.clone(), is_lasting: false }))),
            )
        };
        identity.lock_owned().await
    }
}
