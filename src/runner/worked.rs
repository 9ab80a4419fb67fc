use std::collections::BTreeMap;

use super::earlier::EndedWell;
use crate::{
    event::Fingerprint,
    oci::Digest,
    output::Output,
    program::FingerprintDraft,
    step::{Done, Step, StepContext, StepError, Thing},
};

/// What a task comes back with.
pub(super) struct Worked {
    /// How the step ended.
    pub(super) done: Result<Done, StepError>,
    /// As far as the task could know it.
    pub(super) fingerprint: Option<Fingerprint>,
    /// Where an earlier run knew the step: whether it was taken over, and why or why not.
    pub(super) resumed: Option<(bool, String)>,
}

/// Lets a step work, and reads its files beside it.
pub(super) async fn work(
    run: impl Future<Output = Result<Done, StepError>>,
    draft: Option<FingerprintDraft>,
) -> Worked {
    let (done, fingerprint) = tokio::join!(run, read(draft));
    Worked { done, fingerprint, resumed: None }
}

/// Takes over what an earlier run did, or lets the step work.
pub(super) async fn work_or_take_over(
    step: &dyn Step,
    cx: &StepContext,
    run: impl Future<Output = Result<Done, StepError>>,
    draft: Option<FingerprintDraft>,
    earlier: &EndedWell,
    before: BTreeMap<String, Digest>,
) -> Worked {
    let now = read(draft).await.map(|fingerprint| Fingerprint { before, ..fingerprint });
    let because = match &now {
        None => Some("what it reads cannot be read".to_owned()),
        Some(now) => match earlier.fingerprint.difference(now) {
            Some(difference) => Some(difference),
            None => missing(step, cx, &earlier.output, &earlier.overwritten).await,
        },
    };
    if let Some(because) = because {
        Worked { done: run.await, fingerprint: now, resumed: Some((false, because)) }
    } else {
        let output = Output::clone(&earlier.output);
        let done = Ok(Done { outcome: earlier.outcome.clone(), output });
        Worked { done, fingerprint: now, resumed: Some((true, "it ended well before".to_owned())) }
    }
}

async fn missing(step: &dyn Step, cx: &StepContext, output: &Output, overwritten: &[Thing]) -> Option<String> {
    let is_overwritten = |thing: &Thing| overwritten.iter().any(|over| over.overlaps(thing));
    match step.missing(cx, output, &is_overwritten).await {
        Ok(missing) => missing,
        // What cannot be asked is asked again by the step, which says what is wrong.
        Err(error) => Some(format!("what it made cannot be looked for: {error}")),
    }
}

/// Reads the files that a step reads, beside it.
async fn read(draft: Option<FingerprintDraft>) -> Option<Fingerprint> {
    let draft = draft?;
    tokio::task::spawn_blocking(|| draft.read()).await.ok().flatten()
}
