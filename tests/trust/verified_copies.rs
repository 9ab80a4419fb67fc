//! Copies that verify: what is verified is what is copied, all of it before anything is written.

use std::{fs, path::Path, process::Output};

use serde_json::Value;

use super::registry::{Registry, consign};

const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/plans/acr-tutorial-signed/test-keys");

/// A registry, and a folder with the test keys and a program for images.
struct Bench {
    registry: Registry,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { registry: Registry::start(), folder: tempfile::tempdir().unwrap() };
        for name in ["root.crt", "signer.crt", "signer.key"] {
            fs::copy(Path::new(KEYS).join(name), bench.folder.path().join(name)).unwrap();
        }
        fs::write(bench.folder.path().join("program"), "#!/bin/sh\n").unwrap();
        bench
    }

    /// Does something with a plan of these steps, in which `REG` is the registry.
    fn consign(&self, command: &[&str], steps: &str) -> Output {
        let plan = format!("consign: 1\nname: copies\nsecrets: {{ KEY: {{ env: NO_KEY }} }}\nsteps:\n{steps}");
        fs::write(self.folder.path().join("plan.yaml"), plan.replace("REG", &self.registry.name)).unwrap();
        let command: Vec<_> = command.iter().map(|word| word.replace("REG", &self.registry.name)).collect();
        let command: Vec<_> = command.iter().map(String::as_str).collect();
        consign(self.folder.path(), &command).output().unwrap()
    }

    fn run(&self, steps: &str) {
        let ran = self.consign(&["run", "plan.yaml"], steps);
        assert_eq!(ran.status.code(), Some(0), "{}", text(&ran));
    }

    /// Runs what a gate must refuse: it says this, and nothing is written.
    #[track_caller]
    fn refused(&self, steps: &str, expected: &[&str]) {
        let writes = self.registry.writes();
        let ran = self.consign(&["run", "plan.yaml"], steps);
        assert_eq!(ran.status.code(), Some(3), "{}", text(&ran));
        assert_eq!(self.registry.writes(), writes, "{}", text(&ran));
        for expected in expected {
            assert!(text(&ran).contains(expected), "{expected}: {}", text(&ran));
        }
    }

    /// What `inspect` says of a repository: its manifests.
    fn manifests(&self, repository: &str) -> Vec<Value> {
        let steps = format!("  - id: all\n    inspect: {{ repository: 'REG/{repository}', print: json }}\n");
        let ran = self.consign(&["run", "plan.yaml", "--progress", "none"], &steps);
        assert_eq!(ran.status.code(), Some(0), "{}", text(&ran));
        serde_json::from_slice(&ran.stdout).unwrap()
    }

    fn tags(&self, repository: &str) -> Vec<String> {
        let tags = self.manifests(repository).into_iter().flat_map(|it| it["tags"].as_array().unwrap().clone());
        let mut tags: Vec<_> = tags.map(|tag| tag.as_str().unwrap().to_owned()).collect();
        tags.sort();
        tags
    }
}

fn text(output: &Output) -> String {
    String::from_utf8([&output.stdout[..], &output.stderr].concat()).unwrap()
}

fn push(tag: &str) -> String {
    let id = tag.replace('.', "_");
    format!("  - id: v{id}\n    push: {{ to: 'REG/upstream:{tag}', files: [{{ name: a, content: '{tag}' }}] }}\n")
}

fn sign(id: &str, subject: &str) -> String {
    format!(
        "  - id: {id}\n    sign: {{ subject: '{subject}', format: notation, key: KEYFILE, certificate_chain: signer.crt }}\n"
    )
}

const COPY: &str = "  - id: mirror
    copy:
      from: REG/upstream
      to: REG/mirror
      select: { semver: '^1' }
      verify: { format: notation, certificates: [root.crt] }
";

/// Two images in an index.
const INDEX: &str = "  - id: amd64
    image: { to: 'REG/upstream:amd64', platform: linux/amd64, layers: [{ path: program, at: /bin }] }
  - id: arm64
    image: { to: 'REG/upstream:arm64', platform: linux/arm64, layers: [{ path: program, at: /bin }] }
  - id: index
    index: { to: 'REG/upstream:1.0.0', manifests: ['REG/upstream:amd64', 'REG/upstream:arm64'] }
";

fn with_key(steps: &str) -> String {
    steps.replace("KEYFILE", "signer.key")
}

#[test]
fn every_chosen_tag_is_verified_before_anything_is_written() {
    let bench = Bench::new();
    let pushes: String = ["1.0.0", "1.1.0", "1.2.0", "2.0.0"].map(push).concat();
    let first = [sign("one", "REG/upstream:1.0.0"), sign("three", "REG/upstream:1.2.0")].concat();
    bench.run(&with_key(&format!("{pushes}{first}")));
    // The second of three: nothing of the first is there either.
    let named = format!("note: it is what `{}/upstream:1.1.0` names", bench.registry.name);
    bench.refused(COPY, &["has no signature", &named]);
    assert_eq!(bench.tags("mirror"), [""; 0]);
    bench.run(&with_key(&sign("two", "REG/upstream:1.1.0")));
    bench.run(COPY);
    assert_eq!(bench.tags("mirror"), ["1.0.0", "1.1.0", "1.2.0"]);
    let is_signature = |it: &&Value| it["artifact_type"] == "application/vnd.cncf.notary.signature";
    assert_eq!(bench.manifests("mirror").iter().filter(is_signature).count(), 3);
    // What is not chosen need not be signed; what is chosen must be, whatever was copied before.
    bench.refused(&COPY.replace("^1", ">=1.2"), &["has no signature", "upstream:2.0.0` names"]);
}

#[test]
fn the_whole_index_is_verified_where_a_part_of_it_is_copied() {
    let bench = Bench::new();
    bench.run(INDEX);
    let copy = COPY.replace("select: { semver: '^1' }", "platforms: [linux/arm64]");
    let copy =
        copy.replace("from: REG/upstream", "from: 'REG/upstream:1.0.0'").replace("REG/mirror", "'REG/part:1.0.0'");
    bench.refused(&copy, &["has no signature"]);
    // A signature of what is copied does not speak for the index that says what it is.
    bench.run(&with_key(&sign("arm64_only", "REG/upstream:arm64")));
    bench.refused(&copy, &["has no signature"]);
    bench.run(&with_key(&sign("whole", "REG/upstream:1.0.0")));
    bench.run(&copy);
    let (there, here) = (bench.manifests("upstream"), bench.manifests("part"));
    let of =
        |all: &[Value], platform: &str| all.iter().find(|it| it["platform"] == platform).map(|it| it["digest"].clone());
    assert_eq!(of(&here, "linux/arm64"), of(&there, "linux/arm64"));
    assert_eq!(of(&here, "linux/amd64"), None);
    // With all its platforms it is the index itself, and its signature goes along.
    let all = copy.replace("[linux/arm64]", "[linux/amd64, linux/arm64]").replace("part:", "whole:");
    bench.run(&all);
    let index =
        |all: &[Value]| all.iter().find(|it| it["tags"] == serde_json::json!(["1.0.0"])).unwrap()["digest"].clone();
    assert_eq!(index(&bench.manifests("whole")), index(&there));
    assert!(bench.manifests("whole").iter().any(|it| it["subject"] == index(&there)));
}

#[test]
fn chosen_tags_with_chosen_platforms_are_verified_too() {
    let bench = Bench::new();
    let second = INDEX.replace("id: ", "id: next_").replace("1.0.0", "1.1.0").replace("64'", "64-next'");
    let second = second.replace("[{ path: program, at: /bin }]", "[{ path: program, at: /sbin }]");
    bench.run(&with_key(&format!("{INDEX}{second}{}", sign("first", "REG/upstream:1.0.0"))));
    let copy = COPY.replace("select:", "platforms: [linux/amd64]\n      select:");
    bench.refused(&copy, &["has no signature", "upstream:1.1.0` names"]);
    bench.run(&with_key(&sign("second", "REG/upstream:1.1.0")));
    bench.run(&copy);
    assert_eq!(bench.tags("mirror"), ["1.0.0", "1.1.0"]);
    let platforms: Vec<_> =
        bench.manifests("mirror").into_iter().filter_map(|it| Some(it["platform"].as_str()?.to_owned())).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/amd64"]);
}

#[test]
fn a_rehearsal_signs_with_a_key_to_throw_away_and_verifies_alike() {
    let bench = Bench::new();
    let pushes: String = ["1.0.0", "1.1.0"].map(push).concat();
    let index = INDEX.replace("upstream", "images");
    let steps = |signatures: &[String], copies: &str| {
        format!("{pushes}{index}{}{copies}", signatures.concat()).replace("KEYFILE", "'${{ KEY }}'")
    };
    let part = COPY.replace("select: { semver: '^1' }", "platforms: [linux/arm64]").replace("id: mirror", "id: part");
    let part = part.replace("from: REG/upstream", "from: 'REG/images:1.0.0'").replace("REG/mirror", "'REG/part:1.0.0'");
    let all = [sign("one", "REG/upstream:1.0.0"), sign("two", "REG/upstream:1.1.0"), sign("three", "REG/images:1.0.0")];
    let rehearsed =
        |signatures: &[String], copies: &str| bench.consign(&["rehearse", "plan.yaml"], &steps(signatures, copies));
    let whole = rehearsed(&all, &format!("{COPY}{part}"));
    assert_eq!(whole.status.code(), Some(0), "{}", text(&whole));
    for (signed, copies, said) in [(&all[..1], COPY, "upstream:1.1.0` names"), (&all[..2], &*part, "has no signature")]
    {
        let refused = rehearsed(signed, copies);
        assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
        assert!(text(&refused).contains(said), "{}", text(&refused));
        // What it would write is listed at the end: nothing of the copy.
        assert!(!text(&refused).contains("/mirror:") && !text(&refused).contains("/part:"), "{}", text(&refused));
    }
}
