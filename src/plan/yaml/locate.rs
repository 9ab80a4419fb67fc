//! From a place in a scalar's text back to the place in the file, through quotes, escapes, folding and indentation.

use std::ops::Range;

use super::{Scalar, Style};
use crate::plan::Span;

/// Where `range` of the text of `scalar` stands, where that can be told. `written` begins at byte `base` of the file.
pub(super) fn locate(scalar: &Scalar, written: &str, base: usize, range: Range<usize>) -> Option<Span> {
    let mut walk = Walk { text: &scalar.text, written, style: scalar.style, at: 0, from: 0 };
    walk.open()?;
    let (mut start, mut end) = (None, None);
    while walk.at < range.end.max(range.start.saturating_add(1)) {
        let Some(next) = walk.next() else { break };
        let (text, written) = walk.pair(next)?;
        if text.start == range.start {
            start = Some(written.start);
        }
        if text.end == range.end {
            end = Some(written.end);
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
    /// Goes to the first character. What is written of a block begins there too, without the blank lines before it.
    fn open(&mut self) -> Option<()> {
        match self.style {
            Style::Plain => {}
            Style::SingleQuoted => self.from = self.written.starts_with('\'').then_some(1)?,
            Style::DoubleQuoted => self.from = self.written.starts_with('"').then_some(1)?,
            Style::Literal | Style::Folded => {
                if !self.written.starts_with(['\r', '\n']) {
                    self.at = self.text.len() - self.text.trim_start_matches('\n').len();
                }
                if self.style == Style::Literal {
                    self.from = self.indented(self.at, 0)?;
                }
            }
        }
        Some(())
    }

    fn next(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    /// Takes the next character of the text from both; `None` where they do not fit together.
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
    rest.trim_start_matches([' ', '\t']).starts_with(['\r', '\n'])
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::plan::{
        SourceFile,
        yaml::{NodeKind, parse},
    };

    /// What stands in the file where `part` stands in the text of the one scalar.
    fn located(written: &str, part: &str) -> String {
        let source = SourceFile::new("p", format!("a: {written}\nb: 1\n"));
        let root = parse(&source).unwrap();
        let node = root.get("a").unwrap();
        let at = node.scalar().unwrap().text.find(part).expect(part);
        source.slice(node.locate(&source, at..at + part.len())).to_owned()
    }

    #[test]
    fn a_part_of_a_scalar_is_found_in_the_file() {
        assert_eq!(located("x ${{ ä }} y", "${{ ä }}"), "${{ ä }}");
        assert_eq!(located("one\n  two\n\n  three", "two"), "two");
        assert_eq!(located("one\n  two\n\n  three", "three"), "three");
        assert_eq!(located("one\n  two", "e t"), "e\n  t");
        assert_eq!(located("'it''s ${{ X }}'", "${{ X }}"), "${{ X }}");
        assert_eq!(located("'it''s'", "'"), "''");
        assert_eq!(located("'a\n  b ''c'' d'", "c"), "c");
        assert_eq!(located(r#""\u00e4\n\x41 ${{ X }}""#, "${{ X }}"), "${{ X }}");
        assert_eq!(located(r#""\ud834\udd1e z""#, "z"), "z");
        assert_eq!(located(r#""\ud834\udd1e z""#, "𝄞"), r"\ud834\udd1e");
        assert_eq!(located("\"a \\\n   b\"", "b"), "b");
        assert_eq!(located("\"a\\tb\"", "\t"), "\\t");
        assert_eq!(located("|\n  one\n    two\n\n  three", "two"), "two");
        assert_eq!(located("|\n  one\n    two\n\n  three", "three"), "three");
        assert_eq!(located("|2\n    x\n   y", "y"), "y");
        assert_eq!(located("|-\n\n  ${{ a }}\n  ${{ b }}", "${{ b }}"), "${{ b }}");
        assert_eq!(located(">\n  one\n  two\n\n  three\n", "two"), "two");
        assert_eq!(located(">\n  one\n  two\n\n  three\n", "three"), "three");
        assert_eq!(located(">\n  one\n    more\n  three\n", "three"), "three");
    }

    #[test]
    fn where_it_cannot_be_told_it_is_the_whole_scalar() {
        let source = SourceFile::new("p", "a: &x \"x y\"\nb: *x\nc: {{ y }}\n");
        let (root, _) = crate::plan::yaml::recover(&source);
        let node = root.as_ref().unwrap().get("b").unwrap();
        assert_eq!(source.slice(node.locate(&source, 2..3)), "*x");
        let node = root.as_ref().unwrap().get("c").unwrap();
        assert_eq!(source.slice(node.locate(&source, 4..5)), "{{ y }}");
        let node = root.as_ref().unwrap().get("a").unwrap();
        assert_eq!(source.slice(node.locate(&source, 2..99)), "\"x y\"");
    }

    #[test]
    fn an_empty_range_is_a_place() {
        let source = SourceFile::new("p", "a: 'it''s'\n");
        let root = parse(&source).unwrap();
        let node = root.get("a").unwrap();
        assert_eq!(node.locate(&source, 3..3), crate::plan::Span::new(8, 8));
        assert_eq!(node.locate(&source, 4..4), crate::plan::Span::new(9, 9));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_letter_is_found_in_every_style(
            lines in prop::collection::vec("[a-zäß𝄞'][a-z ]{0,4}[a-zä'\"]( )?", 1..5),
            blank in prop::collection::vec(0..3usize, 5),
            style in 0..5usize,
        ) {
            let lines = lines.iter().zip(blank).map(|(line, blank)| format!("{line}{}\n  ", "\n".repeat(blank)));
            let text = lines.collect::<String>().trim().to_owned();
            let written = match style {
                0 => format!("x{text}"),
                1 => format!("'{}'", text.replace('\'', "''")),
                2 => format!("\"{}\"", text.replace('"', "\\\"")),
                3 => format!("|\n  {text}"),
                _ => format!(">\n  {text}"),
            };
            let source = SourceFile::new("p", format!("a: {written}\n"));
            let root = parse(&source).unwrap();
            let node = root.get("a").unwrap();
            let NodeKind::Scalar(scalar) = &node.kind else { unreachable!() };
            for (at, letter) in scalar.text.char_indices().filter(|(_, letter)| !letter.is_whitespace()) {
                let found = source.slice(node.locate(&source, at..at + letter.len_utf8()));
                let doubled = style == 1 && letter == '\'' && found == "''";
                let escaped = style == 2 && letter == '"' && found == "\\\"";
                prop_assert!(doubled || escaped || found == letter.to_string(), "{written:?} {at} {letter} {found}");
            }
        }
    }
}
