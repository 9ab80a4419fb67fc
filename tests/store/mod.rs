//! Stores: one list of behaviours for all of them, and what is particular to each.

mod archive;
mod artifact;
mod behaviours;
mod copy;
mod inventory;
mod layout;
mod memory;
mod overlay;
mod recorder;
pub(crate) mod server;
mod walk;

use std::sync::Arc;

use consign::{
    oci::{ArchiveForm, Reference, Repository, Tag},
    serve::ServeOptions,
    store::{ArchiveStore, LayoutStore, MemoryStore, OverlayStore, Store},
};
use tempfile::TempDir;

use self::{artifact::Artifact, server::Running};

fn repository(text: &str) -> Repository {
    text.parse::<Reference>().unwrap().repository
}

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

fn memory(name: &str) -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(repository(name)))
}

/// A store to try a behaviour on.
struct Fixture {
    store: Arc<dyn Store>,
    /// The tags that it had before.
    tags: Vec<Tag>,
    _folder: Option<TempDir>,
    _server: Option<Running>,
}

impl Fixture {
    fn of(store: Arc<dyn Store>) -> Self {
        Self { store, tags: Vec::new(), _folder: None, _server: None }
    }
}

async fn in_memory() -> Fixture {
    Fixture::of(memory("localhost/a"))
}

async fn in_layout() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(LayoutStore::open(folder.path().join("layout")));
    Fixture { _folder: Some(folder), ..Fixture::of(store) }
}

async fn in_archive() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(ArchiveStore::open(ArchiveForm::Oci, folder.path().join("archive.tar")));
    Fixture { _folder: Some(folder), ..Fixture::of(store) }
}

async fn over_nothing() -> Fixture {
    Fixture::of(Arc::new(OverlayStore::new(None, repository("localhost/a"))))
}

/// Over content that no behaviour knows, and blobs and manifests that some of them push.
async fn over_memory() -> Fixture {
    let base = memory("localhost/a");
    Artifact::new("below").push(&base, Some("below")).await;
    let image = Artifact::new("image");
    image.push(&base, None).await;
    Artifact::new("signature").about(&image.manifest).push(&base, None).await;
    base.delete_manifest(image.manifest.digest()).await.unwrap();
    base.delete_manifest(Artifact::new("signature").about(&image.manifest).manifest.digest()).await.unwrap();
    let store = Arc::new(OverlayStore::new(Some(base), repository("localhost/a")));
    Fixture { tags: vec![tag("below")], ..Fixture::of(store) }
}

async fn registry_over_memory() -> Fixture {
    let server = Running::in_memory(ServeOptions::default()).await;
    over(server)
}

async fn registry_over_layout() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(server::layouts(folder.path()), ServeOptions::default()).await;
    Fixture { _folder: Some(folder), ..over(server) }
}

/// Lists of referrers are manifests with tags of their own there.
async fn registry_without_referrers() -> Fixture {
    let options = ServeOptions { referrers: false, ..ServeOptions::default() };
    over(Running::in_memory(options).await)
}

fn over(server: Running) -> Fixture {
    let store = server.store("a/b");
    Fixture { _server: Some(server), ..Fixture::of(store) }
}

/// Tries every behaviour on each of the stores.
macro_rules! on_every_store {
    ($($store:ident),* ; $behaviours:tt) => { $( on_one_store!($store $behaviours); )* };
}

macro_rules! on_one_store {
    ($store:ident [$($behaviour:ident),* $(,)?]) => {
        mod $store {
            $(
                #[tokio::test]
                async fn $behaviour() {
                    super::behaviours::$behaviour(&super::$store().await).await;
                }
            )*
        }
    };
}

on_every_store! {
    in_memory, in_layout, in_archive, over_nothing, over_memory, registry_over_memory, registry_over_layout, registry_without_referrers;
    [
        what_was_pushed_is_there,
        pushing_again_changes_nothing,
        absence_is_an_answer,
        bytes_come_back_as_they_were,
        another_algorithm_is_as_good,
        wrong_content_is_not_stored,
        short_and_long_content_is_not_stored,
        a_missing_blob_is_an_error_to_read,
        a_blob_of_another_size_is_an_error,
        a_manifest_without_its_blob_is_refused,
        an_index_without_its_child_is_refused,
        a_foreign_layer_is_not_missed,
        tags_are_sorted,
        a_tag_moves,
        a_manifest_may_have_many_tags,
        untag_keeps_the_manifest,
        a_tag_comes_back_after_untag,
        delete_takes_the_tags,
        deleting_what_is_absent_is_false,
        a_manifest_comes_back_after_delete_without_its_tags,
        a_referrer_is_found_before_and_after_its_subject_is_there,
        referrers_are_sorted_and_say_what_they_are,
        an_unknown_subject_has_no_referrers,
        a_deleted_referrer_is_not_listed,
        subjects_are_those_with_referrers,
        a_child_of_an_index_is_found_by_its_digest,
        a_digest_of_a_blob_is_no_manifest,
        many_at_once_lose_nothing,
        what_the_tags_lead_to_is_in_the_inventory,
        what_no_tag_leads_to_is_known_to_who_keeps_a_list,
        the_inventory_follows_what_goes,
    ]
}
