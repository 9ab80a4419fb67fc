//! `graph` and `kinds`.

use insta::assert_snapshot;

use super::Test;

fn plan() -> Test {
    Test::new(
        "\
consign: 1
name: small
steps:
  - id: app
    push: { to: \"localhost:5000/app:v1\", files: [{ content: app, name: app.txt }] }
  - id: sbom
    attach: { subject: \"localhost:5000/app:v1\", artifact_type: sbom/example, annotations: { a: b } }
  - id: docs
    attach: { subject: \"localhost:5000/app:v1\", artifact_type: docs/example, annotations: { a: b } }
  - id: check
    discover: { subject: \"localhost:5000/app:v1\", expect: 2 }
  - id: release
    copy: { from: \"${{ steps.app.reference }}\", to: \"localhost:5001/app:v1\" }
  - id: other
    push: { to: \"localhost:5002/other:v1\", files: [{ content: other, name: other.txt }] }
    needs: [app]
",
    )
}

#[test]
fn a_graph_as_text() {
    assert_snapshot!(plan().run("graph plan.yaml").shown(), @"
    exit code 0
    --- stdout
    app      push
    sbom     attach    after app (effect)
    docs     attach    after app (effect)
    check    discover  after sbom (effect), docs (effect)
    release  copy      after check (gate)
    other    push      after check (gate)
    ");
}

#[test]
fn a_graph_for_graphviz() {
    assert_snapshot!(plan().run("graph plan.yaml --format dot").shown(), @r#"
    exit code 0
    --- stdout
    digraph plan {
      rankdir = LR;
      node [shape = box, fontname = monospace];
      "app" [label = "app\npush"];
      "sbom" [label = "sbom\nattach"];
      "docs" [label = "docs\nattach"];
      "check" [label = "check\ndiscover"];
      "release" [label = "release\ncopy"];
      "other" [label = "other\npush"];
      "app" -> "sbom" [label = "effect"];
      "app" -> "docs" [label = "effect"];
      "sbom" -> "check" [label = "effect"];
      "docs" -> "check" [label = "effect"];
      "check" -> "release" [label = "gate"];
      "check" -> "other" [label = "gate"];
    }
    "#);
}

#[test]
fn a_graph_for_markdown() {
    assert_snapshot!(plan().run("graph plan.yaml --format mermaid").shown(), @r#"
    exit code 0
    --- stdout
    flowchart LR
      s0["app<br/>push"]
      s1["sbom<br/>attach"]
      s2["docs<br/>attach"]
      s3["check<br/>discover"]
      s4["release<br/>copy"]
      s5["other<br/>push"]
      s0 -->|effect| s1
      s0 -->|effect| s2
      s1 -->|effect| s3
      s2 -->|effect| s3
      s3 -->|gate| s4
      s3 -->|gate| s5
    "#);
}

#[test]
fn a_graph_for_programs() {
    let ran = plan().run("graph plan.yaml --format json");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let graph: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_snapshot!(graph, @r#"{"version":1,"steps":[{"id":"app","kind":"push"},{"id":"sbom","kind":"attach"},{"id":"docs","kind":"attach"},{"id":"check","kind":"discover"},{"id":"release","kind":"copy"},{"id":"other","kind":"push"}],"edges":[{"from":"app","to":"sbom","reasons":[{"reason":"effect","text":"effect: the first changes the tag localhost:5000/app:v1, the second reads it"}]},{"from":"app","to":"docs","reasons":[{"reason":"effect","text":"effect: the first changes the tag localhost:5000/app:v1, the second reads it"}]},{"from":"sbom","to":"check","reasons":[{"reason":"effect","text":"effect: the first adds to the graph of localhost:5000/app, the second reads it"}]},{"from":"docs","to":"check","reasons":[{"reason":"effect","text":"effect: the first adds to the graph of localhost:5000/app, the second reads it"}]},{"from":"check","to":"release","reasons":[{"reason":"gate","text":"gate: the first may say no, and the second changes something"}]},{"from":"check","to":"other","reasons":[{"reason":"gate","text":"gate: the first may say no, and the second changes something"}]}]}"#);
}

#[test]
fn why_one_step_waits_for_another() {
    let test = plan();
    assert_snapshot!(test.run("graph plan.yaml --why app release").shown(), @"
    exit code 0
    --- stdout
    app -> release
      data: it uses `steps.app.reference`
      effect: the first adds to the graph of localhost:5000/app, the second reads it
    ");
    assert_snapshot!(test.run("graph plan.yaml --why sbom release").shown(), @"
    exit code 0
    --- stdout
    sbom -> release
      effect: the first adds to the graph of localhost:5000/app, the second reads it
    ");
    assert_snapshot!(test.run("graph plan.yaml --why release app").shown(), @"
    exit code 0
    --- stdout
    `release` waits for `app`:
    app -> release
      data: it uses `steps.app.reference`
      effect: the first adds to the graph of localhost:5000/app, the second reads it
    ");
    assert_snapshot!(test.run("graph plan.yaml --why sbom docs").shown(), @"
    exit code 0
    --- stdout
    `sbom` and `docs` do not wait for each other
    ");
    assert_snapshot!(test.run("graph plan.yaml --why app other").shown(), @"
    exit code 0
    --- stdout
    app -> other
      needs: written in the plan
    ");
    assert_snapshot!(test.run("graph plan.yaml --why ap releese").shown(), @"
    exit code 2
    --- stderr
    error: --why: there is no step `ap`; did you mean `app`?
    error: --why: there is no step `releese`; did you mean `release`?
    ");
}

#[test]
fn the_kinds() {
    let test = plan();
    assert_snapshot!(test.run("kinds").shown(), @"
    exit code 0
    --- stdout
    assert     Makes sure that something holds; otherwise what follows does not run.
    attach     Pushes an artifact that is about another one, its subject.
    attest     Vouches for something about a manifest, signed, as cosign does.
    copy       Copies a manifest with all that it needs and what refers to it.
    delete     Deletes a manifest, with `graph` what refers to it too.
    discover   Lists what refers to a manifest, on all levels.
    exec       Runs a program, without a shell.
    image      Makes a container image from files and pushes it.
    include    Runs the steps of another plan.
    index      Makes an index of manifests, an image for several platforms, and pushes it.
    inspect    Fetches a manifest and hands on what it says, or says which manifests a repository has.
    list_tags  Lists the tags of a repository.
    pull       Restores the files of an artifact.
    push       Packs files and folders into an artifact and pushes it.
    sign       Signs manifests, so that others can tell who vouches for them.
    tag        Points tags to a manifest that is there.
    verify     Makes sure that a manifest is signed by somebody who is trusted.

    `consign kinds KIND` shows the fields, the outputs, the effects and an example.
    ");
    assert_snapshot!(test.run("kinds psuh").shown(), @"
    exit code 2
    --- stderr
    error: there is no kind `psuh`; did you mean `push`?
    ");
}

#[test]
fn a_command_line_that_is_wrong() {
    let test = plan();
    assert_snapshot!(test.run("chekc plan.yaml").shown(), @"
    exit code 2
    --- stderr
    error: unrecognized subcommand 'chekc'

      tip: some similar subcommands exist: 'schema', 'check'

    Usage: consign [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    assert_snapshot!(test.run("run plan.yaml --jobs 0").shown(), @"
    exit code 2
    --- stderr
    error: invalid value '0' for '--jobs <N>': 0 is not in 1..=65535

    For more information, try '--help'.
    ");
    assert_snapshot!(test.run("run plan.yaml --plain-http http://localhost").shown(), @"
    exit code 2
    --- stderr
    error: --plain-http: `http://localhost` is not a registry: write `host` or `host:port`
    ");
}
