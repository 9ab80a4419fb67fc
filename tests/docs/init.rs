//! A first plan.

use std::fs;

use tempfile::TempDir;

use super::{Said, consign_in};

#[track_caller]
fn wrote(said: &Said, folder: &str) {
    let path = |name: &str| format!("{folder}{name}");
    let files = ["release.yaml", "release/hello", "release/hello.spdx.json"].map(path);
    assert_eq!(said.stdout, format!("{}\n", files.join("\n")));
    let hint = format!("`consign rehearse {}` runs it without a registry\n", files[0]);
    assert_eq!((said.code, &said.stderr), (Some(0), &hint));
}

#[test]
fn it_is_right_and_can_be_rehearsed() {
    let folder = TempDir::new().unwrap();
    wrote(&consign_in(folder.path(), &["init", "first/plan"]), "first/plan/");
    let within = folder.path().join("first/plan");
    let said = consign_in(&within, &["check", "release.yaml"]);
    assert_eq!(
        (said.code, said.stdout.as_str(), said.stderr.as_str()),
        (Some(0), "", "release.yaml: 4 steps, nothing wrong\n")
    );
    let said = consign_in(&within, &["rehearse", "release.yaml"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let tree = "localhost:5000/hello:1.0.0\n└── application/spdx+json\n    └── sha256:";
    assert!(said.stdout.starts_with(tree), "{}", said.stdout);
    for fault in ["attach:503*2", "no-referrers"] {
        assert_eq!(consign_in(&within, &["rehearse", "release.yaml", "--fault", fault]).code, Some(0), "{fault}");
    }
}

#[test]
fn nothing_is_overwritten() {
    let folder = TempDir::new().unwrap();
    wrote(&consign_in(folder.path(), &["init"]), "./");
    let said = consign_in(folder.path(), &["init"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""));
    insta::assert_snapshot!(said.stderr, @"error: `./release.yaml`, `./release/hello`, `./release/hello.spdx.json` are there already; `consign init DIR` writes to another folder");
}

#[test]
fn all_or_nothing_is_written() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("release")).unwrap();
    fs::write(folder.path().join("release/hello"), "mine").unwrap();
    let said = consign_in(folder.path(), &["init"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""));
    insta::assert_snapshot!(said.stderr, @"error: `./release/hello` is there already; `consign init DIR` writes to another folder");
    assert!(!folder.path().join("release.yaml").exists());
    assert_eq!(fs::read_to_string(folder.path().join("release/hello")).unwrap(), "mine");
}
