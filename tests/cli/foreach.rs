//! `foreach`: what it does, and what is wrong with it most often.

use insta::assert_snapshot;

use super::Test;

/// A group for each of two services, a loop over what it made, a step that uses all of that, and a loop over nothing.
pub(super) fn services() -> Test {
    Test::new(SERVICES).file("services.json", r#"[{ "name": "api", "port": 80 }, { "name": "web", "port": 81 }]"#)
}

const SERVICES: &str = "\
consign: 1
inputs:
  EXTRA: { type: boolean, default: false }
steps:
  - id: release
    foreach: { file: services.json, as: service, key: \"${{ service.name }}\", max_parallel: 2 }
    steps:
      - id: image
        push: { to: \"localhost:5000/${{ service.name }}:v1\", files: [{ name: port, content: \"${{ service.port }}\" }] }
      - id: check
        assert: { present: [\"${{ steps.image.reference }}\"] }
      - id: sbom
        when: ${{ service.port == 80 or EXTRA }}
        attach: { subject: \"${{ steps.image.reference }}\", artifact_type: sbom/example, annotations: { contents: good } }
  - id: promote
    foreach: { in: { api: stable, web: edge } }
    copy: { from: \"${{ steps.release[item.key].image.reference }}\", to: \"localhost:5000/${{ item.value }}/${{ item.key }}:v1\" }
  - id: all
    push:
      to: localhost:5000/all
      files: [{ name: list, json: \"${{ steps.promote | pluck('reference') }}\" }]
  - id: none
    foreach: []
    push: { to: \"localhost:5000/${{ item }}:v1\", files: [] }
outputs:
  api: ${{ steps.release['api'].image.digest | short }}
  all: ${{ steps.release | pluck('image.tag') }}
  loop: ${{ steps.promote['web'].reference }}
";

#[test]
#[expect(clippy::too_many_lines, reason = "a plan for each mistake, and what is said of it")]
fn items_that_cannot_be() {
    assert_snapshot!(Test::new("\
consign: 1
inputs:
  NAME: { default: x }
vars:
  IMAGES: [{ name: api, port: 80 }, { name: web, port: 81 }]
  DIGESTS: [\"${{ steps.image.digest }}\"]
steps:
  - id: image
    push: { to: \"localhost:5000/app:v1\", files: [] }
  - { id: no_items, foreach: { as: it }, list_tags: { repository: localhost:5000/app } }
  - { id: no_key, foreach: { in: \"${{ IMAGES }}\", as: it }, list_tags: { repository: localhost:5000/app } }
  - { id: same_key, foreach: { in: \"${{ IMAGES }}\", key: api }, list_tags: { repository: localhost:5000/app } }
  - { id: twice, foreach: [a, b, a], list_tags: { repository: localhost:5000/app } }
  - { id: bad_key, foreach: [\"a b\", \"c[0]\"], list_tags: { repository: localhost:5000/app } }
  - { id: text, foreach: \"${{ NAME }}\", list_tags: { repository: localhost:5000/app } }
  - { id: from_steps, foreach: \"${{ DIGESTS }}\", list_tags: { repository: localhost:5000/app } }
  - { id: from_step, foreach: \"${{ steps.image.layers }}\", list_tags: { repository: localhost:5000/app } }
  - { id: hides, foreach: { in: [a], as: NAME }, list_tags: { repository: localhost:5000/app } }
  - { id: typo, foreach: { in: [a], max_paralel: 2 }, list_tags: { repository: localhost:5000/app } }
  - { id: none_at_a_time, foreach: { in: [a], max_parallel: 0 }, list_tags: { repository: localhost:5000/app } }
  - { id: file, foreach: { file: items.yaml }, list_tags: { repository: localhost:5000/app } }
  - { id: broken, foreach: { file: broken.yaml }, list_tags: { repository: localhost:5000/app } }
").file("broken.yaml", "\
- name: a
  port: 012
").run("check plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: `foreach` has no items
      --> plan.yaml:10:21
       |
    10 |   - { id: no_items, foreach: { as: it }, list_tags: { repository: localhost:5000/app } }
       |                     ^^^^^^^
       |
       = help: name them: `foreach: { in: [a, b] }`, a var or an input, or `foreach: { file: items.yaml }`

    error: `no_key` needs a `key`: its items are not short texts
      --> plan.yaml:11:11
       |
    11 |   - { id: no_key, foreach: { in: "${{ IMAGES }}", as: it }, list_tags: { repository: localhost:5000/app } }
       |           ^^^^^^
       |
       = help: say what tells them apart: `key: ${{ it.name }}`

    error: the key is the same for every item
      --> plan.yaml:12:58
       |
    12 |   - { id: same_key, foreach: { in: "${{ IMAGES }}", key: api }, list_tags: { repository: localhost:5000/app } }
       |                                                          ^^^
       |
       = help: write `key: ${{ item.name }}`

    error: two items of `twice` have the key `a`
      --> plan.yaml:13:27
       |
    13 |   - { id: twice, foreach: [a, b, a], list_tags: { repository: localhost:5000/app } }
       |                           ^^^^^^^^^
       |
       = help: a key tells its item from all others: `key: ${{ item.name }}`

    error: `a b` cannot be a key of `bad_key`: blanks, quotes, commas and brackets cannot stand in one
      --> plan.yaml:14:29
       |
    14 |   - { id: bad_key, foreach: ["a b", "c[0]"], list_tags: { repository: localhost:5000/app } }
       |                             ^^^^^^^^^^^^^^^

    error: `c[0]` cannot be a key of `bad_key`: blanks, quotes, commas and brackets cannot stand in one
      --> plan.yaml:14:29
       |
    14 |   - { id: bad_key, foreach: ["a b", "c[0]"], list_tags: { repository: localhost:5000/app } }
       |                             ^^^^^^^^^^^^^^^

    error: `foreach` takes a list or a mapping, not text
      --> plan.yaml:15:26
       |
    15 |   - { id: text, foreach: "${{ NAME }}", list_tags: { repository: localhost:5000/app } }
       |                          ^^^^^^^^^^^^^

    error: `DIGESTS` looks at step `image`
      --> plan.yaml:16:37
       |
    16 |   - { id: from_steps, foreach: "${{ DIGESTS }}", list_tags: { repository: localhost:5000/app } }
       |                                     ^^^^^^^
       |
       = help: the items of a `foreach` are known before any step runs: use inputs, and vars without steps

    error: this cannot look at step `image`
      --> plan.yaml:17:42
       |
    17 |   - { id: from_step, foreach: "${{ steps.image.layers }}", list_tags: { repository: localhost:5000/app } }
       |                                          ^^^^^
       |
       = help: the items of a `foreach` are known before any step runs: use inputs, and vars without steps

    error: the item of `hides` would hide the input `NAME`
      --> plan.yaml:18:42
       |
    18 |   - { id: hides, foreach: { in: [a], as: NAME }, list_tags: { repository: localhost:5000/app } }
       |                                          ^^^^
       |
       = help: give it another name: `foreach: { in: …, as: name }`

    error: unknown key `max_paralel` in a foreach
      --> plan.yaml:19:37
       |
    19 |   - { id: typo, foreach: { in: [a], max_paralel: 2 }, list_tags: { repository: localhost:5000/app } }
       |                                     ^^^^^^^^^^^ did you mean `max_parallel`?
       |
       = note: a foreach takes: in, file, as, key, max_parallel

    error: `max_parallel` takes a number from 1 up
      --> plan.yaml:20:61
       |
    20 |   - { id: none_at_a_time, foreach: { in: [a], max_parallel: 0 }, list_tags: { repository: localhost:5000/app } }
       |                                                             ^
       |
       = help: leave it out to work on all items at a time

    error: file not found: `items.yaml`
      --> plan.yaml:21:34
       |
    21 |   - { id: file, foreach: { file: items.yaml }, list_tags: { repository: localhost:5000/app } }
       |                                  ^^^^^^^^^^
       |
       = note: paths are relative to the plan's folder, [FOLDER]

    error: broken.yaml:2:9: `012` would become the number 12: quote it to mean text
      --> plan.yaml:22:36
       |
    22 |   - { id: broken, foreach: { file: broken.yaml }, list_tags: { repository: localhost:5000/app } }
       |                                    ^^^^^^^^^^^
       |
       = note: paths are relative to the plan's folder, [FOLDER]
    "#);
}

#[test]
fn looks_at_loops_that_cannot_be() {
    assert_snapshot!(Test::new("\
consign: 1
steps:
  - id: publish
    foreach: [api, web]
    push: { to: \"localhost:5000/${{ item }}:v1\", files: [] }
  - id: release
    foreach: { in: [api, web], as: service }
    steps:
      - id: image
        push: { to: \"localhost:5000/r/${{ service }}:v1\", files: [] }
      - { id: itself, list_tags: { repository: \"localhost:5000/${{ steps.release['api'].image.tag }}\" } }
  - { id: bare, inspect: { reference: \"${{ steps.publish.reference }}\" } }
  - { id: typo, inspect: { reference: \"${{ steps.publish['wbe'].reference }}\" } }
  - { id: output, inspect: { reference: \"${{ steps.publish['web'].refrence }}\" } }
  - { id: step, inspect: { reference: \"${{ steps.release['web'].img.reference }}\" } }
  - { id: inner, inspect: { reference: \"${{ steps.image.reference }}\" } }
  - { id: plucked, assert: { that: [\"${{ steps.publish | pluck('digst') | length == 2 }}\"] } }
  - { id: of_one, assert: { that: [\"${{ steps.bare | pluck('digest') | length == 2 }}\"] } }
  - { id: outside, list_tags: { repository: \"localhost:5000/${{ service }}\" } }
outputs:
  api: ${{ steps.publish['apo'].digest }}
").run("check plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: step `release` refers to itself
      --> plan.yaml:11:74
       |
    11 |       - { id: itself, list_tags: { repository: "localhost:5000/${{ steps.release['api'].image.tag }}" } }
       |                                                                          ^^^^^^^

    error: `publish` has no item with the key `reference`
      --> plan.yaml:12:58
       |
    12 |   - { id: bare, inspect: { reference: "${{ steps.publish.reference }}" } }
       |                                                          ^^^^^^^^^
       |
       = help: write `steps.publish['KEY'].reference` for one, `steps.publish | pluck('reference')` for all

    error: `publish` has no item with the key `wbe`
      --> plan.yaml:13:58
       |
    13 |   - { id: typo, inspect: { reference: "${{ steps.publish['wbe'].reference }}" } }
       |                                                          ^^^^^ did you mean `web`?

    error: step `publish` has no output `refrence`
      --> plan.yaml:14:67
       |
    14 |   - { id: output, inspect: { reference: "${{ steps.publish['web'].refrence }}" } }
       |                                                                   ^^^^^^^^ did you mean `reference`?
       |
       = help: `publish` is of kind `push`; it has: reference, digest, media_type, size, tag, layers, outcome, changed

    error: `release` has no step `img`
      --> plan.yaml:15:65
       |
    15 |   - { id: step, inspect: { reference: "${{ steps.release['web'].img.reference }}" } }
       |                                                                 ^^^
       |
       = help: its steps are: image, itself

    error: there is no step `image`
      --> plan.yaml:16:51
       |
    16 |   - { id: inner, inspect: { reference: "${{ steps.image.reference }}" } }
       |                                                   ^^^^^
       |
       = help: it stands in `release`: write `steps.release['KEY'].image`

    error: step `publish` has no output `digst`
      --> plan.yaml:17:64
       |
    17 |   - { id: plucked, assert: { that: ["${{ steps.publish | pluck('digst') | length == 2 }}"] } }
       |                                                                ^^^^^^^ did you mean `digest`?
       |
       = help: `publish` is of kind `push`; it has: reference, digest, media_type, size, tag, layers, outcome, changed

    error: `bare` is one step, and not a `foreach`
      --> plan.yaml:18:60
       |
    18 |   - { id: of_one, assert: { that: ["${{ steps.bare | pluck('digest') | length == 2 }}"] } }
       |                                                            ^^^^^^^^
       |
       = help: write `steps.bare.<output>`

    error: no such name `service`
      --> plan.yaml:19:65
       |
    19 |   - { id: outside, list_tags: { repository: "localhost:5000/${{ service }}" } }
       |                                                                 ^^^^^^^ it is an item of `release`, and known in its steps alone

    error: `publish` has no item with the key `apo`
      --> plan.yaml:21:26
       |
    21 |   api: ${{ steps.publish['apo'].digest }}
       |                          ^^^^^ did you mean `api`?
    "#);
}

#[test]
fn groups_that_cannot_be() {
    assert_snapshot!(Test::new("\
consign: 1
steps:
  - id: plain
    steps: [{ id: a, list_tags: { repository: localhost:5000/a } }]
  - id: empty
    foreach: [x]
    steps: []
  - id: outer
    foreach: [x]
    timeout: 5m
    steps:
      - { id: b, foreach: [y], list_tags: { repository: localhost:5000/a } }
      - id: inner
        foreach: [y]
        steps: [{ id: c, list_tags: { repository: localhost:5000/a } }]
  - id: both
    foreach: [x]
    list_tags: { repository: localhost:5000/a }
    steps: [{ id: d, list_tags: { repository: localhost:5000/a } }]
  - id: names
    foreach: [x]
    steps: [{ id: last, list_tags: { repository: localhost:5000/a } }, { id: last, list_tags: { repository: localhost:5000/a } }]
  - { id: last, list_tags: { repository: localhost:5000/a } }
").run("check plan.yaml").shown(), @"
    exit code 2
    --- stderr
    error: a group of steps needs `foreach`
     --> plan.yaml:3:5
      |
    3 |   - id: plain
      |     ^^^^^^^^^
      |
      = help: without it, write its steps into the list that the group stands in

    error: the group has no steps
     --> plan.yaml:5:5
      |
    5 |   - id: empty
      |     ^^^^^^^^^

    error: a group of steps has no `timeout`
      --> plan.yaml:10:5
       |
    10 |     timeout: 5m
       |     ^^^^^^^
       |
       = help: say it in its steps

    error: a `foreach` cannot stand in a group
      --> plan.yaml:12:15
       |
    12 |       - { id: b, foreach: [y], list_tags: { repository: localhost:5000/a } }
       |               ^
       |
       = help: make the items of one `foreach` of both lists

    error: a group cannot stand in a group
      --> plan.yaml:13:9
       |
    13 |       - id: inner
       |         ^^^^^^^^^
       |
       = help: make the items of one `foreach` of both lists

    error: unknown key `list_tags` in a group of steps
      --> plan.yaml:18:5
       |
    18 |     list_tags: { repository: localhost:5000/a }
       |     ^^^^^^^^^
       |
       = note: a group of steps takes: id, description, foreach, when, needs, steps

    error: `last` is the id of a step outside of the group too
      --> plan.yaml:22:19
       |
    22 |     steps: [{ id: last, list_tags: { repository: localhost:5000/a } }, { id: last, list_tags: { repository: localhost:5000/a } }]
       |                   ^^^^ give it another id

    error: two steps have the id `last`
      --> plan.yaml:22:78
       |
    22 |     steps: [{ id: last, list_tags: { repository: localhost:5000/a } }, { id: last, list_tags: { repository: localhost:5000/a } }]
       |                                                                              ^^^^ give it another id

    error: `last` is the id of a step outside of the group too
      --> plan.yaml:22:78
       |
    22 |     steps: [{ id: last, list_tags: { repository: localhost:5000/a } }, { id: last, list_tags: { repository: localhost:5000/a } }]
       |                                                                              ^^^^ give it another id
    ");
}

#[test]
fn a_loop_runs_and_hands_on_what_its_items_made() {
    assert_snapshot!(services().run("rehearse plan.yaml --outputs - --jobs 1").shown(), @r#"
    exit code 0
    --- stdout
    {
      "api": "61b87d12bce7",
      "all": [
        "v1",
        "v1"
      ],
      "loop": "localhost:5000/edge/web@sha256:d7b7139db1b2ed6ec515e19580efa96db7061496a100eecb5c44723c3601b772"
    }
    --- stderr
    plan: 9 steps
    created   release[api].image  localhost:5000/api@sha256:61b87d12bce7  [TIME]
    passed    release[api].check  [TIME]
    created   release[api].sbom   localhost:5000/api@sha256:93e650dc2025  [TIME]
    created   release[web].image  localhost:5000/web@sha256:d7b7139db1b2  [TIME]
    passed    release[web].check  [TIME]
    skipped   release[web].sbom   `when` is false
    created   promote[api]        localhost:5000/stable/api@sha256:61b87d12bce7  [TIME]
    created   promote[web]        localhost:5000/edge/web@sha256:d7b7139db1b2  [TIME]
    created   all                 localhost:5000/all@sha256:97cb719008a6  [TIME]
    changed:
      created localhost:5000/api@sha256:61b87d12bce71c4a21236de334fc710d9a4b663911079e6ac8b6a54609ca3b5a
      created localhost:5000/api@sha256:93e650dc2025f59fac790dce68673cef356e0e65632c991af911caad28e5458d
      created localhost:5000/web@sha256:d7b7139db1b2ed6ec515e19580efa96db7061496a100eecb5c44723c3601b772
      created localhost:5000/stable/api@sha256:61b87d12bce71c4a21236de334fc710d9a4b663911079e6ac8b6a54609ca3b5a
      created localhost:5000/edge/web@sha256:d7b7139db1b2ed6ec515e19580efa96db7061496a100eecb5c44723c3601b772
      created localhost:5000/all@sha256:97cb719008a67fe1735dee53a604244068ba57d5e89022265487a5d53a968e29
    6 created, 2 passed, 1 skipped in [TIME]
    a real run:
      in                         needs       to
      localhost:5000/all         pull, push  create  sha256:97cb719008a6
      localhost:5000/api         pull, push  create  v1 → sha256:61b87d12bce7
                                             create  sha256:61b87d12bce7
                                             create  sha256:93e650dc2025
      localhost:5000/edge/web    pull, push  create  v1 → sha256:d7b7139db1b2
                                             create  sha256:d7b7139db1b2
      localhost:5000/stable/api  pull, push  create  v1 → sha256:61b87d12bce7
                                             create  sha256:61b87d12bce7
                                             create  sha256:93e650dc2025
      localhost:5000/web         pull, push  create  v1 → sha256:d7b7139db1b2
                                             create  sha256:d7b7139db1b2
    "#);
}

#[test]
fn a_graph_shows_every_item() {
    assert_snapshot!(services().run("graph plan.yaml").shown(), @"
    exit code 0
    --- stdout
    release[api].image  push
    release[api].check  assert  after release[api].image (data, effect)
    release[api].sbom   attach  after release[api].check (effect, gate)
    release[web].image  push
    release[web].check  assert  after release[web].image (data, effect)
    release[web].sbom   attach  after release[web].image (data)
    promote[api]        copy    after release[api].sbom (effect), release[web].check (gate)
    promote[web]        copy    after release[api].check (gate), release[web].check (gate)
    all                 push    after promote[api] (data), promote[web] (data)
    ");
}

#[test]
fn why_an_item_waits_for_one_of_another_loop() {
    assert_snapshot!(services().run("graph plan.yaml --why release[web].image promote[web]").shown(), @"
    exit code 0
    --- stdout
    release[web].image -> promote[web]
      data: it uses `steps.release[item.key].image.reference`
      effect: the first adds to the graph of localhost:5000/web, the second reads it
    ");
}
