//! Registries that hand out something else than what they were given: a gate looks, and says no. Where nothing can be had
//! there is no answer, which is something else.

use std::{fs, path::Path, process::Output};

use serde_json::{Value, json};

use super::{
    liar::{Liar, Lie},
    registry::{Registry, consign},
};

const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/plans/acr-tutorial-signed/test-keys");

/// A registry with an artifact that is signed in both formats.
struct World {
    folder: tempfile::TempDir,
    registry: Registry,
    liar: Liar,
    signatures: Value,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["root.crt", "signer.crt", "signer.key"] {
            fs::copy(Path::new(KEYS).join(name), folder.path().join(name)).unwrap();
        }
        let registry = Registry::start();
        let liar = Liar::before(&registry.name);
        let made = run(folder.path(), &["keys", "ours"]);
        assert!(made.status.success(), "{}", said(&made));
        let app = format!("{}/app:v1", registry.name);
        let plan = json!({
            "consign": 1,
            "steps": [
                { "id": "app", "push": { "to": app, "files": [{ "content": "app", "name": "app.txt" }] } },
                { "id": "notation", "sign": {
                    "subject": app, "format": "notation", "key": "signer.key", "certificate_chain": "signer.crt",
                } },
                { "id": "cosign", "sign": { "subject": app, "format": "cosign", "key": "ours.key" } },
            ],
            "outputs": {
                "notation": "${{ steps.notation.signatures[0].digest }}",
                "cosign": "${{ steps.cosign.signatures[0].digest }}",
            },
        });
        let ran = run_plan(folder.path(), &plan, &["--outputs", "signatures.json"]);
        assert!(ran.status.success(), "{}", said(&ran));
        let signatures = fs::read(folder.path().join("signatures.json")).unwrap();
        Self { signatures: serde_json::from_slice(&signatures).unwrap(), folder, registry, liar }
    }

    /// The digests of the manifest of a signature, and of what it carries.
    fn signature(&self, format: &str) -> [String; 2] {
        let digest = self.signatures[format].as_str().unwrap().to_owned();
        let blob = self.registry.root().join("app/blobs").join(digest.replace(':', "/"));
        let manifest: Value = serde_json::from_slice(&fs::read(blob).unwrap()).unwrap();
        [digest, manifest["layers"][0]["digest"].as_str().unwrap().to_owned()]
    }

    /// Verifies behind the liar and promotes, in a step of its own and in one with the copy.
    fn promote(&self, format: &str) -> [Output; 2] {
        let (source, target) = (format!("{}/app:v1", self.liar.name), format!("{}/stable/app:v1", self.registry.name));
        let trust = match format {
            "notation" => json!({ "format": format, "certificates": ["root.crt"] }),
            _ => json!({ "format": format, "key": "ours.pub" }),
        };
        let mut verify = trust.clone();
        verify["subject"] = json!(source);
        let before = self.registry.content();
        let ran = [
            json!([{ "id": "check", "verify": verify }, { "id": "promote", "copy": { "from": source, "to": target } }]),
            json!([{ "id": "promote", "copy": { "from": source, "to": target, "verify": trust } }]),
        ]
        .map(|steps| {
            run_plan(
                self.folder.path(),
                &json!({ "consign": 1, "defaults": { "retry": { "max": 1 } }, "steps": steps }),
                &[],
            )
        });
        if ran.iter().any(|ran| !ran.status.success()) {
            assert_eq!(self.registry.content(), before, "something was written");
        }
        ran
    }
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    consign(folder, arguments).env("COSIGN_PASSWORD", "of nobody").output().unwrap()
}

fn run_plan(folder: &Path, plan: &Value, more: &[&str]) -> Output {
    fs::write(folder.join("plan.yaml"), plan.to_string()).unwrap();
    run(folder, &[&["run", "plan.yaml", "--progress", "plain"], more].concat())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn assert_ends(ran: &[Output], code: i32, reason: &str) {
    for ran in ran {
        assert_eq!(ran.status.code(), Some(code), "{}", said(ran));
        assert!(said(ran).contains(reason), "`{reason}` is not in:\n{}", said(ran));
    }
}

#[test]
fn what_is_not_what_it_should_be_is_refused_in_either_format() {
    let world = World::new();
    for format in ["notation", "cosign"] {
        for hides_types in [false, true] {
            for wrong in world.signature(format) {
                world.liar.tell(Lie { about: Some(wrong.clone()), hides_types, ..Lie::default() });
                let ran = world.promote(format);
                assert_ends(&ran, 3, &format!("bad signature: `{wrong}` was wanted, but `sha256:"));
                assert_ends(&ran, 3, "has 1 signature, and none of them counts");
            }
        }
        // What cannot be had says nothing about anybody.
        for part in ["/referrers/", "/blobs/"] {
            world.liar.tell(Lie { breaks_off: Some(part.to_owned()), ..Lie::default() });
            assert_ends(&world.promote(format), 75, "");
        }
    }
    world.liar.tell(Lie { hides_types: true, ..Lie::default() });
    for format in ["notation", "cosign"] {
        assert_ends(&world.promote(format), 0, "");
    }
}
