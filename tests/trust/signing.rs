//! Signing many manifests: what one question for all of them can tell is not asked for each.

use std::{fs, path::Path};

use serde_json::json;

use super::registry::{Registry, consign};

const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/plans/acr-tutorial-signed/test-keys");
const COUNT: usize = 12;

/// Signs so many manifests in a plan of its own, twice, and gives what the first run and the second one asked.
fn sign(arguments: &[&str]) -> [Vec<String>; 2] {
    let folder = tempfile::tempdir().unwrap();
    for name in ["signer.crt", "signer.key"] {
        fs::copy(Path::new(KEYS).join(name), folder.path().join(name)).unwrap();
    }
    let registry = Registry::start_with(arguments);
    let run = |steps: serde_json::Value| {
        fs::write(folder.path().join("plan.yaml"), json!({ "consign": 1, "steps": steps }).to_string()).unwrap();
        let before = registry.asked().len();
        let ran = consign(folder.path(), &["run", "plan.yaml", "--progress", "plain"]).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        (registry.asked().split_off(before), String::from_utf8_lossy(&ran.stderr).into_owned())
    };
    let names: Vec<_> = (0..COUNT).map(|number| format!("{}/app:v{number}", registry.name)).collect();
    let push = |(number, name): (usize, &String)| {
        let file = json!({ "name": "app.txt", "content": format!("{number}") });
        json!({ "id": format!("p{number}"), "push": { "to": name, "files": [file] } })
    };
    run(names.iter().enumerate().map(push).collect());
    let step = json!([{ "id": "sign", "sign": {
        "subjects": names, "format": "notation", "key": "signer.key", "certificate_chain": "signer.crt",
    } }]);
    let (first, said) = run(step.clone());
    assert!(said.contains("created   sign"), "{said}");
    let (second, said) = run(step);
    assert!(said.contains("unchanged sign"), "{said}");
    [first, second]
}

fn count(asked: &[String], method: &str, part: &str) -> usize {
    asked.iter().filter(|line| line.starts_with(method) && line.contains(part)).count()
}

#[test]
fn lists_that_are_not_there_are_not_asked_for_one_by_one() {
    // The tag schema: each list is read once, where it is to be written.
    let [first, second] = sign(&["--no-referrers"]);
    assert_eq!(count(&first, "GET", "/manifests/sha256-"), COUNT, "{first:#?}");
    assert_eq!(count(&first, "GET", "/tags/list"), 1, "{first:#?}");
    // What is there is looked at.
    assert_eq!(count(&second, "GET", "/manifests/sha256-"), COUNT, "{second:#?}");
    assert_eq!(count(&second, "GET", "/blobs/"), COUNT, "{second:#?}");

    // The API: it says all there is to say, but for what is older than it.
    let [first, second] = sign(&[]);
    // Once more to see whether there is an API, and once whether it lists what was pushed.
    assert_eq!(count(&first, "GET", "/referrers/sha256:"), COUNT + 2, "{first:#?}");
    assert!(count(&first, "GET", "/manifests/sha256-") <= 4, "{first:#?}");
    assert_eq!(count(&second, "GET", "/manifests/sha256-"), 0, "{second:#?}");
    assert_eq!(count(&second, "GET", "/blobs/"), COUNT, "{second:#?}");
}
