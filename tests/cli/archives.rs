//! Images in one file.

use std::fs;

use insta::assert_snapshot;
use serde_json::json;

use super::{
    Test,
    copies::{outputs, release},
};

#[test]
fn what_goes_into_an_archive_comes_out_of_it() {
    let test = release(
        "  - id: export
    copy: { from: \"oci-layout:build:1.0.0\", to: \"oci-archive:out/app.tar:1.0.0\" }
  - id: import
    copy: { from: \"oci-archive:out/app.tar\", to: \"oci-layout:imported:1.0.0\" }
  - id: tree
    discover: { subject: \"oci-archive:out/app.tar\", artifact_type: signature/example, expect: one }
  - id: show
    inspect: { reference: \"oci-archive:out/app.tar:1.0.0\" }
  - id: late
    attach: { subject: \"oci-archive:out/app.tar\", artifact_type: note/example, annotations: { on: the road } }
  - id: notes
    discover: { subject: \"oci-archive:out/app.tar\", artifact_type: note/example, expect: one }
  - id: same
    assert: { equal: [\"${{ steps.import.digest }}\", \"${{ steps.index.digest }}\"] }
outputs:
  platforms: ${{ steps.show.platforms }}
",
    );
    assert_eq!(outputs(&test), json!({ "platforms": ["linux/amd64", "linux/arm64"] }));
    let first = fs::read(test.path("out/app.tar")).unwrap();
    fs::remove_file(test.path("out/app.tar")).unwrap();
    assert_eq!(test.run("run plan.yaml").code, 0);
    assert!(first == fs::read(test.path("out/app.tar")).unwrap(), "the same bytes");
    let beside: Vec<_> = fs::read_dir(test.path("out")).unwrap().collect();
    assert_eq!(beside.len(), 1);
}

#[test]
fn an_archive_with_several_images_asks_for_a_name_and_docker_s_is_only_read() {
    let test = release(
        "  - id: both
    copy: { from: \"oci-layout:build\", to: \"oci-archive:both.tar\", select: { match: \"a*64\" } }
  - id: one
    copy: { from: \"oci-archive:both.tar\", to: \"oci-layout:one:v1\" }
",
    );
    assert_snapshot!(test.run("run plan.yaml --jobs 1").shown(), @"
    exit code 1
    --- stderr
    plan: 9 steps
    created   amd64       oci-layout:build@sha256:3af556e811dc  [TIME]
    created   arm64       oci-layout:build@sha256:87665643d250  [TIME]
    created   index       oci-layout:build@sha256:28459ffa5444  [TIME]
    created   sbom        oci-layout:build@sha256:de92120e7b47  [TIME]
    created   signature   oci-layout:build@sha256:1f2676f6f407  [TIME]
    created   scan        oci-layout:build@sha256:a6dc1b2aa4a4  [TIME]
    created   arm64_sbom  oci-layout:build@sha256:4446b9c3dc6b  [TIME]
    created   both        oci-archive:both.tar  [TIME]
    failed    one         `oci-archive:both.tar` has 2 images: name one of them by its tag
      --> plan.yaml:19:9
      note: there is: amd64, arm64
    changed:
      created oci-layout:build@sha256:3af556e811dc6d67dd0c864999a2bcd454d92e6346b00c6d2fdefa64d14ec52e
      created oci-layout:build@sha256:87665643d250d466d885416710a4c24c8e2ae809f5a68df6d97ca32bdf64e5de
      created oci-layout:build@sha256:28459ffa54448ff83f91792f098c97238012e04fff3c6fec46c8e62fe30606a4
      created oci-layout:build@sha256:de92120e7b470315a7ea238207cf4258dbd774c02385a67d786a0c74aa38374c
      created oci-layout:build@sha256:1f2676f6f4071a4ef7751280f5739ea1a8fe21a31979de319c6b77c7ee415c9e
      created oci-layout:build@sha256:a6dc1b2aa4a482abb1287c0c1d8308e26aa5c8ecea4d760c24658a8763e91d0d
      created oci-layout:build@sha256:4446b9c3dc6beea67a2ebcb01741fc42d17daffd9493c2094c75f94535527490
      created oci-archive:both.tar
    failed:
      one: `oci-archive:both.tar` has 2 images: name one of them by its tag
    8 created, 1 failed in [TIME]
    run it again: what succeeded is found unchanged
    go on with `consign resume`: what ended well is taken over
    ");
    let refused = "consign: 1
steps:
  - id: save
    copy: { from: \"localhost:5000/app:v1\", to: \"docker-archive:app.tar:v1\" }
  - id: sign
    attach: { subject: \"docker-archive:app.tar\", artifact_type: a/b, annotations: { a: b } }
";
    assert_snapshot!(Test::new(refused).run("check plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: `docker-archive:` is only read
     --> plan.yaml:4:48
      |
    4 |     copy: { from: "localhost:5000/app:v1", to: "docker-archive:app.tar:v1" }
      |                                                ^^^^^^^^^^^^^^^^^^^^^^^^^^^ write to `oci-archive:app.tar`

    error: `docker-archive:` is only read
     --> plan.yaml:6:24
      |
    6 |     attach: { subject: "docker-archive:app.tar", artifact_type: a/b, annotations: { a: b } }
      |                        ^^^^^^^^^^^^^^^^^^^^^^^^ write to `oci-archive:app.tar`
    "#);
}
