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
        print(&table::draw(&[], &rows))?;
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

fn explain(kind: &Kind) -> String {
    let fields: Vec<_> = kind
        .fields()
        .into_iter()
        .map(|field| {
            let required = if field.required { "required" } else { "" };
            vec![format!("  {}", field.name), required.to_owned(), field.description]
        })
        .collect();
    let outputs = kind.outputs.iter().map(|output| (output.name, output.summary));
    let outputs = outputs.chain([
        ("outcome", "how the step ended: `created`, `updated`, `unchanged`, `deleted` or `passed`"),
        ("changed", "whether it changed anything"),
    ]);
    let outputs: Vec<_> = outputs.map(|(name, summary)| vec![format!("  {name}"), summary.to_owned()]).collect();
    let mut out = format!("{}: {}\n\nfields\n{}", kind.name, kind.summary, table::draw(&[], &fields));
    // Writing to a string cannot fail.
    let _ = write!(out, "\noutputs\n{}\nexample\n", table::draw(&[], &outputs));
    let _ = writeln!(out, "  - id: example\n    {}:", kind.name);
    for line in kind.example.lines() {
        let _ = writeln!(out, "      {line}");
    }
    out
}
