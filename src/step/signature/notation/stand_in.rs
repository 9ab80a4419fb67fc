use std::sync::{Arc, LazyLock};

use jiff::Timestamp;

use crate::sign::{
    certificate::{Certificate, CertificateError, Chain, Purpose},
    key::{KeyError, PrivateKey},
};

/// A key that exists for as long as a rehearsal, with a certificate that its `verify` trusts: it takes the place of keys
/// that a rehearsal has no business with.
#[derive(Debug, Clone)]
pub(super) struct StandIn {
    pub(super) key: Arc<PrivateKey>,
    pub(super) chain: Chain,
}

#[derive(Debug, Clone, thiserror::Error)]
#[error("a throw-away key cannot be made: {0}")]
pub(super) struct StandInError(String);

/// One for all steps: what one of them signs another one verifies.
static STAND_IN: LazyLock<Result<StandIn, StandInError>> = LazyLock::new(|| {
    let key = PrivateKey::generate().map_err(|error: KeyError| StandInError(error.to_string()))?;
    let fail = |error: CertificateError| StandInError(error.to_string());
    let name = "CN=throw-away key of a rehearsal,O=consign,ST=none,C=ZZ";
    let certificate = Certificate::self_signed(&key, name, Timestamp::now()).map_err(fail)?;
    let chain = Chain::new(vec![certificate], Purpose::Signing).map_err(fail)?;
    Ok(StandIn { key: Arc::new(key), chain })
});

impl StandIn {
    pub(super) fn get() -> Result<Self, StandInError> {
        STAND_IN.clone()
    }
}
