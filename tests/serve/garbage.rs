//! What is removed, and what is not.

use std::{path::Path, time::Duration};

use consign::store::{Garbage, GarbageOptions, LayoutRoot};
use reqwest::Method;

use super::{MANIFEST, ask, on_layouts, push_blob, push_manifest, status};

const NOW: GarbageOptions = GarbageOptions { grace: Duration::ZERO, keep_untagged: false, dry_run: false };

fn collect(root: &Path, options: &GarbageOptions) -> Vec<Garbage> {
    let root = LayoutRoot::existing(root).unwrap();
    let mut garbage = root.collect_uploads(options).unwrap();
    for (_, layout) in root.repositories().unwrap() {
        garbage.extend(layout.collect_garbage(options).unwrap());
    }
    garbage
}

/// The digests of manifests and blobs.
fn digests(garbage: &[Garbage]) -> Vec<String> {
    let mut digests: Vec<_> = garbage
        .iter()
        .filter_map(|item| match item {
            Garbage::Manifest { digest, .. } | Garbage::Blob { digest, .. } => Some(digest.to_string()),
            Garbage::Unfinished { .. } => None,
        })
        .collect();
    digests.sort();
    digests
}

fn sorted(digests: &[&consign::oci::Digest]) -> Vec<String> {
    let mut digests: Vec<_> = digests.iter().map(ToString::to_string).collect();
    digests.sort();
    digests
}

#[tokio::test]
async fn what_nothing_reaches_is_removed_beside_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = on_layouts(folder.path()).await;
    let tagged = push_manifest(&server, "a", Some("v1"), "tagged").await;
    let child = push_manifest(&server, "a", None, "child").await;
    let size = ask(&server, Method::HEAD, &format!("/v2/a/manifests/{child}")).send().await.unwrap();
    let size = size.headers()["content-length"].to_str().unwrap().to_owned();
    let index =
        format!(r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{MANIFEST}","digest":"{child}","size":{size}}}]}}"#);
    let put = ask(&server, Method::PUT, "/v2/a/manifests/all");
    let index_type = "application/vnd.oci.image.index.v1+json";
    assert_eq!(status(put.header("content-type", index_type).body(index)).await, 201);
    let refer = |subject: &consign::oci::Digest| {
        let config = consign::oci::Digest::sha256(b"{}");
        let manifest = format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"a/b","digest":"{config}","size":2}},"subject":{{"mediaType":"{MANIFEST}","digest":"{subject}","size":1}}}}"#
        );
        let digest = consign::oci::Digest::sha256(manifest.as_bytes());
        let put = ask(&server, Method::PUT, &format!("/v2/a/manifests/{digest}"));
        (digest, put.header("content-type", MANIFEST).body(manifest))
    };
    let (signature, put) = refer(&child);
    assert_eq!(status(put).await, 201);
    let loose = push_manifest(&server, "a", None, "loose").await;
    let loose_layer = consign::oci::Digest::sha256(b"loose");
    let (orphan, put) = refer(&loose);
    assert_eq!(status(put).await, 201);
    let blob = push_blob(&server, "a", "nobody's").await;

    let expected = sorted(&[&loose, &loose_layer, &orphan, &blob]);
    let dry = GarbageOptions { dry_run: true, ..NOW };
    assert_eq!(digests(&collect(folder.path(), &dry)), expected);
    let patient = GarbageOptions { grace: Duration::from_mins(1), ..NOW };
    assert_eq!(collect(folder.path(), &patient), [], "what is young stays");
    let keeping = GarbageOptions { keep_untagged: true, ..dry };
    assert_eq!(digests(&collect(folder.path(), &keeping)), sorted(&[&blob]));
    assert_eq!(digests(&collect(folder.path(), &NOW)), expected);
    assert_eq!(collect(folder.path(), &NOW), []);

    for digest in [&tagged, &child, &signature] {
        assert_eq!(status(ask(&server, Method::GET, &format!("/v2/a/manifests/{digest}"))).await, 200, "{digest}");
    }
    for digest in [&loose, &orphan] {
        assert_eq!(status(ask(&server, Method::GET, &format!("/v2/a/manifests/{digest}"))).await, 404, "{digest}");
    }
    let referrers = ask(&server, Method::GET, &format!("/v2/a/referrers/{loose}")).send().await.unwrap();
    assert!(referrers.text().await.unwrap().contains(r#""manifests":[]"#));
    // What went is missed, so that nothing is stored that is not whole.
    assert_eq!(status(ask(&server, Method::HEAD, &format!("/v2/a/blobs/{blob}"))).await, 404);
    push_manifest(&server, "a", Some("again"), "loose").await;
}

#[tokio::test]
async fn an_upload_at_work_is_left_alone_and_one_of_a_dead_process_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = on_layouts(folder.path()).await;
    let begun = ask(&server, Method::POST, "/v2/a/blobs/uploads/").send().await.unwrap();
    let place = begun.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(status(ask(&server, Method::PATCH, &place).body("hello")).await, 202);
    let left = folder.path().join(".uploads/.tmpAbCdEf");
    std::fs::write(&left, "half").unwrap();
    assert_eq!(collect(folder.path(), &NOW), [Garbage::Unfinished { path: left.clone(), size: 4 }]);
    assert!(!left.exists());
    let digest = consign::oci::Digest::sha256(b"hello");
    assert_eq!(status(ask(&server, Method::PUT, &format!("{place}?digest={digest}"))).await, 201);
}
