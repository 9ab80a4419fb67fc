use bytes::Bytes;

use crate::{
    oci::{Descriptor, Digest, Manifest, Target, media_type},
    sign::cosign::{Refusal, SignatureImage, SimpleSigning, TaggedSignature},
    step::{StepContext, StepError, file::Layer, publish::push_blobs},
    store::{self, Store},
};

/// The signatures under the tag `sha256-….sig` of a manifest.
#[derive(Debug, Default)]
pub(in crate::step) struct Tagged {
    image: SignatureImage,
    /// What is under the tag.
    pub(in crate::step) manifest: Option<Digest>,
    /// Each payload with its signature, by the digest of the payload, or what is wrong with it.
    pub(in crate::step) payloads: Vec<(Digest, Result<Signed, String>)>,
}

/// A payload with what signs it.
type Signed = (Bytes, TaggedSignature);

/// A signature that is added.
#[derive(Debug)]
pub(super) struct Added {
    pub(super) payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
    /// What a timestamp service answered, DER.
    pub(super) timestamp: Option<Vec<u8>>,
}

/// How often the tag is written again where somebody else writes it at the same time.
const TRIES: usize = 5;

impl Tagged {
    /// What is there now.
    pub(in crate::step) async fn fetch(store: &dyn Store, subject: &Descriptor) -> Result<Self, StepError> {
        let Some(tag) = SignatureImage::tag(&subject.digest) else { return Ok(Self::default()) };
        let fail = || StepError::store("fetch the signatures of", &subject.digest);
        let Some(manifest) = store.manifest(&Target::Tag(tag)).await.map_err(fail())? else {
            return Ok(Self::default());
        };
        let image = match SignatureImage::read(&manifest) {
            Ok(image) => image,
            Err(refusal) => {
                let payloads = vec![(manifest.digest().clone(), Err(refusal.to_string()))];
                return Ok(Self { payloads, ..Self::default() });
            }
        };
        let mut payloads = Vec::new();
        for (digest, signature) in image.signatures() {
            let payload = match signature {
                Err(refusal) => Err(refusal.to_string()),
                Ok(signed) => match store::read_blob(store, &signed.payload, SimpleSigning::LARGEST).await {
                    Ok(bytes) => Ok((bytes, signed)),
                    Err(error) if error.is_content() => Err(Refusal::bad(error.to_string()).to_string()),
                    Err(error) => return Err(fail()(error)),
                },
            };
            payloads.push((digest, payload));
        }
        Ok(Self { image, manifest: Some(manifest.digest().clone()), payloads })
    }

    /// Adds a signature or none, and takes others away. Gives the manifest that is under the tag then.
    pub(super) async fn change(
        cx: &StepContext,
        store: &dyn Store,
        subject: &Descriptor,
        added: Option<&Added>,
        gone: &[TaggedSignature],
    ) -> Result<Descriptor, StepError> {
        let fail = || StepError::store("sign", &subject.digest);
        let Some(tag) = SignatureImage::tag(&subject.digest) else {
            return Err(StepError::NoSignatureTag { subject: subject.digest.clone() });
        };
        let target = Target::Tag(tag.clone());
        // Nobody can write a tag only if it is as it was: so it is read back, and what somebody else wrote is kept.
        for _ in 0..TRIES {
            let image = Self::fetch(store, subject).await?.image;
            let image = image.without(gone);
            let image = added
                .iter()
                .fold(image, |image, added| image.with(&added.payload, &added.signature, added.timestamp.as_deref()));
            let (manifest, config) = image.write()?;
            let mut blobs = vec![Layer::bytes(Descriptor::of(media_type::IMAGE_CONFIG, &config), config)];
            blobs.extend(added.map(|added| {
                Layer::bytes(Descriptor::of(SimpleSigning::MEDIA_TYPE, &added.payload), added.payload.clone())
            }));
            cx.made.add(store.repository(), manifest.digest());
            push_blobs(cx, store, &blobs).await?;
            store.push_manifest(&manifest, Some(&tag)).await.map_err(fail())?;
            let there = store.manifest(&target).await.map_err(fail())?;
            let holds = |there: &Manifest| added.is_none_or(|added| holds(there, &added.payload, &added.signature));
            if there.as_ref().is_some_and(holds) {
                cx.pins.set(store.repository(), &tag, &manifest.descriptor()).await;
                store.flush().await.map_err(fail())?;
                return Ok(manifest.descriptor());
            }
        }
        Err(StepError::SignatureLost { tag: tag.to_string() })
    }
}

fn holds(manifest: &Manifest, payload: &[u8], signature: &[u8]) -> bool {
    let digest = Digest::sha256(payload);
    let Ok(image) = SignatureImage::read(manifest) else { return false };
    image.signatures().any(|(of, found)| of == digest && found.is_ok_and(|found| found.signature == signature))
}
