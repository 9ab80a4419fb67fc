//! What every store does.

use std::{collections::HashSet, sync::Arc};

use consign::{
    oci::{Algorithm, Descriptor, Digest, ImageManifest, Manifest, Tag, Target, media_type},
    store::{ContentError, Delivery, Source, Store, StoreError, read},
};
use tokio::{sync::Barrier, task::JoinSet};

pub(super) use super::inventory::{
    the_inventory_follows_what_goes, what_no_tag_leads_to_is_known_to_who_keeps_a_list,
    what_the_tags_lead_to_is_in_the_inventory,
};
use super::{
    Fixture,
    artifact::{Artifact, index},
    tag,
};

async fn by_tag(store: &Arc<dyn Store>, name: &str) -> Option<Digest> {
    store.resolve(&Target::Tag(tag(name))).await.unwrap().map(|found| found.digest)
}

async fn by_digest(store: &Arc<dyn Store>, digest: &Digest) -> Option<Manifest> {
    let resolved = store.resolve(&Target::Digest(digest.clone())).await.unwrap();
    let manifest = store.manifest(&Target::Digest(digest.clone())).await.unwrap();
    assert_eq!(resolved, manifest.as_ref().map(Manifest::descriptor), "resolve and manifest agree");
    manifest
}

async fn listed(store: &Arc<dyn Store>, subject: &Digest) -> Vec<Digest> {
    store.referrers(subject).await.unwrap().into_iter().map(|referrer| referrer.digest).collect()
}

/// Whether the error is that `wanted` is missing, in a store's words or in those of a registry.
fn names_missing(error: &StoreError, wanted: &Digest) -> bool {
    match error {
        StoreError::Missing { digest, .. } => digest == wanted,
        StoreError::Registry(error) => {
            let text = error.to_string();
            text.contains("MANIFEST_BLOB_UNKNOWN") && text.contains(&wanted.to_string())
        }
        _ => false,
    }
}

pub(super) async fn what_was_pushed_is_there(Fixture { store, .. }: &Fixture) {
    let artifact = Artifact::new("image");
    artifact.push(store, Some("v1")).await;
    let found = store.manifest(&Target::Tag(tag("v1"))).await.unwrap().unwrap();
    assert_eq!((found.digest(), found.bytes()), (artifact.manifest.digest(), artifact.manifest.bytes()));
    assert!(by_digest(store, artifact.manifest.digest()).await.is_some());
    for (blob, bytes) in &artifact.blobs {
        assert!(store.has_blob(blob).await.unwrap());
        assert_eq!(read(blob, store.blob(blob).await.unwrap(), 100).await.unwrap(), bytes);
    }
}

pub(super) async fn pushing_again_changes_nothing(Fixture { store, tags, .. }: &Fixture) {
    let artifact = Artifact::new("image");
    artifact.push(store, Some("v1")).await;
    let (blob, bytes) = &artifact.blobs[1];
    let again = store.push_blob(blob, &Source::bytes(bytes.clone()), None).await.unwrap();
    assert_eq!(again, Delivery::Existing);
    artifact.push(store, Some("v1")).await;
    artifact.push(store, None).await;
    assert_eq!(store.tags().await.unwrap().len(), tags.len() + 1);
    assert_eq!(by_tag(store, "v1").await.as_ref(), Some(artifact.manifest.digest()));
}

pub(super) async fn absence_is_an_answer(Fixture { store, tags, .. }: &Fixture) {
    let nothing = Digest::sha256(b"nothing");
    assert_eq!(by_tag(store, "none").await, None);
    assert!(by_digest(store, &nothing).await.is_none());
    assert!(store.manifest(&Target::Tag(tag("none"))).await.unwrap().is_none());
    assert!(!store.has_blob(&Descriptor::new("a/b", nothing, 1)).await.unwrap());
    assert_eq!(&store.tags().await.unwrap(), tags);
    assert!(!store.untag(&tag("none")).await.unwrap());
}

pub(super) async fn bytes_come_back_as_they_were(Fixture { store, .. }: &Fixture) {
    let layer = Artifact::new("image");
    layer.push_blobs(store).await;
    // Odd spacing, a member that nobody knows, a null.
    let text = format!(
        "{{ \"future\": {{\"x\": 1.10}},\n\"schemaVersion\":2,\"mediaType\":\"{}\",\"config\":{},\"layers\":null }}",
        media_type::IMAGE_MANIFEST,
        serde_json::to_string(&Descriptor::empty()).unwrap(),
    );
    let manifest = Manifest::parse(media_type::IMAGE_MANIFEST, text.clone().into()).unwrap();
    store.push_manifest(&manifest, None).await.unwrap();
    assert_eq!(by_digest(store, manifest.digest()).await.unwrap().bytes(), &text);
}

pub(super) async fn another_algorithm_is_as_good(Fixture { store, .. }: &Fixture) {
    let blob = Descriptor { digest: Digest::of(Algorithm::Sha512, b"long"), ..Descriptor::of("a/b", b"long") };
    store.push_blob(&blob, &Source::bytes("long"), None).await.unwrap();
    assert_eq!(read(&blob, store.blob(&blob).await.unwrap(), 100).await.unwrap(), "long");
    assert!(!store.has_blob(&Descriptor::of("a/b", b"long")).await.unwrap());
}

pub(super) async fn wrong_content_is_not_stored(Fixture { store, .. }: &Fixture) {
    let blob = Descriptor::of("a/b", b"right");
    let error = store.push_blob(&blob, &Source::bytes("wrong"), None).await.unwrap_err();
    assert!(matches!(error, StoreError::Content(ContentError::Digest { .. })), "{error}");
    assert!(!store.has_blob(&blob).await.unwrap());
    assert!(!store.has_blob(&Descriptor::of("a/b", b"wrong")).await.unwrap());
    assert_eq!(store.push_blob(&blob, &Source::bytes("right"), None).await.unwrap(), Delivery::Copied);
}

pub(super) async fn short_and_long_content_is_not_stored(Fixture { store, .. }: &Fixture) {
    let blob = Descriptor::of("a/b", b"right");
    for content in ["", "righ", "right!"] {
        let error = store.push_blob(&blob, &Source::bytes(content), None).await.unwrap_err();
        assert!(matches!(error, StoreError::Content(ContentError::Size { .. })), "{error}");
        assert!(!store.has_blob(&blob).await.unwrap());
    }
}

pub(super) async fn a_missing_blob_is_an_error_to_read(Fixture { store, .. }: &Fixture) {
    let blob = Descriptor::of("a/b", b"nowhere");
    let stream = store.blob(&blob).await;
    let error = match stream {
        Ok(stream) => read(&blob, stream, 100).await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(&error, StoreError::Missing { digest, .. } if *digest == blob.digest), "{error}");
}

pub(super) async fn a_blob_of_another_size_is_an_error(Fixture { store, .. }: &Fixture) {
    let blob = Descriptor::of("a/b", b"content");
    store.push_blob(&blob, &Source::bytes("content"), None).await.unwrap();
    let longer = Descriptor { size: 8, ..blob };
    let error = match store.blob(&longer).await {
        Ok(stream) => read(&longer, stream, 100).await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(error, StoreError::Content(ContentError::Size { .. })), "{error}");
}

pub(super) async fn a_manifest_without_its_blob_is_refused(Fixture { store, .. }: &Fixture) {
    let artifact = Artifact::of("partial", &["first part", "second part"]);
    for (blob, bytes) in &artifact.blobs[..2] {
        store.push_blob(blob, &Source::bytes(bytes.clone()), None).await.unwrap();
    }
    let error = store.push_manifest(&artifact.manifest, Some(&tag("v1"))).await.unwrap_err();
    assert!(names_missing(&error, &artifact.blobs[2].0.digest), "{error}");
    assert!(by_digest(store, artifact.manifest.digest()).await.is_none());
    assert_eq!(by_tag(store, "v1").await, None);
}

pub(super) async fn an_index_without_its_child_is_refused(Fixture { store, .. }: &Fixture) {
    let (here, absent) = (Artifact::new("here"), Artifact::new("absent"));
    here.push(store, None).await;
    let index = index(&[&here.manifest, &absent.manifest]);
    let error = store.push_manifest(&index, None).await.unwrap_err();
    assert!(names_missing(&error, absent.manifest.digest()), "{error}");
}

pub(super) async fn a_foreign_layer_is_not_missed(Fixture { store, .. }: &Fixture) {
    Artifact::new("image").push_blobs(store).await;
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let manifest = Manifest::from_image(ImageManifest {
        layers: vec![Descriptor::of(foreign, b"windows")],
        ..ImageManifest::new(Descriptor::empty())
    })
    .unwrap();
    store.push_manifest(&manifest, None).await.unwrap();
    assert!(by_digest(store, manifest.digest()).await.is_some());
}

pub(super) async fn tags_are_sorted(Fixture { store, tags, .. }: &Fixture) {
    let mut expected = tags.clone();
    for name in ["v2", "v10", "A", "z", "a"] {
        Artifact::new(name).push(store, Some(name)).await;
        expected.push(tag(name));
    }
    expected.sort();
    assert_eq!(store.tags().await.unwrap(), expected);
}

pub(super) async fn a_tag_moves(Fixture { store, tags, .. }: &Fixture) {
    let (old, new) = (Artifact::new("old"), Artifact::new("new"));
    old.push(store, Some("v1")).await;
    new.push(store, Some("v1")).await;
    assert_eq!(by_tag(store, "v1").await.as_ref(), Some(new.manifest.digest()));
    assert!(by_digest(store, old.manifest.digest()).await.is_some(), "the old manifest stays");
    assert_eq!(store.tags().await.unwrap().len(), tags.len() + 1);
}

pub(super) async fn a_manifest_may_have_many_tags(Fixture { store, .. }: &Fixture) {
    let artifact = Artifact::new("image");
    for name in ["v1", "v1.2", "latest"] {
        artifact.push(store, Some(name)).await;
    }
    assert!(store.untag(&tag("v1.2")).await.unwrap());
    assert_eq!(by_tag(store, "v1").await.as_ref(), Some(artifact.manifest.digest()));
    assert_eq!(by_tag(store, "v1.2").await, None);
    assert_eq!(by_tag(store, "latest").await.as_ref(), Some(artifact.manifest.digest()));
}

pub(super) async fn untag_keeps_the_manifest(Fixture { store, tags, .. }: &Fixture) {
    let artifact = Artifact::new("image");
    artifact.push(store, Some("v1")).await;
    assert!(store.untag(&tag("v1")).await.unwrap());
    assert!(!store.untag(&tag("v1")).await.unwrap());
    assert_eq!(by_tag(store, "v1").await, None);
    assert_eq!(&store.tags().await.unwrap(), tags);
    assert!(by_digest(store, artifact.manifest.digest()).await.is_some());
}

pub(super) async fn a_tag_comes_back_after_untag(Fixture { store, tags, .. }: &Fixture) {
    let artifact = Artifact::new("image");
    for name in tags.iter().map(Tag::as_str).chain(["v1"]) {
        artifact.push(store, Some(name)).await;
        assert!(store.untag(&tag(name)).await.unwrap());
        assert_eq!(by_tag(store, name).await, None);
        artifact.push(store, Some(name)).await;
        assert_eq!(by_tag(store, name).await.as_ref(), Some(artifact.manifest.digest()));
    }
}

pub(super) async fn delete_takes_the_tags(Fixture { store, tags, .. }: &Fixture) {
    let (artifact, other) = (Artifact::new("image"), Artifact::new("other"));
    artifact.push(store, Some("v1")).await;
    artifact.push(store, Some("v2")).await;
    other.push(store, Some("v3")).await;
    assert!(store.delete_manifest(artifact.manifest.digest()).await.unwrap());
    assert!(by_digest(store, artifact.manifest.digest()).await.is_none());
    assert_eq!(by_tag(store, "v1").await, None);
    let mut expected = [tags.as_slice(), &[tag("v3")]].concat();
    expected.sort();
    assert_eq!(store.tags().await.unwrap(), expected);
}

pub(super) async fn deleting_what_is_absent_is_false(Fixture { store, .. }: &Fixture) {
    assert!(!store.delete_manifest(&Digest::sha256(b"nothing")).await.unwrap());
    let artifact = Artifact::new("image");
    artifact.push(store, None).await;
    assert!(store.delete_manifest(artifact.manifest.digest()).await.unwrap());
    assert!(!store.delete_manifest(artifact.manifest.digest()).await.unwrap());
}

pub(super) async fn a_manifest_comes_back_after_delete_without_its_tags(Fixture { store, tags, .. }: &Fixture) {
    let artifact = Artifact::new("image");
    artifact.push(store, Some("v1")).await;
    assert!(store.delete_manifest(artifact.manifest.digest()).await.unwrap());
    artifact.push(store, None).await;
    assert!(by_digest(store, artifact.manifest.digest()).await.is_some());
    assert_eq!(by_tag(store, "v1").await, None);
    assert_eq!(&store.tags().await.unwrap(), tags);
}

pub(super) async fn a_referrer_is_found_before_and_after_its_subject_is_there(Fixture { store, .. }: &Fixture) {
    let image = Artifact::new("image");
    let signature = Artifact::new("signature").about(&image.manifest);
    let expected = vec![signature.manifest.digest().clone()];
    signature.push(store, None).await;
    assert_eq!(listed(store, image.manifest.digest()).await, expected);
    image.push(store, Some("v1")).await;
    assert_eq!(listed(store, image.manifest.digest()).await, expected);
    assert!(store.delete_manifest(image.manifest.digest()).await.unwrap());
    assert_eq!(listed(store, image.manifest.digest()).await, expected);
}

pub(super) async fn referrers_are_sorted_and_say_what_they_are(Fixture { store, .. }: &Fixture) {
    let image = Artifact::new("image");
    image.push(store, None).await;
    let mut expected = Vec::new();
    for name in ["signature", "sbom", "docs", "attestation"] {
        let referrer = Artifact::new(name).about(&image.manifest);
        referrer.push(store, (name == "docs").then_some("docs")).await;
        expected.push(referrer.manifest.referrer_descriptor());
    }
    expected.sort_by(|one, other| one.digest.cmp(&other.digest));
    let referrers = store.referrers(image.manifest.digest()).await.unwrap();
    assert_eq!(referrers, expected);
    assert!(referrers.iter().any(|it| it.artifact_type.as_deref() == Some("test/sbom")
        && it.annotations.get("name").is_some_and(|name| name == "sbom")));
}

pub(super) async fn an_unknown_subject_has_no_referrers(Fixture { store, .. }: &Fixture) {
    assert_eq!(listed(store, &Digest::sha256(b"nothing")).await, []);
}

pub(super) async fn a_deleted_referrer_is_not_listed(Fixture { store, .. }: &Fixture) {
    let image = Artifact::new("image");
    let signature = Artifact::new("signature").about(&image.manifest);
    let sbom = Artifact::new("sbom").about(&image.manifest);
    for artifact in [&image, &signature, &sbom] {
        artifact.push(store, None).await;
    }
    store.unlist(image.manifest.digest(), &[signature.manifest.digest().clone()]).await.unwrap();
    assert!(store.delete_manifest(signature.manifest.digest()).await.unwrap());
    assert_eq!(listed(store, image.manifest.digest()).await, [sbom.manifest.digest().clone()]);
}

pub(super) async fn subjects_are_those_with_referrers(Fixture { store, .. }: &Fixture) {
    let image = Artifact::new("image");
    let sbom = Artifact::new("sbom").about(&image.manifest);
    let signature = Artifact::new("signature").about(&sbom.manifest);
    for artifact in [&image, &sbom, &signature] {
        artifact.push(store, None).await;
    }
    // A store may say that asking for each is as cheap.
    if let Some(subjects) = store.subjects().await.unwrap() {
        assert_eq!(subjects, HashSet::from([image.manifest.digest().clone(), sbom.manifest.digest().clone()]));
    }
}

pub(super) async fn a_child_of_an_index_is_found_by_its_digest(Fixture { store, tags, .. }: &Fixture) {
    let (amd64, arm64) = (Artifact::new("amd64"), Artifact::new("arm64"));
    let signature = Artifact::new("signature").about(&arm64.manifest);
    for artifact in [&amd64, &arm64, &signature] {
        artifact.push(store, None).await;
    }
    let index = index(&[&amd64.manifest, &arm64.manifest]);
    store.push_manifest(&index, Some(&tag("v1"))).await.unwrap();
    assert!(by_digest(store, arm64.manifest.digest()).await.is_some());
    assert_eq!(listed(store, arm64.manifest.digest()).await, [signature.manifest.digest().clone()]);
    let after = store.tags().await.unwrap().into_iter().filter(|tag| !tag.is_of_referrers());
    assert_eq!(after.count(), tags.len() + 1);
}

pub(super) async fn a_digest_of_a_blob_is_no_manifest(Fixture { store, .. }: &Fixture) {
    let artifact = Artifact::new("image");
    artifact.push(store, None).await;
    assert!(by_digest(store, &artifact.blobs[1].0.digest).await.is_none());
}

pub(super) async fn many_at_once_lose_nothing(Fixture { store, .. }: &Fixture) {
    const COUNT: usize = 32;
    let image = Artifact::new("image");
    image.push(store, None).await;
    let barrier = Arc::new(Barrier::new(COUNT));
    let mut tasks = JoinSet::new();
    let mut expected = Vec::new();
    for number in 0..COUNT {
        let referrer = Artifact::new(&format!("referrer-{number}")).about(&image.manifest);
        expected.push(referrer.manifest.digest().clone());
        let (store, barrier) = (Arc::clone(store), Arc::clone(&barrier));
        tasks.spawn(async move {
            barrier.wait().await;
            referrer.push(&store, Some(&format!("t{number}"))).await;
        });
    }
    tasks.join_all().await;
    expected.sort();
    assert_eq!(listed(store, image.manifest.digest()).await, expected);
    for number in 0..COUNT {
        assert!(by_tag(store, &format!("t{number}")).await.is_some(), "t{number}");
    }
}
