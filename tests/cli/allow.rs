//! `allow`: what a plan may write, delete and run.

use insta::assert_snapshot;

use super::Test;

#[test]
fn what_is_not_allowed_is_refused() {
    assert_snapshot!(Test::new("\
consign: 1
inputs:
  TAG: { default: v1 }
allow:
  write: [\"127.0.0.1:5000/app:v*\", \"localhost:5000/team/*\"]
  delete: [\"localhost:5000/app:v*\"]
steps:
  - id: image
    push: { to: \"localhost:5000/app:${{ TAG }}\", files: [] }
  - id: sbom
    attach: { subject: \"localhost:5000/team/app:v1\", artifact_type: sbom/example, annotations: { contents: good } }
  - id: tag
    tag: { from: \"${{ steps.image.reference }}\", tags: [v2, latest] }
  - id: deep
    push: { to: \"localhost:5000/team/app/deep:v1\", files: [] }
  - id: clean
    delete: { reference: \"localhost:5000/app:v1\" }
  - id: all
    delete: { reference: \"${{ steps.image.reference }}\" }
").run("check plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: `tag` writes `localhost:5000/app:latest`, which `allow.write` does not have
      --> plan.yaml:12:9
       |
    12 |   - id: tag
       |         ^^^
       |
       = help: add it: `allow: { write: ["localhost:5000/app:latest"] }`, or a pattern that it fits

    error: `deep` writes `localhost:5000/team/app/deep`, which `allow.write` does not have
      --> plan.yaml:14:9
       |
    14 |   - id: deep
       |         ^^^^
       |
       = help: add it: `allow: { write: ["localhost:5000/team/app/deep"] }`, or a pattern that it fits

    error: `all` deletes `localhost:5000/app`, which `allow.delete` does not have
      --> plan.yaml:18:9
       |
    18 |   - id: all
       |         ^^^
       |
       = help: add it: `allow: { delete: ["localhost:5000/app"] }`, or a pattern that it fits
    "#);
}

#[test]
fn patterns_that_are_none() {
    assert_snapshot!(Test::new("\
consign: 1
allow:
  write: [localhost:5000, \"localhost:5000/[a\"]
  deletes: []
steps: []
").run("check plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: `localhost:5000` names no repository
     --> plan.yaml:3:11
      |
    3 |   write: [localhost:5000, "localhost:5000/[a"]
      |           ^^^^^^^^^^^^^^
      |
      = help: write `localhost:5000/**` for all of a registry

    error: `localhost:5000/[a` is no pattern: unclosed character class; missing ']'
     --> plan.yaml:3:27
      |
    3 |   write: [localhost:5000, "localhost:5000/[a"]
      |                           ^^^^^^^^^^^^^^^^^^^

    error: unknown key `deletes` in allow
     --> plan.yaml:4:3
      |
    4 |   deletes: []
      |   ^^^^^^^ did you mean `delete`?
      |
      = note: allow takes: write, delete, exec
    "#);
}

#[test]
fn patterns_are_known_before_any_step() {
    assert_snapshot!(Test::new("\
consign: 1
vars:
  DIGEST: ${{ steps.show.digest }}
allow:
  write: [\"localhost:5000/${{ DIGEST }}\"]
steps:
  - id: show
    inspect: { reference: localhost:5000/app:v1 }
").run("check plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: `DIGEST` looks at step `show`
     --> plan.yaml:5:31
      |
    5 |   write: ["localhost:5000/${{ DIGEST }}"]
      |                               ^^^^^^
      |
      = help: `registries`, `secrets` and `allow` are read before any step runs: use inputs, and vars without steps
    "#);
}

#[test]
fn what_only_the_run_tells_is_refused_before_it_is_done() {
    let test = Test::new(
        "\
consign: 1
allow:
  write: [\"localhost:5000/app\", \"localhost:5000/list\"]
steps:
  - id: image
    push: { to: \"localhost:5000/app:v1\", files: [] }
  - id: where
    list_tags: { repository: localhost:5000/app }
  - id: copy
    copy: { from: \"localhost:5000/app:v1\", to: \"localhost:5000/${{ steps.where.tags | join('-') }}:v1\" }
",
    );
    assert_eq!(test.run("check plan.yaml").code, 0);
    let ran = test.run("rehearse plan.yaml");
    let refused = "failed    copy   `copy` writes `localhost:5000/v1`, which `allow.write` does not have\n  --> plan.yaml:9:9\n  \
                   help: add it: `allow: { write: [\"localhost:5000/v1\"] }`, or a pattern that it fits\n";
    assert!(ran.code == 1 && ran.stderr.contains(refused), "{}", ran.stderr);
    assert!(!ran.stderr.contains("localhost:5000/v1  "), "nothing was done there: {}", ran.stderr);
}

#[test]
fn a_program_that_hands_out_a_secret_is_allowed_too() {
    assert_snapshot!(Test::new("\
consign: 1
secrets:
  TOKEN: { command: [vault, read, token] }
allow: { exec: [syft] }
steps:
  - id: show
    inspect: { reference: localhost:5000/app:v1 }
").run("check plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: `TOKEN` runs `vault`, which `allow.exec` does not have
     --> plan.yaml:3:21
      |
    3 |   TOKEN: { command: [vault, read, token] }
      |                     ^^^^^^^^^^^^^^^^^^^^
      |
      = help: add it: `allow: { exec: ["vault"] }`, or a pattern that it fits
    "#);
}

#[test]
fn a_layout_stays_under_the_work_folder_unless_it_may_leave_it() {
    let plan = |allow: &str| {
        format!(
            "consign: 1
{allow}steps:
  - id: image
    push: {{ to: \"oci-layout:../kept/layout:v1\", files: [] }}
"
        )
    };
    let ran = |allow: &str| {
        let ran = Test::new(&plan(allow)).file("work/.keep", "").run("run plan.yaml --workdir work --progress none");
        (ran.code, ran.stderr.lines().next().unwrap_or_default().to_owned())
    };
    let (code, said) = ran("");
    assert!(code == 2 && said.contains("leads out of the work folder [FOLDER]/work: write below it"), "{said}");
    assert_eq!(ran("allow: { write: [\"file:../kept/**\"] }\n"), (0, String::new()));
    assert_eq!(ran("allow: { write: [\"file:../other/**\"] }\n").0, 2);
}

#[test]
fn a_plugin_that_signs_is_a_program() {
    let plan = |allow: &str| {
        Test::new(&format!(
            "\
consign: 1
allow: {{ write: [\"localhost:5000/**\"]{allow} }}
steps:
  - id: image
    push: {{ to: \"localhost:5000/app:v1\", files: [] }}
  - id: signature
    sign: {{ subject: \"localhost:5000/app:v1\", format: notation, plugin: {{ name: kms, key_id: \"1\" }} }}
"
        ))
    };
    assert_snapshot!(plan("").run("check plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: `signature` runs `notation-kms`, which `allow.exec` does not have
     --> plan.yaml:6:9
      |
    6 |   - id: signature
      |         ^^^^^^^^^
      |
      = help: add it: `allow: { exec: ["notation-kms"] }`, or a pattern that it fits
    "#);
    assert_eq!(plan(", exec: [notation-kms]").run("check plan.yaml").code, 0);
}
