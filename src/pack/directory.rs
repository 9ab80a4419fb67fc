//! Walks files and writes them as a tar, in one order and with nothing of the machine in it.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
};

use walkdir::WalkDir;

use super::{
    LayerForm, LayerOptions, PackError, PackedLayer, check_title,
    header::{BLOCK, EntryHeader, EntryKind},
    layer_writer::{LayerWriter, Written},
    link, mode,
    spool::Spool,
};
use crate::oci::Digest;

/// A directory as one layer: its files, directories and symbolic links, in the order of their names.
///
/// Of the mode only the executable bit is kept, of owners and times nothing. Files with several hard links are stored
/// as often as they are found.
pub fn pack_directory(directory: &Path, options: &LayerOptions) -> Result<PackedLayer, PackError> {
    pack(options, |archive| archive.directory(directory))
}

/// The digest of the tar that [`pack_directory`] would make, without compressing it.
pub fn directory_digest(directory: &Path, options: &LayerOptions) -> Result<Digest, PackError> {
    let mut archive = Archive::new(options, LayerWriter::digest_only())?;
    archive.directory(directory)?;
    archive.finish().map(|(written, _)| written.diff_id)
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
    fill: impl FnOnce(&mut Archive<'_>) -> Result<(), PackError>,
) -> Result<PackedLayer, PackError> {
    let spool = Spool::new(options.temporary.clone());
    let writer = LayerWriter::new(options.compression, spool).map_err(PackError::Write)?;
    let mut archive = Archive::new(options, writer)?;
    fill(&mut archive)?;
    let (Written { diff_id, layer }, entries) = archive.finish()?;
    let (descriptor, content) = layer.ok_or_else(|| PackError::Write(io::ErrorKind::UnexpectedEof.into()))?;
    Ok(PackedLayer { descriptor, diff_id, content, entries })
}

/// A tar in the making.
struct Archive<'a> {
    options: &'a LayerOptions,
    prefix: String,
    writer: LayerWriter,
    buffer: Vec<u8>,
    entries: usize,
}

impl<'a> Archive<'a> {
    /// How much of a file is read at a time, in bytes.
    const PIECE: usize = 256 * 1024;

    fn new(options: &'a LayerOptions, writer: LayerWriter) -> Result<Self, PackError> {
        let prefix = if options.prefix.is_empty() && options.form == LayerForm::Image {
            String::new()
        } else {
            // As the system writes it, on Windows that is with backslashes.
            check_title(&options.prefix)?.to_string_lossy().replace('\\', "/")
        };
        Ok(Self { options, prefix, writer, buffer: Vec::new(), entries: 0 })
    }

    /// A directory and what is in it.
    fn directory(&mut self, directory: &Path) -> Result<(), PackError> {
        if !fs::metadata(directory).map_err(PackError::io(directory))?.is_dir() {
            return Err(PackError::NotADirectory { path: directory.to_owned() });
        }
        self.folders()?;
        for entry in WalkDir::new(directory).min_depth(1).sort_by_file_name() {
            let entry = entry.map_err(|error| {
                let path = error.path().unwrap_or(directory).to_owned();
                PackError::io(path)(error.into_io_error().unwrap_or_else(|| io::ErrorKind::Other.into()))
            })?;
            let path = entry.path();
            let relative = relative_name(directory, path)?;
            let name = self.name(&relative);
            let kind = entry.file_type();
            if kind.is_dir() {
                self.folder(&name)?;
            } else if kind.is_symlink() {
                self.symlink(path, &name, entry.depth().saturating_sub(1))?;
            } else if kind.is_file() {
                self.file(path, &name)?;
            } else {
                return Err(PackError::FileType { path: path.to_owned() });
            }
        }
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

    fn symlink(&mut self, path: &Path, name: &str, depth: usize) -> Result<(), PackError> {
        let target = fs::read_link(path).map_err(PackError::io(path))?;
        match target.to_str() {
            Some(target) if link::stays_inside(depth, target) => self.header(name, EntryKind::Symlink { target }),
            _ => Err(PackError::LinkOutside { path: path.to_owned(), target }),
        }
    }

    fn file(&mut self, path: &Path, name: &str) -> Result<(), PackError> {
        // Before it is opened: opening a FIFO would wait for a writer.
        if !fs::metadata(path).map_err(PackError::io(path))?.is_file() {
            return Err(PackError::NotAFile { path: path.to_owned() });
        }
        let mut file = File::open(path).map_err(PackError::io(path))?;
        let metadata = file.metadata().map_err(PackError::io(path))?;
        let size = metadata.len();
        self.header(name, EntryKind::File { size, executable: mode::is_executable(&metadata) })?;
        self.buffer.resize(Self::PIECE, 0);
        let mut left = size;
        loop {
            let count = file.read(&mut self.buffer).map_err(PackError::io(path))?;
            let Some(after) = left.checked_sub(count as u64).filter(|left| count > 0 || *left == 0) else {
                return Err(PackError::Changed { path: path.to_owned() });
            };
            if count == 0 {
                break;
            }
            left = after;
            self.writer.write_all(self.buffer.get(..count).unwrap_or_default()).map_err(PackError::Write)?;
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
        io::copy(&mut io::repeat(0).take(count), &mut self.writer).map(drop).map_err(PackError::Write)
    }

    /// Two blocks of zeros and no more: oras takes padding beyond them for other content.
    fn finish(mut self) -> Result<(Written, usize), PackError> {
        self.zeros(2 * BLOCK as u64)?;
        Ok((self.writer.finish().map_err(PackError::Write)?, self.entries))
    }
}

/// The path below `directory`, with `/` between its parts.
fn relative_name(directory: &Path, path: &Path) -> Result<String, PackError> {
    let mut name = String::new();
    for part in path.strip_prefix(directory).unwrap_or(path) {
        let part = part.to_str().ok_or_else(|| PackError::NotUnicode { path: path.to_owned() })?;
        if !name.is_empty() {
            name.push('/');
        }
        name.push_str(part);
    }
    Ok(name)
}
