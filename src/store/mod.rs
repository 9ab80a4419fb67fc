//! Repositories, however they are kept: in memory, in an image layout on disk, behind HTTP, or as an overlay of two.
//!
//! A [`Store`] is one repository. Blobs and manifests are told apart by their media type, as the specification has it.
//! Everything that is read was verified against its digest and size, in `content.rs` and nowhere else.

mod archive;
mod content;
mod copy;
mod delivery;
mod error;
mod file_stream;
mod host;
mod inventory;
mod layout;
mod listed;
mod memory;
mod memory_registry;
mod needs;
mod open;
mod overlay;
pub mod patience;
pub mod registry;
mod rehearsal;
mod round_trips;
mod source;
mod staged;
mod unhashed;
mod walk;

use std::{collections::HashSet, fmt::Debug};

use async_trait::async_trait;

pub use self::{
    archive::ArchiveStore,
    content::{ByteStream, read, read_blob, verified},
    copy::{Copied, CopyOptions, ReferrerFilter, ReferrerMatch, Standing, copy, is_beside},
    delivery::Delivery,
    error::{ContentError, StoreError},
    host::{Condition, Host, Hosted, Matches},
    inventory::{Held, Inventory},
    layout::{Garbage, GarbageOptions, LayoutRoot, LayoutStore},
    listed::Listed,
    memory::MemoryStore,
    memory_registry::{MemoryHost, MemoryRegistry},
    open::Stores,
    overlay::OverlayStore,
    patience::{OutOfPatience, Patience, RetryPolicy, RunPatience},
    rehearsal::{Fault, FaultError, Faults, Rehearsal, Seed, SeedError},
    round_trips::{RoundTrip, RoundTrips},
    source::Source,
    staged::Staged,
    unhashed::{Maker, Unhashed},
    walk::{Graph, referrers_graph},
};
use crate::oci::{Descriptor, Digest, Manifest, Repository, Tag, Target};

/// One repository.
///
/// Absence is an answer (`None`, `false`, an empty list), never an error; whatever else goes wrong is one.
#[async_trait]
pub trait Store: Debug + Send + Sync {
    /// Which repository this is.
    fn repository(&self) -> &Repository;

    /// Media type, digest and size of the manifest that `target` names.
    async fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError>;

    /// The manifest that `target` names, verified.
    async fn manifest(&self, target: &Target) -> Result<Option<Manifest>, StoreError>;

    /// Stores a manifest, and moves `tag` to it where one is given. Everything that it refers to must be there before,
    /// except its subject. Where it has a subject, it is listed among the subject's referrers at the latest when
    /// [`Store::list_pushed`] has returned.
    async fn push_manifest(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<(), StoreError>;

    /// Lists what was pushed with a subject, where the repository keeps such lists as manifests of their own: one update
    /// for all that was pushed to one subject.
    async fn list_pushed(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// The same for what was pushed to one subject, of so many that something was pushed to: nothing more is about to come.
    async fn list_pushed_to(&self, _subject: &Digest, _lists: usize) -> Result<(), StoreError> {
        Ok(())
    }

    /// Stores a manifest that has a subject, and lists it.
    async fn attach(&self, manifest: &Manifest) -> Result<(), StoreError> {
        self.push_manifest(manifest, None).await?;
        self.list_pushed().await
    }

    /// Every tag, sorted; also those of the referrers tag schema. Empty where the repository does not exist.
    async fn tags(&self) -> Result<Vec<Tag>, StoreError>;

    /// The manifests whose subject is `subject`, sorted by digest, each with its artifact type and annotations.
    /// Empty where there are none, whether the subject exists or not.
    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError>;

    /// The same as the repository lists them: an entry may lack its artifact type and annotations, say another type than
    /// its manifest, or be about something else. For who fetches each of them anyway, and tells those that are not what
    /// their digests say apart from the others.
    async fn listed(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        self.referrers(subject).await
    }

    /// Every digest that has referrers, where one question answers that and asking for each would be dearer.
    /// `None`: ask for each.
    async fn subjects(&self) -> Result<Option<HashSet<Digest>>, StoreError> {
        Ok(None)
    }

    /// What this run has attached to `subject`, as far as that is known without asking: a hint at what will be asked next.
    fn attached(&self, _subject: &Digest) -> Vec<Digest> {
        Vec::new()
    }

    /// Every manifest, sorted by digest, where the repository has such a list. `None`: it has none, and what is there can
    /// only be reached from its tags. See [`Inventory`].
    async fn listing(&self) -> Result<Option<Vec<Listed>>, StoreError> {
        Ok(None)
    }

    /// Whether the blob is there.
    async fn has_blob(&self, blob: &Descriptor) -> Result<bool, StoreError>;

    /// The blob's content. It ends with an error where it is not what the descriptor says.
    async fn blob(&self, blob: &Descriptor) -> Result<ByteStream, StoreError>;

    /// Stores a blob, or fails and stores nothing. A blob that is there is not sent again.
    /// `from` names a repository that has the blob: a registry can take it from there without moving it.
    async fn push_blob(
        &self,
        blob: &Descriptor,
        source: &Source,
        from: Option<&Repository>,
    ) -> Result<Delivery, StoreError>;

    /// Stores content whose digest is not known yet, hashed while it is sent, and says what it is. `None`: that is not done
    /// here or did not work, and it must be hashed and pushed as a blob.
    async fn push_unhashed(&self, _content: &Unhashed) -> Option<Digest> {
        None
    }

    /// Removes a tag and leaves its manifest. `false`: it was not there.
    async fn untag(&self, tag: &Tag) -> Result<bool, StoreError>;

    /// Removes a manifest and with it every tag that names it. `false`: it was not there.
    /// Its referrers stay, and where the referrers tag schema is used, it stays listed: see [`Store::unlist`].
    async fn delete_manifest(&self, digest: &Digest) -> Result<bool, StoreError>;

    /// Takes `referrers` out of the list of `subject`, where the repository keeps such a list as a manifest of its own.
    /// Elsewhere the list follows from what is there, and this does nothing.
    async fn unlist(&self, _subject: &Digest, _referrers: &[Digest]) -> Result<(), StoreError> {
        Ok(())
    }

    /// The manifests that nothing else in the repository leads to, sorted by digest: neither an index nor a subject that is
    /// there. Asked only of a repository whose images may have no name.
    async fn roots(&self) -> Result<Vec<Descriptor>, StoreError> {
        Ok(Vec::new())
    }

    /// Puts what was stored where others find it, where that is done once for all of it. A step that wrote ends with it.
    async fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Makes sure that everything that this run attached is still listed: another process may have written over it.
    async fn settle(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
