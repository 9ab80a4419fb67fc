//! When each step ran, and what moved for it.

use std::{fmt::Write, time::Duration};

use super::escape;
use crate::{
    report::record::{Record, StepRecord, TransferRecord},
    text,
};

/// More transfers of one step than this are not drawn.
const DRAWN: usize = 100;
/// Into how many parts the time is divided.
const PARTS: u32 = 4;

/// A row for each step that started, the first one on top.
pub(super) fn draw(record: &Record) -> String {
    let whole = record.elapsed();
    let mut steps: Vec<_> = record.steps.iter().filter(|step| step.started.is_some()).collect();
    if steps.is_empty() || whole.is_zero() {
        return String::new();
    }
    steps.sort_by_key(|step| (step.started, step.id.index()));
    let mut drawn = String::from("<div class=\"timeline\"><div class=\"row axis\"><span></span><div class=\"lane\">");
    for part in 0..=PARTS {
        let at = whole * part / PARTS;
        // Writing to a string cannot fail.
        let _ =
            write!(drawn, "<span style=\"left:{}%\">{}</span>", 100 * part / PARTS, escape::line(&text::duration(at)));
    }
    drawn += "</div></div>\n";
    for step in steps {
        row(&mut drawn, step, whole);
    }
    drawn + "</div>\n"
}

fn row(drawn: &mut String, step: &StepRecord, whole: Duration) {
    let started = step.started.unwrap_or_default();
    let ended = if step.outcome.is_some() { started + step.elapsed } else { whole };
    let name = escape::line(step.id.name());
    let title = format!("{}: {} {}, from {}", step.id.name(), step.word(), step.time(), text::duration(started));
    let _ = write!(
        drawn,
        "<div class=\"row {}\" data-step=\"{}\"><a href=\"#s{}\" title=\"{name}\">{name}</a><div class=\"lane\">\
         <i class=\"bar\" style=\"{}\" title=\"{}\"></i>",
        step.word(),
        step.id.index(),
        step.id.index(),
        place(started, ended, whole),
        escape::line(&title)
    );
    for transfer in step.transfers.iter().take(DRAWN) {
        let ended = transfer.finished.unwrap_or(ended);
        let _ = write!(
            drawn,
            "<i class=\"move\" style=\"{}\" title=\"{}\"></i>",
            place(transfer.started, ended, whole),
            escape::line(&moved(transfer))
        );
    }
    for retry in &step.retries {
        let at = percent(retry.at, whole);
        let _ = write!(drawn, "<i class=\"again\" style=\"left:{at}%\" title=\"{}\"></i>", escape::line(&retry.line()));
    }
    *drawn += "</div></div>\n";
}

fn moved(transfer: &TransferRecord) -> String {
    let TransferRecord { name, digest, bytes, moved, started, finished } = transfer;
    let took = finished.map(|finished| format!(" in {}", text::duration(finished.saturating_sub(*started))));
    let much = if moved == bytes {
        text::bytes(*bytes)
    } else {
        format!("{} of {}", text::bytes(*moved), text::bytes(*bytes))
    };
    format!("{name} {}: {much}{}", digest.short(), took.unwrap_or_default())
}

fn place(from: Duration, to: Duration, whole: Duration) -> String {
    let (from, to) = (percent(from, whole), percent(to, whole));
    format!("left:{from}%;width:{:.3}%", (to - from).max(0.0))
}

/// To a thousandth of a percent.
fn percent(at: Duration, whole: Duration) -> f64 {
    let percent = (100.0 * at.as_secs_f64() / whole.as_secs_f64()).clamp(0.0, 100.0);
    (percent * 1000.0).round() / 1000.0
}
