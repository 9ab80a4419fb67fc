use std::fmt::Write as _;

use annotate_snippets::{AnnotationKind, Level, Message, Origin, Renderer, Snippet};
use serde_json::json;

use super::{Diagnostic, SourceFile, Span};

/// More are counted, not shown: who has so many repairs some and looks again.
const SHOWN: usize = 20;

/// All mistakes of one plan, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    /// The plan with all that it includes, where it includes anything.
    source: Option<SourceFile>,
}

impl Diagnostics {
    /// The mistakes sorted by place; those without one come first, and none comes twice.
    pub fn new(mut list: Vec<Diagnostic>) -> Self {
        list.sort_by_key(|diagnostic| diagnostic.span);
        let mut kept: Vec<Diagnostic> = Vec::with_capacity(list.len());
        for diagnostic in list {
            let mut same_place = kept.iter().rev().take_while(|other| other.span == diagnostic.span);
            if !same_place.any(|other| *other == diagnostic) {
                kept.push(diagnostic);
            }
        }
        Self { list: kept, source: None }
    }

    /// The same, of which some stand in files that the plan includes: `source` has them all.
    #[must_use]
    pub fn in_files(self, source: SourceFile) -> Self {
        Self { source: Some(source), ..self }
    }

    /// The mistakes.
    pub fn list(&self) -> &[Diagnostic] {
        &self.list
    }

    /// In rustc's layout, at most 20 of them, and how many more there are. Ends with a newline unless it is empty.
    ///
    /// No control character of the plan comes through.
    pub fn render(&self, source: &SourceFile, color: bool) -> String {
        let source = self.source.as_ref().unwrap_or(source);
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let hidden: Vec<_> =
            self.list.iter().filter(|diagnostic| diagnostic.hides).filter_map(|diagnostic| diagnostic.span).collect();
        let source = &if hidden.is_empty() { source.clone() } else { source.without(&hidden) };
        let mut text = String::new();
        for diagnostic in self.list.iter().take(SHOWN) {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&render(diagnostic, source, &renderer));
            text.push('\n');
        }
        if let Some(more) = self.list.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "\nand {more} more");
        }
        text
    }

    /// One JSON object a line, all of them: `message`, `label`, `file`, `line`, `column`, `end_line`, `end_column`,
    /// `notes`. Without a place, the four numbers are null.
    pub fn to_json(&self, source: &SourceFile) -> String {
        let source = self.source.as_ref().unwrap_or(source);
        let mut text = String::new();
        for diagnostic in &self.list {
            let span = diagnostic.span.map(|span| source.clamp(span));
            let place = span.map(|span| (source.place(span.start), source.place(span.end)));
            let (start, end) = place.unzip();
            let line = json!({
                "message": diagnostic.message,
                "label": diagnostic.label,
                "file": source.name_at(span.map_or(0, |span| span.start)),
                "line": start.as_ref().map(|start| start.line),
                "column": start.as_ref().map(|start| start.column),
                "end_line": end.as_ref().map(|end| end.line),
                "end_column": end.as_ref().map(|end| end.column),
                "notes": diagnostic.notes,
            });
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{line}");
        }
        text
    }
}

fn render(diagnostic: &Diagnostic, source: &SourceFile, renderer: &Renderer) -> String {
    let title = Level::ERROR.primary_title(printable(&diagnostic.message));
    let snippet = diagnostic.span.map(|span| snippet(span, &diagnostic.label, source));
    let notes = diagnostic.notes.iter().map(|note| message(note));
    let mut group = title.elements(snippet);
    if diagnostic.span.is_none() {
        group = group.element(Origin::path(printable(&source.name)));
    }
    if diagnostic.span.is_none() && !diagnostic.label.is_empty() {
        group = group.element(Level::NOTE.message(printable(&diagnostic.label)));
    }
    let text = renderer.render(&[group.elements(notes)]);
    // A line that is shown without a label ends in the blanks that would stand before it.
    let line = |line: &str| {
        // Without a place there is no line number either, and the arrow would stand at the margin.
        let margin = if line.starts_with("--> ") { " " } else { "" };
        format!("{margin}{}", line.trim_end())
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn message(note: &str) -> Message<'_> {
    match note.strip_prefix("help: ") {
        Some(help) => Level::HELP.message(printable(help)),
        None => Level::NOTE.message(printable(note)),
    }
}

/// The first line of `span`: what is wrong begins there, and a caret under many lines helps nobody.
fn snippet<'a>(span: Span, label: &str, source: &SourceFile) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let span = source.clamp(span);
    let place = source.place(span.start);
    let line_start = source.line_start(span.start);
    let rest = source.slice(Span::new(line_start, usize::MAX));
    let line = rest.split('\n').next().unwrap_or_default().trim_end_matches('\r');
    let (head, tail) = line.split_at_checked(span.start - line_start).unwrap_or((line, ""));
    let marked = tail.get(..(span.end - span.start).min(tail.len())).unwrap_or(tail).trim_end();
    let (head, shown) = (harmless(head), harmless(line));
    let range = head.len()..head.len() + harmless(marked).len();
    let annotation = AnnotationKind::Primary.span(range);
    let annotation = if label.is_empty() { annotation } else { annotation.label(printable(label)) };
    Snippet::source(shown).path(printable(source.name_at(span.start))).line_start(place.line).annotation(annotation)
}

/// `text` without what could move the cursor, change colours or turn the direction of writing.
fn printable(text: &str) -> String {
    harmless(text).replace('\t', " ")
}

/// The same, but tabs stay, which the renderer lines up. Each character that is replaced is replaced by one.
fn harmless(text: &str) -> String {
    let turns =
        |c| matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}');
    let harmful = |c: char| (c.is_control() && c != '\t') || turns(c);
    text.chars().map(|c| if harmful(c) { '\u{FFFD}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn source() -> SourceFile {
        SourceFile::new(
            "plans/release.yaml",
            "steps:\n  - id: a\n    attach:\n      artifact_typ: sbom/example\n\ttab: \u{1b}[31mü\r\n",
        )
    }

    #[test]
    fn what_may_be_a_secret_is_shown_with_no_diagnostic() {
        let source = SourceFile::new("plan.yaml", "password: hünter2, usr: x");
        let list = vec![
            Diagnostic::new("that is a secret").at(Span::new(10, 18)).hide(),
            Diagnostic::new("unknown key `usr`").at(Span::new(20, 23)),
        ];
        insta::assert_snapshot!(Diagnostics::new(list).render(&source, false), @r"
        error: that is a secret
         --> plan.yaml:1:11
          |
        1 | password: *·*****, usr: x
          |           ^^^^^^^

        error: unknown key `usr`
         --> plan.yaml:1:20
          |
        1 | password: *·*****, usr: x
          |                    ^^^
        ");
    }

    #[test]
    fn a_diagnostic_looks_as_rustc_prints_one() {
        let diagnostics = Diagnostics::new(vec![
            Diagnostic::new("unknown key `artifact_typ` in attach")
                .at(Span::new(35, 47))
                .label("did you mean `artifact_type`?")
                .note("attach takes: subject, artifact_type, files")
                .help("see `consign kinds attach`"),
            Diagnostic::new("input `VERSION` has no value").help("set it: --set VERSION=1.4.0"),
            Diagnostic::new("the whole list").at(Span::new(9, 60)),
        ]);
        insta::assert_snapshot!(diagnostics.render(&source(), false), @r"
        error: input `VERSION` has no value
         --> plans/release.yaml
         = help: set it: --set VERSION=1.4.0

        error: the whole list
         --> plans/release.yaml:2:3
          |
        2 |   - id: a
          |   ^^^^^^^

        error: unknown key `artifact_typ` in attach
         --> plans/release.yaml:4:7
          |
        4 |       artifact_typ: sbom/example
          |       ^^^^^^^^^^^^ did you mean `artifact_type`?
          |
          = note: attach takes: subject, artifact_type, files
          = help: see `consign kinds attach`
        ");
    }

    #[test]
    fn control_characters_do_not_come_through() {
        let diagnostics =
            Diagnostics::new(vec![Diagnostic::new("bad \u{9b}\u{7}").at(Span::new(70, 90)).label("\u{1b}[2J")]);
        let text = diagnostics.render(&source(), false);
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
        insta::assert_snapshot!(text, @r"
        error: bad ��
         --> plans/release.yaml:5:9
          |
        5 |     tab: �[31mü
          |            ^^^^ �[2J
        ");
    }

    #[test]
    fn twenty_are_shown_in_the_order_of_the_file() {
        let all = (0..33).rev().map(|at| Diagnostic::new(format!("mistake {at}")).at(Span::new(at, at + 1))).collect();
        let text = Diagnostics::new(all).render(&source(), false);
        assert_eq!(text.matches("error: ").count(), 20);
        assert!(text.starts_with("error: mistake 0\n"), "{text}");
        assert!(text.ends_with("\nand 13 more\n"), "{text}");
        let exactly = (0..20).map(|at| Diagnostic::new("mistake").at(Span::new(at, at + 1))).collect();
        assert!(!Diagnostics::new(exactly).render(&source(), false).contains("more"));
    }

    #[test]
    fn colours_are_there_only_where_wanted() {
        let diagnostics = Diagnostics::new(vec![Diagnostic::new("x").at(Span::new(0, 5))]);
        assert!(diagnostics.render(&source(), true).contains('\u{1b}'));
        assert!(!diagnostics.render(&source(), false).contains('\u{1b}'));
    }

    #[test]
    fn as_json_each_is_a_line_with_its_place() {
        let diagnostics = Diagnostics::new(vec![
            Diagnostic::new("no place"),
            Diagnostic::new("m").at(Span::new(35, 47)).label("l").note("n"),
        ]);
        insta::assert_snapshot!(diagnostics.to_json(&source()), @r#"
        {"message":"no place","label":"","file":"plans/release.yaml","line":null,"column":null,"end_line":null,"end_column":null,"notes":[]}
        {"message":"m","label":"l","file":"plans/release.yaml","line":4,"column":7,"end_line":4,"end_column":19,"notes":["n"]}
        "#);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_place_makes_it_panic(
            text in "(\\PC|[\n\r\t\u{1b}]){0,40}",
            spans in prop::collection::vec((0..60usize, 0..60usize), 0..4),
            label in "(\\PC|[\n\t]){0,5}",
        ) {
            let source = SourceFile::new("p", text);
            let list = spans.into_iter().map(|(start, end)| Diagnostic::new("m").at(Span::new(start, end)).label(&*label));
            let diagnostics = Diagnostics::new(list.collect());
            let rendered = diagnostics.render(&source, false);
            prop_assert!(!rendered.contains(|c: char| c.is_control() && c != '\n'));
            diagnostics.to_json(&source);
        }
    }
}
