//! Parts of the page that need no drawing: lists and tables.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::Value;

use super::{copied, escape};
use crate::{
    event::{Failure, FailureKind, Node, Rehearsed},
    oci::Target,
    report::record::{Place, Record, StepRecord, changed},
    text,
};

/// How many steps before a join are named.
const NAMED: usize = 6;

/// What went wrong, with what was found and what can be done.
pub(super) fn failures(record: &Record) -> String {
    let mut drawn = String::new();
    for step in &record.steps {
        let Some(failure) = step.failure() else { continue };
        let held = record.steps.iter().filter(|other| is_blocked_by(other, step)).count();
        let held = if held == 0 { String::new() } else { format!("blocks {}", text::count(held, "step")) };
        let time = if step.started.is_some() { format!("after {}", step.time()) } else { String::new() };
        let facts = [step.kind.as_str(), &time, &held];
        let heading = format!("<a href=\"#s{}\">{}</a>", step.id.index(), escape::line(step.id.name()));
        let retries: Vec<_> = step.retries.iter().map(super::super::record::Retry::line).collect();
        drawn += &failed(&heading, &facts, failure, &retries);
    }
    if let Some(failure) = record.summary.iter().find_map(|summary| summary.unsettled.as_ref()) {
        drawn += &failed("the end of the run", &[], failure, &[]);
    }
    drawn
}

fn is_blocked_by(step: &StepRecord, failed: &StepRecord) -> bool {
    matches!(&step.outcome, Some(crate::event::Outcome::Blocked { by }) if *by == failed.id)
}

fn failed(heading: &str, facts: &[&str], failure: &Failure, retries: &[String]) -> String {
    let kind = match failure.kind {
        FailureKind::Step => "",
        FailureKind::Gate => "a gate that said no",
        FailureKind::Temporary => "may pass",
        FailureKind::Tolerated => "does not count, as the plan says",
        FailureKind::Finally => "in finally",
    };
    let facts: Vec<_> = facts.iter().chain([&kind]).filter(|fact| !fact.is_empty()).copied().collect();
    let mut drawn = format!(
        "<article class=\"failed\"><h3>{heading} <small>{}</small></h3><p>{}</p>\n",
        escape::line(&facts.join(" · ")),
        escape::lines(&failure.message)
    );
    if let Some(place) = &failure.place {
        drawn.extend(["<p class=\"place\">", &copied(&place.to_string(), &place.to_string()), "</p>\n"]);
    }
    for (class, lines) in [("note", failure.notes.as_slice()), ("again", retries), ("help", failure.help.as_slice())] {
        if !lines.is_empty() {
            let items: String =
                lines.iter().flat_map(|line| ["<li>".to_owned(), escape::line(line), "</li>".to_owned()]).collect();
            drawn.extend(["<ul class=\"", class, "\">", &items, "</ul>\n"]);
        }
    }
    drawn + "</article>\n"
}

/// Every step, in file order.
pub(super) fn steps(record: &Record) -> String {
    let mut drawn = String::from(
        "<div class=\"scroll\"><table class=\"steps\"><thead><tr><th>outcome</th><th>step</th><th>kind</th><th>what</th>\
         <th class=\"number\">time</th><th class=\"number\">moved</th><th class=\"number\">retries</th></tr></thead><tbody>\n",
    );
    for step in &record.steps {
        let moved: u64 = step.transfers.iter().map(|transfer| transfer.moved).sum();
        let moved = if moved == 0 { String::new() } else { text::bytes(moved) };
        let retries = if step.retries.is_empty() { String::new() } else { step.retries.len().to_string() };
        let detail = step.detail();
        let is_reference = step.outcome.as_ref().is_some_and(crate::event::Outcome::is_success) && !detail.is_empty();
        let mut what = if is_reference { copied(&detail, &detail) } else { escape::line(&detail) };
        if let Some(resumed) = &step.resumed {
            what.extend(["<p class=\"resumed\">", &escape::line(&resumed.line()), "</p>"]);
        }
        for warning in &step.warnings {
            what.extend(["<p class=\"warning\">", &escape::line(warning), "</p>"]);
        }
        if !step.printed.is_empty() {
            let printed = escape::lines(&step.printed);
            what.extend(["<details><summary>printed</summary><pre>", &printed, "</pre></details>"]);
        }
        let _ = writeln!(
            drawn,
            "<tr id=\"s{0}\" class=\"{1}\" data-step=\"{0}\"><td><span class=\"word\">{1}</span></td><td class=\"id\">{2}</td>\
             <td>{3}</td><td class=\"what\">{what}</td><td class=\"number\">{4}</td><td class=\"number\">{moved}</td>\
             <td class=\"number\">{retries}</td></tr>",
            step.id.index(),
            step.word(),
            escape::line(step.id.name()),
            escape::line(&step.kind),
            step.time(),
        );
    }
    drawn + "</tbody></table></div>\n"
}

/// Why each step waits for others.
pub(super) fn reasons(record: &Record) -> String {
    let mut into_joins: BTreeMap<usize, Vec<&Node>> = BTreeMap::new();
    for edge in &record.edges {
        if let Node::Join(number) = edge.to {
            into_joins.entry(number).or_default().push(&edge.from);
        }
    }
    let mut edges: Vec<_> = record.edges.iter().filter_map(|edge| Some((of_step(&edge.to)?, edge))).collect();
    if edges.is_empty() {
        return String::new();
    }
    edges.sort_by_key(|(step, _)| *step);
    let mut drawn = String::from(
        "<div class=\"scroll\"><table class=\"reasons\"><thead><tr><th>step</th><th>waits for</th><th>why</th></tr></thead><tbody>\n",
    );
    for (_, edge) in edges {
        let reasons: Vec<_> = edge.reasons.iter().map(|reason| escape::line(&reason.text)).collect();
        let _ = writeln!(
            drawn,
            "<tr><td class=\"id\">{}</td><td class=\"id\">{}</td><td>{}</td></tr>",
            escape::line(&edge.to.to_string()),
            escape::line(&named(&edge.from, &into_joins)),
            reasons.join("<br>")
        );
    }
    drawn + "</tbody></table></div>\n"
}

const fn of_step(node: &Node) -> Option<usize> {
    match node {
        Node::Step(step) => Some(step.index()),
        Node::Join(_) => None,
    }
}

/// The step, or all those that a join stands for.
fn named(node: &Node, into_joins: &BTreeMap<usize, Vec<&Node>>) -> String {
    let mut waiting = vec![node];
    let mut seen = std::collections::BTreeSet::new();
    let mut steps = Vec::new();
    while let Some(node) = waiting.pop() {
        match node {
            Node::Step(step) => steps.push(step),
            Node::Join(number) if seen.insert(*number) => waiting.extend(into_joins.get(number).into_iter().flatten()),
            Node::Join(_) => {}
        }
    }
    steps.sort_unstable();
    steps.dedup();
    let more = steps.len().saturating_sub(NAMED);
    let mut shown: Vec<_> = steps.iter().take(NAMED).map(ToString::to_string).collect();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    shown.join(", ")
}

/// What changed, by repository.
pub(super) fn changes(record: &Record) -> String {
    let mut drawn = String::new();
    for (place, changes) in changed(record) {
        let place = match &place {
            Place::Repository(repository) => copied(repository, repository),
            Place::Elsewhere => "files".to_owned(),
        };
        drawn.extend(["<h3>", &place, "</h3>\n<ul class=\"changes\">\n"]);
        for change in changes {
            let tag = change.tag.map(|tag| format!("<b class=\"tag\">{}</b> ", escape::line(tag))).unwrap_or_default();
            let (word, index) = (change.outcome.word(), change.step.id.index());
            let _ = writeln!(
                drawn,
                "<li class=\"{word}\"><span class=\"word\">{word}</span> {tag}{} <a href=\"#s{index}\">{}</a></li>",
                copied(&change.what, &change.what),
                escape::line(change.step.id.name()),
            );
        }
        drawn += "</ul>\n";
    }
    drawn
}

/// The plan's outputs.
pub(super) fn outputs(record: &Record) -> String {
    let outputs: Vec<_> = record.summary.iter().flat_map(|summary| &summary.outputs).collect();
    if outputs.is_empty() {
        return String::new();
    }
    let mut drawn = String::from("<div class=\"scroll\"><table><tbody>\n");
    for (name, value) in outputs {
        let value = value.as_str().map_or_else(|| Value::to_string(value), str::to_owned);
        let _ =
            writeln!(drawn, "<tr><td class=\"id\">{}</td><td>{}</td></tr>", escape::line(name), copied(&value, &value));
    }
    drawn + "</tbody></table></div>\n"
}

/// What a real run would do.
pub(super) fn rehearsed(rehearsed: &Rehearsed) -> String {
    let mut drawn = String::from(
        "<div class=\"scroll\"><table><thead><tr><th>repository</th><th>needs</th><th>would</th></tr></thead><tbody>\n",
    );
    for it in &rehearsed.repositories {
        let rights = if it.repository.is_registry() { it.rights.words().join(", ") } else { String::new() };
        let changes = it.changes.iter().map(|change| {
            let what = match &change.target {
                Target::Tag(tag) => format!("<b class=\"tag\">{}</b>", escape::line(tag.as_str())),
                Target::Digest(digest) => copied(&digest.to_string(), &digest.to_string()),
            };
            let digests = [&change.before, &change.after]
                .into_iter()
                .flatten()
                .filter(|_| matches!(change.target, Target::Tag(_)));
            let digests: Vec<_> = digests.map(|digest| copied(digest.short(), &digest.to_string())).collect();
            format!("<li>{} {what} {}</li>", change.verb(), digests.join(" → "))
        });
        let _ = writeln!(
            drawn,
            "<tr><td class=\"id\">{}</td><td>{rights}</td><td><ul class=\"plain\">{}</ul></td></tr>",
            escape::line(&it.repository.to_string()),
            changes.collect::<String>()
        );
    }
    drawn += "</tbody></table></div>\n";
    if !rehearsed.faults.is_empty() {
        let faults = rehearsed.faults.iter().map(|fault| {
            format!(
                "<li><code>{}</code> came about {} of {}</li>",
                escape::line(&fault.spec),
                fault.injected,
                text::count(fault.wanted as usize, "time")
            )
        });
        let faults: String = faults.collect();
        drawn.extend([
            "<p>Faults, which cost ",
            &text::count(usize::try_from(rehearsed.tries).unwrap_or(usize::MAX), "more try").replace("trys", "tries"),
            ":</p><ul>",
            &faults,
            "</ul>\n",
        ]);
    }
    drawn
}
