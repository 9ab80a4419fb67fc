//! Images: on a base, for several platforms, and the indexes that hold them together.

use consign::serve::ServeOptions;
use insta::assert_snapshot;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Test;
use crate::store::server::Running;

/// Two images of one platform each, in two registries, and what is made of them.
const INDEX: &str = "\
consign: 1
steps:
  - id: amd64
    image: { to: \"localhost:5000/build:amd64\", platform: linux/amd64, layers: [{ path: app, at: /bin }], cmd: [/bin/app] }
  - id: arm64
    image: { to: \"r.io/build:arm64\", platform: linux/arm64, layers: [{ path: app, at: /bin }], cmd: [/bin/app] }
  - id: index
    index:
      to: localhost:5000/app:v1
      manifests:
        - ${{ steps.amd64.reference }}
        - { reference: \"r.io/build:arm64\", platform: linux/arm64/v8, annotations: { made: by hand } }
      annotations: { org.opencontainers.image.title: app }
";

fn plan(steps: &str) -> Test {
    Test::new(&format!("{INDEX}{steps}")).file("app", "#!/bin/sh\n")
}

/// What a rehearsal prints, which is JSON.
fn printed(test: &Test) -> Value {
    let ran = test.run("rehearse plan.yaml --workdir .");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    serde_json::from_str(&ran.stdout).unwrap()
}

/// The outputs of a plan, which is rehearsed.
fn outputs(test: &Test) -> Value {
    let ran = test.run("rehearse plan.yaml --workdir . --outputs -");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn an_index_lists_what_its_manifests_are_for() {
    let index =
        printed(&plan("  - id: show\n    inspect: { reference: \"localhost:5000/app:v1\", print: manifest }\n"));
    assert_eq!(index["mediaType"], "application/vnd.oci.image.index.v1+json");
    assert_eq!(index["annotations"], json!({ "org.opencontainers.image.title": "app" }));
    let platforms: Vec<_> = index["manifests"].as_array().unwrap().iter().map(|entry| &entry["platform"]).collect();
    let expected = [
        json!({ "architecture": "amd64", "os": "linux" }),
        json!({ "architecture": "arm64", "os": "linux", "variant": "v8" }),
    ];
    assert_eq!(platforms, expected.iter().collect::<Vec<_>>());
    assert_eq!(index["manifests"][1]["annotations"], json!({ "made": "by hand" }));
}

#[test]
fn what_another_registry_has_is_brought_and_an_index_in_an_index_is_taken_apart() {
    let test = plan(
        "  - id: again
    index:
      to: localhost:5000/app:v2
      manifests: [\"localhost:5000/app:v1\"]
  - id: both
    copy: { from: \"localhost:5000/app:v2\", to: \"r.io/app:v2\" }
outputs:
  platforms: ${{ steps.index.platforms }}
  again: ${{ steps.again.platforms }}
  copied: ${{ steps.both.copied | length }}
",
    );
    let expected = ["linux/amd64", "linux/arm64/v8"];
    // Two manifests with a config each, one layer, and the index.
    assert_eq!(outputs(&test), json!({ "platforms": expected, "again": expected, "copied": 6 }));
}

#[test]
fn a_platform_is_chosen_where_a_manifest_is_read_and_attached_to() {
    let test = plan(
        "  - id: config
    inspect: { reference: \"localhost:5000/app:v1\", platform: linux/arm64, print: config }
  - id: sbom
    attach: { subject: \"localhost:5000/app:v1\", platform: linux/arm64/v8, artifact_type: sbom/example, annotations: { a: b } }
  - id: same
    assert: { equal: [\"${{ steps.sbom.subject_digest }}\", \"${{ steps.arm64.digest }}\"] }
",
    );
    let config = printed(&test);
    assert_eq!((&config["architecture"], &config["config"]["Cmd"]), (&json!("arm64"), &json!(["/bin/app"])));
}

#[test]
fn what_is_not_there_for_a_platform_is_listed() {
    let steps = "  - id: pull\n    pull: { from: \"localhost:5000/app:v1\", to: x, platform: linux/s390x }\n";
    let ran = plan(steps).run("rehearse plan.yaml --jobs 1");
    assert_snapshot!(ran.shown(), @"
    exit code 1
    --- stderr
    plan: 4 steps
    created   amd64  localhost:5000/build@sha256:141585f3c3ce  [TIME]
    created   arm64  r.io/build@sha256:f466af768d3c  [TIME]
    created   index  localhost:5000/app@sha256:57f7da35e774  [TIME]
    failed    pull   `localhost:5000/app:v1` has nothing for linux/s390x
      --> plan.yaml:14:9
      note: there is: linux/amd64, linux/arm64/v8
    changed:
      created localhost:5000/build@sha256:141585f3c3cec81c2201442f863c63fccc0051d23e574d3fe2998ba2526967ce
      created r.io/build@sha256:f466af768d3cea993186998c137d4a9044c58207f95ba008d8f6faf2506c6ed9
      created localhost:5000/app@sha256:57f7da35e77451ded7f8534d5f64578c5ef69446e2176dbbc3013b0d8deec675
    failed:
      pull: `localhost:5000/app:v1` has nothing for linux/s390x
    3 created, 1 failed in [TIME]
    run it again: what succeeded is found unchanged
    a real run:
      in                    needs       to
      localhost:5000/app    pull, push  create  v1 → sha256:57f7da35e774
                                        create  sha256:141585f3c3ce
                                        create  sha256:57f7da35e774
                                        create  sha256:f466af768d3c
      localhost:5000/build  pull, push  create  amd64 → sha256:141585f3c3ce
                                        create  sha256:141585f3c3ce
      r.io/build            pull, push  create  arm64 → sha256:f466af768d3c
                                        create  sha256:f466af768d3c
    ");
}

#[test]
fn an_index_takes_no_two_manifests_that_cannot_be_told_apart() {
    let steps = "  - id: other
    image: { to: \"localhost:5000/build:other\", platform: linux/amd64, layers: [{ path: app, at: /sbin }] }
  - id: twice
    index: { to: \"localhost:5000/twice:v1\", manifests: [\"localhost:5000/build:amd64\", \"localhost:5000/build:other\"] }
";
    let ran = plan(steps).run("rehearse plan.yaml --jobs 1");
    assert_snapshot!(ran.shown(), @"
    exit code 1
    --- stderr
    plan: 5 steps
    created   amd64  localhost:5000/build@sha256:141585f3c3ce  [TIME]
    created   arm64  r.io/build@sha256:f466af768d3c  [TIME]
    created   index  localhost:5000/app@sha256:57f7da35e774  [TIME]
    created   other  localhost:5000/build@sha256:ca6efad7dca7  [TIME]
    failed    twice  two manifests are for linux/amd64: clients take the first and never see the other
      --> plan.yaml:16:9
      note: sha256:141585f3c3cec81c2201442f863c63fccc0051d23e574d3fe2998ba2526967ce
      note: sha256:ca6efad7dca7a4c05e8c56118883e586cf7575da00ee303f2bebc15923b79f17
      help: leave one out, or tell them apart by `platform` (a variant) or `annotations`
    changed:
      created localhost:5000/build@sha256:141585f3c3cec81c2201442f863c63fccc0051d23e574d3fe2998ba2526967ce
      created r.io/build@sha256:f466af768d3cea993186998c137d4a9044c58207f95ba008d8f6faf2506c6ed9
      created localhost:5000/app@sha256:57f7da35e77451ded7f8534d5f64578c5ef69446e2176dbbc3013b0d8deec675
      created localhost:5000/build@sha256:ca6efad7dca7a4c05e8c56118883e586cf7575da00ee303f2bebc15923b79f17
    failed:
      twice: two manifests are for linux/amd64: clients take the first and never see the other
    4 created, 1 failed in [TIME]
    run it again: what succeeded is found unchanged
    a real run:
      in                    needs       to
      localhost:5000/app    pull, push  create  v1 → sha256:57f7da35e774
                                        create  sha256:141585f3c3ce
                                        create  sha256:57f7da35e774
                                        create  sha256:f466af768d3c
      localhost:5000/build  pull, push  create  amd64 → sha256:141585f3c3ce
                                        create  other → sha256:ca6efad7dca7
                                        create  sha256:141585f3c3ce
                                        create  sha256:ca6efad7dca7
      localhost:5000/twice  pull, push
      r.io/build            pull, push  create  arm64 → sha256:f466af768d3c
                                        create  sha256:f466af768d3c
    ");
}

#[test]
fn mistakes_are_found_before_anything_runs() {
    let test = Test::new(
        "consign: 1
steps:
  - id: nothing
    image: { to: \"localhost:5000/a:v1\", layers: [{ path: app, at: / }] }
  - id: empty
    index: { to: \"localhost:5000/a:v2\", manifests: [] }
  - id: wrong
    index: { to: \"localhost:5000/a:v3\", manifests: [{ referenc: \"localhost:5000/a:v1\" }, \"localhost:5000/a\", []] }
  - id: platform
    inspect: { reference: \"localhost:5000/a:v1\", platform: amd64 }
",
    )
    .file("app", "");
    assert_snapshot!(test.run("check plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: `image` needs `platform`, or a `base` to be made on
     --> plan.yaml:4:18
      |
    4 |     image: { to: "localhost:5000/a:v1", layers: [{ path: app, at: / }] }
      |                  ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: it is never taken from this machine

    error: `index` needs at least one of `manifests`
     --> plan.yaml:6:18
      |
    6 |     index: { to: "localhost:5000/a:v2", manifests: [] }
      |                  ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: an index of nothing says nothing

    error: unknown key `referenc` in an entry of `manifests`
     --> plan.yaml:8:55
      |
    8 |     index: { to: "localhost:5000/a:v3", manifests: [{ referenc: "localhost:5000/a:v1" }, "localhost:5000/a", []] }
      |                                                       ^^^^^^^^ did you mean `reference`?
      |
      = note: an entry of `manifests` takes: reference, platform, annotations

    error: an entry of `manifests` takes text or a mapping, not a list
     --> plan.yaml:8:110
      |
    8 |     index: { to: "localhost:5000/a:v3", manifests: [{ referenc: "localhost:5000/a:v1" }, "localhost:5000/a", []] }
      |                                                                                                              ^^

    error: `amd64` is not a platform: write `os/architecture` or `os/architecture/variant`, such as `linux/amd64`
      --> plan.yaml:10:60
       |
    10 |     inspect: { reference: "localhost:5000/a:v1", platform: amd64 }
       |                                                            ^^^^^
    "#);
}

#[test]
fn an_image_on_an_index_is_made_for_each_of_its_platforms() {
    let test = plan(
        "  - id: on_it
    image:
      to: localhost:5000/site:v1
      base: localhost:5000/app:v1
      layers: [{ path: app, at: /srv }]
      entrypoint: [/bin/serve]
      env: { PORT: '80' }
  - id: arm
    inspect: { reference: \"localhost:5000/site:v1\", platform: linux/arm64 }
  - id: again
    image:
      to: localhost:5000/site:v1-arm64
      base: localhost:5000/app:v1
      platform: linux/arm64
      layers: [{ path: app, at: /srv }]
      entrypoint: [/bin/serve]
      env: { PORT: '80' }
  - id: whole
    inspect: { reference: \"localhost:5000/site:v1\" }
outputs:
  base: ${{ steps.index.digest }}
  on_it: ${{ steps.whole.manifest }}
  arm: ${{ steps.arm.manifest }}
  same: ${{ steps.arm.digest == steps.again.digest }}
",
    );
    let outputs = outputs(&test);
    let base = json!({
        "org.opencontainers.image.base.digest": outputs["base"],
        "org.opencontainers.image.base.name": "localhost:5000/app:v1",
    });
    assert_eq!((&outputs["on_it"]["annotations"], &outputs["arm"]["annotations"]), (&base, &base));
    assert_eq!((outputs["arm"]["layers"].as_array().unwrap().len(), &outputs["same"]), (2, &json!(true)));
    let platform = json!({ "architecture": "arm64", "os": "linux", "variant": "v8" });
    assert_eq!(outputs["on_it"]["manifests"][1]["platform"], platform);
}

/// A folder with an image as Docker has it: a layer that is there and one that is kept elsewhere.
fn docker_image(test: Test) -> Test {
    let digest = |content: &[u8]| format!("sha256:{}", hex(&Sha256::digest(content)));
    let layer = b"not looked at";
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": { "Cmd": ["sh"], "Env": ["PATH=/bin"] },
        "history": [{ "created_by": "FROM" }, { "created_by": "ADD" }],
        "rootfs": { "type": "layers", "diff_ids": [digest(b"one"), digest(b"two")] },
    })
    .to_string();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": config.len(), "digest": digest(config.as_bytes()),
        },
        "layers": [
            {
                "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                "size": 3, "digest": digest(b"far"), "urls": ["https://example.com/far"],
            },
            {
                "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                "size": layer.len(), "digest": digest(layer),
            },
        ],
    })
    .to_string();
    let index = json!({
        "schemaVersion": 2,
        "manifests": [{
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "size": manifest.len(), "digest": digest(manifest.as_bytes()),
            "annotations": { "org.opencontainers.image.ref.name": "v1" },
        }],
    });
    let contents = [layer.as_slice(), config.as_bytes(), manifest.as_bytes()];
    let blob = |content: &[u8]| format!("base/blobs/sha256/{}", hex(&Sha256::digest(content)));
    let test = contents.into_iter().fold(test, |test, content| test.file(&blob(content), content));
    test.file("base/index.json", index.to_string()).file("base/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[test]
fn an_image_of_docker_is_a_base_and_its_foreign_layers_stay_where_they_are() {
    let test = Test::new(
        "consign: 1
steps:
  - id: on_it
    image: { to: \"localhost:5000/app:v1\", base: \"oci-layout:base:v1\", layers: [{ path: app, at: /bin }], labels: { a: b } }
  - id: manifest
    inspect: { reference: \"localhost:5000/app:v1\" }
  - id: config
    inspect: { reference: \"localhost:5000/app:v1\", print: config }
outputs:
  layers: ${{ steps.manifest.manifest.layers }}
  annotations: ${{ steps.manifest.annotations }}
",
    )
    .file("app", "#!/bin/sh\n");
    let test = docker_image(test);
    let outputs = outputs_beside(&test);
    let layers = outputs["layers"].as_array().unwrap();
    let types: Vec<_> = layers.iter().map(|layer| layer["mediaType"].as_str().unwrap()).collect();
    assert_eq!(
        types,
        [
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            "application/vnd.oci.image.layer.v1.tar+gzip",
            "application/vnd.oci.image.layer.v1.tar+gzip"
        ]
    );
    assert_eq!(layers[0]["urls"], json!(["https://example.com/far"]));
    // A folder on disk is no name that others could look for.
    let said: Vec<_> = outputs["annotations"].as_object().unwrap().keys().collect();
    assert_eq!(said, ["org.opencontainers.image.base.digest"]);
    let config = printed(&test);
    assert_eq!(config["config"], json!({ "Cmd": ["sh"], "Env": ["PATH=/bin"], "Labels": { "a": "b" } }));
    assert_eq!(config["history"][2], json!({ "created_by": "consign: app at /bin" }));
}

/// The outputs of a plan that prints something too.
fn outputs_beside(test: &Test) -> Value {
    let ran = test.run("rehearse plan.yaml --workdir . --outputs outputs.json");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    serde_json::from_str(&std::fs::read_to_string(test.path("outputs.json")).unwrap()).unwrap()
}

/// How many parts of uploads the server has taken.
async fn parts(server: &Running) -> Option<String> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let metrics = client.get(format!("http://{}/metrics", server.name)).send().await.unwrap().text().await.unwrap();
    let line = metrics.lines().find(|line| line.contains("method=\"PATCH\""))?;
    Some(line.rsplit_once(' ').unwrap().1.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_folder_goes_out_while_it_is_packed_where_it_is_most_likely_new() {
    let server = Running::in_memory(ServeOptions::default()).await;
    let plan = |if_exists: &str| {
        format!(
            "consign: 1
steps:
  - id: app
    image:
      to: {}/app:v1
      platform: linux/amd64
      if_exists: {if_exists}
      layers: [{{ path: tree, at: /app }}]
",
            server.name
        )
    };
    let test = Test::new(&plan("fail")).file("replace.yaml", plan("replace")).file("tree/a", "x");
    let large = std::fs::File::create(test.path("tree/large")).unwrap();
    large.set_len(65 << 20).unwrap();
    let run = |test: &Test, plan: &str| {
        let ran = test.run(&format!("run {plan}"));
        let words = ["failed", "created", "updated", "unchanged"];
        (ran.code, words.into_iter().find(|word| ran.stderr.contains(word)))
    };
    assert_eq!(run(&test, "plan.yaml"), (0, Some("created")));
    assert_eq!(parts(&server).await.as_deref(), Some("1"));
    // It may be there, so it is packed first, to the same.
    assert_eq!(run(&test, "plan.yaml"), (0, Some("unchanged")));
    let test = test.file("tree/b", "y");
    assert_eq!(run(&test, "plan.yaml"), (1, Some("failed")));
    assert_eq!(run(&test, "replace.yaml"), (0, Some("updated")));
    assert_eq!(parts(&server).await.as_deref(), Some("1"));
}
