//! `when`, `continue_on_error`, `timeout` and `finally`: what they do, and what is wrong with them most often.

use insta::assert_snapshot;

use super::Test;

#[test]
fn conditions_that_are_none() {
    assert_snapshot!(Test::new("\
consign: 1
inputs:
  NAME: { default: x }
steps:
  - id: image
    push: { to: \"localhost:5000/app:v1\", files: [] }
  - { id: bare, when: steps.image.changed, list_tags: { repository: localhost:5000/app } }
  - { id: shell, when: \"${{ steps.image.changed }} && true\", list_tags: { repository: localhost:5000/app } }
  - { id: text, when: \"${{ NAME }}\", list_tags: { repository: localhost:5000/app } }
  - { id: number, when: \"${{ steps.image.size }}\", list_tags: { repository: localhost:5000/app } }
  - { id: list, when: \"${{ steps.image.layers }}\", list_tags: { repository: localhost:5000/app } }
  - { id: quoted, when: \"true\", list_tags: { repository: localhost:5000/app } }
  - { id: empty, when: , list_tags: { repository: localhost:5000/app } }
  - { id: below, when: \"${{ steps.last.changed }}\", list_tags: { repository: localhost:5000/app } }
  - { id: last, when: \"${{ steps.image.chnged }}\", list_tags: { repository: localhost:5000/app } }
").run("check plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: `when` takes a condition, not text
     --> plan.yaml:7:23
      |
    7 |   - { id: bare, when: steps.image.changed, list_tags: { repository: localhost:5000/app } }
      |                       ^^^^^^^^^^^^^^^^^^^
      |
      = help: write it as an expression: `when: ${{ steps.image.changed }}`

    error: a boolean cannot stand inside text
     --> plan.yaml:8:28
      |
    8 |   - { id: shell, when: "${{ steps.image.changed }} && true", list_tags: { repository: localhost:5000/app } }
      |                            ^^^^^^^^^^^^^^^^^^^^
      |
      = help: only text and integers can; use a filter such as `join(',')` or `tojson`

    error: `when` takes a condition, not text
     --> plan.yaml:9:23
      |
    9 |   - { id: text, when: "${{ NAME }}", list_tags: { repository: localhost:5000/app } }
      |                       ^^^^^^^^^^^^^
      |
      = help: compare it: `${{ … == '…' }}`

    error: `when` takes a condition, not a number
      --> plan.yaml:10:25
       |
    10 |   - { id: number, when: "${{ steps.image.size }}", list_tags: { repository: localhost:5000/app } }
       |                         ^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: compare it: `${{ … > 0 }}`

    error: `when` takes a condition, not a list
      --> plan.yaml:11:23
       |
    11 |   - { id: list, when: "${{ steps.image.layers }}", list_tags: { repository: localhost:5000/app } }
       |                       ^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: compare its length: `${{ … | length > 0 }}`

    error: `when` takes a condition, not text
      --> plan.yaml:12:25
       |
    12 |   - { id: quoted, when: "true", list_tags: { repository: localhost:5000/app } }
       |                         ^^^^^^
       |
       = help: write it as an expression: `when: ${{ true }}`

    error: `when` takes a condition, not nothing
      --> plan.yaml:13:22
       |
    13 |   - { id: empty, when: , list_tags: { repository: localhost:5000/app } }
       |                      ^
       |
       = help: write `when: ${{ … }}`, or leave it out

    error: step `last` stands below
      --> plan.yaml:14:35
       |
    14 |   - { id: below, when: "${{ steps.last.changed }}", list_tags: { repository: localhost:5000/app } }
       |                                   ^^^^
       |
       = help: a step may refer only to steps above it; move it up, or this one down

    error: step `image` has no output `chnged`
      --> plan.yaml:15:40
       |
    15 |   - { id: last, when: "${{ steps.image.chnged }}", list_tags: { repository: localhost:5000/app } }
       |                                        ^^^^^^ did you mean `changed`?
       |
       = help: `image` is of kind `push`; it has: reference, digest, media_type, size, tag, layers, outcome, changed
    "#);
}

#[test]
fn limits_and_failures_that_cannot_be() {
    assert_snapshot!(Test::new("\
consign: 1
defaults: { timeout: 5 minutes }
steps:
  - { id: none, timeout: 0s, list_tags: { repository: localhost:5000/app } }
  - { id: number, timeout: 30, list_tags: { repository: localhost:5000/app } }
  - { id: gate, continue_on_error: true, assert: { that: [true] } }
  - { id: word, continue_on_error: yes, list_tags: { repository: localhost:5000/app } }
").run("check plan.yaml").shown(), @"
    exit code 2
    --- stderr
    error: `5 minutes` is not a length of time: write `30s`, `5m` or `1h30m`
     --> plan.yaml:2:22
      |
    2 | defaults: { timeout: 5 minutes }
      |                      ^^^^^^^^^

    error: `0s` is no time at all: leave `timeout` out for as long as it takes
     --> plan.yaml:4:26
      |
    4 |   - { id: none, timeout: 0s, list_tags: { repository: localhost:5000/app } }
      |                          ^^

    error: `30` is not a length of time: write `30s`, `5m` or `1h30m`
     --> plan.yaml:5:28
      |
    5 |   - { id: number, timeout: 30, list_tags: { repository: localhost:5000/app } }
      |                            ^^

    error: `gate` is a gate: what it says must count
     --> plan.yaml:6:17
      |
    6 |   - { id: gate, continue_on_error: true, assert: { that: [true] } }
      |                 ^^^^^^^^^^^^^^^^^
      |
      = help: leave `continue_on_error` out

    error: `continue_on_error` takes `true` or `false`, not `yes`
     --> plan.yaml:7:36
      |
    7 |   - { id: word, continue_on_error: yes, list_tags: { repository: localhost:5000/app } }
      |                                    ^^^
    ");
}

#[test]
fn what_finally_cannot_look_at() {
    assert_snapshot!(Test::new("\
consign: 1
vars:
  DIGEST: ${{ steps.image.digest }}
steps:
  - id: image
    push: { to: \"localhost:5000/app:v1\", files: [] }
  - { id: early, when: \"${{ run.failed }}\", list_tags: { repository: localhost:5000/app } }
finally:
  - id: output
    inspect: { reference: \"${{ steps.image.reference }}\" }
  - id: var
    inspect: { reference: \"localhost:5000/app@${{ DIGEST }}\" }
  - { id: status, when: \"${{ run.state == 'failed' }}\", list_tags: { repository: localhost:5000/app } }
").run("check plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: no such name `run`
     --> plan.yaml:7:29
      |
    7 |   - { id: early, when: "${{ run.failed }}", list_tags: { repository: localhost:5000/app } }
      |                             ^^^ only `finally` knows how the run went

    error: `steps.image.reference` may have no value in `finally`: the step may not have run
      --> plan.yaml:10:38
       |
    10 |     inspect: { reference: "${{ steps.image.reference }}" }
       |                                      ^^^^^
       |
       = help: give it a default: `steps.image.reference | default('')`

    error: `DIGEST` looks at step `image`, which may not have run
      --> plan.yaml:12:51
       |
    12 |     inspect: { reference: "localhost:5000/app@${{ DIGEST }}" }
       |                                                   ^^^^^^
       |
       = help: in `finally`, outputs have a default, also in vars: `steps.<id>.<output> | default('')`

    error: `run` has no `state`
      --> plan.yaml:13:30
       |
    13 |   - { id: status, when: "${{ run.state == 'failed' }}", list_tags: { repository: localhost:5000/app } }
       |                              ^^^
       |
       = help: `run.status` is `succeeded`, `failed` or `interrupted`; `run.failed` is true unless it succeeded
    "#);
}

#[test]
fn finally_runs_after_a_failure_and_what_it_waits_for_is_shown() {
    assert_snapshot!(Test::new("\
consign: 1
steps:
  - id: gone
    continue_on_error: true
    inspect: { reference: \"localhost:5000/app:gone\" }
  - id: uses_it
    inspect: { reference: \"${{ steps.gone.reference }}\" }
  - id: never
    when: false
    list_tags: { repository: localhost:5000/app }
  - id: gate
    assert: { that: [false] }
  - id: behind
    push: { to: \"localhost:5000/app:v1\", files: [] }
finally:
  - id: report
    push:
      to: localhost:5000/reports
      files: [{ name: r, content: \"${{ run.status }} ${{ steps.behind.digest | default('nothing') }}\" }]
  - id: succeeded
    when: ${{ not run.failed }}
    list_tags: { repository: localhost:5000/app }
").run("rehearse plan.yaml --jobs 1").shown(), @"
    exit code 3
    --- stderr
    plan: 7 steps
    failed    gone       `localhost:5000/app:gone` does not exist
      --> plan.yaml:3:9
    skipped   uses_it    `gone` failed
    skipped   never      `when` is false
    failed    gate       condition 1 does not hold
      --> plan.yaml:11:9
    blocked   behind     gate failed
    created   report     localhost:5000/reports@sha256:ce5096912f7b  [TIME]
    skipped   succeeded  `when` is false
    changed:
      created localhost:5000/reports@sha256:ce5096912f7bd28c4432947cdbcfb2efc6519ead84a78966e55d6de3920c5263
    failed:
      gone: `localhost:5000/app:gone` does not exist
      gate: condition 1 does not hold
    1 created, 3 skipped, 1 blocked, 2 failed in [TIME]
    a gate said no; when it holds, run it again: what succeeded is found unchanged
    a real run:
      in                      needs       to
      localhost:5000/app      pull, push
      localhost:5000/reports  pull, push  create  sha256:ce5096912f7b
    ");
}

#[test]
fn a_graph_shows_what_is_in_finally() {
    assert_snapshot!(Test::new("\
consign: 1
steps:
  - id: gone
    continue_on_error: true
    inspect: { reference: \"localhost:5000/app:gone\" }
  - id: uses_it
    inspect: { reference: \"${{ steps.gone.reference }}\" }
  - id: never
    when: false
    list_tags: { repository: localhost:5000/app }
  - id: gate
    assert: { that: [false] }
  - id: behind
    push: { to: \"localhost:5000/app:v1\", files: [] }
finally:
  - id: report
    push:
      to: localhost:5000/reports
      files: [{ name: r, content: \"${{ run.status }} ${{ steps.behind.digest | default('nothing') }}\" }]
  - id: succeeded
    when: ${{ not run.failed }}
    list_tags: { repository: localhost:5000/app }
").run("graph plan.yaml").shown(), @"
    exit code 0
    --- stdout
    gone       inspect
    uses_it    inspect    after gone (data)
    never      list_tags
    gate       assert
    behind     push       after uses_it (effect), gate (gate)
    report     push       finally
    succeeded  list_tags  finally
    ");
}

#[test]
fn a_step_that_will_not_run_misses_nothing() {
    assert_snapshot!(Test::new("\
consign: 1
inputs:
  KEY: {}
  RELEASE: { type: boolean, default: false }
steps:
  - id: sign
    when: ${{ RELEASE }}
    push: { to: \"localhost:5000/app:${{ KEY }}\", files: [{ path: not-there.txt }] }
  - id: also
    when: ${{ RELEASE }}
    push: { to: \"localhost:5000/app:v1\", files: [{ path: not-there.txt }] }
  - id: show
    inspect: { reference: \"${{ steps.sign.reference }}\" }
  - id: tags
    list_tags: { repository: localhost:5000/app }
").run("rehearse plan.yaml").shown(), @"
    exit code 0
    --- stderr
    plan: 4 steps
    skipped   sign  `when` is false
    skipped   show  `sign` was skipped
    skipped   also  `when` is false
    passed    tags  [TIME]
    1 passed, 3 skipped in [TIME]
    a real run:
      in                  needs  to
      localhost:5000/app  pull
    ");
}
