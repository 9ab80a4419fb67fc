use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
};

use super::{
    Compression, EntryFault, Limits, PackError,
    archive_reader::{ArchiveReader, Member, MemberKind},
    check_title, link,
    read_ahead::ReadAhead,
    title::relative,
    tree::Tree,
};
use crate::oci::{Algorithm, Digest};

/// How an archive is unpacked.
#[derive(Debug, Clone, Default)]
pub struct UnpackOptions {
    /// The title of a layer that oras made: every entry must lie in the directory of that name, which is left out of
    /// the paths that are written.
    pub strip_title: Option<String>,
    /// The digest that the uncompressed archive must have.
    pub expected: Option<Digest>,
    /// When to give up.
    pub limits: Limits,
}

/// What came out of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// Files and links, relative to the directory, in the order of the archive.
    pub files: Vec<PathBuf>,
    /// The names of FIFOs and devices, which are left out as oras leaves them out.
    pub skipped: Vec<String>,
    /// The digest of the uncompressed archive, all of it: what is behind its end counts.
    pub diff_id: Digest,
    /// The length of the uncompressed archive in bytes.
    pub size: u64,
}

/// Unpacks an archive into a directory that is there, and that is best thrown away if this fails.
///
/// Files, directories, symbolic links that stay inside, and hard links to files that came before (named from the root
/// of the archive, as tar has it) come out. An absolute name, a `..`, a symbolic link in the path of an entry, and a
/// second entry of one name are errors. Of modes, the bits of `0755` are kept, minus the umask; owners and times are not.
pub fn unpack(
    reader: impl Read + Send,
    compression: Compression,
    directory: &Path,
    options: &UnpackOptions,
) -> Result<Unpacked, PackError> {
    let title = options.strip_title.as_deref().map(check_title).transpose()?;
    let algorithm = options.expected.as_ref().map_or(Algorithm::Sha256, Digest::algorithm);
    ReadAhead::over(reader, compression, algorithm, |ahead| {
        make(ArchiveReader::new(ahead, options.limits), directory, title.as_deref(), options.expected.as_ref())
    })
}

/// Makes what is in the archive.
fn make(
    mut archive: ArchiveReader,
    directory: &Path,
    title: Option<&Path>,
    expected: Option<&Digest>,
) -> Result<Unpacked, PackError> {
    let mut tree = Tree::new(directory);
    let mut buffer = vec![0; 256 * 1024];
    let (mut files, mut skipped) = (Vec::new(), Vec::new());
    while let Some(Member { name, kind }) = archive.next()? {
        let path = place(&name, title).map_err(PackError::entry(&name))?;
        match kind {
            MemberKind::Device => {
                skipped.push(name);
                continue;
            }
            MemberKind::Directory { mode } => {
                tree.directory(&path, mode).map_err(|fail| fail.of(&name))?;
                continue;
            }
            MemberKind::File { mode, .. } => {
                let mut file = tree.file(&path, mode).map_err(|fail| fail.of(&name))?;
                loop {
                    let count = archive.read(&mut buffer)?;
                    if count == 0 {
                        break;
                    }
                    let piece = buffer.get(..count).unwrap_or_default();
                    file.write_all(piece).map_err(PackError::io(tree.full(&path)))?;
                }
            }
            MemberKind::Symlink { target } => {
                check_link(&path, &target).map_err(PackError::entry(&name))?;
                tree.symlink(&path, &target).map_err(|fail| fail.of(&name))?;
            }
            MemberKind::HardLink { target } => {
                let target = place_target(target, title).map_err(PackError::entry(&name))?;
                tree.hard_link(&path, &target).map_err(|fail| fail.of(&name))?;
            }
        }
        files.push(path);
    }
    let (diff_id, size) = archive.finish()?;
    match expected {
        Some(expected) if *expected != diff_id => {
            Err(PackError::Digest { expected: expected.clone(), actual: diff_id })
        }
        _ => Ok(Unpacked { files, skipped, diff_id, size }),
    }
}

/// Where an entry goes, relative to the directory.
pub(super) fn place(name: &str, title: Option<&Path>) -> Result<PathBuf, EntryFault> {
    let path = relative(name)?;
    match title {
        None => Ok(path),
        Some(title) => match path.strip_prefix(title) {
            Ok(rest) => Ok(rest.to_owned()),
            Err(_) => Err(EntryFault::OutsideTitle { title: title.display().to_string() }),
        },
    }
}

/// What a hard link links to, relative to the directory.
pub(super) fn place_target(target: String, title: Option<&Path>) -> Result<PathBuf, EntryFault> {
    place(&target, title).map_err(|_| EntryFault::LinkOutside { target })
}

/// Whether a symbolic link may be made.
pub(super) fn check_link(path: &Path, target: &str) -> Result<(), EntryFault> {
    let depth = path.components().count().saturating_sub(1);
    if link::stays_inside(depth, target) { Ok(()) } else { Err(EntryFault::LinkOutside { target: target.to_owned() }) }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;
    use crate::pack::{
        ArchiveFault, PathFault,
        header::{BLOCK, EntryHeader, EntryKind},
    };

    /// A tar built by hand: `name type content-or-target`.
    fn archive(entries: &[(&str, u8, &str)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, kind, text) in entries {
            let (header, content) = match kind {
                b'2' => (EntryKind::Symlink { target: text }, ""),
                b'5' => (EntryKind::Directory, ""),
                _ => (EntryKind::File { size: text.len() as u64, executable: false }, *text),
            };
            let mut header = EntryHeader { name, kind: header, modified: 0 }.to_bytes();
            match kind {
                b'0' | b'2' | b'5' => bytes.extend(header),
                other => {
                    header[156] = *other;
                    if matches!(other, b'1' | b'3' | b'6') {
                        header[124..136].copy_from_slice(b"00000000000\0");
                        header[157..157 + text.len()].copy_from_slice(text.as_bytes());
                    }
                    bytes.extend(summed(header));
                }
            }
            if !matches!(kind, b'1' | b'3' | b'6') {
                bytes.extend(content.as_bytes());
                bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
            }
        }
        bytes.extend([0; 2 * BLOCK]);
        bytes
    }

    fn summed(mut header: Vec<u8>) -> Vec<u8> {
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        header
    }

    fn unpack_into(
        directory: &Path,
        bytes: &[u8],
        compression: Compression,
        options: &UnpackOptions,
    ) -> Result<Unpacked, PackError> {
        unpack(bytes, compression, directory, options)
    }

    /// Unpacks into a directory beside a file `outside`, which must survive, alone.
    fn fault(entries: &[(&str, u8, &str)], title: Option<&str>) -> EntryFault {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("in");
        fs::create_dir(&directory).unwrap();
        fs::write(folder.path().join("outside"), "safe").unwrap();
        let options = UnpackOptions { strip_title: title.map(str::to_owned), ..UnpackOptions::default() };
        let error = unpack_into(&directory, &archive(entries), Compression::None, &options).unwrap_err();
        assert_eq!(fs::read_to_string(folder.path().join("outside")).unwrap(), "safe");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        let PackError::Entry { name, fault } = error else { panic!("{error}") };
        assert_eq!(name, entries.last().unwrap().0);
        fault
    }

    #[test]
    fn entries_come_out_below_the_title() {
        let folder = tempfile::tempdir().unwrap();
        let tar = archive(&[
            ("d", b'5', ""),
            ("d/a", b'0', "hello"),
            ("./d/sub//b", b'0', ""),
            ("d/sub/up", b'2', "../a"),
            ("d/sub/hard", b'1', "d/a"),
            ("d/fifo", b'6', ""),
            ("d/null", b'3', ""),
            ("d/old/", b'0', ""),
        ]);
        let options = UnpackOptions { strip_title: Some("d".to_owned()), ..UnpackOptions::default() };
        let unpacked = unpack_into(folder.path(), &tar, Compression::None, &options).unwrap();
        assert_eq!(unpacked.files, ["a", "sub/b", "sub/up", "sub/hard"].map(PathBuf::from));
        assert_eq!(unpacked.skipped, ["d/fifo", "d/null"]);
        assert_eq!(unpacked.diff_id, Digest::sha256(&tar));
        assert_eq!(fs::read_to_string(folder.path().join("sub/up")).unwrap(), "hello");
        assert_eq!(fs::read_to_string(folder.path().join("sub/hard")).unwrap(), "hello");
        assert!(folder.path().join("old").is_dir());
    }

    #[test]
    fn nothing_comes_out_elsewhere() {
        let target = |target: &str| EntryFault::LinkOutside { target: target.to_owned() };
        assert_eq!(fault(&[("/outside", b'0', "x")], None), EntryFault::Name(PathFault::Absolute));
        assert_eq!(fault(&[("../outside", b'0', "x")], None), EntryFault::Name(PathFault::Parent));
        assert_eq!(fault(&[("a/../../outside", b'0', "x")], None), EntryFault::Name(PathFault::Parent));
        assert_eq!(fault(&[("d/../outside", b'0', "x")], Some("d")), EntryFault::Name(PathFault::Parent));
        let outside = EntryFault::OutsideTitle { title: "d".to_owned() };
        assert_eq!(fault(&[("d/a", b'0', "x"), ("da", b'0', "x")], Some("d")), outside);
        assert_eq!(fault(&[("link", b'2', "..")], None), target(".."));
        assert_eq!(fault(&[("link", b'2', "/etc")], None), target("/etc"));
        assert_eq!(fault(&[("d/link", b'2', "../outside")], Some("d")), target("../outside"));
        assert_eq!(fault(&[("d/a/b", b'5', ""), ("d/x", b'2', "a/b/../../..")], Some("d")), target("a/b/../../.."));
        let through = EntryFault::ThroughLink { link: PathBuf::from("link") };
        assert_eq!(fault(&[("sub", b'5', ""), ("link", b'2', "sub"), ("link/a", b'0', "x")], None), through);
        assert_eq!(fault(&[("sub", b'5', ""), ("link", b'2', "sub"), ("link", b'5', "")], None), through);
        assert_eq!(fault(&[("link", b'2', "sub"), ("link", b'0', "x")], None), EntryFault::Duplicate);
        assert_eq!(fault(&[("hard", b'1', "../outside")], None), target("../outside"));
        assert_eq!(fault(&[("d/hard", b'1', "outside")], Some("d")), target("outside"));
        let missing = |target: &str| EntryFault::LinkTarget { target: target.to_owned() };
        assert_eq!(fault(&[("a", b'0', "x"), ("link", b'2', "a"), ("hard", b'1', "link")], None), missing("link"));
        assert_eq!(fault(&[("hard", b'1', "a")], None), missing("a"));
        assert_eq!(fault(&[("a", b'0', "x"), ("a", b'0', "y")], None), EntryFault::Duplicate);
        assert_eq!(fault(&[("d", b'0', "x")], Some("d")), EntryFault::Duplicate);
        assert_eq!(
            fault(&[("a", b'0', "x"), ("a/b", b'0', "y")], None),
            EntryFault::ThroughFile { file: PathBuf::from("a") }
        );
        assert_eq!(fault(&[("s", b'S', "x")], None), EntryFault::Sparse);
        assert_eq!(fault(&[("s", b'Z', "x")], None), EntryFault::Kind { kind: 'Z' });
    }

    #[test]
    fn a_broken_archive_is_an_error() {
        let whole = archive(&[("a", b'0', "hello")]);
        let folder = tempfile::tempdir().unwrap();
        let mut count = 0;
        let mut check = |bytes: &[u8], compression, options: &UnpackOptions| {
            count += 1;
            let directory = folder.path().join(count.to_string());
            fs::create_dir(&directory).unwrap();
            unpack_into(&directory, bytes, compression, options)
        };
        let options = UnpackOptions::default();
        let is = |result: Result<Unpacked, PackError>, wanted| matches!(result, Err(PackError::Archive(fault)) if fault == wanted);
        assert!(is(check(&whole[..700], Compression::None, &options), ArchiveFault::CutOff));
        assert!(is(check(&whole[..100], Compression::None, &options), ArchiveFault::CutOff));
        let mut wrong = whole.clone();
        wrong[0] = b'b';
        assert!(is(check(&wrong, Compression::None, &options), ArchiveFault::Checksum));
        let long = [("x", b'x', "30 path=a\n"), ("a", b'0', "")];
        assert!(is(check(&archive(&long), Compression::None, &options), ArchiveFault::Extension));

        let mut gzip = crate::pack::gzip::Gzip::new(Vec::new(), 1);
        gzip.push(whole.clone()).unwrap();
        let gzip = gzip.finish().unwrap();
        assert!(check(&gzip, Compression::Gzip, &options).is_ok());
        let cut = &gzip[..gzip.len() - 1];
        assert!(matches!(check(cut, Compression::Gzip, &options), Err(PackError::Read(_))));
        let garbage = [gzip.as_slice(), b"garbage"].concat();
        assert!(matches!(check(&garbage, Compression::Gzip, &options), Err(PackError::Read(_))));
        assert!(matches!(check(&whole, Compression::Gzip, &options), Err(PackError::Read(_))));
        assert!(matches!(check(&whole, Compression::Zstd, &options), Err(PackError::Read(_))));
        // Two members are one stream.
        let (head, tail) = whole.split_at(600);
        let members: Vec<u8> = [head, tail]
            .into_iter()
            .flat_map(|part| {
                let mut gzip = crate::pack::gzip::Gzip::new(Vec::new(), 1);
                gzip.push(part.to_vec()).unwrap();
                gzip.finish().unwrap()
            })
            .collect();
        assert_eq!(check(&members, Compression::Gzip, &options).unwrap().diff_id, Digest::sha256(&whole));
    }

    #[test]
    fn padding_behind_the_end_counts_for_the_digest() {
        let folder = tempfile::tempdir().unwrap();
        let mut padded = archive(&[("a", b'0', "hello")]);
        padded.resize(10 * 1024, 0);
        let options = UnpackOptions { expected: Some(Digest::sha256(&padded)), ..UnpackOptions::default() };
        let unpacked = unpack_into(folder.path(), &padded, Compression::None, &options).unwrap();
        assert_eq!(unpacked.size, 10 * 1024);
        let folder = tempfile::tempdir().unwrap();
        padded.push(0);
        let result = unpack_into(folder.path(), &padded, Compression::None, &options);
        assert!(matches!(result, Err(PackError::Digest { .. })));
    }

    #[test]
    fn limits_hold_before_anything_is_believed() {
        let check = |tar: &[u8], limits| {
            let folder = tempfile::tempdir().unwrap();
            let options = UnpackOptions { limits, ..UnpackOptions::default() };
            unpack_into(folder.path(), tar, Compression::None, &options)
        };
        let limits = Limits { entries: 2, bytes: 6 * 512, name: 10 };
        assert!(check(&archive(&[("a", b'0', "x"), ("b", b'5', "")]), limits).is_ok());
        let three = archive(&[("a", b'5', ""), ("b", b'5', ""), ("c", b'5', "")]);
        assert!(matches!(check(&three, limits), Err(PackError::TooManyEntries { limit: 2 })));
        let long = archive(&[("a", b'0', &"x".repeat(2000))]);
        assert!(matches!(check(&long, limits), Err(PackError::TooManyBytes { limit: 3072 })));
        let long = archive(&[("a-long-name", b'0', "")]);
        assert!(matches!(
            check(&long, limits),
            Err(PackError::Entry { fault: EntryFault::TooLong { length: 11, limit: 10 }, .. })
        ));
        let bomb = EntryHeader { name: "x", kind: EntryKind::File { size: 2 << 20, executable: false }, modified: 0 };
        let mut bomb = bomb.to_bytes();
        bomb[156] = b'L';
        let result = check(&summed(bomb), Limits::default());
        assert!(matches!(result, Err(PackError::Archive(ArchiveFault::LongExtension))));
    }

    #[test]
    fn modes_are_kept_without_their_special_bits() {
        let folder = tempfile::tempdir().unwrap();
        let mut tar = Vec::new();
        for (name, mode) in [("suid", b"0004777\0"), ("secret", b"0000600\0"), ("nothing", b"0000000\0")] {
            let kind = EntryKind::File { size: 0, executable: false };
            let mut header = EntryHeader { name, kind, modified: 0 }.to_bytes();
            header[100..108].copy_from_slice(mode);
            tar.extend(summed(header));
        }
        unpack_into(folder.path(), &tar, Compression::None, &UnpackOptions::default()).unwrap();
        let mode = |name| fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode("suid") & !0o055, 0o700);
        assert_eq!((mode("secret"), mode("nothing")), (0o600, 0o600));
    }
}
