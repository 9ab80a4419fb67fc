use jiff::Timestamp;

use super::{EnvelopeError, PluginError};
use crate::sign::{certificate::CertificateError, revocation::RevocationError, timestamp::TimestampError};

/// Why a signature does not count.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It is not one.
    #[error("bad signature: {0}")]
    Bad(#[from] EnvelopeError),
    /// The manifest that carries it is not one of a signature.
    #[error("bad signature: {problem}")]
    Manifest {
        /// What is wrong with it.
        problem: String,
    },
    /// It is about something else.
    #[error("bad signature: it is about {about}, not about this manifest")]
    Foreign {
        /// The artifact that was signed.
        about: String,
    },
    /// No trusted certificate stands in its chain.
    #[error("the signer is not trusted: `{signer}` was certified by `{root}`, which is no trusted {kind}")]
    Authority {
        /// Who signed.
        signer: String,
        /// Whose certificate ends the chain.
        root: String,
        /// As what it would have to be trusted.
        kind: &'static str,
    },
    /// The authority is trusted, the signer is not.
    #[error("the signer is not trusted: `{signer}` is none of the trusted identities")]
    Identity {
        /// Who signed.
        signer: String,
    },
    /// Its time is over.
    #[error("expired: it counted until {expiry}")]
    Expired {
        /// Until when.
        expiry: Timestamp,
    },
    /// A certificate did not count when it was signed, as far as anybody can know.
    #[error("not valid in time: {0}")]
    NotInTime(CertificateError),
    /// Nobody but the signer says when it was signed.
    #[error("it has no timestamp, and one is needed")]
    NoTimestamp,
    /// Its timestamp does not count.
    #[error(transparent)]
    Timestamp(#[from] TimestampError),
    /// A certificate was revoked, or nobody can tell.
    #[error(transparent)]
    Revocation(#[from] RevocationError),
    /// The plugin without which it must not be accepted cannot be asked.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// It must not be accepted without a plugin, and none may be run.
    #[error("it must not be accepted without the plugin `{name}`, and a rehearsal runs none")]
    NoPlugins {
        /// Which.
        name: String,
    },
    /// The plugin does not agree.
    #[error("the plugin `{name}` does not accept it: {reason}")]
    PluginSays {
        /// Which.
        name: String,
        /// Why.
        reason: String,
    },
    /// It lacks what it must say.
    #[error("it does not say `{name}: {wanted}`: {found}")]
    Annotation {
        /// The annotation.
        name: String,
        /// What it must say.
        wanted: String,
        /// What it says.
        found: String,
    },
}
