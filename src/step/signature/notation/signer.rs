use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::super::files;
use crate::{
    oci::{Descriptor, Manifest},
    sign::{
        certificate::{Certificate, CertificateError, Chain, Purpose},
        key::PrivateKey,
        notation::{Algorithm, Draft, EnvelopeError, EnvelopeFormat, Payload, SignatureManifest, SigningScheme},
    },
    step::{FileOrSecret, StepContext, StepError},
};

/// A key with its certificates.
#[derive(Debug, Clone)]
pub(in crate::step) struct Signer {
    key: Arc<PrivateKey>,
    algorithm: Algorithm,
    chain: Chain,
}

/// What is signed besides the manifest.
#[derive(Debug, Clone)]
pub(in crate::step) struct Wording {
    pub(in crate::step) envelope: EnvelopeFormat,
    pub(in crate::step) lifetime: Option<Duration>,
    pub(in crate::step) annotations: BTreeMap<String, String>,
}

impl Signer {
    /// Reads a key and its certificates, and checks that they belong together and count now.
    pub(in crate::step) async fn read(
        cx: &StepContext,
        key: &FileOrSecret,
        chain: &FileOrSecret,
    ) -> Result<Self, StepError> {
        let pem = key.read(cx).await?;
        let private =
            PrivateKey::from_pem(pem.reveal()).map_err(|source| StepError::Key { key: key.shown(), source })?;
        let fail = |source: CertificateError| StepError::Certificate { path: chain.shown(), source };
        let certificates = match chain {
            FileOrSecret::File(path) => {
                let (source, shown) = (cx.places.source(path), path.value.clone());
                let read = tokio::task::spawn_blocking(move || files::read(&source, &shown));
                let bytes = read.await.map_err(|error| StepError::BrokenOff { message: error.to_string() })??;
                Certificate::from_file(&bytes).map_err(fail)?
            }
            FileOrSecret::Secret(_) => {
                let pem = chain.read(cx).await?;
                Certificate::from_file(pem.reveal().as_bytes()).map_err(fail)?
            }
        };
        let checked = Chain::new(certificates, Purpose::Signing).map_err(fail)?;
        checked.check_validity(Timestamp::now()).map_err(fail)?;
        let subject = || checked.leaf().subject().to_string();
        let public = checked.leaf().public_key().map_err(fail)?;
        if public.spki_der() != private.public().spki_der() {
            return Err(StepError::OtherKey { key: key.shown(), subject: subject() });
        }
        let unusable = || EnvelopeError::Key { subject: subject() };
        let algorithm = Algorithm::of(&public).ok_or_else(|| StepError::Envelope { source: unusable() })?;
        Ok(Self { key: Arc::new(private), algorithm, chain: checked })
    }

    /// Whose certificates come along.
    pub(in crate::step) const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Signs `subject`: the manifest of the signature, and its envelope.
    pub(in crate::step) async fn sign(
        &self,
        subject: &Descriptor,
        wording: &Wording,
    ) -> Result<(Manifest, Vec<u8>), StepError> {
        let (signer, subject, wording) = (self.clone(), subject.clone(), wording.clone());
        // An RSA key of 4096 bits takes some milliseconds.
        let signed = tokio::task::spawn_blocking(move || signer.sign_now(&subject, &wording));
        signed.await.map_err(|error| StepError::BrokenOff { message: error.to_string() })?
    }

    fn sign_now(&self, subject: &Descriptor, wording: &Wording) -> Result<(Manifest, Vec<u8>), StepError> {
        let now = Timestamp::now();
        let signing_time = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let draft = Draft {
            format: wording.envelope,
            algorithm: self.algorithm,
            scheme: SigningScheme::X509,
            signing_time,
            expiry: wording.lifetime.and_then(|lifetime| signing_time.checked_add(lifetime).ok()),
            payload: Payload::new(subject, &wording.annotations).to_bytes(),
        };
        let signature = self.key.sign(self.algorithm.scheme(), &draft.to_sign());
        let fail = |source| StepError::Key { key: format!("the key of `{}`", self.chain.leaf().subject()), source };
        let envelope = draft.seal(&signature.map_err(fail)?, &self.chain, None);
        let manifest = SignatureManifest::write(subject, wording.envelope, &envelope, &self.chain, signing_time)?;
        Ok((manifest, envelope))
    }
}
