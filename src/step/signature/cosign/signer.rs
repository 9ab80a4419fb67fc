use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use super::{Added, StandIn};
use crate::{
    oci::{Descriptor, Digest, Manifest},
    sign::{
        cosign::{Bundle, BundleManifest, SimpleSigning, Statement},
        key::{Hash, PrivateKey, PublicKey},
    },
    step::{
        StepContext, StepError,
        file::Layer,
        publish::push_blobs,
        signature::{Clock, MARK, signing::signing},
    },
    store::Store,
};

/// A key that signs as cosign does.
#[derive(Debug, Clone)]
pub(in crate::step) struct Signer {
    key: Arc<PrivateKey>,
}

impl Signer {
    pub(in crate::step) const fn new(key: Arc<PrivateKey>) -> Self {
        Self { key }
    }

    /// The key that verifies what this one signs.
    pub(in crate::step) fn public(&self) -> &PublicKey {
        self.key.public()
    }

    /// Signs `statement` and attaches it to its subject. Gives the manifest that carries it.
    pub(in crate::step) async fn attach(
        &self,
        cx: &StepContext,
        store: &dyn Store,
        subject: &Descriptor,
        statement: Statement,
        clock: Option<&Clock>,
    ) -> Result<Manifest, StepError> {
        let predicate_type = statement.predicate_type().to_owned();
        let (name, value) = MARK;
        let statement = if StandIn::is(self.public()) { statement.saying(name, value) } else { statement };
        let signed = signing(&self.key, move |key| Bundle::sign(&statement, key)).await?;
        let bundle = signed.map_err(Self::failed)?;
        let timestamp = timestamp(cx, clock, bundle.signature()).await?;
        let bundle = timestamp.into_iter().fold(bundle, Bundle::with_timestamp).to_bytes();
        let manifest = BundleManifest::write(subject, &bundle, &predicate_type, created(cx))?;
        let layer = Layer::bytes(Descriptor::of(Bundle::MEDIA_TYPE, &bundle), bundle);
        cx.made.add(store.repository(), manifest.digest());
        push_blobs(cx, store, &[layer, Layer::bytes(Descriptor::empty(), &b"{}"[..])]).await?;
        let fail = StepError::store("attach the signature to", &subject.digest);
        store.attach(&manifest).await.map_err(fail)?;
        Ok(manifest)
    }

    /// A signature in the older layout.
    pub(super) async fn sign_simply(
        &self,
        cx: &StepContext,
        repository: &str,
        subject: &Digest,
        annotations: &BTreeMap<String, String>,
        clock: Option<&Clock>,
    ) -> Result<Added, StepError> {
        let (name, value) = MARK;
        let mark = StandIn::is(self.public()).then(|| (name.to_owned(), value.to_owned()));
        let annotations = annotations.clone().into_iter().chain(mark).collect();
        let payload = SimpleSigning::new(repository, subject, &annotations).to_bytes();
        let signature = SimpleSigning::sign(&payload, &self.key).map_err(Self::failed)?;
        let timestamp = timestamp(cx, clock, &signature).await?;
        Ok(Added { payload, signature, timestamp })
    }

    fn failed(source: crate::sign::key::KeyError) -> StepError {
        StepError::Key { key: "the key".to_owned(), source }
    }
}

/// When it is signed: now, unless `SOURCE_DATE_EPOCH` says otherwise.
fn created(cx: &StepContext) -> String {
    let epoch = cx.epoch.and_then(|epoch| Timestamp::from_second(i64::try_from(epoch).ok()?).ok());
    let now = epoch.unwrap_or_else(Timestamp::now);
    Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}

/// What a service says of when that was signed, where one is named and somebody may be asked: all of its answer, as Sigstore
/// keeps it.
async fn timestamp(cx: &StepContext, clock: Option<&Clock>, signature: &[u8]) -> Result<Option<Vec<u8>>, StepError> {
    match (&cx.web, clock) {
        (Some(web), Some(clock)) => Ok(Some(clock.ask(&**web, Hash::Sha256, signature).await?)),
        _ => Ok(None),
    }
}
