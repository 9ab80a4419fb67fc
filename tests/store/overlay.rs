//! What is written over a store does not reach it.

use std::sync::Arc;

use consign::{
    oci::{Descriptor, Target},
    store::{Delivery, OverlayStore, Source, Store},
};

use super::{
    artifact::{Artifact, index},
    memory, repository, tag,
};

async fn image_with_signature() -> (Arc<dyn Store>, Artifact, Artifact) {
    let base = memory("ghcr.io/x/app");
    let image = Artifact::new("image");
    let signature = Artifact::new("signature").about(&image.manifest);
    image.push(&base, Some("v1")).await;
    image.push(&base, Some("latest")).await;
    signature.push(&base, None).await;
    (base, image, signature)
}

fn over(base: &Arc<dyn Store>) -> Arc<dyn Store> {
    Arc::new(OverlayStore::new(Some(Arc::clone(base)), repository("ghcr.io/x/app")))
}

async fn resolves(store: &Arc<dyn Store>, name: &str) -> bool {
    store.resolve(&Target::Tag(tag(name))).await.unwrap().is_some()
}

#[tokio::test]
async fn the_base_shows_through() {
    let (base, image, signature) = image_with_signature().await;
    let overlay = over(&base);
    assert_eq!(overlay.tags().await.unwrap(), [tag("latest"), tag("v1")]);
    let found = overlay.manifest(&Target::Tag(tag("v1"))).await.unwrap().unwrap();
    assert_eq!(found.digest(), image.manifest.digest());
    let referrers = overlay.referrers(image.manifest.digest()).await.unwrap();
    assert_eq!(referrers, [signature.manifest.referrer_descriptor()]);
    let (blob, _) = &image.blobs[1];
    assert!(overlay.has_blob(blob).await.unwrap());
    let nothing = Source::file("/nowhere");
    assert_eq!(overlay.push_blob(blob, &nothing, None).await.unwrap(), Delivery::Existing);
}

#[tokio::test]
async fn nothing_reaches_the_base() {
    let (base, image, signature) = image_with_signature().await;
    let overlay = over(&base);
    Artifact::new("new").push(&overlay, Some("v1")).await;
    let sbom = Artifact::new("sbom").about(&image.manifest);
    sbom.push(&overlay, Some("sbom")).await;
    assert_eq!(overlay.referrers(image.manifest.digest()).await.unwrap().len(), 2);
    assert!(overlay.untag(&tag("latest")).await.unwrap());
    assert!(overlay.delete_manifest(signature.manifest.digest()).await.unwrap());

    assert_eq!(base.tags().await.unwrap(), [tag("latest"), tag("v1")]);
    let found = base.resolve(&Target::Tag(tag("v1"))).await.unwrap().unwrap();
    assert_eq!(&found.digest, image.manifest.digest());
    assert_eq!(base.referrers(image.manifest.digest()).await.unwrap().len(), 1);
    assert!(!base.has_blob(&Descriptor::of("text/plain", b"new")).await.unwrap());
}

#[tokio::test]
async fn a_manifest_of_the_base_goes_with_its_tags() {
    let (base, image, signature) = image_with_signature().await;
    let overlay = over(&base);
    Artifact::new("other").push(&overlay, Some("other")).await;
    assert!(overlay.delete_manifest(image.manifest.digest()).await.unwrap());
    assert!(!overlay.delete_manifest(image.manifest.digest()).await.unwrap());
    assert!(!resolves(&overlay, "v1").await && !resolves(&overlay, "latest").await);
    assert_eq!(overlay.tags().await.unwrap(), [tag("other")]);
    // Its referrers stay until they are deleted.
    assert_eq!(overlay.referrers(image.manifest.digest()).await.unwrap().len(), 1);
    assert!(overlay.delete_manifest(signature.manifest.digest()).await.unwrap());
    assert_eq!(overlay.referrers(image.manifest.digest()).await.unwrap(), []);

    image.push(&overlay, Some("v1")).await;
    assert_eq!(overlay.tags().await.unwrap(), [tag("other"), tag("v1")]);
    assert!(!resolves(&overlay, "latest").await, "it went with the manifest that it named");
}

#[tokio::test]
async fn a_tag_of_the_base_does_not_come_back_from_under_a_deleted_one() {
    let (base, _, _) = image_with_signature().await;
    let overlay = over(&base);
    let new = Artifact::new("new");
    new.push(&overlay, Some("v1")).await;
    assert!(overlay.delete_manifest(new.manifest.digest()).await.unwrap());
    assert!(!resolves(&overlay, "v1").await);
    new.push(&overlay, Some("latest")).await;
    assert!(overlay.untag(&tag("latest")).await.unwrap());
    assert!(!resolves(&overlay, "latest").await);
    assert_eq!(overlay.tags().await.unwrap(), []);
}

#[tokio::test]
async fn an_index_may_list_what_is_below() {
    let (base, image, _) = image_with_signature().await;
    let overlay = over(&base);
    let list = index(&[&image.manifest]);
    overlay.push_manifest(&list, Some(&tag("list"))).await.unwrap();
    assert!(resolves(&overlay, "list").await);
    overlay.delete_manifest(image.manifest.digest()).await.unwrap();
    assert!(overlay.push_manifest(&list, None).await.is_err(), "what was deleted is missing");
}
