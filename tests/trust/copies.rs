//! Copies that choose tags, platforms and referrers: previewed, approved, locked and gone on with like any other step.

use std::{fs, path::Path, process::Output};

use super::registry::{Registry, consign};

/// An upstream repository with three versions and a list of what each is, and a plan that mirrors two of them.
struct Mirror {
    registry: Registry,
    folder: tempfile::TempDir,
}

impl Mirror {
    fn new(after: &str) -> Self {
        let mirror = Self { registry: Registry::start(), folder: tempfile::tempdir().unwrap() };
        for version in ["1.0.0", "1.1.0", "2.0.0"] {
            mirror.push(version, version);
        }
        let name = &mirror.registry.name;
        let plan = format!(
            "consign: 1\nsteps:\n  - id: mirror\n    copy:\n      from: '{name}/upstream'\n      to: '{name}/mirror'\n      \
             select: {{ semver: '^1' }}\n      referrers: {{ include: [{{ artifact_type: sbom/* }}] }}\n{}",
            after.replace("REG", name)
        );
        mirror.write("plan.yaml", &plan);
        mirror
    }

    /// Points a tag of the upstream repository to something, with an SBOM and a scan about it.
    fn push(&self, version: &str, content: &str) {
        let name = &self.registry.name;
        let attach = |kind: &str| {
            format!(
                "  - id: {kind}\n    attach: {{ subject: '${{{{ steps.it.reference }}}}', artifact_type: {kind}/example, \
                 annotations: {{ of: '{content}' }} }}\n"
            )
        };
        let push = format!(
            "consign: 1\nsteps:\n  - id: it\n    push: {{ to: '{name}/upstream:{version}', if_exists: replace, \
             files: [{{ name: a, content: '{content}' }}] }}\n{}{}",
            attach("sbom"),
            attach("scan")
        );
        self.write("upstream.yaml", &push);
        let pushed = self.consign(&["run", "upstream.yaml"]);
        assert!(pushed.status.success(), "{}", text(&pushed));
    }

    fn write(&self, file: &str, content: &str) {
        fs::write(self.path().join(file), content).unwrap();
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn consign(&self, arguments: &[&str]) -> Output {
        consign(self.path(), arguments).output().unwrap()
    }

    /// The tags of the mirror with their digests.
    fn tags(&self) -> Vec<(String, String)> {
        let content = self.registry.content();
        let manifests = content.get("mirror").and_then(|list| list.as_array()).into_iter().flatten();
        let tag = |manifest: &serde_json::Value| {
            let tag = manifest["annotations"]["org.opencontainers.image.ref.name"].as_str()?;
            Some((tag.to_owned(), manifest["digest"].as_str()?.to_owned()))
        };
        let mut tags: Vec<_> = manifests.filter_map(tag).filter(|(tag, _)| !tag.starts_with("sha256-")).collect();
        tags.sort();
        tags
    }
}

fn text(output: &Output) -> String {
    String::from_utf8([&output.stdout[..], &output.stderr].concat()).unwrap()
}

#[test]
fn what_is_chosen_is_previewed_and_approved() {
    let mirror = Mirror::new("");
    let writes = mirror.registry.writes().len();
    let planned = mirror.consign(&["plan", "plan.yaml", "--out", "p.json", "--exit-code"]);
    assert_eq!(planned.status.code(), Some(4), "{}", text(&planned));
    assert_eq!(mirror.registry.writes().len(), writes, "nothing is written");
    // One more version that was not approved.
    mirror.push("1.2.0", "1.2.0");
    let writes = mirror.registry.writes().len();
    let refused = mirror.consign(&["run", "plan.yaml", "--approved", "p.json"]);
    assert_eq!(refused.status.code(), Some(4), "{}", text(&refused));
    assert_eq!((mirror.registry.writes().len(), mirror.tags()), (writes, Vec::new()), "{}", text(&refused));
    assert_eq!(mirror.consign(&["plan", "plan.yaml", "--out", "p.json"]).status.code(), Some(0));
    let ran = mirror.consign(&["run", "plan.yaml", "--approved", "p.json"]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran));
    assert_eq!(mirror.tags().iter().map(|(tag, _)| tag.as_str()).collect::<Vec<_>>(), ["1.0.0", "1.1.0", "1.2.0"]);
    let again = mirror.consign(&["plan", "plan.yaml", "--exit-code"]);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again));
}

#[test]
fn a_lock_holds_the_tags_that_were_chosen() {
    let mirror = Mirror::new("");
    let locked = mirror.consign(&["lock", "plan.yaml"]);
    assert_eq!(locked.status.code(), Some(0), "{}", text(&locked));
    let lock = fs::read_to_string(mirror.path().join("plan.yaml.lock")).unwrap();
    let lock: serde_yaml::Value = serde_yaml::from_str(&lock).unwrap();
    let upstream = |tag: &str| {
        let name = mirror.registry.name.replace("127.0.0.1", "localhost");
        lock["references"][format!("{name}/upstream:{tag}")].as_str().map(str::to_owned)
    };
    assert!(upstream("1.0.0").is_some() && upstream("2.0.0").is_none(), "{lock:?}");
    // A tag that moves upstream is copied as it was.
    mirror.push("1.1.0", "another 1.1.0");
    let drift = mirror.consign(&["lock", "plan.yaml", "--check"]);
    assert_eq!(drift.status.code(), Some(4), "{}", text(&drift));
    assert!(text(&drift).contains("upstream:1.1.0"), "{}", text(&drift));
    let ran = mirror.consign(&["run", "plan.yaml"]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran));
    let expected = ["1.0.0", "1.1.0"].map(|tag| (tag.to_owned(), upstream(tag).unwrap()));
    assert_eq!(mirror.tags(), expected);
    // One that is new is not in the lock.
    mirror.push("1.2.0", "1.2.0");
    let writes = mirror.registry.writes().len();
    let refused = mirror.consign(&["run", "plan.yaml", "--locked"]);
    assert_eq!(refused.status.code(), Some(4), "{}", text(&refused));
    assert_eq!((mirror.registry.writes().len(), mirror.tags()), (writes, expected.into()), "{}", text(&refused));
}

#[test]
fn what_was_chosen_and_copied_is_taken_over() {
    let mirror = Mirror::new("  - id: extra\n    inspect: { reference: 'REG/extra:v1' }\n");
    let failed = mirror.consign(&["run", "plan.yaml"]);
    assert_eq!(failed.status.code(), Some(1), "{}", text(&failed));
    let name = &mirror.registry.name;
    let extra = format!(
        "consign: 1\nsteps:\n  - id: it\n    push: {{ to: '{name}/extra:v1', files: [{{ name: a, content: a }}] }}\n"
    );
    mirror.write("extra.yaml", &extra);
    assert_eq!(mirror.consign(&["run", "extra.yaml"]).status.code(), Some(0));
    let writes = mirror.registry.writes().len();
    let run = fs::read_dir(mirror.path().join(".consign/runs")).unwrap().filter_map(|entry| {
        let path = entry.unwrap().path();
        let journal = fs::read_to_string(path.join("journal.ndjson")).ok()?;
        journal.contains("extra:v1` does not exist").then(|| path.file_name().unwrap().to_str().unwrap().to_owned())
    });
    let run: Vec<_> = run.collect();
    let [run] = run.as_slice() else { panic!("{run:?}") };
    let resumed = mirror.consign(&["resume", run]);
    assert_eq!(resumed.status.code(), Some(0), "{}", text(&resumed));
    assert!(text(&resumed).lines().any(|line| line.starts_with("unchanged mirror")), "{}", text(&resumed));
    assert_eq!(mirror.registry.writes().len(), writes, "{}", text(&resumed));
    // What is gone is copied again.
    let untag =
        format!("consign: 1\nsteps:\n  - id: it\n    delete: {{ reference: '{name}/mirror:1.1.0', tag_only: true }}\n");
    mirror.write("untag.yaml", &untag);
    assert_eq!(mirror.consign(&["run", "untag.yaml"]).status.code(), Some(0));
    let moved = mirror.consign(&["run", "plan.yaml"]);
    assert_eq!(moved.status.code(), Some(0), "{}", text(&moved));
    assert_eq!(mirror.tags().len(), 2);
}

#[test]
fn only_what_is_chosen_and_what_is_about_that_is_there() {
    let mirror = Mirror::new(
        "  - id: sboms\n    discover: { subject: 'REG/mirror:1.1.0', artifact_type: sbom/example, expect: one }\n  \
         - id: scans\n    discover: { subject: 'REG/mirror:1.1.0', artifact_type: scan/example, expect: none }\n  \
         - id: no_two\n    assert: { absent: ['REG/mirror:2.0.0'] }\n",
    );
    let ran = mirror.consign(&["run", "plan.yaml"]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran));
}
