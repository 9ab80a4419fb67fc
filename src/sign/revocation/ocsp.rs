//! Asking an authority about one certificate.
//!
//! <https://www.rfc-editor.org/rfc/rfc6960>

use const_oid::db::{rfc5280, rfc5912};
use der::{
    Decode, Encode,
    asn1::{Null, OctetString},
};
use jiff::Timestamp;
use spki::AlgorithmIdentifierOwned;
use x509_cert::{ext::pkix::ExtendedKeyUsage, time::Time};
use x509_ocsp::{
    BasicOcspResponse, CertId, CertStatus, OcspGeneralizedTime, OcspRequest, OcspResponse, OcspResponseStatus, Request,
    TbsRequest, Version,
};

use super::{RevocationError, crl, latest};
use crate::sign::{
    Web,
    certificate::{Certificate, SignatureAlgorithm, signed_part},
    key::Hash,
};

/// The largest answer that is read.
const LARGEST: usize = 1024 * 1024;

pub(super) async fn ask(
    url: &str,
    certificate: &Certificate,
    issuer: &Certificate,
    web: &dyn Web,
    now: Timestamp,
) -> Result<(), RevocationError> {
    let fail = |error: der::Error| RevocationError::answer(url, error);
    let name = name(certificate, issuer).map_err(fail)?;
    let request = OcspRequest {
        tbs_request: TbsRequest {
            version: Version::V1,
            requestor_name: None,
            request_list: vec![Request { req_cert: name.clone(), single_request_extensions: None }],
            request_extensions: None,
        },
        optional_signature: None,
    };
    let body = request.to_der().map_err(fail)?;
    let answer = web.post(url, "application/ocsp-request", body, LARGEST).await?;
    look(url, &answer, &name, certificate, issuer, now)
}

/// Which certificate is asked about: the hashes of its authority's name and key, and its number.
pub(super) fn name(certificate: &Certificate, issuer: &Certificate) -> der::Result<CertId> {
    let subject = issuer.content();
    let key = subject.subject_public_key_info.subject_public_key.as_bytes().unwrap_or_default();
    Ok(CertId {
        hash_algorithm: AlgorithmIdentifierOwned { oid: rfc5912::ID_SHA_256, parameters: Some(Null.into()) },
        issuer_name_hash: OctetString::new(Hash::Sha256.of(&subject.subject.to_der()?))?,
        issuer_key_hash: OctetString::new(Hash::Sha256.of(key))?,
        serial_number: certificate.content().serial_number.clone(),
    })
}

/// What an answer says of a certificate.
pub(super) fn look(
    url: &str,
    answer: &[u8],
    name: &CertId,
    certificate: &Certificate,
    issuer: &Certificate,
    now: Timestamp,
) -> Result<(), RevocationError> {
    let fail = |problem: &str| RevocationError::answer(url, problem);
    let unreadable = |error: der::Error| RevocationError::answer(url, error);
    let response = OcspResponse::from_der(answer).map_err(unreadable)?;
    let (OcspResponseStatus::Successful, Some(body)) = (response.response_status, response.response_bytes) else {
        return Err(RevocationError::answer(url, format!("it answers `{:?}`", response.response_status)));
    };
    let body = body.response.as_bytes();
    let basic = BasicOcspResponse::from_der(body).map_err(unreadable)?;
    let signed = signed_part(body).map_err(unreadable)?;
    let signed = body.get(signed).unwrap_or_default();
    let responder = responder(&basic, issuer, now)?;
    let SignatureAlgorithm(scheme) =
        SignatureAlgorithm::of(&basic.signature_algorithm).ok_or_else(|| fail("how it is signed does not count"))?;
    let signature = basic.signature.as_bytes().unwrap_or_default();
    if responder.public_key()?.verify(scheme, signed, signature).is_err() {
        return Err(fail("it was not signed by the authority"));
    }
    let is_asked = |id: &CertId| {
        id.serial_number == name.serial_number
            && id.issuer_name_hash == name.issuer_name_hash
            && id.issuer_key_hash == name.issuer_key_hash
    };
    let single = basic.tbs_response_data.responses.iter().find(|single| is_asked(&single.cert_id));
    let single = single.ok_or_else(|| fail("it says nothing about the certificate"))?;
    let is_over = |next: &OcspGeneralizedTime| time(next).is_none_or(|next| next < now);
    if time(&single.this_update).is_none_or(|time| time > latest(now))
        || single.next_update.as_ref().is_some_and(is_over)
    {
        return Err(fail("it is out of date"));
    }
    match &single.cert_status {
        CertStatus::Good(_) => Ok(()),
        CertStatus::Unknown(_) => Err(fail("it does not know the certificate")),
        CertStatus::Revoked(info) => Err(RevocationError::Revoked {
            subject: certificate.subject().to_string(),
            at: time(&info.revocation_time).unwrap_or(now),
            reason: info.revocation_reason.map(|reason| format!("{reason:?}")),
        }),
    }
}

/// Who has signed: the authority itself, or somebody whom it has certified for that.
fn responder(basic: &BasicOcspResponse, issuer: &Certificate, now: Timestamp) -> Result<Certificate, RevocationError> {
    for certificate in basic.certs.iter().flatten() {
        let der = certificate.to_der().map_err(|error| RevocationError::answer("the service", error))?;
        let certificate = Certificate::from_der(&der)?;
        if certificate == *issuer {
            continue;
        }
        let may_sign = certificate.extension::<ExtendedKeyUsage>()?;
        let may_sign = may_sign.is_some_and(|(_, uses)| uses.0.contains(&rfc5280::ID_KP_OCSP_SIGNING));
        if may_sign && certificate.validity().contains(now) && certificate.is_issued_by(issuer)? {
            return Ok(certificate);
        }
    }
    Ok(issuer.clone())
}

fn time(time: &OcspGeneralizedTime) -> Option<Timestamp> {
    crl::time(Time::GeneralTime(time.0))
}
