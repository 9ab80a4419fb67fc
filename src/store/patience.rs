//! How long a step goes on trying what may pass, and whom it tells.
//!
//! A store knows no steps. So whoever runs a step sets its patience for everything that the step awaits, and stores ask
//! for it wherever they wait. What runs as a task of its own takes it along with [`carried`].

use std::{
    fmt::Display,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{task_local, time::Instant};

use super::RoundTrips;
use crate::event::{Event, Progress, StepId};

/// How often and how long is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries of one request, at least 1.
    pub max: u32,
    /// How long a step waits between tries, all of them together. While several of its requests wait, time counts once.
    pub budget: Duration,
}

/// The patience of one step.
#[derive(Debug)]
pub struct Patience {
    policy: RetryPolicy,
    step: Budget,
    run: Arc<RunPatience>,
    progress: Option<Progress>,
    trips: RoundTrips,
    /// Until when this step was said to wait because a registry wants peace.
    told: Mutex<Option<Instant>>,
}

/// The patience of a run: what its steps wait, all of them together. While several wait, time counts once.
#[derive(Debug)]
pub struct RunPatience {
    budget: Budget,
}

/// A wait that there is no time left for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfPatience {
    /// How long it would have been.
    pub wait: Duration,
    /// Whose budget, and how much it had in all.
    pub budget: Duration,
    /// Whether it is that of the whole run.
    pub is_run: bool,
}

#[derive(Debug)]
struct Budget {
    limit: Duration,
    spent: Mutex<Spent>,
}

#[derive(Debug, Default)]
struct Spent {
    total: Duration,
    /// The end of the last wait that is counted in.
    until: Option<Instant>,
}

task_local! {
    static CURRENT: Arc<Patience>;
}

impl Default for RetryPolicy {
    /// 8 tries, and 5 minutes of waiting.
    fn default() -> Self {
        Self { max: 8, budget: Duration::from_mins(5) }
    }
}

impl RunPatience {
    /// A run waits as long as this many of its steps may.
    pub const STEPS: u32 = 6;

    /// The patience of a run whose steps have `policy` where they do not say otherwise.
    pub fn new(policy: RetryPolicy) -> Arc<Self> {
        Arc::new(Self { budget: Budget::new(policy.budget.saturating_mul(Self::STEPS)) })
    }
}

impl Patience {
    /// The patience of a step of that run, which tells `progress` of every try.
    pub fn new(policy: RetryPolicy, run: &Arc<RunPatience>, progress: Option<Progress>) -> Arc<Self> {
        let step = Budget::new(policy.budget);
        Arc::new(Self {
            policy,
            step,
            run: Arc::clone(run),
            progress,
            trips: RoundTrips::default(),
            told: Mutex::default(),
        })
    }

    /// Runs `future` with this patience.
    pub async fn scope<F: Future>(self: Arc<Self>, future: F) -> F::Output {
        CURRENT.scope(self, future).await
    }

    /// That of whoever asks; by default one of nobody in particular.
    pub fn current() -> Arc<Self> {
        let current = CURRENT.try_with(Arc::clone);
        current.unwrap_or_else(|_| {
            let policy = RetryPolicy::default();
            Self::new(policy, &RunPatience::new(policy), None)
        })
    }

    /// The step that has it, where one has.
    pub fn step(&self) -> Option<&StepId> {
        self.progress.as_ref().map(Progress::step)
    }

    /// What its requests wait for.
    pub const fn trips(&self) -> &RoundTrips {
        &self.trips
    }

    /// Tries of one request.
    pub const fn max(&self) -> u32 {
        self.policy.max
    }

    /// Takes a wait of that length, beginning now, out of the budgets.
    pub fn take(&self, wait: Duration) -> Result<(), OutOfPatience> {
        let now = Instant::now();
        let out = |budget: Duration, is_run| OutOfPatience { wait, budget, is_run };
        if !self.step.has(now, wait) {
            return Err(out(self.step.limit, false));
        }
        if !self.run.budget.has(now, wait) {
            return Err(out(self.run.budget.limit, true));
        }
        self.step.spend(now, wait);
        self.run.budget.spend(now, wait);
        Ok(())
    }

    /// Says that `request` failed with `error`, and is tried again after `wait`.
    pub fn tell(&self, request: &str, error: &str, attempt: u32, wait: Duration) {
        self.told_until(Instant::now() + wait);
        if let Some(progress) = &self.progress {
            let step = progress.step().clone();
            progress.send(Event::StepRetried { step, attempt, wait, request: request.into(), error: error.into() });
        }
    }

    /// Says that `request` was answered with `answer`.
    pub fn tell_of_answer(&self, request: impl FnOnce() -> String, answer: &dyn Display, elapsed: Duration) {
        if let Some(progress) = &self.progress {
            let (step, request, answer) = (progress.step().clone(), request().into(), answer.to_string().into());
            progress.send(Event::Requested { step, request, answer, elapsed });
        }
    }

    /// Says, once for each such time, that the step waits although nothing of its own has failed.
    pub fn tell_of_peace(&self, registry: &str, until: Instant) {
        let is_known = self.told_until(until);
        if let Some(progress) = self.progress.as_ref().filter(|_| !is_known) {
            let wait = crate::text::duration(until.saturating_duration_since(Instant::now()));
            progress.warn(format!("waiting {wait}: {registry} asks everybody to wait"));
        }
    }

    /// Whether it was said before that the step waits about that long.
    fn told_until(&self, until: Instant) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = told.is_some_and(|told| told + Duration::from_secs(1) >= until);
        *told = (*told).max(Some(until));
        is_known
    }
}

/// `future` with the patience of whoever calls this, for a task of its own.
pub fn carried<F: Future>(future: F) -> impl Future<Output = F::Output> {
    Patience::current().scope(future)
}

impl Budget {
    fn new(limit: Duration) -> Self {
        Self { limit, spent: Mutex::default() }
    }

    fn has(&self, now: Instant, wait: Duration) -> bool {
        let spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.total.saturating_add(spent.fresh(now, wait)) <= self.limit
    }

    fn spend(&self, now: Instant, wait: Duration) {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.total = spent.total.saturating_add(spent.fresh(now, wait));
        spent.until = spent.until.max(Some(now + wait));
    }
}

impl Spent {
    /// How much of a wait that begins now is not counted in yet.
    fn fresh(&self, now: Instant, wait: Duration) -> Duration {
        let counted = self.until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        wait.saturating_sub(counted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn patience(seconds: u32) -> Arc<Patience> {
        let policy = RetryPolicy { max: 3, budget: SECOND * seconds };
        Patience::new(policy, &RunPatience::new(policy), None)
    }

    #[tokio::test(start_paused = true)]
    async fn waits_beside_each_other_count_once() {
        let patience = patience(10);
        for _ in 0..8 {
            patience.take(SECOND * 6).unwrap();
        }
        tokio::time::advance(SECOND * 4).await;
        // Two of these are counted in already.
        patience.take(SECOND * 6).unwrap();
        let error = patience.take(SECOND * 7).unwrap_err();
        assert_eq!(error, OutOfPatience { wait: SECOND * 7, budget: SECOND * 10, is_run: false });
        // Who gives up has not waited.
        patience.take(SECOND * 6).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_has_a_budget_of_its_own() {
        let policy = RetryPolicy { max: 3, budget: SECOND * 10 };
        let run = RunPatience::new(policy);
        let mut waited = 0;
        let error = loop {
            match Patience::new(policy, &run, None).take(SECOND * 10) {
                Ok(()) => waited += 1,
                Err(error) => break error,
            }
            tokio::time::advance(SECOND * 10).await;
        };
        assert_eq!((waited, error.is_run, error.budget), (RunPatience::STEPS, true, SECOND * 60));
    }

    #[tokio::test]
    async fn a_task_of_its_own_takes_it_along() {
        let mine = patience(1);
        let (bare, carried) = Arc::clone(&mine)
            .scope(async {
                let bare = tokio::spawn(async { Patience::current() });
                let carried = tokio::spawn(carried(async { Patience::current() }));
                (bare.await.unwrap(), carried.await.unwrap())
            })
            .await;
        assert!(!Arc::ptr_eq(&bare, &mine) && Arc::ptr_eq(&carried, &mine));
    }
}
