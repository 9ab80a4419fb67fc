use std::str::FromStr;

use const_oid::{AssociatedOid, db::rfc5912};
use der::{
    Decode, Encode,
    asn1::{BitString, GeneralizedTime, OctetString},
};
use jiff::{SignedDuration, Timestamp};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::{
    TbsCertificate, Version,
    ext::{
        Extension,
        pkix::{KeyUsage, KeyUsages},
    },
    name::RdnSequence,
    serial_number::SerialNumber,
    time::{Time, Validity},
};

use super::{Certificate, CertificateError};
use crate::sign::key::{Hash, PrivateKey, Scheme};

impl Certificate {
    /// A certificate for a day, in which the owner of a P-256 key vouches for itself: for rehearsals, where nobody else may.
    pub fn self_signed(key: &PrivateKey, name: &str, now: Timestamp) -> Result<Self, CertificateError> {
        let unreadable = |error: der::Error| CertificateError::Unreadable { message: error.to_string() };
        let der = encode(key, name, now).map_err(unreadable)?;
        Self::from_der(&der)
    }
}

fn encode(key: &PrivateKey, name: &str, now: Timestamp) -> der::Result<Vec<u8>> {
    let failed = || der::Error::from(der::ErrorKind::Failed);
    let time = |time: Result<Timestamp, jiff::Error>| {
        let seconds = time.ok().and_then(|time| u64::try_from(time.as_second()).ok()).ok_or_else(failed)?;
        GeneralizedTime::from_unix_duration(std::time::Duration::from_secs(seconds)).map(Time::GeneralTime)
    };
    let algorithm = AlgorithmIdentifierOwned { oid: rfc5912::ECDSA_WITH_SHA_256, parameters: None };
    let name = RdnSequence::from_str(name)?;
    let usage = KeyUsage(KeyUsages::DigitalSignature.into()).to_der()?;
    let usage = Extension { extn_id: KeyUsage::OID, critical: true, extn_value: OctetString::new(usage)? };
    let content = TbsCertificate {
        version: Version::V3,
        serial_number: SerialNumber::new(&[1])?,
        signature: algorithm.clone(),
        issuer: name.clone(),
        validity: Validity {
            not_before: time(now.checked_sub(SignedDuration::from_hours(1)))?,
            not_after: time(now.checked_add(SignedDuration::from_hours(24)))?,
        },
        subject: name,
        subject_public_key_info: SubjectPublicKeyInfoOwned::from_der(key.public().spki_der())?,
        issuer_unique_id: None,
        subject_unique_id: None,
        extensions: Some(vec![usage]),
    };
    let signature = key.sign(Scheme::EcdsaDer(Hash::Sha256), &content.to_der()?).map_err(|_| failed())?;
    let certificate = x509_cert::Certificate {
        tbs_certificate: content,
        signature_algorithm: algorithm,
        signature: BitString::from_bytes(&signature)?,
    };
    certificate.to_der()
}
