use std::sync::{Arc, OnceLock};

use crate::{
    sign::key::{KeyError, PrivateKey, PublicKey},
    step::{StepContext, StepError},
};

/// The throw-away key of a rehearsal: it takes the place of the keys of the plan, and nobody has it afterwards.
///
/// What it signs says so in what is signed. Only steps of a rehearsal that was not told to use real keys trust it.
#[derive(Debug)]
pub(in crate::step) struct StandIn;

impl StandIn {
    /// The key: one for the whole process, made when it is first asked for.
    pub(in crate::step) fn key() -> Result<Arc<PrivateKey>, StepError> {
        let fail = |source| StepError::Key { key: "the throw-away key of the rehearsal".to_owned(), source };
        get().map_err(fail)
    }

    /// Whether that is its key.
    pub(in crate::step) fn is(key: &PublicKey) -> bool {
        get().is_ok_and(|own| own.public() == key)
    }

    /// Whether keys of the plan are stood in for.
    pub(in crate::step) const fn is_asked(cx: &StepContext) -> bool {
        !cx.mode.takes_secrets()
    }
}

fn get() -> Result<Arc<PrivateKey>, KeyError> {
    static KEY: OnceLock<Result<Arc<PrivateKey>, KeyError>> = OnceLock::new();
    KEY.get_or_init(|| PrivateKey::generate().map(Arc::new)).clone()
}
