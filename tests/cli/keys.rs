//! `consign keys`, and what becomes of keys and passwords in everything that a run says.

use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD};

use super::Test;

const PASSWORD: &str = "correct-horse-battery";

const PLAN: &str = "\
consign: 1
name: signed
secrets:
  PASSWORD: { env: KEY_PASSWORD }
steps:
  - id: app
    push: { to: \"localhost:5000/app:v1\", files: [{ content: app, name: app.txt }] }
  - id: signature
    sign: { subject: \"localhost:5000/app:v1\", format: cosign, key: keys/own.key, password: \"${{ PASSWORD }}\" }
  - id: promises
    attest:
      subject: localhost:5000/app:v1
      predicate_type: https://example.com/checked/v1
      predicate: { json: { checked: true } }
      key: keys/own.key
      password: ${{ PASSWORD }}
  - id: trusted
    verify:
      subject: localhost:5000/app:v1
      format: cosign
      key: keys/own.pub
      require: [{ predicate_type: \"https://example.com/checked/v1\" }]
";

/// A folder with that plan and a new key.
fn house() -> Test {
    let test = Test::new(PLAN).file("keys/empty", "");
    let made = test.run_with("keys keys/own --password-stdin", &format!("{PASSWORD}\n"));
    assert_eq!(made.shown(), "exit code 0\n--- stdout\nkeys/own.key\nkeys/own.pub\n");
    test
}

#[test]
fn a_new_key_does_not_take_the_place_of_another() {
    let test = house();
    let key = fs::read_to_string(test.path("keys/own.key")).unwrap();
    assert!(key.starts_with("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n"), "{key}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(test.path("keys/own.key")).unwrap().permissions().mode() & 0o777, 0o600);
    }
    insta::assert_snapshot!(test.run("keys keys/own").shown(), @"
    exit code 2
    --- stderr
    error: `keys/own.key` is there already: name another key, or remove it first
    ");
    insta::assert_snapshot!(test.run("keys keys/other").shown(), @"
    exit code 2
    --- stderr
    error: there is no password: set `COSIGN_PASSWORD`, or pipe it in with --password-stdin
    ");
    assert_eq!(fs::read_to_string(test.path("keys/own.key")).unwrap(), key);
}

#[test]
fn neither_a_key_nor_a_password_is_in_anything_that_is_said() {
    let test = house();
    let key = fs::read_to_string(test.path("keys/own.key")).unwrap();
    let body: String = key.lines().filter(|line| !line.starts_with('-')).collect();
    let sealed: serde_json::Value = serde_json::from_slice(&STANDARD.decode(&body).unwrap()).unwrap();
    let sealed = sealed["ciphertext"].as_str().unwrap().to_owned();
    let wrong = "incorrect-horse-battery";
    let hidden = [PASSWORD, wrong, &STANDARD.encode(PASSWORD), &STANDARD.encode(wrong), &body[..40], &sealed[..40]];
    let check = |test: &Test, arguments: &str, code: i32| {
        let arguments = format!("{arguments} -v --report json=report.json --report html=report.html");
        let ran = test.run(&arguments);
        let shown = ran.shown();
        assert!(shown.starts_with(&format!("exit code {code}\n")), "{arguments}: {shown}");
        let reports =
            ["report.json", "report.html", "events.ndjson"].map(|name| fs::read_to_string(test.path(name)).unwrap());
        for text in reports.iter().chain([&shown]) {
            for hidden in &hidden {
                assert!(!text.contains(hidden), "{arguments}: {text}");
            }
        }
        shown
    };
    // A rehearsal asks for neither; with the right ones it signs, with the wrong one it says so.
    let rehearse = "rehearse plan.yaml --events events.ndjson";
    check(&test, rehearse, 0);
    let test = test.environment("KEY_PASSWORD", PASSWORD);
    check(&test, &format!("{rehearse} --real-secrets"), 0);
    let test = test.environment("KEY_PASSWORD", wrong);
    let shown = check(&test, &format!("{rehearse} --real-secrets"), 1);
    assert!(shown.contains("`keys/own.key` cannot be used: the password does not open the encrypted key"), "{shown}");
    // A key that is damaged is not shown either.
    let test = test.file("keys/own.key", key.replacen("ey", "fy", 1));
    let shown = check(&test, &format!("{rehearse} --real-secrets"), 1);
    assert!(shown.contains("`keys/own.key` cannot be used: the encrypted key cannot be read: "), "{shown}");
}
