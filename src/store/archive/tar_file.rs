//! A tar archive that is read at any place: which files it has, and where their bytes are. Everything here blocks.
//!
//! Nothing is unpacked, so that no name in it can lead anywhere; every length is bounded before it is read.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use tar::{EntryType, Header, PaxExtensions};

use super::stamp::Stamp;
use crate::store::StoreError;

/// An archive and its table of contents.
#[derive(Debug)]
pub(super) struct TarFile {
    path: PathBuf,
    file: File,
    stamp: Stamp,
    entries: HashMap<String, Entry>,
}

/// Where something is.
#[derive(Debug, Clone)]
enum Entry {
    File {
        offset: u64,
        size: u64,
    },
    /// Another name for it, from the root of the archive.
    Link(String),
}

/// The bytes of one file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    pub(super) offset: u64,
    pub(super) size: u64,
}

/// What a header has, and what everything is padded to.
const HEADER: usize = 512;
const BLOCK: u64 = HEADER as u64;
/// How many files an archive may have.
const ENTRIES: usize = 1_000_000;
/// How long a name with its attributes may be.
const EXTENSION: u64 = 64 * 1024;
/// How long all names together may be.
const NAMES: usize = 256 * 1024 * 1024;
/// How often one name may lead to another.
const LINKS: usize = 8;

impl TarFile {
    /// Reads the headers. `None`: there is no such file.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        let fail = |source| StoreError::Io { path: path.to_owned(), source };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(fail(error)),
        };
        let metadata = file.metadata().map_err(fail)?;
        if !metadata.is_file() {
            return Err(wrong(path, "it is no file: an archive is one"));
        }
        let stamp = Stamp::of(&metadata);
        let mut table = Table { path, reader: BufReader::new(file.try_clone().map_err(fail)?), size: metadata.len() };
        let entries = table.read()?;
        Ok(Some(Self { path: path.to_owned(), file, stamp, entries }))
    }

    /// What tells the file from another one.
    pub(super) const fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Every name in it that is a file.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, Extent)> {
        self.entries.iter().filter_map(|(name, entry)| match entry {
            Entry::File { offset, size } => Some((name.as_str(), Extent { offset: *offset, size: *size })),
            Entry::Link(_) => None,
        })
    }

    /// Where the file of that name is, also under another name.
    pub(super) fn find(&self, name: &str) -> Option<Extent> {
        let mut name = normal(name)?;
        for _ in 0..LINKS {
            match self.entries.get(&name)? {
                Entry::File { offset, size } => return Some(Extent { offset: *offset, size: *size }),
                Entry::Link(other) => name.clone_from(other),
            }
        }
        None
    }

    /// The whole file, if it has at most `limit` bytes.
    pub(super) fn read(&self, name: &str, limit: u64) -> Result<Option<Bytes>, StoreError> {
        let Some(extent) = self.find(name) else { return Ok(None) };
        if extent.size > limit {
            let message = format!("`{name}` in it has {} bytes; at most {limit} are read", extent.size);
            return Err(wrong(&self.path, message));
        }
        let length = usize::try_from(extent.size).map_err(|_| wrong(&self.path, "it is too large for this machine"))?;
        self.piece(extent, 0, length).map(Some)
    }

    /// `length` bytes of a file behind its first `at`, or as many as there are.
    pub(super) fn piece(&self, extent: Extent, at: u64, length: usize) -> Result<Bytes, StoreError> {
        let length = extent.size.saturating_sub(at).min(length as u64);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        let fail = |source| StoreError::Io { path: self.path.clone(), source };
        read_at(&self.file, &mut bytes, extent.offset + at).map_err(fail)?;
        Ok(bytes.into())
    }
}

/// Reads where the file is, without moving where others read.
#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(windows)]
fn read_at(file: &File, mut bytes: &mut [u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, at)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                bytes = bytes.split_at_mut(read).1;
                at += read as u64;
            }
        }
    }
    Ok(())
}

/// Reads headers one after the other.
struct Table<'a> {
    path: &'a Path,
    reader: BufReader<File>,
    size: u64,
}

/// What a header before the real one said of it.
#[derive(Default)]
struct Said {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

impl Table<'_> {
    fn read(&mut self) -> Result<HashMap<String, Entry>, StoreError> {
        let mut entries = HashMap::new();
        let mut said = Said::default();
        let mut at = 0;
        let mut names = 0;
        let mut block = [0; HEADER];
        loop {
            if self.size - at < BLOCK {
                // Some tools end without the two empty blocks; one that ends before its first header is none.
                return if at == 0 { Err(self.no_tar()) } else { Ok(entries) };
            }
            self.fill(&mut block)?;
            if at == 0 {
                self.check_magic(&block)?;
            }
            at += BLOCK;
            if block.iter().all(|byte| *byte == 0) {
                return Ok(entries);
            }
            let header = Header::from_byte_slice(&block);
            self.check_sum(header, &block)?;
            let size = said.size.map_or_else(|| header.entry_size(), Ok).map_err(|_| self.no_tar())?;
            let kind = header.entry_type();
            let content = if has_content(kind) { size } else { 0 };
            let end = content.checked_next_multiple_of(BLOCK).and_then(|padded| at.checked_add(padded));
            let end = end.filter(|_| at.checked_add(content).is_some_and(|end| end <= self.size));
            let end = end.ok_or_else(|| wrong(self.path, "it is cut off"))?;
            match kind {
                EntryType::GNULongName => said.name = Some(self.extension(size)?),
                EntryType::GNULongLink => said.link = Some(self.extension(size)?),
                EntryType::XHeader => self.pax(size, &mut said)?,
                _ => {
                    let said = std::mem::take(&mut said);
                    let name = said.name.unwrap_or_else(|| header.path_bytes().into_owned());
                    let link = said.link.or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned));
                    if let Some((name, entry)) = entry(kind, &name, link.as_deref(), at, size) {
                        names += name.len();
                        entries.insert(name, entry);
                    }
                    if names > NAMES || entries.len() > ENTRIES {
                        return Err(wrong(self.path, format!("it has more than {ENTRIES} files")));
                    }
                }
            }
            at = end.min(self.size);
            self.reader.seek(SeekFrom::Start(at)).map_err(|source| self.fail(source))?;
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), StoreError> {
        self.reader.read_exact(bytes).map_err(|source| StoreError::Io { path: self.path.to_owned(), source })
    }

    fn extension(&mut self, size: u64) -> Result<Vec<u8>, StoreError> {
        if size > EXTENSION {
            return Err(wrong(self.path, format!("a name in it has more than {EXTENSION} bytes")));
        }
        let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
        self.fill(&mut bytes)?;
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        Ok(bytes)
    }

    fn pax(&mut self, size: u64, said: &mut Said) -> Result<(), StoreError> {
        let bytes = self.extension(size)?;
        for extension in PaxExtensions::new(&bytes) {
            let extension = extension.map_err(|_| self.no_tar())?;
            match extension.key_bytes() {
                b"path" => said.name = Some(extension.value_bytes().to_vec()),
                b"linkpath" => said.link = Some(extension.value_bytes().to_vec()),
                b"size" => said.size = extension.value().ok().and_then(|size| size.parse().ok()),
                _ => {}
            }
        }
        Ok(())
    }

    fn check_magic(&self, block: &[u8]) -> Result<(), StoreError> {
        let packed: [(&[u8], &str); 4] = [
            (&[0x1f, 0x8b], "gunzip"),
            (&[0x28, 0xb5, 0x2f, 0xfd], "unzstd"),
            (b"BZh", "bunzip2"),
            (b"\xfd7zXZ", "unxz"),
        ];
        let found = packed.into_iter().find(|(magic, _)| block.starts_with(magic));
        match found {
            Some((_, program)) => Err(wrong(self.path, format!("it is compressed: unpack it first, with `{program}`"))),
            None => Ok(()),
        }
    }

    fn check_sum(&self, header: &Header, block: &[u8; HEADER]) -> Result<(), StoreError> {
        // The sum itself counts as eight spaces.
        let outside = block.iter().enumerate().filter(|(at, _)| !(148..156).contains(at));
        let sum = outside.map(|(_, byte)| u32::from(*byte)).sum::<u32>() + 8 * u32::from(b' ');
        if header.cksum().is_ok_and(|claimed| claimed == sum) { Ok(()) } else { Err(self.no_tar()) }
    }

    fn no_tar(&self) -> StoreError {
        wrong(self.path, "it is no tar archive")
    }

    fn fail(&self, source: io::Error) -> StoreError {
        StoreError::Io { path: self.path.to_owned(), source }
    }
}

const fn has_content(kind: EntryType) -> bool {
    !matches!(
        kind,
        EntryType::Link
            | EntryType::Symlink
            | EntryType::Char
            | EntryType::Block
            | EntryType::Directory
            | EntryType::Fifo
    )
}

fn entry(kind: EntryType, name: &[u8], link: Option<&[u8]>, offset: u64, size: u64) -> Option<(String, Entry)> {
    let name = normal(std::str::from_utf8(name).ok()?)?;
    let link = || link.and_then(|link| std::str::from_utf8(link).ok());
    let entry = match kind {
        EntryType::Regular | EntryType::Continuous => Entry::File { offset, size },
        EntryType::Link => Entry::Link(normal(link()?)?),
        EntryType::Symlink => {
            // From the folder that the link is in.
            let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
            Entry::Link(normal(&format!("{folder}/{}", link()?))?)
        }
        _ => return None,
    };
    Some((name, entry))
}

/// A name without `.` and `..`; nothing where it leads out of the archive.
fn normal(name: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

pub(super) fn wrong(path: &Path, message: impl Into<String>) -> StoreError {
    StoreError::Layout { path: path.to_owned(), message: message.into() }
}
