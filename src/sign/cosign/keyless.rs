use std::fmt;

use jiff::Timestamp;
use sigstore_trust_root::TrustedRoot;
use sigstore_types::{Bundle as SignedBundle, Sha256Hash};
use sigstore_verify::{CertificateError, Error, TimestampError, TransparencyLogError, VerificationPolicy, Verifier};

use super::{Bundle, Refusal, Statement};
use crate::oci::{Algorithm, Digest};

/// Verifies what was signed without a key that anybody keeps: with a certificate for a few minutes that names who signed, and
/// what a log or a timestamp service says of the time.
///
/// Everything is verified against what stands in a file; nobody is asked.
///
/// <https://docs.sigstore.dev/about/security/>
pub struct Keyless {
    verifier: Verifier,
    /// Where the file names logs of certificates, a certificate must be in one.
    has_certificate_logs: bool,
    /// Where the file names logs of signatures, a signature must be in one. Otherwise a timestamp service says when.
    has_logs: bool,
}

/// Who signs, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// An e-mail address or a URI: what stands in the certificate.
    pub subject: String,
    /// Who has asked the signer for a password or the like.
    pub issuer: String,
}

impl Keyless {
    /// Reads a trusted root, as `cosign trusted-root create` writes it.
    pub fn read(json: &str) -> Result<Self, String> {
        let root = TrustedRoot::from_json(json).map_err(|error| error.to_string())?;
        if root.certificate_authorities.is_empty() {
            return Err("it names no certificate authority".to_owned());
        }
        let verifier = Verifier::new(&root).map_err(|error| error.to_string())?;
        Ok(Self { verifier, has_certificate_logs: !root.ctlogs.is_empty(), has_logs: !root.tlogs.is_empty() })
    }

    /// What one of `identities` signed in that bundle about that manifest, which one, and when.
    pub fn verify<'a>(
        &self,
        bundle: &[u8],
        subject: &Digest,
        identities: &'a [Identity],
    ) -> Result<(Statement, &'a Identity, Option<Timestamp>), Refusal> {
        let read = Bundle::read(bundle)?;
        let text = str::from_utf8(bundle).map_err(|_| Refusal::bad("it is no bundle: it is not UTF-8"))?;
        let signed =
            SignedBundle::from_json(text).map_err(|error| Refusal::bad(format!("it is no bundle: {error}")))?;
        if signed.signing_certificate().is_none() {
            return Err(Refusal::bad("it was signed with a key, and has no certificate"));
        }
        // The statement says what it is about; what is about another manifest is told as such.
        let statement = read.statement()?;
        statement.check_subject(subject)?;
        let (Algorithm::Sha256, Ok(digest)) = (subject.algorithm(), Sha256Hash::from_hex(subject.hex())) else {
            return Err(Refusal::bad("only manifests with a SHA-256 can be verified in that way"));
        };
        if signed.verification_material.tlog_entries.is_empty() {
            if self.has_logs {
                return Err(Refusal::NoEntry);
            }
            if read.timestamps().is_empty() {
                return Err(Refusal::NoTimestamp);
            }
        }
        let mut policy = VerificationPolicy::any_identity();
        if !self.has_certificate_logs {
            policy = policy.skip_sct();
        }
        if !self.has_logs {
            policy = policy.skip_tlog_unsafe();
        }
        let verified = self.verifier.verify(digest, &signed, &policy).map_err(refusal)?;
        let found = verified.identity().map(sigstore_verify::SubjectAltName::as_str).unwrap_or_default();
        let issuer = verified.issuer().unwrap_or_default();
        let who = identities.iter().find(|identity| found == identity.subject && issuer == identity.issuer);
        let stranger = || Refusal::Identity { subject: found.to_owned(), issuer: issuer.to_owned() };
        let who = who.ok_or_else(stranger)?;
        Ok((statement, who, verified.verified_timestamps().iter().min().copied()))
    }
}

/// What is wrong with a signature, told apart: the library's own words where they are about the signature alone.
fn refusal(error: Error) -> Refusal {
    match error {
        Error::Certificate(CertificateError::ChainInvalid(problem)) if is_of_time(&problem) => Refusal::NotInTime,
        Error::Certificate(CertificateError::Expired { .. } | CertificateError::NotYetValid { .. })
        | Error::TransparencyLog(TransparencyLogError::IntegratedTime(_)) => Refusal::NotInTime,
        Error::Certificate(CertificateError::ChainInvalid(_) | CertificateError::NoValidAuthority { .. }) => {
            Refusal::Authority
        }
        Error::Timestamp(TimestampError::NoVerifiedTimestamp(_)) => Refusal::NoTimestamp,
        error => Refusal::bad(error.to_string()),
    }
}

/// Whether a chain is none because of the time: there the library hands on what its own library says, in words.
fn is_of_time(problem: &str) -> bool {
    ["CertExpired", "CertNotValidYet"].iter().any(|word| problem.contains(word))
}

impl fmt::Debug for Keyless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyless").field("has_logs", &self.has_logs).finish_non_exhaustive()
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.subject, self.issuer)
    }
}
