//! What others may put into folders and registries: a clear error, and nothing is written that should not be.

use std::{fs, io::Write, os::unix::fs::symlink, path::Path};

use consign::oci::Digest;
use insta::assert_snapshot;
use serde_json::{Value, json};

use super::Test;

/// An image layout that is written by hand: anything can be in it.
struct Layout<'a> {
    folder: &'a Path,
}

impl Layout<'_> {
    fn blob(&self, content: &[u8]) -> Value {
        let digest = Digest::sha256(content);
        let path = self.folder.join("blobs/sha256").join(digest.hex());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        json!({ "digest": digest.to_string(), "size": content.len() })
    }

    /// A layer that is written under `title`.
    fn layer(&self, content: &[u8], title: &str) -> Value {
        let mut layer = self.blob(content);
        layer["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar");
        layer["annotations"] = json!({ "org.opencontainers.image.title": title });
        layer
    }

    /// A layer that is unpacked into the folder `title`.
    fn archive(&self, names: &[&str], title: &str) -> Value {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        for name in names {
            let mut header = tar::Header::new_ustar();
            header.set_size(4);
            header.set_mode(0o644);
            header.set_entry_type(tar::EntryType::Regular);
            // As it is: the library would refuse it.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            gzip.write_all(header.as_bytes()).unwrap();
            gzip.write_all(b"evil").unwrap();
            gzip.write_all(&[0; 508]).unwrap();
        }
        gzip.write_all(&[0; 1024]).unwrap();
        let mut layer = self.layer(&gzip.finish().unwrap(), title);
        layer["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar+gzip");
        layer["annotations"]["io.deis.oras.content.unpack"] = json!("true");
        layer
    }

    /// The manifest with these layers, tagged `v1`.
    fn tag(&self, layers: &[Value]) {
        let mut config = self.blob(b"{}");
        config["mediaType"] = json!("application/vnd.oci.empty.v1+json");
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type,
            "artifactType": "hostile/example",
            "config": config,
            "layers": layers,
        });
        let mut entry = self.blob(manifest.to_string().as_bytes());
        entry["mediaType"] = json!(media_type);
        entry["annotations"] = json!({ "org.opencontainers.image.ref.name": "v1" });
        let index = json!({ "schemaVersion": 2, "manifests": [entry] });
        fs::write(self.folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        fs::write(self.folder.join("index.json"), index.to_string()).unwrap();
    }
}

/// Pulls what `make` puts into a layout, beside a good file. Nothing must come of it but an error, which is returned.
#[track_caller]
fn pull(make: impl FnOnce(&Layout<'_>) -> Value) -> String {
    let test = Test::new(
        "\
consign: 1
name: hostile
steps:
  - id: pull
    pull: { from: \"oci-layout:store:v1\", to: inner/download }
",
    )
    .file("inner/download/mine.txt", "mine");
    let store = test.path("store");
    fs::create_dir_all(&store).unwrap();
    let layout = Layout { folder: &store };
    layout.tag(&[layout.layer(b"good", "good.txt"), make(&layout)]);
    let before = files(&test.path(""));
    let ran = test.run("run plan.yaml");
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
    let (journal, rest): (Vec<_>, Vec<_>) =
        files(&test.path("")).into_iter().partition(|path| path.starts_with(".consign"));
    assert_eq!(rest, before, "something was written");
    // The run's own journal, to the file: nothing else hides in its folder.
    let names = regex::Regex::new(r"\d{4}-\d\d-\d\dT[\d.Z-]+|-[0-9a-f]{12}\b").unwrap();
    let journal: Vec<_> = journal.iter().map(|path| names.replace(path, "[NAME]").into_owned()).collect();
    assert_eq!(journal, JOURNAL);
    assert!(!Path::new("/tmp/consign-evil.txt").exists());
    ran.stderr
}

/// What a run of `plan.yaml` leaves beside its work.
const JOURNAL: [&str; 8] = [
    ".consign",
    ".consign/.gitignore",
    ".consign/locks",
    ".consign/locks/plan[NAME].lock",
    ".consign/runs",
    ".consign/runs/[NAME]",
    ".consign/runs/[NAME]/journal.ndjson",
    ".consign/runs/[NAME]/running.lock",
];

/// Every path in a folder, relative to it, sorted.
fn files(folder: &Path) -> Vec<String> {
    let walk = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter();
    walk.map(|entry| entry.unwrap().path().strip_prefix(folder).unwrap().display().to_string()).collect()
}

#[test]
fn a_title_does_not_lead_out() {
    assert_snapshot!(pull(|layout| layout.layer(b"evil", "../evil.txt")), @"
    hostile: 1 step
    failed    pull  failed to pull oci-layout:store:v1: `../evil.txt` cannot be a title: it has a `..`; a title is a relative path such as `docs/readme.md`
      --> plan.yaml:4:9
    failed:
      pull: failed to pull oci-layout:store:v1: `../evil.txt` cannot be a title: it has a `..`; a title is a relative path such as `docs/readme.md`
    1 failed in [TIME]
    run it again: what succeeded is found unchanged
    go on with `consign resume`: what ended well is taken over
    ");
    assert_snapshot!(pull(|layout| layout.layer(b"evil", "/tmp/consign-evil.txt")), @"
    hostile: 1 step
    failed    pull  failed to pull oci-layout:store:v1: `/tmp/consign-evil.txt` cannot be a title: it is absolute; a title is a relative path such as `docs/readme.md`
      --> plan.yaml:4:9
    failed:
      pull: failed to pull oci-layout:store:v1: `/tmp/consign-evil.txt` cannot be a title: it is absolute; a title is a relative path such as `docs/readme.md`
    1 failed in [TIME]
    run it again: what succeeded is found unchanged
    go on with `consign resume`: what ended well is taken over
    ");
    assert!(pull(|layout| layout.layer(b"evil", "a/../../evil.txt")).contains("a/../../evil.txt"));
    assert!(pull(|layout| layout.archive(&["x"], "..")).contains("`..`"));
}

#[test]
fn an_archive_does_not_lead_out() {
    assert_snapshot!(pull(|layout| layout.archive(&["docs/good.txt", "../evil.txt"], "docs")), @"
    hostile: 1 step
    failed    pull  failed to pull oci-layout:store:v1: the entry `../evil.txt` cannot be unpacked: it has a `..`
      --> plan.yaml:4:9
    failed:
      pull: failed to pull oci-layout:store:v1: the entry `../evil.txt` cannot be unpacked: it has a `..`
    1 failed in [TIME]
    run it again: what succeeded is found unchanged
    go on with `consign resume`: what ended well is taken over
    ");
    assert_snapshot!(pull(|layout| layout.archive(&["docs/good.txt", "docs/../../evil.txt"], "docs")), @"
    hostile: 1 step
    failed    pull  failed to pull oci-layout:store:v1: the entry `docs/../../evil.txt` cannot be unpacked: it has a `..`
      --> plan.yaml:4:9
    failed:
      pull: failed to pull oci-layout:store:v1: the entry `docs/../../evil.txt` cannot be unpacked: it has a `..`
    1 failed in [TIME]
    run it again: what succeeded is found unchanged
    go on with `consign resume`: what ended well is taken over
    ");
    assert_snapshot!(pull(|layout| layout.archive(&["docs/good.txt", "/tmp/consign-evil.txt"], "docs")), @"
    hostile: 1 step
    failed    pull  failed to pull oci-layout:store:v1: the entry `/tmp/consign-evil.txt` cannot be unpacked: it is absolute
      --> plan.yaml:4:9
    failed:
      pull: failed to pull oci-layout:store:v1: the entry `/tmp/consign-evil.txt` cannot be unpacked: it is absolute
    1 failed in [TIME]
    run it again: what succeeded is found unchanged
    go on with `consign resume`: what ended well is taken over
    ");
}

#[test]
fn content_that_is_not_what_its_digest_says_is_not_restored() {
    let swap = |layout: &Layout<'_>, content: &[u8]| {
        let layer = layout.layer(b"what was signed", "app.txt");
        let digest: Digest = layer["digest"].as_str().unwrap().parse().unwrap();
        fs::write(layout.folder.join("blobs/sha256").join(digest.hex()), content).unwrap();
        layer
    };
    assert_snapshot!(pull(|layout| swap(layout, b"what was forged")), @"
    hostile: 1 step
    failed    pull  failed to fetch app.txt: `sha256:646415a487f617a6e1af6f21f05e7d0dd645752577403df70b1f985ef39ee7d2` was wanted, but `sha256:75acfeb9931cb744bc1ef6c92ad2d04def15e207f0dbe63fa0d4a7c4c1598dff` came
      --> plan.yaml:4:9
    failed:
      pull: failed to fetch app.txt: `sha256:646415a487f617a6e1af6f21f05e7d0dd645752577403df70b1f985ef39ee7d2` was wanted, but `sha256:75acfeb9931cb744bc1ef6c92ad2d04def15e207f0dbe63fa0d4a7c4c1598dff` came
    1 failed in [TIME]
    run it again: what succeeded is found unchanged
    go on with `consign resume`: what ended well is taken over
    ");
    assert_snapshot!(pull(|layout| swap(layout, b"short")), @"
    hostile: 1 step
    failed    pull  failed to fetch app.txt: `sha256:646415a487f617a6e1af6f21f05e7d0dd645752577403df70b1f985ef39ee7d2` should have 15 bytes, but 5 came
      --> plan.yaml:4:9
    failed:
      pull: failed to fetch app.txt: `sha256:646415a487f617a6e1af6f21f05e7d0dd645752577403df70b1f985ef39ee7d2` should have 15 bytes, but 5 came
    1 failed in [TIME]
    run it again: what succeeded is found unchanged
    go on with `consign resume`: what ended well is taken over
    ");
    assert_snapshot!(pull(|layout| swap(layout, b"more than there was said to be")), @"
    hostile: 1 step
    failed    pull  failed to fetch app.txt: `sha256:646415a487f617a6e1af6f21f05e7d0dd645752577403df70b1f985ef39ee7d2` should have 15 bytes, but 30 came
      --> plan.yaml:4:9
    failed:
      pull: failed to fetch app.txt: `sha256:646415a487f617a6e1af6f21f05e7d0dd645752577403df70b1f985ef39ee7d2` should have 15 bytes, but 30 came
    1 failed in [TIME]
    run it again: what succeeded is found unchanged
    go on with `consign resume`: what ended well is taken over
    ");
}

#[test]
fn an_archive_that_breaks_off_leaves_nothing() {
    let broken = |layout: &Layout<'_>| {
        let mut layer = layout.layer(b"this is no gzip", "docs");
        layer["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar+gzip");
        layer["annotations"]["io.deis.oras.content.unpack"] = json!("true");
        layer
    };
    assert_snapshot!(pull(broken), @"
    hostile: 1 step
    failed    pull  failed to pull oci-layout:store:v1: the layer cannot be read: invalid gzip header
      --> plan.yaml:4:9
    failed:
      pull: failed to pull oci-layout:store:v1: the layer cannot be read: invalid gzip header
    1 failed in [TIME]
    run it again: what succeeded is found unchanged
    go on with `consign resume`: what ended well is taken over
    ");
}

#[test]
fn a_link_in_the_target_is_not_followed() {
    let test = Test::new(
        "\
consign: 1
name: hostile
steps:
  - id: pull
    pull: { from: \"oci-layout:store:v1\", to: download, if_exists: replace }
",
    )
    .file("secret/app.txt", "secret");
    let store = test.path("store");
    fs::create_dir_all(&store).unwrap();
    let layout = Layout { folder: &store };
    layout.tag(&[layout.layer(b"evil", "link/app.txt")]);
    fs::create_dir(test.path("download")).unwrap();
    symlink(test.path("secret"), test.path("download/link")).unwrap();
    let ran = test.run("run plan.yaml");
    assert_eq!(fs::read_to_string(test.path("secret/app.txt")).unwrap(), "secret");
    assert_snapshot!(ran.shown(), @"
    exit code 1
    --- stderr
    hostile: 1 step
    failed    pull  failed to pull oci-layout:store:v1: `[FOLDER]/download/link` is in the way: a directory never replaces a file, nor a file a directory
      --> plan.yaml:4:9
    failed:
      pull: failed to pull oci-layout:store:v1: `[FOLDER]/download/link` is in the way: a directory never replaces a file, nor a file a directory
    1 failed in [TIME]
    run it again: what succeeded is found unchanged
    go on with `consign resume`: what ended well is taken over
    ");
}

#[test]
fn a_link_out_of_a_pushed_folder_is_refused() {
    let test = Test::new(
        "\
consign: 1
name: hostile
steps:
  - id: push
    push: { to: \"localhost:5000/app:v1\", files: [{ path: docs }] }
",
    )
    .file("docs/a.txt", "a")
    .file("secret.txt", "secret");
    symlink("../secret.txt", test.path("docs/b.txt")).unwrap();
    assert_snapshot!(test.run("rehearse plan.yaml").shown(), @"
    exit code 1
    --- stderr
    hostile: 1 step
    failed    push  failed to pack the files: the symbolic link `[FOLDER]/docs/b.txt` leads to `../secret.txt`, out of the directory: let it be relative, with `..` at its beginning only, and stay inside
      --> plan.yaml:4:9
    failed:
      push: failed to pack the files: the symbolic link `[FOLDER]/docs/b.txt` leads to `../secret.txt`, out of the directory: let it be relative, with `..` at its beginning only, and stay inside
    1 failed in [TIME]
    run it again: what succeeded is found unchanged
    a real run:
      in                  needs       to
      localhost:5000/app  pull, push
    ");
    fs::remove_file(test.path("docs/b.txt")).unwrap();
    symlink("/etc/passwd", test.path("docs/b.txt")).unwrap();
    assert_snapshot!(test.run("rehearse plan.yaml").shown(), @"
    exit code 1
    --- stderr
    hostile: 1 step
    failed    push  failed to pack the files: the symbolic link `[FOLDER]/docs/b.txt` leads to `/etc/passwd`, out of the directory: let it be relative, with `..` at its beginning only, and stay inside
      --> plan.yaml:4:9
    failed:
      push: failed to pack the files: the symbolic link `[FOLDER]/docs/b.txt` leads to `/etc/passwd`, out of the directory: let it be relative, with `..` at its beginning only, and stay inside
    1 failed in [TIME]
    run it again: what succeeded is found unchanged
    a real run:
      in                  needs       to
      localhost:5000/app  pull, push
    ");
}

#[test]
fn a_target_out_of_the_work_folder_is_refused_before_anything_runs() {
    let plan = "\
consign: 1
inputs:
  TO: { default: ../download }
steps:
  - id: app
    push: { to: \"localhost:5000/app:v1\", files: [{ content: app, name: app.txt }] }
  - id: pull
    pull: { from: \"localhost:5000/app:v1\", to: \"${{ TO }}\" }
";
    assert_snapshot!(Test::new(plan).run("run plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: `../download` leads out of the work folder [FOLDER]: write below it, choose another with --workdir, or allow it: `allow: { write: ["file:…"] }`
     --> plan.yaml:8:48
      |
    8 |     pull: { from: "localhost:5000/app:v1", to: "${{ TO }}" }
      |                                                ^^^^^^^^^^^
    "#);
    assert_eq!(Test::new(plan).run("run plan.yaml --set TO=/tmp/consign-evil").code, 2);
}

#[test]
fn a_registry_does_not_command_the_terminal() {
    let test = Test::new(
        "\
consign: 1
name: hostile
steps:
  - id: pull
    pull: { from: \"oci-layout:store:v1\", to: download, print: tree }
",
    );
    let store = test.path("store");
    fs::create_dir_all(&store).unwrap();
    let layout = Layout { folder: &store };
    layout.tag(&[layout.layer(b"x", "a\u{1b}[2J\u{202e}b.txt")]);
    assert_snapshot!(test.run("run plan.yaml").shown(), @r"
    exit code 0
    --- stdout
    download
    └── a\u001b[2J\u202eb.txt
    --- stderr
    hostile: 1 step
    created   pull  download  [TIME]
    changed:
      created download
    1 created in [TIME]
    ");
}
