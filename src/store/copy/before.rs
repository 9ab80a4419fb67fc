//! What the target had before the copy.

use std::{collections::HashSet, sync::Arc};

use tokio::sync::OnceCell;

use crate::{
    oci::{Digest, Target},
    store::{Store, StoreError},
};

/// The referrers of one subject at the target, asked for once.
pub(super) type List = Arc<OnceCell<HashSet<Digest>>>;

/// Whether the manifest is there, and in the list of its subject if it has one.
pub(super) async fn was_there(
    target: &Arc<dyn Store>,
    manifest: &Digest,
    subject: Option<(Digest, List)>,
) -> Result<bool, StoreError> {
    if let Some((subject, list)) = subject {
        let ask = || async {
            let referrers = target.referrers(&subject).await?;
            Ok::<_, StoreError>(referrers.into_iter().map(|referrer| referrer.digest).collect())
        };
        if !list.get_or_try_init(ask).await?.contains(manifest) {
            return Ok(false);
        }
    }
    Ok(target.resolve(&Target::Digest(manifest.clone())).await?.is_some())
}
