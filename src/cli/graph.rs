use std::{fmt::Write, io};

use super::{
    arguments::{Global, GraphArguments, GraphFormat},
    complain,
    fetch::Fetch,
    plan_file, print,
};
use crate::{event::ExitCode, graph::Format, plan::nearest, program::Program, step::Mode};

/// `consign graph PLAN`
pub(super) fn graph(command: &GraphArguments, global: &Global) -> io::Result<ExitCode> {
    let Some(program) = plan_file::open(&command.plan, &command.values, None, Mode::Real, Fetch::Never, global)? else {
        return Ok(ExitCode::Invalid);
    };
    if let Some([earlier, later]) = command.why.as_deref() {
        return why(&program, earlier, later);
    }
    let format = match command.format {
        GraphFormat::Text => Format::Text,
        GraphFormat::Dot => Format::Dot,
        GraphFormat::Mermaid => Format::Mermaid,
        GraphFormat::Json => Format::Json,
    };
    let kinds: Vec<_> = program.steps().iter().map(|planned| planned.kind.name).collect();
    print(&program.graph().show(format, &kinds))?;
    Ok(ExitCode::Success)
}

fn why(program: &Program, earlier: &str, later: &str) -> io::Result<ExitCode> {
    let find = |id: &str| {
        let step = program.steps().iter().position(|planned| planned.id.name() == id);
        if step.is_none() {
            let ids = program.steps().iter().map(|planned| planned.id.name());
            let near = nearest(id, ids).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            complain(&format!("--why: there is no step `{id}`{near}"));
        }
        step
    };
    let (Some(first), Some(second)) = (find(earlier), find(later)) else { return Ok(ExitCode::Invalid) };
    let (legs, swapped) = match program.graph().why(first, second) {
        Some(legs) => (Some(legs), false),
        None => (program.graph().why(second, first), true),
    };
    let mut out = String::new();
    match legs {
        None => out = format!("`{earlier}` and `{later}` do not wait for each other\n"),
        Some(legs) => {
            if swapped {
                out = format!("`{earlier}` waits for `{later}`:\n");
            }
            for leg in legs {
                // Writing to a string cannot fail.
                let _ = writeln!(out, "{} -> {}", leg.from, leg.to);
                for reason in &leg.edge.reasons {
                    let _ = writeln!(out, "  {reason}");
                }
            }
        }
    }
    print(&out)?;
    Ok(ExitCode::Success)
}
