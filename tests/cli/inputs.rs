//! Inputs: who may give a value, who wins, and what is refused.

use insta::assert_snapshot;

use super::Test;

const PLAN: &str = "\
consign: 1
inputs:
  NAME: { default: from_default, env: APP_NAME }
  TAG: { type: tag, default: v1 }
vars:
  IMAGE: localhost:5000/${{ NAME }}:${{ TAG }}
steps: []
outputs:
  name: ${{ NAME }}
";

/// The plan's output `name`.
fn name(test: &Test, arguments: &str) -> String {
    let ran = test.run(&format!("rehearse plan.yaml --progress none --outputs - {arguments}"));
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let outputs: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    outputs["name"].as_str().unwrap().to_owned()
}

#[test]
fn the_nearest_value_wins() {
    let plan = || {
        let test = Test::new(PLAN).file("one.yaml", "NAME: from_file_one\n");
        test.file("two.json", r#"{ "NAME": "from_file_two" }"#).file("other.yaml", "TAG: v2\n")
    };
    let test = plan();
    assert_eq!(name(&test, ""), "from_default");
    let test = plan().environment("APP_NAME", "");
    assert_eq!(name(&test, ""), "from_default", "a variable that is empty counts as not set");
    let test = plan().environment("APP_NAME", "from_env");
    assert_eq!(name(&test, ""), "from_env");
    assert_eq!(name(&test, "--vars-file one.yaml"), "from_file_one");
    assert_eq!(name(&test, "--vars-file one.yaml --vars-file two.json"), "from_file_two");
    assert_eq!(name(&test, "--vars-file two.json --vars-file one.yaml"), "from_file_one");
    assert_eq!(name(&test, "--vars-file one.yaml --vars-file other.yaml"), "from_file_one");
    assert_eq!(name(&test, "--set NAME=from_set --vars-file one.yaml"), "from_set");
    assert_eq!(name(&test, "--set NAME=first --set NAME=last=one"), "last=one");
    assert_eq!(name(&test, "--set NAME="), "");
}

#[test]
fn values_for_what_is_no_input() {
    let test = Test::new(PLAN).file("wrong.yaml", "NMAE: x\n");
    assert_snapshot!(test.run("check plan.yaml --set IMAGE=x --set TGA=v2 --vars-file wrong.yaml").shown(), @"
    exit code 2
    --- stderr
    error: --set IMAGE: `IMAGE` is derived; the inputs are NAME, TAG
     --> plan.yaml

    error: --set TGA: there is no input `TGA`; the inputs are NAME, TAG
     --> plan.yaml
     = help: did you mean `TAG`?

    error: `NMAE` in wrong.yaml: there is no input `NMAE`; the inputs are NAME, TAG
     --> plan.yaml
     = help: did you mean `NAME`?
    ");
    assert_snapshot!(test.run("check plan.yaml --set NAME").shown(), @"
    exit code 2
    --- stderr
    error: --set NAME: write `--set NAME=VALUE`
    ");
    let none = Test::new("consign: 1\nsteps: []\n");
    assert_snapshot!(none.run("check plan.yaml --set NAME=x").shown(), @"
    exit code 2
    --- stderr
    error: --set NAME: there is no input `NAME`; this plan has no inputs
     --> plan.yaml
    ");
}

#[test]
fn files_of_inputs_that_cannot_be_read() {
    let test = Test::new(PLAN).file("list.yaml", "- NAME\n").file("nested.yaml", "NAME: { a: b }\n");
    assert_snapshot!(test.run("check plan.yaml --vars-file nowhere.yaml").shown(), @"
    exit code 2
    --- stderr
    error: cannot read nowhere.yaml: No such file or directory (os error 2)
    ");
    assert_snapshot!(test.run("check plan.yaml --vars-file list.yaml").shown(), @"
    exit code 2
    --- stderr
    error: a file of inputs takes a mapping, not a list
     --> list.yaml:1:1
      |
    1 | - NAME
      | ^^^^^^
    ");
    assert_snapshot!(test.run("check plan.yaml --vars-file nested.yaml").shown(), @"
    exit code 2
    --- stderr
    error: `NAME` takes text, not a mapping
     --> nested.yaml:1:7
      |
    1 | NAME: { a: b }
      |       ^^^^^^^^
    ");
}

#[test]
fn values_of_the_wrong_type() {
    let test = Test::new(
        "\
consign: 1
inputs:
  TAG: { type: tag, env: APP_TAG }
  COUNT: { type: integer, default: two }
  FORCE: { type: boolean, default: yes }
  VERSION: { type: semver, default: 1.2.3 }
  HOST: { type: registry, default: localhost:5000 }
  CHANNEL: { enum: [stable, edge], default: stable }
  NAME: { pattern: \"[a-z]+\", default: app }
steps:
  - id: show
    inspect: { reference: \"${{ HOST }}/app:${{ TAG }}\" }
",
    )
    .environment("APP_TAG", "a/b");
    let given = "--set VERSION=1.2 --set HOST=https://localhost:5000 --set CHANNEL=Edge --set NAME=app2";
    assert_snapshot!(test.run(&format!("check plan.yaml {given}")).shown(), @r#"
    exit code 2
    --- stderr
    error: input `TAG`: `a/b` is not a tag: use at most 128 letters, digits, `_`, `.` and `-`, not starting with `.` or `-`
     --> plan.yaml:3:3
      |
    3 |   TAG: { type: tag, env: APP_TAG }
      |   ^^^ from the environment variable `APP_TAG`

    error: input `COUNT`: `two` is not a whole number
     --> plan.yaml:4:36
      |
    4 |   COUNT: { type: integer, default: two }
      |                                    ^^^ its default

    error: input `FORCE`: `yes` is neither `true` nor `false`
     --> plan.yaml:5:36
      |
    5 |   FORCE: { type: boolean, default: yes }
      |                                    ^^^ its default

    error: input `VERSION`: `1.2` is not a semantic version: write three numbers such as `1.2.3`
     --> plan.yaml:6:3
      |
    6 |   VERSION: { type: semver, default: 1.2.3 }
      |   ^^^^^^^ given with --set

    error: input `HOST`: `https://localhost:5000` is not a registry: write `host` or `host:port`
     --> plan.yaml:7:3
      |
    7 |   HOST: { type: registry, default: localhost:5000 }
      |   ^^^^ given with --set

    error: input `CHANNEL`: `Edge` is not one of `stable`, `edge`
     --> plan.yaml:8:3
      |
    8 |   CHANNEL: { enum: [stable, edge], default: stable }
      |   ^^^^^^^ given with --set

    error: input `NAME`: `app2` does not match `[a-z]+`
     --> plan.yaml:9:3
      |
    9 |   NAME: { pattern: "[a-z]+", default: app }
      |   ^^^^ given with --set
    "#);
}

#[test]
fn inputs_that_are_declared_wrong() {
    assert_snapshot!(Test::new("\
consign: 1
inputs:
  KIND: { type: text }
  TYPO: { defualt: x }
  BELOW: { default: \"${{ NAME }}\" }
  NAME: { pattern: \"[a-z\", default: app }
  VAR: { default: \"${{ IMAGE }}\" }
  STEP: { default: \"${{ steps.show.digest }}\" }
vars:
  IMAGE: localhost:5000/app:v1
steps:
  - id: show
    inspect: { reference: \"${{ IMAGE }}\" }
").run("check plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: `type` does not know `text`
     --> plan.yaml:3:17
      |
    3 |   KIND: { type: text }
      |                 ^^^^
      |
      = note: type takes: string, integer, boolean, registry, repository, tag, reference, digest, semver, path

    error: unknown key `defualt` in an input
     --> plan.yaml:4:11
      |
    4 |   TYPO: { defualt: x }
      |           ^^^^^^^ did you mean `default`?
      |
      = note: an input takes: type, default, env, pattern, enum, description

    error: `NAME` stands below: a default may use the inputs above it
     --> plan.yaml:5:26
      |
    5 |   BELOW: { default: "${{ NAME }}" }
      |                          ^^^^

    error: `[a-z` is not a regular expression
     --> plan.yaml:6:20
      |
    6 |   NAME: { pattern: "[a-z", default: app }
      |                    ^^^^^^

    error: `IMAGE` is a var: a default may use the inputs above it
     --> plan.yaml:7:24
      |
    7 |   VAR: { default: "${{ IMAGE }}" }
      |                        ^^^^^

    error: a default cannot look at steps
     --> plan.yaml:8:31
      |
    8 |   STEP: { default: "${{ steps.show.digest }}" }
      |                               ^^^^
    "#);
}

#[test]
fn what_is_wrong_with_an_input_is_said_once_and_where_it_is() {
    let test = Test::new(
        "\
consign: 1
inputs:
  ACCOUNT: { pattern: \"[a-z]+\" }
  HOST: { type: registry, default: \"${{ ACCOUNT }}.example.com\" }
  TAG: { type: tag, default: a/b }
steps:
  - id: show
    inspect: { reference: \"${{ HOST }}/app:v1\" }
  - id: again
    inspect: { reference: \"localhost:5000/app:${{ TAG }}\" }
",
    );
    assert_snapshot!(test.run("check plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: input `ACCOUNT` has no value
     --> plan.yaml:3:3
      |
    3 |   ACCOUNT: { pattern: "[a-z]+" }
      |   ^^^^^^^
      |
      = note: needed by `show`
      = help: set it: `--set ACCOUNT=…`, or give it `env:` or `default:` in the plan

    error: input `TAG`: `a/b` is not a tag: use at most 128 letters, digits, `_`, `.` and `-`, not starting with `.` or `-`
     --> plan.yaml:5:30
      |
    5 |   TAG: { type: tag, default: a/b }
      |                              ^^^ its default
    "#);
    assert_snapshot!(test.run("check plan.yaml --set TAG=v1 --set ACCOUNT=me").shown(), @"
    exit code 0
    --- stderr
    plan.yaml: 2 steps, nothing wrong
    ");
    assert_snapshot!(test.run("check plan.yaml --set TAG=v1 --set HOST=localhost:5000").shown(), @"
    exit code 0
    --- stderr
    plan.yaml: 2 steps, nothing wrong
    ");
}

#[test]
fn a_file_that_a_broken_step_may_write_is_not_missing() {
    assert_snapshot!(Test::new("\
consign: 1
steps:
  - id: pull
    pull: { from: localhost:5000/app:v1, to: download, prnt: tree }
  - id: push
    push: { to: localhost:5000/app:v2, files: [{ path: download/app.txt }] }
").run("check plan.yaml").shown(), @"
    exit code 2
    --- stderr
    error: unknown key `prnt` in pull
     --> plan.yaml:4:56
      |
    4 |     pull: { from: localhost:5000/app:v1, to: download, prnt: tree }
      |                                                        ^^^^ did you mean `print`?
      |
      = note: pull takes: from, to, if_exists, unpack, include_subject, platform, print
    ");
}
