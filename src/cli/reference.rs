//! `consign reference`: the language on one page of Markdown, from the list of kinds, the list of filters and the schema.

use std::fmt::Write;

use serde_json::Value;

use super::schema;
use crate::{
    plan::expression::{FILTERS, TESTS},
    step::{Access, EffectInfo, KINDS, Kind},
};

/// The prose, with marks where the lists go: a line that is `@` and a word, or that in a sentence.
const PROSE: &str = include_str!("reference/language.md");

/// The whole page.
pub(super) fn text() -> String {
    let schema = schema::plan();
    let of = |name: &str| fields(&schema["$defs"][name]);
    let lists = [
        ("@top", fields(&schema)),
        ("@input", of("input")),
        ("@types", types(&schema["$defs"]["input"]["properties"]["type"])),
        ("@secret", of("secret")),
        ("@registry", of("registry")),
        ("@allow", of("allow")),
        ("@rehearsal", of("rehearsal")),
        ("@defaults", fields(&schema["properties"]["defaults"])),
        ("@step", of("step")),
        ("@foreach", fields(foreach(&schema))),
        ("@retry", of("retry")),
        ("@filters", filters()),
        ("@effects", effects()),
        ("@gates", gates()),
        ("@kinds", kinds()),
    ];
    let mut page = String::new();
    for line in PROSE.lines() {
        match lists.iter().find(|(mark, _)| *mark == line) {
            Some((_, list)) => page.push_str(list),
            None => page.push_str(line),
        }
        page.push('\n');
    }
    let tests: Vec<_> = TESTS.iter().map(|name| format!("`{name}`")).collect();
    page.replace("@tests", &tests.join(", "))
}

/// Text as a cell of a table.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

/// Text in a table that is code.
fn code(text: &str) -> String {
    // A backslash escapes a line in a table, also in code.
    format!("`{}`", cell(text))
}

fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut out = format!("| {} |\n|{}\n", header.join(" | "), " --- |".repeat(header.len()));
    for row in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "| {} |", row.join(" | "));
    }
    out.trim_end().to_owned()
}

/// The members of a mapping, each with what it is and an example; a step's without the kinds.
fn fields(schema: &Value) -> String {
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let fields = schema["properties"].as_object().into_iter().flatten();
    let fields = fields.filter(|(name, _)| KINDS.iter().all(|kind| kind.name != name.as_str()));
    let rows: Vec<_> = fields
        .map(|(name, field)| {
            let needed = if required.contains(&name.as_str()) { " (required)" } else { "" };
            let example = &field["examples"][0];
            let example = example.as_str().map_or_else(|| example.to_string(), ToOwned::to_owned);
            let example = if example.chars().count() > LONG { String::new() } else { code(&example) };
            vec![format!("`{name}`{needed}"), cell(field["description"].as_str().unwrap_or_default()), example]
        })
        .collect();
    table(&["key", "what it is", "for example"], &rows)
}

/// How long an example in a table may be, in characters.
const LONG: usize = 70;

/// The rows of the types that an input may have.
fn types(schema: &Value) -> String {
    let types = schema["oneOf"].as_array().into_iter().flatten();
    let row = |of: &Value| {
        let name = of["const"].as_str().unwrap_or_default();
        format!("| `{name}` | {} |", cell(of["description"].as_str().unwrap_or_default()))
    };
    types.map(row).collect::<Vec<_>>().join("\n")
}

/// The mapping that `foreach` may be.
fn foreach(schema: &Value) -> &Value {
    let ways = schema["$defs"]["foreach"]["anyOf"].as_array();
    ways.into_iter().flatten().find(|way| way["properties"].is_object()).unwrap_or(&Value::Null)
}

/// The rows of the filters, without a header.
fn filters() -> String {
    let row = |filter: &crate::plan::expression::Filter| {
        format!("| `{}` | {} | {} | {} |", filter.name, cell(filter.summary), code(filter.example), code(filter.gives))
    };
    FILTERS.iter().map(row).collect::<Vec<_>>().join("\n")
}

fn effects() -> String {
    let of = |kind: &Kind, access: Access| {
        let touched = kind.effects.iter().filter(|effect| effect.access == access);
        touched.map(|effect| cell(&said(effect))).collect::<Vec<_>>().join("; ")
    };
    let rows: Vec<_> = KINDS
        .iter()
        .map(|kind| {
            let [reads, adds, changes] = [Access::Read, Access::Append, Access::Write].map(|access| of(kind, access));
            vec![format!("[`{0}`](#{0})", kind.name), reads, adds, changes]
        })
        .collect();
    table(&["kind", Access::Read.verb(), Access::Append.verb(), Access::Write.verb()], &rows)
}

/// What is touched, in words.
fn said(effect: &EffectInfo) -> String {
    format!("{} {}", effect.sort, effect.which)
}

fn gates() -> String {
    let gates = KINDS.iter().filter_map(|kind| Some(vec![format!("[`{0}`](#{0})", kind.name), kind.gate?.to_owned()]));
    table(&["kind", "may say no"], &gates.collect::<Vec<_>>())
}

fn kinds() -> String {
    KINDS.iter().map(kind).collect::<Vec<_>>().join("\n\n")
}

fn kind(kind: &Kind) -> String {
    let fields = kind.fields().into_iter().map(|field| {
        let needed = if field.required { " (required)" } else { "" };
        let above = "&nbsp;&nbsp;".repeat(field.level);
        vec![format!("{above}`{}`{needed}", field.name), cell(&field.takes), cell(&field.description)]
    });
    let outputs = kind.outputs.iter().map(|output| vec![code(output.name), cell(output.summary)]);
    let (fields, outputs): (Vec<_>, Vec<_>) = (fields.collect(), outputs.collect());
    let mut out = format!("### {}\n\n{}\n", kind.name, kind.summary);
    // Writing to a string cannot fail.
    let _ = writeln!(out, "\n{}", table(&["field", "takes", "what it is"], &fields));
    if !outputs.is_empty() {
        let _ = writeln!(out, "\n{}", table(&["output", "what it is"], &outputs));
    }
    let examples = std::iter::once(&kind.example).chain(kind.more);
    for example in examples {
        let _ = write!(out, "\n```yaml\n- id: example\n  {}:\n", kind.name);
        for line in example.lines() {
            let _ = writeln!(out, "    {line}");
        }
        out.push_str("```\n");
    }
    out.trim_end().to_owned()
}
