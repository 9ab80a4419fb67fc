//! What people who come from elsewhere write, and what plans cannot be.

use insta::assert_snapshot;

use super::Test;

#[test]
fn habits_from_github_actions() {
    assert_snapshot!(Test::new("\
consign: 1
vars:
  HOST: ${{ env.HOST }}
  TOKEN: ${{ secrets.TOKEN }}
steps:
  - id: show
    inspect: { reference: localhost:5000/app:v1 }
  - id: again
    inspect: { reference: \"localhost:5000/app@${{ steps.show.outputs.digest }}\" }
  - id: both
    assert: { that: [\"${{ steps.show.changed && steps.again.changed }}\"] }
  - id: either
    assert: { that: [\"${{ steps.show.changed || steps.again.changed }}\"] }
  - id: neither
    assert: { that: [\"${{ !steps.show.changed }}\"] }
").run("check plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: no such name `env`
     --> plan.yaml:3:13
      |
    3 |   HOST: ${{ env.HOST }}
      |             ^^^ the environment is read by inputs alone
      |
      = help: declare it: `inputs: { HOST: { env: HOST } }`, and write `HOST`

    error: no such name `secrets`
     --> plan.yaml:4:14
      |
    4 |   TOKEN: ${{ secrets.TOKEN }}
      |              ^^^^^^^ a secret is declared in the plan
      |
      = help: declare it: `secrets: { TOKEN: { env: TOKEN } }`, and write `TOKEN`

    error: outputs follow the step's id directly
     --> plan.yaml:9:62
      |
    9 |     inspect: { reference: "localhost:5000/app@${{ steps.show.outputs.digest }}" }
      |                                                              ^^^^^^^ write `steps.show.digest`

    error: `&&` is not an operator here
      --> plan.yaml:11:46
       |
    11 |     assert: { that: ["${{ steps.show.changed && steps.again.changed }}"] }
       |                                              ^^ write `and`

    error: `||` is not an operator here
      --> plan.yaml:13:46
       |
    13 |     assert: { that: ["${{ steps.show.changed || steps.again.changed }}"] }
       |                                              ^^ write `or`

    error: `!` is not an operator here
      --> plan.yaml:15:27
       |
    15 |     assert: { that: ["${{ !steps.show.changed }}"] }
       |                           ^ write `not`
    "#);
}

#[test]
fn references_that_leave_something_to_guess() {
    assert_snapshot!(Test::new("\
consign: 1
steps:
  - id: bare
    inspect: { reference: ubuntu }
  - id: short
    inspect: { reference: docker.io/ubuntu }
  - id: url
    inspect: { reference: \"oci://localhost:5000/app:v1\" }
  - id: no_target
    inspect: { reference: localhost:5000/app }
  - id: upper_case
    inspect: { reference: localhost:5000/App:v1 }
").run("check plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: `ubuntu` names no registry: write the registry too, such as `docker.io/library/ubuntu` or `localhost:5000/ubuntu`
     --> plan.yaml:4:27
      |
    4 |     inspect: { reference: ubuntu }
      |                           ^^^^^^

    error: `docker.io/ubuntu` is short for `docker.io/library/ubuntu`: write that
     --> plan.yaml:6:27
      |
    6 |     inspect: { reference: docker.io/ubuntu }
      |                           ^^^^^^^^^^^^^^^^

    error: `oci://localhost:5000/app:v1` is a URL, not a reference: write `localhost:5000/app:v1`
     --> plan.yaml:8:27
      |
    8 |     inspect: { reference: "oci://localhost:5000/app:v1" }
      |                           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    error: `localhost:5000/app` names a repository, not a manifest
      --> plan.yaml:10:27
       |
    10 |     inspect: { reference: localhost:5000/app }
       |                           ^^^^^^^^^^^^^^^^^^ add `:tag` or `@digest`

    error: the repository `App` must be in lower case: write `app`
      --> plan.yaml:12:27
       |
    12 |     inspect: { reference: localhost:5000/App:v1 }
       |                           ^^^^^^^^^^^^^^^^^^^^^
    "#);
}

#[test]
fn discover_has_a_digest_only_where_it_expects_one() {
    assert_snapshot!(Test::new("\
consign: 1
vars:
  FOUND: ${{ steps.find.reference }}
steps:
  - id: find
    discover: { subject: localhost:5000/app:v1 }
  - id: show
    inspect: { reference: \"localhost:5000/app@${{ steps.find.digest }}\" }
outputs:
  found: ${{ steps.find.digest }}
").run("check plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: step `find` has no output `reference` as it stands
     --> plan.yaml:3:25
      |
    3 |   FOUND: ${{ steps.find.reference }}
      |                         ^^^^^^^^^ say `expect: one` in `find`

    error: step `find` has no output `digest` as it stands
     --> plan.yaml:8:62
      |
    8 |     inspect: { reference: "localhost:5000/app@${{ steps.find.digest }}" }
      |                                                              ^^^^^^ say `expect: one` in `find`

    error: step `find` has no output `digest` as it stands
      --> plan.yaml:10:25
       |
    10 |   found: ${{ steps.find.digest }}
       |                         ^^^^^^ say `expect: one` in `find`
    "#);
}

#[test]
fn two_steps_that_move_one_tag_say_what_they_mean() {
    let plan = |one: &str, two: &str| {
        format!(
            "\
consign: 1
steps:
  - id: one
    push: {{ to: \"localhost:5000/app:v1\", files: [{{ content: one, name: x }}]{one} }}
  - id: two
    push: {{ to: \"localhost:5000/app:v1\", files: [{{ content: two, name: x }}]{two} }}
"
        )
    };
    let replace = ", if_exists: replace";
    assert_snapshot!(Test::new(&plan("", replace)).run("check plan.yaml").shown(), @"
    exit code 2
    --- stderr
    error: `one` and `two` both move the tag `localhost:5000/app:v1`
     --> plan.yaml:5:9
      |
    5 |   - id: two
      |         ^^^
      |
      = help: say `if_exists: replace` or `if_exists: keep` in both
    ");
    assert_eq!(Test::new(&plan(replace, "")).run("check plan.yaml").code, 2);
    assert_eq!(Test::new(&plan(replace, ", if_exists: keep")).run("check plan.yaml").code, 0);
}

#[test]
fn skipping_what_others_use() {
    let test = Test::new(
        "\
consign: 1
steps:
  - id: show
    inspect: { reference: localhost:5000/app:v1 }
  - id: again
    inspect: { reference: \"${{ steps.show.reference }}\" }
",
    );
    assert_snapshot!(test.run("check plan.yaml --skip show").shown(), @"
    exit code 2
    --- stderr
    error: `again` uses `steps.show.reference`, and `show` is skipped
     --> plan.yaml:5:9
      |
    5 |   - id: again
      |         ^^^^^
      |
      = help: skip `again` too, or do not skip `show`
    ");
    assert_snapshot!(test.run("check plan.yaml --skip shwo,nothing_like_it").shown(), @"
    exit code 2
    --- stderr
    error: --skip: there is no step `shwo`
     --> plan.yaml
     = help: did you mean `show`?

    error: --skip: there is no step `nothing_like_it`
     --> plan.yaml
     = note: the steps are: show, again
    ");
    assert_snapshot!(test.run("check plan.yaml --select again").shown(), @"
    exit code 2
    --- stderr
    error: `again` uses `steps.show.reference`, and `show` is not selected
     --> plan.yaml:5:9
      |
    5 |   - id: again
      |         ^^^^^
      |
      = help: select `+again`: it, and all that it depends on
    ");
    assert_snapshot!(test.run("check plan.yaml --skip show,again").shown(), @"
    exit code 0
    --- stderr
    plan.yaml: 2 steps, nothing wrong
    ");
}

#[test]
fn mistakes_as_json() {
    let test = Test::new("consign: 1\nsteps:\n  - id: show\n    inspect: { reference: ubuntu, prnt: x }\n");
    assert_snapshot!(test.run("check plan.yaml --error-format json").shown(), @r#"
    exit code 2
    --- stderr
    {"message":"`ubuntu` names no registry: write the registry too, such as `docker.io/library/ubuntu` or `localhost:5000/ubuntu`","label":"","file":"plan.yaml","line":4,"column":27,"end_line":4,"end_column":33,"notes":[]}
    {"message":"unknown key `prnt` in inspect","label":"did you mean `print`?","file":"plan.yaml","line":4,"column":35,"end_line":4,"end_column":39,"notes":["inspect takes: reference, repository, platform, print"]}
    "#);
    assert_snapshot!(test.run("check nowhere.yaml --error-format json").shown(), @r#"
    exit code 2
    --- stderr
    {"message":"the plan cannot be read: No such file or directory (os error 2)","label":"","file":"nowhere.yaml","line":null,"column":null,"end_line":null,"end_column":null,"notes":[]}
    "#);
}

#[test]
fn what_is_no_plan() {
    let test = Test::new("")
        .file("latin.yaml", b"consign: 1\nname: caf\xe9\n")
        .file("list.yaml", "- 1\n")
        .file("other.yaml", "consign: 2\nname: x\n");
    assert_snapshot!(test.run("check nowhere.yaml").shown(), @"
    exit code 2
    --- stderr
    error: the plan cannot be read: No such file or directory (os error 2)
     --> nowhere.yaml
    ");
    assert_snapshot!(test.run("check .").shown(), @"
    exit code 2
    --- stderr
    error: the plan cannot be read: Is a directory (os error 21)
     --> .
    ");
    assert_snapshot!(test.run("check plan.yaml").shown(), @"
    exit code 2
    --- stderr
    error: the plan is empty
     --> plan.yaml
     = help: begin with `consign: 1` and a list of `steps:`
    ");
    assert_snapshot!(test.run("check latin.yaml").shown(), @"
    exit code 2
    --- stderr
    error: the plan is not UTF-8
     --> latin.yaml:2:10
      |
    2 | name: caf�
      |          ^ this is no character
      |
      = help: save the file as UTF-8
    ");
    assert_snapshot!(test.run("check list.yaml").shown(), @"
    exit code 2
    --- stderr
    error: a plan is a mapping
     --> list.yaml:1:1
      |
    1 | - 1
      | ^^^
      |
      = help: begin with `consign: 1` and a list of `steps:`
    ");
    assert_snapshot!(test.run("check other.yaml").shown(), @"
    exit code 2
    --- stderr
    error: the plan has no `steps`
     --> other.yaml
     = help: a plan has a list of `steps:`

    error: this consign reads version 1 of the language, not 2
     --> other.yaml:1:10
      |
    1 | consign: 2
      |          ^
    ");
}

#[test]
fn several_plans_are_checked_and_each_is_named() {
    let test = Test::new("consign: 1\nsteps: []\n").file("wrong.yaml", "consign: 1\n");
    assert_snapshot!(test.run("check plan.yaml wrong.yaml plan.yaml").shown(), @"
    exit code 2
    --- stderr
    plan.yaml: 0 steps, nothing wrong
    error: the plan has no `steps`
     --> wrong.yaml
     = help: a plan has a list of `steps:`
    plan.yaml: 0 steps, nothing wrong
    ");
}

#[test]
fn ids_and_names_that_are_taken() {
    assert_snapshot!(Test::new("\
consign: 1
inputs:
  steps: { default: a }
  NAME: { default: a }
vars:
  NAME: b
  1st: c
steps:
  - id: show
    inspect: { reference: localhost:5000/app:v1 }
  - id: show
    inspect: { reference: localhost:5000/app:v2 }
  - inspect: { reference: localhost:5000/app:v3 }
  - id: nothing
").run("check plan.yaml").shown(), @"
    exit code 2
    --- stderr
    error: `steps` is a reserved name
     --> plan.yaml:3:3
      |
    3 |   steps: { default: a }
      |   ^^^^^

    error: `NAME` is an input already; inputs, vars and secrets share one name space
     --> plan.yaml:6:3
      |
    6 |   NAME: b
      |   ^^^^ give it another name

    error: `1st` cannot be a name
     --> plan.yaml:7:3
      |
    7 |   1st: c
      |   ^^^ write `_1st`
      |
      = note: letters, digits and `_` are allowed, not beginning with a digit

    error: two steps have the id `show`
      --> plan.yaml:11:9
       |
    11 |   - id: show
       |         ^^^^ give it another id

    error: the step has no `id`
      --> plan.yaml:13:5
       |
    13 |   - inspect: { reference: localhost:5000/app:v3 }
       |     ^^^^^^^
       |
       = help: give it a name: `id: name`

    error: the step has no kind
      --> plan.yaml:14:5
       |
    14 |   - id: nothing
       |     ^^
       |
       = note: the kinds are: assert, attach, attest, copy, delete, discover, exec, image, include, index, inspect, list_tags, pull, push, sign, tag, verify
    ");
}

#[test]
fn needs_name_steps_above() {
    assert_snapshot!(Test::new("\
consign: 1
steps:
  - id: one
    needs: [one, two, tree]
    inspect: { reference: localhost:5000/app:v1 }
  - id: two
    needs: [one]
    inspect: { reference: localhost:5000/app:v1 }
  - id: three
    needs: two
    inspect: { reference: localhost:5000/app:v1 }
").run("check plan.yaml").shown(), @"
    exit code 2
    --- stderr
    error: step `one` needs itself
     --> plan.yaml:4:13
      |
    4 |     needs: [one, two, tree]
      |             ^^^

    error: step `two` stands below
     --> plan.yaml:4:18
      |
    4 |     needs: [one, two, tree]
      |                  ^^^
      |
      = help: a step may need only steps above it

    error: there is no step `tree`
     --> plan.yaml:4:23
      |
    4 |     needs: [one, two, tree]
      |                       ^^^^ did you mean `three`?

    error: `needs` takes a list, not text
      --> plan.yaml:10:12
       |
    10 |     needs: two
       |            ^^^
    ");
}

#[test]
fn members_that_only_the_run_knows_can_be_used() {
    let test = Test::new(
        "consign: 1
name: members
steps:
  - id: app
    push:
      to: localhost:5000/app:v1
      annotations: { org.example.commit: abc }
      files: [{ name: app, content: app }]
  - id: look
    inspect: { reference: \"${{ steps.app.reference }}\" }
  - id: note
    attach:
      subject: localhost:5000/app:v1
      artifact_type: note/example
      annotations: { commit: \"${{ steps.look.annotations['org.example.commit'] }}\" }
      files:
        - name: note.json
          json: { size: \"${{ steps.look.manifest.config.size }}\", all: \"${{ steps.look.annotations }}\" }
outputs:
  commit: ${{ steps.look.annotations['org.example.commit'] }}
",
    );
    assert_snapshot!(test.run("rehearse plan.yaml --outputs - --progress none").shown(), @r#"
    exit code 0
    --- stdout
    {
      "commit": "abc"
    }
    "#);
}
