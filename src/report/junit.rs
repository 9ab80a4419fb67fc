//! A run as `JUnit` XML, which most build servers read: the plan is a suite, each step a case.
//!
//! There is no one schema. What is written here fits the one that Jenkins holds files to (`junit-10.xsd` of its xUnit
//! plugin), which is that of Maven's Surefire with retries. A gate that said no is a failure, everything else that went wrong
//! an error; a step that was blocked, skipped or never started is skipped, with the reason, and so is one whose failure does
//! not count.

use std::{io, time::Duration};

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesText, Event as Xml},
    writer::ElementWriter,
};

use super::{
    json::timestamp,
    record::{Record, StepRecord},
};
use crate::{
    event::{Failure, FailureKind, Outcome},
    text,
};

type Out = Writer<Vec<u8>>;

/// The document.
pub(super) fn draw(record: &Record) -> io::Result<String> {
    let mut out = Writer::new_with_indent(Vec::new(), b' ', 2);
    out.write_event(Xml::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let unsettled = record.summary.as_ref().and_then(|summary| summary.unsettled.as_ref());
    let failures = record.steps.iter().filter(|step| !is_skipped(step)).filter_map(StepRecord::failure);
    let failures: Vec<_> = failures.chain(unsettled).collect();
    let gates = failures.iter().filter(|failure| failure.kind == FailureKind::Gate).count();
    let unfinished = record.steps.iter().filter(|step| step.outcome.is_none()).count();
    let skipped = record.steps.iter().filter(|step| is_skipped(step)).count();
    let counts = [
        ("name", attribute(&record.plan)),
        ("tests", (record.steps.len() + usize::from(unsettled.is_some())).to_string()),
        ("failures", gates.to_string()),
        ("errors", (failures.len() - gates + unfinished).to_string()),
        ("time", seconds(record.elapsed())),
    ];
    with(out.create_element("testsuites"), &counts).write_inner_content(|out| {
        let suite = with(out.create_element("testsuite"), &counts).with_attribute(("skipped", &*skipped.to_string()));
        let at = record.at.map(timestamp);
        let suite = suite.with_attributes(at.iter().map(|at| ("timestamp", at.as_str())));
        suite.write_inner_content(|out| {
            properties(out, record)?;
            record.steps.iter().try_for_each(|step| case(out, record, step))?;
            unsettled.map_or(Ok(()), |failure| {
                let case = out.create_element("testcase").with_attribute(("name", "everything attached is listed"));
                let case = case.with_attribute(("classname", &*attribute(&record.plan)));
                case.write_inner_content(|out| failed(out, failure)).map(drop)
            })
        })?;
        Ok(())
    })?;
    let mut bytes = out.into_inner();
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(io::Error::other)
}

/// The plan's outputs.
fn properties(out: &mut Out, record: &Record) -> io::Result<()> {
    let outputs: Vec<_> = record.summary.iter().flat_map(|summary| &summary.outputs).collect();
    if outputs.is_empty() {
        return Ok(());
    }
    out.create_element("properties").write_inner_content(|out| {
        outputs.iter().try_for_each(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            with(out.create_element("property"), &[("name", attribute(name)), ("value", attribute(&value))])
                .write_empty()
                .map(drop)
        })
    })?;
    Ok(())
}

fn case(out: &mut Out, record: &Record, step: &StepRecord) -> io::Result<()> {
    let class = format!("{}.{}", attribute(&record.plan), attribute(&step.kind));
    let attributes = [("name", attribute(step.id.name())), ("classname", class), ("time", seconds(step.elapsed))];
    let is_empty = step.failure().is_none()
        && !is_skipped(step)
        && step.outcome.is_some()
        && step.retries.is_empty()
        && step.resumed.is_none()
        && step.printed.is_empty()
        && step.warnings.is_empty();
    let case = with(out.create_element("testcase"), &attributes);
    if is_empty {
        return case.write_empty().map(drop);
    }
    case.write_inner_content(|out| {
        match &step.outcome {
            None => message(out, "error", StepRecord::UNFINISHED, &step.detail())?,
            Some(Outcome::Failed(failure)) if is_skipped(step) => {
                message(out, "skipped", failure.kind.word(), &step.detail())?;
            }
            Some(_) if is_skipped(step) => message(out, "skipped", step.word(), &step.detail())?,
            Some(Outcome::Failed(failure)) => failed(out, failure)?,
            Some(_) => {}
        }
        // In the words of Surefire: what was tried again is flaky where it worked in the end.
        let retried = if step.failure().is_some() { "rerunError" } else { "flakyError" };
        for retry in &step.retries {
            let attributes = [("message", attribute(&retry.error)), ("type", "retry".to_owned())];
            with(out.create_element(retried), &attributes).write_text_content(content(&retry.line()))?;
        }
        let resumed = step.resumed.iter().map(|resumed| format!("{}\n", resumed.line()));
        let said = resumed.chain([step.printed.clone()]).collect::<String>();
        for (name, text) in [("system-out", said), ("system-err", step.warnings.join("\n"))] {
            if !text.is_empty() {
                out.create_element(name).write_text_content(content(&text))?;
            }
        }
        Ok(())
    })?;
    Ok(())
}

fn failed(out: &mut Out, failure: &Failure) -> io::Result<()> {
    let name = if failure.kind == FailureKind::Gate { "failure" } else { "error" };
    let place = failure.place.iter().map(|place| format!("--> {place}"));
    let notes = failure.notes.iter().map(|note| format!("note: {note}"));
    let help = failure.help.iter().map(|help| format!("help: {help}"));
    let lines: Vec<_> = std::iter::once(failure.message.clone()).chain(place).chain(notes).chain(help).collect();
    let attributes = [("message", attribute(&failure.message)), ("type", failure.kind.word().to_owned())];
    with(out.create_element(name), &attributes).write_text_content(content(&lines.join("\n"))).map(drop)
}

fn message(out: &mut Out, name: &str, kind: &str, message: &str) -> io::Result<()> {
    let attributes = [("message", attribute(message)), ("type", kind.to_owned())];
    with(out.create_element(name), &attributes).write_empty().map(drop)
}

fn is_skipped(step: &StepRecord) -> bool {
    match &step.outcome {
        Some(Outcome::Skipped { .. } | Outcome::Blocked { .. } | Outcome::Cancelled) => true,
        Some(Outcome::Failed(failure)) => failure.kind == FailureKind::Tolerated,
        _ => false,
    }
}

fn with<'a>(element: ElementWriter<'a, Vec<u8>>, attributes: &[(&str, String)]) -> ElementWriter<'a, Vec<u8>> {
    element.with_attributes(attributes.iter().map(|(name, value)| (*name, value.as_str())))
}

/// Text in one line, without what XML cannot hold.
///
/// <https://www.w3.org/TR/xml/#charsets>
fn attribute(text: &str) -> String {
    possible(&text::safe_line(text))
}

fn content(text: &str) -> BytesText<'static> {
    BytesText::new(&possible(&text::safe_lines(text))).into_owned()
}

fn possible(text: &str) -> String {
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

fn seconds(duration: Duration) -> String {
    let millis = duration.as_millis();
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn every_event() {
        insta::assert_snapshot!(draw(&testing::record()).unwrap());
    }

    #[test]
    fn nothing_breaks_out_of_its_place() {
        let mut record = testing::record();
        let nasty = "\"' a=\"b\" ]]> </error><!-- & \u{0}\u{8}\u{fffe}\r\n\t\u{1b}[2J é 東京";
        record.plan = nasty.to_owned();
        record.steps[0].printed = nasty.to_owned();
        record.steps[0].retries[0].error = nasty.to_owned();
        let drawn = draw(&record).unwrap();
        let mut reader = quick_xml::Reader::from_str(&drawn);
        let mut printed = String::new();
        let mut inside = false;
        loop {
            match reader.read_event().unwrap() {
                Xml::Eof => break,
                Xml::Start(start) => inside = start.name().as_ref() == "system-out" && printed.is_empty(),
                Xml::End(_) => inside = false,
                Xml::Text(text) if inside => printed += &text,
                Xml::GeneralRef(entity) if inside => {
                    printed += quick_xml::escape::resolve_predefined_entity(&entity).unwrap();
                }
                _ => {}
            }
        }
        assert_eq!(printed, "\"' a=\"b\" ]]> </error><!-- & \\u0000\\u0008\u{fffd}\\r\n\t\\u001b[2J é 東京");
        assert!(!drawn.contains(|char: char| char.is_control() && char != '\n' && char != '\t'), "{drawn}");
    }

    #[test]
    fn a_failure_that_does_not_count_is_no_error() {
        let mut record = testing::record();
        let failure = Failure { message: "not there".to_owned(), ..testing::failure(FailureKind::Tolerated) };
        record.steps[7].outcome = Some(Outcome::Failed(failure.into()));
        let drawn = draw(&record).unwrap();
        assert!(drawn.contains("failures=\"0\" errors=\"0\"") && drawn.contains("skipped=\"4\""), "{drawn}");
        assert!(drawn.contains("<skipped message=\"not there\" type=\"tolerated\"/>"), "{drawn}");
    }

    #[test]
    fn a_run_that_was_killed_has_errors() {
        let mut record = testing::record();
        record.summary = None;
        record.steps[3].outcome = None;
        let drawn = draw(&record).unwrap();
        assert!(drawn.contains("failures=\"0\" errors=\"2\""), "{drawn}");
        assert!(drawn.contains("<error message=\"the run ended before it did\" type=\"unfinished\"/>"), "{drawn}");
        assert_eq!(drawn.matches("<testcase ").count(), 9);
    }
}
