use std::collections::BTreeMap;

use super::{Look, Said, Signer, Signers, Tagged};
use crate::{
    event::Outcome,
    oci::{Descriptor, Digest, Reference},
    sign::cosign::{PredicateType, Statement, TaggedSignature},
    step::{
        StepContext, StepError,
        signature::{Attached, Clock, IfSigned, Unsigned},
    },
    store::Store,
};

/// How manifests are signed with one key.
#[derive(Debug)]
pub(in crate::step) struct Signing {
    pub(in crate::step) signer: Signer,
    /// In the older layout, under the tag `sha256-….sig`.
    pub(in crate::step) is_tagged: bool,
    /// What the signature says besides.
    pub(in crate::step) annotations: BTreeMap<String, String>,
    /// Who says when.
    pub(in crate::step) clock: Option<Clock>,
    pub(in crate::step) if_signed: IfSigned,
    /// What certainly has no bundle.
    pub(in crate::step) unsigned: Unsigned,
}

/// The signatures of that key that are there.
#[derive(Default)]
struct Earlier {
    /// Of manifests that carry a bundle.
    bundles: Vec<Digest>,
    /// Under the tag.
    tagged: Vec<TaggedSignature>,
    /// One that says what a new one would, in the layout that is asked for.
    kept: Option<Digest>,
}

impl Signing {
    /// Signs one manifest, unless that was done.
    pub(in crate::step) async fn one(&self, cx: &StepContext, reference: &Reference) -> Result<Attached, StepError> {
        let store = cx.open(&reference.repository);
        let subject = cx.resolve(reference).await?.plain();
        let done = |digest: &Digest, outcome| Attached {
            subject: subject.digest.clone(),
            signature: Reference::by_digest(reference.repository.clone(), digest.clone()),
            outcome,
        };
        let earlier = match self.if_signed {
            IfSigned::Add => Earlier::default(),
            IfSigned::Keep | IfSigned::Replace => self.earlier(&*store, &subject).await?,
        };
        if let (IfSigned::Keep, Some(kept)) = (self.if_signed, &earlier.kept) {
            let made = cx.made.contains(store.repository(), kept);
            return Ok(done(kept, if made { Outcome::Created } else { Outcome::Unchanged }));
        }
        let replaces = self.if_signed == IfSigned::Replace;
        let gone: &[TaggedSignature] = if replaces { &earlier.tagged } else { &[] };
        let made = if self.is_tagged {
            let name = reference.repository.to_string();
            let (clock, annotations) = (self.clock.as_ref(), &self.annotations);
            let added = self.signer.sign_simply(cx, &name, &subject.digest, annotations, clock).await?;
            Tagged::change(cx, &*store, &subject, Some(&added), gone).await?.digest
        } else {
            let statement = Statement::signature(&subject.digest, &self.annotations);
            let manifest = self.signer.attach(cx, &*store, &subject, statement, self.clock.as_ref()).await?;
            if !gone.is_empty() {
                Tagged::change(cx, &*store, &subject, None, gone).await?;
            }
            manifest.digest().clone()
        };
        if !replaces || (earlier.bundles.is_empty() && earlier.tagged.is_empty()) {
            return Ok(done(&made, Outcome::Created));
        }
        // The new one is there: now the earlier ones may go.
        let fail = StepError::store("attach the signature to", reference);
        store.unlist(&subject.digest, &earlier.bundles).await.map_err(fail)?;
        for digest in &earlier.bundles {
            store.delete_manifest(digest).await.map_err(StepError::store("delete the signature", digest))?;
        }
        store.flush().await.map_err(StepError::store("write", reference))?;
        Ok(done(&made, Outcome::Updated))
    }

    /// The signatures of that key in both layouts.
    async fn earlier(&self, store: &dyn Store, subject: &Descriptor) -> Result<Earlier, StepError> {
        let signers = Signers::of(&self.signer, self.clock.as_ref());
        let look = Look { store, subject, signers: &signers, annotations: &self.annotations };
        let mut earlier = Earlier::default();
        let has_none = self.unsigned.has(store, &subject.digest);
        for bundled in if has_none { Vec::new() } else { look.bundled().await? } {
            let Ok(Said { statement, time, .. }) = bundled.said else { continue };
            if statement.predicate_type() != PredicateType::SIGNATURE {
                continue;
            }
            let says_all = statement.check_subject(&subject.digest).is_ok_and(|said| self.is_in(said));
            if says_all && time.is_ok() && !self.is_tagged {
                earlier.kept.get_or_insert_with(|| bundled.manifest.digest.clone());
            }
            earlier.bundles.push(bundled.manifest.digest);
        }
        let tagged = Tagged::fetch(store, subject).await?;
        for (_, payload) in &tagged.payloads {
            let Ok((payload, signed)) = payload else { continue };
            let Ok(Said { statement, time, .. }) = signers.simple(payload, signed) else { continue };
            if statement.check_subject(&subject.digest).is_err() {
                continue;
            }
            if self.is_tagged && time.is_ok() && self.is_in(&statement.annotations()) {
                earlier.kept = tagged.manifest.clone().or(earlier.kept);
            }
            earlier.tagged.push(signed.clone());
        }
        Ok(earlier)
    }

    /// Whether that is all that the signature would say.
    fn is_in(&self, said: &BTreeMap<String, String>) -> bool {
        self.annotations.iter().all(|(name, value)| said.get(name) == Some(value))
    }
}
