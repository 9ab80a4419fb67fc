//! Lists of revoked certificates.
//!
//! <https://www.rfc-editor.org/rfc/rfc5280#section-6.3>

use const_oid::AssociatedOid;
use der::Decode;
use jiff::Timestamp;
use x509_cert::{
    crl::CertificateList,
    ext::{
        Extension,
        pkix::{CrlReason, IssuingDistributionPoint, KeyUsage},
    },
    time::Time,
};

use super::{RevocationError, latest};
use crate::sign::{
    Web,
    certificate::{Certificate, SignatureAlgorithm, signed_part},
};

/// The largest list that is read, as notation has it.
const LARGEST: usize = 32 * 1024 * 1024;

pub(super) async fn ask(
    url: &str,
    certificate: &Certificate,
    issuer: &Certificate,
    web: &dyn Web,
    now: Timestamp,
) -> Result<(), RevocationError> {
    let der = web.get(url, LARGEST).await?;
    look(url, &der, certificate, issuer, now)
}

/// What a list says of a certificate.
pub(super) fn look(
    url: &str,
    der: &[u8],
    certificate: &Certificate,
    issuer: &Certificate,
    now: Timestamp,
) -> Result<(), RevocationError> {
    let fail = |problem: &str| RevocationError::answer(url, problem);
    let list = CertificateList::from_der(der).map_err(|error| RevocationError::answer(url, error))?;
    let content = &list.tbs_cert_list;
    if content.issuer != issuer.content().subject || content.signature != list.signature_algorithm {
        return Err(fail("it is the list of another authority"));
    }
    let SignatureAlgorithm(scheme) =
        SignatureAlgorithm::of(&list.signature_algorithm).ok_or_else(|| fail("how it is signed does not count"))?;
    if issuer.extension::<KeyUsage>()?.is_some_and(|(_, usage)| !usage.crl_sign()) {
        return Err(fail("its authority must not sign lists"));
    }
    let signed = signed_part(der).map_err(|error| RevocationError::answer(url, error))?;
    let signed = der.get(signed).unwrap_or_default();
    let signature = list.signature.as_bytes().unwrap_or_default();
    if issuer.public_key()?.verify(scheme, signed, signature).is_err() {
        return Err(fail("it was not signed by the authority"));
    }
    check_extensions(url, content.crl_extensions.as_deref().unwrap_or_default())?;
    let next = content.next_update.ok_or_else(|| fail("it does not say until when it counts"))?;
    if time(content.this_update).is_none_or(|time| time > latest(now)) || time(next).is_none_or(|time| time < now) {
        return Err(fail("it is out of date"));
    }
    let serial = &certificate.content().serial_number;
    let revoked = content.revoked_certificates.iter().flatten().find(|entry| entry.serial_number == *serial);
    let Some(entry) = revoked else { return Ok(()) };
    let extensions = entry.crl_entry_extensions.as_deref().unwrap_or_default();
    let reason = extensions.iter().find(|extension| extension.extn_id == CrlReason::OID);
    let reason = reason.and_then(|extension| CrlReason::from_der(extension.extn_value.as_bytes()).ok());
    Err(RevocationError::Revoked {
        subject: certificate.subject().to_string(),
        at: time(entry.revocation_date).unwrap_or(now),
        reason: reason.map(|reason| format!("{reason:?}")),
    })
}

/// A list may cover only some certificates or reasons: what is not on such a list may be revoked all the same.
fn check_extensions(url: &str, extensions: &[Extension]) -> Result<(), RevocationError> {
    for extension in extensions {
        if extension.extn_id == IssuingDistributionPoint::OID {
            let point = IssuingDistributionPoint::from_der(extension.extn_value.as_bytes());
            let point = point.map_err(|error| RevocationError::answer(url, error))?;
            if point.indirect_crl || point.only_contains_attribute_certs || point.only_some_reasons.is_some() {
                return Err(RevocationError::answer(url, "it is a part of a list"));
            }
        } else if extension.critical {
            return Err(RevocationError::answer(url, "it has an extension that is not understood"));
        }
    }
    Ok(())
}

pub(super) fn time(time: Time) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(time.to_unix_duration().as_secs()).ok()?).ok()
}
