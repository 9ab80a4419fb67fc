use cms::{
    cert::CertificateChoices,
    content_info::ContentInfo,
    signed_data::{SignedData, SignerIdentifier, SignerInfo},
};
use const_oid::db::{rfc5911, rfc5912};
use der::{
    Decode, Encode, Reader, SliceReader, Tag,
    asn1::{AnyRef, ObjectIdentifier, OctetString, OctetStringRef},
};
use jiff::{SignedDuration, Timestamp};
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::pkix::SubjectKeyIdentifier;

use super::{TimestampError, info::Info};
use crate::sign::{
    certificate::{Certificate, Chain, Purpose, SignatureAlgorithm},
    key::{Hash, Scheme},
};

/// A timestamp: signed data that says when something was there. Nothing of it is checked before [`Token::verify`].
#[derive(Debug, Clone)]
pub struct Token {
    content: Vec<u8>,
    info: Info,
    signer: SignerInfo,
    certificates: Vec<Certificate>,
}

/// What a timestamp proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timestamped {
    /// When.
    pub time: Timestamp,
    /// How far off that may be, either way.
    pub accuracy: SignedDuration,
    /// Who says so.
    pub chain: Chain,
}

/// id-ct-TSTInfo.
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
/// id-aa-signingCertificateV2.
const SIGNING_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
/// The largest token that is read.
const LARGEST: usize = 1024 * 1024;

impl Token {
    /// Takes a token apart.
    pub fn read(der: &[u8]) -> Result<Self, TimestampError> {
        if der.len() > LARGEST {
            return Err(TimestampError::malformed(format!("it has more than {LARGEST} bytes")));
        }
        let content = ContentInfo::from_der(der).map_err(TimestampError::malformed)?;
        if content.content_type != rfc5911::ID_SIGNED_DATA {
            return Err(TimestampError::malformed("it is not signed data"));
        }
        let data: SignedData = content.content.decode_as().map_err(TimestampError::malformed)?;
        if data.encap_content_info.econtent_type != TST_INFO {
            return Err(TimestampError::malformed("what is signed is not a timestamp"));
        }
        let content = data.encap_content_info.econtent;
        let content = content.ok_or_else(|| TimestampError::malformed("it has no content"))?;
        let content: OctetString = content.decode_as().map_err(TimestampError::malformed)?;
        let mut signers = data.signer_infos.0.into_vec().into_iter();
        let (Some(signer), None) = (signers.next(), signers.next()) else {
            return Err(TimestampError::malformed("it has no signature, or more than one"));
        };
        let mut certificates = Vec::new();
        for choice in data.certificates.map(|set| set.0.into_vec()).unwrap_or_default() {
            if let CertificateChoices::Certificate(certificate) = choice {
                let der = certificate.to_der().map_err(TimestampError::malformed)?;
                certificates.push(Certificate::from_der(&der)?);
            }
        }
        let info = Info::read(content.as_bytes())?;
        Ok(Self { content: content.into_bytes(), info, signer, certificates })
    }

    pub(super) const fn info(&self) -> &Info {
        &self.info
    }

    /// Checks that it is over `message`, that the key of its certificate signed it, and that one of `anchors` vouches for
    /// that certificate, which counted then.
    pub fn verify(&self, message: &[u8], anchors: &[Certificate]) -> Result<Timestamped, TimestampError> {
        let imprint = &self.info.imprint;
        if hash(imprint.algorithm.oid)?.of(message) != imprint.hashed.as_bytes() {
            return Err(TimestampError::OtherMessage);
        }
        let certificate = self.certificate(anchors)?;
        self.check_signature(certificate)?;
        let others: Vec<_> = self.certificates.iter().chain(anchors).cloned().collect();
        let chain = Chain::find(certificate, &others, Purpose::Timestamping)?;
        if !chain.leads_to(anchors) {
            let name =
                |certificate: Option<&Certificate>| certificate.map(|it| it.subject().to_string()).unwrap_or_default();
            let (subject, root) = (name(Some(certificate)), name(chain.certificates().last()));
            return Err(TimestampError::Untrusted { subject, root });
        }
        chain.check_validity(self.info.time)?;
        Ok(Timestamped { time: self.info.time, accuracy: self.info.accuracy, chain })
    }

    /// The certificate that the signature names: it comes along where it was asked for, otherwise somebody has to have it.
    fn certificate<'a>(&'a self, anchors: &'a [Certificate]) -> Result<&'a Certificate, TimestampError> {
        let is_named = |certificate: &&Certificate| match &self.signer.sid {
            SignerIdentifier::IssuerAndSerialNumber(name) => {
                name.issuer == certificate.content().issuer && name.serial_number == certificate.content().serial_number
            }
            SignerIdentifier::SubjectKeyIdentifier(name) => {
                matches!(certificate.extension::<SubjectKeyIdentifier>(), Ok(Some((_, found))) if found == *name)
            }
        };
        self.certificates.iter().chain(anchors).find(is_named).ok_or(TimestampError::NoCertificate)
    }

    /// <https://www.rfc-editor.org/rfc/rfc5652#section-5.4>
    fn check_signature(&self, certificate: &Certificate) -> Result<(), TimestampError> {
        let bad = || TimestampError::Signature { subject: certificate.subject().to_string() };
        let signed = self.signer.signed_attrs.as_ref().ok_or_else(bad)?;
        let attribute = |oid: ObjectIdentifier| {
            let mut found = signed.iter().filter(|attribute| attribute.oid == oid);
            let (Some(attribute), None) = (found.next(), found.next()) else { return None };
            let mut values = attribute.values.iter();
            let (Some(value), None) = (values.next(), values.next()) else { return None };
            Some(value.clone())
        };
        let content_type =
            attribute(rfc5911::ID_CONTENT_TYPE).and_then(|value| value.decode_as::<ObjectIdentifier>().ok());
        let digest = attribute(rfc5911::ID_MESSAGE_DIGEST).and_then(|value| value.decode_as::<OctetString>().ok());
        let digest_hash = hash(self.signer.digest_alg.oid)?;
        if content_type != Some(TST_INFO)
            || digest.is_none_or(|digest| digest.as_bytes() != digest_hash.of(&self.content))
        {
            return Err(bad());
        }
        // Otherwise the signature could be moved to another certificate of the same key.
        let named = attribute(SIGNING_CERTIFICATE).and_then(|value| value.to_der().ok());
        let named = named.ok_or_else(|| TimestampError::malformed("it does not say which certificate signed it"))?;
        let (named_hash, named) = signing_certificate(&named).map_err(TimestampError::malformed)?;
        if hash(named_hash)?.of(certificate.der()) != named {
            return Err(bad());
        }
        let scheme = scheme(&self.signer.signature_algorithm, digest_hash)?;
        // What is signed is the set, whatever it is tagged as where it stands.
        let message = signed.to_der().map_err(TimestampError::malformed)?;
        let key = certificate.public_key()?;
        key.verify(scheme, &message, self.signer.signature.as_bytes()).map_err(|_| bad())
    }
}

fn hash(oid: ObjectIdentifier) -> Result<Hash, TimestampError> {
    SignatureAlgorithm::hash(oid).ok_or_else(|| TimestampError::Algorithm { algorithm: oid.to_string() })
}

/// The algorithm may name the hash, or leave it to the digest.
fn scheme(algorithm: &AlgorithmIdentifierOwned, hash: Hash) -> Result<Scheme, TimestampError> {
    match algorithm.oid {
        rfc5912::RSA_ENCRYPTION => Ok(Scheme::RsaPkcs1(hash)),
        rfc5912::ID_EC_PUBLIC_KEY => Ok(Scheme::EcdsaDer(hash)),
        oid => SignatureAlgorithm::of(algorithm)
            .map(|SignatureAlgorithm(scheme)| scheme)
            .ok_or_else(|| TimestampError::Algorithm { algorithm: oid.to_string() }),
    }
}

/// The hash of the first certificate that is named, and with what it was made: SHA-256 where nothing is said.
///
/// <https://www.rfc-editor.org/rfc/rfc5035#section-4>
fn signing_certificate(der: &[u8]) -> der::Result<(ObjectIdentifier, Vec<u8>)> {
    let mut reader = SliceReader::new(der)?;
    reader.sequence(|reader| {
        let first = reader.sequence(|reader| {
            let first = reader.sequence(|reader| {
                let algorithm = if reader.peek_tag()? == Tag::Sequence {
                    AlgorithmIdentifierOwned::decode(reader)?.oid
                } else {
                    rfc5912::ID_SHA_256
                };
                let named = OctetStringRef::decode(reader)?.as_bytes().to_vec();
                skip(reader)?;
                Ok((algorithm, named))
            })?;
            skip(reader)?;
            Ok(first)
        })?;
        skip(reader)?;
        Ok(first)
    })
}

/// Passes over what else stands there.
fn skip<'a>(reader: &mut impl Reader<'a>) -> der::Result<()> {
    while !reader.is_finished() {
        AnyRef::decode(reader)?;
    }
    Ok(())
}
