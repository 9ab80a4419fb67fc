use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{EnvelopeFormat, Refusal};
use crate::{
    oci::{Descriptor, ImageManifest, Manifest, ManifestError, annotation},
    sign::certificate::{Certificate, Chain},
};

/// The manifest that carries an envelope and is about the artifact.
///
/// <https://github.com/notaryproject/specifications/blob/v1.1.0/specs/signature-specification.md#oci-signatures>
#[derive(Debug, Clone)]
pub struct SignatureManifest {
    /// The envelope, by its media type, digest and size.
    pub envelope: Descriptor,
    /// The certificates, as the manifest says.
    thumbprints: Option<String>,
}

impl SignatureManifest {
    /// What such a manifest is.
    pub const ARTIFACT_TYPE: &'static str = "application/vnd.cncf.notary.signature";
    /// The annotation with the SHA-256 of every certificate, the leaf first, as JSON within text.
    pub const THUMBPRINTS: &'static str = "io.cncf.notary.x509chain.thumbprint#S256";

    /// Whether what a list of referrers says of one may be such a manifest. Some programs write no artifact type there, or
    /// that of the empty config.
    pub fn may_be(referrer: &Descriptor) -> bool {
        referrer.is_type_doubtful() || referrer.artifact_type.as_deref() == Some(Self::ARTIFACT_TYPE)
    }

    /// The manifest for `envelope`, made at `created`, about `subject`, with `more` annotations. In an image layout the
    /// config says what it is as well: there notation looks at nothing else.
    pub fn write(
        subject: &Descriptor,
        format: EnvelopeFormat,
        envelope: &[u8],
        chain: &Chain,
        created: Timestamp,
        more: BTreeMap<String, String>,
        is_layout: bool,
    ) -> Result<Manifest, ManifestError> {
        let mut config = Descriptor::empty();
        if is_layout {
            Self::ARTIFACT_TYPE.clone_into(&mut config.media_type);
        }
        let mut manifest = ImageManifest::new(config);
        manifest.artifact_type = Some(Self::ARTIFACT_TYPE.to_owned());
        manifest.layers = vec![Descriptor::of(format.media_type(), envelope)];
        manifest.subject = Some(subject.plain());
        manifest.annotations = more;
        manifest.annotations.insert(Self::THUMBPRINTS.to_owned(), thumbprints(chain));
        manifest.annotations.insert(annotation::CREATED.to_owned(), created.to_string());
        Manifest::from_image(manifest)
    }

    /// Reads one that is listed for `subject`, also the older form without an artifact type; nothing where it is something
    /// else.
    pub fn read(manifest: &Manifest, subject: &Descriptor) -> Option<Result<Self, Refusal>> {
        let image = manifest.as_image()?;
        if manifest.artifact_type() != Some(Self::ARTIFACT_TYPE) && image.config.media_type != Self::ARTIFACT_TYPE {
            return None;
        }
        let fail = |problem: String| Some(Err(Refusal::Manifest { problem }));
        match &image.subject {
            Some(about) if about.digest == subject.digest => {}
            Some(about) => return Some(Err(Refusal::Foreign { about: about.digest.to_string() })),
            None => return fail("its manifest is about nothing".to_owned()),
        }
        match image.layers.as_slice() {
            [envelope] => Some(Ok(Self {
                envelope: envelope.clone(),
                thumbprints: image.annotations.get(Self::THUMBPRINTS).cloned(),
            })),
            layers => fail(format!("its manifest has {} layers, where one is the envelope", layers.len())),
        }
    }

    /// Fails where the manifest names other certificates than those in the envelope: somebody who looks at the manifest
    /// alone would believe in another signer.
    pub fn check_thumbprints(&self, chain: &Chain) -> Result<(), Refusal> {
        let said = self.thumbprints.as_deref().map(serde_json::from_str::<Vec<String>>);
        let is_right = |said: &[String]| {
            let certificates = chain.certificates();
            said.len() == certificates.len()
                && said.iter().zip(certificates).all(|(said, one)| said.eq_ignore_ascii_case(&one.thumbprint()))
        };
        match said {
            None => Ok(()),
            Some(Ok(said)) if is_right(&said) => Ok(()),
            Some(_) => {
                let problem = "its manifest names other certificates than the envelope has".to_owned();
                Err(Refusal::Manifest { problem })
            }
        }
    }
}

fn thumbprints(chain: &Chain) -> String {
    let thumbprints: Vec<_> = chain.certificates().iter().map(Certificate::thumbprint).collect();
    serde_json::Value::from(thumbprints).to_string()
}
