//! Journals as runs leave them, whole and broken.

use std::{collections::BTreeMap, fs, io::Write};

use super::{Ending, Header, Journal, JournalFolder, RunId};
use crate::oci::Digest;

fn header(run: RunId) -> Header {
    Header {
        version: Header::VERSION,
        run,
        consign: "0.1.0".to_owned(),
        process: 1,
        plan: "/plans/plan.yaml".into(),
        plan_name: "plan.yaml".to_owned(),
        plan_digest: Digest::sha256(b"consign: 1"),
        workdir: "/runs".into(),
        inputs: BTreeMap::from([("TAG".to_owned(), "v1".to_owned())]),
        select: Vec::new(),
        skip: vec!["gone".to_owned()],
        skip_gates: false,
        plain_http: Vec::new(),
        resumes: None,
    }
}

const LINES: [&str; 4] = [
    r#"{"event":"step_started","step":"image"}"#,
    r#"{"event":"step_finished","step":"image","outcome":"created","output":{"size":2}}"#,
    r#"{"event":"step_started","step":"sbom"}"#,
    r#"{"event":"run_finished","exit_code":1}"#,
];

fn written(folder: &JournalFolder, text: &str) -> Journal {
    let mut journal = folder.begin(header).unwrap();
    journal.write_all(text.as_bytes()).unwrap();
    journal
}

#[test]
fn what_was_written_is_read_while_the_run_lasts_and_afterwards() {
    let workdir = tempfile::tempdir().unwrap();
    let folder = JournalFolder::of(workdir.path());
    let journal = written(&folder, &format!("{}\n", LINES.join("\n")));
    let record = folder.read(None).unwrap();
    assert_eq!((&record.header, record.ending), (&header(journal.run().clone()), Ending::Running));
    drop(journal);
    let record = folder.read(Some(&record.header.run)).unwrap();
    assert_eq!((record.ending, record.is_success(), record.lines.len()), (Ending::Finished(1), false, 4));
    let (image, sbom) = (&record.steps["image"], &record.steps["sbom"]);
    assert!(image.started && image.is_success() && image.output.as_ref().unwrap()["size"] == 2);
    assert!(sbom.started && !sbom.is_success());
    assert_eq!(fs::read_to_string(workdir.path().join(".consign/.gitignore")).unwrap().lines().last(), Some("*"));
}

#[test]
fn a_journal_cut_anywhere_is_read_as_far_as_it_goes() {
    let workdir = tempfile::tempdir().unwrap();
    let folder = JournalFolder::of(workdir.path());
    let run = written(&folder, &format!("{}\n", LINES[..3].join("\n"))).run().clone();
    let path = workdir.path().join(".consign/runs").join(run.as_str()).join("journal.ndjson");
    let whole = fs::read(&path).unwrap();
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap();
    for length in first..=whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let record = folder.read(None).unwrap();
        // A line is whole when its object is, with or without the line end.
        let lines =
            whole[first + 1..].iter().take((length + 1).saturating_sub(first + 1)).filter(|byte| **byte == b'\n');
        assert_eq!((record.lines.len(), record.ending), (lines.count(), Ending::BrokenOff), "{length}");
    }
    fs::write(&path, "").unwrap();
    let error = folder.read(None).unwrap_err().to_string();
    assert!(error.ends_with("it is empty: the run broke off as it began"), "{error}");
    fs::write(&path, [&whole[..=first], b"{}\nno\n{}\n"].concat()).unwrap();
    let error = folder.read(None).unwrap_err().to_string();
    assert!(error.contains("is no journal that this consign reads: line 3: "), "{error}");
}

#[test]
fn runs_are_kept_in_order_and_not_for_ever() {
    let workdir = tempfile::tempdir().unwrap();
    let folder = JournalFolder::of(workdir.path());
    assert!(folder.read(None).unwrap_err().to_string().starts_with("there are no runs in "));
    // The first still runs, and so it stays.
    let first = written(&folder, "");
    let later: Vec<RunId> = (0..JournalFolder::KEPT + 5).map(|_| written(&folder, "").run().clone()).collect();
    let runs = folder.runs().unwrap();
    assert!(later.is_sorted());
    assert_eq!(runs[0], *first.run());
    assert_eq!(runs[1..], later[later.len() + 1 - runs.len()..]);
    assert_eq!(runs.len(), JournalFolder::KEPT + 1);
    let gone = folder.read(Some(&later[0])).unwrap_err().to_string();
    assert!(gone.starts_with(&format!("there is no run {} in ", later[0])), "{gone}");
}

#[test]
fn a_plan_is_locked_by_one_at_a_time_and_others_are_told_by_whom() {
    let workdir = tempfile::tempdir().unwrap();
    let folder = JournalFolder::of(workdir.path());
    let plan = workdir.path().join("plan.yaml");
    let mut lock = folder.lock(&plan).unwrap().unwrap();
    lock.name(&"2026-11-27T23-59-59.999Z".parse().unwrap()).unwrap();
    let held = folder.lock(&plan).unwrap().unwrap_err();
    assert_eq!(held.by, Some(format!("run 2026-11-27T23-59-59.999Z, process {}", std::process::id())));
    assert!(folder.lock(&workdir.path().join("other.yaml")).unwrap().is_ok());
    drop(lock);
    assert!(held.wait().is_ok());
    assert!(folder.lock(&plan).unwrap().is_ok());
}
