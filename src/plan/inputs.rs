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
        if input.module > 0 {
            included(at, input, names, scope, document, (&mut unset, &mut *diagnostics));
            continue;
        }
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

/// Works out what an input of an included plan is given, where that is known before the run and the same for all items of
/// a loop. Otherwise it is worked out when it is used.
fn included(
    at: usize,
    input: &Input,
    names: &Names<'_>,
    scope: &Scope,
    document: &Document,
    (unset, diagnostics): (&mut Unset, &mut Vec<Diagnostic>),
) {
    let name = &input.key.text;
    let Some(uses) = names.input_uses().get(at) else { return };
    let has_value = input.bound.is_some() || input.declaration.default.is_some();
    if uses.broken || !has_value {
        unset.insert(Arc::clone(name), BTreeSet::new());
    } else if uses.inputs.iter().any(|name| unset.contains_key(name)) {
        let lacking = uses.inputs.iter().filter_map(|name| unset.get(name)).flatten().cloned().collect();
        unset.insert(Arc::clone(name), lacking);
    } else if !uses.is_open()
        && !document.included(input.module).is_some_and(|included| included.is_in_loop)
        && let Err(diagnostic) = scope.input(name)
    {
        diagnostics.push(diagnostic);
        unset.insert(Arc::clone(name), BTreeSet::new());
    }
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
    let own = document.inputs.iter().filter(|input| input.module == 0);
    let inputs: Vec<&str> = own.map(|input| &*input.key.text).collect();
    let list = if inputs.is_empty() {
        "this plan has no inputs".to_owned()
    } else {
        format!("the inputs are {}", inputs.join(", "))
    };
    for (name, origin) in given.names().filter(|(name, _)| !inputs.contains(name)) {
        let derived = document.vars.iter().any(|var| &*var.key.text == name);
        let is_secret = document.secrets.iter().any(|secret| &*secret.key.text == name);
        let diagnostic = if derived {
            Diagnostic::new(format!("{origin}: `{name}` is derived; {list}"))
        } else if is_secret {
            let diagnostic = Diagnostic::new(format!("{origin}: `{name}` is a secret, which cannot be set; {list}"));
            diagnostics.push(diagnostic.help("the plan says where it comes from: a variable, a file or a program"));
            continue;
        } else {
            Diagnostic::new(format!("{origin}: there is no input `{name}`; {list}"))
        };
        diagnostics.push(match nearest(name, inputs.iter().copied()).filter(|_| !derived) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic,
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::{SourceFile, Templates, yaml};

    /// The inputs' values, the names of those without one, and what is wrong.
    fn resolved(inputs: &str, given: &Given) -> (serde_json::Value, Vec<String>, Vec<String>) {
        let source =
            SourceFile::new("plan.yaml", format!("consign: 1\ninputs:\n{inputs}vars: {{ V: x }}\nsteps: []\n"));
        let (root, mut diagnostics) = yaml::recover(&source);
        let document = Document::read(root.unwrap(), &[], &mut diagnostics);
        let templates = Arc::new(Templates::default());
        let names = Names::new(&document, &[], &source, &templates, &mut diagnostics);
        let scope = Scope::new(source.clone(), &document, Arc::clone(&templates));
        let unset = resolve(&document, given, &names, &scope, &mut diagnostics);
        let name = |input: &Input| input.key.text.to_string();
        let text = |name: &str| SourceFile::new("value.yaml", format!("\"${{{{ {name} }}}}\""));
        let value = |name: String| Some((name.clone(), scope.value(&yaml::recover(&text(&name)).0?).ok()?));
        let values: serde_json::Map<_, _> = document.inputs.iter().map(name).filter_map(value).collect();
        let unset = unset.keys().map(ToString::to_string).collect();
        (values.into(), unset, diagnostics.into_iter().map(|diagnostic| diagnostic.message).collect())
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_is_set_comes_before_files_the_environment_and_defaults() {
        let inputs = "  A: { env: E, default: d }\n  B: { env: E, default: d }\n  C: { env: E, default: d }\n  D: { env: EMPTY, default: d }\n";
        let file = |name: &str, values: &[(&str, &str)]| (name.to_owned(), pairs(values).into_iter().collect());
        let given = Given {
            set: pairs(&[("A", "early"), ("A", "set")]),
            files: vec![file("1", &[("A", "f1"), ("B", "f1")]), file("2", &[("A", "f2"), ("B", "f2")])],
            environment: pairs(&[("E", "e"), ("EMPTY", "")]).into_iter().collect(),
        };
        let (values, unset, wrong) = resolved(inputs, &given);
        assert_eq!(values, json!({ "A": "set", "B": "f2", "C": "e", "D": "d" }));
        assert_eq!((unset, wrong), (Vec::new(), Vec::new()));
    }

    #[test]
    fn a_default_uses_the_inputs_above_it_and_has_no_value_where_they_have_none() {
        let inputs = "  A: {}\n  B: { default: \"${{ A }}/b\" }\n  C: { default: \"${{ B }}/c\" }\n";
        let (values, unset, wrong) = resolved(inputs, &Given::default());
        assert_eq!((values, unset, wrong), (json!({}), vec!["A".into(), "B".into(), "C".into()], Vec::new()));
        let given = Given { set: pairs(&[("A", "a")]), ..Given::default() };
        assert_eq!(resolved(inputs, &given).0, json!({ "A": "a", "B": "a/b", "C": "a/b/c" }));
    }

    #[test]
    fn a_value_has_the_type_of_its_input() {
        let inputs = "  N: { type: integer, default: 3 }\n  B: { type: boolean, default: true }\n  T: { type: tag, default: 1.10 }\n";
        let (values, _, wrong) = resolved(inputs, &Given::default());
        assert_eq!((values, wrong), (json!({ "N": 3, "B": true, "T": "1.10" }), Vec::new()));
        let given = Given { set: pairs(&[("N", "x")]), ..Given::default() };
        let (_, unset, wrong) = resolved(inputs, &given);
        assert_eq!((unset, wrong.len()), (vec!["N".to_owned()], 1));
    }

    #[test]
    fn what_is_no_input_cannot_be_set() {
        let given = Given { set: pairs(&[("V", "x"), ("AA", "x")]), ..Given::default() };
        let (_, _, wrong) = resolved("  AB: { default: x }\n", &given);
        assert_eq!(
            wrong,
            ["--set V: `V` is derived; the inputs are AB", "--set AA: there is no input `AA`; the inputs are AB"]
        );
    }
}
