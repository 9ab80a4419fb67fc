//! Signatures: gates that say no, and keys that nobody sees.

use std::{fs, path::Path};

use super::Test;

const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/plans/acr-tutorial-signed/test-keys");

/// A plan with these steps after one that pushes, and the test keys beside it.
fn plan(steps: &str) -> Test {
    let test = Test::new(&format!(
        "consign: 1
name: small
secrets: {{ KEY: {{ env: KEY }} }}
steps:
  - id: app
    push: {{ to: \"localhost:5000/app:v1\", files: [{{ content: app, name: app.txt }}] }}
{steps}"
    ));
    let keys = Path::new(KEYS);
    ["root.crt", "signer.crt", "signer.key"]
        .into_iter()
        .fold(test, |test, name| test.file(name, fs::read(keys.join(name)).unwrap()))
}

const VERIFY: &str = "  - id: trusted
    verify: { subject: \"localhost:5000/app:v1\", format: notation, certificates: [root.crt] }
  - id: promote
    copy: { from: \"localhost:5000/app:v1\", to: \"localhost:5000/stable/app:v1\" }
";

#[test]
fn what_is_not_signed_is_not_promoted() {
    let ran = plan(VERIFY).run("rehearse plan.yaml");
    assert_eq!(ran.code, 3);
    let name = "localhost:5000/app@sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497";
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert!(lines.contains(&format!("failed    trusted  `{name}` has no signature").as_str()), "{}", ran.stderr);
    assert!(lines.contains(&"blocked   promote  trusted failed"), "{}", ran.stderr);
}

#[test]
fn what_is_signed_is_promoted() {
    let sign = "  - id: signature
    sign: { subject: \"localhost:5000/app:v1\", format: notation, key: signer.key, certificate_chain: signer.crt }
";
    let ran = plan(&format!("{sign}{VERIFY}")).run("rehearse plan.yaml");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // With stand-ins for what a rehearsal has no business with.
    let by_secret = sign.replace("signer.key", "\"${{ KEY }}\"");
    let ran = plan(&format!("{by_secret}{VERIFY}")).environment("KEY", "no key at all").run("rehearse plan.yaml");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn no_key_is_shown() {
    let key = fs::read_to_string(Path::new(KEYS).join("signer.key")).unwrap();
    let body: String = key.lines().filter(|line| !line.starts_with("-----")).collect();
    // Once it signs, and once it is not the key of the certificate.
    for chain in ["signer.crt", "root.crt"] {
        let sign = format!(
            "  - id: signature
    sign: {{ subject: \"localhost:5000/app:v1\", format: notation, key: \"${{{{ KEY }}}}\", certificate_chain: {chain} }}
"
        );
        let test = plan(&sign).environment("KEY", &key);
        let ran = test.run("rehearse plan.yaml --real-secrets -v --events -");
        assert_eq!(ran.code, i32::from(chain == "root.crt"), "{}", ran.stderr);
        for said in [&ran.stdout, &ran.stderr] {
            assert!(body.as_bytes().chunks(24).all(|part| !said.contains(str::from_utf8(part).unwrap())), "{said}");
        }
    }
}
