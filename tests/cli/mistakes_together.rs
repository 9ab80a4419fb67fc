//! Many mistakes in one plan, and what `rehearse` and `run` say of one.

use insta::assert_snapshot;

use super::Test;

/// What `check` says of a plan with these steps, and nothing else wrong with it.
fn check(rest: &str) -> String {
    let head = "consign: 1\ninputs:\n  REGISTRY: { type: registry, default: localhost:5000 }\n";
    Test::new(&format!("{head}{rest}")).run("check plan.yaml").shown()
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
      = note: inspect takes: reference, repository, platform, print
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
