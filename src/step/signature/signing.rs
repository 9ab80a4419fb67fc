use std::sync::Arc;

use crate::{sign::key::PrivateKey, step::StepError};

/// Lets a key sign: here where it is quick, otherwise where others need not wait for it. Every thread that signs needs a
/// generator of random numbers of its own, which takes longer to make than many signatures.
pub(super) async fn signing<T: Send + 'static>(
    key: &Arc<PrivateKey>,
    sign: impl FnOnce(&PrivateKey) -> T + Send + 'static,
) -> Result<T, StepError> {
    if key.is_quick() {
        return Ok(sign(key));
    }
    let key = Arc::clone(key);
    let signed = tokio::task::spawn_blocking(move || sign(&key)).await;
    signed.map_err(|error| StepError::BrokenOff { message: error.to_string() })
}
