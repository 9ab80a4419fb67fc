use crate::sign::timestamp::TimestampError;

/// Why a signature does not count.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It is not one.
    #[error("bad signature: {problem}")]
    Bad {
        /// What is wrong with it.
        problem: String,
    },
    /// It is about something else.
    #[error("bad signature: it is about {about}, not about this manifest")]
    Foreign {
        /// The digests that it is about.
        about: String,
    },
    /// It says that one of the keys made it, which is not so.
    #[error("bad signature: it is not that of its key, or what was signed has changed since")]
    Broken,
    /// None of the keys made it.
    #[error("the signer is not trusted: {} made it, which is none of the keys", hint.as_deref().map_or("another key".to_owned(), |hint| format!("the key `{hint}`")))]
    Stranger {
        /// The key that it names: base64 of the SHA-256 of its `SubjectPublicKeyInfo`.
        hint: Option<String>,
    },
    /// Somebody else made it.
    #[error("the signer is not trusted: `{subject}` made it, as `{issuer}` says")]
    Identity {
        /// Who signed.
        subject: String,
        /// Who says so.
        issuer: String,
    },
    /// Nobody who is trusted has certified the signer.
    #[error("the signer is not trusted: its certificate is from no trusted authority")]
    Authority,
    /// The signer's certificate did not count when it signed.
    #[error("bad signature: its certificate did not count when it was made")]
    NotInTime,
    /// It stands in no log.
    #[error("it is in no transparency log, and must be in one")]
    NoEntry,
    /// It vouches for something else than what is asked for.
    #[error("it is an attestation of type `{found}`, not {wanted}")]
    Predicate {
        /// What it vouches for.
        found: String,
        /// What is asked for.
        wanted: String,
    },
    /// Nobody but the signer says when it was signed.
    #[error("it has no timestamp, and one is needed")]
    NoTimestamp,
    /// Its timestamp does not count.
    #[error(transparent)]
    Timestamp(#[from] TimestampError),
    /// It lacks what it must say.
    #[error("it does not say `{name}: {wanted}`: {}", found.as_deref().map_or("it says nothing of it".to_owned(), |found| format!("it says `{found}`")))]
    Annotation {
        /// The annotation.
        name: String,
        /// What it must say.
        wanted: String,
        /// What it says.
        found: Option<String>,
    },
}

impl Refusal {
    /// It is not a signature, for that reason.
    pub fn bad(problem: impl Into<String>) -> Self {
        Self::Bad { problem: problem.into() }
    }
}
