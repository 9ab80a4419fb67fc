use super::{Moved, Preview, StepPreview, Verdict};
use crate::oci::Digest;

/// What `now` would do that `approved` does not allow, a line each. Who does less than was approved needs no new approval:
/// a run that failed half way may go on.
pub fn exceeds(approved: &Preview, now: &Preview) -> Vec<String> {
    let mut differences = Vec::new();
    for step in &now.steps {
        match approved.steps.iter().find(|other| other.step == step.step) {
            Some(other) => exceeds_step(other, step, &mut differences),
            None if step.change == Verdict::Skip => {}
            None => differences.push(format!("`{}` is not among the steps that were approved", step.step)),
        }
    }
    for gone in approved.steps.iter().filter(|other| !now.steps.iter().any(|step| step.step == other.step)) {
        differences.push(format!("`{}` was approved, and is not in the plan any more", gone.step));
    }
    for repository in &now.repositories {
        let other = approved.repositories.iter().find(|other| other.repository == repository.repository);
        let creates = other.map_or(&[][..], |other| &other.creates);
        let deletes = other.map_or(&[][..], |other| &other.deletes);
        let name = &repository.repository;
        let unapproved = |all: &[Digest], approved: &[Digest]| -> Vec<Digest> {
            all.iter().filter(|digest| !approved.contains(digest)).cloned().collect()
        };
        for digest in unapproved(&repository.creates, creates) {
            // A step that was found to differ says more.
            if !now.steps.iter().any(|step| step.digest.as_ref() == Some(&digest)) {
                differences.push(format!("{name}: {digest} would come, which was not approved"));
            }
        }
        for digest in unapproved(&repository.deletes, deletes) {
            differences.push(format!("{name}: {digest} would go, which was not approved"));
        }
    }
    differences
}

fn exceeds_step(approved: &StepPreview, now: &StepPreview, differences: &mut Vec<String>) {
    let id = &now.step;
    let mut differ = |what: String| differences.push(format!("`{id}` {what}"));
    if now.kind != approved.kind {
        return differ(format!("is of kind `{}`, and was `{}`", now.kind, approved.kind));
    }
    if now.change == Verdict::Skip {
        return;
    }
    if let (Some(digest), Some(was)) = (&now.digest, &approved.digest)
        && digest != was
    {
        return differ(format!("would bring {digest}, and {was} was approved"));
    }
    if now.change == Verdict::Fail && approved.change != Verdict::Fail {
        return differ(format!("would fail: {}", now.because.as_deref().unwrap_or_default()));
    }
    if now.change.is_pending() && now.change != approved.change {
        return differ(format!("would {}, and `{}` was approved", verb(now.change), approved.change.word()));
    }
    for moved in now.tags.iter().filter(|moved| !approved.tags.contains(moved)) {
        match approved.tags.iter().find(|other| other.tag == moved.tag) {
            Some(other) => differ(format!("would move {}, and {} was approved", way(moved), way(other))),
            None => differ(format!("would move {}, which was not approved", way(moved))),
        }
    }
    for gone in now.deletes.iter().filter(|gone| !approved.deletes.contains(gone)) {
        differ(format!("would delete {gone}, which was not approved"));
    }
}

const fn verb(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Unknown => "do what is not known yet",
        verdict => verdict.word(),
    }
}

/// From where to where a tag moves.
pub(super) fn way(moved: &Moved) -> String {
    let name = |digest: &Option<Digest>| digest.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
    format!("{} from {} to {}", moved.tag, name(&moved.before), name(&moved.after))
}
