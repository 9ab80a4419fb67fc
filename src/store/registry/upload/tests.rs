//! Blobs on their way to a registry that takes them in its own way.

use bytes::Bytes;

use super::{
    super::{
        Credentials, Registries, RegistryOptions,
        testing::{Received, Reply, Server, registries},
    },
    *,
};
use crate::{
    oci::{ImageManifest, Manifest},
    store::{ContentError, Store},
};

fn blob(size: usize) -> (Descriptor, Source) {
    let bytes = vec![b'x'; size];
    (Descriptor::of("a/b", &bytes), Source::bytes(bytes))
}

#[tokio::test]
async fn a_push_asks_and_sends_only_what_it_must() {
    let server = Server::start().await;
    let registries = registries(Credentials::none());
    let store = registries.repository(&server.name, &"a".parse().unwrap());
    let (tiny, small) = (blob(2), blob(5000));
    for (blob, source) in [&tiny, &small] {
        assert_eq!(store.push_blob(blob, source, None).await.unwrap(), Delivery::Copied);
        assert_eq!(store.push_blob(blob, source, None).await.unwrap(), Delivery::Existing);
    }
    let manifest = Manifest::from_image(ImageManifest { layers: vec![small.0], ..ImageManifest::new(tiny.0) });
    let (manifest, tag) = (manifest.unwrap(), "v1".parse().unwrap());
    for _ in 0..2 {
        store.push_manifest(&manifest, Some(&tag)).await.unwrap();
    }
    store.push_manifest(&manifest, None).await.unwrap();
    assert_eq!(store.resolve(&tag.clone().into()).await.unwrap(), Some(manifest.descriptor()));
    assert_eq!(store.manifest(&tag.into()).await.unwrap().unwrap().bytes(), manifest.bytes());
    assert_eq!(
        server.log(),
        [
            "POST /v2/a/blobs/uploads/?digest=sha256:5dde",
            "PUT /v2/a/blobs/uploads/session?state=x&digest=sha256:5dde",
            "HEAD /v2/a/blobs/sha256:c59d",
            "POST /v2/a/blobs/uploads/",
            "PUT /v2/a/blobs/uploads/session?state=x&digest=sha256:c59d",
            "PUT /v2/a/manifests/v1",
        ]
    );
}

#[tokio::test]
async fn who_goes_on_with_an_earlier_run_asks_for_what_is_small_too() {
    let server = Server::start().await;
    let options = RegistryOptions { credentials: Credentials::none(), goes_on: true, ..RegistryOptions::default() };
    let store = Registries::new(options).unwrap().repository(&server.name, &"a".parse().unwrap());
    let (blob, source) = blob(2);
    assert_eq!(store.push_blob(&blob, &source, None).await.unwrap(), Delivery::Copied);
    assert_eq!(
        server.log(),
        [
            "HEAD /v2/a/blobs/sha256:5dde",
            "POST /v2/a/blobs/uploads/?digest=sha256:5dde",
            "PUT /v2/a/blobs/uploads/session?state=x&digest=sha256:5dde",
        ]
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    let length = 65 << 20;
    file.as_file().set_len(length).unwrap();
    assert_eq!(store.push_unhashed(&Unhashed::file(file.path(), "large", length)).await, None);
    assert!(server.log().is_empty());
}

#[tokio::test]
async fn what_another_repository_has_is_mounted() {
    let server = Server::start().await;
    let registries = registries(Credentials::none());
    let (a, b) = ("a".parse().unwrap(), "b".parse().unwrap());
    let (blob, source) = blob(5000);
    registries.repository(&server.name, &a).push_blob(&blob, &source, None).await.unwrap();
    server.log();
    let delivery = registries.repository(&server.name, &b).push_blob(&blob, &source, None).await.unwrap();
    assert_eq!(delivery, Delivery::Mounted);
    assert_eq!(server.log(), ["POST /v2/b/blobs/uploads/?mount=sha256:c59d&from=a"]);
    // Another run knows nothing, but was told where the blob is.
    let from = Repository::Registry { registry: server.name.clone(), name: a };
    let delivery = server.store("c").push_blob(&blob, &source, Some(&from)).await.unwrap();
    assert_eq!(delivery, Delivery::Mounted);
    assert_eq!(server.log(), ["POST /v2/c/blobs/uploads/?mount=sha256:c59d&from=a"]);
}

#[tokio::test]
async fn a_registry_that_mounts_is_asked_by_mounting_from_the_repository_itself() {
    let server = Server::start().await;
    let registries = registries(Credentials::none());
    let (a, b) = (&"a".parse().unwrap(), &"b".parse().unwrap());
    let (a, b) = (registries.repository(&server.name, a), registries.repository(&server.name, b));
    let (shared, there, new) = (blob(5000), blob(6000), blob(7000));
    server.store("b").push_blob(&there.0, &there.1, None).await.unwrap();
    for store in [&a, &b] {
        store.push_blob(&shared.0, &shared.1, None).await.unwrap();
    }
    server.log();
    assert_eq!(b.push_blob(&there.0, &there.1, None).await.unwrap(), Delivery::Existing);
    assert_eq!(b.push_blob(&new.0, &new.1, None).await.unwrap(), Delivery::Copied);
    let log = server.log();
    let mount =
        |blob: &Descriptor| format!("POST /v2/b/blobs/uploads/?mount=sha256:{}&from=b", &blob.digest.hex()[..4]);
    assert_eq!(log[..2], [mount(&there.0), mount(&new.0)]);
    assert!(log.len() == 3 && log[2].starts_with("PUT "), "{log:?}");
}

#[tokio::test]
async fn what_goes_to_many_repositories_at_once_is_sent_once_where_the_registry_mounts() {
    for mounts in [true, false] {
        let server = Server::with(move |received, shelf| {
            let is_mount = received.query.contains("mount=") && !mounts;
            is_mount.then(|| shelf.answer(&Received { query: String::new(), ..received.clone() }))
        })
        .await;
        let registries = registries(Credentials::none());
        let (blob, source) = blob(5000);
        let stores = (0..8).map(|number| registries.repository(&server.name, &format!("a{number}").parse().unwrap()));
        let pushes = stores.map(|store| {
            let (blob, source) = (&blob, &source);
            async move { store.push_blob(blob, source, None).await }
        });
        let deliveries = futures_util::future::try_join_all(pushes).await.unwrap();
        let mounted = deliveries.iter().filter(|delivery| **delivery == Delivery::Mounted).count();
        let puts = server.log().iter().filter(|line| line.starts_with("PUT ")).count();
        assert_eq!((mounted, puts), if mounts { (7, 1) } else { (0, 8) });
    }
}

#[tokio::test]
async fn a_mount_that_is_not_done_goes_on_in_its_session() {
    let server = Server::start().await;
    let (blob, source) = blob(5000);
    let from = Repository::Registry { registry: server.name.clone(), name: "a".parse().unwrap() };
    let delivery = server.store("b").push_blob(&blob, &source, Some(&from)).await.unwrap();
    assert_eq!(delivery, Delivery::Copied);
    assert_eq!(
        server.log(),
        [
            "POST /v2/b/blobs/uploads/?mount=sha256:c59d&from=a",
            "PUT /v2/b/blobs/uploads/session?state=x&digest=sha256:c59d",
        ]
    );
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_asking() {
    let mut is_lost = false;
    let server = Server::with(move |received, shelf| {
        let loses = received.method == "PUT" && !std::mem::replace(&mut is_lost, received.method == "PUT");
        loses.then(|| {
            shelf.answer(received);
            Reply::cut()
        })
    })
    .await;
    let (blob, source) = blob(2);
    assert_eq!(server.store("a").push_blob(&blob, &source, None).await.unwrap(), Delivery::Copied);
    assert_eq!(
        server.log(),
        [
            "POST /v2/a/blobs/uploads/?digest=sha256:5dde",
            "PUT /v2/a/blobs/uploads/session?state=x&digest=sha256:5dde",
            "HEAD /v2/a/blobs/sha256:5dde",
        ]
    );
}

#[tokio::test]
async fn a_session_that_is_gone_starts_anew_with_the_whole_body() {
    let mut failures = 2;
    let server = Server::with(move |received, shelf| {
        let fails = received.method == "PUT" && failures > 0;
        failures -= i32::from(fails);
        fails.then(|| {
            shelf.sessions.clear();
            if failures == 1 { Reply::cut() } else { Reply::status(503) }
        })
    })
    .await;
    let (blob, source) = blob(3_000_000);
    assert_eq!(server.store("a").push_blob(&blob, &source, None).await.unwrap(), Delivery::Copied);
    let puts: Vec<_> = server.received().into_iter().filter(|received| received.method == "PUT").collect();
    assert_eq!(puts.len(), 3);
    assert!(puts.iter().all(|put| put.body.len() == 3_000_000 && put.header("content-length") == Some("3000000")));
    assert!(puts.iter().all(|put| put.header("transfer-encoding").is_none()));
}

/// What went over the wire: the requests of an upload without their URLs, and what each brought.
fn sent(server: &Server) -> Vec<(String, usize)> {
    let shown = |received: &Received| {
        let range = received.header("content-range").map(|range| format!(" {range}")).unwrap_or_default();
        (format!("{}{range}", received.method), received.body.len())
    };
    server.received().iter().map(shown).collect()
}

fn line(text: &str, bytes: usize) -> (String, usize) {
    (text.to_owned(), bytes)
}

/// A blob that is not the same everywhere.
fn varied(size: usize) -> (Descriptor, Source) {
    let bytes: Vec<u8> = (0..size).map(|at| u8::try_from(at / 1000 % 251).unwrap()).collect();
    (Descriptor::of("a/b", &bytes), Source::bytes(bytes))
}

#[tokio::test]
async fn an_upload_that_broke_off_goes_on_where_the_registry_kept_it() {
    for keeps_pieces in [true, false] {
        let server = Server::start().await;
        server.shelf(|shelf| shelf.keeps_pieces = keeps_pieces);
        let mut cuts = vec![2_500_000];
        server.cut(move |received| if received.body_is_large() { cuts.pop() } else { None });
        let (blob, source) = varied(3_000_000);
        assert_eq!(server.store("a").push_blob(&blob, &source, None).await.unwrap(), Delivery::Copied);
        let kept = if keeps_pieces { 2_500_000 } else { 0 };
        assert_eq!(
            sent(&server),
            [
                line("HEAD", 0),
                line("POST", 0),
                line("PUT", 2_500_000),
                line("HEAD", 0),
                line("GET", 0),
                line(&format!("PATCH {kept}-2999999"), 3_000_000 - kept),
                line("PUT", 0),
            ]
        );
        assert!(server.shelf(|shelf| shelf.sessions.is_empty() && shelf.blobs.len() == 1));
    }
}

#[tokio::test]
async fn what_is_too_large_goes_in_parts_and_the_next_blob_too() {
    let mut found = Vec::new();
    for (least, limit) in [(None, 1024 * 1024), (Some("2000000"), 2_000_000), (Some("3000000"), 2_000_000)] {
        let server = Server::with(move |received, shelf| {
            let is_too_large = received.body.len() > limit;
            let mut reply = if is_too_large { Reply::status(413).body("<html>") } else { shelf.answer(received) };
            if let Some(least) = least.filter(|_| received.method == "POST") {
                reply = reply.header("oci-chunk-min-length", least);
            }
            Some(reply)
        })
        .await;
        let registries = registries(Credentials::none());
        let store = registries.repository(&server.name, &"a".parse().unwrap());
        let mut results = Vec::new();
        for size in [3_500_000, 3_500_001] {
            let (blob, source) = varied(size);
            results.push(store.push_blob(&blob, &source, None).await.is_ok());
            let sent = sent(&server).into_iter().map(|(line, _)| line).collect::<Vec<_>>();
            found.push((results.clone(), sent.join(", ")));
        }
    }
    let mib = "HEAD, POST, PUT, GET, PATCH 0-1048575, PATCH 1048576-2097151, PATCH 2097152-3145727, PATCH 3145728-3499999, PUT";
    let mib_again =
        "HEAD, POST, PATCH 0-1048575, PATCH 1048576-2097151, PATCH 2097152-3145727, PATCH 3145728-3500000, PUT";
    let least = "HEAD, POST, PUT, GET, PATCH 0-1999999, PATCH 2000000-3499999, PUT";
    let least_again = "HEAD, POST, PATCH 0-1999999, PATCH 2000000-3500000, PUT";
    assert_eq!(
        found[..4].iter().map(|(_, sent)| sent.as_str()).collect::<Vec<_>>(),
        [mib, mib_again, least, least_again]
    );
    assert!(found[3].0.iter().all(|is_there| *is_there));
    // What cannot be is an error, not a circle.
    assert_eq!(found[5].0, [false, false]);
}

#[tokio::test]
async fn a_registry_that_drops_all_but_the_first_part_gets_the_whole() {
    let mut parts = 0;
    let server = Server::with(move |received, shelf| {
        if received.body.len() > 2_000_000 && received.method == "PUT" && parts == 0 {
            return Some(Reply::status(413));
        }
        if received.method != "PATCH" {
            return None;
        }
        parts += 1;
        // As ECR does it.
        let dropped = Received { body: Bytes::new(), ..received.clone() };
        let reply =
            if parts == 1 { shelf.answer(received) } else { shelf.answer(&Received { headers: [].into(), ..dropped }) };
        Some(Reply { status: 201, ..reply })
    })
    .await;
    let (blob, source) = varied(3_000_000);
    let registries = registries(Credentials::none());
    let store = registries.repository(&server.name, &"a".parse().unwrap());
    assert_eq!(store.push_blob(&blob, &source, None).await.unwrap(), Delivery::Copied);
    store.settle().await.unwrap();
    assert_eq!(server.shelf(|shelf| (shelf.blobs.len(), shelf.sessions.len())), (1, 0));
}

#[tokio::test]
async fn a_part_that_is_refused_as_a_range_is_asked_about_and_made_smaller() {
    const LIMIT: usize = 4 * 1024 * 1024;
    let server = Server::with(move |received, shelf| {
        // As GHCR does it: only parts have a limit.
        let is_part = received.header("content-range").is_some();
        let is_refused = is_part && received.body.len() > LIMIT;
        is_refused.then(|| Reply {
            status: 416,
            ..shelf.answer(&Received {
                method: "GET".to_owned(),
                body: Bytes::new(),
                headers: [].into(),
                ..received.clone()
            })
        })
    })
    .await;
    server.shelf(|shelf| shelf.keeps_pieces = true);
    let mut cuts = vec![1_000_000];
    server.cut(move |received| if received.body_is_large() { cuts.pop() } else { None });
    let (blob, source) = varied(7_000_000);
    assert_eq!(server.store("a").push_blob(&blob, &source, None).await.unwrap(), Delivery::Copied);
    let sent: Vec<_> = sent(&server).into_iter().map(|(line, _)| line).collect();
    assert_eq!(
        sent.join(", "),
        "HEAD, POST, PUT, HEAD, GET, PATCH 1000000-6999999, GET, PATCH 1000000-5194303, PATCH 5194304-6999999, PUT"
    );
}

#[tokio::test]
async fn a_session_that_nobody_uses_any_more_is_cancelled() {
    let server = Server::with(|received, _| (received.method == "PUT").then(|| Reply::status(403))).await;
    let (blob, source) = blob(2);
    let store = server.store("a");
    store.push_blob(&blob, &source, None).await.unwrap_err();
    store.settle().await.unwrap();
    assert!(server.shelf(|shelf| shelf.sessions.is_empty()));
    assert_eq!(server.log().last().map(String::as_str), Some("DELETE /v2/a/blobs/uploads/session?state=x"));
    // Also where nobody waits for the push any more.
    let server = Server::start().await;
    server.cut(|received| (received.method == "PUT").then_some(0));
    let store = server.store("a");
    let mut push = Box::pin(store.push_blob(&blob, &source, None));
    let mut log = Vec::new();
    while !log.iter().any(|line: &String| line.starts_with("PUT")) {
        assert!(futures_util::poll!(&mut push).is_pending());
        tokio::task::yield_now().await;
        log.extend(server.log());
    }
    drop(push);
    store.settle().await.unwrap();
    assert!(server.shelf(|shelf| shelf.sessions.is_empty()));
}

#[tokio::test]
async fn one_blob_is_sent_once_however_many_push_it() {
    let server = Server::start().await;
    let store = server.store("a");
    let (blob, source) = blob(5000);
    let pushes = (0..8).map(|_| store.push_blob(&blob, &source, None));
    let mut deliveries = futures_util::future::try_join_all(pushes).await.unwrap();
    deliveries.sort_by_key(|delivery| *delivery == Delivery::Existing);
    assert_eq!(deliveries[0], Delivery::Copied);
    assert!(deliveries[1..].iter().all(|delivery| *delivery == Delivery::Existing));
    assert_eq!(server.log().len(), 3);
}

#[tokio::test]
async fn content_that_is_something_else_is_not_stored_and_not_tried_again() {
    for size in [2, 3_000_000] {
        let server = Server::start().await;
        let wrong = Source::bytes(vec![b'y'; size]);
        let error = server.store("a").push_blob(&blob(size).0, &wrong, None).await.unwrap_err();
        assert!(matches!(error, StoreError::Content(ContentError::Digest { .. })), "{error}");
        assert!(server.shelf(|shelf| shelf.blobs.is_empty()));
    }
}

#[tokio::test]
async fn copies_within_one_registry_do_not_wait_for_each_other_for_ever() {
    let server = Server::with(|received, _| {
        received.query.contains("mount").then(|| Reply::status(202).header("location", "/v2/b/blobs/uploads/1"))
    })
    .await;
    let blobs: Vec<_> = (0..12_u8).map(|seed| Bytes::from([vec![seed], vec![b'x'; 2_000_000]].concat())).collect();
    let name = server.name.clone();
    server.shelf(|shelf| {
        for blob in &blobs {
            shelf.blobs.insert(("a".to_owned(), Descriptor::of("", blob).digest), blob.clone());
        }
    });
    let options = super::super::RegistryOptions { concurrency: 1, ..Default::default() };
    let registries = super::super::Registries::new(options).unwrap();
    let source = registries.repository(&name, &"a".parse().unwrap());
    let target = registries.repository(&name, &"b".parse().unwrap());
    let descriptors: Vec<_> = blobs.iter().map(|blob| Descriptor::of("a/b", blob)).collect();
    let from = source.repository().clone();
    let source = Source::blob(source);
    let pushes = descriptors.iter().map(|blob| target.push_blob(blob, &source, Some(&from)));
    let deliveries = futures_util::future::try_join_all(pushes).await.unwrap();
    assert!(deliveries.iter().all(|delivery| *delivery == Delivery::Copied));
    assert_eq!(server.shelf(|shelf| shelf.blobs.len()), 24);
}

#[tokio::test]
async fn what_is_large_goes_apart_from_its_end_unless_the_registry_does_not_know_that() {
    let size = usize::try_from(Way::STREAMED).unwrap() + 1;
    for knows_patch in [true, false] {
        let server = Server::with(move |received, _| {
            (!knows_patch && received.method == "PATCH").then(|| Reply::status(405).body("not allowed"))
        })
        .await;
        let store = server.store("a");
        let (blob, source) = blob(size);
        assert_eq!(store.push_blob(&blob, &source, None).await.unwrap(), Delivery::Copied);
        store.settle().await.unwrap();
        let mut sent = sent(&server);
        sent.retain(|(line, _)| line != "DELETE");
        let mut expected = vec![line("HEAD", 0), line("POST", 0), line("PATCH", size)];
        if knows_patch {
            expected.push(line("PUT", 0));
        } else {
            expected.extend([line("POST", 0), line("PUT", size)]);
        }
        assert_eq!(sent, expected);
        assert!(server.shelf(|shelf| shelf.sessions.is_empty()));
    }
}

/// A file that is large enough to be streamed, as long as it may be.
fn large_file() -> (tempfile::NamedTempFile, Unhashed, Descriptor) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let size = Way::STREAMED + 1;
    file.as_file().set_len(size).unwrap();
    let content = vec![0; usize::try_from(size).unwrap()];
    let unhashed = Unhashed::file(file.path(), "large", size);
    (file, unhashed, Descriptor::of("a/b", &content))
}

#[tokio::test]
async fn a_file_that_is_not_hashed_yet_is_read_once() {
    let server = Server::start().await;
    let store = server.store("a");
    let (file, unhashed, blob) = large_file();
    assert_eq!(store.push_unhashed(&unhashed).await, Some(blob.digest.clone()));
    let source = Source::file(file.path());
    assert_eq!(store.push_blob(&blob, &source, None).await.unwrap(), Delivery::Existing);
    let digest = blob.digest.hex();
    assert_eq!(
        server.log(),
        [
            "POST /v2/a/blobs/uploads/",
            "PATCH /v2/a/blobs/uploads/session?state=x",
            &format!("PUT /v2/a/blobs/uploads/session?state=x&digest=sha256:{}", &digest[..4]),
        ]
    );
    assert_eq!(store.push_unhashed(&Unhashed::file(file.path(), "small", 100)).await, None);
    assert_eq!(server.log(), [""; 0]);
}

#[tokio::test]
async fn what_broke_off_unhashed_goes_on_where_the_registry_kept_it() {
    let server = Server::start().await;
    server.shelf(|shelf| shelf.keeps_pieces = true);
    let mut cuts = vec![50_000_000];
    server.cut(move |received| if received.body_is_large() { cuts.pop() } else { None });
    let (_file, unhashed, blob) = large_file();
    assert_eq!(server.store("a").push_unhashed(&unhashed).await, Some(blob.digest.clone()));
    let size = usize::try_from(blob.size).unwrap();
    let rest = line(&format!("PATCH 50000000-{}", size - 1), size - 50_000_000);
    assert_eq!(sent(&server), [line("POST", 0), line("PATCH", 50_000_000), line("GET", 0), rest, line("PUT", 0)]);
    assert!(server.shelf(|shelf| shelf.sessions.is_empty() && shelf.blobs.len() == 1));
}

#[tokio::test]
async fn what_is_not_taken_unhashed_can_still_be_pushed() {
    for method in ["POST", "PATCH", "PUT"] {
        let mut is_refused = false;
        let server = Server::with(move |received, _| {
            let refuses = received.method == method && !std::mem::replace(&mut is_refused, received.method == method);
            refuses.then(|| Reply::status(403))
        })
        .await;
        let store = server.store("a");
        let (file, unhashed, blob) = large_file();
        assert_eq!(store.push_unhashed(&unhashed).await, None, "{method}");
        assert!(!store.has_blob(&blob).await.unwrap(), "{method}");
        let source = Source::file(file.path());
        assert_eq!(store.push_blob(&blob, &source, None).await.unwrap(), Delivery::Copied, "{method}");
    }
}
