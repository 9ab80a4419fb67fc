use std::sync::Arc;

use super::Span;
use crate::event::Place;

/// A plan file as it was read. Clones are cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// As it was named on the command line.
    pub name: String,
    /// What stands in it.
    pub text: Arc<str>,
    /// The first byte of each line but the first.
    lines: Arc<[usize]>,
}

impl SourceFile {
    /// The file `name` with `text` in it.
    pub fn new(name: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let lines = text.match_indices('\n').map(|(newline, _)| newline + 1).collect();
        Self { name: name.into(), text, lines }
    }

    /// Where the byte `offset` stands. One beyond the end counts as the end, one inside a character as its start.
    pub fn place(&self, offset: usize) -> Place {
        let offset = self.boundary(offset);
        let lines_before = self.lines.partition_point(|start| *start <= offset);
        let line_start = self.line_start(offset);
        let before = self.text.get(line_start..offset).unwrap_or_default();
        Place { file: self.name.clone(), line: lines_before + 1, column: before.chars().count() + 1 }
    }

    /// The first byte of the line that `offset` is in.
    pub fn line_start(&self, offset: usize) -> usize {
        let lines_before = self.lines.partition_point(|start| *start <= offset);
        lines_before.checked_sub(1).and_then(|last| self.lines.get(last)).copied().unwrap_or(0)
    }

    /// What stands in `span`, as far as it lies in the file.
    pub fn slice(&self, span: Span) -> &str {
        let Span { start, end } = self.clamp(span);
        self.text.get(start..end).unwrap_or_default()
    }

    /// `span` cut to the file and to whole characters.
    pub fn clamp(&self, span: Span) -> Span {
        let start = self.boundary(span.start);
        Span { start, end: self.boundary(span.end).max(start) }
    }

    /// The same with dots in the place of what stands in `spans`. Everything else stays where it is.
    #[must_use]
    pub fn without(&self, spans: &[Span]) -> Self {
        let dot = |letter: char| match (letter, letter.len_utf8()) {
            ('\n', _) => letter,
            (_, 1) => '*',
            (_, 2) => '·',
            (_, 3) => '•',
            _ => '🞄',
        };
        let mut text = self.text.to_string();
        for span in spans {
            let Span { start, end } = self.clamp(*span);
            let dots: String = self.text.get(start..end).unwrap_or_default().chars().map(dot).collect();
            text.replace_range(start..end, &dots);
        }
        Self { text: text.into(), ..self.clone() }
    }

    fn boundary(&self, offset: usize) -> usize {
        self.text.floor_char_boundary(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_and_columns_count_characters() {
        let source = SourceFile::new("p.yaml", "a: ä\r\nbü: x\n");
        let place = |offset| {
            let place = source.place(offset);
            (place.line, place.column)
        };
        assert_eq!(place(0), (1, 1));
        assert_eq!(place(5), (1, 5));
        assert_eq!(place(7), (2, 1));
        assert_eq!(place(10), (2, 3));
        assert_eq!(place(9), (2, 2), "inside `ü`");
        assert_eq!(place(1_000), (3, 1));
        assert_eq!(source.place(7).to_string(), "p.yaml:2:1");
    }

    #[test]
    fn a_slice_stays_in_the_file() {
        let source = SourceFile::new("p.yaml", "aä");
        assert_eq!(source.slice(Span::new(0, 99)), "aä");
        assert_eq!(source.slice(Span::new(2, 3)), "ä");
        assert_eq!(source.slice(Span::new(3, 1)), "");
    }
}
