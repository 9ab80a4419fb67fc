//! `secrets`: where they come from, and where they may stand.

use insta::assert_snapshot;

use super::Test;

/// What `check` says of a plan with this above one step.
fn check(head: &str) -> String {
    let steps = "steps:\n  - id: show\n    inspect: { reference: \"r.io/app:v1\" }\n";
    Test::new(&format!("consign: 1\n{head}{steps}")).run("check plan.yaml").shown()
}

#[test]
fn a_secret_stands_alone_in_a_field_that_takes_one() {
    let plan = "\
consign: 1
inputs:
  A: { default: \"${{ TOKEN }}\" }
vars:
  B: x-${{ TOKEN }}
secrets:
  TOKEN: { env: TOKEN }
  OTHER: { file: \"${{ TOKEN }}\" }
steps:
  - id: text
    inspect: { reference: \"r.io/app:${{ TOKEN }}\" }
  - id: alone
    inspect: { reference: \"${{ TOKEN }}\" }
  - id: free
    attach:
      subject: r.io/app:v1
      artifact_type: sbom/example
      files: [{ name: x, json: { list: [\"${{ TOKEN }}\"] } }]
      annotations: { a: \"${{ TOKEN | upper }}\" }
outputs:
  token: ${{ TOKEN }}
  misspelt: ${{ TOKN }}
  foreign: ${{ secrets.TOKEN }}
";
    assert_snapshot!(Test::new(plan).run("check plan.yaml --set TOKEN=x").shown(), @r#"
    exit code 2
    --- stderr
    error: --set TOKEN: `TOKEN` is a secret, which cannot be set; the inputs are A
     --> plan.yaml
     = help: the plan says where it comes from: a variable, a file or a program

    error: `TOKEN` is a secret: defaults of inputs cannot hold it
     --> plan.yaml:3:22
      |
    3 |   A: { default: "${{ TOKEN }}" }
      |                      ^^^^^
      |
      = help: a secret stands alone, as `${{ NAME }}`, in a field that takes one: for keys, passwords and tokens, or `env` and `stdin` of `exec`

    error: `TOKEN` is a secret: vars cannot hold it
     --> plan.yaml:5:12
      |
    5 |   B: x-${{ TOKEN }}
      |            ^^^^^
      |
      = help: a secret stands alone, as `${{ NAME }}`, in a field that takes one: for keys, passwords and tokens, or `env` and `stdin` of `exec`

    error: `file` cannot hold the secret `TOKEN`
     --> plan.yaml:8:18
      |
    8 |   OTHER: { file: "${{ TOKEN }}" }
      |                  ^^^^^^^^^^^^^^
      |
      = help: a secret stands alone, as `${{ NAME }}`, in a field that takes one: for keys, passwords and tokens, or `env` and `stdin` of `exec`

    error: `TOKEN` is a secret: text and other expressions cannot hold it
      --> plan.yaml:11:41
       |
    11 |     inspect: { reference: "r.io/app:${{ TOKEN }}" }
       |                                         ^^^^^
       |
       = help: a secret stands alone, as `${{ NAME }}`, in a field that takes one: for keys, passwords and tokens, or `env` and `stdin` of `exec`

    error: `reference` cannot hold the secret `TOKEN`
      --> plan.yaml:13:27
       |
    13 |     inspect: { reference: "${{ TOKEN }}" }
       |                           ^^^^^^^^^^^^^^
       |
       = help: a secret stands alone, as `${{ NAME }}`, in a field that takes one: for keys, passwords and tokens, or `env` and `stdin` of `exec`

    error: an entry of `list` cannot hold the secret `TOKEN`
      --> plan.yaml:18:41
       |
    18 |       files: [{ name: x, json: { list: ["${{ TOKEN }}"] } }]
       |                                         ^^^^^^^^^^^^^^
       |
       = help: a secret stands alone, as `${{ NAME }}`, in a field that takes one: for keys, passwords and tokens, or `env` and `stdin` of `exec`

    error: `TOKEN` is a secret: text and other expressions cannot hold it
      --> plan.yaml:19:30
       |
    19 |       annotations: { a: "${{ TOKEN | upper }}" }
       |                              ^^^^^
       |
       = help: a secret stands alone, as `${{ NAME }}`, in a field that takes one: for keys, passwords and tokens, or `env` and `stdin` of `exec`

    error: `TOKEN` is a secret: outputs cannot hold it
      --> plan.yaml:21:14
       |
    21 |   token: ${{ TOKEN }}
       |              ^^^^^
       |
       = help: a secret stands alone, as `${{ NAME }}`, in a field that takes one: for keys, passwords and tokens, or `env` and `stdin` of `exec`

    error: no such name `TOKN`
      --> plan.yaml:22:17
       |
    22 |   misspelt: ${{ TOKN }}
       |                 ^^^^ did you mean `TOKEN`?

    error: no such name `secrets`
      --> plan.yaml:23:16
       |
    23 |   foreign: ${{ secrets.TOKEN }}
       |                ^^^^^^^ write `TOKEN` alone
    "#);
}

#[test]
fn a_secret_has_one_place_to_come_from() {
    assert_snapshot!(check("\
secrets:
  NONE: {}
  TWO: { env: TWO, file: two.txt }
  EMPTY: { command: [] }
  VARIABLE: { env: \"$TOKEN\", fil: x }
  SIGN: { env: \"A=B\" }
  TEXT: hunter2
  show: { env: X }
  steps: { env: X }
"), @r#"
    exit code 2
    --- stderr
    error: a secret has exactly one of `env`, `file` and `command`
     --> plan.yaml:3:3
      |
    3 |   NONE: {}
      |   ^^^^

    error: a secret has exactly one of `env`, `file` and `command`
     --> plan.yaml:4:3
      |
    4 |   TWO: { env: TWO, file: two.txt }
      |   ^^^

    error: `command` names no program
     --> plan.yaml:5:21
      |
    5 |   EMPTY: { command: [] }
      |                     ^^
      |
      = help: write `command: [PROGRAM, ARGUMENT, …]`

    error: unknown key `fil` in a secret
     --> plan.yaml:6:30
      |
    6 |   VARIABLE: { env: "$TOKEN", fil: x }
      |                              ^^^ did you mean `file`?
      |
      = note: a secret takes: env, file, command, description

    error: this is not the name of an environment variable
     --> plan.yaml:7:16
      |
    7 |   SIGN: { env: "A=B" }
      |                ^^^^^
      |
      = help: write its name alone

    error: a secret says where it comes from, not what it is
     --> plan.yaml:8:9
      |
    8 |   TEXT: *******
      |         ^^^^^^^
      |
      = help: write `TEXT: { env: TEXT }`

    error: `steps` is a reserved name
      --> plan.yaml:10:3
       |
    10 |   steps: { env: X }
       |   ^^^^^
    "#);
}

#[test]
fn a_run_says_which_secret_it_lacks_before_it_asks_anybody() {
    let plan = "\
consign: 1
secrets:
  WORD: { env: REGISTRY_WORD }
  FILE: { file: word.txt }
registries:
  127.0.0.1:9: { username: ci, password: \"${{ WORD }}\" }
  127.0.0.1:10: { username: ci, password: \"${{ FILE }}\" }
steps:
  - id: one
    list_tags: { repository: \"127.0.0.1:9/app\" }
  - id: two
    list_tags: { repository: \"127.0.0.1:10/app\" }
";
    let test = Test::new(plan);
    assert_snapshot!(test.run("run plan.yaml").shown(), @"
    exit code 2
    --- stderr
    error: `127.0.0.1:10` needs the secret `FILE`: the file [FOLDER]/word.txt cannot be read: No such file or directory (os error 2)
    error: `127.0.0.1:9` needs the secret `WORD`: the environment variable `REGISTRY_WORD` is not set
    ");
    assert_snapshot!(test.run("rehearse plan.yaml --read-through --select two").shown(), @"
    exit code 2
    --- stderr
    error: `127.0.0.1:10` needs the secret `FILE`: the file [FOLDER]/word.txt cannot be read: No such file or directory (os error 2)
    ");
    assert_snapshot!(test.run("rehearse plan.yaml --jobs 1").shown(), @"
    exit code 0
    --- stderr
    plan: 2 steps
    passed    one  [TIME]
    passed    two  [TIME]
    2 passed in [TIME]
    a real run:
      in                needs  to
      127.0.0.1:10/app  pull
      127.0.0.1:9/app   pull
    ");
}
