use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

/// `consign serve` as a program, over image layouts, with its log. It ends with the test.
pub(crate) struct Registry {
    server: Child,
    folder: TempDir,
    pub(crate) name: String,
}

impl Registry {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same, with more arguments.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Command::new(env!("CARGO_BIN_EXE_consign"))
            .args(["serve", "--listen", "127.0.0.1:0", "--root", "root", "--access-log", "log"])
            .args(arguments)
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut name = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut name).unwrap();
        Self { server, folder, name: name.trim_end().to_owned() }
    }

    /// Method and path of every request so far, whatever it was answered with.
    pub(crate) fn asked(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        log.lines().filter_map(|line| line.split('"').nth(1).map(str::to_owned)).collect()
    }

    /// Method and path of every request so far that was answered with success.
    pub(crate) fn requests(&self) -> Vec<(String, String)> {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let parse = |line: &str| {
            let mut parts = line.split('"');
            let mut request = parts.nth(1)?.split(' ');
            let status = parts.next()?.trim().split(' ').next()?.to_owned();
            let request = (request.next()?.to_owned(), request.next()?.to_owned());
            status.starts_with('2').then_some(request)
        };
        log.lines().filter_map(parse).collect()
    }

    /// The requests that change something.
    pub(crate) fn writes(&self) -> Vec<(String, String)> {
        let mut requests = self.requests();
        requests.retain(|(method, _)| !["GET", "HEAD"].contains(&method.as_str()));
        requests
    }

    /// Every manifest and tag, by repository: what can be seen of the registry.
    pub(crate) fn content(&self) -> BTreeMap<String, serde_json::Value> {
        let root = self.root();
        let indexes = walkdir::WalkDir::new(&root).into_iter().filter_map(Result::ok);
        let indexes = indexes.filter(|entry| entry.file_name() == "index.json");
        let content = indexes.map(|entry| {
            let text = fs::read(entry.path()).unwrap();
            let mut index: serde_json::Value = serde_json::from_slice(&text).unwrap();
            let manifests = index["manifests"].as_array_mut().unwrap();
            manifests.sort_by_key(ToString::to_string);
            let name = entry.path().parent().unwrap().strip_prefix(&root).unwrap();
            (name.to_str().unwrap().to_owned(), index["manifests"].take())
        });
        content.filter(|(_, manifests)| manifests.as_array().is_some_and(|manifests| !manifests.is_empty())).collect()
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The program, to be run in that folder with nothing of the surroundings.
pub(crate) fn consign(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_consign"));
    command.args(arguments).current_dir(folder).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}
