use std::{collections::BTreeMap, io, sync::Arc};

use tokio::sync::mpsc;

use super::{Moved, Preview, RepositoryPreview, StepPreview, Verdict, unknown::unknown};
use crate::{
    event::{Change, Event, Finished, Outcome, Rehearsed, Summary},
    oci::{Reference, Repository, Target},
    program::Program,
    report::Reporter,
    runner::{self, RunOptions},
    step::{Mode, Pins, Rehearsing},
    store::{Rehearsal, Stores, registry::Registries},
};

/// Finds out what a run of `program` would change, `jobs` steps at a time. The summary says how that went: what would fail
/// in the run fails here. `pins` say where tags point, as far as that is not to be asked, and afterwards where they pointed.
pub async fn preview(
    program: &Program,
    registries: Registries,
    jobs: usize,
    epoch: Option<u64>,
    pins: &Arc<Pins>,
    interrupts: mpsc::UnboundedReceiver<()>,
) -> (Preview, Arc<Summary>) {
    let unknown = unknown(program);
    let program = program.without(unknown.keys().copied());
    let rehearsal = Arc::new(Rehearsal::preview(registries));
    let options = RunOptions {
        stores: Arc::new(Stores::rehearse(Arc::clone(&rehearsal))),
        mode: Mode::Rehearsal(Rehearsing { exec: false, secrets: false, preview: true }),
        jobs,
        // Each mistake is shown, and what is unknown holds nothing back.
        keep_going: true,
        skip_gates: true,
        fingerprints: false,
        earlier: None,
        pins: Arc::clone(pins),
        epoch,
    };
    let summary = runner::run(&program, &options, &mut Silent, interrupts).await.summary;
    let step = |finished: &Finished| {
        let changes = rehearsal.changes_of(finished.step.name());
        describe(&program, finished, &unknown, changes)
    };
    let preview = Preview {
        consign_plan: Preview::VERSION,
        plan: program.name().to_string(),
        steps: summary.steps.iter().map(step).collect(),
        repositories: summary.rehearsed.as_ref().map(repositories).unwrap_or_default(),
    };
    (preview, summary)
}

struct Silent;

impl Reporter for Silent {
    fn report(&mut self, _: &Event) -> io::Result<()> {
        Ok(())
    }
}

fn describe(
    program: &Program,
    finished: &Finished,
    unknown: &BTreeMap<usize, String>,
    changes: Vec<(Repository, Change)>,
) -> StepPreview {
    let at = finished.step.index();
    let (change, because) = match (&finished.outcome, unknown.get(&at)) {
        (_, Some(because)) => (Verdict::Unknown, Some(because.clone())),
        (Outcome::Created, _) => (Verdict::Create, None),
        (Outcome::Updated, _) => (Verdict::Update, None),
        (Outcome::Unchanged, _) => (Verdict::Unchanged, None),
        (Outcome::Deleted, _) => (Verdict::Delete, None),
        (Outcome::Passed, _) => (Verdict::Read, None),
        (Outcome::Skipped { because }, _) => (Verdict::Skip, Some(because.to_string())),
        (Outcome::Blocked { by }, _) => (Verdict::Fail, Some(format!("`{by}` fails"))),
        (Outcome::Failed(failure), _) => (Verdict::Fail, Some(failure.message.clone())),
        (Outcome::Cancelled, _) => (Verdict::Fail, Some("interrupted".to_owned())),
    };
    let mut step = StepPreview {
        step: finished.step.name().to_owned(),
        kind: program.steps().get(at).map_or("", |planned| planned.kind.name).to_owned(),
        change,
        because,
        about: finished.output.as_ref().and_then(|output| output.shown().map(str::to_owned)),
        digest: finished.output.as_ref().and_then(|output| output.digest()),
        tags: Vec::new(),
        deletes: Vec::new(),
    };
    for (repository, Change { target, before, after }) in changes {
        let repository = program.places().shown(&repository);
        match target {
            Target::Tag(tag) => {
                let tag = Reference::by_tag(repository, tag).to_string();
                step.tags.push(Moved { tag, before, after });
            }
            Target::Digest(digest) => step.deletes.push(Reference::by_digest(repository, digest).to_string()),
        }
    }
    step
}

fn repositories(rehearsed: &Rehearsed) -> Vec<RepositoryPreview> {
    let each = rehearsed.repositories.iter().map(|it| {
        let mut repository = RepositoryPreview {
            repository: it.repository.to_string(),
            rights: it.rights.words().into_iter().map(str::to_owned).collect(),
            creates: Vec::new(),
            deletes: Vec::new(),
        };
        for change in &it.changes {
            match (&change.target, &change.after) {
                (Target::Digest(digest), Some(_)) => repository.creates.push(digest.clone()),
                (Target::Digest(digest), None) if change.before.is_some() => repository.deletes.push(digest.clone()),
                _ => {}
            }
        }
        repository
    });
    each.collect()
}
