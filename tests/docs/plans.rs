//! Every plan in `plans/` works as it stands.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

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
        let text = yaml(&read(&plan)).to_string();
        let kind = ["copy", "push", "delete"].into_iter().find(|kind| text.contains(&format!("\"{kind}\":"))).unwrap();
        for fault in
            [&format!("{kind}:503*2"), "429*3", "cut:upload", "cut:download*2", "lost:manifest*2", "no-referrers"]
        {
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

/// What lies under a folder, but what is of the moment: the lock of a layout.
fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files =
        walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap).filter(|entry| entry.file_type().is_file());
    let files = files.filter(|entry| entry.file_name() != ".lock");
    files
        .map(|entry| (entry.path().strip_prefix(folder).unwrap().to_owned(), fs::read(entry.path()).unwrap()))
        .collect()
}

#[test]
fn what_rehearsals_begin_with_is_what_the_plan_beside_it_makes() {
    for plan in ["air-gap", "clean-up", "mirror"] {
        let folder = TempDir::new().unwrap();
        let kept = folder.path().join("kept");
        let maker = format!("plans/{plan}/upstream.yaml");
        let said = consign(&["rehearse", &maker, "--keep", kept.to_str().unwrap()]);
        assert_eq!(said.code, Some(0), "{plan}: {}", said.stderr);
        assert!(
            content(&kept) == content(&root().join(format!("plans/{plan}/upstream"))),
            "{maker} makes something else"
        );
    }
}

/// What the rehearsal of a plan says that it made and deleted, by repository: tags with how they change.
fn tags_changed(plan: &str) -> BTreeMap<String, Vec<String>> {
    let said = consign(&["rehearse", plan, "--events", "-"]);
    let events = said.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let rehearsed = events.into_iter().find(|event| event["event"] == "rehearsed").unwrap();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for repository in rehearsed["repositories"].as_array().unwrap() {
        for change in repository["changes"].as_array().unwrap().iter().filter(|change| change["tag"].is_string()) {
            let name = repository["repository"].as_str().unwrap().to_owned();
            let text = format!("{} {}", change["change"].as_str().unwrap(), change["tag"].as_str().unwrap());
            found.entry(name).or_default().push(text);
        }
    }
    for changes in found.values_mut() {
        changes.sort();
    }
    found
}

#[test]
fn the_mirror_takes_what_it_names_and_the_clean_up_leaves_what_is_needed() {
    let text = |of: BTreeMap<String, Vec<String>>| {
        of.into_iter().map(|(name, changes)| format!("{name}: {}\n", changes.join(", "))).collect::<Vec<_>>().concat()
    };
    insta::assert_snapshot!(text(tags_changed("plans/mirror.yaml")), @"
    mirror.example.com/library/debian: create bookworm, create bookworm-slim, create trixie-slim
    mirror.example.com/library/nginx: create 1.29.0, create 1.29.1
    mirror.example.com/prometheus/prometheus: create v3.4.0, create v3.5.0
    ");
    insta::assert_snapshot!(text(tags_changed("plans/clean-up.yaml")), @"registry.example.com/app: delete 1.2.0, delete 1.3.0, delete pr-17, delete pr-21");
    insta::assert_snapshot!(text(tags_changed("plans/air-gap.yaml")), @"
    oci-archive:transfer/api.tar: create 1.4.0
    oci-archive:transfer/worker.tar: create 1.4.0
    registry.internal/services/api: create 1.4.0
    registry.internal/services/worker: create 1.4.0
    ");
}

/// The names that the step's kind gives to its outputs, but those that only `expect: one` or `repository` has, and the
/// tag of what has none.
fn promised(step: &Value) -> BTreeSet<String> {
    let kind = KINDS.iter().find(|kind| step.get(kind.name).is_some()).unwrap();
    let body = &step[kind.name];
    let untagged = body["to"].as_str().is_some_and(|to| !to.rsplit('/').next().unwrap_or(to).contains([':', '}']));
    let lacks = |name: &str| match kind.name {
        "discover" => body["expect"] != "one" && ["digest", "reference"].contains(&name),
        "inspect" => body["repository"].is_null() == ["manifests", "count", "listing"].contains(&name),
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
