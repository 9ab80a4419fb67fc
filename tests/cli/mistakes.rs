//! Ten mistakes that users make, each by itself and all of them in one file.
//!
//! Over 500 lines: one thing, ten mistakes with all that is printed about each.

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
      = note: a step takes: id, description, foreach, when, needs, timeout, retry, continue_on_error, assert, attach, attest, copy, delete, discover, exec, image, index, inspect, list_tags, pull, push, sign, tag, verify
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
      = help: `show` is of kind `inspect`; it has: reference, digest, media_type, size, manifest, annotations, artifact_type, platforms, outcome, changed
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
       = note: inspect takes: reference, platform, print
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

const ALL_TEN: &str = "\
consign: 1
inputs:
  REGISTRY: { type: registry, default: localhost:5000 }
  VERSION: { type: semver }
vars:
  IMAGE: ${{ REGISTRY }}/app:${{ VERSION }}
  LATEST: {{ IMAGE }}
steps:
  - id: push-app
    push:
      to: ${{ IMAGE }}
      files: [{ path: missing.txt }]
  - id: docs
    attach:
      subject: ${{ LATEST }}
      artifact_typ: text/example
      files: [{ content: hello, name: hello.txt }]
  - id: find
    discover: { subject: \"${{ steps.docs.reference }}\", expect: one }
  - id: both
    tag: { from: \"${{ REGISTRY }}/docs:v1\", tags: [v2] }
    delete: { reference: \"${{ REGISTRY }}/docs:v2\" }
  - id: show
    inspect: { reference: \"${{ REGISTRI }}/docs:v1\" }
  - id: show_found
    inspect: { reference: \"${{ REGISTRY }}/docs@${{ steps.find.digst }}\" }
  - id: early
    inspect: { reference: \"${{ steps.late.reference }}\" }
  - id: late
    push:
      to: ${{ REGISTRY }}/late:v1
      files: [{ content: hello, name: hello.txt }]
      to: ${{ REGISTRY }}/late:v2
";

#[test]
fn all_ten_in_one_file() {
    let ran = Test::new(ALL_TEN).run("check plan.yaml");
    assert_eq!(ran.stderr.matches("error: ").count(), 10);
    assert_snapshot!(ran.shown(), @r#"
    exit code 2
    --- stderr
    error: input `VERSION` has no value
     --> plan.yaml:4:3
      |
    4 |   VERSION: { type: semver }
      |   ^^^^^^^
      |
      = note: needed by `push-app`, `docs`
      = help: set it: `--set VERSION=…`, or give it `env:` or `default:` in the plan

    error: this is a YAML mapping, not an expression
     --> plan.yaml:7:11
      |
    7 |   LATEST: {{ IMAGE }}
      |           ^^^^^^^^^^^ write `${{ IMAGE }}`

    error: `push-app` cannot be an id
     --> plan.yaml:9:9
      |
    9 |   - id: push-app
      |         ^^^^^^^^ write `push_app`
      |
      = note: `-` means minus in expressions

    error: file not found: `missing.txt`
      --> plan.yaml:12:23
       |
    12 |       files: [{ path: missing.txt }]
       |                       ^^^^^^^^^^^
       |
       = note: paths are relative to the plan's folder, [FOLDER]

    error: unknown key `artifact_typ` in attach
      --> plan.yaml:16:7
       |
    16 |       artifact_typ: text/example
       |       ^^^^^^^^^^^^ did you mean `artifact_type`?
       |
       = note: attach takes: subject, artifact_type, platform, files, annotations, created

    error: a step has one kind, this one has two: `tag` and `delete`
      --> plan.yaml:22:5
       |
    22 |     delete: { reference: "${{ REGISTRY }}/docs:v2" }
       |     ^^^^^^ make it a step of its own

    error: no such name `REGISTRI`
      --> plan.yaml:24:32
       |
    24 |     inspect: { reference: "${{ REGISTRI }}/docs:v1" }
       |                                ^^^^^^^^ did you mean `REGISTRY`?

    error: step `find` has no output `digst`
      --> plan.yaml:26:64
       |
    26 |     inspect: { reference: "${{ REGISTRY }}/docs@${{ steps.find.digst }}" }
       |                                                                ^^^^^ did you mean `digest`?
       |
       = help: `find` is of kind `discover`; it has: referrers, count, subject_digest, graph, digest, reference, outcome, changed

    error: step `late` stands below
      --> plan.yaml:28:38
       |
    28 |     inspect: { reference: "${{ steps.late.reference }}" }
       |                                      ^^^^
       |
       = help: a step may refer only to steps above it; move it up, or this one down

    error: the key `to` stands here twice
      --> plan.yaml:33:7
       |
    33 |       to: ${{ REGISTRY }}/late:v2
       |       ^^ the second one
       |
       = note: the first one is in line 31
    "#);
}

#[test]
fn what_rehearses_and_runs_says_the_same_and_starts_nothing() {
    let test = Test::new("consign: 1\nsteps:\n  - id: show\n    inspect: { reference: ubuntu, prnt: x }\n");
    let checked = test.run("check plan.yaml").shown();
    assert_snapshot!(checked, @"
    exit code 2
    --- stderr
    error: `ubuntu` names no registry: write the registry too, such as `docker.io/library/ubuntu` or `localhost:5000/ubuntu`
     --> plan.yaml:4:27
      |
    4 |     inspect: { reference: ubuntu, prnt: x }
      |                           ^^^^^^

    error: unknown key `prnt` in inspect
     --> plan.yaml:4:35
      |
    4 |     inspect: { reference: ubuntu, prnt: x }
      |                                   ^^^^ did you mean `print`?
      |
      = note: inspect takes: reference, platform, print
    ");
    assert_eq!(test.run("rehearse plan.yaml").shown(), checked);
    assert_eq!(test.run("run plan.yaml --events - --outputs -").shown(), checked);
    assert_eq!(test.run("graph plan.yaml").shown(), checked);
}

#[test]
fn retries_that_say_nothing_sensible() {
    assert_snapshot!(check("\
defaults:
  retry: { max: 0, budget: 5 }
  retries: 3
steps:
  - id: show
    retry: { tries: 3, budget: 2 days }
    inspect: { reference: \"${{ REGISTRY }}/docs:v1\" }
"), @"
    exit code 2
    --- stderr
    error: `max` takes 1 to 100 tries, not 0; 1 is none after the first
     --> plan.yaml:5:17
      |
    5 |   retry: { max: 0, budget: 5 }
      |                 ^

    error: `5` is not a length of time: write `30s`, `5m` or `1h30m`
     --> plan.yaml:5:28
      |
    5 |   retry: { max: 0, budget: 5 }
      |                            ^

    error: unknown key `retries` in defaults
     --> plan.yaml:6:3
      |
    6 |   retries: 3
      |   ^^^^^^^
      |
      = note: defaults takes: retry, timeout

    error: unknown key `tries` in retry
     --> plan.yaml:9:14
      |
    9 |     retry: { tries: 3, budget: 2 days }
      |              ^^^^^
      |
      = note: retry takes: max, budget

    error: `2 days` is not a length of time: write `30s`, `5m` or `1h30m`
     --> plan.yaml:9:32
      |
    9 |     retry: { tries: 3, budget: 2 days }
      |                                ^^^^^^
    ");
}
