//! Ten mistakes that users make, each by itself.

use insta::assert_snapshot;

use super::Test;

/// What `check` says of a plan with these steps, and nothing else wrong with it.
fn check(rest: &str) -> String {
    let head = "consign: 1\ninputs:\n  REGISTRY: { type: registry, default: localhost:5000 }\n";
    Test::new(&format!("{head}{rest}")).run("check plan.yaml").shown()
}

#[test]
fn a_typo_in_a_key() {
    assert_snapshot!(check("\
steps:
  - id: docs
    push:
      to: ${{ REGISTRY }}/docs:v1
      artifact_typ: text/example
      files: [{ content: hello, name: hello.txt }]
"), @"
    exit code 2
    --- stderr
    error: unknown key `artifact_typ` in push
     --> plan.yaml:8:7
      |
    8 |       artifact_typ: text/example
      |       ^^^^^^^^^^^^ did you mean `artifact_type`?
      |
      = note: push takes: to, files, artifact_type, config, annotations, if_exists, compression, created, tags
    ");
}

#[test]
fn a_typo_in_a_kind() {
    assert_snapshot!(check("\
steps:
  - id: docs
    psuh:
      to: ${{ REGISTRY }}/docs:v1
      files: [{ content: hello, name: hello.txt }]
  - id: show
    inspect: { reference: \"${{ steps.docs.reference }}\" }
"), @"
    exit code 2
    --- stderr
    error: unknown key `psuh` in a step
     --> plan.yaml:6:5
      |
    6 |     psuh:
      |     ^^^^ did you mean `push`?
      |
      = note: a step takes: id, description, foreach, when, needs, timeout, retry, continue_on_error, assert, attach, attest, copy, delete, discover, exec, image, include, index, inspect, list_tags, pull, push, sign, tag, verify
    ");
}

#[test]
fn a_typo_in_a_var() {
    assert_snapshot!(check("\
vars:
  IMAGE: ${{ REGISTRY }}/app:v1
steps:
  - id: show
    inspect: { reference: \"${{ IMGAE }}\" }
  - id: again
    inspect: { reference: \"${{ steps.show.reference }}\" }
"), @r#"
    exit code 2
    --- stderr
    error: no such name `IMGAE`
     --> plan.yaml:8:32
      |
    8 |     inspect: { reference: "${{ IMGAE }}" }
      |                                ^^^^^ did you mean `IMAGE`?
    "#);
}

#[test]
fn a_typo_in_an_output() {
    assert_snapshot!(check("\
steps:
  - id: show
    inspect: { reference: \"${{ REGISTRY }}/app:v1\" }
  - id: again
    inspect: { reference: \"${{ REGISTRY }}/app@${{ steps.show.digst }}\" }
outputs:
  digest: ${{ steps.again.digest }}
"), @r#"
    exit code 2
    --- stderr
    error: step `show` has no output `digst`
     --> plan.yaml:8:63
      |
    8 |     inspect: { reference: "${{ REGISTRY }}/app@${{ steps.show.digst }}" }
      |                                                               ^^^^^ did you mean `digest`?
      |
      = help: `show` is of kind `inspect`; it has: reference, digest, media_type, size, manifest, annotations, artifact_type, platforms, manifests, count, listing, outcome, changed
    "#);
}

#[test]
fn two_kinds_in_one_step() {
    assert_snapshot!(check("\
steps:
  - id: both
    tag: { from: \"${{ REGISTRY }}/docs:v1\", tags: [v2] }
    delete: { reference: \"${{ REGISTRY }}/docs:v2\" }
"), @r#"
    exit code 2
    --- stderr
    error: a step has one kind, this one has two: `tag` and `delete`
     --> plan.yaml:7:5
      |
    7 |     delete: { reference: "${{ REGISTRY }}/docs:v2" }
      |     ^^^^^^ make it a step of its own
    "#);
}

#[test]
fn a_reference_to_a_later_step() {
    assert_snapshot!(check("\
steps:
  - id: early
    inspect: { reference: \"${{ steps.late.reference }}\" }
  - id: late
    inspect: { reference: \"${{ REGISTRY }}/app:v1\" }
"), @r#"
    exit code 2
    --- stderr
    error: step `late` stands below
     --> plan.yaml:6:38
      |
    6 |     inspect: { reference: "${{ steps.late.reference }}" }
      |                                      ^^^^
      |
      = help: a step may refer only to steps above it; move it up, or this one down
    "#);
}

#[test]
fn a_var_that_looks_at_a_later_step() {
    assert_snapshot!(check("\
vars:
  LATE: ${{ steps.late.reference }}
steps:
  - id: early
    inspect: { reference: \"${{ LATE }}\" }
  - id: late
    inspect: { reference: \"${{ REGISTRY }}/app:v1\" }
"), @r#"
    exit code 2
    --- stderr
    error: `LATE` looks at step `late`, which stands below
     --> plan.yaml:8:32
      |
    8 |     inspect: { reference: "${{ LATE }}" }
      |                                ^^^^
      |
      = help: a step may refer only to steps above it
    "#);
}

#[test]
fn a_missing_file() {
    assert_snapshot!(check("\
steps:
  - id: docs
    push:
      to: ${{ REGISTRY }}/docs:v1
      files:
        - { path: docs/missing.txt }
        - { path: \"docs/*.md\" }
"), @r#"
    exit code 2
    --- stderr
    error: file not found: `docs/missing.txt`
     --> plan.yaml:9:19
      |
    9 |         - { path: docs/missing.txt }
      |                   ^^^^^^^^^^^^^^^^
      |
      = note: paths are relative to the plan's folder, [FOLDER]

    error: nothing matches `docs/*.md`
      --> plan.yaml:10:19
       |
    10 |         - { path: "docs/*.md" }
       |                   ^^^^^^^^^^^
       |
       = note: paths are relative to the plan's folder, [FOLDER]
    "#);
}

#[test]
fn an_unset_input() {
    let plan = "\
consign: 1
inputs:
  VERSION: { type: semver, env: APP_VERSION }
  CHANNEL: { enum: [stable, edge] }
  UNUSED: { type: tag }
vars:
  IMAGE: localhost:5000/app:${{ VERSION }}
steps:
  - id: show
    inspect: { reference: \"${{ IMAGE }}-${{ CHANNEL }}\" }
  - id: again
    inspect: { reference: \"${{ IMAGE }}\" }
";
    assert_snapshot!(Test::new(plan).run("check plan.yaml").shown(), @"
    exit code 2
    --- stderr
    error: input `VERSION` has no value
     --> plan.yaml:3:3
      |
    3 |   VERSION: { type: semver, env: APP_VERSION }
      |   ^^^^^^^
      |
      = note: needed by `show`, `again`
      = help: set it: `--set VERSION=…`, or the environment variable `APP_VERSION`

    error: input `CHANNEL` has no value
     --> plan.yaml:4:3
      |
    4 |   CHANNEL: { enum: [stable, edge] }
      |   ^^^^^^^
      |
      = note: needed by `show`
      = help: set it: `--set CHANNEL=…`, or give it `env:` or `default:` in the plan
    ");
    let given = "check plan.yaml --set VERSION=1.2.3 --set CHANNEL=edge";
    assert_snapshot!(Test::new(plan).run(given).shown(), @"
    exit code 0
    --- stderr
    plan.yaml: 2 steps, nothing wrong
    ");
    assert_snapshot!(Test::new(plan).run("check plan.yaml --set VERSION=1.2.3 --skip show").shown(), @"
    exit code 0
    --- stderr
    plan.yaml: 2 steps, nothing wrong
    ");
}

#[test]
fn an_unset_input_hides_no_other_mistake() {
    assert_snapshot!(Test::new("\
consign: 1
inputs:
  HOST: { type: registry }
steps:
  - id: docs
    push:
      to: ${{ HOST }}/docs:v1
      artifact_typ: text/example
      files: [{ path: missing.txt }]
  - id: show
    inspect: { reference: \"${{ steps.docs.reference }}\", prnt: manifest }
").run("check plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: input `HOST` has no value
     --> plan.yaml:3:3
      |
    3 |   HOST: { type: registry }
      |   ^^^^
      |
      = note: needed by `docs`
      = help: set it: `--set HOST=…`, or give it `env:` or `default:` in the plan

    error: unknown key `artifact_typ` in push
     --> plan.yaml:8:7
      |
    8 |       artifact_typ: text/example
      |       ^^^^^^^^^^^^ did you mean `artifact_type`?
      |
      = note: push takes: to, files, artifact_type, config, annotations, if_exists, compression, created, tags

    error: file not found: `missing.txt`
     --> plan.yaml:9:23
      |
    9 |       files: [{ path: missing.txt }]
      |                       ^^^^^^^^^^^
      |
      = note: paths are relative to the plan's folder, [FOLDER]

    error: unknown key `prnt` in inspect
      --> plan.yaml:11:58
       |
    11 |     inspect: { reference: "${{ steps.docs.reference }}", prnt: manifest }
       |                                                          ^^^^ did you mean `print`?
       |
       = note: inspect takes: reference, repository, platform, print
    "#);
}

#[test]
fn a_hyphen_in_an_id() {
    assert_snapshot!(check("\
steps:
  - id: show-app
    inspect: { reference: \"${{ REGISTRY }}/app:v1\" }
  - id: again
    inspect: { reference: \"${{ steps.show-app.reference }}\" }
  - id: other
    inspect: { reference: \"${{ MY-IMAGE }}\" }
vars:
  MY-IMAGE: localhost:5000/app:v1
"), @r#"
    exit code 2
    --- stderr
    error: `show-app` cannot be an id
     --> plan.yaml:5:9
      |
    5 |   - id: show-app
      |         ^^^^^^^^ write `show_app`
      |
      = note: `-` means minus in expressions

    error: `show-app` cannot be a step
     --> plan.yaml:8:38
      |
    8 |     inspect: { reference: "${{ steps.show-app.reference }}" }
      |                                      ^^^^^^^^ write `show_app`
      |
      = help: `-` means minus in expressions

    error: `MY-IMAGE` cannot be a name
      --> plan.yaml:10:32
       |
    10 |     inspect: { reference: "${{ MY-IMAGE }}" }
       |                                ^^^^^^^^ write `MY_IMAGE`
       |
       = help: `-` means minus in expressions

    error: `MY-IMAGE` cannot be a name
      --> plan.yaml:12:3
       |
    12 |   MY-IMAGE: localhost:5000/app:v1
       |   ^^^^^^^^ write `MY_IMAGE`
       |
       = note: `-` means minus in expressions
    "#);
}

#[test]
fn an_expression_without_its_dollar() {
    assert_snapshot!(check("\
vars:
  TAG: v1
  IMAGE: {{ REGISTRY }}/app:v1
steps:
  - id: show
    inspect: { reference: {{ IMAGE }} }
  - id: again
    inspect:
      reference: {{ IMAGE }}
  - id: list
    list_tags: { repository: localhost:5000/app, contains: [${{ TAG }}] }
"), @r#"
    exit code 2
    --- stderr
    error: this is a YAML mapping, not an expression
     --> plan.yaml:6:10
      |
    6 |   IMAGE: {{ REGISTRY }}/app:v1
      |          ^^^^^^^^^^^^^^^^^^^^^ write `${{ REGISTRY }}/app:v1`

    error: this is a YAML mapping, not an expression
     --> plan.yaml:9:27
      |
    9 |     inspect: { reference: {{ IMAGE }} }
      |                           ^^^^^^^^^^^ write `"${{ IMAGE }}"`

    error: this is a YAML mapping, not an expression
      --> plan.yaml:12:18
       |
    12 |       reference: {{ IMAGE }}
       |                  ^^^^^^^^^^^ write `${{ IMAGE }}`

    error: an expression inside `[ ]` or `{ }` must be quoted
      --> plan.yaml:14:61
       |
    14 |     list_tags: { repository: localhost:5000/app, contains: [${{ TAG }}] }
       |                                                             ^^^^^^^^^^ write `"${{ TAG }}"`
    "#);
}

#[test]
fn a_duplicate_key() {
    assert_snapshot!(check("\
steps:
  - id: docs
    push:
      to: ${{ REGISTRY }}/docs:v1
      files: [{ content: hello, name: hello.txt }]
      to: ${{ REGISTRY }}/docs:v2
"), @"
    exit code 2
    --- stderr
    error: the key `to` stands here twice
     --> plan.yaml:9:7
      |
    9 |       to: ${{ REGISTRY }}/docs:v2
      |       ^^ the second one
      |
      = note: the first one is in line 7
    ");
}
