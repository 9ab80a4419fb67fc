use std::fs;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::registry::{Registry, consign};

#[test]
fn a_secret_is_in_nothing_that_a_run_shows_or_leaves() {
    const SECRET: &str = "pa55 + word/with?signs=&ü";
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("users"), format!("jane:{}\n", bcrypt::hash(SECRET, 4).unwrap())).unwrap();
    let registry = Registry::start_with(&["--htpasswd", folder.join("users").to_str().unwrap()]);
    let plan = format!(
        "consign: 1\nsecrets: {{ PASSWORD: {{ env: PASSWORD }} }}\nregistries:\n  '{name}': {{ username: jane, password: '${{{{ PASSWORD }}}}' }}\n\
         steps:\n  - id: push\n    push: {{ to: '{name}/app:v1', files: [{{ name: a, content: a }}] }}\n  \
         - id: tree\n    discover: {{ subject: '{name}/app:v1', print: tree }}\n  \
         - id: fails\n    inspect: {{ reference: '{name}/none:v1' }}\n",
        name = registry.name
    );
    fs::create_dir(folder.join("run")).unwrap();
    let folder = folder.join("run");
    fs::write(folder.join("plan.yaml"), plan).unwrap();
    let arguments = [
        "run",
        "plan.yaml",
        "-v",
        "--events",
        "events",
        "--outputs",
        "outputs",
        "--report",
        "junit=junit.xml",
        "--report",
        "markdown=report.md",
        "--report",
        "json=report.json",
        "--report",
        "html=report.html",
    ];
    let mut shown = Vec::new();
    for (password, code) in [(SECRET, 1), ("wrong one", 1)] {
        let mut run = consign(&folder, &arguments);
        let ran = run.env("PASSWORD", password).env("GITHUB_ACTIONS", "true").output().unwrap();
        assert_eq!(ran.status.code(), Some(code), "{}", String::from_utf8_lossy(&ran.stderr));
        shown.extend([ran.stdout, ran.stderr]);
        for entry in walkdir::WalkDir::new(&folder).into_iter().filter_map(Result::ok) {
            if entry.file_type().is_file() {
                shown.push(fs::read(entry.path()).unwrap());
            }
        }
    }
    let shown: String = shown.iter().map(|bytes| String::from_utf8_lossy(bytes)).collect();
    assert!(
        shown.contains("run_recorded") && shown.contains("<testsuite") && shown.contains("401"),
        "all of it is there"
    );
    for secret in [SECRET.to_owned(), "wrong one".to_owned()] {
        let with_user = format!("jane:{secret}");
        let engines = [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD];
        let encoded = engines.iter().flat_map(|engine| [engine.encode(&secret), engine.encode(&with_user)]);
        let url = utf8_percent_encode(&secret, NON_ALPHANUMERIC).to_string();
        let json = serde_json::to_string(&secret).unwrap();
        let json = json.trim_matches('"').to_owned();
        for form in encoded.chain([secret.clone(), url.clone(), url.replace("%20", "+"), json]) {
            assert!(!shown.contains(&form), "{form} in:\n{shown}");
        }
    }
}
