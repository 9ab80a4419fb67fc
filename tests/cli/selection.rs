//! `--select` and `--skip`: which items and steps run, and what cannot be selected.

use insta::assert_snapshot;

use super::foreach::services;

#[test]
fn what_an_item_selects_with_all_that_it_depends_on() {
    assert_snapshot!(services().run("rehearse plan.yaml --jobs 1 --select +promote[web]").shown(), @"
    exit code 0
    --- stderr
    plan: 9 steps
    created   release[api].image  localhost:5000/api@sha256:61b87d12bce7  [TIME]
    skipped   promote[api]        as asked
    skipped   release[api].sbom   as asked
    passed    release[api].check  [TIME]
    created   release[web].image  localhost:5000/web@sha256:d7b7139db1b2  [TIME]
    skipped   release[web].sbom   as asked
    passed    release[web].check  [TIME]
    created   promote[web]        localhost:5000/edge/web@sha256:d7b7139db1b2  [TIME]
    skipped   all                 `promote[api]` was skipped
    changed:
      created localhost:5000/api@sha256:61b87d12bce71c4a21236de334fc710d9a4b663911079e6ac8b6a54609ca3b5a
      created localhost:5000/web@sha256:d7b7139db1b2ed6ec515e19580efa96db7061496a100eecb5c44723c3601b772
      created localhost:5000/edge/web@sha256:d7b7139db1b2ed6ec515e19580efa96db7061496a100eecb5c44723c3601b772
    3 created, 2 passed, 4 skipped in [TIME]
    a real run:
      in                       needs       to
      localhost:5000/api       pull, push  create  v1 → sha256:61b87d12bce7
                                           create  sha256:61b87d12bce7
      localhost:5000/edge/web  pull, push  create  v1 → sha256:d7b7139db1b2
                                           create  sha256:d7b7139db1b2
      localhost:5000/web       pull, push  create  v1 → sha256:d7b7139db1b2
                                           create  sha256:d7b7139db1b2
    ");
}

#[test]
fn what_is_selected_and_skipped_by_kind_item_and_what_depends_on_it() {
    assert_snapshot!(services().run("rehearse plan.yaml --jobs 1 --select release,kind:copy --skip release[api]+").shown(), @"
    exit code 0
    --- stderr
    plan: 9 steps
    skipped   release[api].image  as asked
    skipped   promote[api]        `release[api].image` was skipped
    skipped   release[api].sbom   `release[api].image` was skipped
    skipped   release[api].check  `release[api].image` was skipped
    created   release[web].image  localhost:5000/web@sha256:d7b7139db1b2  [TIME]
    skipped   promote[web]        as asked
    skipped   all                 `promote[web]` was skipped
    passed    release[web].check  [TIME]
    skipped   release[web].sbom   `when` is false
    changed:
      created localhost:5000/web@sha256:d7b7139db1b2ed6ec515e19580efa96db7061496a100eecb5c44723c3601b772
    outputs without a value:
      api: `release[api].image` was skipped
      loop: `promote[web]` was skipped
    1 created, 1 passed, 7 skipped in [TIME]
    a real run:
      in                  needs       to
      localhost:5000/web  pull, push  create  v1 → sha256:d7b7139db1b2
                                      create  sha256:d7b7139db1b2
    ");
}

#[test]
fn selections_that_cannot_be() {
    assert_snapshot!(services().run("check plan.yaml --select promote[wbe],kind:cpoy,kind:delete,prmote,release[api,release[api].imag").shown(), @"
    exit code 2
    --- stderr
    error: --select: `promote` has no item with the key `wbe`
     --> plan.yaml
     = help: did you mean `promote[web]`?

    error: --select: there is no kind `cpoy`
     --> plan.yaml
     = help: did you mean `kind:copy`?

    error: --select: no step is of the kind `delete`
     --> plan.yaml
     = note: there are steps of: assert, attach, copy, push

    error: --select: there is no step `prmote`
     --> plan.yaml
     = help: did you mean `promote`?

    error: --select: there is no step `release[api`
     --> plan.yaml
     = note: the steps are: all, release, promote, none

    error: --select: there is no step `release[api].imag`
     --> plan.yaml
     = note: the steps are: all, release, promote, none
    ");
}

#[test]
fn a_selected_item_that_needs_another() {
    assert_snapshot!(services().run("check plan.yaml --select promote").shown(), @"
    exit code 2
    --- stderr
    error: `promote[api]` uses `steps.release[item.key].image.reference`, and `release[api].image` is not selected
      --> plan.yaml:15:9
       |
    15 |   - id: promote
       |         ^^^^^^^
       |
       = help: select `+promote[api]`: it, and all that it depends on

    error: `promote[web]` uses `steps.release[item.key].image.reference`, and `release[web].image` is not selected
      --> plan.yaml:15:9
       |
    15 |   - id: promote
       |         ^^^^^^^
       |
       = help: select `+promote[web]`: it, and all that it depends on
    ");
}

#[test]
fn a_selection_of_nothing() {
    assert_snapshot!(services().run("check plan.yaml --select none").shown(), @"
    exit code 2
    --- stderr
    error: --select: nothing is selected
     --> plan.yaml
    ");
}
