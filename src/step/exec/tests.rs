use std::path::Path;

use serde_json::json;
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;

use super::*;
use crate::{
    event::{Event, FailureKind, ProgramStream},
    plan::{SourceFile, yaml},
    secret::Secrets,
    step::testing,
};

fn exec(body: &str) -> Exec {
    let mut diagnostics = Vec::new();
    let node = yaml::parse(&SourceFile::new("exec", body)).unwrap();
    let exec = yaml::decode(&node, "exec", &mut diagnostics);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    exec.unwrap()
}

/// A step that runs this script, and says nothing of what it touches.
fn script(script: &str, more: &str) -> Exec {
    exec(&format!("run: [sh, -c, {}]\n{more}\n", json!(script)))
}

struct Ran {
    done: Result<Done, StepError>,
    heard: UnboundedReceiver<Event>,
    programs: Programs,
}

impl Ran {
    /// What it wrote, a line each, and what was said about it.
    fn lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Ok(event) = self.heard.try_recv() {
            match event {
                Event::ProgramWrote { stream, text, .. } => {
                    lines.extend(text.lines().map(|line| format!("{} {line}", stream.word())));
                }
                Event::Warned { message, .. } => lines.push(format!("warning {message}")),
                other => panic!("{other:?}"),
            }
        }
        lines
    }

    fn error(&self) -> String {
        self.done.as_ref().unwrap_err().to_string()
    }

    fn output(&self, name: &str) -> Option<Value> {
        self.done.as_ref().unwrap().output.get(name).cloned()
    }
}

async fn run_in(folder: &Path, exec: &Exec, mode: Mode) -> Ran {
    let (cx, heard) = testing::context(folder, mode, Secrets::default());
    // Only a mistake makes it take so long.
    let done = tokio::time::timeout(std::time::Duration::from_mins(1), exec.run(&cx)).await.unwrap();
    Ran { done, heard, programs: cx.programs }
}

async fn run(exec: &Exec) -> Ran {
    run_in(TempDir::new().unwrap().path(), exec, Mode::Real).await
}

#[tokio::test]
async fn stdout_and_stderr_are_shown_line_by_line_and_nothing_is_captured_unless_asked() {
    let mut ran = run(&script("printf 'one\\ntwo'; echo three >&2", "")).await;
    let mut lines = ran.lines();
    lines.sort();
    assert_eq!(lines, ["stderr three", "stdout one", "stdout two"]);
    assert_eq!(
        (ran.output("stdout"), ran.output("exit_code"), ran.output("outcome")),
        (None, Some(json!(0)), Some(json!("updated")))
    );
    let mut ran = run(&script("echo '[1, 2]'; echo warned >&2", "capture: json\nreads: []")).await;
    assert_eq!((ran.output("stdout"), ran.output("outcome")), (Some(json!([1, 2])), Some(json!("passed"))));
    assert_eq!(ran.lines(), ["stderr warned"]);
}

#[tokio::test]
async fn the_environment_has_path_home_and_what_is_named_and_stdin_is_empty_unless_given() {
    let names = "env | cut -d= -f1 | grep -v -e '^PWD$' -e '^_$' -e '^SHLVL$' | sort; cat";
    let ran = run(&script(names, "env: { A: b, TEXT: 1.10 }\ncapture: lines")).await;
    assert_eq!(ran.output("stdout"), Some(json!(["A", "HOME", "PATH", "TEXT"])));
    let ran = run(&script("echo \"$TEXT$(cat)\"", "env: { TEXT: 1.10 }\nstdin: given\ncapture: text")).await;
    assert_eq!(ran.output("stdout"), Some(json!("1.10given")));
}

#[tokio::test]
async fn a_program_that_does_not_read_its_stdin_loses_nothing() {
    let long = "x".repeat(100_000);
    let ran = run(&script("exec 0<&-; echo done", &format!("stdin: {long}\ncapture: text"))).await;
    assert_eq!(ran.output("stdout"), Some(json!("done")));
}

#[tokio::test]
async fn an_exit_code_is_a_no_or_a_failure() {
    let mut ran = run(&script("echo bad; exit 3", "capture: text")).await;
    assert_eq!(ran.error(), "`sh` ended with exit code 3");
    assert_eq!(ran.done.as_ref().unwrap_err().failure(None).kind, FailureKind::Gate);
    // What was captured is shown after all.
    assert_eq!(ran.lines(), ["stdout bad"]);
    let ran = run(&script("exit 1", "gate: false")).await;
    assert_eq!(ran.done.unwrap_err().failure(None).kind, FailureKind::Step);
    let ran = run(&script("kill -9 $$", "")).await;
    assert_eq!(ran.error(), "`sh` was ended by signal 9 (SIGKILL)");
    assert_eq!(ran.done.unwrap_err().failure(None).kind, FailureKind::Step);
}

#[tokio::test]
async fn a_program_that_is_missing_could_not_be_asked() {
    let failure = async |run_field: &str| {
        let failure = run(&exec(&format!("run: [{run_field}]"))).await.done.unwrap_err().failure(None);
        assert_eq!(failure.kind, FailureKind::Step);
        (failure.message, failure.help.join("; "))
    };
    let (message, help) = failure("no-such-program").await;
    assert_eq!(message, "there is no program `no-such-program`");
    assert_eq!(help, "install it, or put the folder that it is in into `PATH`");
    let (message, help) = failure("./no-such-program").await;
    assert_eq!(message, "there is no program `./no-such-program`");
    assert_eq!(help, "a program with a `/` in its name is a file, relative to the plan's folder");
}

#[tokio::test]
async fn a_file_of_the_plan_is_run_where_it_is_and_may_not_be_a_program() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("plain"), "no program").unwrap();
    std::fs::write(folder.path().join("script"), "#!/no/such/interpreter\n").unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    for name in ["plain", "script"] {
        let path = folder.path().join(name);
        let mut permissions = path.metadata().unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, if name == "script" { 0o755 } else { 0o644 });
        std::fs::set_permissions(path, permissions).unwrap();
    }
    let error = async |body: &str| run_in(folder.path(), &exec(body), Mode::Real).await.error();
    assert_eq!(error("run: [./plain]").await, "`./plain` cannot be started: Permission denied (os error 13)");
    let message = "`./script` cannot be started: the program that its first line names is not there";
    assert_eq!(error("{ run: [./script], workdir: sub }").await, message);
    let message = "`sh` cannot be started: there is no folder `other` in the work folder";
    assert_eq!(error("{ run: [sh], workdir: other }").await, message);
}

#[tokio::test]
async fn a_flood_is_bounded_and_its_end_is_shown_where_it_fails() {
    let flood =
        "i=0; while [ $i -lt 40000 ]; do echo \"$i 0123456789012345678901234567890123456789\"; i=$((i+1)); done";
    let mut ran = run(&script(flood, "")).await;
    let lines = ran.lines();
    assert!((20_000..30_000).contains(&lines.len()), "{}", lines.len());
    let last = lines.last().unwrap();
    assert!(last.starts_with("warning 1.0 MiB of its output are shown, ") && last.ends_with(" more are not"), "{last}");
    let mut ran = run(&script(&format!("{flood}; exit 1"), "")).await;
    let lines = ran.lines();
    assert!(lines.iter().any(|line| line.starts_with("stderr … ") && line.ends_with(" before that are not shown")));
    assert!(lines.last().unwrap().starts_with("stdout 39999 "), "{:?}", lines.last());
    assert!(lines.len() < 30_000);
}

#[tokio::test]
async fn more_than_is_captured_ends_it_at_once() {
    let ran = run(&script("while :; do echo 0123456789012345678901234567890123456789; done", "capture: text")).await;
    assert_eq!(ran.error(), "`sh` writes more to stdout than the 1.0 MiB that `capture` takes");
    assert_eq!(ran.done.unwrap_err().failure(None).kind, FailureKind::Step);
}

#[tokio::test]
async fn what_a_program_leaves_running_ends_with_it() {
    let folder = TempDir::new().unwrap();
    let leave = "sleep 1000 & echo $!";
    let ran = run_in(folder.path(), &script(leave, "capture: text"), Mode::Real).await;
    assert_eq!(ran.error(), "`sh` ended, and something that it left running still holds its stdout");
    let mut ran = run_in(folder.path(), &script(&format!("{leave} > pid"), ""), Mode::Real).await;
    assert_eq!(ran.lines(), ["warning `sh` left something running, which was ended"]);
    is_gone(&std::fs::read_to_string(folder.path().join("pid")).unwrap()).await;
}

/// Starts the step, waits until it has written something to stdout, and drops it.
async fn drop_in(folder: &Path, exec: &Exec) -> Programs {
    let (cx, mut heard) = testing::context(folder, Mode::Real, Secrets::default());
    let until_heard = async {
        while let Some(event) = heard.recv().await {
            if matches!(event, Event::ProgramWrote { stream: ProgramStream::Stdout, .. }) {
                return;
            }
        }
    };
    tokio::select! {
        done = exec.run(&cx) => panic!("{done:?}"),
        () = until_heard => {}
    }
    cx.programs
}

/// Waits until nobody has that process id: a process whose parent has ended is somebody else's to wait for.
async fn is_gone(pid: &str) {
    let status = format!("/proc/{}/stat", pid.trim());
    let is_there = || std::fs::read_to_string(&status).is_ok_and(|stat| !stat.contains(") Z "));
    let ended = async {
        while is_there() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), ended).await.unwrap();
}

#[tokio::test]
async fn a_step_that_is_dropped_ends_its_program_and_what_that_started() {
    let folder = TempDir::new().unwrap();
    let program = script("sleep 1000 & echo $! > child; echo $$ > pid; echo there; wait", "");
    drop_in(folder.path(), &program).await.ended().await;
    for name in ["pid", "child"] {
        is_gone(&std::fs::read_to_string(folder.path().join(name)).unwrap()).await;
    }
}

#[tokio::test]
async fn a_program_may_end_in_its_own_way_when_it_is_asked_to() {
    let folder = TempDir::new().unwrap();
    let program = script("trap 'echo cleaned > cleaned; exit 0' TERM; echo there; while :; do sleep 0.01; done", "");
    drop_in(folder.path(), &program).await.ended().await;
    assert_eq!(std::fs::read_to_string(folder.path().join("cleaned")).unwrap(), "cleaned\n");
}

#[tokio::test]
async fn a_program_that_ignores_sigterm_is_killed_after_the_grace() {
    let folder = TempDir::new().unwrap();
    let program = script("trap '' TERM; echo $$ > pid; echo there; while :; do sleep 0.01; done", "");
    drop_in(folder.path(), &program).await.ended().await;
    is_gone(&std::fs::read_to_string(folder.path().join("pid")).unwrap()).await;
}

#[tokio::test]
async fn nobody_has_to_wait_for_the_grace() {
    let folder = TempDir::new().unwrap();
    let program = script("trap '' TERM; echo there; while :; do sleep 0.01; done", "");
    let (mut cx, mut heard) = testing::context(folder.path(), Mode::Real, Secrets::default());
    cx.programs = Programs::with_grace(std::time::Duration::from_hours(1));
    tokio::select! {
        done = program.run(&cx) => panic!("{done:?}"),
        _ = heard.recv() => {}
    }
    cx.programs.hurry();
    tokio::time::timeout(std::time::Duration::from_mins(1), cx.programs.ended()).await.unwrap();
}

#[tokio::test]
async fn a_program_that_reads_for_ever_finds_the_end_of_stdin() {
    let ran = run(&script("cat; read x || echo end", "capture: text")).await;
    assert_eq!(ran.output("stdout"), Some(json!("end")));
    ran.programs.ended().await;
}

#[tokio::test]
async fn a_rehearsal_runs_nothing_and_says_what_the_plan_says() {
    let folder = TempDir::new().unwrap();
    let body = "run: [no-such-program]\nwrites: [out]\ncapture: json\nrehearse:\n  stdout: { a: 1 }\n  files: { out/text: \"t\\n\", out/json: [1, 2] }";
    let rehearsal = Mode::Rehearsal(crate::step::Rehearsing::default());
    let ran = run_in(folder.path(), &exec(body), rehearsal).await;
    assert_eq!((ran.output("stdout"), ran.output("exit_code")), (Some(json!({ "a": 1 })), Some(json!(0))));
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!((read("out/text").as_str(), read("out/json").as_str()), ("t\n", "[1,2]"));
    assert_eq!(ran.done.unwrap().output.shown(), Some("no-such-program, not run"));
    let ran = run_in(folder.path(), &exec("run: [no-such-program]\ncapture: text"), rehearsal).await;
    assert_eq!(ran.output("stdout"), None);
    let with_exec = Mode::Rehearsal(crate::step::Rehearsing { exec: true, ..Default::default() });
    assert_eq!(run_in(folder.path(), &exec(body), with_exec).await.error(), "there is no program `no-such-program`");
}

#[test]
fn what_it_touches_is_what_it_names() {
    let places = Places::new("/plans", "/runs");
    let touches = |body: &str| -> Vec<String> {
        let effects = exec(body).effects(&places);
        effects.touches().iter().map(|(access, thing)| format!("{} {thing}", access.verb())).collect()
    };
    assert_eq!(touches("run: [x]"), ["changes everything"]);
    assert_eq!(touches("{ run: [x], reads: [] }"), Vec::<String>::new());
    assert_eq!(
        touches("{ run: [./x], reads: [src, /etc/x], writes: [out/a] }"),
        ["reads /runs/src", "reads /etc/x", "reads /plans/x", "changes /runs/out/a"]
    );
    assert_eq!(
        touches("{ run: [x], reads: [\"localhost:5000/a:v1\"], writes: [\"localhost:5000/b:v1\"] }"),
        [
            "reads the tag localhost:5000/a:v1",
            "reads the graph of localhost:5000/a",
            "changes the tag localhost:5000/b:v1",
            "changes the graph of localhost:5000/b",
            "adds to the tag list of localhost:5000/b"
        ]
    );
    // It may be either.
    assert_eq!(touches("{ run: [x], writes: [app.d/a] }"), ["changes the repository app.d/a", "changes /runs/app.d/a"]);
    assert_eq!(touches("{ run: [x], writes: [./app.d/a] }"), ["changes /runs/app.d/a"]);
}
