//! What users get wrong about plans that include others.

use insta::assert_snapshot;

use super::Test;

/// What is said of a step with that `include`, in a plan beside that part.
fn check(include: &str, part: &str) -> String {
    let plan = format!("consign: 1\ninputs: {{ OUTER: {{ default: x }} }}\nsteps:\n  - id: part\n    {include}\n");
    Test::new(&plan).file("part.yaml", part).run("check plan.yaml").shown()
}

const PART: &str = "\
consign: 1
inputs: { TAG: { type: tag } }
steps:
  - id: tags
    list_tags: { repository: 'localhost:5000/${{ TAG }}' }
outputs: { all: '${{ steps.tags.tags }}' }
";

const WITH: &str = "include: { plan: part.yaml, with: { TAG: v1 } }";

#[test]
fn mistakes_are_shown_where_they_stand() {
    assert_snapshot!(check("include: { path: part.yaml }", PART), @"
    exit code 2
    --- stderr
    error: unknown key `path` in include
     --> plan.yaml:5:16
      |
    5 |     include: { path: part.yaml }
      |                ^^^^
      |
      = note: include takes: plan, with
    ");
    assert_snapshot!(check("include: { plan: '${{ OUTER }}.yaml' }", PART), @"
    exit code 2
    --- stderr
    error: `plan` is written out: an expression cannot say which plan it is
     --> plan.yaml:5:22
      |
    5 |     include: { plan: '${{ OUTER }}.yaml' }
      |                      ^^^^^^^^^^^^^^^^^^^
      |
      = help: include each of them, each in a step of its own with a `when`
    ");
    assert_snapshot!(check("include: { plan: prat.yaml }", PART), @"
    exit code 2
    --- stderr
    error: file not found: `prat.yaml`
     --> plan.yaml:5:22
      |
    5 |     include: { plan: prat.yaml }
      |                      ^^^^^^^^^
      |
      = note: paths are relative to the plan's folder, [FOLDER]
    ");
    assert_snapshot!(check("include: { plan: . }", PART), @"
    exit code 2
    --- stderr
    error: `.` is no file
     --> plan.yaml:5:22
      |
    5 |     include: { plan: . }
      |                      ^
      |
      = help: name the plan in it
    ");
}

#[test]
fn what_a_plan_takes_is_held_to_what_it_is_given() {
    assert_snapshot!(check("include: { plan: part.yaml }", PART), @"
    exit code 2
    --- stderr
    error: `part.yaml` needs a value for `TAG`
     --> plan.yaml:5:22
      |
    5 |     include: { plan: part.yaml }
      |                      ^^^^^^^^^
      |
      = help: give it one: `with: { TAG: … }`
    ");
    assert_snapshot!(check("include: { plan: part.yaml, with: { TAGS: v1 } }", PART), @"
    exit code 2
    --- stderr
    error: `part.yaml` needs a value for `TAG`
     --> plan.yaml:5:22
      |
    5 |     include: { plan: part.yaml, with: { TAGS: v1 } }
      |                      ^^^^^^^^^
      |
      = help: give it one: `with: { TAG: … }`

    error: `part.yaml` has no input `TAGS`
     --> plan.yaml:5:41
      |
    5 |     include: { plan: part.yaml, with: { TAGS: v1 } }
      |                                         ^^^^ did you mean `TAG`?
      |
      = note: it takes: TAG
    ");
    assert_snapshot!(check("include: { plan: part.yaml, with: { TAG: 'no tag' } }", PART), @"
    exit code 2
    --- stderr
    error: input `TAG`: `no tag` is not a tag: use at most 128 letters, digits, `_`, `.` and `-`, not starting with `.` or `-`
     --> plan.yaml:5:46
      |
    5 |     include: { plan: part.yaml, with: { TAG: 'no tag' } }
      |                                              ^^^^^^^^
    ");
    assert_snapshot!(check("include: { plan: part.yaml, with: { TAG: '${{ OUTR }}' } }", PART), @"
    exit code 2
    --- stderr
    error: no such name `OUTR`
     --> plan.yaml:5:51
      |
    5 |     include: { plan: part.yaml, with: { TAG: '${{ OUTR }}' } }
      |                                                   ^^^^ did you mean `OUTER`?
    ");
    assert_snapshot!(check("include: { plan: part.yaml, with: { TAG: v1 } }\n    timeout: 5m", PART), @"
    exit code 2
    --- stderr
    error: an included plan has no `timeout`
     --> plan.yaml:4:9
      |
    4 |   - id: part
      |         ^^^^
      |
      = help: say it in its steps or in its `defaults`
    ");
}

#[test]
fn names_are_known_on_one_side_alone() {
    // What stands outside is not known inside, and the other way round.
    assert_snapshot!(check(WITH, &PART.replace("{ TAG }", "{ OUTER }")), @"
    exit code 2
    --- stderr
    error: no such name `OUTER`
     --> part.yaml:5:50
      |
    5 |     list_tags: { repository: 'localhost:5000/${{ OUTER }}' }
      |                                                  ^^^^^
      |
      = help: an included plan knows its own names alone: declare it under `inputs` there, and give it a value with `with`
    ");
    assert_snapshot!(check(&format!("{WITH}\n  - id: next\n    assert: {{ that: ['${{{{ steps.part.al == [] }}}}'] }}"), PART), @"
    exit code 2
    --- stderr
    error: step `part` has no output `al`
     --> plan.yaml:7:38
      |
    7 |     assert: { that: ['${{ steps.part.al == [] }}'] }
      |                                      ^^ did you mean `all`?
      |
      = help: `part` includes `part.yaml`; it has: all, outcome, changed
    ");
    assert_snapshot!(check(&format!("{WITH}\n  - id: next\n    assert: {{ that: ['${{{{ steps.tags.tags == [] }}}}'] }}"), PART), @"
    exit code 2
    --- stderr
    error: there is no step `tags`
     --> plan.yaml:7:33
      |
    7 |     assert: { that: ['${{ steps.tags.tags == [] }}'] }
      |                                 ^^^^
    ");
    assert_snapshot!(check(&format!("{WITH}\n  - id: next\n    assert: {{ that: [\"${{{{ steps['part/tags'].tags == [] }}}}\"] }}"), PART), @r#"
    exit code 2
    --- stderr
    error: there is no step `part/tags`
     --> plan.yaml:7:33
      |
    7 |     assert: { that: ["${{ steps['part/tags'].tags == [] }}"] }
      |                                 ^^^^^^^^^^^
    "#);
}

#[test]
fn what_is_wrong_in_an_included_file_is_shown_there() {
    assert_snapshot!(check(WITH, &PART.replace("list_tags", "list_tag")), @"
    exit code 2
    --- stderr
    error: unknown key `list_tag` in a step
     --> part.yaml:5:5
      |
    5 |     list_tag: { repository: 'localhost:5000/${{ TAG }}' }
      |     ^^^^^^^^ did you mean `list_tags`?
      |
      = note: a step takes: id, description, foreach, when, needs, timeout, retry, continue_on_error, assert, attach, attest, copy, delete, discover, exec, image, include, index, inspect, list_tags, pull, push, sign, tag, verify
    ");
    assert_snapshot!(check(WITH, &PART.replace("consign: 1\n", "")), @"
    exit code 2
    --- stderr
    error: the plan has no `consign`
     --> part.yaml:1:1
      |
    1 | inputs: { TAG: { type: tag } }
      | ^
      |
      = help: say which version of the language it is written in: `consign: 1`
    ");
    assert_snapshot!(check(WITH, "consign: [1\n"), @"
    exit code 2
    --- stderr
    error: this `[` is never closed
     --> part.yaml:1:10
      |
    1 | consign: [1
      |          ^
    ");
    assert_snapshot!(check(WITH, &format!("{PART}registries: {{ 'localhost:5000': {{ plain_http: true }} }}\n")), @"
    exit code 2
    --- stderr
    error: an included plan says nothing about registries
     --> part.yaml:7:15
      |
    7 | registries: { 'localhost:5000': { plain_http: true } }
      |               ^^^^^^^^^^^^^^^^
      |
      = help: say it in the plan that runs
    ");
    assert_snapshot!(check(WITH, "consign: 1\nsteps:\n  - id: again\n    include: { plan: ./part.yaml }\n"), @"
    exit code 2
    --- stderr
    error: `part.yaml` has no input `TAG`
     --> plan.yaml:5:41
      |
    5 |     include: { plan: part.yaml, with: { TAG: v1 } }
      |                                         ^^^
      |
      = note: it takes: nothing

    error: `./part.yaml` includes itself
     --> part.yaml:4:22
      |
    4 |     include: { plan: ./part.yaml }
      |                      ^^^^^^^^^^^
      |
      = note: part.yaml → ./part.yaml
    ");
}

#[test]
fn what_is_read_once_is_the_same_for_all_items() {
    let looping = "foreach: [a, b]\n    include: { plan: part.yaml, with: { TAG: '${{ item }}' } }";
    let allow = format!("{PART}allow: {{ write: ['localhost:5000/${{{{ TAG }}}}'] }}\n");
    assert_snapshot!(check(looping, &allow), @"
    exit code 2
    --- stderr
    error: `TAG` is not the same for all items of the `foreach` that includes this plan
     --> part.yaml:7:8
      |
    7 | allow: { write: ['localhost:5000/${{ TAG }}'] }
      |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ this is read once for all of them
      |
      = help: use patterns that fit what is done for every item
    ");
    let fits_all = format!("{PART}allow: {{ write: ['localhost:5000/**'] }}\n");
    assert_snapshot!(check(looping, &fits_all), @"
    exit code 0
    --- stderr
    plan.yaml: 4 steps, nothing wrong
    ");
}

#[test]
fn loops_and_finally_do_not_stand_in_loops() {
    let looping = "foreach: [a, b]\n    include: { plan: part.yaml, with: { TAG: v1 } }";
    let within = PART.replace("    list_tags", "    foreach: [1, 2]\n    list_tags");
    assert_snapshot!(check(looping, &within), @"
    exit code 2
    --- stderr
    error: a plan with a `foreach` cannot be included in a `foreach`
     --> part.yaml:4:9
      |
    4 |   - id: tags
      |         ^^^^ this one
      |
      = help: make the items of one `foreach` of both lists
    ");
    assert_snapshot!(check(looping, &format!("{PART}finally:\n  - id: f\n    assert: {{ that: [true] }}\n")), @"
    exit code 2
    --- stderr
    error: a plan with `finally` cannot be included in a `foreach`
     --> part.yaml:8:9
      |
    8 |   - id: f
      |         ^ this runs once, whatever happened
      |
      = help: put it into the `finally` of the plan that includes it
    ");
}
