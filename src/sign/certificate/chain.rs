use std::iter;

use jiff::Timestamp;

use super::{
    Certificate, CertificateError, Purpose,
    known_chains::KnownChains,
    rules::{check_authority, check_leaf},
};

/// The certificate of a key and those of its issuers, up to one that is self-signed. A chain that exists was checked;
/// whether it is trusted is another question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain(Vec<Certificate>);

static KNOWN: KnownChains = KnownChains::new();

impl Chain {
    /// Longer ones are not looked at.
    pub const LONGEST: usize = 16;

    /// Reads the certificates and checks them as [`Chain::new`] does, unless the same were checked before.
    pub fn read(ders: &[Vec<u8>], purpose: Purpose) -> Result<Self, CertificateError> {
        if let Some(known) = KNOWN.find(ders, purpose) {
            return Ok(known);
        }
        let certificates = ders.iter().map(|der| Certificate::from_der(der)).collect::<Result<_, _>>()?;
        let chain = Self::new(certificates, purpose)?;
        KNOWN.keep(&chain, purpose);
        Ok(chain)
    }

    /// Checks the certificates: in order, complete, nothing extra, each issued by the next, each fit for its place.
    pub fn new(certificates: Vec<Certificate>, purpose: Purpose) -> Result<Self, CertificateError> {
        let count = certificates.len();
        if count > Self::LONGEST {
            return Err(CertificateError::TooMany { count, limit: Self::LONGEST });
        }
        let (Some(leaf), Some(last)) = (certificates.first(), certificates.last()) else {
            return Err(CertificateError::None);
        };
        for (certificate, next) in certificates.iter().zip(certificates.iter().skip(1)) {
            if certificate.names_itself() && certificate.is_issued_by(certificate)? {
                return Err(CertificateError::GoesOn { subject: certificate.subject().to_string() });
            }
            if !certificate.is_issued_by(next)? {
                let (subject, next) = (certificate.subject().to_string(), next.subject().to_string());
                return Err(CertificateError::NotIssuedBy { subject, next });
            }
        }
        if !last.is_issued_by(last)? {
            return Err(CertificateError::Incomplete { subject: last.subject().to_string() });
        }
        check_leaf(leaf, purpose)?;
        for (below, authority) in certificates.iter().skip(1).enumerate() {
            check_authority(authority, below)?;
        }
        Ok(Self(certificates))
    }

    /// Finds the chain of `leaf` among `others`, which may be in any order, and checks it.
    pub fn find(leaf: &Certificate, others: &[Certificate], purpose: Purpose) -> Result<Self, CertificateError> {
        let issuer = |certificate: &Certificate| {
            let is_issuer = |other: &&Certificate| certificate.is_issued_by(other).unwrap_or(false);
            if certificate.names_itself() { None } else { others.iter().find(is_issuer).cloned() }
        };
        let chain = iter::successors(Some(leaf.clone()), issuer).take(Self::LONGEST);
        Self::new(chain.collect(), purpose)
    }

    /// The certificate of the key that signs.
    #[expect(clippy::indexing_slicing, reason = "a chain without certificates cannot be made")]
    pub fn leaf(&self) -> &Certificate {
        &self.0[0]
    }

    /// All of them, the leaf first.
    pub fn certificates(&self) -> &[Certificate] {
        &self.0
    }

    /// Whether one of `anchors` stands in it. One that is not self-signed counts only as an authority: a trust store
    /// that names the key of a signer alone would go on trusting it when its issuer does no longer.
    pub fn leads_to(&self, anchors: &[Certificate]) -> bool {
        let is_single = self.0.len() == 1;
        self.0.iter().skip(usize::from(!is_single)).any(|certificate| anchors.contains(certificate))
    }

    /// Fails where one of the certificates does not count at `time`.
    pub fn check_validity(&self, time: Timestamp) -> Result<(), CertificateError> {
        self.0.iter().try_for_each(|certificate| {
            let validity = certificate.validity();
            if validity.contains(time) {
                return Ok(());
            }
            let subject = certificate.subject().to_string();
            Err(CertificateError::NotValid { subject, at: time, from: validity.from, until: validity.until })
        })
    }
}
