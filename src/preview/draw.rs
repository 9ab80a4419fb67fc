use super::{Moved, Preview, StepPreview, Verdict};
use crate::{oci::Digest, table, text};

/// What would change, for people: a line for each step with what it moves and deletes, what it takes to run it, and how
/// much it is.
pub fn draw(preview: &Preview) -> String {
    let steps: Vec<_> = preview.steps.iter().flat_map(rows).collect();
    let mut drawn = table::draw(&[], &steps);
    let needs: Vec<_> =
        preview.repositories.iter().map(|it| vec![it.repository.clone(), it.rights.join(", ")]).collect();
    if !needs.is_empty() {
        drawn += "\n";
        drawn += &table::draw(&["in", "needs"], &needs);
    }
    let counts = Verdict::ALL.iter().filter_map(|verdict| {
        let count = preview.steps.iter().filter(|step| step.change == *verdict).count();
        (count > 0).then(|| format!("{count} {}", verdict.word()))
    });
    let counts: Vec<_> = counts.collect();
    drawn.extend(["\n", &*text::safe_line(&preview.plan), ": ", &counts.join(", "), "\n"]);
    drawn
}

fn rows(step: &StepPreview) -> Vec<Vec<String>> {
    let mut about: Vec<String> = step.because.iter().chain(&step.about).cloned().collect();
    about.extend(step.tags.iter().map(tag));
    about.extend(step.deletes.iter().map(|gone| format!("deletes {gone}")));
    let mut rows = Vec::new();
    let first = about.first().cloned().unwrap_or_default();
    rows.push(vec![step.change.word().to_owned(), step.step.clone(), first]);
    rows.extend(about.into_iter().skip(1).map(|line| vec![String::new(), String::new(), line]));
    rows
}

fn tag(moved: &Moved) -> String {
    let short = |digest: &Digest| format!("{}:{}", digest.algorithm(), digest.short());
    match (&moved.before, &moved.after) {
        (Some(before), Some(after)) => format!("{}: {} → {}", moved.tag, short(before), short(after)),
        (None, Some(after)) => format!("{}: → {}", moved.tag, short(after)),
        (Some(before), None) => format!("{}: {} → gone", moved.tag, short(before)),
        (None, None) => moved.tag.clone(),
    }
}
