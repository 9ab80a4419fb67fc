//! The outputs of a plan that have no value.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::Test;

const PLAN: &str = "consign: 1
name: outputs
vars:
  LISTED: ${{ steps.maybe.tags }}
steps:
  - id: all
    inspect: { repository: \"oci-layout:nothing\" }
  - id: maybe
    when: ${{ steps.all.count > 0 }}
    list_tags: { repository: \"oci-layout:nothing\" }
outputs:
  count: ${{ steps.all.count }}
  tags: ${{ LISTED }}
  or_none: ${{ steps.maybe.tags | default([]) }}
";

fn json_of(test: &Test, file: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(test.path(file)).unwrap()).unwrap()
}

#[test]
fn what_a_skipped_step_would_have_given_is_named_and_is_no_failure() {
    let test = Test::new(PLAN);
    assert_snapshot!(test.run("run plan.yaml --outputs - --report json=report.json").shown(), @r#"
    exit code 0
    --- stdout
    {
      "count": 0,
      "or_none": []
    }
    --- stderr
    outputs: 2 steps
    passed    all    oci-layout:nothing  [TIME]
    skipped   maybe  `when` is false
    outputs without a value:
      tags: `maybe` was skipped
    1 passed, 1 skipped in [TIME]
    "#);
    let report = json_of(&test, "report.json");
    assert_eq!(report["lacking"], json!([{ "output": "tags", "because": "`maybe` was skipped", "skipped": true }]));
    // The same from the journal.
    assert_snapshot!(test.run("show --report json=again.json").shown(), @"exit code 0");
    assert_eq!(json_of(&test, "again.json")["lacking"], report["lacking"]);
}

#[test]
fn an_output_that_cannot_be_worked_out_is_a_failure() {
    let plan = format!(
        "{PLAN}  first: ${{{{ steps.all.manifests[0].digest }}}}\n  second: ${{{{ steps.all.manifests[1].digest }}}}\n"
    );
    let test = Test::new(&plan);
    assert_snapshot!(test.run("run plan.yaml --outputs - --report json=report.json").shown(), @r#"
    exit code 1
    --- stdout
    {
      "count": 0,
      "or_none": []
    }
    --- stderr
    outputs: 2 steps
    passed    all    oci-layout:nothing  [TIME]
    skipped   maybe  `when` is false
    outputs without a value:
      tags: `maybe` was skipped
    failed    output `first` has no value: this expression has no value: `steps.all.manifests[0]` is undefined
      --> plan.yaml:15:13
      note: output `second` has no value: this expression has no value: `steps.all.manifests[1]` is undefined
    1 passed, 1 skipped in [TIME]
    run it again: what succeeded is found unchanged
    go on with `consign resume`: what ended well is taken over
    "#);
    let report = json_of(&test, "report.json");
    assert_eq!(report["exit_code"], json!(1));
    assert_snapshot!(format!("{:#}", report["lacking"]), @r#"
    [
      {
        "output": "tags",
        "because": "`maybe` was skipped",
        "skipped": true
      },
      {
        "output": "first",
        "because": "this expression has no value: `steps.all.manifests[0]` is undefined",
        "skipped": false
      },
      {
        "output": "second",
        "because": "this expression has no value: `steps.all.manifests[1]` is undefined",
        "skipped": false
      }
    ]
    "#);
    assert_snapshot!(format!("{:#}", report["unsettled"]), @r#"
    {
      "kind": "step",
      "message": "output `first` has no value: this expression has no value: `steps.all.manifests[0]` is undefined",
      "notes": [
        "output `second` has no value: this expression has no value: `steps.all.manifests[1]` is undefined"
      ],
      "help": [],
      "place": {
        "file": "plan.yaml",
        "line": 15,
        "column": 13
      }
    }
    "#);
    assert_snapshot!(test.run("run plan.yaml -q").shown(), @"
    exit code 1
    --- stderr
    failed    output `first` has no value: this expression has no value: `steps.all.manifests[0]` is undefined
      --> plan.yaml:15:13
      note: output `second` has no value: this expression has no value: `steps.all.manifests[1]` is undefined
    1 passed, 1 skipped in [TIME]
    run it again: what succeeded is found unchanged
    ");
}

#[test]
fn what_a_failed_step_would_have_given_is_said_once() {
    let plan = "consign: 1
name: outputs
steps:
  - { id: there, list_tags: { repository: \"oci-layout:nothing\", contains: [v1] } }
  - { id: after, push: { to: \"oci-layout:out:v1\", files: [{ name: a, content: a }] } }
outputs: { tags: \"${{ steps.there.tags }}\", digest: \"${{ steps.after.digest }}\" }
";
    let test = Test::new(plan);
    assert_snapshot!(test.run("run plan.yaml --outputs - --report json=report.json").shown(), @"
    exit code 3
    --- stdout
    {}
    --- stderr
    outputs: 2 steps
    failed    there  oci-layout:nothing has no tag `v1`
      --> plan.yaml:4:11
      note: there are no tags
    blocked   after  there failed
    failed:
      there: oci-layout:nothing has no tag `v1`
    1 blocked, 1 failed in [TIME]
    a gate said no; when it holds, run it again: what succeeded is found unchanged
    go on with `consign resume`: what ended well is taken over
    ");
    assert_eq!(
        json_of(&test, "report.json")["lacking"],
        json!([
            { "output": "tags", "because": "`there` failed", "skipped": false },
            { "output": "digest", "because": "`after` was blocked", "skipped": false },
        ])
    );
}
