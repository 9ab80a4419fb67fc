//! Walks files and writes them as a tar, in one order and with nothing of the machine in it.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read, Write},
    path::Path,
};

use super::{
    KnownLayer, LayerForm, LayerOptions, PackError, PackedLayer, check_title,
    header::{BLOCK, EntryHeader, EntryKind},
    layer_writer::{LayerWriter, Written},
    listing::Listing,
    mode,
    spool::Spool,
    walk::{Found, walk},
};
use crate::oci::Digest;

/// A directory as one layer: its files, directories and symbolic links, in the order of their names.
///
/// Of the mode only the executable bit is kept, of owners and times nothing. Files with several hard links are stored
/// as often as they are found.
pub fn pack_directory(directory: &Path, options: &LayerOptions) -> Result<PackedLayer, PackError> {
    pack(options, |archive| archive.directory(directory))
}

/// The same, whose bytes go to `out` as they come.
pub fn pack_directory_into<W: Write>(
    directory: &Path,
    options: &LayerOptions,
    out: W,
) -> Result<(KnownLayer, W), PackError> {
    let (known, _, out) = pack_into(options, out, |archive| archive.directory(directory))?;
    Ok((known, out))
}

/// The digest of the tar that [`pack_directory`] would make, without compressing it.
pub fn directory_digest(directory: &Path, options: &LayerOptions) -> Result<Digest, PackError> {
    let mut archive = Archive::new(options, LayerWriter::digest_only())?;
    archive.directory(directory)?;
    archive.finish().map(|written| written.diff_id)
}

/// One file as a layer: it goes under its own name into the folder that the options' prefix names.
pub fn pack_file_layer(file: &Path, options: &LayerOptions) -> Result<PackedLayer, PackError> {
    pack(options, |archive| {
        let name = file.file_name().ok_or_else(|| PackError::NotAFile { path: file.to_owned() })?;
        let name = name.to_str().ok_or_else(|| PackError::NotUnicode { path: file.to_owned() })?;
        archive.folders()?;
        let name = archive.name(name);
        archive.file(file, &name)
    })
}

fn pack(
    options: &LayerOptions,
    fill: impl FnOnce(&mut Archive<'_, Spool>) -> Result<(), PackError>,
) -> Result<PackedLayer, PackError> {
    let (known, entries, spool) = pack_into(options, Spool::new(options.temporary.clone()), fill)?;
    let KnownLayer { descriptor, diff_id, seen } = known;
    Ok(PackedLayer { descriptor, diff_id, content: spool.finish(), entries, seen })
}

/// What comes of it, how many entries it has, and where it went.
fn pack_into<W: Write>(
    options: &LayerOptions,
    out: W,
    fill: impl FnOnce(&mut Archive<'_, W>) -> Result<(), PackError>,
) -> Result<(KnownLayer, usize, W), PackError> {
    let writer = LayerWriter::new(options.compression, out).map_err(PackError::Write)?;
    let mut archive = Archive::new(options, writer)?;
    fill(&mut archive)?;
    let (entries, seen) = (archive.entries, archive.listing.take().and_then(Listing::finish));
    let Written { diff_id, layer } = archive.finish()?;
    let (descriptor, out) = layer.ok_or_else(|| PackError::Write(io::ErrorKind::UnexpectedEof.into()))?;
    Ok((KnownLayer { descriptor, diff_id, seen }, entries, out))
}

/// A tar in the making.
struct Archive<'a, W: Write> {
    options: &'a LayerOptions,
    prefix: String,
    writer: LayerWriter<W>,
    buffer: Vec<u8>,
    entries: usize,
    /// Of the directory that is packed.
    listing: Option<Listing>,
}

impl<'a, W: Write> Archive<'a, W> {
    /// How much of a file is read at a time, in bytes.
    const PIECE: usize = 256 * 1024;

    fn new(options: &'a LayerOptions, writer: LayerWriter<W>) -> Result<Self, PackError> {
        let prefix = if options.prefix.is_empty() && options.form == LayerForm::Image {
            String::new()
        } else {
            // As the system writes it, on Windows that is with backslashes.
            check_title(&options.prefix)?.to_string_lossy().replace('\\', "/")
        };
        Ok(Self { options, prefix, writer, buffer: Vec::new(), entries: 0, listing: None })
    }

    /// A directory and what is in it.
    fn directory(&mut self, directory: &Path) -> Result<(), PackError> {
        let mut listing = Listing::new();
        self.folders()?;
        walk(directory, |path, below, found| {
            let name = self.name(below);
            match found {
                Found::Folder => {
                    listing.folder(below);
                    self.folder(&name)
                }
                Found::Link(target) => {
                    listing.link(below, target);
                    self.header(&name, EntryKind::Symlink { target })
                }
                Found::File => {
                    let file = File::open(path).map_err(PackError::io(path))?;
                    let metadata = file.metadata().map_err(PackError::io(path))?;
                    listing.file(below, &metadata);
                    self.opened(file, &metadata, path, &name)
                }
            }
        })?;
        self.listing = Some(listing);
        Ok(())
    }

    /// What an entry is called whose name below the prefix is `name`.
    fn name(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) }
    }

    /// The entries that stand before what is packed.
    fn folders(&mut self) -> Result<(), PackError> {
        let prefix = self.prefix.clone();
        match self.options.form {
            LayerForm::Artifact => self.folder(&prefix),
            LayerForm::Image => prefix
                .match_indices('/')
                .map(|(end, _)| end)
                .chain((!prefix.is_empty()).then_some(prefix.len()))
                .try_for_each(|end| self.folder(&prefix[..end])),
        }
    }

    fn folder(&mut self, name: &str) -> Result<(), PackError> {
        match self.options.form {
            LayerForm::Artifact => self.header(name, EntryKind::Directory),
            LayerForm::Image => self.header(&format!("{name}/"), EntryKind::Directory),
        }
    }

    fn file(&mut self, path: &Path, name: &str) -> Result<(), PackError> {
        // Before it is opened: opening a FIFO would wait for a writer.
        if !fs::metadata(path).map_err(PackError::io(path))?.is_file() {
            return Err(PackError::NotAFile { path: path.to_owned() });
        }
        let file = File::open(path).map_err(PackError::io(path))?;
        let metadata = file.metadata().map_err(PackError::io(path))?;
        self.opened(file, &metadata, path, name)
    }

    fn opened(&mut self, mut file: File, metadata: &Metadata, path: &Path, name: &str) -> Result<(), PackError> {
        if !metadata.is_file() {
            return Err(PackError::NotAFile { path: path.to_owned() });
        }
        let size = metadata.len();
        self.header(name, EntryKind::File { size, executable: mode::is_executable(metadata) })?;
        self.buffer.resize(Self::PIECE, 0);
        let mut left = size;
        loop {
            // Room for more than there should be, so that one call brings a small file and shows that it ends there.
            let count = file.read(&mut self.buffer).map_err(PackError::io(path))?;
            let Some(after) = left.checked_sub(count as u64).filter(|left| count > 0 || *left == 0) else {
                return Err(PackError::Changed { path: path.to_owned() });
            };
            left = after;
            self.writer.write_all(self.buffer.get(..count).unwrap_or_default()).map_err(PackError::Write)?;
            if count == 0 || (left == 0 && count < Self::PIECE) {
                break;
            }
        }
        self.zeros(size.next_multiple_of(BLOCK as u64) - size)
    }

    fn header(&mut self, name: &str, kind: EntryKind<'_>) -> Result<(), PackError> {
        let header = EntryHeader { name, kind, modified: self.options.modified };
        self.entries += 1;
        self.writer.write_all(&header.to_bytes()).map_err(PackError::Write)
    }

    /// Fewer than three blocks.
    fn zeros(&mut self, count: u64) -> Result<(), PackError> {
        const ZEROS: [u8; 2 * BLOCK] = [0; 2 * BLOCK];
        let count = usize::try_from(count).unwrap_or_default();
        self.writer.write_all(ZEROS.get(..count).unwrap_or_default()).map_err(PackError::Write)
    }

    /// Two blocks of zeros and no more: oras takes padding beyond them for other content.
    fn finish(mut self) -> Result<Written<W>, PackError> {
        self.zeros(2 * BLOCK as u64)?;
        self.writer.finish().map_err(PackError::Write)
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::{
        os::unix::{
            fs::{PermissionsExt, symlink},
            net::UnixListener,
        },
        path::PathBuf,
    };

    use tempfile::TempDir;
    use walkdir::WalkDir;

    use super::*;
    use crate::pack::{Compression, LayerContent};

    /// `names` with their contents, made in that order. A `/` at the end: a directory.
    fn tree(names: &[(&str, &str)]) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("somewhere");
        for (name, content) in names {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            if name.ends_with('/') { fs::create_dir_all(path) } else { fs::write(path, content) }.unwrap();
        }
        (folder, root)
    }

    fn details(names: &[(&str, &str)], files: u32, directories: u32) -> (TempDir, PathBuf) {
        let (folder, root) = tree(names);
        symlink("../readme.md", root.join("bin/link")).unwrap();
        for entry in WalkDir::new(&root).contents_first(true) {
            let entry = entry.unwrap();
            let mode = if entry.file_type().is_dir() { directories } else { files };
            if !entry.file_type().is_symlink() {
                fs::set_permissions(entry.path(), fs::Permissions::from_mode(mode)).unwrap();
            }
        }
        fs::set_permissions(root.join("bin/run"), fs::Permissions::from_mode(files | 0o100)).unwrap();
        (folder, root)
    }

    fn bytes(layer: &PackedLayer) -> Vec<u8> {
        match &layer.content {
            LayerContent::Bytes(bytes) => bytes.to_vec(),
            LayerContent::File(path) => fs::read(path).unwrap(),
        }
    }

    fn names(layer: &PackedLayer) -> Vec<String> {
        let bytes = bytes(layer);
        let mut archive = tar::Archive::new(bytes.as_slice());
        archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().to_str().unwrap().to_owned()).collect()
    }

    /// The digest is the one that oras 1.3.3 computes for this tree, with these times.
    #[test]
    fn the_tar_is_the_one_that_oras_makes() {
        let long = format!("ä/{}", "n".repeat(120));
        let names =
            [("readme.md", "hello\n"), ("bin/run", "#!/bin/sh\n"), (&long, "x"), ("bin.txt", "y"), ("bin/", "")];
        let mut reversed = names;
        reversed.reverse();
        let options = LayerOptions { modified: 1_700_000_000, ..LayerOptions::artifact("details") };
        for (names, files, directories) in [(names, 0o644, 0o755), (reversed, 0o664, 0o775), (names, 0o600, 0o700)] {
            let (_folder, root) = details(&names, files, directories);
            let digest = directory_digest(&root, &options).unwrap();
            assert_eq!(digest.to_string(), "sha256:2df7447f78741c64055aafc780d2eaa03f28734b38a2c1fdb1ef3fee4143cd84");
        }
    }

    #[test]
    fn descriptor_and_content_belong_together() {
        let (_folder, root) = tree(&[("a.txt", "hello")]);
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let options = LayerOptions { compression, ..LayerOptions::artifact("d") };
            let layer = pack_directory(&root, &options).unwrap();
            let content = bytes(&layer);
            assert_eq!(layer.descriptor, crate::oci::Descriptor::of(compression.media_type(), &content));
            let mut tar = Vec::new();
            compression.decoder(content.as_slice()).unwrap().read_to_end(&mut tar).unwrap();
            assert_eq!(layer.diff_id, Digest::sha256(&tar));
            assert_eq!(tar.len(), 5 * BLOCK);
            assert_eq!(layer.entries, 2);
            let annotations = serde_json::to_string(&layer.titled("d").annotations).unwrap();
            assert_eq!(
                annotations,
                format!(
                    r#"{{"io.deis.oras.content.digest":"{}","io.deis.oras.content.unpack":"true","org.opencontainers.image.title":"d"}}"#,
                    layer.diff_id
                )
            );
        }
    }

    #[test]
    fn a_large_layer_is_a_file_that_goes_away() {
        let noise = "noise".repeat(300_000);
        let (folder, root) = tree(&[("noise", &noise)]);
        let temporary = Some(folder.path().to_owned());
        let options = LayerOptions { temporary, compression: Compression::None, ..LayerOptions::artifact("d") };
        let layer = pack_directory(&root, &options).unwrap();
        let LayerContent::File(path) = &layer.content else { panic!("in memory") };
        assert_eq!(path.parent(), Some(folder.path()));
        let path = path.to_path_buf();
        assert_eq!(layer.descriptor.digest, Digest::sha256(&fs::read(&path).unwrap()));
        drop(layer);
        assert!(!path.exists());
    }

    #[test]
    fn an_image_layer_begins_with_the_folders_above() {
        let (_folder, root) = tree(&[("b", ""), ("a/c", "")]);
        let image = |at| LayerOptions { compression: Compression::None, ..LayerOptions::image(at) };
        let layer = pack_directory(&root, &image("/usr/app")).unwrap();
        assert_eq!(names(&layer), ["usr/", "usr/app/", "usr/app/a/", "usr/app/a/c", "usr/app/b"]);
        assert_eq!(names(&pack_directory(&root, &image("/")).unwrap()), ["a/", "a/c", "b"]);
        assert_eq!(names(&pack_file_layer(&root.join("a/c"), &image("/usr")).unwrap()), ["usr/", "usr/c"]);
        assert_eq!(names(&pack_file_layer(&root.join("a/c"), &image("/")).unwrap()), ["c"]);
    }

    #[test]
    fn what_a_layer_cannot_hold_is_an_error() {
        let options = LayerOptions::artifact("d");
        for target in ["../outside", "/etc/passwd", "a/../b", "sub/../../x"] {
            let (_folder, root) = tree(&[("a", "")]);
            symlink(target, root.join("link")).unwrap();
            let error = pack_directory(&root, &options).unwrap_err();
            let PackError::LinkOutside { path, target: found } = error else { panic!("{error}") };
            assert_eq!((path, found), (root.join("link"), PathBuf::from(target)));
        }
        let (_folder, root) = tree(&[("a", "")]);
        let _socket = UnixListener::bind(root.join("socket")).unwrap();
        assert!(
            matches!(pack_directory(&root, &options), Err(PackError::FileType { path }) if path.ends_with("socket"))
        );
        assert!(matches!(pack_directory(&root.join("a"), &options), Err(PackError::NotADirectory { .. })));
        assert!(matches!(pack_directory(&root.join("none"), &options), Err(PackError::NotFound { .. })));
        assert!(matches!(pack_file_layer(&root, &LayerOptions::image("/")), Err(PackError::NotAFile { .. })));
        for title in ["", "../d", "/d", "a/../.."] {
            let options = LayerOptions::artifact(title);
            assert!(matches!(pack_directory(&root, &options), Err(PackError::Title { .. })), "{title}");
        }
    }
}
