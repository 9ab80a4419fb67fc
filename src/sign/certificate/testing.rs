//! Certificates for tests, made by a library that is not consign's own.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, RsaKeySize,
};

use super::Certificate;

/// An authority.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// Its own certificate.
    pub(crate) certificate: Certificate,
}

/// A key with its certificates.
pub(crate) struct Holder {
    /// PKCS#8, PEM.
    pub(crate) key: String,
    /// The leaf first, up to the root.
    pub(crate) certificates: Vec<Certificate>,
}

/// Which key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key {
    P256,
    P384,
    P521,
    Rsa2048,
    Rsa3072,
    Rsa4096,
    Ed25519,
}

impl Key {
    /// Those that Notary Project knows.
    pub(crate) const SIX: [Self; 6] = [Self::P256, Self::P384, Self::P521, Self::Rsa2048, Self::Rsa3072, Self::Rsa4096];

    fn generate(self) -> KeyPair {
        let rsa = |size| KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size);
        let key = match self {
            Self::P256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            Self::P384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
            Self::P521 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512),
            Self::Ed25519 => KeyPair::generate_for(&rcgen::PKCS_ED25519),
            Self::Rsa2048 => rsa(RsaKeySize::_2048),
            Self::Rsa3072 => rsa(RsaKeySize::_3072),
            Self::Rsa4096 => rsa(RsaKeySize::_4096),
        };
        key.unwrap()
    }
}

/// What a certificate says before it is signed.
fn parameters(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.remove(DnType::CommonName);
    for (kind, value) in [
        (DnType::CountryName, "US"),
        (DnType::StateOrProvinceName, "WA"),
        (DnType::OrganizationName, "acme"),
        (DnType::CommonName, name),
    ] {
        parameters.distinguished_name.push(kind, value);
    }
    parameters
}

/// An authority over at most `below` others.
pub(crate) fn authority_parameters(name: &str, below: Option<u8>) -> CertificateParams {
    let mut parameters = parameters(name);
    parameters.is_ca = IsCa::Ca(below.map_or(BasicConstraints::Unconstrained, BasicConstraints::Constrained));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters
}

/// A signer.
pub(crate) fn signer_parameters(name: &str) -> CertificateParams {
    let mut parameters = parameters(name);
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    parameters
}

impl Authority {
    /// One that stands for itself.
    pub(crate) fn root(name: &str) -> Self {
        Self::of(CertifiedIssuer::self_signed(authority_parameters(name, None), Key::P256.generate()).unwrap())
    }

    /// One that this one certifies.
    pub(crate) fn authority(&self, parameters: CertificateParams) -> Self {
        Self::of(CertifiedIssuer::signed_by(parameters, Key::P256.generate(), &self.issuer).unwrap())
    }

    fn of(issuer: CertifiedIssuer<'static, KeyPair>) -> Self {
        let certificate = Certificate::from_der(issuer.der()).unwrap();
        Self { issuer, certificate }
    }

    /// Its list of revoked certificates.
    pub(crate) fn list(&self, parameters: &rcgen::CertificateRevocationListParams) -> Vec<u8> {
        parameters.signed_by(&self.issuer).unwrap().der().to_vec()
    }

    /// A signer, with the certificates up to here.
    pub(crate) fn signer(&self, name: &str, key: Key) -> Holder {
        self.holder(&signer_parameters(name), key)
    }

    /// As [`Authority::signer`], of whom the certificate says anything.
    pub(crate) fn holder(&self, parameters: &CertificateParams, key: Key) -> Holder {
        let key = key.generate();
        let leaf = parameters.clone().signed_by(&key, &self.issuer).unwrap();
        let leaf = Certificate::from_der(leaf.der()).unwrap();
        Holder { key: key.serialize_pem(), certificates: vec![leaf, self.certificate.clone()] }
    }
}

/// Somebody who vouches for themselves.
pub(crate) fn self_signed(parameters: &CertificateParams) -> Holder {
    let key = Key::P256.generate();
    let certificate = Certificate::from_der(parameters.self_signed(&key).unwrap().der()).unwrap();
    Holder { key: key.serialize_pem(), certificates: vec![certificate] }
}

/// As a file has them.
pub(crate) fn pem(certificates: &[Certificate]) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let pem = |certificate: &Certificate| {
        let text = STANDARD.encode(certificate.der());
        let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    };
    certificates.iter().map(pem).collect()
}
