//! Which manifests refer to which, level by level.

use std::sync::Arc;

use async_trait::async_trait;
use consign::{
    oci::{Descriptor, Digest, Manifest, Repository, Tag, Target, media_type},
    store::{ByteStream, Delivery, Graph, Source, Store, StoreError, referrers_graph},
};

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
struct Liar(Repository, fn(&Digest) -> Vec<Digest>);

#[async_trait]
impl Store for Liar {
    fn repository(&self) -> &Repository {
        &self.0
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        let listed = (self.1)(subject).into_iter();
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
        Err(StoreError::Missing { digest: blob.digest.clone(), repository: self.0.to_string() })
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

async fn walk(answer: fn(&Digest) -> Vec<Digest>) -> Result<Graph, StoreError> {
    let store: Arc<dyn Store> = Arc::new(Liar(repository("localhost/a"), answer));
    referrers_graph(&store, &Descriptor::of(media_type::IMAGE_MANIFEST, b"root"), None).await
}

#[tokio::test]
async fn a_circle_ends() {
    let graph = walk(|subject| vec![subject.clone(), Digest::sha256(b"root"), Digest::sha256(b"other")]).await.unwrap();
    assert_eq!(graph.descendants().collect::<Vec<_>>(), [&Digest::sha256(b"other")]);
    assert_eq!(graph.depth_first().count(), 1);
}

#[tokio::test]
async fn a_graph_without_end_is_an_error() {
    let wide = |subject: &Digest| {
        (0..1000).map(|number| Digest::sha256(format!("{subject}{number}").as_bytes())).collect::<Vec<_>>()
    };
    let error = walk(wide).await.unwrap_err();
    assert!(matches!(error, StoreError::GraphTooLarge { limit: 100_000, .. }), "{error}");
}
