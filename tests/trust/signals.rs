use std::{fs, process::Command};

use consign::journal::{Ending, JournalFolder};

use super::{
    proxy::Proxy,
    registry::{Registry, consign},
};

/// A registry that stands still in the middle of the first upload, and a plan of three pushes, one of them in `finally`.
struct World {
    registry: Registry,
    proxy: Proxy,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let registry = Registry::start();
        let proxy = Proxy::before(&registry.name);
        let folder = tempfile::tempdir().unwrap();
        let push = |id: &str, files: &str| {
            format!("  - id: {id}\n    push: {{ to: '{}/{id}:v1', files: [{files}] }}\n", proxy.name)
        };
        let plan = format!(
            "consign: 1\nsteps:\n{}{}finally:\n{}",
            push("first", "{ path: big }"),
            push("second", "{ name: a, content: a }"),
            push("last", "{ name: b, content: b }")
        );
        fs::write(folder.path().join("plan.yaml"), plan).unwrap();
        fs::write(folder.path().join("big"), vec![7; 2_000_000]).unwrap();
        proxy.allow(500_000);
        Self { registry, proxy, folder }
    }

    /// Runs it, sends these signals when it stands still, then lets everything through. Its exit code, and what it said.
    fn interrupt(&self, signals: &[&str]) -> (Option<i32>, String) {
        let run = consign(self.folder.path(), &["run", "plan.yaml", "--jobs", "1"]).spawn().unwrap();
        assert!(self.proxy.wait(|| false));
        for signal in signals {
            let pid = run.id().to_string();
            assert!(Command::new("kill").args([*signal, pid.as_str()]).status().unwrap().success());
        }
        self.proxy.allow(u64::MAX);
        let ran = run.wait_with_output().unwrap();
        (ran.status.code(), String::from_utf8(ran.stderr).unwrap())
    }

    /// Nothing is left of uploads, and the journal says how it ended; going on ends well.
    fn goes_on(&self) {
        let uploads = self.registry.root().join(".uploads");
        let left: Vec<_> = fs::read_dir(uploads).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
        let record = JournalFolder::of(self.folder.path()).read(None).unwrap();
        assert_eq!(record.ending, Ending::Finished(130));
        let resumed = consign(self.folder.path(), &["resume"]).output().unwrap();
        assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
        assert_eq!(self.registry.content().keys().collect::<Vec<_>>(), ["first", "last", "second"]);
    }
}

#[test]
fn an_interrupt_lets_end_what_runs_and_starts_nothing_but_finally() {
    for signal in ["-INT", "-TERM"] {
        let world = World::new();
        let (code, said) = world.interrupt(&[signal]);
        assert_eq!(code, Some(130), "{said}");
        assert!(said.contains("created   first") && said.contains("created   last"), "{said}");
        assert!(said.ends_with("go on with `consign resume`: what ended well is taken over\n"), "{said}");
        world.goes_on();
    }
}

#[test]
fn a_second_interrupt_breaks_off_and_leaves_nothing_half_written() {
    let world = World::new();
    let (code, said) = world.interrupt(&["-INT", "-TERM"]);
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("cancelled first"), "{said}");
    assert!(world.registry.content().is_empty(), "{said}");
    world.goes_on();
}
