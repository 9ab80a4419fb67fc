use granit_parser::{Event, Parser, StructureStyle, options};

use super::{
    Node,
    builder::Builder,
    limits,
    repair::{Context, Repair, cover},
    syntax,
};
use crate::plan::{Diagnostic, SourceFile, Span};

/// More broken expressions than this are not looked for: each costs another pass over the file.
const REPAIRS: usize = 32;

/// Reads the one document of `source`, or says everything that is wrong with it as YAML.
///
/// It is YAML 1.2 without merge keys, tags, and keys that are not text. Aliases are replaced by what they stand for.
pub fn parse(source: &SourceFile) -> Result<Node, Vec<Diagnostic>> {
    match recover(source) {
        (Some(node), diagnostics) if diagnostics.is_empty() => Ok(node),
        (_, diagnostics) => Err(diagnostics),
    }
}

/// As [`parse`], with the document also where there were mistakes that reading can go on after: of a duplicate key the
/// first is kept, a refused key is left out, and a broken expression is the text that it was meant to be.
///
/// What comes back is good for finding further mistakes only, unless there are no diagnostics.
pub fn recover(source: &SourceFile) -> (Option<Node>, Vec<Diagnostic>) {
    let text = &*source.text;
    if text.len() > limits::BYTES {
        return (None, vec![limits::bytes()]);
    }
    let mut repairs: Vec<Repair> = Vec::new();
    loop {
        let covered = if repairs.is_empty() { None } else { Some(cover(text, &repairs)) };
        let (node, diagnostics) = match pass(source, covered.as_deref().unwrap_or(text), &repairs) {
            Pass::Broken(repair, _) if repairs.len() < REPAIRS && is_new(&repair, &repairs) => {
                repairs.push(repair);
                continue;
            }
            Pass::Broken(repair, mut diagnostics) => {
                diagnostics.push(repair.diagnostic);
                (None, diagnostics)
            }
            Pass::Done(node, diagnostics) => (node, diagnostics),
        };
        let repaired = repairs.into_iter().map(|repair| repair.diagnostic);
        return (node, diagnostics.into_iter().chain(repaired).collect());
    }
}

/// How one reading of the file ended.
enum Pass {
    /// At its end, or at a mistake that nothing can be read after.
    Done(Option<Node>, Vec<Diagnostic>),
    /// At an expression that YAML breaks apart.
    Broken(Repair, Vec<Diagnostic>),
}

fn pass(source: &SourceFile, covered: &str, repairs: &[Repair]) -> Pass {
    let options = options! { emit_unresolved_aliases: true };
    let mut builder = Builder::new(source, repairs);
    for event in Parser::new_from_str_with_options(covered, options) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                let mut diagnostics = builder.into_diagnostics();
                let in_brackets = [Context::Flow, Context::Block];
                let broken = in_brackets.into_iter().find_map(|context| {
                    let fits = context == Context::Block || diagnostics.1;
                    if fits { Repair::of_error(covered, &error, context) } else { None }
                });
                if let Some(repair) = broken {
                    return Pass::Broken(repair, diagnostics.0);
                }
                diagnostics.0.push(syntax::diagnostic(&source.text, &error));
                return Pass::Done(None, diagnostics.0);
            }
        };
        let range = span.byte_range().unwrap_or_default();
        if let Event::MappingStart(StructureStyle::Flow, ..) = event {
            let context = if builder.in_flow() { Context::Flow } else { Context::Block };
            if let Some(repair) = Repair::of_mapping(covered, range.start, context) {
                return Pass::Broken(repair, builder.into_diagnostics().0);
            }
        }
        let tag = span.tag_start().and_then(|mark| mark.byte_offset());
        if let Err(stop) = builder.hear(event, Span::new(range.start, range.end), tag) {
            let mut diagnostics = builder.into_diagnostics().0;
            diagnostics.push(stop);
            return Pass::Done(None, diagnostics);
        }
    }
    let (node, diagnostics) = builder.finish();
    Pass::Done(node, diagnostics)
}

fn is_new(repair: &Repair, repairs: &[Repair]) -> bool {
    let Span { start, end } = repair.span;
    start < end && repairs.iter().all(|other| end <= other.span.start || other.span.end <= start)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;
    use crate::plan::{Diagnostics, yaml::NodeKind};

    fn source(text: &str) -> SourceFile {
        SourceFile::new("p.yaml", text)
    }

    fn parsed(text: &str) -> Node {
        parse(&source(text)).unwrap_or_else(|diagnostics| panic!("{text:?}: {diagnostics:?}"))
    }

    fn mistakes(text: &str) -> String {
        let source = source(text);
        Diagnostics::new(parse(&source).expect_err(text)).render(&source, false)
    }

    /// The messages with the place of each.
    fn messages(text: &str) -> Vec<String> {
        let source = source(text);
        let list = Diagnostics::new(parse(&source).err().unwrap_or_default());
        let place = |span: Span| source.place(span.start);
        list.list()
            .iter()
            .map(|one| {
                let place = one.span.map(place).map(|place| format!("{}:{} ", place.line, place.column));
                format!("{}{}", place.unwrap_or_default(), one.message)
            })
            .collect()
    }

    /// Every scalar and key with what stands at its span.
    fn places(node: &Node, text: &str, found: &mut Vec<(String, String)>) {
        let slice = |span: Span| text[span.start..span.end].to_owned();
        match &node.kind {
            NodeKind::Scalar(scalar) => found.push((scalar.text.to_string(), slice(node.span))),
            NodeKind::Sequence(items) => items.iter().for_each(|item| places(item, text, found)),
            NodeKind::Mapping(entries) => {
                for entry in entries {
                    found.push((entry.key.text.to_string(), slice(entry.key.span)));
                    places(&entry.value, text, found);
                }
            }
            NodeKind::Value(_) | NodeKind::Secret(_) | NodeKind::Unknown => {}
        }
    }

    #[test]
    fn everything_knows_where_it_stands() {
        let text = "\u{feff}ä: ü\r\nb:\n  - 'y z'\n  - [1, \"a\\nb\"]\nc: |\n  foo\n  bar\n\nd: &q {k: }\ne: *q\n";
        let node = parsed(text);
        let mut found = Vec::new();
        places(&node, text, &mut found);
        let found: Vec<(&str, &str)> = found.iter().map(|(text, slice)| (text.as_str(), slice.as_str())).collect();
        assert_eq!(
            found,
            [
                ("ä", "ä"),
                ("ü", "ü"),
                ("b", "b"),
                ("y z", "'y z'"),
                ("1", "1"),
                ("a\nb", "\"a\\nb\""),
                ("c", "c"),
                ("foo\nbar\n", "foo\n  bar"),
                ("d", "d"),
                ("k", "k"),
                ("", ""),
                ("e", "e"),
                ("k", "k"),
                ("", ""),
            ]
        );
        let slice = |node: &Node| &text[node.span.start..node.span.end];
        assert_eq!(slice(node.get("b").unwrap()), "- 'y z'\n  - [1, \"a\\nb\"]");
        assert_eq!(slice(&node.get("b").unwrap().items().unwrap()[1]), "[1, \"a\\nb\"]");
        assert_eq!(slice(node.get("d").unwrap()), "{k: }");
        assert_eq!(slice(node.get("e").unwrap()), "*q");
        assert_eq!(slice(&node), text.trim_start_matches('\u{feff}').trim_end());
    }

    #[test]
    fn all_mistakes_of_a_file_come_at_once() {
        insta::assert_snapshot!(mistakes(
            "name: x\nname: y\nimage: {{ IMAGE }}:v1\nlist: [a, ${{ X }}/${{ Y }}, \"b\"]\nmap: { k: ${{ f(X, 1) }}, l: 1 }\n\
             label: ${{ NAME ~ ' #1' }}\n<<: *base\n? [a]\n: 1\ntag: !env HOME\nwhen: ${{ {a: 1} }}\nnested:\n  - {{ A }}\n  - [{{ B }}]\n"
        ), @r#"
        error: the key `name` stands here twice
         --> p.yaml:2:1
          |
        2 | name: y
          | ^^^^ the second one
          |
          = note: the first one is in line 1

        error: this is a YAML mapping, not an expression
         --> p.yaml:3:8
          |
        3 | image: {{ IMAGE }}:v1
          |        ^^^^^^^^^^^^^^ write `${{ IMAGE }}:v1`

        error: an expression inside `[ ]` or `{ }` must be quoted
         --> p.yaml:4:11
          |
        4 | list: [a, ${{ X }}/${{ Y }}, "b"]
          |           ^^^^^^^^^^^^^^^^^ write `"${{ X }}/${{ Y }}"`

        error: an expression inside `[ ]` or `{ }` must be quoted
         --> p.yaml:5:11
          |
        5 | map: { k: ${{ f(X, 1) }}, l: 1 }
          |           ^^^^^^^^^^^^^^ write `"${{ f(X, 1) }}"`

        error: the expression is cut off by a comment
         --> p.yaml:6:21
          |
        6 | label: ${{ NAME ~ ' #1' }}
          |                     ^^^^^^ quote the whole value
          |
          = note: YAML starts a comment at ` #`

        error: merge keys (`<<`) are not allowed in a plan
         --> p.yaml:7:1
          |
        7 | <<: *base
          | ^^ write the keys out, or put an alias in place of a whole value

        error: `*base` is an alias, and nothing above it has that anchor
         --> p.yaml:7:5
          |
        7 | <<: *base
          |     ^^^^^ quote it to mean text

        error: a key must be text, not a list or a mapping
         --> p.yaml:8:3
          |
        8 | ? [a]
          |   ^^^

        error: tags such as `!env` mean nothing in a plan
          --> p.yaml:10:6
           |
        10 | tag: !env HOME
           |      ^^^^ leave it out; quote the value to mean text

        error: an expression with `: ` in it must be quoted
          --> p.yaml:11:7
           |
        11 | when: ${{ {a: 1} }}
           |       ^^^^^^^^^^^^^ write `"${{ {a: 1} }}"`

        error: this is a YAML mapping, not an expression
          --> p.yaml:13:5
           |
        13 |   - {{ A }}
           |     ^^^^^^^ write `${{ A }}`

        error: this is a YAML mapping, not an expression
          --> p.yaml:14:6
           |
        14 |   - [{{ B }}]
           |      ^^^^^^^ write `"${{ B }}"`
        "#);
    }

    #[test]
    fn what_was_broken_is_read_as_it_was_meant() {
        let text = "a: 1\na: 2\nb: {{ X }}:v1\nc: [x/${{ Y }}, z]\nd: ${{ ' #' }}\n<<: 1\n";
        let (node, diagnostics) = recover(&source(text));
        let node = node.unwrap();
        assert_eq!(diagnostics.len(), 5);
        let text = |node: &Node| node.scalar().unwrap().text.to_string();
        assert_eq!(text(node.get("a").unwrap()), "1");
        assert_eq!(text(node.get("b").unwrap()), "${{ X }}:v1");
        let list: Vec<_> = node.get("c").unwrap().items().unwrap().iter().map(text).collect();
        assert_eq!(list, ["x/${{ Y }}", "z"]);
        assert_eq!(text(node.get("d").unwrap()), "${{ ' #' }}");
        assert_eq!(node.entries().unwrap().len(), 4);
    }

    #[test]
    fn expressions_that_yaml_leaves_whole_are_left_alone() {
        for text in [
            "a: ${{ X }}",
            "a: x${{ X }}y # comment",
            "a: \"${{ X ~ ' #' }}\"",
            "a: [\"${{ X }}\", '${{ Y }}']",
            "a: |\n  {{ X }} #",
            "a: x {{ X }}",
            "a: $${{ X }}",
            "a: ${{ X\n   }}",
        ] {
            assert_eq!(messages(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn syntax_errors_say_what_to_do() {
        let rows: Vec<String> = [
            "a:\n\tb: 1\n",
            "a: 1\n\tb: 2\n",
            "a: b: c\n",
            "a: 1\n b: 2\n",
            "a:\n    b: 1\n  c: 2\n",
            "a: \"x\" y\n",
            "a: 'x\n",
            "a: \"\\q\"\n",
            "a: @x\n",
            "a: [1, 2\nb: 3\n",
            "a: {x: 1}}\n",
            "a: [1}\n",
            "a: [1\n",
            "- a\nb: c\n",
            "a: - b\n",
            "a: x\nkey\nb: c\n",
            "a: *.tar\n",
            "a: x\u{0}y\n",
            ": x\n",
            "a: 1\n---\nb: 2\n",
            "",
            "  # nothing\n",
            "---\n",
            "~:\n  - x\n y\n",
        ]
        .iter()
        .map(|text| format!("{text:?}: {}", messages(text).join(" | ")))
        .collect();
        insta::assert_snapshot!(rows.join("\n"), @r#"
        "a:\n\tb: 1\n": 2:1 a tab cannot indent in YAML
        "a: 1\n\tb: 2\n": 2:1 a tab cannot indent in YAML
        "a: b: c\n": 1:5 `: ` cannot stand in a value without quotes
        "a: 1\n b: 2\n": 2:3 this key does not line up with the ones before it
        "a:\n    b: 1\n  c: 2\n": 3:3 a key was expected here
        "a: \"x\" y\n": 1:8 something stands after the closing quote
        "a: 'x\n": 1:4 the quote is never closed
        "a: \"\\q\"\n": 1:4 in double quotes, `\` begins an escape that YAML knows
        "a: @x\n": 1:4 a value cannot begin with `@`
        "a: [1, 2\nb: 3\n": 2:2 a `:` is out of place here
        "a: {x: 1}}\n": 1:10 this bracket closes nothing
        "a: [1}\n": 1:4 `[` is closed by `}`
        "a: [1\n": 1:4 this `[` is never closed
        "- a\nb: c\n": 2:1 an entry of the list was expected here
        "a: - b\n": 1:4 a list cannot begin here
        "a: x\nkey\nb: c\n": 2:1 this is neither a key nor a value
        "a: *.tar\n": 1:4 `*.tar` is an alias, and nothing above it has that anchor
        "a: x\0y\n": 1:5 the character U+0000 cannot stand in YAML
        ": x\n": 1:1 a key is missing before the `:`
        "a: 1\n---\nb: 2\n": 2:1 a plan is one YAML document
        "": the plan is empty
        "  # nothing\n": the plan is empty
        "---\n": the plan is empty
        "~:\n  - x\n y\n": 3:2 a key was expected here
        "#);
    }

    #[test]
    fn anchors_stand_for_what_they_name() {
        let node = parsed("a: &x [1, 2]\nb: *x\n");
        assert_eq!(node.get("b").unwrap().items().unwrap().len(), 2);
        assert_eq!(messages("a: &x [*x]\n"), ["1:8 this alias stands inside what it stands for"]);
        assert_eq!(messages("a: &x k\n*x : 1\n"), [""; 0]);
        assert_eq!(messages("a: &x a\n*x : 1\n"), ["2:1 the key `a` stands here twice"]);
    }

    #[test]
    fn duplicate_keys_are_found_in_large_mappings_too() {
        let mut text = (0..100).map(|key| format!("k{key}: 1")).collect::<Vec<_>>().join("\n");
        assert_eq!(messages(&text), [""; 0]);
        text.push_str("\nk3: 1\nk99: 1\n");
        assert_eq!(messages(&text), ["101:1 the key `k3` stands here twice", "102:1 the key `k99` stands here twice"]);
    }

    #[test]
    fn limits_are_named() {
        assert_eq!(messages(&"x".repeat(limits::BYTES + 1)), ["a plan has at most 8 MiB"]);
        let nested = |open: &str, count| open.repeat(count);
        assert_eq!(messages(&format!("{}{}", nested("[", 64), nested("]", 64))), [""; 0]);
        let deep = "lists and mappings nest at most 64 deep";
        assert_eq!(messages(&format!("{}{}", nested("[", 65), nested("]", 65))), [format!("1:65 {deep}")]);
        assert!(messages(&nested("[", 20_000))[0].ends_with(deep));
        assert!(messages(&nested("- ", 20_000))[0].ends_with(deep));
        assert!(messages(&nested("{a: ", 20_000))[0].ends_with(deep));
        let mut laughs = "a0: &a0 x\n".to_owned();
        for level in 1..10 {
            let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
            writeln!(laughs, "a{level}: &a{level} [{aliases}]").unwrap();
        }
        assert!(messages(&laughs)[0].ends_with("aliases stand for at most 100,000 keys and values in all"));
        assert_eq!(messages(&"a: 1\n".repeat(100_000)).len(), limits::MISTAKES + 1);
        let mut deeper = "a0: &a0 [x]\n".to_owned();
        for level in 1..70 {
            writeln!(deeper, "a{level}: &a{level} [*a{}]", level - 1).unwrap();
        }
        assert!(messages(&deeper)[0].ends_with(deep));
    }

    fn fragments() -> impl Strategy<Value = String> {
        let fragment = prop::sample::select(vec![
            "a", "b: ", "- ", "\n", "\n  ", "\n    ", ": ", "[", "]", "{", "}", ", ", "{{", "}}", "${{", "${{ X }}",
            "'", "\"", " #", "#", "&x ", "*x", "!t ", "<<", "? ", "|", ">-", "\\", "\t", "---\n", "...\n", "%", "@",
            "~", "null", "1.10", "ä", "\u{feff}", "\r\n", "\u{0}", "|2", "|+",
        ]);
        prop::collection::vec(fragment, 0..24).prop_map(|parts| parts.concat())
    }

    fn survives(text: &str) {
        let source = source(text);
        let (node, diagnostics) = recover(&source);
        Diagnostics::new(diagnostics).render(&source, false);
        let Some(node) = node else { return };
        let mut rest = vec![&node];
        while let Some(node) = rest.pop() {
            rest.extend(node.items().unwrap_or_default());
            rest.extend(node.entries().unwrap_or_default().iter().map(|entry| &entry.value));
            let length = node.scalar().map_or(0, |scalar| scalar.text.len());
            for at in 0..=length {
                node.locate(&source, at..length);
                node.locate(&source, 0..at);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1024, ..ProptestConfig::default() })]

        #[test]
        fn no_text_makes_it_panic(text in "(\\PC|[\n\r\t:{}\\[\\],'\"#&*!|>$ -]){0,60}") {
            survives(&text);
        }

        #[test]
        fn nothing_that_looks_like_yaml_makes_it_panic(text in fragments()) {
            survives(&text);
        }
    }
}
