//! What a single certificate must say of itself.

use const_oid::db::rfc5280;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages};

use super::{Certificate, CertificateError, Purpose};

/// An authority with `below` authorities under it in the chain.
///
/// <https://github.com/notaryproject/specifications/blob/v1.1.0/specs/signature-specification.md#certificate-requirements>
pub(super) fn check_authority(certificate: &Certificate, below: usize) -> Result<(), CertificateError> {
    let subject = || certificate.subject().to_string();
    let fail = |reason| Err(CertificateError::NotAuthority { subject: subject(), reason });
    let constraints = match certificate.extension::<BasicConstraints>()? {
        Some((true, constraints)) if constraints.ca => constraints,
        Some((false, constraints)) if constraints.ca => return fail("its basic constraints are not critical"),
        _ => return fail("its basic constraints do not say so"),
    };
    if let Some(allowed) = constraints.path_len_constraint.filter(|allowed| usize::from(*allowed) < below) {
        return Err(CertificateError::PathLength { subject: subject(), allowed, below });
    }
    match certificate.extension::<KeyUsage>()? {
        Some((true, usage)) if usage.key_cert_sign() => Ok(()),
        Some((false, usage)) if usage.key_cert_sign() => fail("its key usage is not critical"),
        _ => fail("its key usage does not include `keyCertSign`"),
    }
}

/// The certificate of the key that signs.
pub(super) fn check_leaf(certificate: &Certificate, purpose: Purpose) -> Result<(), CertificateError> {
    let what = match purpose {
        Purpose::Signing => "signing",
        Purpose::Timestamping => "timestamps",
    };
    let fail =
        |reason: String| CertificateError::Usage { subject: certificate.subject().to_string(), purpose: what, reason };
    if certificate.extension::<BasicConstraints>()?.is_some_and(|(_, constraints)| constraints.ca) {
        return Err(fail("it is that of an authority".to_owned()));
    }
    let usage = match certificate.extension::<KeyUsage>()? {
        Some((true, usage)) => usage,
        Some((false, _)) => return Err(fail("its key usage is not critical".to_owned())),
        None => return Err(fail("it has no key usage".to_owned())),
    };
    if !usage.digital_signature() {
        return Err(fail("its key usage does not include `digitalSignature`".to_owned()));
    }
    if let Some((_, name)) = FORBIDDEN.iter().find(|(flag, _)| usage.0.contains(*flag)) {
        return Err(fail(format!("its key usage includes `{name}`")));
    }
    let extended = certificate.extension::<ExtendedKeyUsage>()?;
    match (purpose, extended) {
        (Purpose::Signing, Some((_, ExtendedKeyUsage(uses)))) => {
            let wrong = NOT_FOR_SIGNING.iter().find(|(identifier, _)| uses.contains(identifier));
            wrong.map_or(Ok(()), |(_, name)| Err(fail(format!("its extended key usage includes `{name}`"))))
        }
        (Purpose::Signing, None) => Ok(()),
        (Purpose::Timestamping, Some((true, ExtendedKeyUsage(uses)))) if uses == [rfc5280::ID_KP_TIME_STAMPING] => {
            Ok(())
        }
        (Purpose::Timestamping, _) => {
            Err(fail("its extended key usage must be critical, and `timeStamping` alone".to_owned()))
        }
    }
}

/// What a key that signs artifacts or times must not be used for as well. `nonRepudiation` may stand there.
const FORBIDDEN: &[(KeyUsages, &str)] = &[
    (KeyUsages::KeyEncipherment, "keyEncipherment"),
    (KeyUsages::DataEncipherment, "dataEncipherment"),
    (KeyUsages::KeyAgreement, "keyAgreement"),
    (KeyUsages::KeyCertSign, "keyCertSign"),
    (KeyUsages::CRLSign, "cRLSign"),
    (KeyUsages::EncipherOnly, "encipherOnly"),
    (KeyUsages::DecipherOnly, "decipherOnly"),
];

const NOT_FOR_SIGNING: &[(const_oid::ObjectIdentifier, &str)] = &[
    (rfc5280::ANY_EXTENDED_KEY_USAGE, "anyExtendedKeyUsage"),
    (rfc5280::ID_KP_SERVER_AUTH, "serverAuth"),
    (rfc5280::ID_KP_CLIENT_AUTH, "clientAuth"),
    (rfc5280::ID_KP_EMAIL_PROTECTION, "emailProtection"),
    (rfc5280::ID_KP_TIME_STAMPING, "timeStamping"),
    (rfc5280::ID_KP_OCSP_SIGNING, "OCSPSigning"),
];
