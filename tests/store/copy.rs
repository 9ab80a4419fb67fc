//! The one algorithm that moves a graph: what goes, in which order, with how many requests.

use std::sync::Arc;

use consign::{
    event::{Event, Progress, StepId},
    oci::{Descriptor, Digest, ImageManifest, Manifest, Target},
    store::{Copied, CopyOptions, LayoutStore, MemoryRegistry, Source, Standing, Store, StoreError, copy},
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{
    artifact::{Artifact, index},
    memory,
    recorder::{Call, Recorder},
    repository,
};

const ALL: CopyOptions = CopyOptions { referrers: true, filter: None, concurrency: 8, leaves_root: false };

fn progress() -> (Progress, UnboundedReceiver<Event>) {
    let (tx, rx) = unbounded_channel();
    (Progress::new(StepId::new(0, "copy"), tx), rx)
}

async fn copied(source: &Arc<dyn Store>, root: &Manifest, target: &Arc<dyn Store>, options: CopyOptions) -> Copied {
    copy(source, root, target, &options, &progress().0, Standing::Unknown).await.unwrap()
}

fn sorted(digests: impl IntoIterator<Item = Digest>) -> Vec<Digest> {
    let mut digests: Vec<_> = digests.into_iter().collect();
    digests.sort();
    digests.dedup();
    digests
}

/// An index of two images that share a layer; one is signed, as is the index, and its SBOM, signed in turn.
struct Release {
    index: Manifest,
    artifacts: Vec<Artifact>,
}

impl Release {
    fn new() -> Self {
        let amd64 = Artifact::of("amd64", &["base", "amd64"]);
        let arm64 = Artifact::of("arm64", &["base", "arm64"]);
        let index = index(&[&amd64.manifest, &arm64.manifest]);
        let arm64_signature = Artifact::new("signature").about(&arm64.manifest);
        let signature = Artifact::new("signature").about(&index);
        let sbom = Artifact::new("sbom").about(&index);
        let sbom_signature = Artifact::new("signature").about(&sbom.manifest);
        Self { index, artifacts: vec![amd64, arm64, arm64_signature, signature, sbom, sbom_signature] }
    }

    async fn push(&self, store: &Arc<dyn Store>) {
        for artifact in &self.artifacts {
            artifact.push(store, None).await;
        }
        store.push_manifest(&self.index, None).await.unwrap();
    }

    /// Every digest of it.
    fn digests(&self, artifacts: usize) -> Vec<Digest> {
        let artifacts = &self.artifacts[..artifacts];
        let blobs = artifacts.iter().flat_map(|it| it.blobs.iter().map(|(blob, _)| blob.digest.clone()));
        let manifests = artifacts.iter().map(|it| it.manifest.digest().clone());
        sorted(blobs.chain(manifests).chain([self.index.digest().clone()]))
    }
}

#[tokio::test]
async fn everything_goes_along_and_the_second_time_nothing() {
    let (source, target) = (memory("ghcr.io/x/app"), memory("localhost/app"));
    let release = Release::new();
    release.push(&source).await;
    let first = copied(&source, &release.index, &target, ALL).await;
    let expected = Copied {
        root: release.index.descriptor(),
        copied: release.digests(6),
        mounted: Vec::new(),
        existing: Vec::new(),
        referrers: 4,
    };
    assert_eq!(first, expected);
    assert_eq!(target.tags().await.unwrap(), [], "who asked for the copy tags");
    let recorder = Recorder::new(target);
    let target: Arc<dyn Store> = recorder.clone();
    let again = copied(&source, &release.index, &target, ALL).await;
    assert_eq!(again, Copied { copied: Vec::new(), existing: release.digests(6), ..expected });
    assert_eq!(recorder.count(|call| matches!(call, Call::PushManifest(_))), 0);
    assert_eq!(recorder.count(|call| matches!(call, Call::Referrers(_))), 3, "one list for each subject");
}

#[tokio::test]
async fn referrers_stay_unless_asked_for() {
    let (source, target) = (memory("ghcr.io/x/app"), memory("localhost/app"));
    let release = Release::new();
    release.push(&source).await;
    let recorder = Recorder::new(source);
    let source: Arc<dyn Store> = recorder.clone();
    let done = copied(&source, &release.index, &target, CopyOptions { referrers: false, ..ALL }).await;
    assert_eq!((done.copied, done.referrers), (release.digests(2), 0));
    assert_eq!(recorder.count(|call| matches!(call, Call::Referrers(_) | Call::Subjects)), 0);
}

#[tokio::test]
async fn each_thing_is_fetched_and_pushed_once() {
    let (from, to) = (Recorder::new(memory("ghcr.io/x/app")), Recorder::new(memory("localhost/app")));
    let (source, target): (Arc<dyn Store>, Arc<dyn Store>) = (from.clone(), to.clone());
    let release = Release::new();
    release.push(&source).await;
    from.forget();
    copied(&source, &release.index, &target, ALL).await;
    assert_eq!(from.count(|call| matches!(call, Call::Manifest(_))), 6, "the root is in hand");
    assert_eq!(from.count(|call| matches!(call, Call::Blob(_))), 6, "`{{}}`, base, amd64, arm64, signature, sbom");
    assert_eq!(from.count(|call| matches!(call, Call::Subjects)), 1);
    assert_eq!(from.count(|call| matches!(call, Call::Referrers(_))), 3, "of the index, of arm64, of the SBOM");
    assert_eq!(to.count(|call| matches!(call, Call::PushBlob(..))), 6);
    assert_eq!(to.count(|call| matches!(call, Call::PushManifest(_))), 7);
    assert_eq!(to.count(|call| matches!(call, Call::Resolve(_))), 3, "a referrer of what is new is new");
    assert_eq!(to.count(|call| matches!(call, Call::Referrers(_))), 0);
    assert!(to.calls().iter().all(|call| !matches!(call, Call::PushBlob(_, Some(_)))), "another registry");
}

#[tokio::test]
async fn what_is_needed_goes_first() {
    for concurrency in [1, 2, 16] {
        let to = Recorder::new(memory("localhost/app"));
        let (source, target): (Arc<dyn Store>, Arc<dyn Store>) = (memory("ghcr.io/x/app"), to.clone());
        let release = Release::new();
        release.push(&source).await;
        copied(&source, &release.index, &target, CopyOptions { concurrency, ..ALL }).await;
        let calls = to.calls();
        let place = |digest: &Digest| {
            let is_push = |call: &Call| matches!(call, Call::PushManifest(it) | Call::PushBlob(it, _) if it == digest);
            calls.iter().position(is_push).unwrap()
        };
        for artifact in &release.artifacts {
            let own = place(artifact.manifest.digest());
            assert!(artifact.blobs.iter().all(|(blob, _)| place(&blob.digest) < own));
            if let Some(subject) = artifact.manifest.subject() {
                assert!(place(&subject.digest) < own, "a subject goes before its referrers");
            }
        }
        for child in release.index.manifests() {
            assert!(place(&child.digest) < place(release.index.digest()));
        }
        assert!(to.most_at_once() <= concurrency, "{} at once", to.most_at_once());
    }
}

#[tokio::test]
async fn what_does_not_depend_goes_out_together() {
    let to = Recorder::new(memory("localhost/app"));
    let (source, target): (Arc<dyn Store>, Arc<dyn Store>) = (memory("ghcr.io/x/app"), to.clone());
    let layers: Vec<_> = (0..20).map(|number| format!("layer {number}")).collect();
    let image = Artifact::of("image", &layers.iter().map(String::as_str).collect::<Vec<_>>());
    image.push(&source, None).await;
    copied(&source, &image.manifest, &target, ALL).await;
    assert_eq!(to.most_at_once(), 8);
}

#[tokio::test]
async fn one_permit_is_enough_for_a_deep_graph() {
    let (source, target) = (memory("ghcr.io/x/app"), memory("localhost/app"));
    let image = Artifact::new("image");
    image.push(&source, None).await;
    let mut list = image.manifest.clone();
    for _ in 0..50 {
        list = index(&[&list, &image.manifest]);
        source.push_manifest(&list, None).await.unwrap();
    }
    let mut subject = list.clone();
    for number in 0..50 {
        let referrer = Artifact::new(&format!("{number}")).about(&subject);
        referrer.push(&source, None).await;
        subject = referrer.manifest;
    }
    let done = copied(&source, &list, &target, CopyOptions { concurrency: 1, ..ALL }).await;
    assert_eq!(done.referrers, 50);
    assert!(target.resolve(&Target::Digest(subject.digest().clone())).await.unwrap().is_some());
    let zero = memory("localhost/other");
    assert_eq!(copied(&source, &list, &zero, CopyOptions { concurrency: 0, ..ALL }).await, done, "0 counts as 1");
}

#[tokio::test]
async fn a_copy_that_was_cut_off_is_completed() {
    let (source, folder) = (memory("ghcr.io/x/app"), tempfile::tempdir().unwrap());
    let target: Arc<dyn Store> = Arc::new(LayoutStore::open(folder.path()));
    let release = Release::new();
    release.push(&source).await;
    copied(&source, &release.index, &target, ALL).await;
    // The index is there, but a blob below it is not any more.
    let layer = Descriptor::of("text/plain", b"arm64");
    std::fs::remove_file(folder.path().join("blobs/sha256").join(layer.digest.hex())).unwrap();
    let done = copied(&source, &release.index, &target, ALL).await;
    assert_eq!(done.copied, std::slice::from_ref(&layer.digest));
    assert!(target.has_blob(&layer).await.unwrap());
}

#[tokio::test]
async fn where_the_tag_is_right_only_what_is_new_is_asked_for() {
    let source = memory("ghcr.io/x/app");
    let release = Release::new();
    release.push(&source).await;
    let recorder = Recorder::new(memory("localhost/app"));
    let target: Arc<dyn Store> = recorder.clone();
    let first = copied(&source, &release.index, &target, ALL).await;
    let settled = async || {
        let before = recorder.calls().len();
        let again = copy(&source, &release.index, &target, &ALL, &progress().0, Standing::Settled).await.unwrap();
        (again, recorder.calls().split_off(before))
    };
    let (again, calls) = settled().await;
    assert_eq!(again, Copied { copied: Vec::new(), existing: release.digests(6), ..first });
    assert!(!calls.iter().any(|call| matches!(call, Call::HasBlob(_) | Call::PushBlob(..) | Call::PushManifest(_))));

    // One more, which shares its config with the others: that is asked for, whatever they were believed to have.
    let signature = Artifact::new("another").about(&release.index);
    signature.push(&source, None).await;
    let (again, calls) = settled().await;
    assert!(again.copied.contains(signature.manifest.digest()) && again.referrers == 5);
    for (blob, _) in &signature.blobs {
        assert!(calls.contains(&Call::PushBlob(blob.digest.clone(), None)), "{blob:?}");
        assert_ne!(again.copied.contains(&blob.digest), again.existing.contains(&blob.digest));
    }
    assert_eq!(target.referrers(release.index.digest()).await.unwrap().len(), 3);
}

#[tokio::test]
async fn what_is_most_likely_there_is_read_there() {
    let (from, to) = (Recorder::new(memory("ghcr.io/x/app")), Recorder::new(memory("localhost/app")));
    let (source, target): (Arc<dyn Store>, Arc<dyn Store>) = (from.clone(), to.clone());
    let release = Release::new();
    release.push(&source).await;
    let first = copied(&source, &release.index, &target, ALL).await;
    for store in [&from, &to] {
        store.forget();
    }
    let again = copied(&source, &release.index, &target, ALL).await;
    assert_eq!(again, Copied { copied: Vec::new(), existing: release.digests(6), ..first });
    assert_eq!(from.count(|call| matches!(call, Call::Manifest(_))), 0);
    assert_eq!(to.count(|call| matches!(call, Call::Manifest(_))), 6);
    assert_eq!(to.count(|call| matches!(call, Call::Resolve(_))), 1, "the root");
}

#[tokio::test]
async fn a_root_that_is_left_goes_only_where_something_waits_for_it() {
    let options = CopyOptions { leaves_root: true, ..ALL };
    for (number, signed) in [false, true].into_iter().enumerate() {
        let to = Recorder::new(memory(&format!("localhost/app{number}")));
        let (source, target): (Arc<dyn Store>, Arc<dyn Store>) = (memory("ghcr.io/x/app"), to.clone());
        let image = Artifact::new("image");
        image.push(&source, None).await;
        if signed {
            Artifact::new("signature").about(&image.manifest).push(&source, None).await;
        }
        let (root, standing) = (&image.manifest, Standing::Absent);
        let done = copy(&source, root, &target, &options, &progress().0, standing).await.unwrap();
        assert!(done.copied.contains(root.digest()));
        let pushed = to.count(|call| matches!(call, Call::PushManifest(digest) if digest == root.digest()));
        assert_eq!(pushed, usize::from(signed));
        assert_eq!(to.count(|call| matches!(call, Call::Resolve(_))), 0, "it is taken for new");
    }
}

#[tokio::test]
async fn a_referrer_that_the_target_lacks_is_added() {
    let (source, target) = (memory("ghcr.io/x/app"), memory("localhost/app"));
    let image = Artifact::new("image");
    image.push(&source, None).await;
    copied(&source, &image.manifest, &target, ALL).await;
    let signature = Artifact::new("signature").about(&image.manifest);
    signature.push(&source, None).await;
    let done = copied(&source, &image.manifest, &target, ALL).await;
    let expected = sorted([signature.manifest.digest().clone(), signature.blobs[1].0.digest.clone()]);
    assert_eq!((done.copied, done.referrers), (expected, 1));
    assert_eq!(target.referrers(image.manifest.digest()).await.unwrap(), [signature.manifest.referrer_descriptor()]);
}

#[tokio::test]
async fn within_a_registry_blobs_are_mounted() {
    let registry = MemoryRegistry::default();
    let source: Arc<dyn Store> = registry.repository(&repository("localhost:5000/app"));
    let target: Arc<dyn Store> = registry.repository(&repository("127.0.0.1:5000/staging/app"));
    let image = Artifact::new("image");
    image.push(&source, None).await;
    let done = copied(&source, &image.manifest, &target, ALL).await;
    assert_eq!(done.mounted, sorted(image.blobs.iter().map(|(blob, _)| blob.digest.clone())));
    assert_eq!(done.copied, [image.manifest.digest().clone()]);
    // A repository copied onto itself has nothing to do.
    let done = copied(&source, &image.manifest, &source, ALL).await;
    assert_eq!((done.copied.len(), done.mounted.len(), done.existing.len()), (0, 0, 3));
}

#[tokio::test]
async fn an_attestation_that_an_index_lists_waits_for_its_subject() {
    let to = Recorder::new(memory("localhost/app"));
    let (source, target): (Arc<dyn Store>, Arc<dyn Store>) = (memory("ghcr.io/x/app"), to.clone());
    let image = Artifact::new("image");
    let attestation = Artifact::new("attestation").about(&image.manifest);
    let list = index(&[&attestation.manifest, &image.manifest]);
    image.push(&source, None).await;
    attestation.push(&source, None).await;
    source.push_manifest(&list, None).await.unwrap();
    let done = copied(&source, &list, &target, ALL).await;
    assert_eq!(done.referrers, 0, "it goes along as a child");
    let pushed: Vec<_> = to.calls().into_iter().filter(|call| matches!(call, Call::PushManifest(_))).collect();
    let expected = [&image.manifest, &attestation.manifest, &list].map(|it| Call::PushManifest(it.digest().clone()));
    assert_eq!(pushed, expected);
}

#[tokio::test]
async fn what_is_listed_but_is_no_referrer_stays() {
    let (inner, target) = (memory("ghcr.io/x/app"), memory("localhost/app"));
    let release = Release::new();
    release.push(&inner).await;
    let other = Artifact::new("other").about(&Artifact::new("another image").manifest);
    other.push(&inner, None).await;
    let mut deep = other.manifest.clone();
    for _ in 0..3 {
        deep = index(&[&deep]);
        inner.push_manifest(&deep, None).await.unwrap();
    }
    let root = index(&[&release.index, &deep]);
    inner.push_manifest(&root, None).await.unwrap();
    Artifact::new("signature").about(&root).push(&inner, None).await;
    // As seen in the wild: a child of the index, something gone, something that is no manifest, and what is about
    // something else; the last is needed all the same, since an index lists it.
    let lists = [
        release.artifacts[0].manifest.descriptor(),
        Descriptor::of(other.manifest.media_type(), b"gone"),
        Descriptor::of("application/octet-stream", b"other"),
        other.manifest.descriptor(),
    ];
    let lists = lists.map(|stranger| (root.digest().clone(), stranger)).to_vec();
    let source: Arc<dyn Store> = Recorder::listing(inner, lists);
    let done = copied(&source, &root, &target, ALL).await;
    assert_eq!(done.referrers, 5);
    assert!(done.copied.contains(other.manifest.digest()));
    assert!(!done.copied.contains(&Digest::sha256(b"gone")));
}

#[tokio::test]
async fn a_referrer_goes_without_its_subject() {
    let (source, target) = (memory("ghcr.io/x/app"), memory("localhost/app"));
    let image = Artifact::new("image");
    let signature = Artifact::new("signature").about(&image.manifest);
    signature.push(&source, None).await;
    for copies in [3, 0] {
        let done = copied(&source, &signature.manifest, &target, ALL).await;
        assert_eq!(done.copied.len(), copies);
    }
}

#[tokio::test]
async fn what_the_source_lacks_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let source: Arc<dyn Store> = Arc::new(LayoutStore::open(folder.path()));
    let release = Release::new();
    release.push(&source).await;
    let gone = release.artifacts[1].manifest.digest();
    source.delete_manifest(gone).await.unwrap();
    let error = copy(&source, &release.index, &memory("localhost/app"), &ALL, &progress().0, Standing::Unknown)
        .await
        .unwrap_err();
    assert!(matches!(&error, StoreError::Missing { digest, .. } if digest == gone), "{error}");

    let layer = &release.artifacts[0].blobs[2].0.digest;
    std::fs::remove_file(folder.path().join("blobs/sha256").join(layer.hex())).unwrap();
    let target = memory("localhost/app");
    let error = copy(&source, &release.artifacts[0].manifest, &target, &ALL, &progress().0, Standing::Unknown)
        .await
        .unwrap_err();
    assert!(matches!(&error, StoreError::Missing { digest, .. } if digest == layer), "{error}");
    assert!(target.subjects().await.unwrap().unwrap().is_empty());
}

#[tokio::test]
async fn what_a_descriptor_carries_is_not_fetched() {
    let from = Recorder::new(memory("ghcr.io/x/app"));
    let (source, target): (Arc<dyn Store>, Arc<dyn Store>) = (from.clone(), memory("localhost/app"));
    let empty = Descriptor::empty();
    source.push_blob(&empty, &Source::bytes("{}"), None).await.unwrap();
    let wrong = Descriptor { data: Some("e31=".to_owned()), ..Descriptor::of("text/plain", b"right") };
    source.push_blob(&wrong, &Source::bytes("right"), None).await.unwrap();
    let manifest =
        Manifest::from_image(ImageManifest { layers: vec![wrong.clone()], ..ImageManifest::new(empty) }).unwrap();
    source.push_manifest(&manifest, None).await.unwrap();
    copied(&source, &manifest, &target, ALL).await;
    let fetched: Vec<_> = from.calls().into_iter().filter(|call| matches!(call, Call::Blob(_))).collect();
    assert_eq!(fetched, [Call::Blob(wrong.digest)]);
}

#[tokio::test]
async fn every_byte_that_moves_is_told() {
    let (source, target) = (memory("ghcr.io/x/app"), memory("localhost/app"));
    let image = Artifact::new("image");
    image.push(&source, None).await;
    let (progress, mut events) = progress();
    copy(&source, &image.manifest, &target, &ALL, &progress, Standing::Unknown).await.unwrap();
    drop(progress);
    let mut bytes = 0;
    while let Some(event) = events.recv().await {
        if let Event::TransferFinished { transfer, .. } = event {
            assert_eq!(transfer.done(), transfer.total());
            bytes += transfer.done();
        }
    }
    assert_eq!(bytes, image.blobs.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>());
}

#[tokio::test]
async fn a_copy_can_be_spawned() {
    let (source, target) = (memory("ghcr.io/x/app"), memory("localhost/app"));
    let image = Artifact::new("image");
    image.push(&source, None).await;
    let task = tokio::spawn(async move { copied(&source, &image.manifest, &target, ALL).await });
    assert_eq!(task.await.unwrap().copied.len(), 3);
}
