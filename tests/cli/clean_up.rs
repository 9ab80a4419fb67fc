//! `delete` with `select`: which tags go, and what says no.

use insta::assert_snapshot;

use super::Test;

/// A repository with versions and other tags, two of which name one manifest; then a delete that selects.
fn plan(delete: &str) -> String {
    format!(
        "consign: 1
vars:
  APP: localhost:5000/app
steps:
  - id: images
    foreach: [1.0.0, 1.1.0, 1.2.0, 2.0.0, pr-7, pr-8]
    steps:
      - id: image
        push: {{ to: \"${{{{ APP }}}}:${{{{ item }}}}\", files: [{{ name: app, content: \"${{{{ item }}}}\" }}] }}
      - id: sbom
        attach: {{ subject: \"${{{{ steps.image.reference }}}}\", artifact_type: a/b, annotations: {{ of: \"${{{{ item }}}}\" }} }}
  - id: latest
    tag: {{ from: \"${{{{ APP }}}}:2.0.0\", tags: [latest] }}
  - id: stable
    tag: {{ from: \"${{{{ APP }}}}:1.2.0\", tags: [stable] }}
  - id: clean
    delete: {delete}
  - id: left
    list_tags: {{ repository: \"${{{{ APP }}}}\", print: true }}
outputs:
  deleted: ${{{{ steps.clean.deleted | length }}}}
"
    )
}

/// The tags that are left, and how many manifests or tags are gone.
#[track_caller]
fn leaves(delete: &str, expected: &str, gone: usize) {
    let test = Test::new(&plan(delete));
    let ran = test.run("rehearse plan.yaml --progress none --outputs outputs.json");
    assert_eq!((ran.code, ran.stdout.replace('\n', " ").trim()), (0, expected), "{}", ran.shown());
    let outputs = std::fs::read_to_string(test.path("outputs.json")).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&outputs).unwrap()["deleted"], gone);
}

#[test]
fn what_is_chosen_goes_with_what_refers_to_it() {
    leaves(
        "{ reference: \"${{ APP }}\", graph: true, select: { match: \"pr-*\" } }",
        "1.0.0 1.1.0 1.2.0 2.0.0 latest stable",
        4,
    );
    leaves(
        "{ reference: \"${{ APP }}\", graph: true, select: { semver: \"<2\", keep_newest: 1 } }",
        "1.2.0 2.0.0 latest pr-7 pr-8 stable",
        4,
    );
    leaves(
        "{ reference: \"${{ APP }}\", select: { match: [\"pr-*\", \"!pr-8\"] } }",
        "1.0.0 1.1.0 1.2.0 2.0.0 latest pr-8 stable",
        1,
    );
    leaves(
        "{ reference: \"${{ APP }}\", tag_only: true, select: { match: latest } }",
        "1.0.0 1.1.0 1.2.0 2.0.0 pr-7 pr-8 stable",
        1,
    );
}

#[test]
fn tags_that_go_together_take_their_manifest_along() {
    leaves(
        "{ reference: \"${{ APP }}\", select: { match: [\"2.0.0\", latest] } }",
        "1.0.0 1.1.0 1.2.0 pr-7 pr-8 stable",
        1,
    );
    leaves(
        "{ reference: \"${{ APP }}\", all_tags: true, select: { semver: ^2 } }",
        "1.0.0 1.1.0 1.2.0 pr-7 pr-8 stable",
        1,
    );
}

#[test]
fn nothing_to_delete_is_fine() {
    leaves(
        "{ reference: \"${{ APP }}\", select: { match: \"old-*\" } }",
        "1.0.0 1.1.0 1.2.0 2.0.0 latest pr-7 pr-8 stable",
        0,
    );
}

#[test]
fn nothing_goes_where_another_tag_names_some_of_it() {
    let test = Test::new(&plan("{ reference: \"${{ APP }}\", select: { semver: \"<2\" } }"));
    let ran = test.run("rehearse plan.yaml --jobs 1 --select +clean");
    assert_eq!(ran.code, 1, "{}", ran.shown());
    let failed = ran.stderr.lines().find(|line| line.starts_with("failed    clean")).unwrap();
    assert_snapshot!(failed, @"failed    clean                `localhost:5000/app:1.2.0` has other tags: stable");
    assert!(!ran.stderr.contains("deleted"), "{}", ran.stderr);
}

#[test]
fn selections_that_cannot_be() {
    let test = Test::new(
        "\
consign: 1
steps:
  - { id: named, delete: { reference: \"localhost:5000/app:v1\", select: { match: \"v*\" } } }
  - { id: unsaid, delete: { reference: localhost:5000/app, select: {} } }
  - { id: range, delete: { reference: localhost:5000/app, select: { semver: newest } } }
  - { id: newest, delete: { reference: localhost:5000/app, select: { newest: 3 } } }
  - { id: both, delete: { reference: localhost:5000/app, tag_only: true, graph: true, select: { match: \"*\" } } }
  - { id: whole, delete: { reference: localhost:5000/app } }
",
    );
    assert_snapshot!(test.run("check plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: with `select`, `reference` is a repository
     --> plan.yaml:3:39
      |
    3 |   - { id: named, delete: { reference: "localhost:5000/app:v1", select: { match: "v*" } } }
      |                                       ^^^^^^^^^^^^^^^^^^^^^^^ leave `v1` out

    error: `select` says nothing
     --> plan.yaml:4:68
      |
    4 |   - { id: unsaid, delete: { reference: localhost:5000/app, select: {} } }
      |                                                                    ^^ write `{ match: "*" }` for all tags

    error: `newest` is not a range of versions: unexpected character 'n' while parsing major version number
     --> plan.yaml:5:77
      |
    5 |   - { id: range, delete: { reference: localhost:5000/app, select: { semver: newest } } }
      |                                                                             ^^^^^^ write `>=1.2, <2`, `1.4.*` or `^1 || ^2`

    error: unknown key `newest` in `select`
     --> plan.yaml:6:70
      |
    6 |   - { id: newest, delete: { reference: localhost:5000/app, select: { newest: 3 } } }
      |                                                                      ^^^^^^
      |
      = note: select takes: match, semver, keep_newest

    error: `tag_only` leaves the manifest: it goes with neither `graph` nor `all_tags`
     --> plan.yaml:7:38
      |
    7 |   - { id: both, delete: { reference: localhost:5000/app, tag_only: true, graph: true, select: { match: "*" } } }
      |                                      ^^^^^^^^^^^^^^^^^^

    error: `localhost:5000/app` names a repository, not a manifest
     --> plan.yaml:8:39
      |
    8 |   - { id: whole, delete: { reference: localhost:5000/app } }
      |                                       ^^^^^^^^^^^^^^^^^^ add `:tag` or `@digest`
    "#);
}
