use std::{
    fmt::Write,
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use regex::Regex;
use tempfile::TempDir;

/// A folder with a plan in it, and the program to try on it.
///
/// What a run shows is everything that a user sees of it: the exit code, the whole of stdout, the whole of stderr. So
/// nothing is printed by accident.
#[must_use = "run it"]
pub(crate) struct Test {
    folder: TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Test {
    /// An empty folder but for `plan.yaml`.
    pub(crate) fn new(plan: &str) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), environment: Vec::new() }.file("plan.yaml", plan)
    }

    /// The same with one more file, and the folders that it needs.
    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// The same with a variable in the environment, which is empty otherwise.
    pub(crate) fn environment(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// The absolute path of a file in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the program with these arguments, which have no spaces in them.
    pub(crate) fn run(&self, arguments: &str) -> Ran {
        self.run_with(arguments, "")
    }

    /// The same, with this text on stdin.
    pub(crate) fn run_with(&self, arguments: &str, stdin: &str) -> Ran {
        let mut child = Command::new(env!("CARGO_BIN_EXE_consign"))
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.folder.path())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Who does not read it has no need of it.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code().unwrap(),
            stdout: self.without_chance(&output.stdout),
            stderr: self.without_chance(&output.stderr),
        }
    }

    /// The text without what differs from run to run.
    fn without_chance(&self, text: &[u8]) -> String {
        let text = String::from_utf8(text.to_vec()).unwrap().replace(self.folder.path().to_str().unwrap(), "[FOLDER]");
        let replace =
            |text: String, pattern: &str, by: &str| Regex::new(pattern).unwrap().replace_all(&text, by).into_owned();
        let text = replace(text, r"/[^ `]*/consign-rehearsal-\w+", "[SCRATCH]");
        let text = replace(text, r"\b\d+\.\d+ s\b", "[TIME]");
        let text = replace(text, r#""at":"[^"]+""#, r#""at":"[TIME]""#);
        let text = replace(text, r#","at_ms":\d+"#, "");
        let text = replace(text, r"\b\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z", "[RUN]");
        let text = replace(text, r"\bprocess \d+", "process [PID]");
        replace(text, r#""elapsed_ms":\d+"#, r#""elapsed_ms":"[TIME]""#)
    }
}

/// What the program did.
#[must_use = "compare it"]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// All of it in one text. What is empty is left out.
    pub(crate) fn shown(&self) -> String {
        let mut shown = format!("exit code {}\n", self.code);
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                // Writing to a string cannot fail.
                let _ = write!(shown, "--- {name}\n{text}");
            }
        }
        shown
    }
}
