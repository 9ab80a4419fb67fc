//! The server as a whole: what the table of requests in `tests/conformance/` cannot say row by row.

mod cli;
mod garbage;

use std::{fs, path::Path, sync::Arc};

use consign::{
    oci::Digest,
    serve::{Htpasswd, ServeOptions},
};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Barrier,
    task::JoinSet,
};

use crate::store::server::{Running, layouts};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

fn ask(server: &Running, method: Method, path: &str) -> RequestBuilder {
    client().request(method, format!("http://{}{path}", server.name))
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

async fn push_blob(server: &Running, repository: &str, content: &str) -> Digest {
    let digest = Digest::sha256(content.as_bytes());
    let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
    assert_eq!(status(ask(server, Method::POST, &path).body(content.to_owned())).await, 201);
    digest
}

/// A manifest with one layer that says `content`, which is pushed before it.
async fn push_manifest(server: &Running, repository: &str, target: Option<&str>, content: &str) -> Digest {
    let config = push_blob(server, repository, "{}").await;
    let layer = push_blob(server, repository, content).await;
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"a/b","digest":"{config}","size":2}},"layers":[{{"mediaType":"a/b","digest":"{layer}","size":{}}}]}}"#,
        content.len()
    );
    let digest = Digest::sha256(manifest.as_bytes());
    let target = target.map_or_else(|| digest.to_string(), str::to_owned);
    let path = format!("/v2/{repository}/manifests/{target}");
    assert_eq!(status(ask(server, Method::PUT, &path).header("content-type", MANIFEST).body(manifest)).await, 201);
    digest
}

async fn on_layouts(root: &Path) -> Running {
    Running::start(layouts(root), ServeOptions::default()).await
}

#[tokio::test]
async fn an_upload_that_broke_off_goes_on_where_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let server = on_layouts(folder.path()).await;
    let content = "0123456789".repeat(100_000);
    let begun = ask(&server, Method::POST, "/v2/a/blobs/uploads/").send().await.unwrap();
    let place = begun.headers()["location"].to_str().unwrap().to_owned();
    let mut connection = TcpStream::connect(server.name.as_str()).await.unwrap();
    let head = format!("PATCH {place} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", content.len());
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(&content.as_bytes()[..700_000]).await.unwrap();
    connection.shutdown().await.unwrap();
    // The answer comes once all that arrived is kept.
    let mut answer = String::new();
    let _ = connection.read_to_string(&mut answer).await;
    let standing = ask(&server, Method::GET, &place).send().await.unwrap();
    assert_eq!(standing.status(), StatusCode::NO_CONTENT);
    assert_eq!(standing.headers()["range"], "0-699999");
    let rest = ask(&server, Method::PATCH, &place).header("content-range", "700000-999999");
    assert_eq!(status(rest.body(content[700_000..].to_owned())).await, 202);
    let digest = Digest::sha256(content.as_bytes());
    assert_eq!(status(ask(&server, Method::PUT, &format!("{place}?digest={digest}"))).await, 201);
    let pulled = ask(&server, Method::GET, &format!("/v2/a/blobs/{digest}")).send().await.unwrap();
    assert_eq!(pulled.text().await.unwrap(), content);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_create_a_tag_one_does() {
    const COUNT: usize = 16;
    let folder = tempfile::tempdir().unwrap();
    let server = Arc::new(on_layouts(folder.path()).await);
    let config = push_blob(&server, "a", "{}").await;
    let barrier = Arc::new(Barrier::new(COUNT));
    let mut tasks = JoinSet::new();
    for number in 0..COUNT {
        let (server, barrier, config) = (Arc::clone(&server), Arc::clone(&barrier), config.clone());
        tasks.spawn(async move {
            let manifest = format!(
                r#"{{"schemaVersion":2,"config":{{"mediaType":"a/b","digest":"{config}","size":2}},"annotations":{{"n":"{number}"}}}}"#
            );
            barrier.wait().await;
            let put = ask(&server, Method::PUT, "/v2/a/manifests/v1").header("content-type", MANIFEST);
            status(put.header("if-none-match", "*").body(manifest)).await
        });
    }
    let mut found = tasks.join_all().await;
    found.sort_unstable();
    let mut expected = vec![412; COUNT];
    expected[0] = 201;
    assert_eq!(found, expected);
}

#[tokio::test]
async fn strangers_get_a_question_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users");
    fs::write(&file, format!("jane:{}\n", bcrypt::hash("secret", 4).unwrap())).unwrap();
    let users = Some(Htpasswd::read(&file).unwrap());
    let server = Running::in_memory(ServeOptions { users, ..ServeOptions::default() }).await;
    for path in ["/v2/", "/v2/_catalog", "/v2/a/tags/list", "/metrics", "/v2/nonsense"] {
        let answer = ask(&server, Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(answer.headers()["www-authenticate"], r#"Basic realm="consign""#);
        assert!(answer.text().await.unwrap().contains(r#""code":"UNAUTHORIZED""#));
    }
    let upload = format!("/v2/a/blobs/uploads/?digest={}", Digest::sha256(b"x"));
    assert_eq!(status(ask(&server, Method::POST, &upload).body("x")).await, 401);
    assert_eq!(status(ask(&server, Method::POST, &upload).basic_auth("jane", Some("wrong")).body("x")).await, 401);
    assert_eq!(status(ask(&server, Method::POST, &upload).basic_auth("jane", Some("secret")).body("x")).await, 201);
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let digest = push_manifest(&on_layouts(folder.path()).await, "a/b", Some("v1"), "hello").await;
    let server = on_layouts(folder.path()).await;
    let answer = ask(&server, Method::HEAD, "/v2/a/b/manifests/v1").send().await.unwrap();
    assert_eq!(answer.headers()["docker-content-digest"], digest.to_string().as_str());
    let catalog = ask(&server, Method::GET, "/v2/_catalog").send().await.unwrap();
    assert_eq!(catalog.text().await.unwrap(), r#"{"repositories":["a/b"]}"#);
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_mounted_is_one_file() {
    use std::os::unix::fs::MetadataExt as _;

    let folder = tempfile::tempdir().unwrap();
    let server = on_layouts(folder.path()).await;
    let digest = push_blob(&server, "a", "hello").await;
    let mount = format!("/v2/b/c/blobs/uploads/?mount={digest}&from=a");
    assert_eq!(status(ask(&server, Method::POST, &mount)).await, 201);
    let file = |name: &str| fs::metadata(folder.path().join(name).join("blobs/sha256").join(digest.hex())).unwrap();
    assert_eq!(file("a").ino(), file("b/c").ino());
}

#[tokio::test]
async fn nonsense_is_answered_and_harms_nobody() {
    let server = Running::in_memory(ServeOptions::default()).await;
    let long = "x".repeat(1_000_000);
    for nonsense in [
        "\r\n\r\n",
        "\u{0}\u{1}\u{2}\r\n\r\n",
        "GET\r\n\r\n",
        "GET /v2/ HTTP/9.9\r\n\r\n",
        "GET /v2/%%%/tags/list HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /v2/a/blobs/sha256:%00 HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /v2/a/tags/list?n=99999999999999999999999999 HTTP/1.1\r\nhost: x\r\n\r\n",
        "PATCH /v2/a/blobs/uploads/x HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n",
        "PUT /v2/a/manifests/v1 HTTP/1.1\r\nhost: x\r\ncontent-length: 4194305\r\n\r\n",
        "BREW /v2/a/manifests/v1 HTTP/1.1\r\nhost: x\r\n\r\n",
        &format!("GET /v2/{long} HTTP/1.1\r\nhost: x\r\n\r\n"),
        &format!("GET /v2/ HTTP/1.1\r\nhost: x\r\nx: {long}\r\n\r\n"),
    ] {
        let mut connection = TcpStream::connect(server.name.as_str()).await.unwrap();
        // The server may hang up before it has read all.
        let _ = connection.write_all(nonsense.as_bytes()).await;
        let _ = connection.shutdown().await;
        let mut answer = Vec::new();
        let _ = connection.read_to_end(&mut answer).await;
        let text = String::from_utf8_lossy(&answer);
        assert!(!text.contains(" 200 ") && !text.contains(" 500 "), "{nonsense:.60}: {text:.200}");
        assert_eq!(status(ask(&server, Method::GET, "/v2/")).await, 200, "{nonsense:.60}");
    }
}

#[tokio::test]
async fn requests_are_counted() {
    let server = Running::in_memory(ServeOptions::default()).await;
    push_blob(&server, "a", "hello").await;
    let text = ask(&server, Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    assert!(text.contains("consign_requests_total{method=\"POST\",status=\"201\"} 1\n"), "{text}");
    assert!(text.contains("consign_blob_bytes_received_total 5\n"), "{text}");
}
