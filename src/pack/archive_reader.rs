//! Reads a tar entry by entry, from a stream that may be anything: every length is bounded before it is believed.
//!
//! ustar, PAX and GNU's long names are read. Sparse files are refused: taken for plain ones they would come out wrong.

use std::io::Read;

use tar::{EntryType, Header};

use super::{ArchiveFault, EntryFault, Limits, PackError, header::BLOCK, read_ahead::ReadAhead};
use crate::oci::Digest;

/// One entry.
#[derive(Debug)]
pub(super) struct Member {
    /// As the archive has it.
    pub(super) name: String,
    pub(super) kind: MemberKind,
}

/// What an entry is.
#[derive(Debug)]
pub(super) enum MemberKind {
    /// A file, whose bytes can be read until the next entry is asked for.
    File { size: u64, mode: u32 },
    /// A directory.
    Directory { mode: u32 },
    /// A symbolic link.
    Symlink { target: String },
    /// Another name of a file.
    HardLink { target: String },
    /// A FIFO or a device.
    Device,
}

/// A tar archive that is being read.
pub(super) struct ArchiveReader {
    reader: ReadAhead,
    limits: Limits,
    bytes: u64,
    entries: u64,
    /// What is left of the entry's content.
    content: u64,
    /// What follows the content up to the next block.
    padding: u64,
}

/// What extended headers say about the entry after them.
#[derive(Default)]
struct Extended {
    name: Option<String>,
    target: Option<String>,
    size: Option<u64>,
    sparse: bool,
}

impl ArchiveReader {
    /// No name is so long that its extended header needs more, in bytes.
    const EXTENSION: u64 = 1024 * 1024;

    pub(super) const fn new(reader: ReadAhead, limits: Limits) -> Self {
        Self { reader, limits, bytes: 0, entries: 0, content: 0, padding: 0 }
    }

    /// The next entry.
    pub(super) fn next(&mut self) -> Result<Option<Member>, PackError> {
        let mut extended = Extended::default();
        loop {
            self.skip_content()?;
            let mut header = Header::new_old();
            match self.fill(header.as_mut_bytes())? {
                0 => return Ok(None),
                BLOCK => {}
                _ => return Err(ArchiveFault::CutOff.into()),
            }
            if header.as_bytes().iter().all(|byte| *byte == 0) {
                return Ok(None);
            }
            check_sum(&header)?;
            self.entries += 1;
            if self.entries > self.limits.entries {
                return Err(PackError::TooManyEntries { limit: self.limits.entries });
            }
            match header.entry_type() {
                EntryType::XHeader => extended.read_records(&self.extension(&header)?)?,
                EntryType::GNULongName => extended.name = Some(text(until_nul(&self.extension(&header)?))?),
                EntryType::GNULongLink => extended.target = Some(text(until_nul(&self.extension(&header)?))?),
                // What holds for the whole archive is free text in every archive that is found.
                EntryType::XGlobalHeader => self.expect_content(size(&header)?)?,
                kind => return self.member(kind, &header, extended).map(Some),
            }
        }
    }

    /// Reads the entry's content. 0: that was all.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, PackError> {
        let length = usize::try_from(self.content).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = self.read_some(buffer.get_mut(..length).unwrap_or_default())?;
        if count == 0 && length > 0 {
            return Err(ArchiveFault::CutOff.into());
        }
        self.content -= count as u64;
        Ok(count)
    }

    /// Reads what is behind the last entry, however much padding there is. The digest of the whole stream.
    pub(super) fn finish(mut self) -> Result<(Digest, u64), PackError> {
        let mut buffer = vec![0; 64 * 1024];
        while self.read_some(&mut buffer)? > 0 {}
        // It was read to its end.
        let digest = self.reader.digest().ok_or(ArchiveFault::CutOff)?;
        Ok((digest, self.bytes))
    }

    fn member(&mut self, kind: EntryType, header: &Header, extended: Extended) -> Result<Member, PackError> {
        let name = match extended.name {
            Some(name) => name,
            None => text(&header.path_bytes())?,
        };
        let fail = |fault| PackError::Entry { name: name.clone(), fault };
        if name.len() > self.limits.name {
            return Err(fail(EntryFault::TooLong { length: name.len(), limit: self.limits.name }));
        }
        if extended.sparse {
            return Err(fail(EntryFault::Sparse));
        }
        let target = match extended.target {
            Some(target) => target,
            None => text(&header.link_name_bytes().unwrap_or_default())?,
        };
        // A mode that is no number is none: what is created is its owner's to read in any case.
        let mode = header.mode().unwrap_or_default();
        let kind = match kind {
            // Archives from before ustar mark directories so.
            EntryType::Regular | EntryType::Continuous if name.ends_with('/') => {
                self.expect_content(extended.size.map_or_else(|| size(header), Ok)?)?;
                MemberKind::Directory { mode }
            }
            EntryType::Regular | EntryType::Continuous => {
                let size = extended.size.map_or_else(|| size(header), Ok)?;
                self.expect_content(size)?;
                MemberKind::File { size, mode }
            }
            EntryType::Directory => MemberKind::Directory { mode },
            EntryType::Symlink => MemberKind::Symlink { target },
            EntryType::Link => MemberKind::HardLink { target },
            EntryType::Fifo | EntryType::Char | EntryType::Block => MemberKind::Device,
            EntryType::GNUSparse => return Err(fail(EntryFault::Sparse)),
            other => return Err(fail(EntryFault::Kind { kind: char::from(other.as_byte()) })),
        };
        Ok(Member { name, kind })
    }

    /// What follows the header is content of so many bytes, and zeros up to the next block.
    fn expect_content(&mut self, size: u64) -> Result<(), PackError> {
        if size > self.limits.bytes.saturating_sub(self.bytes) {
            return Err(PackError::TooManyBytes { limit: self.limits.bytes });
        }
        self.content = size;
        self.padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
        Ok(())
    }

    fn skip_content(&mut self) -> Result<(), PackError> {
        let mut buffer = [0; 8 * 1024];
        self.content += std::mem::take(&mut self.padding);
        while self.read(&mut buffer)? > 0 {}
        Ok(())
    }

    /// The content of an extended header, whole.
    fn extension(&mut self, header: &Header) -> Result<Vec<u8>, PackError> {
        let size = size(header)?;
        if size > Self::EXTENSION {
            return Err(ArchiveFault::LongExtension.into());
        }
        self.expect_content(size)?;
        let mut content = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let count = self.read(&mut buffer)?;
            if count == 0 {
                return Ok(content);
            }
            content.extend_from_slice(buffer.get(..count).unwrap_or_default());
        }
    }

    /// Reads until the buffer is full or the stream ends.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, PackError> {
        let mut filled = 0;
        loop {
            let count = self.read_some(buffer.get_mut(filled..).unwrap_or_default())?;
            if count == 0 {
                return Ok(filled);
            }
            filled += count;
        }
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize, PackError> {
        let count = self.reader.read(buffer).map_err(PackError::Read)?;
        self.bytes += count as u64;
        if self.bytes > self.limits.bytes {
            return Err(PackError::TooManyBytes { limit: self.limits.bytes });
        }
        Ok(count)
    }
}

impl Extended {
    /// Takes the records `LENGTH KEY=VALUE\n`.
    fn read_records(&mut self, mut rest: &[u8]) -> Result<(), ArchiveFault> {
        while !rest.is_empty() {
            let (key, value, after) = split_record(rest).ok_or(ArchiveFault::Extension)?;
            match key {
                b"path" => self.name = Some(text(value)?),
                b"linkpath" => self.target = Some(text(value)?),
                b"size" => {
                    let size = str::from_utf8(value).ok().and_then(|size| size.parse().ok());
                    self.size = Some(size.ok_or(ArchiveFault::Size)?);
                }
                _ if key.starts_with(b"GNU.sparse.") => self.sparse = true,
                _ => {}
            }
            rest = after;
        }
        Ok(())
    }
}

fn split_record(records: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = records.iter().position(|byte| *byte == b' ')?;
    let length: usize = str::from_utf8(records.get(..space)?).ok()?.parse().ok()?;
    let (record, after) = records.split_at_checked(length)?;
    let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some((record.get(..equals)?, record.get(equals + 1..)?, after))
}

/// The sum of all bytes, the checksum itself taken as spaces.
fn check_sum(header: &Header) -> Result<(), ArchiveFault> {
    let bytes = header.as_bytes().iter().enumerate();
    let sum = bytes.map(|(index, byte)| if (148..156).contains(&index) { 32 } else { u32::from(*byte) }).sum::<u32>();
    if header.cksum().is_ok_and(|stated| stated == sum) { Ok(()) } else { Err(ArchiveFault::Checksum) }
}

fn size(header: &Header) -> Result<u64, ArchiveFault> {
    header.entry_size().map_err(|_| ArchiveFault::Size)
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn text(bytes: &[u8]) -> Result<String, ArchiveFault> {
    String::from_utf8(bytes.to_vec()).map_err(|_| ArchiveFault::NotUnicode)
}
