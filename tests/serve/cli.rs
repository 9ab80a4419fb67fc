//! `consign serve` and `consign gc` as programs.

use crate::cli::test::Test;

#[cfg(unix)]
#[tokio::test]
async fn serve_says_where_it_listens_and_stops_when_asked() {
    use std::{
        io::{BufRead, BufReader, Read},
        process::{Command, Stdio},
    };

    let folder = tempfile::tempdir().unwrap();
    let mut server = Command::new(env!("CARGO_BIN_EXE_consign"))
        .args(["serve", "--listen", "127.0.0.1:0", "--root", "root", "--no-referrers", "--max-blob-size", "1KiB"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let base = format!("http://{}/v2/", line.trim_end());
    let client = super::client();
    assert_eq!(client.get(&base).header("user-agent", "test").send().await.unwrap().status(), 200);
    let large = client.post(format!("{base}a/blobs/uploads/?digest={}", consign::oci::Digest::sha256(b"x")));
    assert_eq!(large.body("x".repeat(1025)).send().await.unwrap().status(), 413);
    assert!(Command::new("kill").arg(server.id().to_string()).status().unwrap().success());
    assert_eq!(server.wait().unwrap().code(), Some(0));
    let mut log = String::new();
    server.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.starts_with("127.0.0.1 - - ["), "{log}");
    assert!(log.contains(r#""GET /v2/ HTTP/1.1" 200 2 "" "test" "#), "{log}");
    assert!(folder.path().join("root/.uploads").is_dir());
}

#[test]
fn what_cannot_be_served_is_said_before_anybody_asks() {
    let test = Test::new("").file("users", "jane:secret\n").file("layout/oci-layout", "{}").file("file", "");
    for (arguments, message) in [
        ("--htpasswd absent", "error: absent: No such file or directory (os error 2)\n"),
        ("--htpasswd users", "error: users:1: it takes `user:hash` with a bcrypt hash, as `htpasswd -B` writes it\n"),
        (
            "--tls-cert file --tls-key file",
            "error: file: there is no certificate in it; it takes the server's own first",
        ),
        ("--tls-cert file", "error: the following required arguments were not provided:\n  --tls-key <FILE>\n"),
        ("--root layout", "error: layout: it is an image layout itself: name the folder that has layouts in it\n"),
        ("--listen 5000", "error: invalid value '5000' for '--listen <ADDRESS>': invalid socket address syntax\n"),
        ("--max-blob-size 1MB", "write bytes, or a number with `KiB`, `MiB` or `GiB`\n"),
    ] {
        let ran = test.run(&format!("serve {arguments}"));
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments}");
        assert!(ran.stderr.contains(message), "{}", ran.stderr);
    }
}

#[test]
fn gc_says_what_it_removes() {
    let test = Test::new("").file("root/a/b/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    let hex = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let test =
        test.file(&format!("root/a/b/blobs/sha256/{hex}"), "hello").file("root/a/b/index.json", r#"{"manifests":[]}"#);
    let dry = test.run("gc --root root --grace 0 --dry-run");
    insta::assert_snapshot!(dry.shown(), @r"
    exit code 0
    --- stdout
    blob a/b@sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824 5
    --- stderr
    1 would be removed, 5 B
    ");
    assert_eq!(test.run("gc --root root").stderr, "0 removed, 0 B\n", "what is young stays");
    let removed = test.run("gc --root root --grace 0s");
    assert_eq!((removed.stdout, removed.stderr.as_str()), (dry.stdout, "1 removed, 5 B\n"));
    assert!(!test.path(&format!("root/a/b/blobs/sha256/{hex}")).exists());
    assert_eq!(test.run("gc --root nowhere").code, 2);
}
