//! Copies that choose: platforms, referrers, tags.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::Test;

/// An index of two images with an SBOM that is signed, and the SBOM of one of them, in a layout.
const RELEASE: &str = "\
consign: 1
steps:
  - id: amd64
    image: { to: \"oci-layout:build:amd64\", platform: linux/amd64, layers: [{ path: app, at: /bin }] }
  - id: arm64
    image: { to: \"oci-layout:build:arm64\", platform: linux/arm64, layers: [{ path: app, at: /bin }] }
  - id: index
    index: { to: \"oci-layout:build:1.0.0\", manifests: [\"oci-layout:build:amd64\", \"oci-layout:build:arm64\"] }
  - id: sbom
    attach: { subject: \"oci-layout:build:1.0.0\", artifact_type: sbom/spdx, annotations: { scope: all, team: build } }
  - id: signature
    attach: { subject: \"${{ steps.sbom.reference }}\", artifact_type: signature/example, annotations: { of: sbom } }
  - id: scan
    attach: { subject: \"oci-layout:build:1.0.0\", artifact_type: scan/example, annotations: { scope: all } }
  - id: arm64_sbom
    attach: { subject: \"${{ steps.arm64.reference }}\", artifact_type: sbom/spdx, annotations: { scope: arm64 } }
";

pub(super) fn release(steps: &str) -> Test {
    Test::new(&format!("{RELEASE}{steps}")).file("app", "#!/bin/sh\n")
}

/// The outputs of a run, which changes nothing when it is done again.
pub(super) fn outputs(test: &Test) -> Value {
    let ran = test.run("run plan.yaml --outputs -");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let again = test.run("run plan.yaml --progress none");
    assert_eq!(again.code, 0, "{}", again.shown());
    let changed = again.stderr.lines().any(|line| line.contains("created") || line.contains("updated"));
    assert!(!changed, "{}", again.shown());
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn only_the_referrers_that_are_chosen_go_along() {
    let copies = [
        ("spdx", "{ include: [{ artifact_type: \"sbom/*\" }] }", "2", "one"),
        ("first", "{ depth: 1 }", "2", "one"),
        ("no_scan", "{ exclude: [{ artifact_type: scan/example }, { annotations: { scope: arm64 } }] }", "2", "none"),
        (
            "team",
            "{ include: [{ annotations: { team: build } }], exclude: [{ artifact_type: signature/* }] }",
            "1",
            "none",
        ),
        ("nothing", "none", "none", "none"),
        ("everything", "all", "3", "one"),
    ];
    let steps = copies.map(|(id, referrers, count, of_arm64)| {
        format!(
            "  - id: {id}
    copy: {{ from: \"oci-layout:build:1.0.0\", to: \"oci-layout:{id}:v1\", referrers: {referrers} }}
  - id: see_{id}
    discover: {{ subject: \"oci-layout:{id}:v1\", expect: {count} }}
  - id: see_arm64_{id}
    discover: {{ subject: \"oci-layout:{id}@${{{{ steps.arm64.digest }}}}\", expect: {of_arm64} }}
"
        )
    });
    outputs(&release(&steps.concat()));
}

#[test]
fn a_copy_for_some_platforms_is_an_index_of_its_own() {
    let test = release(
        "  - id: some
    copy: { from: \"oci-layout:build:1.0.0\", to: \"oci-layout:some:v1\", platforms: [linux/arm64] }
  - id: shown
    inspect: { reference: \"${{ steps.some.reference }}\" }
  - id: its_sbom
    discover: { subject: \"oci-layout:some@${{ steps.arm64.digest }}\", expect: one }
  - id: whole
    copy: { from: \"oci-layout:build:1.0.0\", to: \"oci-layout:whole:v1\", platforms: [linux/arm64, linux/amd64] }
  - id: single
    copy: { from: \"oci-layout:build:arm64\", to: \"oci-layout:single:v1\", platforms: [linux/arm64] }
outputs:
  platforms: ${{ steps.shown.platforms }}
  whole: ${{ steps.whole.digest == steps.index.digest and steps.some.digest != steps.index.digest }}
",
    );
    assert_eq!(outputs(&test), json!({ "platforms": ["linux/arm64"], "whole": true }));
    let missing = release(
        "  - id: some
    copy: { from: \"oci-layout:build:1.0.0\", to: \"oci-layout:some:v1\", platforms: [linux/arm64, linux/s390x] }
",
    );
    assert_snapshot!(missing.run("run plan.yaml --jobs 1").shown(), @"
    exit code 1
    --- stderr
    plan: 8 steps
    created   amd64       oci-layout:build@sha256:cf97b4817bff  [TIME]
    created   arm64       oci-layout:build@sha256:e34f9429992b  [TIME]
    created   index       oci-layout:build@sha256:bd3b2617f7af  [TIME]
    created   sbom        oci-layout:build@sha256:444a929f0fea  [TIME]
    created   signature   oci-layout:build@sha256:bc085a7e1021  [TIME]
    created   scan        oci-layout:build@sha256:96502fd0b283  [TIME]
    created   arm64_sbom  oci-layout:build@sha256:da0d16c0da0d  [TIME]
    failed    some        `oci-layout:build:1.0.0` has nothing for linux/s390x
      --> plan.yaml:17:9
      note: there is: linux/amd64, linux/arm64
    changed:
      created oci-layout:build@sha256:cf97b4817bffea576905e2c268b0000128a42d6be9bf309dc605887c8fd80490
      created oci-layout:build@sha256:e34f9429992b758d743bb1c016f1ebf3d1017b701c22dba9f7a10811b498e4cc
      created oci-layout:build@sha256:bd3b2617f7afb4e6cf00bcdbe35c0c0f72ea013f2fe737ea95870c55bd3528d9
      created oci-layout:build@sha256:444a929f0fea1b5e7fc323f11259540f4c31a13638a21df2fb1297c679c1b5e1
      created oci-layout:build@sha256:bc085a7e1021528745ce153c8a1d6d619935eef52860607b4d1831be7a951fbc
      created oci-layout:build@sha256:96502fd0b283e1a3fcebb794f010e8caac3c7c5305c1bd611b83a290605616cf
      created oci-layout:build@sha256:da0d16c0da0da1d7b65f19d4bdfd3e410e665822780707fd06334d460c0e39de
    failed:
      some: `oci-layout:build:1.0.0` has nothing for linux/s390x
    7 created, 1 failed in [TIME]
    run it again: what succeeded is found unchanged
    go on with `consign resume`: what ended well is taken over
    ");
}

#[test]
fn a_copy_moves_as_many_tags_as_are_asked_for() {
    let steps = "  - id: copy
    copy: { from: \"oci-layout:build:1.0.0\", to: \"oci-layout:target:1.0.0\", tags: [\"1.0\", latest] }
  - id: all
    list_tags: { repository: \"oci-layout:target\", contains: [\"1.0.0\", \"1.0\", latest] }
outputs:
  tags: ${{ steps.copy.tags }}
";
    let test = release(steps);
    assert_eq!(outputs(&test), json!({ "tags": ["1.0.0", "1.0", "latest"] }));
    // One of them points elsewhere now.
    let other = "consign: 1
steps:
  - id: other
    push: { to: \"oci-layout:target:latest\", if_exists: replace, files: [{ name: a, content: a }] }
";
    let test = test.file("other.yaml", other);
    assert_eq!(test.run("run other.yaml").code, 0);
    assert_snapshot!(test.run("run plan.yaml --jobs 1").shown(), @"
    exit code 1
    --- stderr
    plan: 9 steps
    unchanged amd64       oci-layout:build@sha256:cf97b4817bff  [TIME]
    unchanged arm64       oci-layout:build@sha256:e34f9429992b  [TIME]
    unchanged index       oci-layout:build@sha256:bd3b2617f7af  [TIME]
    unchanged sbom        oci-layout:build@sha256:444a929f0fea  [TIME]
    unchanged signature   oci-layout:build@sha256:bc085a7e1021  [TIME]
    unchanged scan        oci-layout:build@sha256:96502fd0b283  [TIME]
    unchanged arm64_sbom  oci-layout:build@sha256:da0d16c0da0d  [TIME]
    failed    copy        the tag `oci-layout:target:latest` points elsewhere already
      --> plan.yaml:17:9
      note: there: sha256:c46fbb1e14e19f37ba92d5b4731744854106b62e9448ad660f792d9619e5d72a
      note: here:  sha256:bd3b2617f7afb4e6cf00bcdbe35c0c0f72ea013f2fe737ea95870c55bd3528d9
      help: to move the tag say `if_exists: replace`, to leave it `if_exists: keep`
    blocked   all         copy failed
    failed:
      copy: the tag `oci-layout:target:latest` points elsewhere already
    7 unchanged, 1 blocked, 1 failed in [TIME]
    run it again: what succeeded is found unchanged
    go on with `consign resume`: what ended well is taken over
    ");
    let keep = RELEASE.to_owned() + &steps.replace("latest] }\n  - id: all", "latest], if_exists: keep }\n  - id: all");
    let test = test.file("keep.yaml", keep);
    assert_snapshot!(test.run("run keep.yaml --jobs 1 --select copy").shown(), @"
    exit code 0
    --- stderr
    keep: 9 steps
    skipped   amd64       as asked
    skipped   arm64       as asked
    skipped   arm64_sbom  `arm64` was skipped
    skipped   index       as asked
    skipped   sbom        as asked
    skipped   signature   `sbom` was skipped
    skipped   scan        as asked
    skipped   all         as asked
    unchanged copy        oci-layout:target@sha256:bd3b2617f7af  [TIME]
    1 unchanged, 8 skipped in [TIME]
    ");
}

/// Tags of a repository to choose from, all of one artifact.
const VERSIONS: &str = "\
consign: 1
steps:
  - id: versions
    push:
      to: oci-layout:versions:1.2.0
      tags: [1.9.1, 1.10.0, v2.0.0, 3.0.0-rc.1, \"1.9\", latest]
      files: [{ name: a, content: a }]
";

#[test]
fn tags_are_chosen_by_globs_by_version_and_by_how_new_they_are() {
    let test = Test::new(&format!(
        "{VERSIONS}  - id: semver
    copy: {{ from: \"oci-layout:versions\", to: \"oci-layout:a\", select: {{ semver: \">=1.3, <3\" }} }}
  - id: newest
    copy: {{ from: \"oci-layout:versions\", to: \"oci-layout:b\", select: {{ match: [\"*\", \"!v*\"], newest: 2 }} }}
  - id: match
    copy: {{ from: \"oci-layout:versions\", to: \"oci-layout:c\", select: {{ match: [\"*.*\", \"!*-*\"] }} }}
  - id: listed
    list_tags: {{ repository: \"oci-layout:versions\", semver: \"^1 || >=3.0.0-rc\" }}
  - id: copied
    list_tags: {{ repository: \"oci-layout:c\", match: [\"1*\"] }}
outputs:
  semver: ${{{{ steps.semver.tags }}}}
  newest: ${{{{ steps.newest.tags }}}}
  match: ${{{{ steps.match.tags }}}}
  listed: ${{{{ steps.listed.tags }}}}
  copied: ${{{{ steps.copied.tags }}}}
"
    ));
    let expected = json!({
        "semver": ["1.9.1", "1.10.0", "v2.0.0"],
        "newest": ["1.9.1", "1.10.0"],
        "match": ["1.10.0", "1.2.0", "1.9", "1.9.1", "v2.0.0"],
        "listed": ["1.2.0", "1.9.1", "1.10.0", "3.0.0-rc.1"],
        "copied": ["1.10.0", "1.2.0", "1.9", "1.9.1"],
    });
    assert_eq!(outputs(&test), expected);
    let none = "  - id: none
    copy: { from: \"oci-layout:versions\", to: \"oci-layout:a\", select: { semver: \">=4\" } }
";
    assert_snapshot!(Test::new(&format!("{VERSIONS}{none}")).run("run plan.yaml --jobs 1").shown(), @"
    exit code 1
    --- stderr
    plan: 2 steps
    created   versions  oci-layout:versions@sha256:c46fbb1e14e1  [TIME]
    failed    none      none of the 7 tags of `oci-layout:versions` is selected
      --> plan.yaml:8:9
    changed:
      created oci-layout:versions@sha256:c46fbb1e14e19f37ba92d5b4731744854106b62e9448ad660f792d9619e5d72a
    failed:
      none: none of the 7 tags of `oci-layout:versions` is selected
    1 created, 1 failed in [TIME]
    run it again: what succeeded is found unchanged
    go on with `consign resume`: what ended well is taken over
    ");
}

#[test]
fn tags_of_digests_go_along_where_they_are_asked_for() {
    let steps = "consign: 1
steps:
  - id: app
    push: { to: \"localhost:5000/app:v1\", files: [{ name: a, content: a }] }
  - id: sign
    sign: { subject: \"localhost:5000/app:v1\", format: cosign, envelope: simple_signing, key: a.key }
  - id: without
    copy: { from: \"localhost:5000/app:v1\", to: \"localhost:5000/without:v1\" }
  - id: with
    copy: { from: \"localhost:5000/app:v1\", to: \"localhost:5000/with:v1\", digest_tags: true }
  - id: selected
    copy: { from: \"localhost:5000/app\", to: \"localhost:5000/selected\", select: { match: \"*\" }, digest_tags: true }
  - { id: see_without, list_tags: { repository: \"localhost:5000/without\", print: true } }
  - { id: see_with, list_tags: { repository: \"localhost:5000/with\", print: true } }
  - { id: see_selected, list_tags: { repository: \"localhost:5000/selected\", print: true } }
";
    let ran = Test::new(steps).file("a.key", "").run("rehearse plan.yaml");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let lines: Vec<_> = ran.stdout.lines().map(|line| line.split('-').next().unwrap()).collect();
    assert_eq!(lines, ["v1", "sha256", "v1", "sha256", "v1"], "{}", ran.stdout);
}

#[test]
fn what_is_chosen_at_the_source_waits_for_all_that_may_be_chosen() {
    let steps = "  - id: mirror
    copy: { from: \"oci-layout:versions\", to: \"localhost:5000/mirror\", select: { semver: \"^1\" } }
  - id: moved
    tag: { from: \"localhost:5000/mirror:1.2.0\", tags: [stable] }
  - id: listed
    list_tags: { repository: \"localhost:5000/mirror\", contains: [stable] }
  - id: beside
    push: { to: \"localhost:5000/other:v1\", files: [{ name: b, content: b }] }
";
    let test = Test::new(&format!("{VERSIONS}{steps}"));
    assert_snapshot!(test.run("graph plan.yaml").shown(), @"
    exit code 0
    --- stdout
    versions  push
    mirror    copy       after versions (effect)
    moved     tag        after mirror (effect)
    listed    list_tags  after moved (effect)
    beside    push       after listed (gate)
    ");
    assert_snapshot!(test.run("rehearse plan.yaml --jobs 1").shown(), @"
    exit code 0
    --- stderr
    plan: 5 steps
    created   versions  oci-layout:versions@sha256:c46fbb1e14e1  [TIME]
    created   mirror    localhost:5000/mirror  [TIME]
    created   moved     localhost:5000/mirror@sha256:c46fbb1e14e1  [TIME]
    passed    listed    [TIME]
    created   beside    localhost:5000/other@sha256:4c4d23960e90  [TIME]
    changed:
      created oci-layout:versions@sha256:c46fbb1e14e19f37ba92d5b4731744854106b62e9448ad660f792d9619e5d72a
      created localhost:5000/mirror
      created localhost:5000/mirror@sha256:c46fbb1e14e19f37ba92d5b4731744854106b62e9448ad660f792d9619e5d72a
      created localhost:5000/other@sha256:4c4d23960e90e34c50a209296bcdbaf7b53dd402a7d3c63723f8fd5f24f3501a
    4 created, 1 passed in [TIME]
    a real run:
      in                     needs       to
      localhost:5000/mirror  pull, push  create  1.10.0 → sha256:c46fbb1e14e1
                                         create  1.2.0 → sha256:c46fbb1e14e1
                                         create  1.9.1 → sha256:c46fbb1e14e1
                                         create  stable → sha256:c46fbb1e14e1
                                         create  sha256:c46fbb1e14e1
      localhost:5000/other   pull, push  create  v1 → sha256:4c4d23960e90
                                         create  sha256:4c4d23960e90
      oci-layout:versions                create  1.10.0 → sha256:c46fbb1e14e1
                                         create  1.2.0 → sha256:c46fbb1e14e1
                                         create  1.9 → sha256:c46fbb1e14e1
                                         create  1.9.1 → sha256:c46fbb1e14e1
                                         create  3.0.0-rc.1 → sha256:c46fbb1e14e1
                                         create  latest → sha256:c46fbb1e14e1
                                         create  v2.0.0 → sha256:c46fbb1e14e1
                                         create  sha256:c46fbb1e14e1
    ");
}
