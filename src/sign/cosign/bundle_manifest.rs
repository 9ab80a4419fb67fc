use std::collections::BTreeMap;

use super::{Bundle, Refusal};
use crate::oci::{Descriptor, ImageManifest, Manifest, ManifestError, annotation};

/// The manifest that carries a bundle and is about the artifact.
///
/// <https://github.com/sigstore/cosign/blob/v3.1.1/specs/BUNDLE_SPEC.md>
#[derive(Debug)]
pub struct BundleManifest;

impl BundleManifest {
    /// What the bundle in it says, where cosign's manifests tell.
    pub const PREDICATE_TYPE: &'static str = "dev.sigstore.bundle.predicateType";
    /// How the bundle in it is signed.
    const CONTENT: &'static str = "dev.sigstore.bundle.content";

    /// Whether what a list of referrers says of one may be such a manifest. cosign itself writes the type of the empty
    /// config there.
    pub fn may_be(referrer: &Descriptor) -> bool {
        referrer.is_type_doubtful() || referrer.artifact_type.as_deref().is_some_and(Bundle::is_media_type)
    }

    /// The manifest for `bundle`, made at `created` (RFC 3339), about `subject`. The same bundle gives the same manifest.
    pub fn write(
        subject: &Descriptor,
        bundle: &[u8],
        predicate_type: &str,
        created: String,
    ) -> Result<Manifest, ManifestError> {
        let mut manifest = ImageManifest::new(Descriptor::empty());
        manifest.artifact_type = Some(Bundle::MEDIA_TYPE.to_owned());
        manifest.layers = vec![Descriptor::of(Bundle::MEDIA_TYPE, bundle)];
        manifest.subject = Some(subject.plain());
        manifest.annotations = BTreeMap::from([
            (Self::CONTENT.to_owned(), "dsse-envelope".to_owned()),
            (Self::PREDICATE_TYPE.to_owned(), predicate_type.to_owned()),
            (annotation::CREATED.to_owned(), created),
        ]);
        Manifest::from_image(manifest)
    }

    /// The bundle of one that is listed for `subject`; nothing where it is something else.
    pub fn read(manifest: &Manifest, subject: &Descriptor) -> Option<Result<Descriptor, Refusal>> {
        let image = manifest.as_image()?;
        let is_typed = manifest.artifact_type().is_some_and(Bundle::is_media_type);
        let holds_one = image.layers.iter().any(|layer| Bundle::is_media_type(&layer.media_type));
        if !is_typed && !holds_one {
            return None;
        }
        Some(match (&image.subject, image.layers.as_slice()) {
            (None, _) => Err(Refusal::bad("its manifest is about nothing")),
            (Some(about), _) if about.digest != subject.digest => {
                Err(Refusal::Foreign { about: about.digest.to_string() })
            }
            (Some(_), [bundle]) if Bundle::is_media_type(&bundle.media_type) => Ok(bundle.clone()),
            (Some(_), [other]) => Err(Refusal::bad(format!("its layer is `{}`, not a bundle", other.media_type))),
            (Some(_), layers) => {
                let problem = format!("its manifest has {} layers, where one is the bundle", layers.len());
                Err(Refusal::bad(problem))
            }
        })
    }
}
