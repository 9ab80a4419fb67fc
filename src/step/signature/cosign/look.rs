use std::collections::BTreeMap;

use serde_json::json;

use super::{
    super::{Finding, Signature},
    Signers, Tagged,
};
use crate::{
    oci::{Descriptor, Target},
    sign::cosign::{Bundle, BundleManifest, PredicateType, Refusal, Statement},
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
    /// What was signed, about this manifest, and by whom, in words.
    pub(in crate::step) statement: Result<(Statement, String), Refusal>,
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
            let result = bundled.statement.and_then(|(statement, signer)| self.signature(&statement, &signer));
            Finding { digest: bundled.manifest.digest, result: result.map_err(|refusal| refusal.to_string()) }
        });
        let tagged = tagged.payloads.iter().map(|(digest, payload)| {
            let result = match payload {
                Ok((payload, signature)) => self.simple(payload, signature).map_err(|refusal| refusal.to_string()),
                Err(problem) => Err(problem.clone()),
            };
            Finding { digest: digest.clone(), result }
        });
        Ok(bundled.chain(tagged).collect())
    }

    /// Every attestation of that type.
    pub(in crate::step) async fn attestations(&self, wanted: &PredicateType) -> Result<Vec<Finding>, StepError> {
        let finding = |bundled: Bundled| {
            let result = bundled.statement.and_then(|(statement, signer)| {
                if statement.predicate_type() == wanted.as_str() {
                    return self.counted(&BTreeMap::new(), &signer, "bundle", Vec::new());
                }
                let found = statement.predicate_type().to_owned();
                Err(Refusal::Predicate { found, wanted: format!("`{wanted}`") })
            });
            Finding { digest: bundled.manifest.digest, result: result.map_err(|refusal| refusal.to_string()) }
        };
        Ok(self.bundled().await?.into_iter().map(finding).collect())
    }

    /// What the signers say in bundles, whatever it is.
    pub(in crate::step) async fn bundled(&self) -> Result<Vec<Bundled>, StepError> {
        let fail = StepError::store("discover the signatures of", &self.subject.digest);
        let listed = self.store.referrers(&self.subject.digest).await.map_err(fail)?;
        let fetches = listed.into_iter().filter(BundleManifest::may_be).take(MOST).map(|referrer| self.fetch(referrer));
        Ok(several(FETCHES, fetches.collect()).await?.into_iter().flatten().collect())
    }

    async fn fetch(&self, referrer: Descriptor) -> Result<Option<Bundled>, StepError> {
        let fail = || StepError::store("fetch the signature", &referrer.digest);
        let manifest = self.store.manifest(&Target::Digest(referrer.digest.clone())).await.map_err(fail())?;
        // What is listed and not there was removed since, or never pushed.
        let Some(manifest) = manifest else { return Ok(None) };
        let statement = match BundleManifest::read(&manifest, self.subject) {
            None => return Ok(None),
            Some(Err(refusal)) => Err(refusal),
            Some(Ok(layer)) => {
                let blob = self.store.blob(&layer).await.map_err(fail())?;
                let bytes = store::read(&layer, blob, Bundle::LARGEST).await.map_err(fail())?;
                self.signers.statement(&bytes, &self.subject.digest)
            }
        };
        Ok(Some(Bundled { manifest: manifest.descriptor(), statement }))
    }

    /// A statement as a signature: one that vouches for nothing else, and says what it must.
    fn signature(&self, statement: &Statement, signer: &str) -> Result<Signature, Refusal> {
        if statement.predicate_type() != PredicateType::SIGNATURE {
            let found = statement.predicate_type().to_owned();
            return Err(Refusal::Predicate { found, wanted: "a signature".to_owned() });
        }
        self.counted(statement.check_subject(&self.subject.digest)?, signer, "bundle", Vec::new())
    }

    fn simple(&self, payload: &[u8], signature: &[u8]) -> Result<Signature, Refusal> {
        let (said, signer) = self.signers.simple(payload, signature)?;
        said.check_subject(&self.subject.digest)?;
        let here = self.store.repository().to_string();
        let is_elsewhere = !said.made_for().is_empty() && said.made_for() != here;
        let warning = is_elsewhere.then(|| format!("it was made for `{}`", said.made_for()));
        self.counted(&said.annotations(), &signer, "simple_signing", warning.into_iter().collect())
    }

    fn counted(
        &self,
        said: &BTreeMap<String, String>,
        signer: &str,
        envelope: &str,
        warnings: Vec<String>,
    ) -> Result<Signature, Refusal> {
        for (name, wanted) in self.annotations {
            let found = said.get(name);
            if found != Some(wanted) {
                let (name, wanted, found) = (name.clone(), wanted.clone(), found.cloned());
                return Err(Refusal::Annotation { name, wanted, found });
            }
        }
        let details = json!({ "format": "cosign", "envelope": envelope, "annotations": said });
        let details = if let serde_json::Value::Object(details) = details { details } else { serde_json::Map::new() };
        Ok(Signature { signer: signer.to_owned(), details, warnings })
    }
}
