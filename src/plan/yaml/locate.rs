//! From a place in a scalar's text back to the place in the file, through quotes, escapes, folding and indentation.

use std::ops::Range;

use super::{Scalar, Style};
use crate::plan::Span;

/// Where `range` of the text of `scalar` stands, where that can be told. `written` begins at byte `base` of the file.
pub(super) fn locate(scalar: &Scalar, written: &str, base: usize, range: Range<usize>) -> Option<Span> {
    let mut walk = Walk { text: &scalar.text, written, style: scalar.style, at: 0, from: 0 };
    walk.from = walk.opening()?;
    let (mut start, mut end) = (None, None);
    while let Some(step) = walk.step() {
        let (text, written) = step?;
        if text.start == range.start {
            start = Some(written.start);
        }
        if text.end == range.end {
            end = Some(written.end);
        }
        if text.start >= range.end {
            break;
        }
    }
    if range.start == walk.text.len() && walk.at == walk.text.len() {
        start = start.or(Some(walk.from));
    }
    let start = start?;
    let end = if range.is_empty() { start } else { end? };
    Some(Span::new(base + start, base + end.max(start)))
}

/// Reads the text and what was written side by side.
struct Walk<'a> {
    text: &'a str,
    written: &'a str,
    style: Style,
    /// In the text.
    at: usize,
    /// In what was written.
    from: usize,
}

/// The bytes of a character in the text and in the file.
type Pair = (Range<usize>, Range<usize>);

impl Walk<'_> {
    /// Where the first character of the text stands.
    fn opening(&self) -> Option<usize> {
        match self.style {
            Style::Plain | Style::Folded => Some(0),
            Style::SingleQuoted => self.written.starts_with('\'').then_some(1),
            Style::DoubleQuoted => self.written.starts_with('"').then_some(1),
            Style::Literal => self.indented(0, 0),
        }
    }

    /// The next character; `None` at the end, `Some(None)` where the two do not fit together.
    fn step(&mut self) -> Option<Option<Pair>> {
        let next = self.text.get(self.at..)?.chars().next()?;
        Some(self.pair(next))
    }

    fn pair(&mut self, next: char) -> Option<Pair> {
        if self.style == Style::DoubleQuoted {
            self.skip_escaped_breaks();
        }
        let rest = self.written.get(self.from..)?;
        let taken = match self.style {
            Style::DoubleQuoted if rest.starts_with('\\') => return self.take(next, escape_length(rest)?),
            Style::SingleQuoted if rest.starts_with("''") => return (next == '\'').then(|| self.take(next, 2))?,
            Style::Literal if next == '\n' => return self.line_break(),
            Style::Folded if is_break(rest) => return self.folded(),
            Style::Plain | Style::SingleQuoted | Style::DoubleQuoted if next.is_whitespace() => {
                let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
                let breaks = rest.get(..blank)?.matches('\n').count();
                if breaks > 0 {
                    return self.fold(blank, breaks);
                }
                next
            }
            _ => next,
        };
        if rest.starts_with(taken) { self.take(taken, taken.len_utf8()) } else { None }
    }

    fn take(&mut self, next: char, length: usize) -> Option<Pair> {
        let pair = (self.at..self.at + next.len_utf8(), self.from..self.from + length);
        (self.at, self.from) = (pair.0.end, pair.1.end);
        (self.from <= self.written.len()).then_some(pair)
    }

    /// `\` at the end of a line: the break and the indentation after it are no text.
    fn skip_escaped_breaks(&mut self) {
        while let Some(rest) = self.written.get(self.from..).and_then(|rest| rest.strip_prefix('\\')) {
            if !is_break(rest) {
                break;
            }
            let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
            self.from += 1 + blank;
        }
    }

    /// Line breaks between words: one is a space, of more the first is dropped.
    fn fold(&mut self, blank: usize, breaks: usize) -> Option<Pair> {
        let folded = if breaks == 1 { " ".to_owned() } else { "\n".repeat(breaks - 1) };
        self.text.get(self.at..)?.starts_with(&folded).then(|| {
            let pair = (self.at..self.at + folded.len(), self.from..self.from + blank);
            (self.at, self.from) = (pair.0.end, pair.1.end);
            pair
        })
    }

    /// The end of a line of a folded block, with all that is blank around it on both sides.
    fn folded(&mut self) -> Option<Pair> {
        let blank = |text: &str| text.len() - text.trim_start_matches([' ', '\t', '\r', '\n']).len();
        let (text, written) = (blank(self.text.get(self.at..)?), blank(self.written.get(self.from..)?));
        let pair = (self.at..self.at + text, self.from..self.from + written);
        (self.at, self.from) = (pair.0.end, pair.1.end);
        (text > 0).then_some(pair)
    }

    /// The end of a line of a literal block, with the indentation of the next.
    fn line_break(&mut self) -> Option<Pair> {
        let rest = self.written.get(self.from..)?;
        let length = if rest.starts_with("\r\n") { 2 } else { rest.len().min(1) };
        let pair = (self.at..self.at + 1, self.from..self.from + length);
        self.at += 1;
        self.from = self.indented(self.at, self.from + length)?;
        Some(pair)
    }

    /// Where the line of text at `at` begins in the written line at `from`.
    fn indented(&self, at: usize, from: usize) -> Option<usize> {
        let line = self.text.get(at..)?.split('\n').next()?;
        let written = self.written.get(from..)?.split(['\r', '\n']).next()?;
        let indentation = written.strip_suffix(line).or_else(|| line.trim_end().is_empty().then_some(written))?;
        indentation.bytes().all(|byte| byte == b' ').then_some(from + indentation.len())
    }
}

fn is_break(rest: &str) -> bool {
    rest.trim_start_matches([' ', '\t']).starts_with(['\r', '\n']) && rest.starts_with(['\r', '\n', ' ', '\t'])
}

/// How many bytes the escape sequence at the start of `rest` has.
fn escape_length(rest: &str) -> Option<usize> {
    let kind = rest.chars().nth(1)?;
    Some(match kind {
        'x' => 4,
        'u' => {
            let unit = u32::from_str_radix(rest.get(2..6)?, 16).ok()?;
            // A character beyond the basic plane may be written as two, as in JSON.
            if (0xD800..0xDC00).contains(&unit) { 12 } else { 6 }
        }
        'U' => 10,
        other => 1 + other.len_utf8(),
    })
}
