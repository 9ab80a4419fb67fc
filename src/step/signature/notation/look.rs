use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;

use super::{
    super::{Finding, Signature},
    plugins::plugins,
    stand_in::StandIn,
};
use crate::{
    oci::{Descriptor, Target},
    sign::notation::{Envelope, Refusal, SignatureManifest, Trust, Verification, Verified},
    step::{StepContext, StepError, several::several},
    store::{self, Store},
};

/// A look at the signatures of a manifest.
#[derive(Debug, Clone, Copy)]
pub(in crate::step) struct Look<'a> {
    pub(in crate::step) cx: &'a StepContext,
    pub(in crate::step) store: &'a dyn Store,
    pub(in crate::step) subject: &'a Descriptor,
    pub(in crate::step) trust: &'a Trust,
    pub(in crate::step) annotations: &'a BTreeMap<String, String>,
}

/// How many signatures of one manifest are looked at: whoever may push can list as many as they like.
const MOST: usize = 1000;
/// How many at a time.
const FETCHES: usize = 8;

impl Look<'_> {
    /// Every signature, sorted by the digest of its manifest.
    pub(in crate::step) async fn all(&self) -> Result<Vec<Finding>, StepError> {
        let mut findings = Vec::new();
        for (manifest, envelope) in self.envelopes().await? {
            findings.push(self.finding(&manifest, envelope).await);
        }
        Ok(findings)
    }

    /// Every signature with its envelope, or why there is none.
    pub(in crate::step) async fn envelopes(&self) -> Result<Vec<(Descriptor, Result<Envelope, Refusal>)>, StepError> {
        let fail = StepError::store("discover the signatures of", &self.subject.digest);
        let listed = self.store.listed(&self.subject.digest).await.map_err(fail)?;
        let listed = listed.into_iter().filter(SignatureManifest::may_be).take(MOST);
        let fetches = listed.map(|referrer| self.fetch(referrer));
        let found = several(FETCHES, fetches.collect()).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn fetch(&self, referrer: Descriptor) -> Result<Option<(Descriptor, Result<Envelope, Refusal>)>, StepError> {
        let fail = || StepError::store("fetch the signature", &referrer.digest);
        let manifest = match self.store.manifest(&Target::Digest(referrer.digest.clone())).await {
            Ok(Some(manifest)) => manifest,
            // What is listed and not there was removed since, or never pushed.
            Ok(None) => return Ok(None),
            Err(error) if error.is_content() => {
                let refusal = Refusal::Manifest { problem: error.to_string() };
                return Ok(Some((referrer, Err(refusal))));
            }
            Err(error) => return Err(fail()(error)),
        };
        let Some(read) = SignatureManifest::read(&manifest, self.subject) else { return Ok(None) };
        let result = match read {
            Err(refusal) => Err(refusal),
            Ok(read) => {
                match store::read_blob(self.store, &read.envelope, Envelope::LARGEST).await {
                    Ok(bytes) => {
                        let envelope = Envelope::read(&read.envelope.media_type, &bytes).map_err(Refusal::Bad);
                        envelope.and_then(|envelope| read.check_thumbprints(&envelope.chain).map(|()| envelope))
                    }
                    // An envelope that is too large, or not what its digest says, is no reason to look at no other one.
                    Err(error) if error.is_content() => Err(Refusal::Manifest { problem: error.to_string() }),
                    Err(error) => return Err(fail()(error)),
                }
            }
        };
        Ok(Some((manifest.descriptor(), result)))
    }

    /// What one is worth now.
    pub(in crate::step) async fn verify(&self, envelope: &Envelope) -> Result<Verified, Refusal> {
        let (subject, annotations) = (self.subject, self.annotations);
        let (web, now) = (self.cx.web.as_deref(), Timestamp::now());
        let plugins = if self.cx.mode.is_rehearsal() { None } else { plugins(self.cx) };
        let stand_in = self.stand_in(envelope);
        let trust = stand_in.as_ref().unwrap_or(self.trust);
        let verification = Verification { subject, annotations, trust, now, web, plugins: plugins.as_ref() };
        verification.of(envelope).await
    }

    /// In a rehearsal, trust in its own throw-away key, where that has signed.
    fn stand_in(&self, envelope: &Envelope) -> Option<Trust> {
        if !self.cx.mode.is_rehearsal() {
            return None;
        }
        let stand_in = StandIn::get().ok()?;
        let root = stand_in.chain.certificates().last()?;
        (stand_in.chain == envelope.chain).then(|| Trust::in_signers_of(root))
    }

    async fn finding(&self, manifest: &Descriptor, envelope: Result<Envelope, Refusal>) -> Finding {
        let verified = match envelope {
            Ok(envelope) => self.verify(&envelope).await,
            Err(refusal) => Err(refusal),
        };
        let result = verified.map(|verified| describe(&verified)).map_err(|refusal| refusal.to_string());
        Finding { digest: manifest.digest.clone(), result }
    }
}

fn describe(verified: &Verified) -> Signature {
    let details = json!({
        "format": "notation",
        "thumbprint": verified.signer.thumbprint(),
        "signed_at": verified.signing_time.to_string(),
        "timestamped_at": verified.timestamp.map(|time| time.to_string()),
        "expires_at": verified.expiry.map(|expiry| expiry.to_string()),
        "annotations": verified.annotations,
    });
    let details = match details {
        serde_json::Value::Object(details) => details,
        _ => serde_json::Map::new(),
    };
    Signature { signer: verified.signer.subject().to_string(), details, warnings: verified.warnings.clone() }
}
