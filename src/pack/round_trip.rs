//! What is packed comes out again, and what was never packed does no harm.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use proptest::prelude::*;

use super::{
    Compression, LayerContent, LayerOptions, PackedLayer, UnpackOptions, pack_directory, unpack, verify_unpacked,
};

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    File(Vec<u8>, bool),
    Link(String),
    Directory(BTreeMap<String, Node>),
}

fn node() -> impl Strategy<Value = Node> {
    let name = prop_oneof!["[a-z.é ]{1,8}[a-z]", "[a-z]{90,120}"];
    let leaf = prop_oneof![
        4 => (prop::collection::vec(any::<u8>(), 0..1500), any::<bool>()).prop_map(|(bytes, x)| Node::File(bytes, x)),
        1 => "[a-z]{1,110}".prop_map(Node::Link),
    ];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop::collection::btree_map(name.clone(), inner, 0..5).prop_map(Node::Directory)
    })
}

fn write(node: &Node, path: &Path) {
    match node {
        Node::File(bytes, executable) => {
            fs::write(path, bytes).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(if *executable { 0o755 } else { 0o644 })).unwrap();
        }
        Node::Link(target) => symlink(target, path).unwrap(),
        Node::Directory(entries) => {
            fs::create_dir(path).unwrap();
            for (name, node) in entries {
                write(node, &path.join(name));
            }
        }
    }
}

fn read(path: &Path) -> Node {
    let metadata = fs::symlink_metadata(path).unwrap();
    if metadata.is_symlink() {
        Node::Link(fs::read_link(path).unwrap().to_str().unwrap().to_owned())
    } else if metadata.is_dir() {
        let entries = fs::read_dir(path).unwrap().map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), read(&entry.path()))
        });
        Node::Directory(entries.collect())
    } else {
        Node::File(fs::read(path).unwrap(), metadata.permissions().mode() & 0o100 != 0)
    }
}

fn bytes(layer: PackedLayer) -> Vec<u8> {
    match layer.content {
        LayerContent::Bytes(bytes) => bytes.to_vec(),
        LayerContent::File(path) => fs::read(path).unwrap(),
    }
}

fn check(compression: Compression, node: Node) -> Result<(), TestCaseError> {
    let node = if matches!(node, Node::Directory(_)) { node } else { Node::Directory([("a".to_owned(), node)].into()) };
    let folder = tempfile::tempdir().unwrap();
    let (source, target) = (folder.path().join("source"), folder.path().join("target"));
    write(&node, &source);
    fs::create_dir(&target).unwrap();
    let layer = pack_directory(&source, &LayerOptions { compression, ..LayerOptions::artifact("a/title") }).unwrap();
    let diff_id = layer.diff_id.clone();
    let bytes = bytes(layer);
    let title = Some("a/title".to_owned());
    let options = UnpackOptions { strip_title: title, expected: Some(diff_id), ..UnpackOptions::default() };
    unpack(bytes.as_slice(), compression, &target, &options).unwrap();
    prop_assert_eq!(read(&target), node);
    prop_assert!(verify_unpacked(bytes.as_slice(), compression, &target, Some("a/title")).unwrap());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_tree_comes_back_as_it_was(node in node(), compression in prop::sample::select(vec![Compression::None, Compression::Gzip, Compression::Zstd])) {
        check(compression, node)?;
    }

    #[test]
    fn damage_harms_nothing_outside(node in node(), damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let folder = tempfile::tempdir().unwrap();
        let (source, target) = (folder.path().join("source"), folder.path().join("target"));
        write(&Node::Directory([("a".to_owned(), node)].into()), &source);
        fs::create_dir(&target).unwrap();
        let options = LayerOptions { compression: Compression::None, ..LayerOptions::artifact("d") };
        let mut bytes = bytes(pack_directory(&source, &options).unwrap());
        for (index, byte) in damage {
            // Checksums are mended, or nearly all damage would be found by them.
            let at = index.index(bytes.len());
            bytes[at] = byte;
            let header = at / 512 * 512;
            bytes[header + 148..header + 156].fill(b' ');
            let sum: u32 = bytes[header..header + 512].iter().map(|byte| u32::from(*byte)).sum();
            bytes[header + 148..header + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        let before = read(&source);
        let _ = unpack(bytes.as_slice(), Compression::None, &target, &UnpackOptions::default());
        let _ = verify_unpacked(bytes.as_slice(), Compression::None, &target, None);
        prop_assert_eq!(read(&source), before);
        prop_assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn any_bytes_are_refused_or_unpacked(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        fs::create_dir(&target).unwrap();
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let _ = unpack(bytes.as_slice(), compression, &target, &UnpackOptions::default());
        }
        prop_assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn verify_sees_every_difference() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("d");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("a"), "hello").unwrap();
    symlink("a", root.join("link")).unwrap();
    fs::create_dir(root.join("sub")).unwrap();
    let layer = bytes(pack_directory(&root, &LayerOptions::artifact("d")).unwrap());
    let verify = || verify_unpacked(layer.as_slice(), Compression::Gzip, &root, Some("d")).unwrap();
    assert!(verify());
    fs::write(root.join("more"), "").unwrap();
    assert!(verify());

    fs::write(root.join("a"), "hullo").unwrap();
    assert!(!verify());
    fs::write(root.join("a"), "hello!").unwrap();
    assert!(!verify());
    fs::write(root.join("a"), "hello").unwrap();
    fs::set_permissions(root.join("a"), fs::Permissions::from_mode(0o744)).unwrap();
    assert!(!verify());
    fs::set_permissions(root.join("a"), fs::Permissions::from_mode(0o664)).unwrap();
    assert!(verify());

    fs::remove_dir(root.join("sub")).unwrap();
    assert!(!verify());
    symlink(".", root.join("sub")).unwrap();
    assert!(!verify());
    fs::remove_file(root.join("sub")).unwrap();
    fs::create_dir(root.join("sub")).unwrap();
    assert!(verify());

    fs::remove_file(root.join("link")).unwrap();
    symlink("sub", root.join("link")).unwrap();
    assert!(!verify());
}
