//! What those write who come from elsewhere, and what they are told.

use insta::assert_snapshot;

use super::Test;

#[test]
fn keys_that_are_called_otherwise_elsewhere() {
    assert_snapshot!(Test::new("\
consign: 1
variables: { NAME: app }
steps:
  - id: conditional
    if: ${{ true }}
    list_tags: { repository: localhost:5000/app }
  - id: looped
    for_each: [a, b]
    list_tags: { repository: localhost:5000/app }
  - id: matrix
    strategy: { matrix: { arch: [amd64] } }
    list_tags: { repository: localhost:5000/app }
  - id: tolerant
    continue-on-error: true
    depends_on: [looped]
    list_tags: { repository: localhost:5000/app }
  - id: shell
    run: echo hello
").run("check plan.yaml").shown(), @"
    exit code 2
    --- stderr
    error: unknown key `variables` in a plan
     --> plan.yaml:2:1
      |
    2 | variables: { NAME: app }
      | ^^^^^^^^^ did you mean `vars`?
      |
      = note: a plan takes: consign, name, description, inputs, vars, secrets, registries, allow, defaults, rehearse, steps, finally, outputs

    error: unknown key `if` in a step
     --> plan.yaml:5:5
      |
    5 |     if: ${{ true }}
      |     ^^ did you mean `when`?
      |
      = note: a step takes: id, description, foreach, when, needs, timeout, retry, continue_on_error, assert, attach, attest, copy, delete, discover, exec, image, include, index, inspect, list_tags, pull, push, sign, tag, verify

    error: unknown key `for_each` in a step
     --> plan.yaml:8:5
      |
    8 |     for_each: [a, b]
      |     ^^^^^^^^ did you mean `foreach`?
      |
      = note: a step takes: id, description, foreach, when, needs, timeout, retry, continue_on_error, assert, attach, attest, copy, delete, discover, exec, image, include, index, inspect, list_tags, pull, push, sign, tag, verify

    error: unknown key `strategy` in a step
      --> plan.yaml:11:5
       |
    11 |     strategy: { matrix: { arch: [amd64] } }
       |     ^^^^^^^^ did you mean `foreach`?
       |
       = note: a step takes: id, description, foreach, when, needs, timeout, retry, continue_on_error, assert, attach, attest, copy, delete, discover, exec, image, include, index, inspect, list_tags, pull, push, sign, tag, verify

    error: unknown key `continue-on-error` in a step
      --> plan.yaml:14:5
       |
    14 |     continue-on-error: true
       |     ^^^^^^^^^^^^^^^^^ did you mean `continue_on_error`?
       |
       = note: a step takes: id, description, foreach, when, needs, timeout, retry, continue_on_error, assert, attach, attest, copy, delete, discover, exec, image, include, index, inspect, list_tags, pull, push, sign, tag, verify

    error: unknown key `depends_on` in a step
      --> plan.yaml:15:5
       |
    15 |     depends_on: [looped]
       |     ^^^^^^^^^^ did you mean `needs`?
       |
       = note: a step takes: id, description, foreach, when, needs, timeout, retry, continue_on_error, assert, attach, attest, copy, delete, discover, exec, image, include, index, inspect, list_tags, pull, push, sign, tag, verify

    error: unknown key `run` in a step
      --> plan.yaml:18:5
       |
    18 |     run: echo hello
       |     ^^^ did you mean `exec`?
       |
       = note: a step takes: id, description, foreach, when, needs, timeout, retry, continue_on_error, assert, attach, attest, copy, delete, discover, exec, image, include, index, inspect, list_tags, pull, push, sign, tag, verify
    ");
}

#[test]
fn fields_that_are_called_otherwise_elsewhere() {
    assert_snapshot!(Test::new("\
consign: 1
steps:
  - id: words
    exec: syft scan app
  - id: command
    exec: { command: [syft, scan] }
  - id: items
    foreach: { items: [a, b] }
    list_tags: { repository: localhost:5000/app }
  - id: tries
    retry: 3
    list_tags: { repository: localhost:5000/app }
  - id: multi
    index: { to: \"localhost:5000/app:v1\", images: [\"localhost:5000/app:v1-amd64\"] }
  - id: single
    index: { to: \"localhost:5000/app:v2\", manifests: \"localhost:5000/app:v2-amd64\" }
  - id: based
    image: { to: \"localhost:5000/app:v3\", from: \"docker.io/library/debian:12\", layers: [] }
  - id: based_on
    image: { to: \"localhost:5000/app:v4\", base: debian, layers: [] }
  - id: based_for
    image: { to: \"localhost:5000/app:v5\", base: \"localhost:5000/base:v1\", platforms: [linux/amd64], layers: [] }
").run("check plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: `exec` takes fields, not text
     --> plan.yaml:4:11
      |
    4 |     exec: syft scan app
      |           ^^^^^^^^^^^^^
      |
      = help: `consign kinds exec` shows them

    error: unknown key `command` in exec
     --> plan.yaml:6:13
      |
    6 |     exec: { command: [syft, scan] }
      |             ^^^^^^^ did you mean `run`?
      |
      = note: exec takes: run, env, stdin, reads, writes, gate, capture, workdir, rehearse

    error: `foreach` has no items
     --> plan.yaml:8:5
      |
    8 |     foreach: { items: [a, b] }
      |     ^^^^^^^
      |
      = help: name them: `foreach: { in: [a, b] }`, a var or an input, or `foreach: { file: items.yaml }`

    error: unknown key `items` in a foreach
     --> plan.yaml:8:16
      |
    8 |     foreach: { items: [a, b] }
      |                ^^^^^ did you mean `in`?
      |
      = note: a foreach takes: in, file, as, key, max_parallel

    error: `retry` takes a mapping, not `3`
      --> plan.yaml:11:12
       |
    11 |     retry: 3
       |            ^

    error: unknown key `images` in index
      --> plan.yaml:14:43
       |
    14 |     index: { to: "localhost:5000/app:v1", images: ["localhost:5000/app:v1-amd64"] }
       |                                           ^^^^^^ did you mean `manifests`?
       |
       = note: index takes: to, manifests, annotations, artifact_type, if_exists

    error: `manifests` takes a list, not text
      --> plan.yaml:16:54
       |
    16 |     index: { to: "localhost:5000/app:v2", manifests: "localhost:5000/app:v2-amd64" }
       |                                                      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    error: unknown key `from` in image
      --> plan.yaml:18:43
       |
    18 |     image: { to: "localhost:5000/app:v3", from: "docker.io/library/debian:12", layers: [] }
       |                                           ^^^^ did you mean `base`?
       |
       = note: image takes: to, layers, base, platform, entrypoint, cmd, env, labels, user, workdir, annotations, if_exists, created

    error: `debian` names no registry: write the registry too, such as `docker.io/library/debian` or `localhost:5000/debian`
      --> plan.yaml:20:49
       |
    20 |     image: { to: "localhost:5000/app:v4", base: debian, layers: [] }
       |                                                 ^^^^^^

    error: unknown key `platforms` in image
      --> plan.yaml:22:75
       |
    22 |     image: { to: "localhost:5000/app:v5", base: "localhost:5000/base:v1", platforms: [linux/amd64], layers: [] }
       |                                                                           ^^^^^^^^^ did you mean `platform`?
       |
       = note: image takes: to, layers, base, platform, entrypoint, cmd, env, labels, user, workdir, annotations, if_exists, created
    "#);
}

#[test]
fn expressions_that_are_written_otherwise_elsewhere() {
    assert_snapshot!(Test::new("\
consign: 1
allow: [\"localhost:5000/**\"]
steps:
  - id: failed
    when: ${{ run.failed }}
    list_tags: { repository: localhost:5000/app }
  - id: success
    when: ${{ success() }}
    list_tags: { repository: localhost:5000/app }
  - id: bare
    when: steps.failed.changed
    list_tags: { repository: localhost:5000/app }
  - id: each
    foreach: [x, y]
    list_tags: { repository: \"localhost:5000/${{ each.value }}\" }
  - id: whole
    list_tags: { repository: \"localhost:5000/${{ steps.each.tags }}\" }
  - id: unquoted
    list_tags: { repository: \"localhost:5000/${{ steps.each[x].outcome }}\" }
").run("check plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: `allow` takes a mapping, not a list
     --> plan.yaml:2:8
      |
    2 | allow: ["localhost:5000/**"]
      |        ^^^^^^^^^^^^^^^^^^^^^

    error: no such name `run`
     --> plan.yaml:5:15
      |
    5 |     when: ${{ run.failed }}
      |               ^^^ only `finally` knows how the run went

    error: expressions have no functions
     --> plan.yaml:8:15
      |
    8 |     when: ${{ success() }}
      |               ^^^^^^^^^
      |
      = help: use a filter: `value | filter`

    error: `when` takes a condition, not text
      --> plan.yaml:11:11
       |
    11 |     when: steps.failed.changed
       |           ^^^^^^^^^^^^^^^^^^^^
       |
       = help: write it as an expression: `when: ${{ steps.failed.changed }}`

    error: no such name `each`
      --> plan.yaml:15:50
       |
    15 |     list_tags: { repository: "localhost:5000/${{ each.value }}" }
       |                                                  ^^^^ `each` is a step: write `steps.each.<output>`

    error: `each` has no item with the key `tags`
      --> plan.yaml:17:61
       |
    17 |     list_tags: { repository: "localhost:5000/${{ steps.each.tags }}" }
       |                                                             ^^^^
       |
       = help: write `steps.each['KEY'].tags` for one, `steps.each | pluck('tags')` for all

    error: no such name `x`
      --> plan.yaml:19:61
       |
    19 |     list_tags: { repository: "localhost:5000/${{ steps.each[x].outcome }}" }
       |                                                             ^ a key is text: write `steps.each['x']`
    "#);
}

#[test]
fn lists_and_mappings_of_the_wrong_shape() {
    assert_snapshot!(Test::new("\
consign: 1
allow: { push: [\"localhost:5000/**\"], exec: syft }
steps:
  - { id: tool, exec: { run: [syft] } }
finally:
  id: report
  list_tags: { repository: localhost:5000/app }
").run("check plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: unknown key `push` in allow
     --> plan.yaml:2:10
      |
    2 | allow: { push: ["localhost:5000/**"], exec: syft }
      |          ^^^^
      |
      = note: allow takes: write, delete, exec

    error: `exec` takes a list, not text
     --> plan.yaml:2:45
      |
    2 | allow: { push: ["localhost:5000/**"], exec: syft }
      |                                             ^^^^

    error: `tool` runs `syft`, which `allow.exec` does not have
     --> plan.yaml:4:11
      |
    4 |   - { id: tool, exec: { run: [syft] } }
      |           ^^^^
      |
      = help: add it: `allow: { exec: ["syft"] }`, or a pattern that it fits

    error: `finally` takes a list
     --> plan.yaml:6:3
      |
    6 |   id: report
      |   ^^^^^^^^^^
      |
      = help: write `- id: name` and a kind such as `push:` for each step
    "#);
}
