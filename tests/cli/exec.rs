//! Programs: what they are given, what is shown of them, how they end, and what stands in for them.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use insta::assert_snapshot;

use super::Test;

/// A plan with these steps.
fn plan(steps: &str) -> Test {
    Test::new(&format!("consign: 1\nname: small\nsteps:\n{steps}"))
}

#[test]
fn a_program_is_run_and_what_it_says_is_used() {
    let test = plan(
        "  - id: version
    exec: { run: [sh, -c, \"echo 1.4.0; echo careful >&2\"], reads: [], capture: text }
  - id: sbom
    exec: { run: [sh, -c, \"echo '{}' > sbom.json; echo written\"], reads: [], writes: [sbom.json] }
  - id: app
    push: { to: \"localhost:5000/app:${{ steps.version.stdout }}\", files: [{ path: sbom.json }] }
",
    );
    assert_snapshot!(test.run("rehearse plan.yaml --exec --jobs 1 --outputs -").shown(), @"");
}

#[test]
fn a_no_is_3_and_a_program_that_could_not_be_asked_is_1() {
    let test = plan(
        "  - id: scan
    exec: { run: [sh, -c, \"echo '::error::critical'; exit 2\"], reads: [] }
  - id: app
    push: { to: \"localhost:5000/app:v1\", files: [{ content: a, name: a }] }
",
    );
    assert_snapshot!(test.run("rehearse plan.yaml --exec").shown(), @"");
    let test = test.environment("GITHUB_ACTIONS", "true");
    assert_snapshot!(test.run("rehearse plan.yaml --exec").shown(), @"");
    let test = plan("  - { id: scan, exec: { run: [no-such-scanner, --all] } }\n");
    assert_snapshot!(test.run("run plan.yaml").shown(), @"");
}

#[test]
fn what_is_wrong_with_a_program_is_said_before_anything_runs() {
    let test = Test::new(
        "consign: 1
secrets: { TOKEN: { env: TOKEN } }
steps:
  - { id: text, exec: { run: \"make all\" } }
  - { id: none, exec: { run: [] } }
  - { id: shell, exec: { run: [cat, a, \"|\", grep, b] } }
  - { id: secret, exec: { run: [curl, -H, \"${{ TOKEN }}\"] } }
  - { id: in_text, exec: { run: [x], env: { HEADER: \"token ${{ TOKEN }}\" } } }
  - { id: list, exec: { run: [x], env: [A=b] } }
  - { id: name, exec: { run: [x], env: { \"A=b\": c } } }
  - { id: missing, exec: { run: [scripts/sbom.sh] } }
  - { id: outside, exec: { run: [x], workdir: ../x, writes: [/etc/x] } }
  - { id: uncaptured, exec: { run: [x], reads: [], rehearse: { stdout: a } } }
  - { id: uses, exec: { run: [x, \"${{ steps.uncaptured.stdout }}\"] } }
  - { id: files, exec: { run: [x], writes: [out], rehearse: { files: { other: a } } } }
  - { id: capture, exec: { run: [x], capture: yaml } }
  - { id: key, exec: { cmd: [x] } }
",
    );
    assert_snapshot!(test.run("check plan.yaml").shown(), @"");
}

#[test]
fn a_rehearsal_says_what_it_cannot_know() {
    let test = plan(
        "  - id: digest
    exec: { run: [x], reads: [], capture: text }
  - id: build
    exec: { run: [x], reads: [], writes: [dist] }
  - id: app
    push:
      to: \"localhost:5000/app:${{ steps.digest.stdout }}\"
      files: [{ path: dist/app }]
",
    );
    assert_snapshot!(test.run("check plan.yaml").shown(), @"");
    assert_snapshot!(test.run("rehearse plan.yaml").shown(), @"");
    let test = plan(
        "  - id: digest
    exec: { run: [x], reads: [], capture: text, rehearse: { stdout: 1.4.0 } }
  - id: build
    exec: { run: [x], reads: [], writes: [dist], rehearse: { files: { dist/app: binary } } }
  - id: app
    push:
      to: \"localhost:5000/app:${{ steps.digest.stdout }}\"
      files: [{ path: dist/app, name: app }]
",
    );
    assert_snapshot!(test.run("rehearse plan.yaml").shown(), @"");
}

const SECRET: &str = "consign: 1
name: small
secrets: { TOKEN: { env: TOKEN }, KEY: { command: [sh, -c, \"echo x >> asked; printf 'first-line\\\\nsecond-line\\\\n'\"] } }
steps:
  - id: show
    exec:
      run: [sh, -c, 'echo \"<$TOKEN>\"; cat']
      reads: []
      env: { TOKEN: \"${{ TOKEN }}\" }
      stdin: ${{ KEY }}
  - id: capture
    exec:
      run: [sh, -c, 'echo \"$TOKEN\"']
      reads: []
      env: { TOKEN: \"${{ TOKEN }}\" }
      capture: text
  - id: fail
    exec: { run: [sh, -c, \"echo no hunter2 >&2; exit 1\"], reads: [], gate: false }
    needs: [capture]
outputs: { token: \"is ${{ steps.capture.stdout }}\" }
";

#[test]
fn a_program_is_given_secrets_and_nothing_shows_them() {
    let test = Test::new(SECRET).environment("TOKEN", "hunter2");
    let ran = test.run("run plan.yaml --jobs 1 --outputs outputs.json --events events.json");
    assert_snapshot!(ran.shown(), @"");
    let read = |name: &str| std::fs::read_to_string(test.path(name)).unwrap();
    assert_eq!(read("outputs.json"), "{\n  \"token\": \"is ***\"\n}\n");
    assert!(read("events.json").contains("is") && !read("events.json").contains("hunter2"));
    assert!(!read("events.json").contains("second-line"));
    assert_eq!(read("asked"), "x\n");
}

#[test]
fn a_secret_without_a_value_is_missed_before_the_first_step_and_a_rehearsal_has_stand_ins() {
    let test = Test::new(SECRET);
    assert_snapshot!(test.run("run plan.yaml").shown(), @"");
    assert_snapshot!(test.run("rehearse plan.yaml --real-secrets").shown(), @"");
    assert_snapshot!(test.run("rehearse plan.yaml --exec --jobs 1 --progress plain").shown(), @"");
    assert!(!test.path("asked").exists());
}

#[cfg(unix)]
#[test]
fn two_interrupts_end_a_program_that_does_not_want_to_end() {
    let test = plan(
        "  - id: stubborn
    exec: { run: [sh, -c, \"trap '' TERM; echo there; while :; do sleep 0.01; done\"], reads: [] }
  - id: after
    exec: { run: [\"true\"], reads: [] }
    needs: [stubborn]
",
    );
    let mut child = Command::new(env!("CARGO_BIN_EXE_consign"))
        .args(["run", "plan.yaml"])
        .current_dir(test.path("plan.yaml").parent().unwrap())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut until = |start: &str| lines.find(|line| line.starts_with(start)).unwrap_or_default();
    until("output ");
    let interrupt = || {
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    };
    interrupt();
    // The first is heard before the second is sent only where that shows: so they are sent until the step is broken off.
    let ended = std::sync::atomic::AtomicBool::new(false);
    let cancelled = std::thread::scope(|scope| {
        let line = scope.spawn(|| {
            let line = until("cancelled stubborn");
            ended.store(true, std::sync::atomic::Ordering::Release);
            line
        });
        while !ended.load(std::sync::atomic::Ordering::Acquire) && !line.is_finished() {
            interrupt();
        }
        line.join().unwrap()
    });
    assert!(cancelled.contains("stopped after"), "{cancelled}");
    interrupt();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
