use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

proptest! {
    /// Whatever a plugin says, it is read or it is none of the answers: nothing of it is taken for granted.
    #[test]
    fn any_answer_is_one_or_an_error(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        field in "name|version|keyId|keySpec|signature|signingAlgorithm|certificateChain|signatureEnvelope|verificationResults|x",
        text in "\\PC{0,40}",
    ) {
        let wrong = json!({ (field): [{ "a": text }, 1] }).to_string();
        for answer in [&bytes[..], wrong.as_bytes(), &[&b"{"[..], &b"[".repeat(100_000)].concat()] {
            prop_assert!(serde_json::from_slice::<Metadata>(answer).is_err());
            prop_assert!(serde_json::from_slice::<Described>(answer).is_err());
            prop_assert!(serde_json::from_slice::<Generated>(answer).is_err());
            prop_assert!(serde_json::from_slice::<GeneratedEnvelope>(answer).is_err());
            prop_assert!(serde_json::from_slice::<PluginVerdict>(answer).is_err());
        }
    }
}

/// The plugin `test` that is this script.
fn plugin(script: &str) -> (tempfile::TempDir, Plugin) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test/notation-test");
    fs::create_dir(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let plugin = Plugins::within(folder.path()).find("test").unwrap();
    (folder, plugin.within(Duration::from_secs(20), 1000))
}

async fn asked(script: &str) -> Result<Value, String> {
    let (_folder, plugin) = plugin(script);
    plugin
        .ask_with("describe-key", Map::from_iter([("keyId".to_owned(), json!("k"))]))
        .await
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_plugin_reads_its_question_and_answers() {
    assert_eq!(asked("cat").await.unwrap(), json!({ "keyId": "k", "contractVersion": "1.0" }));
    assert_eq!(asked("echo '{\"command\": \"'$1'\"}'").await.unwrap(), json!({ "command": "describe-key" }));
}

#[test]
fn a_plugin_runs_only_where_its_program_is_allowed() {
    let (folder, _) = plugin("cat");
    let find = |patterns: &[&str]| {
        let globs: Vec<_> = patterns.iter().map(|glob| globset::Glob::new(glob).unwrap().compile_matcher()).collect();
        let found = Plugins::within(folder.path()).only(vec![globs.into()]).find("test");
        found.map(|plugin| plugin.name().to_owned()).map_err(|error| error.to_string())
    };
    assert_eq!(find(&["notation-*"]), Ok("test".to_owned()));
    for patterns in [&[][..], &["test"], &["notation-other"]] {
        let message = "the plugin `test` may not run: `allow.exec` does not have `notation-test`";
        assert_eq!(find(patterns), Err(message.to_owned()));
    }
}

#[tokio::test]
async fn a_plugin_that_fails_says_why_in_its_own_words() {
    let failed = asked("echo '{\"errorCode\":\"ACCESS_DENIED\",\"errorMessage\":\"not you\"}' >&2; exit 1").await;
    assert_eq!(failed.unwrap_err(), "the plugin `test` failed to `describe-key`: ACCESS_DENIED: not you");
    let failed = asked("echo hunter2 >&2; exit 3").await.unwrap_err();
    let message = "it ended with exit status: 3, without a word that the protocol knows";
    assert_eq!(failed, format!("the plugin `test` failed to `describe-key`: ERROR: {message}"));
    let failed = asked("echo hello").await.unwrap_err();
    let start = "the plugin `test` answered `describe-key` with what is no answer: expected value";
    assert!(failed.starts_with(start), "{failed}");
    for stream in ["", " >&2"] {
        let failed = asked(&format!("head -c 2000 /dev/zero{stream}")).await.unwrap_err();
        assert_eq!(failed, "the plugin `test` answered `describe-key` with more than 1000 bytes");
    }
}

#[tokio::test]
async fn a_plugin_that_is_silent_is_not_waited_for_and_killed() {
    let (folder, plugin) = plugin("echo $$ > \"$0.pid\"; exec sleep 600");
    let plugin = plugin.within(Duration::from_millis(300), 1000);
    let asked = plugin.ask_with::<Value>("describe-key", Map::new()).await.unwrap_err().to_string();
    assert_eq!(asked, "the plugin `test` gave no answer to `describe-key` after 0 s");
    let pid = folder.path().join("test/notation-test.pid");
    if let Ok(pid) = fs::read_to_string(pid) {
        // It is gone, or a dead child that the runtime will collect; a program that still runs would hang the test.
        let state = || fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        while !(state().is_empty() || state().contains(") Z ")) {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_plugin_says_who_it_is() {
    let metadata = |name: &str, version: &str| {
        let said = json!({
            "name": name, "version": "1.2.3", "description": "", "url": "", "supportedContractVersions": [version],
            "capabilities": ["SIGNATURE_GENERATOR.RAW"],
        });
        plugin(&format!("cat > /dev/null; echo '{said}'"))
    };
    let (_folder, known) = metadata("test", "1.0");
    let said = known.metadata(&Map::new()).await.unwrap();
    assert!(said.can(Capability::Signature) && !said.can(Capability::Envelope));
    let start = "the plugin `test` answered `get-plugin-metadata` with what is no answer: it";
    let (_folder, other) = metadata("other", "1.0");
    assert_eq!(other.metadata(&Map::new()).await.unwrap_err().to_string(), format!("{start} has another name"));
    let (_folder, newer) = metadata("test", "2.0");
    let message = format!("{start} does not speak version 1.0 of the protocol");
    assert_eq!(newer.metadata(&Map::new()).await.unwrap_err().to_string(), message);
}

#[test]
fn the_name_of_a_plugin_leads_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let plugins = Plugins::within(folder.path());
    for name in ["", "..", "../x", "a/b", "a b"] {
        let message = format!("`{name}` is not the name of a plugin: letters, digits, `.`, `-` and `_` are");
        assert_eq!(plugins.find(name).unwrap_err().to_string(), message);
    }
    let path = folder.path().join("kms/notation-kms");
    let message = format!("the plugin `kms` is not installed: {} is missing", path.display());
    assert_eq!(plugins.find("kms").unwrap_err().to_string(), message);
}
