//! Which manifests refer to which, level by level.

use std::sync::Arc;

use async_trait::async_trait;
use consign::{
    oci::{Descriptor, Digest, Manifest, Repository, Tag, Target, media_type},
    store::{ByteStream, Delivery, Graph, Source, Store, StoreError, referrers_graph},
};
use tokio::sync::Barrier;

use super::{
    artifact::Artifact,
    memory,
    recorder::{Call, Recorder},
    repository,
};

/// An image with a signature, and an SBOM that is signed too.
async fn tree(store: &Arc<dyn Store>) -> [Artifact; 4] {
    let image = Artifact::new("image");
    let signature = Artifact::new("signature").about(&image.manifest);
    let sbom = Artifact::new("sbom").about(&image.manifest);
    let sbom_signature = Artifact::new("signature").about(&sbom.manifest);
    let all = [image, signature, sbom, sbom_signature];
    for artifact in &all {
        artifact.push(store, None).await;
    }
    all
}

fn entry(artifact: &Artifact) -> Descriptor {
    artifact.manifest.referrer_descriptor()
}

#[tokio::test]
async fn every_level_is_found_and_few_questions_are_asked() {
    let store = memory("localhost/a");
    let [image, signature, sbom, sbom_signature] = tree(&store).await;
    let recorder = Recorder::new(store);
    let asked: Arc<dyn Store> = recorder.clone();
    let graph = referrers_graph(&asked, &image.manifest.descriptor(), None).await.unwrap();
    let mut first = vec![entry(&signature), entry(&sbom)];
    first.sort_by(|one, other| one.digest.cmp(&other.digest));
    assert_eq!(graph.referrers(image.manifest.digest()), first);
    assert_eq!(graph.referrers(sbom.manifest.digest()), [entry(&sbom_signature)]);
    assert_eq!(graph.nodes.len(), 2);
    assert_eq!(
        recorder.calls(),
        [
            Call::Referrers(image.manifest.digest().clone()),
            Call::Subjects,
            Call::Referrers(sbom.manifest.digest().clone()),
        ]
    );
}

#[tokio::test]
async fn depth_counts_levels() {
    let store = memory("localhost/a");
    let [image, ..] = tree(&store).await;
    for (depth, expected) in [(0, 0), (1, 2), (2, 3), (9, 3)] {
        let graph = referrers_graph(&store, &image.manifest.descriptor(), Some(depth)).await.unwrap();
        assert_eq!(graph.descendants().count(), expected, "{depth}");
    }
}

#[tokio::test]
async fn a_tree_is_drawn_from_the_top_and_deleted_from_the_leaves() {
    let store = memory("localhost/a");
    let [image, signature, sbom, sbom_signature] = tree(&store).await;
    let root = image.manifest.descriptor();
    let graph = tokio::spawn(async move { referrers_graph(&store, &root, None).await }).await.unwrap().unwrap();
    let below_sbom = [(1, entry(&sbom)), (2, entry(&sbom_signature))];
    let expected = if signature.manifest.digest() < sbom.manifest.digest() {
        [&[(1, entry(&signature))][..], &below_sbom].concat()
    } else {
        [&below_sbom[..], &[(1, entry(&signature))]].concat()
    };
    let drawn: Vec<_> = graph.depth_first().map(|(level, it)| (level, it.clone())).collect();
    assert_eq!(drawn, expected);
    let place = |wanted: &Artifact| graph.leaves_first().position(|it| it.digest == *wanted.manifest.digest()).unwrap();
    assert!(place(&sbom_signature) < place(&sbom));
    assert_eq!(graph.leaves_first().count(), 3);
}

/// A registry that lists whatever it likes.
#[derive(Debug)]
struct Liar {
    repository: Repository,
    lists: fn(&Digest) -> Vec<Digest>,
    /// What it says that this run has attached.
    attached: fn(&Digest) -> Vec<Digest>,
    /// So many must ask for lists together before any is answered.
    together: Barrier,
}

#[async_trait]
impl Store for Liar {
    fn repository(&self) -> &Repository {
        &self.repository
    }

    fn attached(&self, subject: &Digest) -> Vec<Digest> {
        (self.attached)(subject)
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        self.together.wait().await;
        let listed = (self.lists)(subject).into_iter();
        Ok(listed.map(|digest| Descriptor::new(media_type::IMAGE_MANIFEST, digest, 2)).collect())
    }

    async fn resolve(&self, _: &Target) -> Result<Option<Descriptor>, StoreError> {
        Ok(None)
    }

    async fn manifest(&self, _: &Target) -> Result<Option<Manifest>, StoreError> {
        Ok(None)
    }

    async fn push_manifest(&self, _: &Manifest, _: Option<&Tag>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        Ok(Vec::new())
    }

    async fn has_blob(&self, _: &Descriptor) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn blob(&self, blob: &Descriptor) -> Result<ByteStream, StoreError> {
        Err(StoreError::Missing { digest: blob.digest.clone(), repository: self.repository.to_string() })
    }

    async fn push_blob(&self, _: &Descriptor, _: &Source, _: Option<&Repository>) -> Result<Delivery, StoreError> {
        Ok(Delivery::Existing)
    }

    async fn untag(&self, _: &Tag) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn delete_manifest(&self, _: &Digest) -> Result<bool, StoreError> {
        Ok(false)
    }
}

async fn walk(lists: fn(&Digest) -> Vec<Digest>) -> Result<Graph, StoreError> {
    walk_knowing(lists, |_| Vec::new(), 1).await
}

async fn walk_knowing(
    lists: fn(&Digest) -> Vec<Digest>,
    attached: fn(&Digest) -> Vec<Digest>,
    together: usize,
) -> Result<Graph, StoreError> {
    let (repository, together) = (repository("localhost/a"), Barrier::new(together));
    let store: Arc<dyn Store> = Arc::new(Liar { repository, lists, attached, together });
    referrers_graph(&store, &Descriptor::of(media_type::IMAGE_MANIFEST, b"root"), None).await
}

#[tokio::test]
async fn a_circle_ends() {
    let graph = walk(|subject| vec![subject.clone(), Digest::sha256(b"root"), Digest::sha256(b"other")]).await.unwrap();
    assert_eq!(graph.descendants().collect::<Vec<_>>(), [&Digest::sha256(b"other")]);
    assert_eq!(graph.depth_first().count(), 1);
}

#[tokio::test]
async fn what_this_run_has_attached_is_asked_for_at_once() {
    // Two lists, asked for together or never answered. That they make a circle changes nothing.
    let circle = |subject: &Digest| {
        let sbom = Digest::sha256(b"sbom");
        if *subject == sbom { vec![Digest::sha256(b"root")] } else { vec![sbom] }
    };
    let graph = walk_knowing(circle, circle, 2).await.unwrap();
    assert_eq!(graph.descendants().collect::<Vec<_>>(), [&Digest::sha256(b"sbom")]);
}

#[tokio::test]
async fn a_graph_without_end_is_an_error() {
    let wide = |subject: &Digest| {
        (0..1000).map(|number| Digest::sha256(format!("{subject}{number}").as_bytes())).collect::<Vec<_>>()
    };
    let error = walk(wide).await.unwrap_err();
    assert!(matches!(error, StoreError::GraphTooLarge { limit: 100_000, .. }), "{error}");
}
