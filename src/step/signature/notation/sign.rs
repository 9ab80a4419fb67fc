use super::{
    Look,
    key_source::{self, KeySource, NAMED},
    signer::{Signed, Signer, Wording},
};
use crate::{
    event::Outcome,
    oci::{Descriptor, Digest, Reference},
    sign::{
        certificate::{Certificate, Chain},
        notation::{EnvelopeFormat, StoreKind, Trust},
    },
    step::{
        EnvelopeName, FileOrSecret, IfSigned, Lifetime, Mode, Sign, StepContext, StepError,
        file::Layer,
        publish::push_blobs,
        signature::{Attached, Clock, MARK, SchemeName, Unsigned},
    },
    store::Store,
};

/// A step that signs, its key read.
#[derive(Debug)]
pub(in crate::step) struct Signing<'a> {
    cx: &'a StepContext,
    signer: Signer,
    wording: Wording,
    if_signed: IfSigned,
    /// What certainly has no signature.
    unsigned: Unsigned,
}

/// A signature of the same key that was there before.
struct Earlier {
    digest: Digest,
    /// Whether it verifies and says what the new one would.
    counts: bool,
}

impl<'a> Signing<'a> {
    /// Reads what the step needs to sign.
    pub(in crate::step) async fn prepare(
        cx: &'a StepContext,
        step: &Sign,
        unsigned: Unsigned,
    ) -> Result<Self, StepError> {
        let wording = Wording {
            envelope: match step.envelope() {
                Some(EnvelopeName::Cose) => EnvelopeFormat::Cose,
                _ => EnvelopeFormat::Jws,
            },
            lifetime: step.expiry.map(|Lifetime(lifetime)| lifetime),
            annotations: step.annotations.iter().map(|(name, value)| (name.clone(), value.value.clone())).collect(),
            scheme: step.scheme.as_ref().map_or(SchemeName::X509, |scheme| scheme.value).scheme(),
            clock: Clock::read(cx, step.timestamp.as_ref()).await?,
            is_layout: false,
        };
        let source = match (&step.key, &step.certificate_chain, &step.plugin) {
            (_, _, Some(plugin)) => KeySource::Plugin {
                name: plugin.name.clone(),
                id: plugin.key_id.clone(),
                config: plugin.config.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect(),
            },
            (Some(FileOrSecret::File(path)), None, None) if path.starts_with(NAMED) => {
                if cx.mode.takes_secrets() {
                    key_source::named(path.strip_prefix(NAMED).unwrap_or_default()).await?
                } else {
                    KeySource::Plugin { name: String::new(), id: String::new(), config: serde_json::Map::new() }
                }
            }
            (Some(key), Some(certificates), None) => {
                KeySource::Pem { key: key.clone(), certificates: certificates.clone() }
            }
            (key, ..) => {
                let key = key.as_ref().map_or_else(|| "`sign`".to_owned(), FileOrSecret::shown);
                return Err(StepError::BrokenOff { message: format!("{key} has no certificates") });
            }
        };
        if takes_key(cx.mode, &source) {
            let signer = Signer::new(cx, source).await?;
            return Ok(Self { cx, signer, wording, if_signed: step.if_signed, unsigned });
        }
        let (name, value) = MARK;
        let mut wording = wording;
        wording.annotations.insert(name.to_owned(), value.to_owned());
        Ok(Self { cx, signer: Signer::stand_in()?, wording, if_signed: step.if_signed, unsigned })
    }

    /// Signs one manifest, unless that was done.
    pub(in crate::step) async fn sign(&self, reference: &Reference) -> Result<Attached, StepError> {
        let cx = self.cx;
        let store = cx.open(&reference.repository);
        let subject = cx.resolve(reference).await?.plain();
        let done = |digest: &Digest, outcome| Attached {
            subject: subject.digest.clone(),
            signature: Reference::by_digest(reference.repository.clone(), digest.clone()),
            outcome,
        };
        // With a plugin only a signature tells whose key it is.
        let mut signed = match self.signer.chain() {
            Some(_) => None,
            None => Some(self.make(reference, &subject).await?),
        };
        let chain = signed.as_ref().map(|signed| &signed.chain).or(self.signer.chain());
        let earlier = match (self.if_signed, chain) {
            (IfSigned::Keep | IfSigned::Replace, Some(chain)) => self.earlier(&*store, &subject, chain).await?,
            _ => Vec::new(),
        };
        if let (IfSigned::Keep, Some(kept)) = (self.if_signed, earlier.iter().find(|earlier| earlier.counts)) {
            let made = cx.made.contains(store.repository(), &kept.digest);
            return Ok(done(&kept.digest, if made { Outcome::Created } else { Outcome::Unchanged }));
        }
        let signed = match signed.take() {
            Some(signed) => signed,
            None => self.make(reference, &subject).await?,
        };
        let fail = || StepError::store("attach the signature to", reference);
        let media_type = self.wording.envelope.media_type();
        let envelope = Layer::bytes(Descriptor::of(media_type, &signed.envelope), signed.envelope);
        cx.made.add(store.repository(), signed.manifest.digest());
        push_blobs(cx, &*store, &[envelope, Layer::bytes(Descriptor::empty(), &b"{}"[..])]).await?;
        store.attach(&signed.manifest).await.map_err(fail())?;
        if self.if_signed != IfSigned::Replace || earlier.is_empty() {
            return Ok(done(signed.manifest.digest(), Outcome::Created));
        }
        // The new one is there: now the earlier ones may go.
        let gone: Vec<Digest> = earlier.into_iter().map(|earlier| earlier.digest).collect();
        store.unlist(&subject.digest, &gone).await.map_err(fail())?;
        for digest in &gone {
            store.delete_manifest(digest).await.map_err(StepError::store("delete the signature", digest))?;
        }
        store.flush().await.map_err(fail())?;
        Ok(done(signed.manifest.digest(), Outcome::Updated))
    }

    async fn make(&self, reference: &Reference, subject: &Descriptor) -> Result<Signed, StepError> {
        let wording = Wording { is_layout: !reference.repository.is_registry(), ..self.wording.clone() };
        self.signer.sign(self.cx.web.as_deref(), subject, &wording).await
    }

    /// The signatures of that key that are there.
    async fn earlier(&self, store: &dyn Store, subject: &Descriptor, chain: &Chain) -> Result<Vec<Earlier>, StepError> {
        if self.unsigned.has(store, &subject.digest) {
            return Ok(Vec::new());
        }
        // Nothing can be attached to what this run brought, unless this run did.
        if self.cx.made.contains(store.repository(), &subject.digest) && store.attached(&subject.digest).is_empty() {
            return Ok(Vec::new());
        }
        let Some(root) = chain.certificates().last() else { return Ok(Vec::new()) };
        let mut trust = Trust::in_signers_of(root);
        if let (Some(clock), Some(_)) = (&self.wording.clock, &self.cx.web) {
            // It must have the timestamp that the new one would have.
            let of_clock = |certificate: &Certificate| (StoreKind::TimestampAuthority, certificate.clone());
            trust.anchors.extend(clock.authorities.iter().map(of_clock));
        }
        let look = Look { cx: self.cx, store, subject, trust: &trust, annotations: &self.wording.annotations };
        let mut found = Vec::new();
        for (manifest, envelope) in look.envelopes().await? {
            let Ok(envelope) = envelope else { continue };
            if envelope.chain.leaf() == chain.leaf() && envelope.payload.target_artifact.is(subject) {
                // A plugin that makes whole envelopes chooses the scheme.
                let is_asked = self.signer.chain().is_none() || envelope.headers.scheme == self.wording.scheme;
                let counts = is_asked && look.verify(&envelope).await.is_ok();
                found.push(Earlier { digest: manifest.digest, counts });
            }
        }
        Ok(found)
    }
}

/// Whether the key of the plan signs. A rehearsal has a throw-away key instead, unless it was told otherwise, and runs no
/// plugin whatever it was told. A preview signs nothing that anybody sees, and has to know whether the key in the files of
/// the plan has signed.
fn takes_key(mode: Mode, source: &KeySource) -> bool {
    match source {
        KeySource::Plugin { .. } => !mode.is_rehearsal(),
        KeySource::Pem { key: FileOrSecret::File(_), certificates: FileOrSecret::File(_) } => {
            mode.takes_secrets() || mode.is_preview()
        }
        KeySource::Pem { .. } | KeySource::Files(_) => mode.takes_secrets(),
    }
}
