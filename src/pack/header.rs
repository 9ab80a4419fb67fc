//! The headers of a tar archive as Go's `archive/tar` writes them, byte for byte: ustar, and PAX only where ustar
//! cannot say it.
//!
//! <https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_06>

use std::fmt::Write as _;

/// The unit of a tar archive, in bytes.
pub(super) const BLOCK: usize = 512;
/// The field of the header that holds a name, in bytes.
const NAME: usize = 100;
/// The field that holds what of the name does not fit, in bytes.
const PREFIX: usize = 155;
/// The first number that 11 octal digits do not hold.
const OCTAL_LIMIT: u64 = 1 << 33;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind<'a> {
    /// A file of `size` bytes.
    File { size: u64, executable: bool },
    /// A directory.
    Directory,
    /// A symbolic link to `target`.
    Symlink { target: &'a str },
}

/// One entry's header.
#[derive(Debug, Clone, Copy)]
pub(super) struct EntryHeader<'a> {
    pub(super) name: &'a str,
    pub(super) kind: EntryKind<'a>,
    /// Seconds since 1970.
    pub(super) modified: u64,
}

impl EntryHeader<'_> {
    /// The blocks, one or three and more.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let (flag, mode, size, target) = match self.kind {
            EntryKind::File { size, executable } => (b'0', super::mode::normal(executable), size, ""),
            EntryKind::Directory => (b'5', 0o755, 0, ""),
            EntryKind::Symlink { target } => (b'2', 0o777, 0, target),
        };
        let split = split(self.name);
        let name_fits = split.is_some() || (self.name.len() <= NAME && self.name.is_ascii());
        let target_fits = target.len() <= NAME && target.is_ascii();
        let needs_pax = !name_fits || !target_fits || size >= OCTAL_LIMIT || self.modified >= OCTAL_LIMIT;

        let mut bytes = Vec::with_capacity(BLOCK);
        if needs_pax {
            // By key, and every one that a plain field cannot hold on its own, as Go has it.
            let mut records = String::new();
            if !target_fits {
                record(&mut records, "linkpath", target);
            }
            if self.modified >= OCTAL_LIMIT {
                record(&mut records, "mtime", &self.modified.to_string());
            }
            if self.name.len() > NAME || !self.name.is_ascii() {
                record(&mut records, "path", self.name);
            }
            if size >= OCTAL_LIMIT {
                record(&mut records, "size", &size.to_string());
            }
            let mut extended = Block::new(b'x', 0, records.len() as u64, 0);
            let name = extended_name(self.name);
            extended.text(0, NAME, name.get(..NAME).unwrap_or(&name).trim_end_matches('/'));
            bytes.extend_from_slice(&extended.finish());
            bytes.extend_from_slice(records.as_bytes());
            bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        }
        let mut block = Block::new(flag, mode, size, self.modified);
        match split {
            Some((prefix, rest)) if !needs_pax => {
                block.text(0, NAME, rest);
                block.text(345, PREFIX, prefix);
            }
            _ => block.text(0, NAME, &ascii(self.name)),
        }
        block.text(157, NAME, &ascii(target));
        bytes.extend_from_slice(&block.finish());
        bytes
    }
}

/// One header block in the making.
struct Block([u8; BLOCK]);

impl Block {
    fn new(flag: u8, mode: u32, size: u64, modified: u64) -> Self {
        let mut block = Self([0; BLOCK]);
        block.octal(100, 8, u64::from(mode));
        block.octal(108, 8, 0);
        block.octal(116, 8, 0);
        block.octal(124, 12, size);
        block.octal(136, 12, modified);
        block.0[156] = flag;
        block.0[257..265].copy_from_slice(b"ustar\x0000");
        // Go gives device numbers to every entry, and none to the extended header of one.
        if flag != b'x' {
            block.octal(329, 8, 0);
            block.octal(337, 8, 0);
        }
        block
    }

    /// Text, cut where the field ends. A cut name of a file must not end with a slash: some readers take that for a
    /// directory.
    fn text(&mut self, offset: usize, length: usize, text: &str) {
        let cut = match text.as_bytes().get(..length) {
            Some(cut) if text.len() > length => cut.trim_suffix_slashes(),
            _ => text.as_bytes(),
        };
        self.0[offset..offset + cut.len()].copy_from_slice(cut);
    }

    /// Octal digits and a NUL; zero where they do not fit and a PAX record says it.
    fn octal(&mut self, offset: usize, length: usize, number: u64) {
        let digits = format!("{number:0width$o}", width = length - 1);
        let digits = if digits.len() < length { digits } else { "0".repeat(length - 1) };
        self.0[offset..offset + digits.len()].copy_from_slice(digits.as_bytes());
    }

    fn finish(mut self) -> [u8; BLOCK] {
        self.0[148..156].fill(b' ');
        let sum: u64 = self.0.iter().map(|byte| u64::from(*byte)).sum();
        self.octal(148, 7, sum);
        self.0[154] = 0;
        self.0
    }
}

trait TrimSlashes {
    fn trim_suffix_slashes(&self) -> &Self;
}

impl TrimSlashes for [u8] {
    fn trim_suffix_slashes(&self) -> &Self {
        let end = self.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
        &self[..end]
    }
}

/// A long name as the prefix and the rest that ustar has room for.
fn split(name: &str) -> Option<(&str, &str)> {
    if name.len() <= NAME || !name.is_ascii() {
        return None;
    }
    let end = if name.len() > PREFIX + 1 {
        PREFIX + 1
    } else if name.ends_with('/') {
        name.len() - 1
    } else {
        name.len()
    };
    let slash = name[..end].rfind('/').filter(|slash| *slash > 0)?;
    let (prefix, rest) = (&name[..slash], &name[slash + 1..]);
    (!rest.is_empty() && rest.len() <= NAME && prefix.len() <= PREFIX).then_some((prefix, rest))
}

/// The name of the extended header of an entry, ASCII.
fn extended_name(name: &str) -> String {
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    let mut extended = String::new();
    for part in folder.split('/').chain(["PaxHeaders.0", file]).filter(|part| !part.is_empty()) {
        if !extended.is_empty() {
            extended.push('/');
        }
        extended.push_str(part);
    }
    ascii(&extended)
}

fn ascii(text: &str) -> String {
    text.chars().filter(char::is_ascii).collect()
}

/// `LENGTH KEY=VALUE\n`, where the length counts its own digits.
fn record(records: &mut String, key: &str, value: &str) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + rest.to_string().len();
    length = rest + length.to_string().len();
    // Writing to a string cannot fail.
    let _ = writeln!(records, "{length} {key}={value}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Digest;

    fn file(name: &str) -> Vec<u8> {
        EntryHeader { name, kind: EntryKind::File { size: 5, executable: false }, modified: 0 }.to_bytes()
    }

    #[test]
    fn a_header_is_what_go_writes() {
        let bytes = file("dir/a.txt");
        assert_eq!(bytes.len(), BLOCK);
        assert_eq!(&bytes[..10], b"dir/a.txt\0");
        assert_eq!(&bytes[100..124], b"0000644\x000000000\x000000000\0");
        assert_eq!(&bytes[124..148], b"00000000005\x0000000000000\0");
        assert_eq!(&bytes[156..158], b"0\0");
        assert_eq!(&bytes[257..265], b"ustar\x0000");
        assert_eq!(&bytes[265..329], [0; 64]);
        assert_eq!(&bytes[329..345], b"0000000\x000000000\0");
        let sum: u32 = bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>()
            - bytes[148..156].iter().map(|byte| u32::from(*byte)).sum::<u32>()
            + 8 * 32;
        assert_eq!(&bytes[148..156], format!("{sum:06o}\0 ").as_bytes());
    }

    #[test]
    fn long_names_are_split_before_they_are_extended() {
        let name = format!("{}/{}", "d".repeat(90), "f".repeat(60));
        let bytes = file(&name);
        assert_eq!(bytes.len(), BLOCK);
        assert_eq!(&bytes[..61], format!("{}\0", "f".repeat(60)).as_bytes());
        assert_eq!(&bytes[345..436], format!("{}\0", "d".repeat(90)).as_bytes());
    }

    #[test]
    fn what_ustar_cannot_say_is_extended() {
        let bytes = file("dir/é.txt");
        assert_eq!(bytes.len(), 3 * BLOCK);
        assert_eq!(&bytes[..22], b"dir/PaxHeaders.0/.txt\0");
        assert_eq!(bytes[156], b'x');
        assert_eq!(&bytes[BLOCK..BLOCK + 20], "19 path=dir/é.txt\n\0".as_bytes());
        assert_eq!(&bytes[2 * BLOCK..2 * BLOCK + 9], b"dir/.txt\0");

        let big = EntryHeader { name: "a", kind: EntryKind::File { size: 1 << 33, executable: true }, modified: 0 };
        let bytes = big.to_bytes();
        assert_eq!(&bytes[BLOCK..BLOCK + 20], b"19 size=8589934592\n\0");
        assert_eq!(&bytes[2 * BLOCK + 124..2 * BLOCK + 136], b"00000000000\0");
    }

    #[test]
    fn a_record_counts_its_own_length() {
        for length in [1, 5, 90, 91, 92, 93, 989, 990, 991, 992] {
            let mut text = String::new();
            record(&mut text, "path", &"x".repeat(length));
            let (count, _) = text.split_once(' ').unwrap();
            assert_eq!(count.parse::<usize>().unwrap(), text.len());
        }
    }

    #[test]
    fn extended_headers_do_not_change_between_releases() {
        let name = "n".repeat(300);
        let link = EntryHeader { name: &name, kind: EntryKind::Symlink { target: &name }, modified: 1 };
        assert_eq!(Digest::sha256(&link.to_bytes()).short(), "77dffe36ec4e");
    }
}
