//! Runs whose steps wait until they are let go, and interrupts between.

use std::{io, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::sync::{Semaphore, mpsc};

use super::{Ended, RunOptions, run};
use crate::{
    event::{Event, ExitCode},
    oci::{Descriptor, Digest, Manifest, Reference, Repository, Tag, Target},
    plan::{Given, SourceFile},
    program::{CompileOptions, Program, compile},
    report::Reporter,
    step::{Mode, Places},
    store::{ByteStream, Delivery, MemoryStore, Source, Store, StoreError, Stores},
};

/// A repository that says when its tags are asked for, and answers when it may.
#[derive(Debug)]
struct Scripted {
    inner: MemoryStore,
    asked: Semaphore,
    pushed: Semaphore,
    may_answer: Semaphore,
    /// What becomes of who asks.
    panics: bool,
    may_settle: Semaphore,
    settling: Semaphore,
}

impl Scripted {
    fn new(name: &str) -> Self {
        let reference: Reference = format!("localhost:5000/{name}").parse().unwrap();
        Self {
            inner: MemoryStore::new(reference.repository),
            asked: Semaphore::new(0),
            pushed: Semaphore::new(0),
            may_answer: Semaphore::new(0),
            panics: false,
            may_settle: Semaphore::new(1),
            settling: Semaphore::new(0),
        }
    }

    async fn until_asked(&self) {
        self.asked.acquire().await.unwrap().forget();
    }

    fn let_answer(&self) {
        self.may_answer.add_permits(1);
    }
}

#[async_trait]
impl Store for Scripted {
    fn repository(&self) -> &Repository {
        self.inner.repository()
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        self.asked.add_permits(1);
        self.may_answer.acquire().await.unwrap().forget();
        assert!(!self.panics, "as the script says");
        self.inner.tags().await
    }

    async fn settle(&self) -> Result<(), StoreError> {
        self.settling.add_permits(1);
        self.may_settle.acquire().await.unwrap().forget();
        Ok(())
    }

    async fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        self.inner.resolve(target).await
    }

    async fn manifest(&self, target: &Target) -> Result<Option<Manifest>, StoreError> {
        self.inner.manifest(target).await
    }

    async fn push_manifest(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<(), StoreError> {
        self.inner.push_manifest(manifest, tag).await
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        self.inner.referrers(subject).await
    }

    async fn has_blob(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        self.inner.has_blob(blob).await
    }

    async fn blob(&self, blob: &Descriptor) -> Result<ByteStream, StoreError> {
        self.inner.blob(blob).await
    }

    async fn push_blob(
        &self,
        blob: &Descriptor,
        source: &Source,
        from: Option<&Repository>,
    ) -> Result<Delivery, StoreError> {
        let delivery = self.inner.push_blob(blob, source, from).await;
        self.pushed.add_permits(1);
        delivery
    }

    async fn untag(&self, tag: &Tag) -> Result<bool, StoreError> {
        self.inner.untag(tag).await
    }

    async fn delete_manifest(&self, digest: &Digest) -> Result<bool, StoreError> {
        self.inner.delete_manifest(digest).await
    }
}

/// Keeps what it hears of steps, and fails where it is told to.
#[derive(Default)]
struct Heard {
    lines: Vec<String>,
    fails_at: Option<&'static str>,
}

impl Reporter for Heard {
    fn report(&mut self, event: &Event) -> io::Result<()> {
        let line = match event {
            Event::StepStarted { step } => format!("{} started", step.name()),
            Event::StepFinished { step, outcome, .. } => format!("{} {}", step.name(), outcome.word()),
            Event::RunFinished { .. } => "end".to_owned(),
            _ => return Ok(()),
        };
        let fails = self.fails_at == Some(line.as_str());
        self.lines.push(line);
        if fails { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }
}

/// A step for each store, named as its repository, none of which waits for another.
fn listing(stores: &[Arc<Scripted>]) -> String {
    let step = |store: &Arc<Scripted>| {
        let repository = store.repository().to_string();
        let name = repository.rsplit('/').next().unwrap();
        format!("  - id: {name}\n    list_tags: {{ repository: \"{repository}\" }}\n")
    };
    stores.iter().map(step).collect()
}

fn program(steps: &str) -> Program {
    let places = Places::new("/", "/");
    let options =
        CompileOptions { given: Given::default(), skip: Vec::new(), select: Vec::new(), mode: Mode::Real, places };
    compile(&SourceFile::new("plan.yaml", format!("consign: 1\nsteps:\n{steps}")), &options).unwrap()
}

/// Runs a step on each store, while `script` does its part. What the reporter heard comes back, too.
async fn play(
    stores: Vec<Arc<Scripted>>,
    jobs: usize,
    fails_at: Option<&'static str>,
    script: impl AsyncFnOnce(&mpsc::UnboundedSender<()>),
) -> (Ended, Vec<String>) {
    let steps = listing(&stores);
    play_steps(&steps, stores, jobs, fails_at, script).await
}

async fn play_steps(
    steps: &str,
    stores: Vec<Arc<Scripted>>,
    jobs: usize,
    fails_at: Option<&'static str>,
    script: impl AsyncFnOnce(&mpsc::UnboundedSender<()>),
) -> (Ended, Vec<String>) {
    let program = program(steps);
    let options = RunOptions {
        fingerprints: false,
        earlier: None,
        pins: Arc::default(),
        stores: Arc::new(Stores::scripted(stores.into_iter().map(|store| store as Arc<dyn Store>))),
        mode: Mode::Real,
        jobs,
        keep_going: false,
        skip_gates: false,
        epoch: None,
    };
    let mut heard = Heard { fails_at, ..Heard::default() };
    let (tx, rx) = mpsc::unbounded_channel();
    let both = async { tokio::join!(run(&program, &options, &mut heard, rx), script(&tx)) };
    // Only a mistake makes it wait so long.
    let (ended, ()) = tokio::time::timeout(Duration::from_mins(1), both).await.unwrap();
    (ended, heard.lines)
}

fn two() -> [Arc<Scripted>; 2] {
    ["a", "b"].map(|name| Arc::new(Scripted::new(name)))
}

#[tokio::test]
async fn as_many_steps_run_at_a_time_as_there_are_jobs() {
    let [a, b] = two();
    let (ended, heard) = play(vec![a.clone(), b.clone()], 2, None, async |_| {
        b.until_asked().await;
        a.until_asked().await;
        b.let_answer();
        a.let_answer();
    })
    .await;
    assert_eq!(ended.summary.exit_code(), ExitCode::Success);
    assert_eq!(heard[..2], ["a started", "b started"]);
    let [a, b] = two();
    b.let_answer();
    let (_, heard) = play(vec![a.clone(), b], 1, None, async |_| {
        a.until_asked().await;
        a.let_answer();
    })
    .await;
    assert_eq!(heard, ["a started", "a passed", "b started", "b passed", "end"]);
}

#[tokio::test]
async fn an_interrupt_lets_running_steps_finish_and_starts_nothing_new() {
    let [a, b] = two();
    let (ended, heard) = play(vec![a.clone(), b], 1, None, async |interrupts| {
        a.until_asked().await;
        interrupts.send(()).unwrap();
        a.let_answer();
    })
    .await;
    assert_eq!(heard, ["a started", "a passed", "b cancelled", "end"]);
    assert_eq!(ended.summary.exit_code(), ExitCode::Interrupted);
}

#[tokio::test]
async fn a_second_interrupt_breaks_off_what_is_running() {
    let [a, b] = two();
    let (ended, heard) = play(vec![a.clone(), b], 1, None, async |interrupts| {
        a.until_asked().await;
        interrupts.send(()).unwrap();
        interrupts.send(()).unwrap();
    })
    .await;
    assert_eq!(heard, ["a started", "a cancelled", "b cancelled", "end"]);
    assert_eq!(ended.summary.exit_code(), ExitCode::Interrupted);
}

#[tokio::test]
async fn a_step_that_panics_has_failed_and_the_run_ends() {
    let [a, b] = two();
    let a = Arc::new(Scripted { panics: true, ..Arc::into_inner(a).unwrap() });
    a.let_answer();
    let (ended, heard) = play(vec![a, b], 1, None, async |_| {}).await;
    assert_eq!(heard, ["a started", "a failed", "b cancelled", "end"]);
    assert_eq!(ended.summary.exit_code(), ExitCode::Failed);
}

#[tokio::test]
async fn a_report_that_breaks_interrupts_the_run_and_what_runs_is_heard_out() {
    let [a, b] = two();
    let (ended, heard) = play(vec![a.clone(), b], 1, Some("a started"), async |_| {
        a.until_asked().await;
        a.let_answer();
    })
    .await;
    assert_eq!(heard, ["a started", "a passed", "b cancelled", "end"]);
    assert_eq!(ended.report_error.map(|error| error.kind()), Some(io::ErrorKind::BrokenPipe));
    assert_eq!(ended.summary.exit_code(), ExitCode::Interrupted);
}

#[tokio::test]
async fn a_report_that_breaks_at_the_end_changes_nothing() {
    for fails_at in ["b passed", "end"] {
        let [a, b] = two();
        a.let_answer();
        b.let_answer();
        let (ended, _) = play(vec![a, b], 1, Some(fails_at), async |_| {}).await;
        assert!(ended.report_error.is_some());
        assert_eq!(ended.summary.exit_code(), ExitCode::Success);
    }
}

#[tokio::test]
async fn the_last_look_at_the_registries_can_be_broken_off_too() {
    let [a, _] = two();
    let a = Arc::new(Scripted { may_settle: Semaphore::new(0), ..Arc::into_inner(a).unwrap() });
    a.let_answer();
    let (ended, heard) = play(vec![a.clone()], 1, None, async |interrupts| {
        a.settling.acquire().await.unwrap().forget();
        interrupts.send(()).unwrap();
        interrupts.send(()).unwrap();
    })
    .await;
    assert_eq!(heard, ["a started", "a passed", "end"]);
    assert_eq!(ended.summary.exit_code(), ExitCode::Interrupted);
    assert!(ended.summary.unsettled.is_some());
}

/// A listing that waits, and a push that may not be seen before it.
const LIST_AND_PUSH: &str = "  - id: a
    list_tags: { repository: \"localhost:5000/a\" }
  - id: b
    push: { to: \"localhost:5000/a:v1\", files: [{ name: note.txt, content: hello }] }
";

#[tokio::test]
async fn what_nobody_can_tell_is_done_ahead_and_the_rest_in_turn() {
    let [a, _] = two();
    let (ended, heard) = play_steps(LIST_AND_PUSH, vec![a.clone()], 2, None, async |_| {
        a.until_asked().await;
        a.pushed.acquire_many(2).await.unwrap().forget();
        assert!(a.inner.tags().await.unwrap().is_empty());
        a.let_answer();
    })
    .await;
    assert_eq!(heard, ["a started", "a passed", "b started", "b created", "end"]);
    assert_eq!(ended.summary.exit_code(), ExitCode::Success);
    assert_eq!(a.inner.tags().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_has_gone_ahead_ends_with_the_run() {
    let [a, _] = two();
    let (_, heard) = play_steps(LIST_AND_PUSH, vec![a.clone()], 2, None, async |interrupts| {
        a.pushed.acquire_many(2).await.unwrap().forget();
        interrupts.send(()).unwrap();
        a.let_answer();
    })
    .await;
    assert_eq!(heard, ["a started", "a passed", "b cancelled", "end"]);
    let [a, _] = two();
    let a = Arc::new(Scripted { panics: true, ..Arc::into_inner(a).unwrap() });
    let (_, heard) = play_steps(LIST_AND_PUSH, vec![a.clone()], 2, None, async |_| {
        a.pushed.acquire_many(2).await.unwrap().forget();
        a.let_answer();
    })
    .await;
    assert_eq!(heard, ["a started", "a failed", "b blocked", "end"]);
    assert!(a.inner.tags().await.unwrap().is_empty());
}

#[tokio::test]
async fn one_job_is_one_step_at_a_time() {
    let [a, _] = two();
    play_steps(LIST_AND_PUSH, vec![a.clone()], 1, None, async |_| {
        a.until_asked().await;
        assert_eq!(a.pushed.available_permits(), 0);
        a.let_answer();
    })
    .await;
}

/// A listing of each of two repositories, and one of the second in the end.
const LISTS_AND_FINALLY: &str = "  - { id: a, list_tags: { repository: \"localhost:5000/a\" } }
  - { id: c, list_tags: { repository: \"localhost:5000/a\" } }
finally:
  - id: b
    when: ${{ run.status == 'STATUS' and run.failed == (run.status != 'succeeded') }}
    list_tags: { repository: \"localhost:5000/b\" }
";

async fn play_finally(
    status: &str,
    script: impl AsyncFnOnce([&Scripted; 2], &mpsc::UnboundedSender<()>),
) -> (Ended, Vec<String>) {
    let [a, b] = two();
    let steps = LISTS_AND_FINALLY.replace("STATUS", status);
    play_steps(&steps, vec![a.clone(), b.clone()], 1, None, async |interrupts| script([&a, &b], interrupts).await).await
}

#[tokio::test]
async fn finally_runs_when_all_else_has_ended_well() {
    let (ended, heard) = play_finally("succeeded", async |[a, b], _| {
        a.may_answer.add_permits(2);
        b.let_answer();
    })
    .await;
    let expected = ["a started", "a passed", "c started", "c passed", "b started", "b passed", "end"];
    assert_eq!((heard, ended.summary.exit_code()), (expected.map(str::to_owned).to_vec(), ExitCode::Success));
}

#[tokio::test]
async fn finally_runs_after_a_failure_and_knows_of_it() {
    let [a, b] = two();
    let a = Arc::new(Scripted { panics: true, ..Arc::into_inner(a).unwrap() });
    a.let_answer();
    b.let_answer();
    let steps = LISTS_AND_FINALLY.replace("STATUS", "failed");
    let (ended, heard) = play_steps(&steps, vec![a, b], 1, None, async |_| {}).await;
    assert_eq!(heard, ["a started", "a failed", "c cancelled", "b started", "b passed", "end"]);
    assert_eq!(ended.summary.exit_code(), ExitCode::Failed);
}

#[tokio::test]
async fn finally_runs_after_one_interrupt_and_not_after_two() {
    let (ended, heard) = play_finally("interrupted", async |[a, b], interrupts| {
        a.until_asked().await;
        interrupts.send(()).unwrap();
        a.let_answer();
        b.let_answer();
    })
    .await;
    assert_eq!(heard, ["a started", "a passed", "c cancelled", "b started", "b passed", "end"]);
    assert_eq!(ended.summary.exit_code(), ExitCode::Interrupted);

    let (_, heard) = play_finally("interrupted", async |[a, _], interrupts| {
        a.until_asked().await;
        interrupts.send(()).unwrap();
        interrupts.send(()).unwrap();
    })
    .await;
    assert_eq!(heard, ["a started", "a cancelled", "c cancelled", "b cancelled", "end"]);
}

#[tokio::test]
async fn an_interrupt_during_finally_lets_it_end_and_two_break_it_off() {
    for (again, ends) in [(false, "b passed"), (true, "b cancelled")] {
        let (ended, heard) = play_finally("succeeded", async |[a, b], interrupts| {
            a.may_answer.add_permits(2);
            b.until_asked().await;
            interrupts.send(()).unwrap();
            if again {
                interrupts.send(()).unwrap();
            } else {
                b.let_answer();
            }
        })
        .await;
        assert_eq!(heard[5..], [ends, "end"]);
        assert_eq!(ended.summary.exit_code(), ExitCode::Interrupted);
    }
}

#[tokio::test]
async fn what_fails_in_finally_hides_no_other_code() {
    let finally = "finally:\n  - { id: z, assert: { that: [false] } }\n";
    for (steps, code) in [
        ("  - { id: a, assert: { that: [true] } }\n", ExitCode::Failed),
        ("  - { id: a, assert: { that: [false] } }\n", ExitCode::Gate),
    ] {
        let (ended, _) = play_steps(&format!("{steps}{finally}"), Vec::new(), 1, None, async |_| {}).await;
        assert_eq!(ended.summary.exit_code(), code);
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_takes_too_long_has_failed_and_lets_go() {
    let [a, _] = two();
    let steps = "  - { id: a, timeout: 30s, list_tags: { repository: \"localhost:5000/a\" } }\n";
    let (ended, heard) = play_steps(steps, vec![a.clone()], 1, None, async |_| {}).await;
    assert_eq!(heard, ["a started", "a failed", "end"]);
    assert_eq!(ended.summary.exit_code(), ExitCode::Temporary);
    assert_eq!(Arc::strong_count(&a), 1, "nothing holds the store any more");
}

#[tokio::test]
async fn a_failure_that_is_tolerated_does_not_count() {
    let steps = "  - { id: a, continue_on_error: true, inspect: { reference: \"localhost:5000/a:v1\" } }
  - { id: b, inspect: { reference: \"${{ steps.a.reference }}\" } }
  - { id: c, push: { to: \"localhost:5000/a:v2\", files: [] } }
";
    let [a, _] = two();
    let (ended, heard) = play_steps(steps, vec![a], 1, None, async |_| {}).await;
    assert_eq!(heard, ["a started", "a failed", "b skipped", "c started", "c created", "end"]);
    assert_eq!(ended.summary.exit_code(), ExitCode::Success);
}
