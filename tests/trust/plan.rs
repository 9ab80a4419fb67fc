use std::{fs, path::Path, process::Output};

use super::registry::{Registry, consign};

/// A copy of the tutorial's plan and its files, which may be changed.
fn tutorial() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let plans = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans");
    for entry in walkdir::WalkDir::new(&plans).into_iter().filter_map(Result::ok) {
        let name = entry.path().strip_prefix(&plans).unwrap();
        if !name.starts_with("acr-tutorial") && name != Path::new("acr-tutorial.yaml") {
            continue;
        }
        let to = folder.path().join(name);
        if entry.file_type().is_dir() {
            fs::create_dir_all(to).unwrap();
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
    folder
}

fn run(folder: &Path, registry: &Registry, arguments: &[&str]) -> Output {
    let set = format!("REGISTRY={}", registry.name);
    let arguments = [&[arguments[0], "acr-tutorial.yaml", "--set", &set], &arguments[1..]].concat();
    consign(folder, &arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn digests(folder: &Path, file: &str) -> Vec<(String, String)> {
    let steps: serde_json::Value = serde_json::from_slice(&fs::read(folder.join(file)).unwrap()).unwrap();
    let steps = steps["steps"].as_array().unwrap().iter();
    steps.filter_map(|step| Some((step["step"].as_str()?.to_owned(), step["digest"].as_str()?.to_owned()))).collect()
}

#[test]
fn what_was_approved_is_what_the_run_makes_and_nothing_else_is_written() {
    let (registry, folder) = (Registry::start(), tutorial());
    let folder = folder.path();
    let planned = run(folder, &registry, &["plan", "--out", "p.json", "--exit-code"]);
    assert_eq!((planned.status.code(), text(&planned.stderr)), (Some(4), String::new()), "{}", text(&planned.stdout));
    assert_eq!(registry.writes(), [], "nothing is written");
    assert!(!folder.join("download").exists() && !folder.join(".consign").exists());
    let again = run(folder, &registry, &["plan", "--out", "q.json"]);
    assert_eq!(again.status.code(), Some(0));
    assert_eq!(fs::read(folder.join("p.json")).unwrap(), fs::read(folder.join("q.json")).unwrap(), "it is stable");

    // One byte more, and nothing is written.
    let readme = folder.join("acr-tutorial/readme.md");
    let before = fs::read(&readme).unwrap();
    fs::write(&readme, [&before[..], b"!"].concat()).unwrap();
    let refused = run(folder, &registry, &["run", "--approved", "p.json"]);
    assert_eq!(refused.status.code(), Some(4));
    assert_eq!(registry.writes(), [], "{}", text(&refused.stderr));
    run(folder, &registry, &["plan", "--out", "changed.json"]);
    let (approved, changed) = (digests(folder, "p.json"), digests(folder, "changed.json"));
    let differing = approved.iter().zip(&changed).find(|((step, was), (_, now))| step == "readme" && was != now);
    let ((_, was), (_, now)) = differing.unwrap();
    let line = format!("  `readme` would bring {now}, and {was} was approved\n");
    assert!(text(&refused.stderr).contains(&line), "{}", text(&refused.stderr));
    fs::write(&readme, before).unwrap();

    let done = run(folder, &registry, &["run", "--approved", "p.json", "--events", "events.ndjson"]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let events = fs::read_to_string(folder.join("events.ndjson")).unwrap();
    let events = events.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let made = events.filter(|event| event["event"] == "step_finished").filter_map(|event| {
        let digest = event["output"]["digest"].as_str()?.to_owned();
        Some((event["step"].as_str()?.to_owned(), digest))
    });
    let mut made: Vec<_> = made.collect();
    let mut approved = approved;
    made.sort();
    approved.sort();
    assert_eq!(made, approved);
    assert_eq!(made.len(), 13, "{made:?}");
}

#[test]
fn what_is_there_already_is_unchanged_and_a_tag_that_moves_is_shown_with_both_ends() {
    let (registry, folder) = (Registry::start(), tempfile::tempdir().unwrap());
    let folder = folder.path();
    let push = |id: &str, text: &str| {
        let to = format!("to: '{}/app:{id}', if_exists: replace", registry.name);
        format!("  - id: {id}\n    push: {{ {to}, files: [{{ name: a, content: {text} }}] }}\n")
    };
    let before = format!("consign: 1\nsteps:\n{}{}{}", push("same", "a"), push("moves", "b"), push("old", "o"));
    fs::write(folder.join("before.yaml"), before).unwrap();
    let before = consign(folder, &["run", "before.yaml"]).output().unwrap();
    assert_eq!(before.status.code(), Some(0), "{}", text(&before.stderr));
    let plan = format!(
        "consign: 1\nname: app\nsteps:\n{}{}  - id: gone\n    delete: {{ reference: '{name}/app:old' }}\n  \
         - id: files\n    pull: {{ from: '{name}/app:same', to: out }}\n  \
         - id: upload\n    push: {{ to: '{name}/app:new', files: [{{ path: out/a }}] }}\n",
        push("same", "a"),
        push("moves", "c"),
        name = registry.name
    );
    fs::write(folder.join("plan.yaml"), plan).unwrap();
    let writes = registry.writes().len();
    let planned = consign(folder, &["plan", "plan.yaml"]).output().unwrap();
    assert_eq!((planned.status.code(), registry.writes().len()), (Some(0), writes));
    let shown = text(&planned.stdout).replace(&registry.name, "[REGISTRY]");
    let shown = shown.replace(folder.to_str().unwrap(), "[FOLDER]");
    insta::assert_snapshot!(shown, @r"
    unchanged  same    [REGISTRY]/app@sha256:c46fbb1e14e19f37ba92d5b4731744854106b62e9448ad660f792d9619e5d72a
    update     moves   [REGISTRY]/app@sha256:b04cbec8b3479c508ad30ecb6dcabfc56e415e24859928bc89590228203357d5
                       [REGISTRY]/app:moves: sha256:b4f92f947ef5 → sha256:b04cbec8b347
    delete     gone    [REGISTRY]/app:old
                       [REGISTRY]/app:old: sha256:0a4a38c53184 → gone
                       deletes [REGISTRY]/app@sha256:0a4a38c53184658c40d9ef94e2732f4780b7456a3a41f51f60c672111a7f6f87
    create     files   out
    unknown    upload  it reads [FOLDER]/out/a, which `files` writes

    in                   needs
    [REGISTRY]/app  pull, push, delete

    app: 1 create, 1 update, 1 delete, 1 unknown, 1 unchanged
    ");
}

#[test]
fn a_list_with_something_unknown_in_it_is_not_known() {
    let (registry, folder) = (Registry::start(), tempfile::tempdir().unwrap());
    let folder = folder.path();
    let push = |tag: &str| {
        let name = &registry.name;
        format!("  - id: push\n    push: {{ to: '{name}/app:{tag}', files: [{{ name: a, content: a }}] }}\n")
    };
    let plan = format!(
        "consign: 1\nname: app\nsteps:\n{}  - id: program\n    exec: {{ run: [echo, hi], reads: [plan.yaml], capture: text }}\n  \
         - id: note\n    attach: {{ subject: '{name}/app:v1', artifact_type: note/example, \
         annotations: {{ said: '${{{{ steps.program.stdout }}}}' }} }}\n  \
         - id: one\n    inspect: {{ reference: '{name}/app:v1' }}\n  \
         - id: all\n    inspect: {{ repository: '{name}/app' }}\n",
        push("v1"),
        name = registry.name
    );
    fs::write(folder.join("plan.yaml"), plan).unwrap();
    let planned = consign(folder, &["plan", "plan.yaml"]).output().unwrap();
    insta::assert_snapshot!(text(&planned.stdout).replace(&registry.name, "[REGISTRY]"), @"
    create   push     [REGISTRY]/app@sha256:c46fbb1e14e19f37ba92d5b4731744854106b62e9448ad660f792d9619e5d72a
                      [REGISTRY]/app:v1: → sha256:c46fbb1e14e1
    unknown  program  what a program does is known only when it has run
    unknown  note     it needs what `program` hands on
    read     one      [REGISTRY]/app@sha256:c46fbb1e14e19f37ba92d5b4731744854106b62e9448ad660f792d9619e5d72a
    unknown  all      it depends on what `note` does

    in                   needs
    [REGISTRY]/app  pull, push

    app: 1 create, 3 unknown, 1 read
    ");
}

#[test]
fn what_was_not_saved_by_plan_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("plan.yaml"),
        "consign: 1\nsteps:\n  - id: a\n    list_tags: { repository: 'oci-layout:x' }\n",
    )
    .unwrap();
    fs::write(folder.path().join("p.json"), "{}").unwrap();
    let refused = consign(folder.path(), &["run", "plan.yaml", "--approved", "p.json"]).output().unwrap();
    assert_eq!(
        (refused.status.code(), text(&refused.stderr).as_str()),
        (
            Some(2),
            "error: --approved: p.json is not what `consign plan --out` writes: missing field `consign_plan` at line 1 column 2\n"
        )
    );
}
