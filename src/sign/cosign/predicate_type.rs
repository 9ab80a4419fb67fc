use std::fmt;

/// What a statement says of its subject: a URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredicateType(String);

/// The names that cosign has for predicate types.
///
/// <https://github.com/sigstore/cosign/blob/v3.1.1/cmd/cosign/cli/options/predicate.go>
const NAMES: [(&str, &str); 9] = [
    ("custom", "https://cosign.sigstore.dev/attestation/v1"),
    ("cyclonedx", "https://cyclonedx.org/bom"),
    ("link", "https://in-toto.io/Link/v1"),
    ("openvex", "https://openvex.dev/ns"),
    ("slsaprovenance", "https://slsa.dev/provenance/v0.2"),
    ("slsaprovenance02", "https://slsa.dev/provenance/v0.2"),
    ("slsaprovenance1", "https://slsa.dev/provenance/v1"),
    ("spdxjson", "https://spdx.dev/Document"),
    ("vuln", "https://cosign.sigstore.dev/attestation/vuln/v1"),
];

impl PredicateType {
    /// What a signature says: that somebody signed, and nothing else.
    pub const SIGNATURE: &'static str = "https://sigstore.dev/cosign/sign/v1";
    /// How something was built.
    pub const PROVENANCE: &'static str = "https://slsa.dev/provenance/v1";
    /// An SBOM in SPDX.
    pub const SPDX: &'static str = "https://spdx.dev/Document";
    /// An SBOM in `CycloneDX`.
    pub const CYCLONEDX: &'static str = "https://cyclonedx.org/bom";

    /// One of cosign's short names, or a URI.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some((_, uri)) = NAMES.iter().find(|(name, _)| *name == text) {
            return Ok(Self((*uri).to_owned()));
        }
        let is_uri = url::Url::parse(text).is_ok() && !text.contains(char::is_whitespace);
        if is_uri {
            return Ok(Self(text.to_owned()));
        }
        let mut names: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
        names.dedup();
        Err(format!("`{text}` is no predicate type: write a URI, or one of {}", names.join(", ")))
    }

    /// The URI.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PredicateType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
