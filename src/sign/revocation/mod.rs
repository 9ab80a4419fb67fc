//! Whether certificates were revoked: their authorities say so, over OCSP or in lists.
//!
//! Only what a certificate itself names is asked. What an authority says counts where it is signed by that authority, or
//! by somebody whom it has certified for that, and is not out of date.

mod crl;
mod error;
mod ocsp;
mod sources;

use jiff::{SignedDuration, Timestamp};

pub use self::error::RevocationError;
use self::sources::Sources;
use super::{
    Web,
    certificate::{Certificate, Chain},
};

/// Fails where a certificate of `chain` was revoked, or where its authority names a service that does not say.
///
/// <https://github.com/notaryproject/specifications/blob/v1.1.0/specs/trust-store-trust-policy.md#certificate-revocation-evaluation>
pub async fn check(chain: &Chain, web: &dyn Web, now: Timestamp) -> Result<(), RevocationError> {
    let certificates = chain.certificates();
    // The last one is its own authority: nobody else could revoke it.
    for (certificate, issuer) in certificates.iter().zip(certificates.iter().skip(1)) {
        check_one(certificate, issuer, web, now).await?;
    }
    Ok(())
}

/// The latest time that may be now where somebody else has looked at the clock: clocks differ, and an answer that was
/// made for a question is younger than the question.
fn latest(now: Timestamp) -> Timestamp {
    now.checked_add(SignedDuration::from_mins(5)).unwrap_or(now)
}

async fn check_one(
    certificate: &Certificate,
    issuer: &Certificate,
    web: &dyn Web,
    now: Timestamp,
) -> Result<(), RevocationError> {
    let sources = Sources::of(certificate)?;
    let mut reasons = Vec::new();
    for url in sources.ocsp {
        match ocsp::ask(&url, certificate, issuer, web, now).await {
            Ok(()) => return Ok(()),
            Err(revoked @ RevocationError::Revoked { .. }) => return Err(revoked),
            Err(unknown) => reasons.push(unknown.to_string()),
        }
    }
    for url in sources.lists {
        match crl::ask(&url, certificate, issuer, web, now).await {
            Ok(()) => return Ok(()),
            Err(revoked @ RevocationError::Revoked { .. }) => return Err(revoked),
            Err(unknown) => reasons.push(unknown.to_string()),
        }
    }
    if reasons.is_empty() {
        // Its authority names nobody to ask.
        return Ok(());
    }
    Err(RevocationError::Unknown { subject: certificate.subject().to_string(), reasons })
}

#[cfg(test)]
mod tests;
