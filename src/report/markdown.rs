//! A run as a page in Markdown: a table of all steps, what failed and why, what changed where, what was printed.

use super::record::{Place, Record, StepRecord, changed};
use crate::{event::Failure, text};

/// More steps than this have a table without those that neither changed nor failed.
const LISTED: usize = 500;

/// The page.
pub(super) fn draw(record: &Record) -> String {
    let elapsed = text::duration(record.elapsed());
    let mut page = format!("### {}: {} in {elapsed}\n\n", cell(&record.plan), record.counts());
    if record.taken_over() > 0 {
        page.extend([&text::count(record.taken_over(), "step"), " taken over from an earlier run.\n\n"]);
    }
    page += &steps(record);
    page += &failures(record);
    page += &changes(record);
    page += &outputs(record);
    page += &remarks(record);
    let printed: String = record.steps.iter().map(|step| step.printed.as_str()).collect();
    if !printed.is_empty() {
        let printed = text::safe_lines(&printed);
        let fence = fence(&printed);
        page.extend(["\n", &fence, "text\n", &printed, &fence, "\n"]);
    }
    page
}

fn steps(record: &Record) -> String {
    let is_told = |step: &&StepRecord| {
        record.steps.len() <= LISTED
            || step.outcome.as_ref().is_none_or(|outcome| outcome.is_change() || !outcome.is_success())
    };
    let mut table = String::from("| outcome | step | kind | | time |\n| --- | --- | --- | --- | --: |\n");
    let mut listed = 0;
    for step in record.steps.iter().filter(is_told) {
        listed += 1;
        let is_taken_over = step.resumed.as_ref().is_some_and(|resumed| resumed.taken_over);
        let word = if is_taken_over { format!("{}, taken over", step.word()) } else { step.word().to_owned() };
        let cells = [word.as_str(), &cell(step.id.name()), &cell(&step.kind), &cell(&step.detail()), &step.time()];
        table.extend(["| ", &cells.join(" | "), " |\n"]);
    }
    if listed < record.steps.len() {
        let steps = text::count(record.steps.len() - listed, "step");
        table.extend(["\n", &steps, " that changed nothing are left out.\n"]);
    }
    table
}

fn failures(record: &Record) -> String {
    let unsettled = record.summary.iter().filter_map(|summary| Some(("the end", summary.unsettled.as_ref()?)));
    let failed = record.steps.iter().filter_map(|step| Some((step.id.name(), step.failure()?)));
    let mut list = String::new();
    for (name, failure) in failed.chain(unsettled) {
        list.extend(["- **", &cell(name), "**: ", &cell(&failure.message), "\n"]);
        list.extend(details(failure).into_iter().flat_map(|line| ["  - ".to_owned(), line, "\n".to_owned()]));
    }
    section("Failed", &list)
}

fn details(failure: &Failure) -> Vec<String> {
    let place = failure.place.iter().map(|place| format!("at {}", cell(&place.to_string())));
    let notes = failure.notes.iter().map(|note| cell(note));
    let help = failure.help.iter().map(|help| format!("help: {}", cell(help)));
    place.chain(notes).chain(help).collect()
}

fn changes(record: &Record) -> String {
    let mut list = String::new();
    for (place, changes) in changed(record) {
        let place = match &place {
            Place::Repository(repository) => cell(repository),
            Place::Elsewhere => "files".to_owned(),
        };
        list.extend(["- ", &place, "\n"]);
        for change in changes {
            let tag = change.tag.map(|tag| format!(", tag {}", cell(tag))).unwrap_or_default();
            list.extend(["  - ", change.outcome.word(), " ", &cell(&change.what), &tag, "\n"]);
        }
    }
    section("Changed", &list)
}

fn outputs(record: &Record) -> String {
    let outputs = record.summary.iter().flat_map(|summary| &summary.outputs);
    let row = |(name, value): (&String, &serde_json::Value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("- {}: {}\n", cell(name), cell(&value))
    };
    section("Outputs", &outputs.map(row).collect::<String>())
}

fn remarks(record: &Record) -> String {
    let mut list = String::new();
    for step in &record.steps {
        let again = step.resumed.iter().filter(|resumed| !resumed.taken_over).map(super::record::Resumed::line);
        let retries = step.retries.iter().map(super::record::Retry::line);
        let lines = step.warnings.iter().cloned().chain(again).chain(retries);
        list.extend(lines.map(|line| format!("- {}: {}\n", cell(step.id.name()), cell(&line))));
    }
    section("Warnings and retries", &list)
}

fn section(heading: &str, content: &str) -> String {
    if content.is_empty() { String::new() } else { format!("\n#### {heading}\n\n{content}") }
}

/// Text that Markdown takes as text, in one line.
pub(super) fn cell(text: &str) -> String {
    let mut cell = String::new();
    for char in text::safe_line(text).chars() {
        // A backslash before `://` keeps pages from turning what a registry said into links.
        if matches!(char, '\\' | '|' | '<' | '>' | '&' | '`' | '*' | '_' | '[' | ']' | '#' | '~' | '!' | '@' | '$') {
            cell.push('\\');
        }
        cell.push(char);
    }
    cell
}

/// More backticks than stand anywhere in `text`, and at least three.
fn fence(text: &str) -> String {
    let longest = text.split(|char| char != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn every_event() {
        insta::assert_snapshot!(draw(&testing::record()));
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        assert_eq!(["a", "`` a", "a ````"].map(fence), ["```", "```", "`````"]);
    }

    #[test]
    fn a_cell_is_text() {
        assert_eq!(cell("<b> | [a](b) @all `x`\n$1$"), "\\<b\\> \\| \\[a\\](b) \\@all \\`x\\`\\\\n\\$1\\$");
    }

    #[test]
    fn of_very_many_steps_those_that_did_something_are_listed() {
        let mut record = testing::many(600);
        let page = draw(&record);
        assert!(page.contains("\n599 steps that changed nothing are left out.\n"), "{page}");
        record.steps.truncate(500);
        assert_eq!(draw(&record).lines().filter(|line| line.starts_with("| unchanged | ")).count(), 499);
    }
}
