//! What every input is worth: given from outside, from its default, or nothing.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Diagnostic, Document,
    input::{Given, Input},
    names::{Names, Position},
    nearest,
    scope::Scope,
    yaml::{NodeKind, decode},
};

/// Puts every input that has a value into `scope`. The names of those that have none come back; what is wrong goes to
/// `diagnostics`.
pub fn resolve(
    document: &Document,
    given: &Given,
    names: &Names<'_>,
    scope: &Scope,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeSet<Arc<str>> {
    refuse_strangers(document, given, diagnostics);
    let mut unset = BTreeSet::new();
    for (at, input) in document.inputs.iter().enumerate() {
        let name = &input.key.text;
        let value = match given.value(input) {
            Some((text, origin)) => input.read(text, &origin).map(Some),
            None => default(at, input, &unset, names, scope, diagnostics),
        };
        match value {
            Ok(Some(value)) => scope.set_input(name, &value),
            Ok(None) => drop(unset.insert(Arc::clone(name))),
            Err(diagnostic) => {
                diagnostics.push(diagnostic);
                unset.insert(Arc::clone(name));
            }
        }
    }
    unset
}

fn default(
    at: usize,
    input: &Input,
    unset: &BTreeSet<Arc<str>>,
    names: &Names<'_>,
    scope: &Scope,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<Option<serde_json::Value>, Diagnostic> {
    let Some(node) = &input.declaration.default else { return Ok(None) };
    let uses = names.check(node, Position::Input(at), diagnostics);
    // What is wrong with a name was said; what has no value has none here either.
    if uses.broken || uses.inputs.iter().any(|name| unset.contains(name)) {
        return Ok(None);
    }
    let evaluated = scope.evaluate(node)?;
    let text = match &evaluated.kind {
        NodeKind::Value(serde_json::Value::Number(number)) => number.to_string(),
        NodeKind::Value(serde_json::Value::Bool(value)) => value.to_string(),
        _ => {
            let mut wrong = Vec::new();
            let Some(text) = decode::<String>(&evaluated, "default", &mut wrong) else {
                diagnostics.append(&mut wrong);
                return Ok(None);
            };
            text
        }
    };
    input.read(&text, "its default").map(Some).map_err(|diagnostic| diagnostic.at(node.span))
}

/// A value for what is no input would be ignored; say so instead.
fn refuse_strangers(document: &Document, given: &Given, diagnostics: &mut Vec<Diagnostic>) {
    let inputs: Vec<&str> = document.inputs.iter().map(|input| &*input.key.text).collect();
    let list = if inputs.is_empty() {
        "this plan has no inputs".to_owned()
    } else {
        format!("the inputs are {}", inputs.join(", "))
    };
    for (name, origin) in given.names().filter(|(name, _)| !inputs.contains(name)) {
        let derived = document.vars.iter().any(|var| &*var.key.text == name);
        let diagnostic = if derived {
            Diagnostic::new(format!("{origin}: `{name}` is derived; {list}"))
        } else {
            Diagnostic::new(format!("{origin}: there is no input `{name}`; {list}"))
        };
        diagnostics.push(match nearest(name, inputs.iter().copied()).filter(|_| !derived) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic,
        });
    }
}
