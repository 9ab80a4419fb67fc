//! The words: plans, README, schema, help. What they say is compared with what the program does.

mod completions;
mod help;
mod init;
mod kinds;
mod manual;
mod plans;
mod readme;
mod reference;
mod schema;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// What a run of the binary said.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs the binary in `folder`, with no environment but a home of its own.
fn consign_in(folder: &Path, arguments: &[&str]) -> Said {
    let home = TempDir::new().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_consign"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("HOME", home.path())
        .output()
        .unwrap();
    Said {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn consign(arguments: &[&str]) -> Said {
    consign_in(root(), arguments)
}

/// Every plan of the project, relative to its root, sorted.
fn plans() -> Vec<String> {
    let entries = fs::read_dir(root().join("plans")).unwrap().map(|entry| entry.unwrap().path());
    let is_plan = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "yaml");
    let name = |path: PathBuf| format!("plans/{}", path.file_name().unwrap().to_str().unwrap());
    let mut plans: Vec<_> = entries.filter(is_plan).map(name).collect();
    plans.sort();
    plans
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// YAML as any other program reads it.
fn yaml(text: &str) -> serde_json::Value {
    serde_yaml::from_str(text).unwrap()
}
