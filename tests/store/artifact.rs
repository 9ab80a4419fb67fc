//! Small artifacts to push, each its own content by name.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use consign::{
    oci::{Descriptor, ImageManifest, Index, Manifest},
    store::{Source, Store},
};

use super::tag;

#[derive(Debug, Clone)]
pub(super) struct Artifact {
    name: String,
    pub(super) manifest: Manifest,
    pub(super) blobs: Vec<(Descriptor, Bytes)>,
}

impl Artifact {
    /// An artifact of type `test/NAME` with one layer that says NAME.
    pub(super) fn new(name: &str) -> Self {
        Self::build(name, &[name], None)
    }

    /// One with these layers.
    pub(super) fn of(name: &str, layers: &[&str]) -> Self {
        Self::build(name, layers, None)
    }

    /// The same, referring to `subject`.
    pub(super) fn about(&self, subject: &Manifest) -> Self {
        Self::build(&self.name, &[&self.name], Some(subject))
    }

    fn build(name: &str, layers: &[&str], subject: Option<&Manifest>) -> Self {
        let empty = Descriptor { data: None, ..Descriptor::empty() };
        let mut blobs = vec![(empty.clone(), Bytes::from_static(b"{}"))];
        blobs.extend(layers.iter().map(|layer| {
            let bytes = Bytes::copy_from_slice(layer.as_bytes());
            (Descriptor::of("text/plain", &bytes), bytes)
        }));
        let manifest = Manifest::from_image(ImageManifest {
            artifact_type: Some(format!("test/{name}")),
            layers: blobs.iter().skip(1).map(|(layer, _)| layer.clone()).collect(),
            subject: subject.map(Manifest::descriptor),
            annotations: BTreeMap::from([("name".to_owned(), name.to_owned())]),
            ..ImageManifest::new(empty)
        });
        Self { name: name.to_owned(), manifest: manifest.unwrap(), blobs }
    }

    pub(super) async fn push(&self, store: &Arc<dyn Store>, name: Option<&str>) {
        self.push_blobs(store).await;
        store.push_manifest(&self.manifest, name.map(tag).as_ref()).await.unwrap();
        store.list_pushed().await.unwrap();
    }

    pub(super) async fn push_blobs(&self, store: &Arc<dyn Store>) {
        for (blob, bytes) in &self.blobs {
            store.push_blob(blob, &Source::bytes(bytes.clone()), None).await.unwrap();
        }
    }
}

pub(super) fn index(children: &[&Manifest]) -> Manifest {
    Manifest::from_index(Index::new(children.iter().map(|child| child.descriptor()).collect())).unwrap()
}
