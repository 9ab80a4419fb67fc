//! What every input is worth: given from outside, from its default, or nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    Diagnostic, Document,
    input::{Given, Input},
    names::{Names, Position},
    nearest,
    scope::Scope,
    yaml::{NodeKind, decode},
};

/// Inputs without a value, each with those that were to be given: itself, or those that its default uses. With none,
/// what is wrong was reported.
pub type Unset = BTreeMap<Arc<str>, BTreeSet<Arc<str>>>;

/// Puts every input that has a value into `scope`. Those that have none come back; what is wrong goes to `diagnostics`.
pub fn resolve(
    document: &Document,
    given: &Given,
    names: &Names<'_>,
    scope: &Scope,
    diagnostics: &mut Vec<Diagnostic>,
) -> Unset {
    refuse_strangers(document, given, diagnostics);
    let mut unset = Unset::new();
    for (at, input) in document.inputs.iter().enumerate() {
        let name = &input.key.text;
        diagnostics.extend(input.check());
        let value = match given.value(input) {
            Some((text, origin)) => input.read(text, &origin).map(Ok),
            None => default(at, input, &unset, names, scope, diagnostics),
        };
        match value {
            Ok(Ok(value)) => scope.set_input(name, &value),
            Ok(Err(lacking)) => drop(unset.insert(Arc::clone(name), lacking)),
            Err(diagnostic) => {
                diagnostics.push(diagnostic);
                unset.insert(Arc::clone(name), BTreeSet::new());
            }
        }
    }
    unset
}

/// The value of the default, or the inputs that it lacks.
fn default(
    at: usize,
    input: &Input,
    unset: &Unset,
    names: &Names<'_>,
    scope: &Scope,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<Result<serde_json::Value, BTreeSet<Arc<str>>>, Diagnostic> {
    let Some(node) = &input.declaration.default else { return Ok(Err([Arc::clone(&input.key.text)].into())) };
    let uses = names.check(node, Position::Input(at), diagnostics);
    if uses.broken {
        return Ok(Err(BTreeSet::new()));
    }
    if uses.inputs.iter().any(|name| unset.contains_key(name)) {
        return Ok(Err(uses.inputs.iter().filter_map(|name| unset.get(name)).flatten().cloned().collect()));
    }
    let evaluated = scope.evaluate(node)?;
    let text = match &evaluated.kind {
        NodeKind::Value(serde_json::Value::Number(number)) => number.to_string(),
        NodeKind::Value(serde_json::Value::Bool(value)) => value.to_string(),
        _ => {
            let mut wrong = Vec::new();
            let Some(text) = decode::<String>(&evaluated, "default", &mut wrong) else {
                diagnostics.append(&mut wrong);
                return Ok(Err(BTreeSet::new()));
            };
            text
        }
    };
    input.read(&text, "its default").map(Ok).map_err(|diagnostic| diagnostic.at(node.span))
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
