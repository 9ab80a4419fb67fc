//! What is on disk, and what others may have put there.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use consign::{
    oci::{Descriptor, Digest, Manifest, Target},
    store::{ContentError, Delivery, LayoutStore, Source, Store, StoreError, read},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{sync::Barrier, task::JoinSet};

use super::{
    artifact::{Artifact, index},
    tag,
};

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("layout");
    (folder, path)
}

fn open(path: &Path) -> Arc<dyn Store> {
    Arc::new(LayoutStore::open(path))
}

fn index_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path.join("index.json")).unwrap()).unwrap()
}

fn entry(manifest: &Manifest) -> Value {
    json!(manifest.descriptor())
}

fn file_of(path: &Path, digest: &Digest) -> PathBuf {
    path.join("blobs").join(digest.algorithm().name()).join(digest.hex())
}

#[tokio::test]
async fn the_files_are_those_of_the_specification() {
    let (_folder, path) = folder();
    let store = open(&path);
    let (image, plain) = (Artifact::new("image"), Artifact::new("plain"));
    image.push(&store, Some("v1")).await;
    image.push(&store, Some("latest")).await;
    plain.push(&store, None).await;
    assert_eq!(fs::read_to_string(path.join("oci-layout")).unwrap(), r#"{"imageLayoutVersion":"1.0.0"}"#);
    let tagged = |name: &str| {
        let mut entry = entry(&image.manifest);
        entry["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
        entry["artifactType"] = json!("test/image");
        entry
    };
    let mut untagged = entry(&plain.manifest);
    untagged["artifactType"] = json!("test/plain");
    assert_eq!(
        index_json(&path),
        json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [tagged("latest"), tagged("v1"), untagged],
        })
    );
    assert_eq!(fs::read(file_of(&path, image.manifest.digest())).unwrap(), image.manifest.bytes().as_ref());
    assert_eq!(fs::read_dir(path.join("ingest")).unwrap().count(), 0, "nothing temporary is left");
}

#[tokio::test]
async fn the_order_of_writing_does_not_show() {
    let artifacts = ["a", "b", "c", "d"].map(Artifact::new);
    let mut written = Vec::new();
    for order in [[0, 1, 2, 3], [3, 1, 0, 2], [2, 3, 1, 0]] {
        let (_folder, path) = folder();
        let store = open(&path);
        for number in order {
            let name = (number % 2 == 0).then(|| format!("t{number}"));
            artifacts[number].push(&store, name.as_deref()).await;
        }
        written.push(fs::read_to_string(path.join("index.json")).unwrap());
    }
    assert_eq!(written[0], written[1]);
    assert_eq!(written[0], written[2]);
}

#[tokio::test]
async fn reading_makes_nothing() {
    let (_folder, path) = folder();
    let store = open(&path);
    assert_eq!(store.tags().await.unwrap(), []);
    assert!(!store.untag(&tag("v1")).await.unwrap());
    assert!(!store.delete_manifest(&Digest::sha256(b"x")).await.unwrap());
    let blob = Descriptor::of("a/b", b"x");
    assert!(store.push_blob(&blob, &Source::file("/nowhere"), None).await.is_err());
    assert!(store.push_manifest(&Artifact::new("image").manifest, None).await.is_err());
    assert!(!path.exists());
}

#[tokio::test]
async fn a_write_that_was_cut_off_is_not_seen() {
    let (_folder, path) = folder();
    let store = open(&path);
    let image = Artifact::new("image");
    image.push(&store, Some("v1")).await;
    // What a process leaves that was killed while it wrote.
    fs::write(path.join("ingest/.tmpAbCdEf"), "half a bl").unwrap();
    let wrong = Descriptor::of("a/b", b"right");
    store.push_blob(&wrong, &Source::bytes("wrong"), None).await.unwrap_err();
    assert_eq!(fs::read_dir(path.join("ingest")).unwrap().count(), 1, "a failure cleans up after itself");
    assert!(!file_of(&path, &wrong.digest).exists());
    let again = open(&path);
    assert_eq!(again.tags().await.unwrap(), [tag("v1")]);
    assert!(again.manifest(&Target::Tag(tag("v1"))).await.unwrap().is_some());
}

#[tokio::test]
async fn a_truncated_file_is_not_content_and_is_written_again() {
    let (_folder, path) = folder();
    let store = open(&path);
    let image = Artifact::new("image");
    image.push(&store, Some("v1")).await;
    let (blob, bytes) = &image.blobs[1];
    fs::write(file_of(&path, &blob.digest), "im").unwrap();
    assert!(!store.has_blob(blob).await.unwrap());
    assert_eq!(store.push_blob(blob, &Source::bytes(bytes.clone()), None).await.unwrap(), Delivery::Copied);
    assert_eq!(read(blob, store.blob(blob).await.unwrap(), 100).await.unwrap(), bytes);
}

#[tokio::test]
async fn damaged_content_is_noticed() {
    let (_folder, path) = folder();
    let store = open(&path);
    let image = Artifact::new("image");
    image.push(&store, Some("v1")).await;
    let (blob, _) = &image.blobs[1];
    fs::write(file_of(&path, &blob.digest), "IMAGE").unwrap();
    let error = read(blob, store.blob(blob).await.unwrap(), 100).await.unwrap_err();
    assert!(matches!(error, StoreError::Content(ContentError::Digest { .. })), "{error}");
    let mut damaged = image.manifest.bytes().to_vec();
    damaged[0] = b' ';
    fs::write(file_of(&path, image.manifest.digest()), damaged).unwrap();
    let error = store.manifest(&Target::Tag(tag("v1"))).await.unwrap_err();
    assert!(matches!(error, StoreError::Content(ContentError::Digest { .. })), "{error}");
    store.push_manifest(&image.manifest, None).await.unwrap();
    assert!(store.manifest(&Target::Tag(tag("v1"))).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_stores_on_one_path_lose_nothing() {
    const EACH: usize = 16;
    let (_folder, path) = folder();
    let image = Artifact::new("image");
    let barrier = Arc::new(Barrier::new(2 * EACH));
    let mut tasks = JoinSet::new();
    for writer in 0..2 {
        let store = open(&path);
        for number in 0..EACH {
            let referrer = Artifact::new(&format!("{writer}-{number}")).about(&image.manifest);
            let (store, barrier) = (Arc::clone(&store), Arc::clone(&barrier));
            tasks.spawn(async move {
                barrier.wait().await;
                referrer.push(&store, None).await;
            });
        }
    }
    tasks.join_all().await;
    assert_eq!(open(&path).referrers(image.manifest.digest()).await.unwrap().len(), 2 * EACH);
}

#[tokio::test]
async fn what_other_tools_wrote_stays() {
    let (_folder, path) = folder();
    let store = open(&path);
    let (image, other) = (Artifact::new("image"), Artifact::new("other"));
    image.push(&store, None).await;
    other.push(&store, None).await;
    let mut named = entry(&image.manifest);
    named["annotations"] = json!({ "org.opencontainers.image.ref.name": "v1", "io.containerd.image.name": "x/y:v1" });
    named["future"] = json!([1]);
    let mut whole_reference = entry(&image.manifest);
    whole_reference["annotations"] = json!({ "org.opencontainers.image.ref.name": "ghcr.io/x/app:v1" });
    let strange = json!({ "mediaType": "a/b", "digest": "blake3:00", "size": 1 });
    let document =
        json!({ "schemaVersion": 2, "manifests": [strange, whole_reference, named], "annotations": { "a": "b" } });
    fs::write(path.join("index.json"), document.to_string()).unwrap();

    assert_eq!(store.tags().await.unwrap(), [tag("v1")]);
    other.push(&store, Some("v1")).await;
    let after = index_json(&path);
    assert_eq!(after["annotations"], json!({ "a": "b" }));
    let manifests = after["manifests"].as_array().unwrap();
    named["annotations"] = json!({ "io.containerd.image.name": "x/y:v1" });
    for entry in [&strange, &whole_reference, &named] {
        assert!(manifests.contains(entry), "{entry} in {after}");
    }
    assert_eq!(manifests.len(), 4);
    assert_eq!(store.resolve(&Target::Tag(tag("v1"))).await.unwrap(), Some(other.manifest.descriptor()));
}

#[tokio::test]
async fn what_only_an_index_lists_is_found() {
    let (_folder, path) = folder();
    let store = open(&path);
    let arm64 = Artifact::new("arm64");
    let signature = Artifact::new("signature").about(&arm64.manifest);
    arm64.push(&store, None).await;
    signature.push(&store, None).await;
    let inner = index(&[&arm64.manifest, &signature.manifest]);
    let outer = index(&[&inner]);
    store.push_manifest(&inner, None).await.unwrap();
    store.push_manifest(&outer, None).await.unwrap();
    let document = json!({ "schemaVersion": 2, "manifests": [entry(&outer)] });
    fs::write(path.join("index.json"), document.to_string()).unwrap();

    let store = open(&path);
    let digest = arm64.manifest.digest().clone();
    assert!(store.manifest(&Target::Digest(digest.clone())).await.unwrap().is_some());
    assert_eq!(store.referrers(&digest).await.unwrap(), [signature.manifest.referrer_descriptor()]);
    // Deleted by somebody else: what this store knows does not count.
    assert!(open(&path).delete_manifest(signature.manifest.digest()).await.unwrap());
    assert_eq!(store.referrers(&digest).await.unwrap(), []);
}

#[tokio::test]
async fn what_is_no_layout_is_said() {
    let cases = [
        ("index.json", "{", "it is not an image index"),
        ("index.json", "[]", "it is not an image index"),
        ("index.json", r#"{"manifests":{}}"#, "`manifests` must be a list"),
        ("oci-layout", r#"{"imageLayoutVersion":"2.0.0"}"#, "version `2.0.0`; `1.0.0` is supported"),
        ("oci-layout", "hello", "it is not what it should be"),
    ];
    for (file, content, message) in cases {
        let (_folder, path) = folder();
        fs::create_dir(&path).unwrap();
        fs::write(path.join(file), content).unwrap();
        let store = open(&path);
        let error = store.tags().await.unwrap_err();
        assert!(matches!(error, StoreError::Layout { .. }) && error.to_string().contains(message), "{error}");
    }
    let (_folder, path) = folder();
    fs::write(&path, "a file").unwrap();
    let error = open(&path).tags().await.unwrap_err();
    assert!(error.to_string().ends_with("an image layout is a folder, and this is not one"), "{error}");
}

#[tokio::test]
async fn a_huge_index_is_refused_before_it_is_read() {
    let (_folder, path) = folder();
    fs::create_dir(&path).unwrap();
    fs::File::create(path.join("index.json")).unwrap().set_len(64 * 1024 * 1024 + 1).unwrap();
    let error = open(&path).tags().await.unwrap_err();
    assert!(error.to_string().ends_with("it has more than 67108864 bytes, which is the most that is read"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn links_out_of_the_layout_are_not_followed() {
    use std::os::unix::fs::symlink;

    let (outside, path) = folder();
    let store = open(&path);
    let image = Artifact::new("image");
    image.push(&store, Some("v1")).await;
    let (blob, bytes) = &image.blobs[1];
    let is_refused = |error: StoreError| matches!(error, StoreError::Layout { .. });

    // A blob that is a link.
    let secret = outside.path().join("secret");
    fs::write(&secret, bytes).unwrap();
    fs::remove_file(file_of(&path, &blob.digest)).unwrap();
    symlink(&secret, file_of(&path, &blob.digest)).unwrap();
    assert!(is_refused(store.blob(blob).await.map(drop).unwrap_err()));

    // A folder of blobs that is a link: nothing is written or removed through it.
    let elsewhere = outside.path().join("elsewhere");
    fs::rename(path.join("blobs/sha256"), &elsewhere).unwrap();
    symlink(&elsewhere, path.join("blobs/sha256")).unwrap();
    let before = fs::read_dir(&elsewhere).unwrap().count();
    let fresh = Descriptor::of("a/b", b"fresh");
    assert!(is_refused(store.push_blob(&fresh, &Source::bytes("fresh"), None).await.unwrap_err()));
    assert!(is_refused(store.delete_manifest(image.manifest.digest()).await.unwrap_err()));
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), before);

    // The files of the layout itself.
    for file in ["index.json", "oci-layout"] {
        fs::rename(path.join(file), outside.path().join(file)).unwrap();
        symlink(outside.path().join(file), path.join(file)).unwrap();
        assert!(is_refused(store.tags().await.unwrap_err()), "{file}");
        fs::remove_file(path.join(file)).unwrap();
        fs::rename(outside.path().join(file), path.join(file)).unwrap();
    }
    assert_eq!(store.tags().await.unwrap(), [tag("v1")]);
}

#[cfg(unix)]
#[tokio::test]
async fn links_within_the_layout_are_followed() {
    use std::os::unix::fs::symlink;

    let (_folder, path) = folder();
    let store = open(&path);
    let image = Artifact::new("image");
    image.push(&store, None).await;
    let (blob, bytes) = &image.blobs[1];
    fs::create_dir(path.join("cache")).unwrap();
    fs::rename(file_of(&path, &blob.digest), path.join("cache/blob")).unwrap();
    symlink(path.join("cache/blob"), file_of(&path, &blob.digest)).unwrap();
    assert_eq!(read(blob, store.blob(blob).await.unwrap(), 100).await.unwrap(), bytes);
}

#[tokio::test]
async fn a_large_blob_goes_through_in_pieces() {
    const SIZE: usize = 5 * 1024 * 1024 + 7;
    let (outside, path) = folder();
    let content: Vec<u8> = (0..SIZE).map(|byte| u8::try_from(byte % 251).unwrap()).collect();
    let blob = Descriptor::of("a/b", &content);
    let file = outside.path().join("large");
    fs::write(&file, &content).unwrap();
    let store = open(&path);
    assert_eq!(store.push_blob(&blob, &Source::file(&file), None).await.unwrap(), Delivery::Copied);
    assert_eq!(read(&blob, store.blob(&blob).await.unwrap(), SIZE as u64).await.unwrap(), content);
}
