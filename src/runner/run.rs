mod closing;

use std::{
    collections::HashMap,
    io,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio::{
    sync::{mpsc, watch},
    task::{AbortHandle, Id, JoinError, JoinSet},
    time::{MissedTickBehavior, interval, sleep},
};

use super::{
    EarlierStep, RunOptions,
    handed_on::HandedOn,
    running::{Cost, Running},
    worked::{Worked, work, work_or_take_over},
};
use crate::{
    event::{Event, Failure, FailureKind, Fingerprint, Finished, Lacking, Outcome, Progress, StepId, Summary},
    output::Output,
    plan::Scope,
    program::{FingerprintDraft, Program},
    report::{Redacted, Reporter},
    schedule::{self, Schedule, Settled},
    sign::Web,
    step::{Done, HttpWeb, Made, Pins, Programs, Step, StepContext, StepError, Turn},
    store::{Patience, RunPatience, StoreError},
};

/// How often reporters may draw.
const TICK: Duration = Duration::from_millis(100);
/// How many transfers one copy runs at a time.
const TRANSFERS: usize = 32;

/// What came of a run.
#[derive(Debug)]
pub struct Ended {
    /// What became of every step.
    pub summary: Arc<Summary>,
    /// The first report that could not be written.
    pub report_error: Option<io::Error>,
}

/// Runs a program to its end. Each message in `interrupts` is one wish to stop: the first starts nothing new, the second
/// breaks off what is running.
pub async fn run(
    program: &Program,
    options: &RunOptions,
    reporter: &mut dyn Reporter,
    mut interrupts: mpsc::UnboundedReceiver<()>,
) -> Ended {
    let (tx, mut rx) = mpsc::unbounded_channel();
    let mut run = Run::new(program, options, reporter, tx);
    run.begin();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        run.start_ready();
        if run.tasks.is_empty() {
            if run.enter_finally() {
                continue;
            }
            break;
        }
        tokio::select! {
            biased;
            Some(()) = interrupts.recv() => run.interrupt(),
            Some(event) = rx.recv() => run.tell(&event),
            Some(joined) = run.tasks.join_next_with_id() => {
                // What a step said comes before its end.
                while let Ok(event) = rx.try_recv() {
                    run.tell(&event);
                }
                run.end(joined);
            }
            _ = ticks.tick() => run.tick(),
        }
    }
    run.close(&mut interrupts).await
}

type Joined = Result<(Id, Worked), JoinError>;

/// A step that was started before its turn.
struct Ahead {
    turn: watch::Sender<bool>,
    task: AbortHandle,
    patience: Arc<Patience>,
}

struct Run<'a> {
    program: &'a Program,
    options: &'a RunOptions,
    reporter: Redacted<'a>,
    tx: mpsc::UnboundedSender<Event>,
    scope: Scope,
    pins: Arc<Pins>,
    made: Arc<Made>,
    web: Option<Arc<dyn Web>>,
    patience: Arc<RunPatience>,
    programs: Programs,
    schedule: Schedule,
    settled: Vec<Settled>,
    tasks: JoinSet<Worked>,
    running: HashMap<Id, Running>,
    ahead: HashMap<usize, Ahead>,
    handed_on: HandedOn,
    started: Vec<bool>,
    finished: Vec<Option<Finished>>,
    round_trips: Vec<u32>,
    interrupted: bool,
    /// Whether what runs is broken off, and nothing starts any more, not even `finally`.
    aborted: bool,
    in_finally: bool,
    report_error: Option<io::Error>,
    begun: Instant,
}

impl<'a> Run<'a> {
    fn new(
        program: &'a Program,
        options: &'a RunOptions,
        reporter: &'a mut dyn Reporter,
        tx: mpsc::UnboundedSender<Event>,
    ) -> Self {
        let wanted = schedule::Options {
            skip: program.skip().clone(),
            keep_going: options.keep_going,
            skip_gates: options.skip_gates,
        };
        let (schedule, settled) = Schedule::new(Arc::clone(program.graph()), wanted);
        let count = program.steps().len();
        Self {
            program,
            options,
            reporter: Redacted::new(reporter, program.secrets()),
            tx,
            scope: program.scope(),
            pins: Arc::clone(&options.pins),
            made: Arc::default(),
            web: if options.mode.is_rehearsal() { None } else { Some(Arc::new(HttpWeb::new())) },
            patience: RunPatience::new(program.retry()),
            programs: Programs::default(),
            schedule,
            settled,
            tasks: JoinSet::new(),
            running: HashMap::new(),
            ahead: HashMap::new(),
            handed_on: HandedOn::default(),
            started: vec![false; count],
            finished: vec![None; count],
            round_trips: vec![0; count],
            interrupted: false,
            aborted: false,
            in_finally: false,
            report_error: None,
            begun: Instant::now(),
        }
    }

    fn begin(&mut self) {
        let steps = self.program.steps().iter().map(|planned| (planned.id.clone(), planned.kind.name)).collect();
        let edges = self.program.graph().edges().into();
        self.tell(&Event::RunStarted { plan: Arc::clone(self.program.name()), steps, edges, at: SystemTime::now() });
        let settled = std::mem::take(&mut self.settled);
        self.settle(settled);
    }

    fn start_ready(&mut self) {
        let jobs = self.options.jobs.max(1);
        while self.running.len() < jobs {
            let Some(step) = self.schedule.start() else { break };
            self.start(step);
        }
        // What has gone ahead and is blocked by a failure leaves blobs, which a copy that still runs would tell.
        while self.tasks.len() < jobs && !self.options.keep_going && self.options.earlier.is_none() {
            let Some(step) = self.schedule.start_ahead() else { break };
            self.start_ahead(step);
        }
    }

    fn start(&mut self, step: usize) {
        let Some(id) = self.id(step) else { return };
        if let Some(started) = self.started.get_mut(step) {
            *started = true;
        }
        self.tell(&Event::StepStarted { step: id });
        if let Some(ahead) = self.ahead.remove(&step) {
            self.running.insert(ahead.task.id(), Running::new(step, ahead.patience));
            ahead.turn.send_replace(true);
            return;
        }
        match self.earlier(step).cloned() {
            Some(EarlierStep::Done { output }) => {
                self.tell_resumed(step, true, "marked as done".into());
                return self.finish(step, Outcome::Unchanged, Some(output), Cost::default());
            }
            Some(EarlierStep::Again { because }) => self.tell_resumed(step, false, because),
            Some(EarlierStep::Ended(_)) | None => {}
        }
        let is_wanted = self.program.is_wanted(step, &self.scope);
        let instance = is_wanted.and_then(|is_wanted| {
            if is_wanted { self.program.instantiate(step, &self.scope).map(Some) } else { Ok(None) }
        });
        let instance = match instance {
            Ok(Some(instance)) => instance,
            Ok(None) => return self.pass_over(step),
            Err(failure) => return self.finish(step, Outcome::Failed(Arc::new(failure)), None, Cost::default()),
        };
        let task = self.spawn(step, instance, Turn::now());
        self.running.extend(task.map(|(task, patience)| (task.id(), Running::new(step, patience))));
    }

    /// Starts a step before its turn. Whatever is wrong with it is found again when its turn has come.
    fn start_ahead(&mut self, step: usize) {
        if self.program.is_wanted(step, &self.scope).ok() != Some(true) {
            return;
        }
        let Some(instance) = self.program.instantiate(step, &self.scope).ok().filter(|step| step.goes_ahead()) else {
            return;
        };
        let (turn, come) = Turn::later();
        if let Some((task, patience)) = self.spawn(step, instance, come) {
            self.ahead.insert(step, Ahead { turn, task, patience });
        }
    }

    fn spawn(&mut self, step: usize, instance: Arc<dyn Step>, turn: Turn) -> Option<(AbortHandle, Arc<Patience>)> {
        let id = self.id(step)?;
        let cx = StepContext {
            turn: turn.clone(),
            mode: self.options.mode,
            secrets: self.program.secrets().clone(),
            web: self.web.clone(),
            stores: Arc::clone(&self.options.stores),
            pins: Arc::clone(&self.pins),
            made: Arc::clone(&self.made),
            places: Arc::new(self.program.places_of(step)),
            programs: self.programs.clone(),
            progress: Progress::new(id, self.tx.clone()),
            epoch: self.options.epoch,
            concurrency: TRANSFERS,
        };
        let planned = self.program.steps().get(step);
        let policy = planned.map_or_else(|| self.program.retry(), |planned| planned.retry);
        let limit = planned.and_then(|planned| planned.timeout);
        let patience = Patience::new(policy, &self.patience, Some(cx.progress.clone()));
        let earlier = match self.earlier(step) {
            Some(EarlierStep::Ended(ended)) => Some((ended.clone(), self.handed_on.before(step, self.program.graph()))),
            _ => None,
        };
        let draft = self.options.fingerprints.then(|| self.fingerprint(step, &*instance)).flatten();
        let task = self.tasks.spawn(Arc::clone(&patience).scope(async move {
            let run = within(limit, &*instance, &cx);
            let worked = match earlier {
                Some((ended, before)) => work_or_take_over(&*instance, &cx, run, draft, &ended, before).await,
                None => work(run, draft).await,
            };
            // What goes wrong ahead is not told before its turn: in file order, something else may go wrong first.
            turn.wait().await;
            worked
        }));
        Some((task, patience))
    }

    fn earlier(&self, step: usize) -> Option<&EarlierStep> {
        self.options.earlier.as_ref()?.steps.get(&step)
    }

    fn tell_resumed(&mut self, step: usize, taken_over: bool, because: Arc<str>) {
        if let Some(id) = self.id(step) {
            self.tell(&Event::StepResumed { step: id, taken_over, because });
        }
    }

    fn fingerprint(&self, step: usize, instance: &dyn Step) -> Option<FingerprintDraft> {
        self.program.fingerprint(step, &self.scope, instance, self.options.epoch)
    }

    /// Says what decided what a step did. What it waits for has ended by now, also where it was started ahead.
    fn tell_fingerprint(&mut self, step: usize, fingerprint: Option<Fingerprint>) {
        let Some((id, fingerprint)) = self.id(step).zip(fingerprint) else { return };
        let before = self.handed_on.before(step, self.program.graph());
        let fingerprint = Arc::new(Fingerprint { before, ..fingerprint });
        self.tell(&Event::StepFingerprinted { step: id, fingerprint });
    }

    fn end(&mut self, joined: Joined) {
        let task = match &joined {
            Ok((task, _)) => *task,
            Err(error) => error.id(),
        };
        let Some(running) = self.running.remove(&task) else {
            // One that had gone ahead broke off: it starts anew in its turn.
            self.ahead.retain(|_, ahead| ahead.task.id() != task);
            return;
        };
        let (step, cost) = (running.step, running.cost());
        let place = self.program.steps().get(step).map(|planned| self.program.source().place(planned.span.start));
        let (outcome, output) = match joined {
            Ok((_, Worked { done, fingerprint, resumed })) => {
                if let Some((taken_over, because)) = resumed {
                    self.tell_resumed(step, taken_over, because.into());
                }
                match done {
                    Ok(done) => {
                        self.tell_fingerprint(step, fingerprint);
                        (done.outcome, Some(Arc::new(done.output)))
                    }
                    Err(error) => (Outcome::Failed(Arc::new(error.failure(place))), None),
                }
            }
            Err(error) if error.is_cancelled() => (Outcome::Cancelled, None),
            Err(error) => {
                let message = format!("the step broke off, which is a mistake of consign: {error}");
                let failure = Failure { kind: FailureKind::Step, message, notes: Vec::new(), help: Vec::new(), place };
                (Outcome::Failed(Arc::new(failure)), None)
            }
        };
        self.finish(step, outcome, output, cost);
    }

    /// Ends a step whose condition does not hold.
    fn pass_over(&mut self, step: usize) {
        let settled = self.schedule.pass_over(step);
        self.conclude(step, Outcome::Skipped { because: "`when` is false".into() }, None, Cost::default());
        self.settle(settled);
    }

    /// The same outcome; a failure that does not count as others do says so.
    fn weigh(&self, step: usize, outcome: Outcome) -> Outcome {
        let Outcome::Failed(failure) = &outcome else { return outcome };
        let tolerated = self.program.steps().get(step).is_some_and(|planned| planned.tolerates_failure);
        let kind = match self.in_finally {
            _ if tolerated => FailureKind::Tolerated,
            true => FailureKind::Finally,
            false => return outcome,
        };
        Outcome::Failed(Arc::new(Failure { kind, ..Failure::clone(failure) }))
    }

    fn finish(&mut self, step: usize, outcome: Outcome, output: Option<Arc<Output>>, cost: Cost) {
        let outcome = self.weigh(step, outcome);
        if let Some(output) = &output {
            self.handed_on.note(step, output);
            self.program.finish(step, output, &self.scope);
        }
        let settled = self.schedule.finish(step, &outcome);
        if self.schedule.is_draining() {
            self.drain();
        }
        self.conclude(step, outcome, output, cost);
        self.settle(settled);
    }

    /// Says how a step ended, once.
    fn conclude(&mut self, step: usize, outcome: Outcome, output: Option<Arc<Output>>, cost: Cost) {
        let Some(id) = self.id(step) else { return };
        if let Some(place) = self.finished.get_mut(step) {
            *place = Some(Finished { step: id.clone(), outcome: outcome.clone(), output: output.clone() });
        }
        if let Some(place) = self.round_trips.get_mut(step) {
            *place = cost.round_trips;
        }
        let Cost { elapsed, round_trips } = cost;
        self.tell(&Event::StepFinished { step: id, outcome, output, elapsed, round_trips });
    }

    fn settle(&mut self, settled: Vec<Settled>) {
        for Settled { step, outcome } in settled {
            if let Some(ahead) = self.ahead.remove(&step) {
                ahead.task.abort();
            }
            self.conclude(step, outcome, None, Cost::default());
        }
    }

    /// Starts nothing any more, and lets go of what has gone ahead.
    fn drain(&mut self) {
        self.schedule.drain();
        for (_, ahead) in self.ahead.drain() {
            ahead.task.abort();
        }
    }

    /// Begins with `finally`, once: whatever else there was has ended, or never will start.
    fn enter_finally(&mut self) -> bool {
        if self.in_finally || self.aborted {
            return false;
        }
        self.in_finally = true;
        let settled = self.schedule.enter_finally(&self.started);
        // A report that broke only at the end has stopped nothing.
        let stopped = settled.iter().any(|settled| matches!(settled.outcome, Outcome::Cancelled));
        self.interrupted |= self.report_error.is_some() && stopped;
        self.settle(settled);
        let counts = |kind| !matches!(kind, FailureKind::Tolerated);
        let has_failed = self
            .finished
            .iter()
            .flatten()
            .any(|finished| matches!(&finished.outcome, Outcome::Failed(failure) if counts(failure.kind)));
        self.scope.set_run(match (self.interrupted, has_failed) {
            (true, _) => "interrupted",
            (false, true) => "failed",
            (false, false) => "succeeded",
        });
        true
    }

    fn interrupt(&mut self) {
        // `finally` runs to its end, unless the wish comes twice.
        if self.interrupted {
            self.aborted = true;
            self.drain();
            self.tasks.abort_all();
        } else if !self.in_finally {
            self.drain();
        }
        self.interrupted = true;
    }

    fn tell(&mut self, event: &Event) {
        let told = self.reporter.report(event);
        self.hear(told);
    }

    fn tick(&mut self) {
        let told = self.reporter.tick(Instant::now());
        self.hear(told);
    }

    fn hear(&mut self, told: io::Result<()>) {
        if let Err(error) = told {
            if !self.in_finally {
                self.drain();
            }
            self.report_error.get_or_insert(error);
        }
    }

    fn id(&self, step: usize) -> Option<StepId> {
        self.program.steps().get(step).map(|planned| planned.id.clone())
    }
}

/// Runs a step; one that takes longer than it may, from its turn on, has failed, and lets go of all that it holds.
async fn within(limit: Option<Duration>, step: &dyn Step, cx: &StepContext) -> Result<Done, StepError> {
    let work = step.run(cx);
    let Some(limit) = limit else { return work.await };
    let out_of_time = async {
        cx.turn.wait().await;
        sleep(limit).await;
    };
    tokio::select! {
        biased;
        done = work => done,
        () = out_of_time => Err(StepError::OutOfTime { limit, is_temporary: step.runs().is_none() }),
    }
}
