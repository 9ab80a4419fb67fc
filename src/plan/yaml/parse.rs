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
        let (node, diagnostics) = match pass(text, covered.as_deref().unwrap_or(text), &repairs) {
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

fn pass(text: &str, covered: &str, repairs: &[Repair]) -> Pass {
    let options = options! { emit_unresolved_aliases: true };
    let mut builder = Builder::new(text, repairs);
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
                diagnostics.0.push(syntax::diagnostic(text, &error));
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
