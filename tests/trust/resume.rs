use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

use super::{
    proxy::Proxy,
    registry::{Registry, consign},
};

/// 30 steps of most kinds, two of which move a tag that others moved before, and two delete what was made.
fn plan(registry: &str) -> String {
    let mut plan = "consign: 1\nname: thirty\nsteps:\n".to_owned();
    let mut step = |id: &str, body: &str| {
        let _ = writeln!(plan, "  - id: {id}\n    {}", body.replace("REG", registry));
    };
    for n in 0..6 {
        step(
            &format!("app{n}"),
            &format!(
                "push: {{ to: 'REG/app{n}:v1', files: [{{ path: big{n}.bin }}, {{ name: note, content: 'this is {n}' }}] }}"
            ),
        );
        step(
            &format!("sbom{n}"),
            &format!(
                "attach: {{ subject: 'REG/app{n}:v1', artifact_type: sbom/example, files: [{{ name: sbom, content: 'parts of {n}' }}] }}"
            ),
        );
    }
    step("again", "push: { to: 'REG/app0:v1', if_exists: replace, files: [{ path: again.bin }] }");
    for n in 1..5 {
        step(&format!("copy{n}"), &format!("copy: {{ from: 'REG/app{n}:v1', to: 'REG/stage/app{n}:v1' }}"));
        step(&format!("tag{n}"), &format!("tag: {{ from: 'REG/stage/app{n}:v1', tags: [latest] }}"));
    }
    step("one", "discover: { subject: 'REG/app1:v1', artifact_type: sbom/example, expect: one }");
    step("tags", "list_tags: { repository: 'REG/stage/app1', contains: [latest] }");
    step("files", "pull: { from: 'REG/stage/app1:v1', to: files }");
    step("gone5", "delete: { reference: 'REG/app5:v1', graph: true }");
    step("gone4", "delete: { reference: 'REG/stage/app4:v1', graph: true, all_tags: true }");
    step("look", "inspect: { reference: 'REG/stage/app2:latest' }");
    step("absent", "assert: { absent: ['REG/app5:v1', 'REG/stage/app4:v1'] }");
    step(
        "name",
        "attach: { subject: 'REG/stage/app3:v1', artifact_type: a/b, annotations: { by: '${{ steps.one.digest }}' } }",
    );
    step("end", "tag: { from: 'REG/stage/app2@${{ steps.copy2.digest }}', tags: [end] }");
    // Two steps write the tag.
    plan.replacen("/app0:v1', files", "/app0:v1', if_exists: replace, files", 1)
}

/// A registry, a way to it that can be stopped, and a folder with the plan.
struct World {
    registry: Registry,
    proxy: Proxy,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let registry = Registry::start();
        let proxy = Proxy::before(&registry.name);
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("plan.yaml"), plan(&proxy.name)).unwrap();
        for (name, seed) in ["big0", "big1", "big2", "big3", "big4", "big5", "again"].iter().zip(1_u32..) {
            let mut state = seed;
            let bytes = std::iter::repeat_with(|| {
                // Numerical Recipes' generator: content that no layer shares with another.
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.to_be_bytes()[0]
            });
            let bytes: Vec<u8> = bytes.take(300_000).collect();
            fs::write(folder.path().join(format!("{name}.bin")), bytes).unwrap();
        }
        Self { registry, proxy, folder }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        consign(self.folder.path(), arguments)
    }

    fn resume(&self) -> (Output, Vec<Value>) {
        let resumed = self.command(&["resume", "--events", "events", "--progress", "none"]).output().unwrap();
        let events = fs::read_to_string(self.folder.path().join("events")).unwrap_or_default();
        (resumed, events.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    /// What ended well of all that was sent or deleted, and how often. The port is left out: it differs.
    fn done(&self) -> BTreeMap<(String, String), usize> {
        let mut done = BTreeMap::new();
        for (method, path) in self.registry.writes() {
            let ends = match method.as_str() {
                "PUT" => true,
                "DELETE" => path.contains("/manifests/"),
                _ => false,
            };
            if ends {
                let path = match path.split_once("/blobs/uploads/") {
                    Some((repository, rest)) => {
                        let digest = rest.split_once("digest=").unwrap().1;
                        format!("{repository} {}", digest.split('&').next().unwrap())
                    }
                    None => path,
                };
                *done.entry((method, path)).or_default() += 1;
            }
        }
        done
    }
}

/// What a run leaves in the registry, and what it sent or deleted for that.
type Left = (BTreeMap<String, Value>, BTreeMap<(String, String), usize>);

/// What the world looks like after a run that nobody disturbed.
fn undisturbed() -> Left {
    let world = World::new();
    let ran = world.command(&["run", "plan.yaml"]).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    (world.registry.content(), world.done())
}

fn kill(mut child: Child) {
    // On Unix this is SIGKILL.
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Goes on, and finds everything as if nothing had happened; how many steps were taken over.
fn goes_on(world: &World, what: &str, ended: &BTreeMap<(String, String), usize>, (content, done): &Left) -> usize {
    let (resumed, events) = world.resume();
    let said = String::from_utf8_lossy(&resumed.stderr);
    let ended_before = said.ends_with("ended well: there is nothing to go on with\n");
    assert!(resumed.status.success() || ended_before, "{what}: {said}");
    assert_eq!(world.registry.content(), *content, "{what}");
    // Which repository is first sent a blob that others then take from it is chance; that it is sent once is not.
    let is_blob = |(key, _): &(&(String, String), &usize)| key.1.contains(" sha256");
    let now = world.done();
    // What was on its way when the run was killed may arrive all the same, or be sent again. What had arrived, however
    // small, is not.
    let again: Vec<_> = ended.iter().filter(is_blob).filter(|(key, times)| now.get(*key) != Some(*times)).collect();
    assert!(again.is_empty(), "{what}: sent twice: {again:?}");
    let others = |done: &BTreeMap<_, _>| -> Vec<((String, String), usize)> {
        done.iter().filter(|entry| !is_blob(entry)).map(|(key, times)| (key.clone(), *times)).collect()
    };
    // A manifest that was on its way arrived, perhaps, and nobody was there any more to hear the answer.
    let count =
        |done: &BTreeMap<(String, String), usize>, key: &(String, String)| done.get(key).copied().unwrap_or_default();
    let unheard = |(key, times): &((String, String), usize)| {
        count(&now, key) + 1 == *times && count(ended, key) < *times && key.0 == "PUT"
    };
    let expected = others(done).into_iter().map(|entry| if unheard(&entry) { (entry.0, entry.1 - 1) } else { entry });
    assert_eq!(others(&now), expected.filter(|(_, times)| *times > 0).collect::<Vec<_>>(), "{what}");
    assert!(world.folder.path().join("files/big1.bin").exists(), "{what}");
    if ended_before {
        return 30;
    }
    events.iter().filter(|event| event["event"] == "step_resumed" && event["taken_over"] == true).count()
}

fn steps() -> usize {
    plan("r").matches("- id:").count()
}

#[test]
fn a_run_that_is_killed_after_any_step_goes_on() {
    let whole = undisturbed();
    assert_eq!(steps(), 30);
    for boundary in 1..steps() {
        let world = World::new();
        let mut run = world.command(&["run", "plan.yaml", "--jobs", "1", "--events", "-"]).spawn().unwrap();
        let mut lines = BufReader::new(run.stdout.take().unwrap()).lines();
        let mut heard = 0;
        while heard < boundary {
            let line = lines.next().unwrap().unwrap();
            heard += usize::from(line.contains(r#""event":"step_finished""#));
        }
        let ended = world.done();
        kill(run);
        let taken_over = goes_on(&world, &format!("after step {boundary}"), &ended, &whole);
        assert!(taken_over >= boundary, "after step {boundary}: {taken_over}");
    }
}

#[test]
fn a_run_that_is_killed_in_the_middle_of_a_transfer_goes_on() {
    let whole = undisturbed();
    let mut stuck = 0;
    for place in 0..8 {
        let world = World::new();
        // Each blob is 300,000 bytes: this ends in the middle of one.
        world.proxy.allow(150_000 + place * 300_000);
        let jobs = if place % 2 == 0 { "1" } else { "8" };
        let mut run = world.command(&["run", "plan.yaml", "--jobs", jobs]);
        // Nobody reads what it says, and it must be able to say it.
        let run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let running = std::cell::RefCell::new(run);
        stuck += usize::from(world.proxy.wait(|| running.borrow_mut().try_wait().unwrap().is_some()));
        let ended = world.done();
        kill(running.into_inner());
        world.proxy.allow(u64::MAX);
        goes_on(&world, &format!("in transfer {place}"), &ended, &whole);
    }
    assert!(stuck >= 6, "{stuck}");
}

fn small(folder: &Path, registry: &str, second: &str) {
    let plan = format!(
        "consign: 1\nname: small\ninputs: {{ TAG: {{ type: tag, default: v0 }} }}\nsteps:\n  \
         - id: first\n    push: {{ to: '{registry}/app:${{{{ TAG }}}}', files: [{{ path: file }}] }}\n  \
         - id: second\n    inspect: {{ reference: '{registry}/{second}' }}\n  \
         - id: third\n    tag: {{ from: '{registry}/app:${{{{ TAG }}}}', tags: [latest] }}\n    needs: [second]\n"
    );
    fs::write(folder.join("plan.yaml"), plan).unwrap();
}

#[test]
fn what_is_different_or_gone_runs_again_and_it_is_said_why() {
    let (registry, folder) = (Registry::start(), tempfile::tempdir().unwrap());
    let folder = folder.path();
    fs::write(folder.join("file"), "one").unwrap();
    small(folder, &registry.name, "none:v1");
    let resume = |arguments: &[&str]| {
        let ran = consign(folder, &[&["resume"], arguments].concat()).output().unwrap();
        let text = [ran.stdout, ran.stderr].concat();
        let text = String::from_utf8(text).unwrap().replace(&registry.name, "[REGISTRY]");
        let text = text.replace(folder.to_str().unwrap(), "[FOLDER]");
        (
            ran.status.code().unwrap(),
            regex::Regex::new(r"\d+\.\d+ s").unwrap().replace_all(&text, "[TIME]").into_owned(),
        )
    };
    assert_eq!(
        resume(&[]).1,
        "error: there are no runs in [FOLDER]/.consign/runs: name another folder with --workdir\n"
    );
    let failed = consign(folder, &["run", "plan.yaml", "--set", "TAG=v1"]).output().unwrap();
    assert_eq!(failed.status.code(), Some(1));
    let end = "go on with `consign resume`: what ended well is taken over\n";
    assert!(String::from_utf8_lossy(&failed.stderr).ends_with(end));
    insta::assert_snapshot!(resume(&["--dry-run"]).1, @r"
    taken over  first   as long as what it made is there
    runs again  second  it failed
    runs        third   it had not begun
    ");
    insta::assert_snapshot!(resume(&["--dry-run", "--redo", "first", "--mark-done", "second"]).1, @r"
    runs again  first   as asked
    taken over  second  marked as done
    runs        third   it had not begun
    ");
    insta::assert_snapshot!(resume(&["--dry-run", "--redo", "kind:push", "--mark-done", "second+"]).1, @r"
    runs again  first   as asked
    taken over  second  marked as done
    taken over  third   marked as done
    ");
    assert_eq!(
        resume(&["--redo", "frist"]),
        (2, "error: --redo: there is no step `frist`: did you mean `first`?\n".to_owned())
    );

    // What it made is gone, and the file is another one.
    let delete = format!("consign: 1\nsteps:\n  - id: gone\n    delete: {{ reference: '{}/app:v1' }}\n", registry.name);
    fs::write(folder.join("delete.yaml"), delete).unwrap();
    assert!(consign(folder, &["run", "delete.yaml"]).output().unwrap().status.success());
    insta::assert_snapshot!(resume(&["--progress", "plain", "--jobs", "1"]).1, @r"
    small: 3 steps
    again     first   [REGISTRY]/app@sha256:9807580a7696a685b2298e19bd6e6d4e2d4771605b9f2d3071e152cd153cf860 is not there any more
    created   first   [REGISTRY]/app@sha256:9807580a7696  [TIME]
    again     second  it failed
    failed    second  `[REGISTRY]/none:v1` does not exist
      --> [FOLDER]/plan.yaml:7:9
    blocked   third   second failed
    changed:
      created [REGISTRY]/app@sha256:9807580a7696a685b2298e19bd6e6d4e2d4771605b9f2d3071e152cd153cf860
    failed:
      second: `[REGISTRY]/none:v1` does not exist
    1 created, 1 blocked, 1 failed in [TIME]
    run it again: what succeeded is found unchanged
    go on with `consign resume`: what ended well is taken over
    ");
    fs::write(folder.join("file"), "two").unwrap();
    small(folder, &registry.name, "app:v1");
    insta::assert_snapshot!(resume(&["--dry-run"]).1, @r"
    runs again  first   file is different
    runs again  second  it failed
    runs        third   it had not begun
    ");
    insta::assert_snapshot!(resume(&["--progress", "plain", "--jobs", "1"]).1, @r"
    small: 3 steps
    again     first   file is different
    failed    first   the tag `[REGISTRY]/app:v1` points elsewhere already
      --> [FOLDER]/plan.yaml:5:9
      note: there: sha256:9807580a7696a685b2298e19bd6e6d4e2d4771605b9f2d3071e152cd153cf860
      note: here:  sha256:d1bce0459113a8a669bea4d992e68b43e77ce4710656f904659ae21c81b58ab2
      help: to move the tag say `if_exists: replace`, to leave it `if_exists: keep`
    blocked   second  first failed
    blocked   third   first failed
    failed:
      first: the tag `[REGISTRY]/app:v1` points elsewhere already
    2 blocked, 1 failed in [TIME]
    run it again: what succeeded is found unchanged
    go on with `consign resume`: what ended well is taken over
    ");
}

#[test]
fn what_programs_read_and_what_image_layouts_hold_counts_too() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let run = |arguments: &[&str]| {
        let ran = consign(folder, arguments).output().unwrap();
        (ran.status.code().unwrap(), String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap())
    };
    let base = "consign: 1\nsteps:\n  \
        - id: base\n    push: { to: 'oci-layout:base:v1', files: [{ name: a, content: a }] }\n  \
        - id: file\n    copy: { from: 'oci-layout:base:v1', to: 'oci-archive:base.tar:v1', if_exists: replace }\n";
    fs::write(folder.join("base.yaml"), base).unwrap();
    assert_eq!(run(&["run", "base.yaml"]).0, 0);
    let plan = "consign: 1\nsteps:\n  \
        - id: tool\n    exec: { run: [cat, notes, src/a], reads: [notes, src], gate: false }\n  \
        - id: copy\n    copy: { from: 'oci-layout:base:v1', to: 'oci-layout:made:v1' }\n  \
        - id: tar\n    copy: { from: 'oci-archive:base.tar:v1', to: 'oci-layout:made:v2' }\n  \
        - id: own\n    inspect: { reference: 'oci-layout:made:v1' }\n  \
        - id: end\n    inspect: { reference: 'oci-layout:none:v1' }\n";
    fs::write(folder.join("plan.yaml"), plan).unwrap();
    fs::create_dir(folder.join("src")).unwrap();
    fs::write(folder.join("src/a"), "a").unwrap();
    fs::write(folder.join("notes"), "one").unwrap();
    assert_eq!(run(&["run", "plan.yaml", "--jobs", "1"]).0, 1);
    let dry = || run(&["resume", "--dry-run"]).1;
    let end = "runs again  end   it failed\n";
    let over = |id: &str| format!("taken over  {id}  as long as what it made is there\n");
    let again = |id: &str, what: &str| format!("runs again  {id}  {what} is different\n");
    assert_eq!(dry(), [over("tool"), over("copy"), over("tar "), over("own "), end.to_owned()].concat());
    fs::write(folder.join("notes"), "two").unwrap();
    assert_eq!(dry(), [again("tool", "notes"), over("copy"), over("tar "), over("own "), end.to_owned()].concat());
    fs::write(folder.join("notes"), "one").unwrap();
    fs::write(folder.join("src/b"), "b").unwrap();
    assert_eq!(dry(), [again("tool", "src"), over("copy"), over("tar "), over("own "), end.to_owned()].concat());
    fs::remove_file(folder.join("src/b")).unwrap();
    let another = base.replace("base:v1", "base:v2").replace("content: a", "content: b");
    fs::write(folder.join("base.yaml"), another).unwrap();
    assert_eq!(run(&["run", "base.yaml"]).0, 0);
    assert_eq!(
        dry(),
        [
            over("tool"),
            again("copy", "oci-layout:base"),
            again("tar ", "oci-archive:base.tar"),
            over("own "),
            end.to_owned()
        ]
        .concat()
    );
}
