use const_oid::db::rfc5912;
use x509_cert::ext::pkix::{
    AuthorityInfoAccessSyntax, CrlDistributionPoints,
    name::{DistributionPointName, GeneralName},
};

use crate::sign::certificate::{Certificate, CertificateError};

/// Who can say whether a certificate was revoked.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub(super) ocsp: Vec<String>,
    pub(super) lists: Vec<String>,
}

/// How many of a kind are asked: a certificate could name any number.
const MOST: usize = 5;

impl Sources {
    /// Those that it names itself.
    pub(super) fn of(certificate: &Certificate) -> Result<Self, CertificateError> {
        let mut sources = Self::default();
        if let Some((_, access)) = certificate.extension::<AuthorityInfoAccessSyntax>()? {
            let ocsp = access.0.into_iter().filter(|one| one.access_method == rfc5912::ID_AD_OCSP);
            sources.ocsp = ocsp.filter_map(|one| url(&one.access_location)).take(MOST).collect();
        }
        if let Some((_, points)) = certificate.extension::<CrlDistributionPoints>()? {
            let names = points.0.into_iter().filter_map(|point| match point.distribution_point {
                Some(DistributionPointName::FullName(names)) => Some(names),
                _ => None,
            });
            sources.lists = names.flatten().filter_map(|name| url(&name)).take(MOST).collect();
        }
        Ok(sources)
    }
}

fn url(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::UniformResourceIdentifier(url) => {
            let url = url.as_str();
            (url.starts_with("http://") || url.starts_with("https://")).then(|| url.to_owned())
        }
        _ => None,
    }
}
