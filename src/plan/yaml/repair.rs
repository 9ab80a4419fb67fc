//! Expressions that YAML breaks apart: where they begin and end, and how reading goes on after one.
//!
//! A repair covers the broken expression with as many plain characters, so that the rest of the file is still read
//! and every other mistake is found in the same run.

use granit_parser::{ErrorKind, ScanError};

use crate::plan::{Diagnostic, Span};

/// One broken expression.
#[derive(Debug)]
pub(super) struct Repair {
    /// The value that it is in.
    pub(super) span: Span,
    /// What the value was meant to be.
    pub(super) text: String,
    /// What is wrong.
    pub(super) diagnostic: Diagnostic,
}

/// Where the value stands: inside brackets it ends at a comma or a bracket.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Context {
    Block,
    Flow,
}

impl Repair {
    /// The flow mapping that begins at `start` is `{{ … }}`.
    pub(super) fn of_mapping(source: &str, start: usize, context: Context) -> Option<Self> {
        if !source.get(start..)?.starts_with("{{") {
            return None;
        }
        let end = end_of_value(source, start, context)?;
        let written = source.get(start..end)?;
        let text = with_dollars(written);
        let diagnostic = Diagnostic::new("this is a YAML mapping, not an expression")
            .at(Span::new(start, end))
            .label(format!("write {}", if context == Context::Flow { quoted(&text) } else { format!("`{text}`") }));
        Some(Self { span: Span::new(start, end), text, diagnostic })
    }

    /// What the parser stumbled over is an expression without quotes.
    pub(super) fn of_error(source: &str, error: &ScanError, context: Context) -> Option<Self> {
        let at = error.marker().byte_offset()?;
        let line_start = source.get(..at)?.rfind('\n').map_or(0, |newline| newline + 1);
        let before = source.get(line_start..at)?;
        let brace = before.rfind("{{").or_else(|| {
            // The parser stops between `$` and `{{`, or at the first brace.
            source.get(at..)?.starts_with("{{").then_some(before.len())
        })?;
        let start = value_start(before, brace) + line_start;
        let brace = brace + line_start;
        if !source.get(..brace)?.ends_with('$') {
            return Self::of_mapping(source, start, context);
        }
        let end = end_of_value(source, start, context)?;
        let span = Span::new(start, end);
        let text = source.get(start..end)?.to_owned();
        let diagnostic = match (context, error.kind()) {
            (Context::Flow, _) => Diagnostic::new("an expression inside `[ ]` or `{ }` must be quoted"),
            (Context::Block, ErrorKind::MappingValueNotAllowed) => {
                Diagnostic::new("an expression with `: ` in it must be quoted")
            }
            (Context::Block, _) => return None,
        };
        let diagnostic = diagnostic.at(span).label(format!("write {}", quoted(&text)));
        Some(Self { span, text, diagnostic })
    }

    /// The plain scalar `text` at `span` ends in the middle of an expression because a comment begins.
    pub(super) fn of_comment(source: &str, text: &str, span: Span) -> Option<Self> {
        let open = text.rfind("${{")?;
        if text.get(open..)?.contains("}}") {
            return None;
        }
        let rest = source.get(span.end..)?;
        let rest = rest.get(..rest.find(['\r', '\n']).unwrap_or(rest.len()))?;
        let comment = rest.trim_start_matches([' ', '\t']);
        if !comment.starts_with('#') {
            return None;
        }
        let hash = span.end + rest.len() - comment.len();
        let end = hash + comment.trim_end().len();
        let diagnostic = Diagnostic::new("the expression is cut off by a comment")
            .at(Span::new(hash, end))
            .label("quote the whole value")
            .note("YAML starts a comment at ` #`");
        let span = Span::new(span.start, end);
        Some(Self { span, text: source.get(span.start..end)?.to_owned(), diagnostic })
    }
}

/// `source` with every repaired value covered; every byte keeps its place.
pub(super) fn cover(source: &str, repairs: &[Repair]) -> String {
    let mut covered = source.to_owned();
    for Span { start, end } in repairs.iter().map(|repair| repair.span) {
        covered.replace_range(start..end, &"x".repeat(end - start));
    }
    covered
}

/// Where the value around `brace` begins, in the line `before`.
fn value_start(before: &str, brace: usize) -> usize {
    let head = before.get(..brace).unwrap_or_default();
    let structure = ["[", "{", ", ", ": ", "- "].iter().filter_map(|mark| head.rfind(mark).map(|at| at + mark.len()));
    let start = structure.max().unwrap_or(0);
    let spaces = head.get(start..).map_or(0, |rest| rest.len() - rest.trim_start().len());
    start + spaces
}

/// The end of the value at `start`, on the same line, with all its `{{ … }}` whole.
fn end_of_value(source: &str, start: usize, context: Context) -> Option<usize> {
    let line = source.get(start..)?;
    let line = line.get(..line.find(['\r', '\n']).unwrap_or(line.len()))?;
    let mut end = 0;
    while let Some(open) = line.get(end..)?.find("{{") {
        let stops = context == Context::Flow && line.get(end..end + open)?.contains([',', ']', '}']);
        if stops || (end > 0 && line.get(end..end + open)?.contains(" #")) {
            break;
        }
        let Some(close) = line.get(end + open..)?.find("}}") else { break };
        end += open + close + 2;
    }
    if end == 0 {
        return None;
    }
    let rest = line.get(end..)?;
    let stop = match context {
        Context::Flow => rest.find([',', ']', '}']),
        Context::Block => rest.find(" #"),
    };
    let value = line.get(..end + stop.unwrap_or(rest.len()))?;
    Some(start + value.trim_end().len())
}

/// `{{ X }}` as `${{ X }}`, where it has no `$` yet.
fn with_dollars(written: &str) -> String {
    written.replace("${{", "{{").replace("{{", "${{")
}

fn quoted(text: &str) -> String {
    match (text.contains('"'), text.contains('\'')) {
        (false, _) => format!("`\"{text}\"`"),
        (true, false) => format!("`'{text}'`"),
        (true, true) => "it in double quotes, with `\\\"` for each `\"` in it".to_owned(),
    }
}
