use std::sync::Arc;

use super::Span;
use crate::event::Place;

/// A plan file as it was read, with the files of the plans that it includes: their places come behind its own, so that a
/// [`Span`] says which file it is in. Clones are cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// As it was named on the command line.
    pub name: String,
    /// What stands in it.
    pub text: Arc<str>,
    /// The first byte of each line but the first.
    lines: Arc<[usize]>,
    /// Where the places of each included file begin, in order.
    included: Arc<Vec<(usize, Self)>>,
}

impl SourceFile {
    /// The file `name` with `text` in it.
    pub fn new(name: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let lines = text.match_indices('\n').map(|(newline, _)| newline + 1).collect();
        Self { name: name.into(), text, lines, included: Arc::default() }
    }

    /// Adds an included file, and says where its places begin.
    pub fn include(&mut self, file: Self) -> usize {
        // One place lies between two files: the end of one is not the start of another.
        let (base, last) = self.included.last().map_or((0, self.text.len()), |(base, last)| (*base, last.text.len()));
        let base = base + last + 1;
        Arc::make_mut(&mut self.included).push((base, file));
        base
    }

    /// The file that `offset` is in, and where its places begin.
    fn file(&self, offset: usize) -> (&Self, usize) {
        let before = self.included.partition_point(|(base, _)| *base <= offset);
        let included = before.checked_sub(1).and_then(|last| self.included.get(last));
        included.map_or((self, 0), |(base, file)| (file, *base))
    }

    /// What the file is called that `offset` is in.
    pub fn name_at(&self, offset: usize) -> &str {
        &self.file(offset).0.name
    }

    /// Where the byte `offset` stands. One beyond the end counts as the end, one inside a character as its start.
    pub fn place(&self, offset: usize) -> Place {
        let (file, base) = self.file(offset);
        file.own_place(offset - base)
    }

    fn own_place(&self, offset: usize) -> Place {
        let offset = self.boundary(offset);
        let lines_before = self.lines.partition_point(|start| *start <= offset);
        let line_start = self.own_line_start(offset);
        let before = self.text.get(line_start..offset).unwrap_or_default();
        Place { file: self.name.clone(), line: lines_before + 1, column: before.chars().count() + 1 }
    }

    /// The first byte of the line that `offset` is in.
    pub fn line_start(&self, offset: usize) -> usize {
        let (file, base) = self.file(offset);
        base + file.own_line_start(offset - base)
    }

    fn own_line_start(&self, offset: usize) -> usize {
        let lines_before = self.lines.partition_point(|start| *start <= offset);
        lines_before.checked_sub(1).and_then(|last| self.lines.get(last)).copied().unwrap_or(0)
    }

    /// What stands in `span`, as far as it lies in the file that it begins in.
    pub fn slice(&self, span: Span) -> &str {
        let (file, base) = self.file(span.start);
        let Span { start, end } = file.own_clamp(Span::new(span.start - base, span.end.saturating_sub(base)));
        file.text.get(start..end).unwrap_or_default()
    }

    /// `span` cut to the file that it begins in and to whole characters.
    pub fn clamp(&self, span: Span) -> Span {
        let (file, base) = self.file(span.start);
        let own = file.own_clamp(Span::new(span.start - base, span.end.saturating_sub(base)));
        Span { start: base + own.start, end: base + own.end }
    }

    fn own_clamp(&self, span: Span) -> Span {
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
        let without = |file: &Self, base: usize| {
            let own = spans.iter().filter(|span| self.file(span.start).1 == base);
            file.own_without(own.map(|span| Span::new(span.start - base, span.end.saturating_sub(base))), dot)
        };
        let included = self.included.iter().map(|(base, file)| (*base, without(file, *base))).collect();
        Self { included: Arc::new(included), ..without(self, 0) }
    }

    fn own_without(&self, spans: impl Iterator<Item = Span>, dot: impl Fn(char) -> char) -> Self {
        let mut text = self.text.to_string();
        for span in spans {
            let Span { start, end } = self.own_clamp(span);
            let dots: String = self.text.get(start..end).unwrap_or_default().chars().map(&dot).collect();
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
    fn what_is_included_has_places_of_its_own() {
        let mut source = SourceFile::new("p.yaml", "aä\nb");
        let one = source.include(SourceFile::new("one.yaml", "x\nyz"));
        let two = source.include(SourceFile::new("two.yaml", "secret"));
        let place = |offset| source.place(offset).to_string();
        assert_eq!(
            (place(4), place(one), place(one + 3)),
            ("p.yaml:2:1".into(), "one.yaml:1:1".into(), "one.yaml:2:2".into())
        );
        assert_eq!(
            (place(one - 1), place(two), place(two + 99)),
            ("p.yaml:2:2".into(), "two.yaml:1:1".into(), "two.yaml:1:7".into())
        );
        assert_eq!(source.slice(Span::new(one + 2, two + 3)), "yz");
        assert_eq!(source.line_start(one + 3), one + 2);
        assert_eq!(source.clamp(Span::new(one + 1, two + 1)), Span::new(one + 1, one + 4));
        let hidden = source.without(&[Span::new(two, two + 6), Span::new(0, 1)]);
        assert_eq!((hidden.slice(Span::new(two, two + 6)), hidden.slice(Span::new(0, 3))), ("******", "*ä"));
        assert_eq!((source.name_at(0), source.name_at(two)), ("p.yaml", "two.yaml"));
    }

    #[test]
    fn a_slice_stays_in_the_file() {
        let source = SourceFile::new("p.yaml", "aä");
        assert_eq!(source.slice(Span::new(0, 99)), "aä");
        assert_eq!(source.slice(Span::new(2, 3)), "ä");
        assert_eq!(source.slice(Span::new(3, 1)), "");
    }
}
