//! Plans that are included from a registry.

use std::{fs, path::Path};

use super::registry::{Registry, consign};

const PART: &str = "\
consign: 1
inputs: { TO: { type: reference } }
steps:
  - id: push
    push: { to: '${{ TO }}', if_exists: replace, files: [{ name: a, content: CONTENT }] }
outputs: { digest: '${{ steps.push.digest }}' }
";

/// Pushes a plan to `REGISTRY/plans:v1`.
fn publish(folder: &Path, registry: &Registry, content: &str, media_type: &str) {
    fs::write(folder.join("part.yaml"), PART.replace("CONTENT", content)).unwrap();
    let plan = format!(
        "consign: 1\nsteps:\n  - id: plan\n    push:\n      to: '{}/plans:v1'\n      if_exists: replace\n      \
         files: [{{ path: part.yaml, media_type: {media_type} }}]\noutputs: {{ digest: '${{{{ steps.plan.digest }}}}' }}\n",
        registry.name
    );
    fs::write(folder.join("publish.yaml"), plan).unwrap();
    assert!(consign(folder, &["run", "publish.yaml"]).output().unwrap().status.success());
}

#[test]
fn a_plan_in_a_registry_is_fetched_verified_and_pinned() {
    const PLAN: &str = "application/vnd.consign.plan.v1+yaml";
    let (registry, folder) = (Registry::start(), tempfile::tempdir().unwrap());
    let folder = folder.path();
    let run = |arguments: &[&str]| {
        let ran = consign(folder, arguments).output().unwrap();
        let text = String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap().replace(&registry.name, "[REGISTRY]");
        (ran.status.code().unwrap(), text.replace(folder.to_str().unwrap(), "[FOLDER]"))
    };
    publish(folder, &registry, "one", PLAN);
    let plan = format!(
        "consign: 1\nsteps:\n  - id: app\n    include: {{ plan: '{0}/plans:v1', with: {{ TO: '{0}/app:v1' }} }}\n\
         outputs: {{ digest: '${{{{ steps.app.digest }}}}' }}\n",
        registry.name
    );
    fs::write(folder.join("plan.yaml"), &plan).unwrap();
    insta::assert_snapshot!(run(&["check", "plan.yaml"]).1, @"
    error: the plan `[REGISTRY]/plans:v1` is not on this machine
     --> plan.yaml:4:22
      |
    4 |     include: { plan: '[REGISTRY]/plans:v1', with: { TO: '[REGISTRY]/app:v1' } }
      |                      ^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: `consign run`, `plan` and `lock` fetch it, and rehearsals with `--read-through`
    ");
    assert_eq!(run(&["rehearse", "plan.yaml"]).0, 2);
    let (code, said) = run(&["run", "plan.yaml", "--locked"]);
    assert_eq!(code, 2, "{said}");
    assert_eq!(run(&["lock", "plan.yaml"]), (0, "plan.yaml.lock: 1 reference, 1 step\n".to_owned()));
    let lock = fs::read_to_string(folder.join("plan.yaml.lock")).unwrap();
    assert!(lock.contains(&format!("{}/plans:v1: sha256:", registry.name)), "{lock}");
    assert_eq!(run(&["check", "plan.yaml"]), (0, "plan.yaml: 2 steps, nothing wrong\n".to_owned()));
    assert_eq!(run(&["run", "plan.yaml", "--locked", "--progress", "none"]), (0, String::new()));
    assert_eq!(run(&["rehearse", "plan.yaml"]).0, 0);
    let one = run(&["show", "--output", "digest"]).1;

    // The tag moves: a run goes by the lock, and the lock says what is different.
    publish(folder, &registry, "two", PLAN);
    assert_eq!(run(&["run", "plan.yaml", "--progress", "none"]).0, 0);
    assert_eq!(run(&["show", "--output", "digest"]).1, one);
    let (code, said) = run(&["lock", "plan.yaml", "--check"]);
    assert_eq!((code, said.lines().count()), (4, 2), "{said}");
    assert!(said.starts_with("[REGISTRY]/plans:v1 is sha256:") && said.contains("`app/push` makes"), "{said}");
    fs::remove_file(folder.join("plan.yaml.lock")).unwrap();
    assert_eq!(run(&["run", "plan.yaml", "--progress", "none"]).0, 0);
    assert_ne!(run(&["show", "--output", "digest"]).1, one);

    // What was fetched is believed only as far as it is what its digest says.
    for entry in walkdir::WalkDir::new(folder.join(".consign/plans/blobs")) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            fs::write(entry.path(), "consign: 1").unwrap();
        }
    }
    assert_eq!(run(&["run", "plan.yaml", "--progress", "none"]).0, 0);

    publish(folder, &registry, "three", "text/plain");
    insta::assert_snapshot!(run(&["run", "plan.yaml"]).1, @"error: the plan `[REGISTRY]/plans:v1` cannot be fetched: its layer is `text/plain`, not `application/vnd.consign.plan.v1+yaml`");
    fs::write(folder.join("plan.yaml"), plan.replace("plans:v1", "none:v1")).unwrap();
    insta::assert_snapshot!(run(&["run", "plan.yaml"]).1, @"error: the plan `[REGISTRY]/none:v1` cannot be fetched: it does not exist");
}
