use std::{fmt::Write, io};

use super::{arguments::KindsArguments, complain, print};
use crate::{
    event::ExitCode,
    plan::nearest,
    step::{KINDS, Kind},
    table,
};

/// `consign kinds [KIND]`
pub(super) fn kinds(command: &KindsArguments) -> io::Result<ExitCode> {
    let Some(name) = &command.kind else {
        let rows: Vec<_> = KINDS.iter().map(|kind| vec![kind.name.to_owned(), kind.summary.to_owned()]).collect();
        print(&format!(
            "{}\n`consign kinds KIND` shows the fields, the outputs, the effects and an example.\n",
            table::draw(&[], &rows)
        ))?;
        return Ok(ExitCode::Success);
    };
    let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else {
        let near = nearest(name, KINDS.iter().map(|kind| kind.name));
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        complain(&format!("there is no kind `{name}`{near}"));
        return Ok(ExitCode::Invalid);
    };
    print(&explain(kind))?;
    Ok(ExitCode::Success)
}

/// How wide what is explained may be, in characters.
const WIDTH: usize = 100;

fn explain(kind: &Kind) -> String {
    let fields = kind.fields().into_iter().map(|field| {
        let indent = " ".repeat(2 + 2 * field.level);
        let required = if field.required { "required" } else { "" };
        (vec![format!("{indent}{}", field.name), required.to_owned(), field.takes], field.description)
    });
    let outputs = kind.outputs.iter().map(|output| (output.name, output.summary));
    let outputs = outputs.chain([
        ("outcome", "how the step ended: `created`, `updated`, `unchanged`, `deleted` or `passed`"),
        ("changed", "whether it changed anything"),
    ]);
    let outputs = outputs.map(|(name, summary)| (vec![format!("  {name}")], summary.to_owned()));
    let mut out = format!("{}: {}\n\nfields\n{}", kind.name, kind.summary, explained(fields.collect()));
    // Writing to a string cannot fail.
    let _ = write!(out, "\noutputs, for the steps below: ${{{{ steps.ID.NAME }}}}\n{}", explained(outputs.collect()));
    let effects = kind.effects.iter().map(|effect| {
        let cells = vec![format!("  {}", effect.access.verb()), effect.sort.to_string()];
        (cells, effect.which.to_owned())
    });
    let _ = write!(out, "\neffects, from which the order of steps follows\n{}", explained(effects.collect()));
    if let Some(when) = kind.gate {
        let _ = write!(out, "\ngate: {when}\n  What stands below and changes anything waits until it has passed.\n");
    }
    let _ = writeln!(out, "\nexample\n  - id: example\n    {}:", kind.name);
    for line in kind.example.lines() {
        let _ = writeln!(out, "      {line}");
    }
    out
}

/// A table whose last column is text, broken into lines that keep within it.
fn explained(rows: Vec<(Vec<String>, String)>) -> String {
    let columns = rows.first().map_or(0, |(cells, _)| cells.len());
    let widest = |column: usize| rows.iter().filter_map(|(cells, _)| cells.get(column)).map(String::len).max();
    let before: usize = (0..columns).filter_map(widest).map(|width| width + 2).sum();
    let mut broken = Vec::new();
    for (cells, text) in rows {
        let mut cells = cells;
        for line in lines(&text, WIDTH.saturating_sub(before)) {
            let mut row = std::mem::replace(&mut cells, vec![String::new(); columns]);
            row.push(line);
            broken.push(row);
        }
    }
    table::draw(&[], &broken)
}

/// `text` in lines of at most `width` characters, where its words allow that. One line at least.
fn lines(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => word.clone_into(line),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
