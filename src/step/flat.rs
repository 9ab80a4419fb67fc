//! What an index lists, without the indexes in between: clients look for a platform on one level only.

use std::collections::HashSet;

use super::StepError;
use crate::{
    oci::{Descriptor, Digest, Manifest, Reference, media_type},
    store::Store,
};

/// How many manifests are taken out of one index; more do not fit into one.
const LIMIT: usize = 10_000;

/// The manifests that `index` leads to, in order, each as it is listed. What an index on the way says of the whole is lost.
pub(super) async fn flat(
    store: &dyn Store,
    index: &Manifest,
    reference: &Reference,
) -> Result<Vec<Descriptor>, StepError> {
    let mut listed = Vec::new();
    let mut seen: HashSet<Digest> = HashSet::from([index.digest().clone()]);
    let mut waiting: Vec<Descriptor> = index.manifests().iter().rev().cloned().collect();
    while let Some(entry) = waiting.pop() {
        if !entry.is_manifest() {
            return Err(wrong(reference, format!("an index with `{}` in it", entry.media_type), MANIFESTS_ONLY));
        }
        if !media_type::is_index(&entry.media_type) {
            listed.push(entry);
        } else if seen.insert(entry.digest.clone()) {
            let found = store.manifest(&entry.digest.clone().into()).await;
            let name = Reference::by_digest(store.repository().clone(), entry.digest);
            let found = found.map_err(StepError::store("fetch", &name))?;
            let nested = found.ok_or_else(|| StepError::NotThere { reference: name.to_string() })?;
            waiting.extend(nested.manifests().iter().rev().cloned());
        }
        if listed.len() + waiting.len() + seen.len() > LIMIT {
            return Err(wrong(
                reference,
                format!("an index of more than {LIMIT} manifests"),
                "name those that are wanted",
            ));
        }
    }
    Ok(listed)
}

const MANIFESTS_ONLY: &str = "only manifests go into an index";

fn wrong(reference: &Reference, what: String, wanted: &'static str) -> StepError {
    StepError::WrongManifest { reference: reference.to_string(), what, wanted }
}
