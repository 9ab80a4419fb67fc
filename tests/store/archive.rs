//! Repositories in one file: what consign writes, and what it reads of what others wrote.

use std::{fs, path::Path, sync::Arc};

use consign::{
    oci::{ArchiveForm, Descriptor, Digest, Manifest, Target},
    store::{ArchiveStore, Store, StoreError, read},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

use super::{
    artifact::{Artifact, index},
    tag,
};

fn oci(path: &Path) -> Arc<dyn Store> {
    Arc::new(ArchiveStore::open(ArchiveForm::Oci, path))
}

fn docker(path: &Path) -> Arc<dyn Store> {
    Arc::new(ArchiveStore::open(ArchiveForm::Docker, path))
}

/// A tar of these files, each with what kind of entry it is; links lead to what their content says.
fn tar(entries: &[(EntryType, &str, &[u8])]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (kind, name, content) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        if matches!(kind, EntryType::Symlink | EntryType::Link) {
            header.set_size(0);
            tar.append_link(&mut header, name, str::from_utf8(content).unwrap()).unwrap();
        } else {
            header.set_size(content.len() as u64);
            tar.append_data(&mut header, name, *content).unwrap();
        }
    }
    tar.into_inner().unwrap()
}

const FILE: EntryType = EntryType::Regular;

/// What `docker save` writes of two images that share a layer, the old way: layers in folders, some of them links.
fn saved(names: [&str; 2]) -> Vec<u8> {
    let (shared, own) = (tar(&[(FILE, "etc/os", b"linux")]), tar(&[(FILE, "bin/app", b"app")]));
    let config = |layers: &[&[u8]]| {
        let diff_ids: Vec<_> = layers.iter().map(|layer| Digest::sha256(layer).to_string()).collect();
        let rootfs = json!({ "type": "layers", "diff_ids": diff_ids });
        json!({ "architecture": "amd64", "os": "linux", "rootfs": rootfs }).to_string()
    };
    let manifest = json!([
        { "Config": "one.json", "RepoTags": [names[0]], "Layers": ["a/layer.tar"] },
        { "Config": "two.json", "RepoTags": [names[1], "example.com:5000/no-tag"], "Layers": ["b/layer.tar", "c/layer.tar"] },
    ]);
    tar(&[
        (FILE, "./a/layer.tar", &shared),
        (EntryType::Symlink, "b/layer.tar", b"../a/layer.tar"),
        (FILE, "c/layer.tar", &own),
        (FILE, "one.json", config(&[&shared]).as_bytes()),
        (FILE, "two.json", config(&[&shared, &own]).as_bytes()),
        (FILE, "manifest.json", manifest.to_string().as_bytes()),
    ])
}

async fn by_tag(store: &Arc<dyn Store>, name: &str) -> Result<Option<Manifest>, StoreError> {
    store.manifest(&Target::Tag(tag(name))).await
}

#[tokio::test]
async fn what_was_flushed_is_in_the_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/app.tar");
    let store = oci(&path);
    let (image, other) = (Artifact::new("image"), Artifact::new("other"));
    image.push(&store, Some("v1")).await;
    other.push_blobs(&store).await;
    assert!(!path.exists(), "nothing is written before it is asked for");
    store.flush().await.unwrap();
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 2, "the file, and a blob that nobody needs yet");
    drop(store);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);

    let again = oci(&path);
    let found = by_tag(&again, "v1").await.unwrap().unwrap();
    assert_eq!(found.digest(), image.manifest.digest());
    let (layer, content) = &image.blobs[1];
    assert_eq!(read(layer, again.blob(layer).await.unwrap(), 100).await.unwrap(), content);
    assert!(!again.has_blob(&other.blobs[1].0).await.unwrap());
}

#[tokio::test]
async fn the_same_content_gives_the_same_bytes_whatever_order_it_came_in() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (Artifact::new("one"), Artifact::new("two"));
    let both = index(&[&one.manifest, &two.manifest]);
    let signature = Artifact::new("signature").about(&both);
    let paths = [folder.path().join("a.tar"), folder.path().join("b.tar")];
    let store = oci(&paths[0]);
    for artifact in [&one, &two] {
        artifact.push(&store, None).await;
    }
    store.push_manifest(&both, Some(&tag("v1"))).await.unwrap();
    signature.push_blobs(&store).await;
    store.attach(&signature.manifest).await.unwrap();

    let store = oci(&paths[1]);
    for artifact in [&signature, &two, &one] {
        artifact.push(&store, None).await;
        store.flush().await.unwrap();
    }
    store.push_manifest(&both, Some(&tag("v0"))).await.unwrap();
    store.flush().await.unwrap();
    store.untag(&tag("v0")).await.unwrap();
    // Somebody else goes on with it.
    let store = oci(&paths[1]);
    store.push_manifest(&both, Some(&tag("v1"))).await.unwrap();
    store.untag(&tag("v0")).await.unwrap();
    store.flush().await.unwrap();
    let [first, second] = paths.map(|path| fs::read(path).unwrap());
    assert!(first == second);
    let listed = oci(&folder.path().join("b.tar")).referrers(both.digest()).await.unwrap();
    assert_eq!(listed.len(), 1);
}

#[tokio::test]
async fn who_wait_for_the_file_to_be_written_wait_for_one_writing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tar");
    let store = oci(&path);
    let artifacts: Vec<_> = (0..20).map(|at| Artifact::new(&format!("n{at}"))).collect();
    futures_util::future::join_all(artifacts.iter().enumerate().map(|(at, artifact)| {
        let store = &store;
        async move {
            artifact.push(store, Some(&format!("v{at}"))).await;
            store.flush().await.unwrap();
            assert!(by_tag(&oci(&folder_of(store)), &format!("v{at}")).await.unwrap().is_some());
        }
    }))
    .await;
    assert_eq!(oci(&path).tags().await.unwrap().len(), 20);
}

fn folder_of(store: &Arc<dyn Store>) -> std::path::PathBuf {
    store.repository().path().unwrap().to_path_buf()
}

#[tokio::test]
async fn an_archive_of_docker_has_images_whose_layers_stay_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("saved.tar");
    fs::write(&path, saved(["app:one", "example.com:5000/team/app:two"])).unwrap();
    let store = docker(&path);
    let names: Vec<_> = store.tags().await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["one", "two"]);
    let two = by_tag(&store, "two").await.unwrap().unwrap();
    let layers: Vec<_> = two.as_image().unwrap().layers.clone();
    assert_eq!(layers.len(), 2);
    for layer in &layers {
        assert_eq!(layer.media_type, "application/vnd.oci.image.layer.v1.tar");
        let content = read(layer, store.blob(layer).await.unwrap(), 10_000).await.unwrap();
        assert_eq!(Digest::sha256(&content), layer.digest);
    }
    assert_eq!(store.roots().await.unwrap().len(), 2);
    let error = store.push_manifest(&two, Some(&tag("three"))).await.unwrap_err();
    assert!(error.to_string().contains("is only read: write to `oci-archive:`"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), saved(["app:one", "example.com:5000/team/app:two"]));
}

#[tokio::test]
async fn a_tag_that_two_images_have_names_none_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("saved.tar");
    fs::write(&path, saved(["web:latest", "api:latest"])).unwrap();
    let store = docker(&path);
    assert_eq!(store.tags().await.unwrap(), [tag("latest")]);
    let error = by_tag(&store, "latest").await.unwrap_err().to_string();
    let expected = "`latest` is the tag of several images in it: web:latest, api:latest; \
                    save them in an archive each, or name one by its digest";
    assert!(error.ends_with(expected), "{error}");
}

#[tokio::test]
async fn layers_that_are_compressed_have_digests_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("saved.tar");
    let plain = tar(&[(FILE, "a", b"a")]);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, &plain).unwrap();
    let packed = packed.finish().unwrap();
    let config = json!({ "os": "linux", "rootfs": { "type": "layers", "diff_ids": [Digest::sha256(&plain)] } });
    let manifest = json!([{ "Config": "c.json", "Layers": ["l.tar"] }]);
    let entries: [(EntryType, &str, &[u8]); 3] = [
        (FILE, "l.tar", &packed),
        (FILE, "c.json", &config.to_string().into_bytes()),
        (FILE, "manifest.json", &manifest.to_string().into_bytes()),
    ];
    fs::write(&path, tar(&entries)).unwrap();
    let store = docker(&path);
    let roots = store.roots().await.unwrap();
    let image = store.manifest(&Target::Digest(roots[0].digest.clone())).await.unwrap().unwrap();
    let layer = &image.as_image().unwrap().layers[0];
    assert_eq!(
        (layer.media_type.as_str(), &layer.digest),
        ("application/vnd.oci.image.layer.v1.tar+gzip", &Digest::sha256(&packed))
    );
}

/// A layout in a tar with this index and these files.
fn layout(index: &Value, more: &[(EntryType, &str, &[u8])]) -> Vec<u8> {
    let index = index.to_string();
    let mut entries: Vec<(EntryType, &str, &[u8])> =
        vec![(FILE, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#), (FILE, "index.json", index.as_bytes())];
    entries.extend(more);
    tar(&entries)
}

#[tokio::test]
async fn what_is_no_archive_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let empty = layout(&json!({ "schemaVersion": 2, "manifests": [] }), &[]);
    let long = format!("{}x", "a/".repeat(40_000));
    let cases: Vec<(&str, Vec<u8>, bool, &str)> = vec![
        ("empty file", Vec::new(), true, "it is no tar archive"),
        ("text", vec![b'x'; 2000], true, "it is no tar archive"),
        ("gzip", [&[0x1f, 0x8b, 8][..], &[0; 600]].concat(), true, "it is compressed: unpack it first, with `gunzip`"),
        ("cut off", saved(["a:1", "b:2"])[..1600].to_vec(), false, "it is cut off"),
        (
            "docker's",
            saved(["a:1", "b:2"]),
            true,
            "it is no image layout, but an archive of Docker: write `docker-archive:`",
        ),
        ("none of docker's", empty, false, "it is no archive of Docker: there is no file `manifest.json` in it"),
        (
            "no index",
            tar(&[(FILE, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)]),
            true,
            "there is no file `index.json` in it",
        ),
        (
            "a later version",
            tar(&[(FILE, "oci-layout", br#"{"imageLayoutVersion":"2.0.0"}"#)]),
            true,
            "it is an image layout of version `2.0.0`; 1.0.0 is read",
        ),
        ("a long name", tar(&[(FILE, &long, b"")]), true, "a name in it has more than 65536 bytes"),
        (
            "no list",
            tar(&[(FILE, "manifest.json", b"{}")]),
            false,
            "its `manifest.json` is not what Docker writes: invalid type: map, expected a sequence at line 1 column 0",
        ),
        (
            "no config",
            tar(&[(FILE, "manifest.json", br#"[{"Config":"../../etc/passwd"}]"#)]),
            false,
            "there is no file `../../etc/passwd` in it, which its manifest.json names",
        ),
        (
            "a link out",
            tar(&[(EntryType::Symlink, "c", b"/etc/passwd"), (FILE, "manifest.json", br#"[{"Config":"c"}]"#)]),
            false,
            "there is no file `c` in it, which its manifest.json names",
        ),
        (
            "a link to itself",
            tar(&[(EntryType::Symlink, "c", b"c"), (FILE, "manifest.json", br#"[{"Config":"c"}]"#)]),
            false,
            "there is no file `c` in it, which its manifest.json names",
        ),
    ];
    for (name, bytes, is_oci, expected) in cases {
        let path = folder.path().join("x.tar");
        fs::write(&path, bytes).unwrap();
        let store = if is_oci { oci(&path) } else { docker(&path) };
        let error = store.tags().await.expect_err(name).to_string();
        assert!(error.ends_with(expected), "{name}: {error}");
    }
    let error = oci(folder.path()).tags().await.unwrap_err().to_string();
    assert!(error.ends_with("it is no file: an archive is one"), "{error}");
}

#[tokio::test]
async fn content_that_is_not_what_its_name_says_is_not_handed_on() {
    let folder = tempfile::tempdir().unwrap();
    let artifact = Artifact::new("image");
    let path = folder.path().join("x.tar");
    let store = oci(&path);
    artifact.push(&store, Some("v1")).await;
    store.flush().await.unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let content = &artifact.blobs[1].1;
    let at = bytes.windows(content.len()).position(|window| window == &content[..]).unwrap();
    bytes[at] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let store = oci(&path);
    let layer = &artifact.blobs[1].0;
    let error = read(layer, store.blob(layer).await.unwrap(), 100).await.unwrap_err();
    assert!(matches!(error, StoreError::Content(_)), "{error}");
    // Nor is it written again.
    store.push_manifest(&artifact.manifest, Some(&tag("v2"))).await.unwrap();
    assert!(matches!(store.flush().await.unwrap_err(), StoreError::Content(_)));
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever is wrong with an archive, it is an error or an answer.
    #[test]
    fn no_archive_brings_it_down(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
        is_oci in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.tar");
        let mut bytes = if is_oci {
            let entry = json!({ "mediaType": "a/b", "digest": Digest::sha256(b"x"), "size": 1 });
            layout(&json!({ "schemaVersion": 2, "manifests": [entry] }), &[(FILE, "blobs/sha256/x", b"x")])
        } else {
            saved(["a:1", "b:2"])
        };
        for (at, by) in changes {
            let at = at.index(bytes.len());
            bytes[at] = by;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        fs::write(&path, bytes).unwrap();
        let store = if is_oci { oci(&path) } else { docker(&path) };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for root in store.roots().await.unwrap_or_default() {
                let Ok(Some(manifest)) = store.manifest(&Target::Digest(root.digest)).await else { continue };
                for blob in manifest.as_image().into_iter().flat_map(|image| image.layers.iter()) {
                    let blob: &Descriptor = blob;
                    if let Ok(content) = store.blob(blob).await {
                        let _ = read(blob, content, 1_000_000).await;
                    }
                }
            }
        });
    }
}
