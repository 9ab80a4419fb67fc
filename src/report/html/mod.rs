//! A run as one page: nothing is fetched, and without JavaScript it shows the same, only that nothing is filtered or
//! highlighted.
//!
//! Everything that came from outside goes through [`escape`]. A policy in the page keeps what might still get in from
//! running or fetching anything.

mod artifacts;
mod escape;
mod picture;
mod tables;
mod timeline;

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

use super::{
    json::timestamp,
    record::{Record, StepRecord},
};
use crate::{
    event::{ExitCode, Outcome},
    text,
};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The page.
pub(super) fn draw(record: &Record) -> String {
    let title = escape::line(&format!("{}: {}", record.plan, verdict(record).1));
    let policy = STANDARD.encode(Sha256::digest(SCRIPT));
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'sha256-{policy}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
    );
    page += &header(record);
    page += "<main>\n";
    let sections = sections(record);
    let links = sections.iter().map(|(id, heading, _)| format!("<a href=\"#{id}\">{heading}</a>"));
    page.extend(["<nav>", &links.collect::<Vec<_>>().join(" "), "</nav>\n"]);
    for (id, heading, content) in &sections {
        page.extend(["<section id=\"", id, "\">\n<h2>", heading, "</h2>\n", content, "</section>\n"]);
    }
    page.extend(["</main>\n<script>", SCRIPT, "</script>\n</body>\n</html>\n"]);
    page
}

/// Those that have anything in them.
fn sections(record: &Record) -> Vec<(&'static str, &'static str, String)> {
    let rehearsed = record.summary.iter().find_map(|summary| summary.rehearsed.as_ref());
    let all = vec![
        ("failures", "What went wrong", tables::failures(record)),
        ("graph", "What waits for what", graph(record)),
        ("timeline", "When", timeline::draw(record)),
        ("changes", "What changed", tables::changes(record)),
        ("artifacts", "Artifacts", artifacts::draw(record)),
        ("rehearsed", "What a real run would do", rehearsed.map(tables::rehearsed).unwrap_or_default()),
        ("outputs", "Outputs", tables::outputs(record)),
        ("steps", "Steps", tables::steps(record)),
    ];
    all.into_iter().filter(|(_, _, content)| !content.is_empty()).collect()
}

fn graph(record: &Record) -> String {
    let reasons = tables::reasons(record);
    let table = if reasons.is_empty() {
        String::new()
    } else {
        format!("<details><summary>Why each step waits</summary>\n{reasons}</details>\n")
    };
    match picture::draw(record) {
        Some(svg) => format!("{}<div class=\"scroll picture\">\n{svg}</div>\n{table}", legend(record)),
        None if record.steps.is_empty() => String::new(),
        None => format!("<p>These are too many steps for a picture.</p>\n{table}"),
    }
}

/// What the lines mean that are in the picture.
fn legend(record: &Record) -> String {
    let words = [
        ("data", "uses an output"),
        ("effect", "touches the same thing"),
        ("gate", "may say no"),
        ("needs", "written by hand"),
        ("include", "is a step of its plan"),
        ("finally", "comes last, whatever happened"),
    ];
    let is_there = |word: &str| record.edges.iter().flat_map(|edge| &edge.reasons).any(|reason| reason.word == word);
    let entries = words.iter().filter(|(word, _)| is_there(word));
    let entries = entries.map(|(word, means)| format!("<span class=\"{word}\">{word}: {means}</span> "));
    format!("<p class=\"legend\">{}</p>\n", entries.collect::<String>())
}

fn header(record: &Record) -> String {
    let (class, words) = verdict(record);
    let mut counts: BTreeMap<usize, (usize, &str)> = BTreeMap::new();
    let order: Vec<_> = Outcome::WORDS.into_iter().chain([StepRecord::UNFINISHED]).collect();
    for step in &record.steps {
        let place = order.iter().position(|word| *word == step.word()).unwrap_or_default();
        counts.entry(place).or_insert((0, step.word())).0 += 1;
    }
    let chips = counts.values().map(|(count, word)| {
        format!("<button type=\"button\" class=\"chip {word}\" data-outcome=\"{word}\">{count} {word}</button>")
    });
    let chips: String = chips.collect();
    let at = record.at.map(timestamp).map(|at| {
        format!("<time datetime=\"{at}\">{}</time>, ", at.replace(['T', 'Z'], " ").trim_end().to_owned() + " UTC")
    });
    format!(
        "<header class=\"{class}\"><p class=\"verdict\">{}</p><h1>{}</h1><p>{}{}{} in {}</p>\n<p class=\"chips\">{chips}\
         <input type=\"search\" placeholder=\"find a step\" aria-label=\"find a step\" hidden></p></header>\n",
        escape::line(&words),
        escape::line(&record.plan),
        at.unwrap_or_default(),
        text::count(record.steps.len(), "step"),
        match record.taken_over() {
            0 => String::new(),
            taken_over => format!(", {taken_over} of them taken over from an earlier run,"),
        },
        text::duration(record.elapsed()),
    )
}

/// The class and the words for how it went.
fn verdict(record: &Record) -> (&'static str, String) {
    let Some(summary) = record.summary.as_deref() else {
        return ("unfinished", "never ended".to_owned());
    };
    let (class, words) = match summary.exit_code() {
        ExitCode::Success => ("passed", "succeeded"),
        ExitCode::Failed | ExitCode::Invalid => ("failed", "failed"),
        ExitCode::Gate => ("failed", "a gate said no"),
        ExitCode::Drift => ("failed", "something is not as it was"),
        ExitCode::Temporary => ("blocked", "failed for now"),
        ExitCode::Interrupted => ("cancelled", "interrupted"),
    };
    let rehearsal = if summary.rehearsed.is_some() { "rehearsal: " } else { "" };
    (class, format!("{rehearsal}{words}"))
}

/// Text that is copied by a click.
fn copied(shown: &str, whole: &str) -> String {
    format!("<code data-copy=\"{}\">{}</code>", escape::line(whole), escape::line(shown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn every_event() {
        insta::assert_snapshot!(draw(&testing::record()).replace(STYLE, "STYLE\n").replace(SCRIPT, "SCRIPT"));
    }

    /// The relative luminance of a colour. <https://www.w3.org/TR/WCAG22/#dfn-relative-luminance>
    fn luminance(colour: &str) -> f64 {
        let part = |at: usize| {
            let part = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
    }

    #[test]
    fn text_stands_out_from_what_is_behind_it() {
        let pattern = regex::Regex::new(r"--(\w+): #(\w{6})").unwrap();
        let palettes: Vec<_> = STYLE.split(":root {").skip(1).map(|block| block.split('}').next().unwrap()).collect();
        assert_eq!(palettes.len(), 2);
        for palette in palettes {
            let colours: BTreeMap<_, _> =
                pattern.captures_iter(palette).map(|it| (it[1].to_owned(), luminance(&it[2]))).collect();
            assert_eq!(colours.len(), 20);
            for (name, colour) in colours.iter().filter(|(name, _)| !["page", "card", "line"].contains(&name.as_str()))
            {
                for behind in ["page", "card"] {
                    let (low, high) = (colour.min(colours[behind]), colour.max(colours[behind]));
                    let contrast = (high + 0.05) / (low + 0.05);
                    assert!(contrast >= 4.5, "{name} on {behind}: {contrast:.2}");
                }
            }
        }
    }

    #[test]
    fn the_picture_is_xml() {
        let page = draw(&testing::record());
        let svg = &page[page.find("<svg").unwrap()..page.find("</svg>").unwrap() + "</svg>".len()];
        let mut reader = quick_xml::Reader::from_str(svg);
        let mut steps = 0;
        loop {
            match reader.read_event().unwrap() {
                quick_xml::events::Event::Eof => break,
                quick_xml::events::Event::Start(start) => {
                    steps += usize::from(start.attributes().any(|it| it.unwrap().key.as_ref() == "data-step"));
                }
                _ => {}
            }
        }
        assert_eq!(steps, 9);
    }

    #[test]
    fn nothing_is_fetched() {
        let page = draw(&testing::record());
        for outside in ["http://", "https://", "src=", "url(h", "@import", "<link"] {
            let page = page.replace("GET https://r.io/v2/", "");
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn what_a_registry_said_is_text() {
        let nasty = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;\u{202e}";
        let mut record = testing::record();
        record.plan = nasty.to_owned();
        for step in &mut record.steps {
            step.printed = nasty.to_owned();
            step.warnings = vec![nasty.to_owned()];
            step.kind = nasty.to_owned();
            step.retries.iter_mut().for_each(|retry| retry.error = nasty.to_owned());
            step.transfers.iter_mut().for_each(|transfer| transfer.name = nasty.to_owned());
        }
        let page = draw(&record);
        assert_eq!((page.matches("<script").count(), page.matches("</script").count()), (1, 1));
        assert!(!page.contains("<img") && !page.contains('\u{202e}') && !page.contains("'>&"), "{page}");
    }

    #[test]
    fn a_run_of_hundreds_of_steps_is_drawn_and_one_of_thousands_is_listed() {
        let page = draw(&testing::many(500));
        assert_eq!(page.matches("data-step=\"499\"").count(), 3);
        assert!(draw(&testing::many(2_000)).contains("These are too many steps for a picture."));
    }
}
