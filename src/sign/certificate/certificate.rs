use std::{fmt, ops::Range, sync::Arc};

use const_oid::AssociatedOid;
use der::{Decode, Encode};
use jiff::Timestamp;
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject};
use x509_cert::{ext::pkix::BasicConstraints, time::Time};

use super::{CertificateError, Name, SignatureAlgorithm, Validity, raw::signed_part};
use crate::sign::key::PublicKey;

/// A certificate, with the bytes that it came in. Clones share them.
#[derive(Clone)]
pub struct Certificate(Arc<Parts>);

struct Parts {
    der: Box<[u8]>,
    /// What its signature is over.
    signed: Range<usize>,
    content: x509_cert::Certificate,
    subject: Name,
    validity: Validity,
}

impl Certificate {
    /// The largest that is read. Those of authorities have two or three kilobytes.
    const LARGEST: usize = 64 * 1024;
    /// How many of one file are read.
    const MOST: usize = 1000;

    /// Reads one certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let fail = |message: String| CertificateError::Unreadable { message };
        if der.len() > Self::LARGEST {
            return Err(fail(format!("it has more than {} bytes", Self::LARGEST)));
        }
        let content = x509_cert::Certificate::from_der(der).map_err(|error| fail(error.to_string()))?;
        let signed = signed_part(der).map_err(|error| fail(error.to_string()))?;
        let certificate = &content.tbs_certificate;
        let time = |time: Time| {
            let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok();
            let time = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
            time.ok_or_else(|| fail("its time is out of range".to_owned()))
        };
        let validity =
            Validity { from: time(certificate.validity.not_before)?, until: time(certificate.validity.not_after)? };
        let subject = Name::of(&certificate.subject);
        Ok(Self(Arc::new(Parts { der: der.into(), signed, content, subject, validity })))
    }

    /// Reads every certificate of a PEM text, in order; other texts between them are left alone.
    pub fn from_pem(pem: &[u8]) -> Result<Vec<Self>, CertificateError> {
        let mut certificates = Vec::new();
        for der in CertificateDer::pem_slice_iter(pem).take(Self::MOST) {
            let der = der.map_err(|error| CertificateError::Unreadable { message: error.to_string() })?;
            certificates.push(Self::from_der(&der)?);
        }
        Ok(certificates)
    }

    /// Reads PEM, or one certificate as DER, whichever it is.
    pub fn from_file(bytes: &[u8]) -> Result<Vec<Self>, CertificateError> {
        // DER begins with a sequence, which no text does.
        let certificates =
            if bytes.first() == Some(&0x30) { vec![Self::from_der(bytes)?] } else { Self::from_pem(bytes)? };
        if certificates.is_empty() { Err(CertificateError::None) } else { Ok(certificates) }
    }

    /// Its bytes.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// Whose key it is about.
    pub fn subject(&self) -> &Name {
        &self.0.subject
    }

    /// When it counts.
    pub fn validity(&self) -> Validity {
        self.0.validity
    }

    /// SHA-256 of its bytes, in hexadecimal digits.
    pub fn thumbprint(&self) -> String {
        crate::oci::Digest::sha256(self.der()).hex().to_owned()
    }

    /// What was read.
    pub(in crate::sign) fn content(&self) -> &x509_cert::TbsCertificate {
        &self.0.content.tbs_certificate
    }

    /// The key that it is about.
    pub fn public_key(&self) -> Result<PublicKey, CertificateError> {
        let unreadable = |error: der::Error| CertificateError::Unreadable { message: error.to_string() };
        let key = self.content().subject_public_key_info.to_der().map_err(unreadable)?;
        let fail = |source| CertificateError::Key { subject: self.subject().to_string(), source };
        PublicKey::from_spki_der(&key).map_err(fail)
    }

    /// An extension, and whether it is critical; nothing where it is absent.
    pub(in crate::sign) fn extension<'a, T: Decode<'a> + AssociatedOid>(
        &'a self,
    ) -> Result<Option<(bool, T)>, CertificateError> {
        let unreadable = |error: der::Error| CertificateError::Unreadable { message: error.to_string() };
        self.content().get::<T>().map_err(unreadable)
    }

    /// Whether it says that it is one of an authority.
    pub fn is_authority(&self) -> Result<bool, CertificateError> {
        Ok(self.extension::<BasicConstraints>()?.is_some_and(|(_, constraints)| constraints.ca))
    }

    /// Whether its issuer's name is its own.
    pub fn names_itself(&self) -> bool {
        self.content().issuer == self.content().subject
    }

    /// Whether it says that `issuer` issued it, and is signed with the key of `issuer`.
    pub fn is_issued_by(&self, issuer: &Self) -> Result<bool, CertificateError> {
        if self.content().issuer != issuer.content().subject {
            return Ok(false);
        }
        let algorithm = &self.0.content.signature_algorithm;
        let unknown = || CertificateError::SignatureAlgorithm {
            subject: self.subject().to_string(),
            algorithm: algorithm_name(algorithm.oid),
        };
        let SignatureAlgorithm(scheme) = SignatureAlgorithm::of(algorithm).ok_or_else(unknown)?;
        // What is inside the signed part must agree with what is outside of it.
        if self.content().signature != *algorithm {
            return Ok(false);
        }
        let signature = self.0.content.signature.as_bytes().unwrap_or_default();
        let signed = self.der().get(self.0.signed.clone()).unwrap_or_default();
        Ok(issuer.public_key()?.verify(scheme, signed, signature).is_ok())
    }
}

fn algorithm_name(identifier: const_oid::ObjectIdentifier) -> String {
    const_oid::db::DB.by_oid(&identifier).map_or_else(|| identifier.to_string(), |name| format!("`{name}`"))
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der() == other.der()
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.subject().to_string()).finish()
    }
}
