//! What a plan says about registries.

use insta::assert_snapshot;

use super::Test;

/// What `check` says of a plan with this above one step.
fn check(head: &str) -> String {
    let steps = "steps:\n  - id: show\n    inspect: { reference: \"r.io/app:v1\" }\n";
    Test::new(&format!("consign: 1\n{head}{steps}")).run("check plan.yaml").shown()
}

#[test]
fn registries_and_secrets_are_read_without_asking_anybody() {
    let head = "\
inputs:
  HOST: { type: registry, default: r.io }
vars:
  ENVIRONMENT: prod
secrets:
  USER: { env: NOBODY_HAS_SET_THIS, description: who pushes }
  PASSWORD: { command: [no-such-program, \"secret/${{ ENVIRONMENT }}\"] }
  TOKEN: { file: nowhere/token }
registries:
  ${{ HOST }}:
    username: ${{ USER }}
    password: ${{ PASSWORD }}
    mirrors: [\"mirror.lan:5000/${{ ENVIRONMENT }}\", cache.io]
    concurrency: 4
    rate: 100/s
    referrers: tag
  s.io: { username: me, password: \"${{ TOKEN }}\", plain_http: true }
  t.io: { same_as: r.io/team, }
  u.io: { insecure_skip_verify: true }
";
    assert_snapshot!(check(head), @"
    exit code 0
    --- stderr
    plan.yaml: 1 step, nothing wrong
    ");
}

#[test]
fn what_a_registry_cannot_be() {
    assert_snapshot!(check("\
registries:
  a b: {}
  https://r.io: {}
  r.io:
    ca_fil: ca.pem
    concurrency: 1
    rate: fast
    referrers: never
    mirrors: [\"https://m.io\", r.io/cache]
    insecure_skip_verify: yes
  R.io: {}
"), @r#"
    exit code 2
    --- stderr
    error: `a b` is not a registry: write `host` or `host:port`
     --> plan.yaml:3:3
      |
    3 |   a b: {}
      |   ^^^

    error: `https://r.io` is not a registry: write `host` or `host:port`
     --> plan.yaml:4:3
      |
    4 |   https://r.io: {}
      |   ^^^^^^^^^^^^

    error: unknown key `ca_fil` in a registry
     --> plan.yaml:6:5
      |
    6 |     ca_fil: ca.pem
      |     ^^^^^^ did you mean `ca_file`?
      |
      = note: a registry takes: plain_http, ca_file, client_cert, client_key, insecure_skip_verify, mirrors, same_as, concurrency, rate, username, password, referrers

    error: `concurrency` takes a whole number from 2 up, not 1
     --> plan.yaml:7:18
      |
    7 |     concurrency: 1
      |                  ^
      |
      = help: a copy within one registry reads and writes at once

    error: `fast` is not a rate: write requests per second or minute, such as `100/s` or `2000/min`
     --> plan.yaml:8:11
      |
    8 |     rate: fast
      |           ^^^^

    error: `referrers` takes `auto`, `api` or `tag`, not `never`
     --> plan.yaml:9:16
      |
    9 |     referrers: never
      |                ^^^^^

    error: `https://m.io` is a URL, not a reference: write `m.io`
      --> plan.yaml:10:15
       |
    10 |     mirrors: ["https://m.io", r.io/cache]
       |               ^^^^^^^^^^^^^^

    error: `r.io` cannot be a mirror of itself
      --> plan.yaml:10:31
       |
    10 |     mirrors: ["https://m.io", r.io/cache]
       |                               ^^^^^^^^^^
       |
       = help: name another registry

    error: `insecure_skip_verify` takes `true` or `false`, not `yes`
      --> plan.yaml:11:27
       |
    11 |     insecure_skip_verify: yes
       |                           ^^^

    error: `r.io` is given twice
      --> plan.yaml:12:3
       |
    12 |   R.io: {}
       |   ^^^^ say it above
    "#);
}

#[test]
fn certificates_are_read_before_anything_runs() {
    let plan = "\
consign: 1
registries:
  a.io: { ca_file: missing.pem }
  b.io: { ca_file: plan.yaml }
  c.io: { client_cert: plan.yaml }
  d.io: { client_key: missing.pem }
  e.io: { client_cert: plan.yaml, client_key: missing.pem }
  f.io: { client_cert: plan.yaml, client_key: plan.yaml }
  g.io: { plain_http: true, ca_file: missing.pem, insecure_skip_verify: true }
steps: []
";
    assert_snapshot!(Test::new(plan).run("check plan.yaml").shown(), @"
    exit code 2
    --- stderr
    error: file not found: `missing.pem`
     --> plan.yaml:3:20
      |
    3 |   a.io: { ca_file: missing.pem }
      |                    ^^^^^^^^^^^
      |
      = note: paths are relative to the plan's folder, [FOLDER]

    error: `plan.yaml` holds no certificate
     --> plan.yaml:4:20
      |
    4 |   b.io: { ca_file: plan.yaml }
      |                    ^^^^^^^^^
      |
      = help: it takes certificates in PEM: `-----BEGIN CERTIFICATE-----`

    error: `client_cert` needs `client_key`
     --> plan.yaml:5:24
      |
    5 |   c.io: { client_cert: plan.yaml }
      |                        ^^^^^^^^^
      |
      = help: name the key's file too

    error: `client_key` needs `client_cert`
     --> plan.yaml:6:23
      |
    6 |   d.io: { client_key: missing.pem }
      |                       ^^^^^^^^^^^
      |
      = help: name the certificate's file too

    error: file not found: `missing.pem`
     --> plan.yaml:7:47
      |
    7 |   e.io: { client_cert: plan.yaml, client_key: missing.pem }
      |                                               ^^^^^^^^^^^
      |
      = note: paths are relative to the plan's folder, [FOLDER]

    error: `plan.yaml` and `plan.yaml` are not a certificate and its key
     --> plan.yaml:8:24
      |
    8 |   f.io: { client_cert: plan.yaml, client_key: plan.yaml }
      |                        ^^^^^^^^^
      |
      = help: both are in PEM, and the key has no password

    error: `ca_file` means nothing with `plain_http: true`
     --> plan.yaml:9:38
      |
    9 |   g.io: { plain_http: true, ca_file: missing.pem, insecure_skip_verify: true }
      |                                      ^^^^^^^^^^^
      |
      = help: leave one of them out

    error: `insecure_skip_verify` means nothing with `plain_http: true`
     --> plan.yaml:9:73
      |
    9 |   g.io: { plain_http: true, ca_file: missing.pem, insecure_skip_verify: true }
      |                                                                         ^^^^
      |
      = help: leave one of them out
    ");
}

#[test]
fn a_login_is_whole_and_its_password_is_a_secret() {
    assert_snapshot!(check("\
inputs:
  WORD: { default: x }
secrets:
  WORD_OF_CI: { env: WORD }
registries:
  a.io: { username: ci }
  b.io: { password: \"${{ WORD_OF_CI }}\" }
  c.io: { username: ci, password: hunter2, usernam: ci }
  d.io: { username: ci, password: \"${{ WORD }}\" }
  e.io: { username: ci, password: }
"), @r#"
    exit code 2
    --- stderr
    error: `username` needs `password`
     --> plan.yaml:7:21
      |
    7 |   a.io: { username: ci }
      |                     ^^
      |
      = help: declare the password under `secrets`, and name it

    error: `password` needs `username`
     --> plan.yaml:8:21
      |
    8 |   b.io: { password: "${{ WORD_OF_CI }}" }
      |                     ^^^^^^^^^^^^^^^^^^^
      |
      = help: say whose password it is

    error: `password` takes a secret, no text
     --> plan.yaml:9:35
      |
    9 |   c.io: { username: ci, password: *******, usernam: ci }
      |                                   ^^^^^^^
      |
      = help: declare it: `secrets: { NAME: { env: NAME } }`, and write `${{ NAME }}`

    error: unknown key `usernam` in a registry
     --> plan.yaml:9:44
      |
    9 |   c.io: { username: ci, password: *******, usernam: ci }
      |                                            ^^^^^^^ did you mean `username`?
      |
      = note: a registry takes: plain_http, ca_file, client_cert, client_key, insecure_skip_verify, mirrors, same_as, concurrency, rate, username, password, referrers

    error: `password` takes a secret, no text
      --> plan.yaml:10:35
       |
    10 |   d.io: { username: ci, password: "${{ WORD }}" }
       |                                   ^^^^^^^^^^^^^
       |
       = help: declare it: `secrets: { NAME: { env: NAME } }`, and write `${{ NAME }}`

    error: `password` is empty: give it a value, or leave the key out
      --> plan.yaml:11:33
       |
    11 |   e.io: { username: ci, password: }
       |                                 ^
    "#);
}

#[test]
fn an_alias_is_an_alias_and_nothing_else() {
    assert_snapshot!(check("\
registries:
  a.io: { same_as: a.io/x }
  b.io: { same_as: c.io }
  c.io: { same_as: d.io/x }
  e.io: { same_as: d.io, rate: 1/s }
  localhost:5000: { same_as: \"127.0.0.1:5000\" }
  \"[::1]:5000\": { plain_http: false }
"), @r#"
    exit code 2
    --- stderr
    error: `a.io` cannot be another name of itself
     --> plan.yaml:3:20
      |
    3 |   a.io: { same_as: a.io/x }
      |                    ^^^^^^
      |
      = help: leave `same_as` out: loopback names of one port are one registry anyway

    error: `c.io` is another name too
     --> plan.yaml:4:20
      |
    4 |   b.io: { same_as: c.io }
      |                    ^^^^
      |
      = help: name the registry itself: `d.io/x`

    error: `e.io` is asked as `d.io`: nothing else counts here
     --> plan.yaml:6:3
      |
    6 |   e.io: { same_as: d.io, rate: 1/s }
      |   ^^^^
      |
      = help: say it under `d.io`

    error: `localhost:5000` cannot be another name of itself
     --> plan.yaml:7:30
      |
    7 |   localhost:5000: { same_as: "127.0.0.1:5000" }
      |                              ^^^^^^^^^^^^^^^^
      |
      = help: leave `same_as` out: loopback names of one port are one registry anyway

    error: `[::1]:5000` and `localhost:5000` are one registry
     --> plan.yaml:8:3
      |
    8 |   "[::1]:5000": { plain_http: false }
      |   ^^^^^^^^^^^^ say it above
    "#);
}

#[test]
fn settings_cannot_look_at_steps() {
    assert_snapshot!(check("\
inputs:
  HOST: {}
vars:
  LATE: ${{ steps.show.digest }}
secrets:
  A: { file: \"${{ steps.show.digest }}\" }
registries:
  ${{ LATE | registry }}: {}
  ${{ HOST }}: { rate: \"${{ RATE }}\" }
"), @r#"
    exit code 2
    --- stderr
    error: input `HOST` has no value
     --> plan.yaml:3:3
      |
    3 |   HOST: {}
      |   ^^^^
      |
      = note: needed by `registries`
      = help: set it: `--set HOST=…`, or give it `env:` or `default:` in the plan

    error: this cannot look at step `show`
     --> plan.yaml:7:25
      |
    7 |   A: { file: "${{ steps.show.digest }}" }
      |                         ^^^^
      |
      = help: `registries`, `secrets` and `allow` are read before any step runs: use inputs, and vars without steps

    error: `LATE` looks at step `show`
     --> plan.yaml:9:3
      |
    9 |   ${{ LATE | registry }}: {}
      |   ^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: `registries`, `secrets` and `allow` are read before any step runs: use inputs, and vars without steps

    error: no such name `RATE`
      --> plan.yaml:10:29
       |
    10 |   ${{ HOST }}: { rate: "${{ RATE }}" }
       |                             ^^^^ did you mean `LATE`?
    "#);
}

#[test]
fn steps_under_two_names_of_one_registry_wait_for_each_other() {
    let plan = "\
consign: 1
registries:
  hub.lan: { same_as: r.io/hub }
steps:
  - id: push
    push: { to: \"hub.lan/app:v1\", files: [{ name: x, content: x }] }
  - id: show
    inspect: { reference: \"r.io/hub/app:v1\", print: descriptor }
  - id: other
    list_tags: { repository: r.io/app, print: true }
";
    let test = Test::new(plan);
    assert_snapshot!(test.run("graph plan.yaml --why push show").shown(), @"
    exit code 0
    --- stdout
    push -> show
      effect: the first changes the tag r.io/hub/app:v1, the second reads it
      effect: the first adds to the graph of r.io/hub/app, the second reads it
    ");
    assert_snapshot!(test.run("graph plan.yaml").shown(), @"
    exit code 0
    --- stdout
    push   push
    show   inspect    after push (effect)
    other  list_tags
    ");
    // The step that reads finds what the step before it has brought under the other name.
    let rehearsed = test.run("rehearse plan.yaml");
    assert!(rehearsed.code == 0 && rehearsed.stdout.contains("\"size\": 505"), "{}", rehearsed.shown());
    let twice =
        "  - id: moved\n    push: { to: \"r.io/hub/app:v1\", files: [{ name: x, content: y }], if_exists: replace }\n";
    assert_snapshot!(Test::new(&format!("{plan}{twice}")).run("check plan.yaml").shown(), @"
    exit code 2
    --- stderr
    error: `push` and `moved` both move the tag `r.io/hub/app:v1`
      --> plan.yaml:11:9
       |
    11 |   - id: moved
       |         ^^^^^
       |
       = help: say `if_exists: replace` or `if_exists: keep` in both
    ");
}
