//! Folders that need not be packed, or are packed while they are sent.
//!
//! A folder in which nothing has changed since it was packed is not packed again where its registry has the layer. A large one
//! that is most likely new there goes out while it is packed, so that it touches no disk; what breaks off is packed again, to
//! the same bytes, and goes on where it was. Whatever does not work out is packed like any other folder.

use std::{
    collections::{HashMap, HashSet},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures_util::stream;
use tokio::{sync::mpsc, task};

use super::StepContext;
use crate::{
    oci::{Digest, ImageManifest, annotation},
    pack::{self, FolderState, KnownLayer, LayerOptions},
    store::{ByteStream, Maker, Store, StoreError, Unhashed},
};

/// A folder, and how it is packed.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    /// Absolute.
    pub(super) path: PathBuf,
    /// How.
    pub(super) options: LayerOptions,
}

/// Folders whose layers a repository has.
#[derive(Debug, Default)]
pub(super) struct Folders {
    known: HashMap<(PathBuf, String), KnownLayer>,
}

/// In bytes. What is less is packed in a moment.
const LARGE: u64 = 64 * 1024 * 1024;

impl Folders {
    /// What a folder was packed to that goes by this prefix.
    pub(super) fn find(&self, path: &Path, prefix: &str) -> Option<&KnownLayer> {
        self.known.get(&(path.to_owned(), prefix.to_owned()))
    }

    /// Finds those that were packed before, have not changed, and are in `store`; the others with what is known of them.
    pub(super) async fn look(
        &mut self,
        cx: &StepContext,
        store: &dyn Store,
        folders: Vec<Folder>,
    ) -> Vec<(Folder, FolderState)> {
        let places = Arc::clone(&cx.places);
        let states = task::spawn_blocking(move || {
            let find = |folder: Folder| {
                let state = places.digests.find_folder(&folder.path, &folder.options);
                (folder, state)
            };
            folders.into_iter().map(find).collect::<Vec<_>>()
        });
        let mut left = Vec::new();
        for (folder, state) in states.await.unwrap_or_default() {
            match state {
                // What cannot be asked is found out when it is pushed.
                FolderState::Known(layer) if matches!(store.has_blob(&layer.descriptor).await, Ok(true)) => {
                    self.known.insert((folder.path, folder.options.prefix), *layer);
                }
                state => left.push((folder, state)),
            }
        }
        left
    }

    /// Sends those of the large ones that are most likely new to `store`, while they are packed. `may_be_there`: a folder of
    /// which nothing is known may be there as it is.
    pub(super) async fn send(
        &mut self,
        cx: &StepContext,
        store: &dyn Store,
        folders: Vec<(Folder, FolderState)>,
        may_be_there: impl Fn(&Folder) -> bool + Send,
    ) {
        for (folder, state) in folders {
            let is_new = match state {
                // It was looked for, and is not there; or it was something else when it was packed last.
                FolderState::Known(_) | FolderState::Changed => true,
                FolderState::Unknown => !may_be_there(&folder),
            };
            if !is_new || self.find(&folder.path, &folder.options.prefix).is_some() {
                continue;
            }
            let (path, prefix) = (folder.path.clone(), folder.options.prefix.clone());
            let packing = Arc::new(Packing { folder, made: Arc::default() });
            let content = Unhashed::made(Arc::<Packing>::clone(&packing), &prefix).watched(cx.progress.clone());
            if store.push_unhashed(&content).await.is_some()
                && let Some(layer) = packing.layer()
            {
                cx.places.digests.keep_folder(&path, &packing.folder.options, &layer);
                self.known.insert((path, prefix), layer);
            }
        }
    }
}

/// Whether an artifact has a folder of that title: it may be the same.
pub(super) fn may_be_in(there: Option<&ImageManifest>, title: &str) -> bool {
    let layers = there.map_or(&[][..], |image| &image.layers);
    let is_folder = |annotations: &std::collections::BTreeMap<String, String>| {
        annotations.contains_key(annotation::ORAS_CONTENT_DIGEST)
    };
    layers.iter().any(|layer| layer.title() == Some(title) && is_folder(&layer.annotations))
}

/// Those of the folders whose files come to much.
pub(super) async fn large(mut folders: Vec<(Folder, FolderState)>) -> Vec<(Folder, FolderState)> {
    let looking = task::spawn_blocking(move || {
        folders.retain(|(folder, _)| is_large(&folder.path));
        folders
    });
    looking.await.unwrap_or_default()
}

fn is_large(folder: &Path) -> bool {
    let files = walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok);
    let mut sizes = files.filter(|entry| entry.file_type().is_file()).filter_map(|entry| entry.metadata().ok());
    sizes.try_fold(0_u64, |sum, metadata| Some(sum + metadata.len()).filter(|sum| *sum <= LARGE)).is_none()
}

/// A folder that is packed each time that it is opened.
#[derive(Debug)]
struct Packing {
    folder: Folder,
    made: Arc<Mutex<Option<KnownLayer>>>,
}

impl Packing {
    /// How many pieces wait at most for a network that is slower.
    const WAITING: usize = 2;
    /// What comes in smaller pieces is sent in pieces of so many bytes.
    const PIECE: usize = 256 * 1024;

    fn layer(&self) -> Option<KnownLayer> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Maker for Packing {
    fn open(&self) -> ByteStream {
        let (tx, mut rx) = mpsc::channel(Self::WAITING);
        let (Folder { path, options }, made) = (self.folder.clone(), Arc::clone(&self.made));
        *made.lock().unwrap_or_else(PoisonError::into_inner) = None;
        task::spawn_blocking(move || {
            let out = BufWriter::with_capacity(Self::PIECE, Pieces(tx.clone()));
            match pack::pack_directory_into(&path, &options, out) {
                // The stream ends with the last sender: by then it is known what it was.
                Ok((layer, _)) => *made.lock().unwrap_or_else(PoisonError::into_inner) = Some(layer),
                // Nobody may be there to hear it: then that is the reason.
                Err(error) => drop(tx.blocking_send(Err(StoreError::Io { path, source: io::Error::other(error) }))),
            }
        });
        Box::pin(stream::poll_fn(move |cx| rx.poll_recv(cx)))
    }

    fn made(&self) -> Option<(Digest, u64)> {
        self.layer().map(|layer| (layer.descriptor.digest, layer.descriptor.size))
    }
}

/// Sends what is written.
struct Pieces(mpsc::Sender<Result<Bytes, StoreError>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Each of them once.
pub(super) fn distinct(folders: impl IntoIterator<Item = Folder>) -> Vec<Folder> {
    let mut seen = HashSet::new();
    folders.into_iter().filter(|folder| seen.insert((folder.path.clone(), folder.options.prefix.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use futures_util::TryStreamExt;

    use super::*;
    use crate::{
        oci::{Descriptor, Reference},
        pack::DigestCache,
        secret::Secrets,
        step::{Mode, Places, testing::context},
        store::Source,
    };

    /// A folder `tree` of some files, more than a block of it.
    fn tree(folder: &Path) -> Folder {
        let path = folder.join("tree");
        fs::create_dir(&path).unwrap();
        for number in 0..5 {
            let content: Vec<u8> =
                (0..700_000_u32).flat_map(|at| at.wrapping_mul(at).wrapping_add(number).to_le_bytes()).collect();
            fs::write(path.join(number.to_string()), content).unwrap();
        }
        Folder { path, options: LayerOptions::artifact("tree") }
    }

    #[tokio::test]
    async fn a_folder_is_packed_to_the_same_bytes_each_time_that_it_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let tree = tree(folder.path());
        let packed = pack::pack_directory(&tree.path, &tree.options).unwrap();
        let packing = Packing { folder: tree, made: Arc::default() };
        for _ in 0..2 {
            // Who stops listening stops the packing.
            let mut begun = packing.open();
            assert!(begun.try_next().await.unwrap().is_some());
            drop(begun);
            let mut content = packing.open();
            assert_eq!(packing.made(), None);
            let mut bytes = Vec::new();
            while let Some(piece) = content.try_next().await.unwrap() {
                bytes.extend_from_slice(&piece);
            }
            assert_eq!(Digest::sha256(&bytes), packed.descriptor.digest);
            assert_eq!(packing.made(), Some((packed.descriptor.digest.clone(), packed.descriptor.size)));
        }
        fs::remove_dir_all(&packing.folder.path).unwrap();
        assert!(packing.open().try_next().await.is_err());
        assert_eq!(packing.made(), None);
    }

    #[tokio::test]
    async fn what_has_not_changed_and_is_there_is_not_packed_again() {
        let folder = tempfile::tempdir().unwrap();
        let tree = tree(folder.path());
        let (mut cx, _events) = context(folder.path(), Mode::Real, Secrets::default());
        let digests = Arc::new(DigestCache::in_file(folder.path().join("digests.json")));
        let mut places = Places::new(folder.path(), folder.path());
        places.digests = Arc::clone(&digests);
        cx.places = Arc::new(places);
        let to: Reference = "localhost:5000/app".parse().unwrap();
        let store = cx.open(&to.repository);
        // What was packed is another blob: were it packed again, that would show.
        let mut known = pack::pack_directory(&tree.path, &tree.options).unwrap().known().settled();
        let blob = vec![7; 2 << 20];
        known.descriptor = Descriptor::of(&known.descriptor.media_type, &blob);
        digests.keep_folder(&tree.path, &tree.options, &known);

        let mut folders = Folders::default();
        let left = folders.look(&cx, &*store, vec![tree.clone()]).await;
        assert!(matches!(left[..], [(_, FolderState::Known(_))]) && folders.find(&tree.path, "tree").is_none());
        store.push_blob(&known.descriptor, &Source::bytes(blob), None).await.unwrap();
        let left = folders.look(&cx, &*store, vec![tree.clone()]).await;
        let found = folders.find(&tree.path, "tree").unwrap();
        assert_eq!((left.len(), &found.descriptor), (0, &known.descriptor));

        fs::write(tree.path.join("new"), "x").unwrap();
        let mut folders = Folders::default();
        let left = folders.look(&cx, &*store, vec![tree.clone()]).await;
        assert!(matches!(left[..], [(_, FolderState::Changed)]) && folders.find(&tree.path, "tree").is_none());
    }
}
