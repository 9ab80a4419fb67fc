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
    created   amd64       oci-layout:build@sha256:cf97b4817bff  [TIME]
    created   arm64       oci-layout:build@sha256:e34f9429992b  [TIME]
    created   index       oci-layout:build@sha256:bd3b2617f7af  [TIME]
    created   sbom        oci-layout:build@sha256:444a929f0fea  [TIME]
    created   signature   oci-layout:build@sha256:bc085a7e1021  [TIME]
    created   scan        oci-layout:build@sha256:96502fd0b283  [TIME]
    created   arm64_sbom  oci-layout:build@sha256:da0d16c0da0d  [TIME]
    created   both        oci-archive:both.tar  [TIME]
    failed    one         `oci-archive:both.tar` has 2 images: name one of them by its tag
      --> plan.yaml:19:9
      note: there is: amd64, arm64
    changed:
      created oci-layout:build@sha256:cf97b4817bffea576905e2c268b0000128a42d6be9bf309dc605887c8fd80490
      created oci-layout:build@sha256:e34f9429992b758d743bb1c016f1ebf3d1017b701c22dba9f7a10811b498e4cc
      created oci-layout:build@sha256:bd3b2617f7afb4e6cf00bcdbe35c0c0f72ea013f2fe737ea95870c55bd3528d9
      created oci-layout:build@sha256:444a929f0fea1b5e7fc323f11259540f4c31a13638a21df2fb1297c679c1b5e1
      created oci-layout:build@sha256:bc085a7e1021528745ce153c8a1d6d619935eef52860607b4d1831be7a951fbc
      created oci-layout:build@sha256:96502fd0b283e1a3fcebb794f010e8caac3c7c5305c1bd611b83a290605616cf
      created oci-layout:build@sha256:da0d16c0da0da1d7b65f19d4bdfd3e410e665822780707fd06334d460c0e39de
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
