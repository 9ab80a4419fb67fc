//! Writing an archive whole: the same content gives the same bytes, whatever order it came in. Everything here blocks.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs::{self, File},
    io::{self, BufWriter, Read, Write},
    path::Path,
};

use serde_json::json;
use tar::{Builder, EntryType, Header};
use tempfile::NamedTempFile;

use super::contents::{Place, Whole, name_of};
use crate::{
    oci::{Content, Descriptor, Digest, Hasher, Index, Manifest, Tag, annotation},
    store::{Source, StoreError, content, needs},
};

/// What goes into a file of the archive.
enum Piece {
    Bytes(Vec<u8>),
    Blob(Digest, Place),
}

/// Writes all of it, and puts it in place of what is at `path`. Names are sorted and nothing has a time. What no manifest
/// needs is left out.
pub(super) fn write(path: &Path, whole: &Whole) -> Result<(), StoreError> {
    let fail = |source| StoreError::Io { path: path.to_owned(), source };
    let Whole { contents, manifests, tags } = whole;
    let mut files = BTreeMap::new();
    for manifest in manifests {
        for blob in needs::all(manifest) {
            if let Some(place) = contents.place(&blob.digest) {
                files.insert(name_of(&blob.digest), Piece::Blob(blob.digest.clone(), place));
            }
        }
    }
    for manifest in manifests {
        files.insert(name_of(manifest.digest()), Piece::Bytes(manifest.bytes().to_vec()));
    }
    let index = Index::new(entries(manifests, tags));
    files.insert("index.json".to_owned(), Piece::Bytes(json!(index).to_string().into_bytes()));
    files.insert("oci-layout".to_owned(), Piece::Bytes(br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()));
    let folder = path.parent().unwrap_or_else(|| Path::new("/"));
    let temporary = new_file(folder)?;
    {
        let mut tar = Builder::new(BufWriter::with_capacity(Source::PIECE, temporary.as_file()));
        for folder in folders(&files) {
            tar.append_data(&mut header(EntryType::Directory, 0), folder, io::empty()).map_err(fail)?;
        }
        for (name, piece) in files {
            append(&mut tar, path, &name, piece)?;
        }
        tar.into_inner().and_then(|mut writer| writer.flush()).map_err(fail)?;
    }
    temporary.as_file().sync_all().map_err(fail)?;
    temporary.persist(path).map_err(|error| fail(error.error))?;
    Ok(())
}

/// A new file in `folder`, which is made where it is not there. It is gone when it is dropped.
pub(super) fn new_file(folder: &Path) -> Result<NamedTempFile, StoreError> {
    let fail = |source| StoreError::Io { path: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(fail)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".consign-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    builder.tempfile_in(folder).map_err(fail)
}

/// The entries of `index.json`: tags first, sorted, then what nothing else in it leads to.
fn entries(manifests: &[Manifest], tags: &[(Tag, Digest)]) -> Vec<Descriptor> {
    let entry = |manifest: &Manifest, tag: Option<&Tag>| {
        let artifact_type = match manifest.content() {
            Content::Image(image) => image.artifact_type.clone(),
            Content::Index(index) => index.artifact_type.clone(),
        };
        let name = tag.map(|tag| (annotation::REF_NAME.to_owned(), tag.to_string()));
        Descriptor { artifact_type, annotations: name.into_iter().collect(), ..manifest.descriptor() }
    };
    let by_digest: BTreeMap<_, _> = manifests.iter().map(|manifest| (manifest.digest(), manifest)).collect();
    let tagged: HashSet<_> = tags.iter().map(|(_, digest)| digest).collect();
    let listed: HashSet<_> = manifests.iter().flat_map(Manifest::manifests).map(|child| &child.digest).collect();
    let named = tags.iter().filter_map(|(tag, digest)| Some(entry(by_digest.get(digest)?, Some(tag))));
    let others = by_digest.iter().filter(|(digest, _)| !tagged.contains(*digest) && !listed.contains(*digest));
    named.chain(others.map(|(_, manifest)| entry(manifest, None))).collect()
}

fn folders(files: &BTreeMap<String, Piece>) -> BTreeSet<String> {
    let mut folders = BTreeSet::new();
    for name in files.keys() {
        for (at, _) in name.match_indices('/') {
            folders.insert(name[..=at].to_owned());
        }
    }
    folders
}

fn header(kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(if kind == EntryType::Directory { 0o755 } else { 0o644 });
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn append<W: Write>(tar: &mut Builder<W>, path: &Path, name: &str, piece: Piece) -> Result<(), StoreError> {
    let fail = |source| StoreError::Io { path: path.to_owned(), source };
    match piece {
        Piece::Bytes(bytes) => {
            tar.append_data(&mut header(EntryType::Regular, bytes.len() as u64), name, &bytes[..]).map_err(fail)
        }
        Piece::Blob(digest, place) => {
            let mut reader = Hashed { hasher: Hasher::new(digest.algorithm()), inner: open(&place)? };
            tar.append_data(&mut header(EntryType::Regular, place.size()), name, &mut reader).map_err(fail)?;
            // What was in the archive before was not looked at when it came.
            Ok(content::expect(&digest, reader.hasher.finish())?)
        }
    }
}

fn open(place: &Place) -> Result<Box<dyn Read>, StoreError> {
    match place {
        Place::Beside { file, .. } => {
            let opened = File::open(file.as_ref());
            Ok(Box::new(opened.map_err(|source| StoreError::Io { path: file.to_path_buf(), source })?))
        }
        Place::Inside { .. } => Ok(Box::new(Inside { place: place.clone(), at: 0 })),
    }
}

/// Reads a blob that is in an archive.
struct Inside {
    place: Place,
    at: u64,
}

impl Read for Inside {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let Place::Inside { archive, extent } = &self.place else { return Ok(0) };
        let piece = archive.piece(*extent, self.at, bytes.len()).map_err(io::Error::other)?;
        if let Some(start) = bytes.get_mut(..piece.len()) {
            start.copy_from_slice(&piece);
        }
        self.at += piece.len() as u64;
        Ok(piece.len())
    }
}

/// Hashes what is read.
struct Hashed {
    hasher: Hasher,
    inner: Box<dyn Read>,
}

impl Read for Hashed {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes)?;
        self.hasher.update(bytes.get(..read).unwrap_or_default());
        Ok(read)
    }
}
