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
    assert_snapshot!(test.run("rehearse plan.yaml --exec --jobs 1 --outputs -").shown(), @"
    exit code 0
    --- stdout
    {}
    --- stderr
    small: 3 steps
    output    version  careful
    passed    version  sh  [TIME]
    output    sbom     written
    updated   sbom     sh  [TIME]
    created   app      localhost:5000/app@sha256:864a312244a7  [TIME]
    changed:
      updated sh
      created localhost:5000/app@sha256:864a312244a749c109314fc8f1759660d47d23d19a54393720e7c77cad6446c1
    1 created, 1 updated, 1 passed in [TIME]
    a real run:
      in                  needs       to
      localhost:5000/app  pull, push  create  1.4.0 → sha256:864a312244a7
                                      create  sha256:864a312244a7
    ");
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
    assert_snapshot!(test.run("rehearse plan.yaml --exec").shown(), @"
    exit code 3
    --- stderr
    small: 2 steps
    output    scan  ::error::critical
    failed    scan  `sh` ended with exit code 2
      --> plan.yaml:4:9
    blocked   app   scan failed
    failed:
      scan: `sh` ended with exit code 2
    1 blocked, 1 failed in [TIME]
    a gate said no; when it holds, run it again: what succeeded is found unchanged
    a real run:
      in                  needs       to
      localhost:5000/app  pull, push
    ");
    let test = test.environment("GITHUB_ACTIONS", "true");
    assert_snapshot!(test.run("rehearse plan.yaml --exec").shown(), @"
    exit code 3
    --- stderr
    small: 2 steps
    output    scan  ::error::critical
    failed    scan  `sh` ended with exit code 2
      --> plan.yaml:4:9
    ::error file=plan.yaml,line=4,col=9,title=scan failed::`sh` ended with exit code 2
    blocked   app   scan failed
    failed:
      scan: `sh` ended with exit code 2
    1 blocked, 1 failed in [TIME]
    a gate said no; when it holds, run it again: what succeeded is found unchanged
    a real run:
      in                  needs       to
      localhost:5000/app  pull, push
    ");
    let test = plan("  - { id: scan, exec: { run: [no-such-scanner, --all] } }\n");
    assert_snapshot!(test.run("run plan.yaml").shown(), @"
    exit code 1
    --- stderr
    small: 1 step
    failed    scan  there is no program `no-such-scanner`
      --> plan.yaml:4:11
      help: install it, or put the folder that it is in into `PATH`
    failed:
      scan: there is no program `no-such-scanner`
    1 failed in [TIME]
    run it again: what succeeded is found unchanged
    go on with `consign resume`: what ended well is taken over
    ");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a plan and all that is said of it")]
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
    assert_snapshot!(test.run("check plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: `run` takes a list, not text
     --> plan.yaml:4:30
      |
    4 |   - { id: text, exec: { run: "make all" } }
      |                              ^^^^^^^^^^

    error: `run` names no program
     --> plan.yaml:5:30
      |
    5 |   - { id: none, exec: { run: [] } }
      |                              ^^
      |
      = help: write `run: [PROGRAM, ARGUMENT, …]`

    error: no shell reads `|`: it is handed on as it is
     --> plan.yaml:6:40
      |
    6 |   - { id: shell, exec: { run: [cat, a, "|", grep, b] } }
      |                                        ^^^
      |
      = help: for a shell write `run: [sh, -c, "…"]`

    error: an entry of `run` cannot hold the secret `TOKEN`
     --> plan.yaml:7:43
      |
    7 |   - { id: secret, exec: { run: [curl, -H, "${{ TOKEN }}"] } }
      |                                           ^^^^^^^^^^^^^^
      |
      = help: a secret stands alone, as `${{ NAME }}`, in a field that takes one: for keys, passwords and tokens, or `env` and `stdin` of `exec`

    error: `TOKEN` is a secret: text and other expressions cannot hold it
     --> plan.yaml:8:64
      |
    8 |   - { id: in_text, exec: { run: [x], env: { HEADER: "token ${{ TOKEN }}" } } }
      |                                                                ^^^^^
      |
      = help: a secret stands alone, as `${{ NAME }}`, in a field that takes one: for keys, passwords and tokens, or `env` and `stdin` of `exec`

    error: `env` takes a mapping, not a list
     --> plan.yaml:9:40
      |
    9 |   - { id: list, exec: { run: [x], env: [A=b] } }
      |                                        ^^^^^

    error: `A=b` is not the name of an environment variable
      --> plan.yaml:10:40
       |
    10 |   - { id: name, exec: { run: [x], env: { "A=b": c } } }
       |                                        ^^^^^^^^^^^^
       |
       = help: write its name alone

    error: `../x` leads out of the work folder [FOLDER]: write below it, choose another with --workdir, or allow it: `allow: { write: ["file:…"] }`
      --> plan.yaml:12:47
       |
    12 |   - { id: outside, exec: { run: [x], workdir: ../x, writes: [/etc/x] } }
       |                                               ^^^^

    error: `/etc/x` leads out of the work folder [FOLDER]: write below it, choose another with --workdir, or allow it: `allow: { write: ["file:…"] }`
      --> plan.yaml:12:62
       |
    12 |   - { id: outside, exec: { run: [x], workdir: ../x, writes: [/etc/x] } }
       |                                                              ^^^^^^

    error: `stdout` is not captured: nothing can use it
      --> plan.yaml:13:62
       |
    13 |   - { id: uncaptured, exec: { run: [x], reads: [], rehearse: { stdout: a } } }
       |                                                              ^^^^^^^^^^^^^
       |
       = help: say `capture: text`, `json` or `lines` too

    error: step `uncaptured` has no output `stdout` as it stands
      --> plan.yaml:14:56
       |
    14 |   - { id: uses, exec: { run: [x, "${{ steps.uncaptured.stdout }}"] } }
       |                                                        ^^^^^^ say `capture: text`, `json` or `lines` in `uncaptured`

    error: `other` is not among what the program writes
      --> plan.yaml:15:61
       |
    15 |   - { id: files, exec: { run: [x], writes: [out], rehearse: { files: { other: a } } } }
       |                                                             ^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: name it, or its folder, under `writes`: [other]

    error: `capture` takes `text`, `json` or `lines`, not `yaml`
      --> plan.yaml:16:47
       |
    16 |   - { id: capture, exec: { run: [x], capture: yaml } }
       |                                               ^^^^

    error: unknown key `cmd` in exec
      --> plan.yaml:17:24
       |
    17 |   - { id: key, exec: { cmd: [x] } }
       |                        ^^^
       |
       = note: exec takes: run, env, stdin, reads, writes, gate, capture, workdir, rehearse

    error: `exec` needs `run`
      --> plan.yaml:17:24
       |
    17 |   - { id: key, exec: { cmd: [x] } }
       |                        ^^^
    "#);
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
    assert_snapshot!(test.run("check plan.yaml").shown(), @"
    exit code 0
    --- stderr
    plan.yaml: 3 steps, nothing wrong
    ");
    assert_snapshot!(test.run("rehearse plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: step `digest` has no output `stdout` as it stands
      --> plan.yaml:10:48
       |
    10 |       to: "localhost:5000/app:${{ steps.digest.stdout }}"
       |                                                ^^^^^^ rehearse with --exec, or say `rehearse: { stdout: … }` in `digest`

    error: `dist/app` is written by `build`, which does not run in this rehearsal
      --> plan.yaml:11:23
       |
    11 |       files: [{ path: dist/app }]
       |                       ^^^^^^^^
       |
       = help: rehearse with --exec, or say `rehearse: { files: { dist/app: … } }` in `build`
    "#);
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
    assert_snapshot!(test.run("rehearse plan.yaml --jobs 1").shown(), @"
    exit code 0
    --- stderr
    small: 3 steps
    passed    digest  x, not run  [TIME]
    updated   build   x, not run  [TIME]
    created   app     localhost:5000/app@sha256:38267987bedf  [TIME]
    changed:
      updated x, not run
      created localhost:5000/app@sha256:38267987bedf242d1095679dba6248329711b5a5310a1a430d7ba57c07282aed
    1 created, 1 updated, 1 passed in [TIME]
    a real run:
      in                  needs       to
      localhost:5000/app  pull, push  create  1.4.0 → sha256:38267987bedf
                                      create  sha256:38267987bedf
    ");
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
    assert_snapshot!(ran.shown(), @"
    exit code 1
    --- stderr
    small: 3 steps
    output    show     <***>
    output    show     ***
    output    show     ***
    passed    show     sh  [TIME]
    passed    capture  sh  [TIME]
    output    fail     no ***
    failed    fail     `sh` ended with exit code 1
      --> plan.yaml:17:9
    failed:
      fail: `sh` ended with exit code 1
    2 passed, 1 failed in [TIME]
    run it again: what succeeded is found unchanged
    go on with `consign resume`: what ended well is taken over
    ");
    let read = |name: &str| std::fs::read_to_string(test.path(name)).unwrap();
    assert_eq!(read("outputs.json"), "{\n  \"token\": \"is ***\"\n}\n");
    assert!(read("events.json").contains("is") && !read("events.json").contains("hunter2"));
    assert!(!read("events.json").contains("second-line"));
    assert_eq!(read("asked"), "x\n");
}

#[test]
fn a_secret_without_a_value_is_missed_before_the_first_step_and_a_rehearsal_has_stand_ins() {
    let test = Test::new(SECRET);
    assert_snapshot!(test.run("run plan.yaml").shown(), @"
    exit code 2
    --- stderr
    error: step `show` needs the secret `TOKEN`: the environment variable `TOKEN` is not set
    error: step `capture` needs the secret `TOKEN`: the environment variable `TOKEN` is not set
    ");
    assert_snapshot!(test.run("rehearse plan.yaml --real-secrets").shown(), @r#"
    exit code 2
    --- stderr
    error: step `capture` has no output `stdout` as it stands
      --> plan.yaml:20:41
       |
    20 | outputs: { token: "is ${{ steps.capture.stdout }}" }
       |                                         ^^^^^^ rehearse with --exec, or say `rehearse: { stdout: … }` in `capture`
    "#);
    assert_snapshot!(test.run("rehearse plan.yaml --exec --jobs 1 --progress plain").shown(), @"
    exit code 1
    --- stderr
    small: 3 steps
    output    show     <stand-in for TOKEN>
    output    show     stand-in for KEY
    passed    show     sh  [TIME]
    passed    capture  sh  [TIME]
    output    fail     no hunter2
    failed    fail     `sh` ended with exit code 1
      --> plan.yaml:17:9
    failed:
      fail: `sh` ended with exit code 1
    2 passed, 1 failed in [TIME]
    run it again: what succeeded is found unchanged
    ");
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
