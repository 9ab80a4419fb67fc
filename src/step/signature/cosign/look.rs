use std::collections::BTreeMap;

use serde_json::json;

use super::{
    super::{Finding, Signature},
    Said, Signers, Tagged,
};
use crate::{
    oci::{Descriptor, Target},
    sign::cosign::{Bundle, BundleManifest, PredicateType, Refusal, Statement, TaggedSignature},
    step::{StepError, several::several},
    store::{self, Store},
};

/// A look at what was signed of a manifest.
#[derive(Debug, Clone, Copy)]
pub(in crate::step) struct Look<'a> {
    pub(in crate::step) store: &'a dyn Store,
    pub(in crate::step) subject: &'a Descriptor,
    pub(in crate::step) signers: &'a Signers,
    /// What a signature must say, at least.
    pub(in crate::step) annotations: &'a BTreeMap<String, String>,
}

/// A bundle that is listed, and what one of the signers says in it.
#[derive(Debug)]
pub(in crate::step) struct Bundled {
    /// The manifest that carries it.
    pub(in crate::step) manifest: Descriptor,
    /// What was signed about this manifest.
    pub(in crate::step) said: Result<Said<Statement>, Refusal>,
}

/// How many bundles of one manifest are looked at: whoever may push can list as many as they like.
const MOST: usize = 1000;
/// How many at a time: attestations are read whole.
const FETCHES: usize = 4;

impl Look<'_> {
    /// Every signature in either layout, sorted by the digest of what carries it.
    pub(in crate::step) async fn signatures(&self) -> Result<Vec<Finding>, StepError> {
        let (bundled, tagged) = futures_util::try_join!(self.bundled(), Tagged::fetch(self.store, self.subject))?;
        let bundled = bundled.into_iter().map(|bundled| {
            let result = bundled.said.and_then(|said| self.signature(said));
            Finding { digest: bundled.manifest.digest, result: result.map_err(|refusal| refusal.to_string()) }
        });
        let tagged = tagged.payloads.iter().map(|(digest, payload)| {
            let result = match payload {
                Ok((payload, signed)) => self.simple(payload, signed).map_err(|refusal| refusal.to_string()),
                Err(problem) => Err(problem.clone()),
            };
            Finding { digest: digest.clone(), result }
        });
        Ok(bundled.chain(tagged).collect())
    }

    /// Every attestation of that type.
    pub(in crate::step) async fn attestations(&self, wanted: &PredicateType) -> Result<Vec<Finding>, StepError> {
        let finding = |bundled: Bundled| {
            let result = bundled.said.and_then(|said| {
                if said.statement.predicate_type() == wanted.as_str() {
                    return self.counted(&BTreeMap::new(), said, "bundle", Vec::new());
                }
                let found = said.statement.predicate_type().to_owned();
                Err(Refusal::Predicate { found, wanted: format!("`{wanted}`") })
            });
            Finding { digest: bundled.manifest.digest, result: result.map_err(|refusal| refusal.to_string()) }
        };
        Ok(self.bundled().await?.into_iter().map(finding).collect())
    }

    /// What the signers say in bundles, whatever it is.
    pub(in crate::step) async fn bundled(&self) -> Result<Vec<Bundled>, StepError> {
        let fail = StepError::store("discover the signatures of", &self.subject.digest);
        let listed = self.store.listed(&self.subject.digest).await.map_err(fail)?;
        let fetches = listed.into_iter().filter(BundleManifest::may_be).take(MOST).map(|referrer| self.fetch(referrer));
        Ok(several(FETCHES, fetches.collect()).await?.into_iter().flatten().collect())
    }

    async fn fetch(&self, referrer: Descriptor) -> Result<Option<Bundled>, StepError> {
        let fail = || StepError::store("fetch the signature", &referrer.digest);
        let manifest = match self.store.manifest(&Target::Digest(referrer.digest.clone())).await {
            Ok(Some(manifest)) => manifest,
            // What is listed and not there was removed since, or never pushed.
            Ok(None) => return Ok(None),
            // What is not what its digest says is no reason to look at no other one.
            Err(error) if error.is_content() => {
                let said = Err(Refusal::bad(error.to_string()));
                return Ok(Some(Bundled { manifest: referrer, said }));
            }
            Err(error) => return Err(fail()(error)),
        };
        let said = match BundleManifest::read(&manifest, self.subject) {
            None => return Ok(None),
            Some(Err(refusal)) => Err(refusal),
            Some(Ok(layer)) => match store::read_blob(self.store, &layer, Bundle::LARGEST).await {
                Ok(bytes) => self.signers.statement(&bytes, &self.subject.digest),
                Err(error) if error.is_content() => Err(Refusal::bad(error.to_string())),
                Err(error) => return Err(fail()(error)),
            },
        };
        Ok(Some(Bundled { manifest: manifest.descriptor(), said }))
    }

    /// A statement as a signature: one that vouches for nothing else, and says what it must.
    fn signature(&self, said: Said<Statement>) -> Result<Signature, Refusal> {
        if said.statement.predicate_type() != PredicateType::SIGNATURE {
            let found = said.statement.predicate_type().to_owned();
            return Err(Refusal::Predicate { found, wanted: "a signature".to_owned() });
        }
        let annotations = said.statement.check_subject(&self.subject.digest)?.clone();
        self.counted(&annotations, said, "bundle", Vec::new())
    }

    fn simple(&self, payload: &[u8], signed: &TaggedSignature) -> Result<Signature, Refusal> {
        let said = self.signers.simple(payload, signed)?;
        let statement = &said.statement;
        statement.check_subject(&self.subject.digest)?;
        let here = self.store.repository().to_string();
        let is_elsewhere = !statement.made_for().is_empty() && statement.made_for() != here;
        let warning = is_elsewhere.then(|| format!("it was made for `{}`", statement.made_for()));
        self.counted(&statement.annotations(), said, "simple_signing", warning.into_iter().collect())
    }

    fn counted<S>(
        &self,
        annotations: &BTreeMap<String, String>,
        said: Said<S>,
        envelope: &str,
        warnings: Vec<String>,
    ) -> Result<Signature, Refusal> {
        let time = said.time?.map(|time| time.to_string());
        for (name, wanted) in self.annotations {
            let found = annotations.get(name);
            if found != Some(wanted) {
                let (name, wanted, found) = (name.clone(), wanted.clone(), found.cloned());
                return Err(Refusal::Annotation { name, wanted, found });
            }
        }
        let details = json!({
            "format": "cosign",
            "envelope": envelope,
            "timestamped_at": time,
            "annotations": annotations,
        });
        let details = if let serde_json::Value::Object(details) = details { details } else { serde_json::Map::new() };
        Ok(Signature { signer: said.signer, details, warnings })
    }
}
