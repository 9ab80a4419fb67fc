//! Which manifests a repository is said to have.

use std::sync::Arc;

use consign::{
    oci::{Descriptor, Digest, Index, Manifest, Tag},
    store::{Held, Inventory, Store},
};

use super::{
    Fixture,
    artifact::{Artifact, index},
    memory,
    recorder::Recorder,
    tag,
};

async fn taken(store: &Arc<dyn Store>) -> Inventory {
    Inventory::take(store).await.unwrap()
}

fn digests(inventory: &Inventory) -> Vec<Digest> {
    inventory.manifests.iter().map(|held| held.digest.clone()).collect()
}

fn sorted(manifests: &[&Manifest]) -> Vec<Digest> {
    let mut digests: Vec<_> = manifests.iter().map(|manifest| manifest.digest().clone()).collect();
    digests.sort();
    digests
}

fn held<'a>(inventory: &'a Inventory, manifest: &Manifest) -> &'a Held {
    inventory.manifests.iter().find(|held| held.digest == *manifest.digest()).unwrap()
}

/// An index of two platforms, each entry with its own.
fn platforms(amd64: &Manifest, arm64: &Manifest) -> Manifest {
    let entry = |manifest: &Manifest, platform: &str| Descriptor {
        platform: Some(platform.parse().unwrap()),
        ..manifest.descriptor()
    };
    Manifest::from_index(Index::new(vec![entry(amd64, "linux/amd64"), entry(arm64, "linux/arm64")])).unwrap()
}

pub(super) async fn what_the_tags_lead_to_is_in_the_inventory(Fixture { store, tags, .. }: &Fixture) {
    let before: Vec<_> = digests(&taken(store).await);
    assert_eq!(before.len(), tags.len());
    let (amd64, arm64) = (Artifact::new("amd64"), Artifact::new("arm64"));
    let signature = Artifact::new("signature").about(&arm64.manifest);
    let beyond = Artifact::new("beyond").about(&signature.manifest);
    let (subject, docs) = (Artifact::new("subject"), Artifact::new("docs"));
    let docs = docs.about(&subject.manifest);
    for artifact in [&amd64, &arm64, &signature, &beyond, &subject] {
        artifact.push(store, None).await;
    }
    docs.push(store, Some("docs")).await;
    let index = platforms(&amd64.manifest, &arm64.manifest);
    store.push_manifest(&index, Some(&tag("v1"))).await.unwrap();
    store.push_manifest(&index, Some(&tag("v2"))).await.unwrap();
    let inventory = taken(store).await;
    let mut found = digests(&inventory);
    assert!(found.is_sorted());
    found.retain(|digest| !before.contains(digest));
    let all = [&amd64, &arm64, &signature, &beyond, &subject, &docs].map(|artifact| &artifact.manifest);
    assert_eq!(found, sorted(&[&all[..], &[&index]].concat()));
    let image = held(&inventory, &arm64.manifest);
    assert_eq!(
        (image.artifact_type.as_deref(), image.size),
        (Some("test/arm64"), Some(arm64.manifest.descriptor().size))
    );
    assert_eq!(image.platform.as_ref().map(ToString::to_string).as_deref(), Some("linux/arm64"));
    assert_eq!(held(&inventory, &index).tags, [tag("v1"), tag("v2")].into());
    assert_eq!(held(&inventory, &index).artifact_type, None);
    assert_eq!(held(&inventory, &signature.manifest).subject.as_ref(), Some(arm64.manifest.digest()));
    assert!(held(&inventory, &signature.manifest).tags.is_empty());
}

pub(super) async fn what_no_tag_leads_to_is_known_to_who_keeps_a_list(Fixture { store, .. }: &Fixture) {
    let (named, lost) = (Artifact::new("named"), Artifact::new("lost"));
    named.push(store, Some("v1")).await;
    lost.push(store, None).await;
    let inventory = taken(store).await;
    let found = digests(&inventory);
    assert!(found.contains(named.manifest.digest()));
    assert_eq!(found.contains(lost.manifest.digest()), inventory.is_own);
    assert_eq!(inventory.is_own, store.listing().await.unwrap().is_some());
}

pub(super) async fn the_inventory_follows_what_goes(Fixture { store, tags, .. }: &Fixture) {
    let (one, two) = (Artifact::new("one"), Artifact::new("two"));
    one.push(store, Some("v1")).await;
    two.push(store, Some("v1")).await;
    assert!(held(&taken(store).await, &two.manifest).tags == [tag("v1")].into());
    store.delete_manifest(two.manifest.digest()).await.unwrap();
    store.delete_manifest(one.manifest.digest()).await.unwrap();
    for gone in tags {
        store.untag(gone).await.unwrap();
    }
    let left = taken(store).await;
    assert!(left.manifests.iter().all(|held| left.is_own && held.tags.is_empty()), "{left:?}");
}

#[tokio::test]
async fn what_a_registry_says_to_be_there_is_looked_at_once() {
    let inner = memory("localhost:5000/a");
    let image = Artifact::new("image");
    let sbom = Artifact::new("sbom").about(&image.manifest);
    image.push(&inner, Some("v1")).await;
    sbom.push(&inner, None).await;
    // In a circle, and of nothing.
    let nothing = Descriptor::of("a/b", b"nothing");
    let listing = vec![
        (image.manifest.digest().clone(), nothing.clone()),
        (sbom.manifest.digest().clone(), image.manifest.descriptor()),
    ];
    let recorder = Recorder::listing(inner, listing);
    let store: Arc<dyn Store> = Arc::clone(&recorder) as _;
    let inventory = taken(&store).await;
    assert!(!inventory.is_own);
    assert_eq!(digests(&inventory), sorted(&[&image.manifest, &sbom.manifest]));
    let asked = |digest: &Digest| {
        recorder.calls().iter().filter(|call| **call == super::recorder::Call::Manifest(digest.clone().into())).count()
    };
    assert_eq!((asked(&nothing.digest), asked(sbom.manifest.digest())), (1, 1));
}

#[tokio::test]
async fn lists_of_referrers_are_no_manifests_of_their_own() {
    let store = memory("r.azurecr.io/a");
    let image = Artifact::new("image");
    image.push(&store, Some("v1")).await;
    let list = index(&[&image.manifest]);
    store.push_manifest(&list, Some(&Tag::of_referrers(image.manifest.digest()))).await.unwrap();
    assert_eq!(digests(&taken(&store).await), [image.manifest.digest().clone()]);
    // Where somebody gave it a name, it is one.
    store.push_manifest(&list, Some(&tag("named"))).await.unwrap();
    let inventory = taken(&store).await;
    assert_eq!(held(&inventory, &list).tags, [tag("named")].into());
}
