//! What is decoded, what is refused, and in which words.

use std::{collections::BTreeMap, fmt};

use indexmap::IndexMap;
use proptest::prelude::*;
use serde::{Deserialize, Deserializer, de};
use serde_json::{Value, json};

use super::decode;
use crate::{
    oci::{Digest, Tag},
    plan::{
        Diagnostic, Diagnostics, SourceFile, Span,
        yaml::{Node, Spanned, parse},
    },
};

#[derive(Debug, PartialEq, Deserialize)]
struct Attach {
    subject: String,
    artifact_type: String,
    #[serde(default)]
    files: Vec<File>,
    #[serde(default)]
    annotations: IndexMap<String, String>,
    #[serde(default)]
    if_exists: Option<IfExists>,
    #[serde(default)]
    jobs: Option<u8>,
    #[serde(default)]
    graph: Option<bool>,
    #[serde(default)]
    tag: Option<TagText>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct File {
    path: String,
    #[serde(default)]
    json: Option<Value>,
    #[serde(default)]
    at: Option<Spanned<String>>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum IfExists {
    Fail,
    Replace,
    Keep,
    Other(File),
    Inline { path: String },
}

#[derive(Debug, PartialEq)]
struct TagText(Tag);

impl<'de> Deserialize<'de> for TagText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(de::Error::custom)
    }
}

fn source(text: &str) -> SourceFile {
    SourceFile::new("p.yaml", text)
}

fn node(text: &str) -> Node {
    parse(&source(text)).unwrap_or_else(|diagnostics| panic!("{text:?}: {diagnostics:?}"))
}

fn read<T: de::DeserializeOwned>(text: &str) -> Result<T, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    let value = decode(&node(text), "attach", &mut diagnostics);
    match value {
        Some(value) if diagnostics.is_empty() => Ok(value),
        _ => {
            assert!(!diagnostics.is_empty(), "{text:?} gave neither a value nor a diagnostic");
            Err(diagnostics)
        }
    }
}

fn rendered<T: de::DeserializeOwned + fmt::Debug>(text: &str) -> String {
    Diagnostics::new(read::<T>(text).expect_err(text)).render(&source(text), false)
}

fn message<T: de::DeserializeOwned + fmt::Debug>(text: &str) -> String {
    let list = read::<T>(text).expect_err(text);
    list.iter().map(|one| one.message.as_str()).collect::<Vec<_>>().join(" | ")
}

#[test]
fn a_struct_is_read() {
    let attach: Attach = read(
        "subject: a/b:1.10\nartifact_type: NO\nfiles:\n  - {path: 0755, at: x}\n  - {path: true, json: {b: 1, a: [x, null]}}\n\
         annotations: {z: 1.10, a: yes, m: '', n: 1e5}\nif_exists: keep\njobs: 8\ngraph: true\ntag: v1\n",
    )
    .unwrap();
    assert_eq!((&*attach.subject, &*attach.artifact_type), ("a/b:1.10", "NO"));
    assert_eq!(attach.files[0].path, "0755");
    assert_eq!(attach.files[1].path, "true");
    assert_eq!(attach.files[1].json, Some(json!({"b": 1, "a": ["x", null]})));
    let keys: Vec<_> = attach.files[1].json.as_ref().unwrap().as_object().unwrap().keys().collect();
    assert_eq!(keys, ["b", "a"]);
    let annotations: Vec<_> = attach.annotations.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(annotations, ["z=1.10", "a=yes", "m=", "n=1e5"]);
    assert_eq!((attach.if_exists, attach.jobs, attach.graph), (Some(IfExists::Keep), Some(8), Some(true)));
    assert_eq!(attach.tag, Some(TagText("v1".parse().unwrap())));
}

#[test]
fn every_mistake_is_found_in_one_go() {
    insta::assert_snapshot!(rendered::<Attach>(
        "subjct: a/b\nartifact_type:\nfiles:\n  - {path: x, jsn: 1}\n  - {json: {version: 1.10, ok: NO}}\n  - text\n  - {path: [a]}\n\
         annotations: {a: {b: c}, d: null, e: fine}\nif_exists: kep\njobs: 300\ngraph: yes\ntag: a/b\n"
    ), @r"
    error: unknown key `subjct` in attach
     --> p.yaml:1:1
      |
    1 | subjct: a/b
      | ^^^^^^ did you mean `subject`?
      |
      = note: attach takes: subject, artifact_type, files, annotations, if_exists, jobs, graph, tag

    error: `artifact_type` is empty: give it a value, or leave the key out
     --> p.yaml:2:14
      |
    2 | artifact_type:
      |              ^

    error: unknown key `jsn` in an entry of `files`
     --> p.yaml:4:15
      |
    4 |   - {path: x, jsn: 1}
      |               ^^^ did you mean `json`?
      |
      = note: an entry of `files` takes: path, json, at

    error: an entry of `files` needs `path`
     --> p.yaml:5:6
      |
    5 |   - {json: {version: 1.10, ok: NO}}
      |      ^^^^

    error: `1.10` would become the number 1.1: quote it to mean text
     --> p.yaml:5:22
      |
    5 |   - {json: {version: 1.10, ok: NO}}
      |                      ^^^^

    error: `NO` would become the boolean false: quote it to mean text
     --> p.yaml:5:32
      |
    5 |   - {json: {version: 1.10, ok: NO}}
      |                                ^^

    error: an entry of `files` takes a mapping, not text
     --> p.yaml:6:5
      |
    6 |   - text
      |     ^^^^

    error: `path` takes text, not a list
     --> p.yaml:7:12
      |
    7 |   - {path: [a]}
      |            ^^^

    error: `a` takes text, not a mapping
     --> p.yaml:8:18
      |
    8 | annotations: {a: {b: c}, d: null, e: fine}
      |                  ^^^^^^

    error: `d` is empty: give it a value, or leave the key out
     --> p.yaml:8:29
      |
    8 | annotations: {a: {b: c}, d: null, e: fine}
      |                             ^^^^

    error: `if_exists` takes `fail`, `replace`, `keep`, `other` or `inline`, not `kep`
     --> p.yaml:9:12
      |
    9 | if_exists: kep
      |            ^^^ did you mean `keep`?

    error: `jobs` takes a whole number from 0 to 255, not `300`
      --> p.yaml:10:7
       |
    10 | jobs: 300
       |       ^^^

    error: `graph` takes `true` or `false`, not `yes`
      --> p.yaml:11:8
       |
    11 | graph: yes
       |        ^^^

    error: `a/b` is not a tag: use at most 128 letters, digits, `_`, `.` and `-`, not starting with `.` or `-`
      --> p.yaml:12:6
       |
    12 | tag: a/b
       |      ^^^
    ");
}

#[test]
fn a_value_comes_back_where_one_can_be_built() {
    let text = "subject: a\nartifact_type: b\nnonsense: 1\njobs: many\nfiles: [{path: x}, 1]\n";
    let mut diagnostics = Vec::new();
    let attach: Attach = decode(&node(text), "attach", &mut diagnostics).unwrap();
    assert_eq!(diagnostics.len(), 3);
    assert_eq!((attach.jobs, attach.files.len()), (None, 1));
}

#[test]
fn what_is_missing_is_named_once() {
    assert_eq!(message::<Attach>("subject: a\n"), "`attach` needs `artifact_type`");
    assert_eq!(message::<Attach>("{}"), "`attach` needs `subject`");
    assert_eq!(
        message::<Attach>("subject: a\nartifact_type: b\nfiles: [{}, {json: 1}]\n"),
        "an entry of `files` needs `path` | an entry of `files` needs `path`"
    );
    assert_eq!(
        message::<Attach>("subject: [a]\nartifact_typ: b\n"),
        "`subject` takes text, not a list | unknown key `artifact_typ` in attach"
    );
    assert_eq!(
        message::<Attach>("subject: a\nbogus: b\n"),
        "unknown key `bogus` in attach | `attach` needs `artifact_type`"
    );
}

#[test]
fn wrong_types_are_told_in_words() {
    let field = |field: &str| message::<Attach>(&format!("subject: a\nartifact_type: b\n{field}\n"));
    let rows: Vec<String> = [
        "files: text",
        "files: 1",
        "files: {a: b}",
        "files:",
        "files: a text that is much longer than what fits here",
        "annotations: [a]",
        "if_exists: [a]",
        "if_exists: {fail: 1}",
        "if_exists: {fial: 1}",
        "if_exists: {fail: , keep: }",
        "if_exists: other",
        "if_exists: {other: {}}",
        "if_exists: {inline: {pth: 1}}",
        "if_exists: {inline: }",
        "if_exists: ~",
        "jobs: -1",
        "jobs: 08",
        "jobs: '8'",
        "jobs: 1.5",
        "jobs: null",
        "graph: yes",
        "graph: 'true'",
        "tag:",
        "tag: -x",
        "tag: [v1]",
    ]
    .iter()
    .map(|row| format!("{row}: {}", field(row)))
    .collect();
    insta::assert_snapshot!(rows.join("\n"), @r"
    files: text: `files` takes a list, not text
    files: 1: `files` takes a list, not `1`
    files: {a: b}: `files` takes a list, not a mapping
    files:: `files` is empty: give it a value, or leave the key out
    files: a text that is much longer than what fits here: `files` takes a list, not text
    annotations: [a]: `annotations` takes a mapping, not a list
    if_exists: [a]: `if_exists` takes `fail`, `replace`, `keep`, `other` or `inline`, not a list
    if_exists: {fail: 1}: `fail` takes no value: write only the name
    if_exists: {fial: 1}: unknown key `fial` in `if_exists`
    if_exists: {fail: , keep: }: `if_exists` takes exactly one key, `fail`, `replace`, `keep`, `other` or `inline`
    if_exists: other: in `if_exists`, `other` needs a value: write `other: …`
    if_exists: {other: {}}: `other` needs `path`
    if_exists: {inline: {pth: 1}}: unknown key `pth` in `inline`
    if_exists: {inline: }: `inline` is empty: give it a value, or leave the key out
    if_exists: ~: `if_exists` is empty: give it a value, or leave the key out
    jobs: -1: `jobs` takes a whole number from 0 to 255, not `-1`
    jobs: 08: `jobs` takes a whole number from 0 to 255, not `08`
    jobs: '8': `jobs` takes a whole number from 0 to 255, not `'8'`
    jobs: 1.5: `jobs` takes a whole number from 0 to 255, not `1.5`
    jobs: null: `jobs` is empty: give it a value, or leave the key out
    graph: yes: `graph` takes `true` or `false`, not `yes`
    graph: 'true': `graph` takes `true` or `false`, not `'true'`
    tag:: `tag` is empty: give it a value, or leave the key out
    tag: -x: `-x` is not a tag: use at most 128 letters, digits, `_`, `.` and `-`, not starting with `.` or `-`
    tag: [v1]: `tag` takes text, not a list
    ");
    assert_eq!(message::<Attach>("text"), "`attach` takes a mapping, not text");
    assert_eq!(message::<Vec<u8>>("[1, x]"), "an entry of attach takes a whole number from 0 to 255, not `x`");
    assert_eq!(message::<(u8, u8)>("[1]"), "`attach` takes a list of 2 entries, not 1");
    assert_eq!(message::<(u8, u8)>("[1, 2, 3]"), "`attach` takes a list of 2 entries, not 3");
    assert_eq!(message::<i64>("99999999999999999999"), "`attach` takes a whole number, not `99999999999999999999`");
    assert_eq!(message::<f64>("x"), "`attach` takes a number, not `x`");
    assert_eq!(read::<f64>("1.50"), Ok(1.5));
}

#[test]
fn an_error_of_a_type_points_at_its_value() {
    let text = "d: sha256:12\n";
    let list = read::<BTreeMap<String, Digest>>(text).unwrap_err();
    assert_eq!(list[0].span, Some(Span::new(3, 12)));
    assert_eq!(list[0].message, "`sha256:12` is not a digest: sha256 takes 64 lower-case hexadecimal digits, not `12`");
    let list = read::<BTreeMap<Digest, String>>("a: x\nb: y\n").unwrap_err();
    let spans: Vec<_> = list.iter().map(|one| one.span.unwrap()).collect();
    assert_eq!(spans, [Span::new(0, 1), Span::new(5, 6)]);
}

#[test]
fn free_form_values_keep_their_meaning_or_are_refused() {
    let value: Value =
        read("b: 1\na: 1.5\nt: true\nn: null\ne:\nq: '1.10'\nv: 0.0.0.0\nl: [-3, x, {}]\ns: |\n  1\n").unwrap();
    let expected = json!({
        "b": 1, "a": 1.5, "t": true, "n": null, "e": null, "q": "1.10", "v": "0.0.0.0", "l": [-3, "x", {}], "s": "1\n",
    });
    assert_eq!(value.to_string(), expected.to_string());
    assert_eq!(
        message::<Value>("a: [1.10, 012]\nb: {c: NO, d: ~}"),
        "`1.10` would become the number 1.1: quote it to mean text \
         | `012` would become the number 12: quote it to mean text \
         | `NO` would become the boolean false: quote it to mean text \
         | `~` would become nothing (null): quote it to mean text"
    );
}

#[test]
fn what_an_expression_gave_is_not_read_again() {
    let given = |value| Node::from_value(value, Span::new(1, 2));
    let read = |value: Value| {
        let mut diagnostics = Vec::new();
        (decode::<Value>(&given(value), "x", &mut diagnostics), diagnostics)
    };
    let value = json!({"a": ["1.10", 1.5, true, null, "NO", -1], "b": {"c": ""}});
    assert_eq!(read(value.clone()), (Some(value), vec![]));
    let mut diagnostics = Vec::new();
    assert_eq!(decode::<String>(&given(json!(12)), "x", &mut diagnostics), Some("12".to_owned()));
    assert_eq!(decode::<bool>(&given(json!(true)), "x", &mut diagnostics), Some(true));
    assert_eq!(decode::<u16>(&given(json!(7)), "x", &mut diagnostics), Some(7));
    assert_eq!(decode::<String>(&given(json!("null")), "x", &mut diagnostics), Some("null".to_owned()));
    assert_eq!(decode::<IfExists>(&given(json!("keep")), "x", &mut diagnostics), Some(IfExists::Keep));
    assert_eq!(diagnostics, []);
    assert_eq!(decode::<bool>(&given(json!("true")), "x", &mut diagnostics), None);
    assert_eq!(decode::<String>(&given(json!(true)), "x", &mut diagnostics), None);
    assert_eq!(decode::<String>(&given(json!(null)), "x", &mut diagnostics), None);
    assert_eq!(
        diagnostics,
        [
            Diagnostic::new("`x` takes `true` or `false`, not `\"true\"`").at(Span::new(1, 2)),
            Diagnostic::new("`x` takes text, not `true`").at(Span::new(1, 2)),
            Diagnostic::new("`x` is empty: give it a value, or leave it out").at(Span::new(1, 2)),
        ]
    );
}

#[test]
fn places_are_captured() {
    #[derive(Deserialize)]
    struct Step {
        id: Spanned<String>,
        body: Node,
        list: Spanned<Vec<Spanned<u8>>>,
        #[serde(default)]
        map: BTreeMap<Spanned<Key>, Option<Node>>,
    }
    #[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
    struct Key(String);
    impl PartialOrd for Spanned<Key> {
        fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
            Some(self.cmp(other))
        }
    }
    impl Ord for Spanned<Key> {
        fn cmp(&self, other: &Self) -> std::cmp::Ordering {
            self.value.cmp(&other.value)
        }
    }
    let text = "id: 'a'\nbody: {x: [1, ~]}\nlist: [1, 22]\nmap: {k: v}\n";
    let step: Step = read(text).unwrap();
    let slice = |span: Span| &text[span.start..span.end];
    assert_eq!((&**step.id, slice(step.id.span)), ("a", "'a'"));
    assert_eq!(Some(&step.body), node(text).get("body"));
    assert_eq!((step.list[1].value, slice(step.list[1].span), slice(step.list.span)), (22, "22", "[1, 22]"));
    let (key, value) = step.map.first_key_value().unwrap();
    assert_eq!((&*key.value.0, slice(key.span), slice(value.as_ref().unwrap().span)), ("k", "k", "v"));
}

#[test]
fn places_come_only_from_a_plan() {
    assert!(serde_json::from_str::<Spanned<String>>("\"x\"").is_err());
    assert!(serde_json::from_str::<Spanned<String>>("[0, 1, \"x\"]").is_err());
    assert!(serde_json::from_str::<Node>("null").is_err());
    assert!(serde_yaml::from_str::<Node>("a: 1").is_err());
}

#[test]
fn types_with_a_visitor_of_their_own_work() {
    #[derive(Debug, PartialEq)]
    struct Pair {
        left: u8,
        right: Option<String>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Key {
        Left,
        Right,
    }

    impl<'de> Deserialize<'de> for Pair {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl<'de> de::Visitor<'de> for Visitor {
                type Value = Pair;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("a pair or the word `none`")
                }

                fn visit_str<E: de::Error>(self, text: &str) -> Result<Pair, E> {
                    if text == "none" {
                        Ok(Pair { left: 0, right: None })
                    } else {
                        Err(E::invalid_value(de::Unexpected::Str(text), &self))
                    }
                }

                fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Pair, A::Error> {
                    let (mut left, mut right) = (None, None);
                    while let Some(key) = map.next_key()? {
                        match key {
                            Key::Left => left = Some(map.next_value()?),
                            Key::Right => right = Some(map.next_value()?),
                        }
                    }
                    Ok(Pair { left: left.ok_or_else(|| de::Error::missing_field("left"))?, right })
                }
            }
            deserializer.deserialize_any(Visitor)
        }
    }

    assert_eq!(read("none"), Ok(Pair { left: 0, right: None }));
    assert_eq!(read("{left: 1, right: 1.10}"), Ok(Pair { left: 1, right: Some("1.10".to_owned()) }));
    assert_eq!(message::<Pair>("other"), "`attach` takes a pair or the word `none`, not `other`");
    assert_eq!(message::<Pair>("[1]"), "`attach` takes a pair or the word `none`, not a list");
    assert_eq!(
        message::<Vec<Pair>>("[{left: x, rihgt: 1, up: 2}, {right: 1}, none]"),
        "`left` takes a whole number from 0 to 255, not `x` | unknown key `rihgt` in an entry of attach \
         | unknown key `up` in an entry of attach | an entry of attach needs `left`"
    );
}

#[test]
fn reading_again_ends() {
    let many = (0..200).map(|key| format!("k{key}: x")).collect::<Vec<_>>().join("\n");
    let mut diagnostics = Vec::new();
    assert_eq!(decode::<BTreeMap<String, u8>>(&node(&many), "x", &mut diagnostics), None);
    assert_eq!(diagnostics.len(), super::READINGS);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_decoding_panic(text in "(a|b|: |- |\n|\n  |1.10|null|\\[|\\]|\\{|\\}|, |path|files|subject|'|other|keep|if_exists){0,30}") {
        if let Ok(node) = parse(&source(&text)) {
            let mut diagnostics = Vec::new();
            decode::<Attach>(&node, "attach", &mut diagnostics);
            decode::<Value>(&node, "attach", &mut diagnostics);
            decode::<Vec<IfExists>>(&node, "attach", &mut diagnostics);
        }
    }
}
