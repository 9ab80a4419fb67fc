//! What a run leaves behind in `.consign`, and who may run a plan at a time.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
};

use consign::journal::{Ending, JournalFolder};
use insta::assert_snapshot;

use super::Test;

const PLAN: &str = "\
consign: 1
name: hello
inputs:
  TAG: { type: tag, default: v1, env: TAG }
  NAME: { default: you }
steps:
  - id: hello
    push: { to: 'oci-layout:registry:${{ TAG }}', files: [{ path: hello.txt }] }
  - id: sbom
    attach:
      subject: oci-layout:registry@${{ steps.hello.digest }}
      artifact_type: sbom/example
      files: [{ name: sbom.json, json: { for: '${{ NAME }}' } }]
  - id: gone
    assert: { absent: ['oci-layout:registry:${{ TAG }}'] }
";

fn folder(test: &Test) -> JournalFolder {
    JournalFolder::of(&test.path(""))
}

#[test]
fn a_run_leaves_a_journal_with_all_that_is_needed_to_go_on() {
    let test = Test::new(PLAN).file("hello.txt", "hello").environment("TAG", "v2");
    assert_eq!(test.run("run plan.yaml --skip-gates --set NAME=me").code, 3);
    let record = folder(&test).read(None).unwrap();
    assert_eq!(record.ending, Ending::Finished(3));
    let header = &record.header;
    assert_eq!(header.plan, test.path("plan.yaml").canonicalize().unwrap());
    assert_eq!(header.plan_digest.to_string(), consign::oci::Digest::sha256(PLAN.as_bytes()).to_string());
    assert_eq!(format!("{:?}", header.inputs), r#"{"NAME": "me", "TAG": "v2"}"#);
    assert!(header.skip_gates && header.skip.is_empty());
    let events: Vec<_> = record.lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events.first().copied().zip(events.last().copied()), Some(("run_started", "run_finished")));
    let hello = &record.steps["hello"];
    let digest = hello.output.as_ref().unwrap()["digest"].as_str().unwrap().to_owned();
    let fingerprint = hello.fingerprint.as_ref().unwrap();
    assert_eq!((fingerprint.kind.as_str(), fingerprint.files.len()), ("push", 1));
    let sbom = record.steps["sbom"].fingerprint.as_ref().unwrap();
    assert_eq!(sbom.before.keys().collect::<Vec<_>>(), ["hello"]);
    assert!(!record.steps["gone"].is_success());

    // The same again has the same fingerprints, whatever was done; another file has another one.
    assert_eq!(test.run("run plan.yaml --skip-gates --set NAME=me").code, 3);
    let again = folder(&test).read(None).unwrap();
    assert!(again.header.run > record.header.run);
    assert_eq!(again.steps["hello"].outcome.as_deref(), Some("unchanged"));
    assert_eq!(again.steps["sbom"].fingerprint.as_ref(), Some(sbom));
    fs::write(test.path("hello.txt"), "hullo").unwrap();
    assert_eq!(test.run("run plan.yaml --set NAME=me --set TAG=v3").code, 3);
    let other = folder(&test).read(None).unwrap();
    assert_ne!(other.steps["hello"].output.as_ref().unwrap()["digest"].as_str(), Some(digest.as_str()));
    let now = other.steps["hello"].fingerprint.as_ref().unwrap();
    assert_eq!(fingerprint.difference(now).unwrap(), "its fields are different");
    assert_ne!(fingerprint.files, now.files);
    assert_eq!(sbom.difference(other.steps["sbom"].fingerprint.as_ref().unwrap()).unwrap(), "its fields are different");
}

#[test]
fn rehearsals_and_runs_that_do_not_begin_leave_none() {
    let test = Test::new(PLAN).file("hello.txt", "hello");
    assert_eq!(test.run("rehearse plan.yaml").code, 3);
    assert_eq!(test.run("run plan.yaml --set TAG=no/tag").code, 2);
    assert!(!test.path(".consign").exists());
}

#[test]
fn where_no_journal_can_be_kept_the_run_goes_on() {
    let test = Test::new(PLAN).file("hello.txt", "hello").file(".consign", "in the way");
    assert_snapshot!(test.run("run plan.yaml --skip gone").shown(), @r"
    exit code 0
    --- stderr
    warning: cannot create [FOLDER]/.consign/runs: Not a directory (os error 20): the run leaves no journal, and cannot be resumed
    hello: 3 steps
    skipped   gone   as asked
    created   hello  oci-layout:registry@sha256:1774847dfd22  [TIME]
    created   sbom   oci-layout:registry@sha256:1718931395fa  [TIME]
    changed:
      created oci-layout:registry@sha256:1774847dfd22f0341e7723d411fcabc4051b4b4c60297acd4c1015c2d9a1143d
      created oci-layout:registry@sha256:1718931395fa93e6a7e61411aee73dfff1bb27b26f181178c9f22edb98ddda2e
    2 created, 1 skipped in [TIME]
    ");
}

#[test]
fn a_plan_is_run_once_at_a_time_unless_asked_to_wait() {
    let test = Test::new(PLAN).file("hello.txt", "hello");
    let plan = test.path("plan.yaml").canonicalize().unwrap();
    let mut lock = folder(&test).lock(&plan).unwrap().unwrap();
    lock.name(&"2026-11-27T09-30-00.000Z".parse().unwrap()).unwrap();
    assert_snapshot!(test.run("run plan.yaml").shown(), @r"
    exit code 75
    --- stderr
    error: `plan.yaml` is running already (run [RUN], process [PID]): wait for it with --wait
    ");
    let mut waiting = Command::new(env!("CARGO_BIN_EXE_consign"))
        .args(["run", "plan.yaml", "--wait", "--skip", "gone"])
        .current_dir(test.path(""))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(waiting.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.ends_with("): waiting for it\n"), "{line}");
    assert!(folder(&test).runs().unwrap().is_empty());
    drop(lock);
    stderr.read_to_string(&mut line).unwrap();
    assert!(waiting.wait().unwrap().success(), "{line}");
    assert_eq!(folder(&test).runs().unwrap().len(), 1);
}
