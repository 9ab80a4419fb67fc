//! Looking at what a repository has.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{Test, copies::release};

/// What users write by mistake.
const MISTAKES: &str = "consign: 1
steps:
  - id: both
    inspect: { reference: \"localhost:5000/app:v1\", repository: localhost:5000/app }
  - id: neither
    inspect: { print: table }
  - id: tagged
    inspect: { repository: \"localhost:5000/app:v1\" }
  - id: untagged
    inspect: { reference: localhost:5000/app }
  - id: platform
    inspect: { repository: localhost:5000/app, platform: linux/amd64 }
  - id: one
    inspect: { repository: localhost:5000/app, print: manifest }
  - id: many
    inspect: { reference: \"localhost:5000/app:v1\", print: table }
  - id: all
    inspect: { repository: localhost:5000/app }
  - id: wrong
    assert: { that: [\"${{ steps.all.digest == 'x' }}\"] }
";

#[test]
fn mistakes_say_what_to_write_instead() {
    assert_snapshot!(Test::new(MISTAKES).run("check plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: `inspect` needs one of `reference` and `repository`
     --> plan.yaml:4:64
      |
    4 |     inspect: { reference: "localhost:5000/app:v1", repository: localhost:5000/app }
      |                                                                ^^^^^^^^^^^^^^^^^^ leave one of them out

    error: `inspect` needs one of `reference` and `repository`
     --> plan.yaml:6:5
      |
    6 |     inspect: { print: table }
      |     ^^^^^^^

    error: `localhost:5000/app:v1` names a manifest, not a repository
     --> plan.yaml:8:28
      |
    8 |     inspect: { repository: "localhost:5000/app:v1" }
      |                            ^^^^^^^^^^^^^^^^^^^^^^^ leave `v1` out

    error: `localhost:5000/app` names a repository, not a manifest
      --> plan.yaml:10:27
       |
    10 |     inspect: { reference: localhost:5000/app }
       |                           ^^^^^^^^^^^^^^^^^^ add `:tag` or `@digest`

    error: `platform` is of one manifest, and `repository` names all of them
      --> plan.yaml:12:58
       |
    12 |     inspect: { repository: localhost:5000/app, platform: linux/amd64 }
       |                                                          ^^^^^^^^^^^ leave it out, or write `reference`

    error: `print: manifest` is of one manifest, and `repository` names all of them
      --> plan.yaml:14:55
       |
    14 |     inspect: { repository: localhost:5000/app, print: manifest }
       |                                                       ^^^^^^^^ write `table` or `json`

    error: `print: table` is of the manifests of a `repository`
      --> plan.yaml:16:59
       |
    16 |     inspect: { reference: "localhost:5000/app:v1", print: table }
       |                                                           ^^^^^ write `manifest`, `config` or `descriptor`

    error: step `all` has no output `digest` as it stands
      --> plan.yaml:20:37
       |
    20 |     assert: { that: ["${{ steps.all.digest == 'x' }}"] }
       |                                     ^^^^^^ say `reference`, or use `manifests` in `all`
    "#);
}

const OUTPUTS: &str = "outputs:
  listing: ${{ steps.all.listing }}
  count: ${{ steps.all.count }}
  manifests: ${{ steps.all.manifests }}
";

fn outputs(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_layout_knows_its_manifests() {
    let steps = "  - id: all
    inspect: { repository: \"oci-layout:build\", print: table }
";
    let test = release(&format!("{steps}{OUTPUTS}"));
    let ran = test.run("run plan.yaml --progress none --outputs outputs.json");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert_snapshot!(ran.stdout, @"
    DIGEST                                                                   TYPE                                      PLATFORM     SIZE  TAGS
    sha256:444a929f0fea1b5e7fc323f11259540f4c31a13638a21df2fb1297c679c1b5e1  sbom/spdx                                              640
    sha256:96502fd0b283e1a3fcebb794f010e8caac3c7c5305c1bd611b83a290605616cf  scan/example                                           628
    sha256:bc085a7e1021528745ce153c8a1d6d619935eef52860607b4d1831be7a951fbc  signature/example                                      634
    sha256:bd3b2617f7afb4e6cf00bcdbe35c0c0f72ea013f2fe737ea95870c55bd3528d9  application/vnd.oci.image.index.v1+json                491   1.0.0
    sha256:cf97b4817bffea576905e2c268b0000128a42d6be9bf309dc605887c8fd80490  application/vnd.oci.image.config.v1+json  linux/amd64  401   amd64
    sha256:da0d16c0da0da1d7b65f19d4bdfd3e410e665822780707fd06334d460c0e39de  sbom/spdx                                              630
    sha256:e34f9429992b758d743bb1c016f1ebf3d1017b701c22dba9f7a10811b498e4cc  application/vnd.oci.image.config.v1+json  linux/arm64  401   arm64
    ");
    let outputs = outputs(&std::fs::read_to_string(test.path("outputs.json")).unwrap());
    assert_eq!((&outputs["listing"], &outputs["count"]), (&json!("own"), &json!(7)));
    let signature =
        outputs["manifests"].as_array().unwrap().iter().find(|it| it["artifact_type"] == "signature/example");
    assert_snapshot!(format!("{:#}", signature.unwrap()), @r#"
    {
      "digest": "sha256:bc085a7e1021528745ce153c8a1d6d619935eef52860607b4d1831be7a951fbc",
      "reference": "oci-layout:build@sha256:bc085a7e1021528745ce153c8a1d6d619935eef52860607b4d1831be7a951fbc",
      "media_type": "application/vnd.oci.image.manifest.v1+json",
      "size": 634,
      "artifact_type": "signature/example",
      "subject": "sha256:444a929f0fea1b5e7fc323f11259540f4c31a13638a21df2fb1297c679c1b5e1",
      "platform": null,
      "tags": [],
      "created": null,
      "last_updated": null
    }
    "#);
}

/// A tag and an image that no tag leads to, looked at before and after something is attached.
fn lost(registry: &str) -> String {
    format!(
        "consign: 1
steps:
  - id: named
    push: {{ to: \"{registry}/app:v1\", files: [{{ name: a, content: named }}] }}
  - id: lost
    push: {{ to: \"{registry}/app\", files: [{{ name: a, content: lost }}] }}
  - id: before
    inspect: {{ repository: \"{registry}/app\" }}
  - id: sbom
    attach: {{ subject: \"{registry}/app:v1\", artifact_type: sbom/example, annotations: {{ a: b }} }}
  - id: all
    inspect: {{ repository: \"{registry}/app\" }}
outputs:
  before: ${{{{ steps.before.count }}}}
  count: ${{{{ steps.all.count }}}}
  listing: ${{{{ steps.all.listing }}}}
"
    )
}

#[test]
fn a_rehearsal_knows_no_more_than_the_registry_would() {
    let rehearsed = |registry| outputs(&Test::new(&lost(registry)).run("rehearse plan.yaml --outputs -").stdout);
    assert_eq!(rehearsed("r.example.test"), json!({ "before": 1, "count": 2, "listing": "reached" }));
    assert_eq!(rehearsed("r.azurecr.io"), json!({ "before": 2, "count": 3, "listing": "own" }));
}

#[test]
fn what_is_attached_before_is_seen_whatever_runs_beside_it() {
    let test = Test::new(&lost("r.azurecr.io"));
    assert_snapshot!(test.run("graph plan.yaml --why sbom all").stdout, @"
    sbom -> all
      effect: the first adds to the graph of r.azurecr.io/app, the second reads it
    ");
    assert_snapshot!(test.run("graph plan.yaml --why named all").stdout, @"
    named -> all
      effect: the first adds to the tag list of r.azurecr.io/app, the second reads it
    ");
}

/// Stands between consign and `r.azurecr.io`, and answers in its place.
struct Azure {
    proxy: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Azure {
    /// With one manifest, of these bytes, that has a tag, and one that is gone.
    fn new(manifest: &'static str, digest: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                serve(&connection, &log, manifest, digest);
            }
        });
        Self { proxy, asked }
    }
}

fn serve(mut connection: &TcpStream, log: &Mutex<Vec<String>>, manifest: &str, digest: &str) {
    let mut lines = BufReader::new(connection).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    let is_in = lines.take_while(|line| !line.is_empty()).any(|line| line.starts_with("authorization: Bearer "));
    let place = first.split(' ').nth(1).unwrap().trim_start_matches("http://r.azurecr.io").to_owned();
    log.lock().unwrap().push(place.replace("%3A", ":").replace(digest, "DIGEST"));
    let gone = format!("sha256:{}", "0".repeat(64));
    let listing = json!({ "registry": "r.azurecr.io", "imageName": "team/app", "manifests": [
        { "digest": gone, "imageSize": 1, "createdTime": "2026-01-01T00:00:00.1234567Z" },
        { "digest": digest, "imageSize": 525, "createdTime": "2026-01-02T00:00:00.1234567Z",
          "lastUpdateTime": "2026-01-03T00:00:00.1234567Z", "architecture": "amd64", "os": "linux",
          "mediaType": "application/vnd.oci.image.manifest.v1+json", "tags": ["v1", "latest"] },
    ] });
    let token = "{\"access_token\":\"t\",\"expires_in\":300}".to_owned();
    let challenge = "www-authenticate: Bearer realm=\"http://r.azurecr.io/oauth2/token\",service=\"r.azurecr.io\"";
    let (status, header, body) = if place.starts_with("/oauth2/token") {
        ("200", "x: y", token)
    } else if !is_in {
        ("401", challenge, String::new())
    } else if place.starts_with("/acr/v1/") {
        ("200", "x: y", listing.to_string())
    } else if place.ends_with(digest) {
        ("200", "content-type: application/vnd.oci.image.manifest.v1+json", manifest.to_owned())
    } else {
        ("404", "x: y", String::new())
    };
    let length = body.len();
    let answer =
        format!("HTTP/1.1 {status} x\r\n{header}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    let _ = connection.write_all(answer.as_bytes());
}

const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"readme/example","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}"#;
const DIGEST: &str = "sha256:1fcf4868e46bdd2895a45623af48c9bc585ff99aca1b75f3b9581e6956ab8d87";

#[test]
fn azure_is_asked_for_its_list_and_each_manifest_for_what_it_is() {
    let azure = Azure::new(MANIFEST, DIGEST);
    let plan = format!(
        "consign: 1
registries:
  r.azurecr.io: {{ plain_http: true }}
steps:
  - id: all
    inspect: {{ repository: r.azurecr.io/team/app, print: json }}
{OUTPUTS}"
    );
    let test = Test::new(&plan).environment("HTTP_PROXY", &azure.proxy);
    let ran = test.run("run plan.yaml");
    assert_snapshot!(ran.shown(), @r#"
    exit code 0
    --- stdout
    [
      {
        "digest": "sha256:1fcf4868e46bdd2895a45623af48c9bc585ff99aca1b75f3b9581e6956ab8d87",
        "reference": "r.azurecr.io/team/app@sha256:1fcf4868e46bdd2895a45623af48c9bc585ff99aca1b75f3b9581e6956ab8d87",
        "media_type": "application/vnd.oci.image.manifest.v1+json",
        "size": 271,
        "artifact_type": "readme/example",
        "subject": null,
        "platform": "linux/amd64",
        "tags": [
          "latest",
          "v1"
        ],
        "created": "2026-01-02T00:00:00.1234567Z",
        "last_updated": "2026-01-03T00:00:00.1234567Z"
      }
    ]
    --- stderr
    plan: 1 step
    passed    all  r.azurecr.io/team/app  [TIME]
    1 passed in [TIME]
    "#);
    let mut asked = azure.asked.lock().unwrap().clone();
    asked.sort();
    assert_snapshot!(asked.join("\n"), @"
    /acr/v1/team/app/_manifests?n=100
    /acr/v1/team/app/_manifests?n=100
    /oauth2/token?service=r.azurecr.io&scope=repository:team%2Fapp:metadata_read
    /oauth2/token?service=r.azurecr.io&scope=repository:team%2Fapp:pull
    /v2/team/app/manifests/DIGEST
    /v2/team/app/manifests/sha256:0000000000000000000000000000000000000000000000000000000000000000
    ");
}
