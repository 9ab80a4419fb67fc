//! Every plan in `plans/` works as it stands.

use std::{collections::BTreeSet, fs, sync::Arc};

use consign::{
    event::{ExitCode, Summary},
    plan::{Given, SourceFile},
    program::{CompileOptions, Program, compile},
    report::Reporters,
    runner::{self, RunOptions},
    step::{KINDS, Mode, Places, Rehearsing},
    store::Stores,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::{consign, plans, read, root, yaml};

#[test]
fn every_plan_is_right() {
    for plan in plans() {
        let said = consign(&["check", &plan]);
        assert_eq!((said.code, said.stdout.as_str()), (Some(0), ""), "{plan}: {}", said.stderr);
    }
}

#[test]
fn every_plan_can_be_rehearsed() {
    for plan in plans() {
        let said = consign(&["rehearse", &plan]);
        assert_eq!(said.code, Some(0), "{plan}: {}", said.stderr);
    }
}

#[test]
fn every_plan_copes_with_what_goes_wrong() {
    for plan in plans() {
        let expected = consign(&["rehearse", &plan]).stdout;
        // A fault of a kind that no step has is a mistake.
        let copies = yaml(&read(&plan)).to_string().contains("\"copy\":");
        let of_a_kind = if copies { "copy:503*2" } else { "push:503*2" };
        for fault in [of_a_kind, "429*3", "cut:upload", "cut:download*2", "lost:manifest*2", "no-referrers"] {
            let said = consign(&["rehearse", &plan, "--fault", fault]);
            assert_eq!((said.code, &said.stdout), (Some(0), &expected), "{plan}, {fault}: {}", said.stderr);
        }
    }
}

#[test]
fn a_release_that_was_kept_is_found_unchanged() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let rehearse = |arguments: &[&str]| {
        let events = path("events");
        let workdir = path("work");
        let arguments = [&["rehearse", "plans/release.yaml", "--events", &events, "--workdir", &workdir], arguments];
        let arguments = arguments.concat();
        let said = consign(&arguments);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        let heard = fs::read_to_string(&events).unwrap();
        let end: Value = serde_json::from_str(heard.lines().last().unwrap()).unwrap();
        end["counts"].clone()
    };
    assert_eq!(rehearse(&["--keep", &path("kept")]), serde_json::json!({ "created": 10, "passed": 5 }));
    assert_eq!(rehearse(&["--seed", &path("kept")]), serde_json::json!({ "passed": 5, "unchanged": 10 }));
}

/// The names that the step's kind gives to its outputs, but those that only `expect: one` has, and the tag of what has none.
fn promised(step: &Value) -> BTreeSet<String> {
    let kind = KINDS.iter().find(|kind| step.get(kind.name).is_some()).unwrap();
    let body = &step[kind.name];
    let untagged = body["to"].as_str().is_some_and(|to| !to.rsplit('/').next().unwrap_or(to).contains([':', '}']));
    let lacks = |name: &str| match kind.name {
        "discover" => body["expect"] != "one" && ["digest", "reference"].contains(&name),
        "push" | "image" | "index" => untagged && name == "tag",
        _ => false,
    };
    let names = kind.outputs.iter().map(|output| output.name).filter(|name| !lacks(name));
    names.chain(["outcome", "changed"]).map(str::to_owned).collect()
}

#[test]
fn a_step_hands_on_what_its_kind_says() {
    let folder = TempDir::new().unwrap();
    let events = folder.path().join("events");
    for plan in plans() {
        consign(&["rehearse", &plan, "--events", events.to_str().unwrap()]);
        let heard = fs::read_to_string(&events).unwrap();
        let heard: Vec<Value> = heard.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let steps = yaml(&read(&plan))["steps"].as_array().unwrap().clone();
        // Those of a loop are named after their items.
        for step in steps.into_iter().filter(|step| step.get("foreach").is_none()) {
            let ended = heard.iter().find(|event| event["event"] == "step_finished" && event["step"] == step["id"]);
            let output = ended.unwrap()["output"].as_object().unwrap();
            let names: BTreeSet<String> = output.keys().cloned().collect();
            assert_eq!(names, promised(&step), "{plan}: {}", step["id"]);
        }
    }
}

fn program(plan: &str, workdir: &TempDir) -> Program {
    let source = SourceFile::new(plan, read(plan));
    let places = Places::new(root().join("plans"), workdir.path());
    let options =
        CompileOptions { given: Given::default(), skip: Vec::new(), select: Vec::new(), mode: Mode::Real, places };
    compile(&source, &options).unwrap()
}

async fn run(program: &Program, stores: &Arc<Stores>) -> Arc<Summary> {
    let options = RunOptions {
        stores: Arc::clone(stores),
        mode: Mode::Rehearsal(Rehearsing::default()),
        jobs: 16,
        keep_going: false,
        skip_gates: false,
        fingerprints: false,
        earlier: None,
        pins: Arc::default(),
        epoch: None,
    };
    let (_tx, interrupts) = mpsc::unbounded_channel();
    runner::run(program, &options, &mut Reporters(Vec::new()), interrupts).await.summary
}

#[tokio::test]
async fn the_release_changes_nothing_when_it_runs_again() {
    let workdir = TempDir::new().unwrap();
    let program = program("plans/release.yaml", &workdir);
    let stores = Arc::new(Stores::rehearsal(None));
    assert_eq!(run(&program, &stores).await.count("created"), 10);
    let again = run(&program, &stores).await;
    assert_eq!(again.exit_code(), ExitCode::Success);
    assert_eq!((again.count("unchanged"), again.count("passed"), again.steps.len()), (10, 5, 15));
}

#[test]
fn a_release_tag_is_never_moved() {
    let plan = yaml(&read("plans/release.yaml"));
    for step in plan["steps"].as_array().unwrap() {
        for kind in ["push", "image", "copy"] {
            let to = step[kind]["to"].as_str().unwrap_or("oci-layout:");
            assert!(to.starts_with("oci-layout:") || step[kind]["if_exists"].is_null(), "{}", step["id"]);
        }
    }
}
