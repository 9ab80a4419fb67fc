//! Runs that are over, told again from their journals.

use std::fs;

use insta::assert_snapshot;
use serde_json::Value;

use super::Test;

const PLAN: &str = "\
consign: 1
name: hello
steps:
  - id: hello
    push: { to: 'oci-layout:registry:v1', files: [{ name: hello.txt, content: hello }] }
  - id: sbom
    attach: { subject: 'oci-layout:registry:v1', artifact_type: sbom/example, annotations: { a: b } }
  - id: tree
    discover: { subject: 'oci-layout:registry:v1', print: tree }
  - id: gate
    discover: { subject: 'oci-layout:registry:v1', expect: 7 }
outputs:
  digest: ${{ steps.hello.digest }}
  count: ${{ steps.tree.count }}
";

/// Without what is measured.
fn without_times(text: &str) -> Value {
    fn clean(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.retain(|name, _| !name.ends_with("_ms") && name != "at");
                members.values_mut().for_each(clean);
            }
            Value::Array(values) => values.iter_mut().for_each(clean),
            _ => {}
        }
    }
    let mut value = serde_json::from_str(text).unwrap();
    clean(&mut value);
    value
}

#[test]
fn a_run_is_shown_as_it_was() {
    let test = Test::new(PLAN);
    let ran = test.run("run plan.yaml --jobs 1 --report json=then.json --progress plain");
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert_snapshot!(test.run("show").shown(), @"
    exit code 0
    --- stdout
    run [RUN]
    hello: 4 steps
    created   hello  oci-layout:registry@sha256:1774847dfd22  [TIME]
    created   sbom   oci-layout:registry@sha256:1b8a120d959a  [TIME]
    passed    tree   [TIME]
    failed    gate   oci-layout:registry:v1 has 1 referrer, expected: 7
      --> plan.yaml:10:9
      note: found: sbom/example sha256:1b8a120d959a22cc7ea68743c47efe4e14489406bf1ead7a3087e5f6ede1d164
    changed:
      created oci-layout:registry@sha256:1774847dfd22f0341e7723d411fcabc4051b4b4c60297acd4c1015c2d9a1143d
      created oci-layout:registry@sha256:1b8a120d959a22cc7ea68743c47efe4e14489406bf1ead7a3087e5f6ede1d164
    failed:
      gate: oci-layout:registry:v1 has 1 referrer, expected: 7
    2 created, 1 passed, 1 failed in [TIME]
    a gate said no; when it holds, run it again: what succeeded is found unchanged
    ");
    let shown = test.run("show");
    // That one can go on is said when a run has just ended, not of one that may be long over.
    let told = ran.stderr.strip_suffix("go on with `consign resume`: what ended well is taken over\n").unwrap();
    assert!(!told.is_empty() && shown.stdout.ends_with(told), "{}\n{}", shown.stdout, ran.stderr);
    assert_eq!(test.run("show --report json=now.json --html now.html").shown(), "exit code 0\n");
    let [then, now] = ["then.json", "now.json"].map(|name| fs::read_to_string(test.path(name)).unwrap());
    assert_eq!(without_times(&now), without_times(&then));
    let page = fs::read_to_string(test.path("now.html")).unwrap();
    assert!(page.contains("a gate said no") && page.contains("<svg"), "{page}");
}

#[test]
fn outputs_are_shown_raw() {
    let test = Test::new(PLAN);
    assert_eq!(test.run("run plan.yaml").code, 3);
    assert_snapshot!(test.run("show --output digest").shown(), @"
    exit code 0
    --- stdout
    sha256:1774847dfd22f0341e7723d411fcabc4051b4b4c60297acd4c1015c2d9a1143d
    ");
    assert_snapshot!(test.run("show --output count").shown(), @"
    exit code 0
    --- stdout
    1
    ");
    assert_snapshot!(test.run("show --output digset").shown(), @"
    exit code 2
    --- stderr
    error: --output: the run has no output `digset`; did you mean `digest`?
    ");
}

#[test]
fn a_run_that_broke_off_is_shown_as_far_as_it_came() {
    let test = Test::new(PLAN);
    assert_eq!(test.run("run plan.yaml --jobs 1").code, 3);
    let run =
        fs::read_dir(test.path(".consign/runs")).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
    let path = test.path(&format!(".consign/runs/{run}/journal.ndjson"));
    let journal = fs::read_to_string(&path).unwrap();
    let end = journal.find("{\"event\":\"step_started\",\"step\":\"sbom\"").unwrap() + 20;
    fs::write(&path, &journal[..end]).unwrap();
    assert_snapshot!(test.run(&format!("show {run}")).shown(), @"
    exit code 0
    --- stdout
    run [RUN]
    hello: 4 steps
    created   hello  oci-layout:registry@sha256:1774847dfd22  [TIME]
    it broke off: `consign resume` goes on with it
    ");
    assert_snapshot!(test.run("show --output digest").shown(), @"
    exit code 2
    --- stderr
    error: --output: the run has not ended, so it has no outputs
    ");
    assert_eq!(test.run("show --report junit=out.xml --html out.html").shown(), "exit code 0\n");
    let xml = fs::read_to_string(test.path("out.xml")).unwrap();
    assert!(xml.contains("errors=\"3\"") && xml.contains("type=\"unfinished\""), "{xml}");
    assert!(fs::read_to_string(test.path("out.html")).unwrap().contains("never ended"));
}

#[test]
fn without_a_run_there_is_nothing_to_show() {
    let test = Test::new(PLAN);
    assert_snapshot!(test.run("show").shown(), @"
    exit code 2
    --- stderr
    error: there are no runs in [FOLDER]/.consign/runs: name another folder with --workdir
    ");
    assert_snapshot!(test.run("show yesterday").shown(), @"
    exit code 2
    --- stderr
    error: invalid value 'yesterday' for '[RUN]': `yesterday` is not the name of a run, which is like `[RUN]`

    For more information, try '--help'.
    ");
    assert_snapshot!(test.run("show 2026-11-27T09-30-00.123Z").shown(), @"
    exit code 2
    --- stderr
    error: there is no run [RUN] in [FOLDER]/.consign/runs
    ");
}
