use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock},
};

use minijinja::value::{Object, Serde, Value};

use super::{
    Diagnostic, Document, SourceFile,
    expression::Mention,
    handed_on::HandedOn,
    loop_outputs::{LoopOutputs, StepOutputs, nothing},
    templates::Templates,
    yaml::{Entry, Node, NodeKind, decode},
};
use crate::output::Output;

/// What every name means: inputs at once, vars when they are first used, steps when they have ended. A secret means
/// its name.
#[derive(Debug, Clone)]
pub struct Scope {
    source: SourceFile,
    vars: Arc<HashMap<Arc<str>, Node>>,
    secrets: Arc<HashSet<Arc<str>>>,
    templates: Arc<Templates>,
    values: Arc<Values>,
    /// One for each item of each loop, in order. Those have none.
    iterations: Arc<RwLock<Vec<Self>>>,
}

/// The items of a loop, for one scope.
#[derive(Debug, Clone)]
pub struct LoopItems {
    /// What the loop is called.
    pub id: Arc<str>,
    /// What an item is called.
    pub item: Arc<str>,
    /// Whether it is a group of steps.
    pub is_group: bool,
    /// Keys and items, in order.
    pub items: Vec<(Arc<str>, serde_json::Value)>,
}

#[derive(Debug, Default)]
struct Values {
    names: RwLock<HashMap<Arc<str>, Value>>,
    steps: Arc<StepOutputs>,
    /// What is known outside of a loop.
    outside: Option<Arc<Self>>,
}

/// The outputs of the steps of one item, and those outside of the loop.
#[derive(Debug)]
struct Beside {
    inside: Arc<StepOutputs>,
    outside: Arc<StepOutputs>,
}

impl Object for Values {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        if key == "steps" {
            return Some(match &self.outside {
                None => Value::from_dyn_object(Arc::clone(&self.steps)),
                Some(outside) => {
                    let (inside, outside) = (Arc::clone(&self.steps), Arc::clone(&outside.steps));
                    Value::from_object(Beside { inside, outside })
                }
            });
        }
        let own = self.names.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        own.or_else(|| self.outside.as_ref()?.get_value_by_str(key))
    }
}

impl Object for Beside {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        Some(self.inside.get(key).or_else(|| self.outside.get(key)).unwrap_or_else(nothing))
    }
}

impl Scope {
    /// A scope in which only the vars of `document` are known.
    pub fn new(source: SourceFile, document: &Document, templates: Arc<Templates>) -> Self {
        let vars = document.vars.iter().map(|var| (Arc::clone(&var.key.text), var.value.clone())).collect();
        let secrets = document.secrets.iter().map(|entry| Arc::clone(&entry.key.text)).collect();
        let (vars, secrets) = (Arc::new(vars), Arc::new(secrets));
        Self { source, vars, secrets, templates, values: Arc::default(), iterations: Arc::default() }
    }

    /// Another scope with the same inputs and vars and no steps: vars are worked out anew there.
    pub fn without_steps(&self) -> Self {
        let names = self.values.names.read().unwrap_or_else(PoisonError::into_inner);
        let inputs = names.iter().filter(|(name, _)| !self.vars.contains_key(*name));
        let names = inputs.map(|(name, value)| (Arc::clone(name), value.clone())).collect();
        let values = Values { names: RwLock::new(names), ..Values::default() };
        Self { values: Arc::new(values), iterations: Arc::default(), ..self.clone() }
    }

    /// Gives an input its value.
    pub fn set_input(&self, name: &Arc<str>, value: &serde_json::Value) {
        let mut names = self.values.names.write().unwrap_or_else(PoisonError::into_inner);
        names.insert(Arc::clone(name), Value::from(Serde(value)));
    }

    /// Says how the run went, for `finally`: `succeeded`, `failed` or `interrupted`.
    pub fn set_run(&self, status: &str) {
        let run = serde_json::json!({ "status": status, "failed": status != "succeeded" });
        self.set_input(&"run".into(), &run);
    }

    /// Gives a step its outputs.
    pub fn set_step(&self, name: &str, output: Output) {
        self.values.steps.set(name, HandedOn::mapping(output));
    }

    /// Makes a scope for each item of a loop, and what the loop hands on known by its name. Loops are opened in order.
    pub fn open_loop(&self, opened: &LoopItems) {
        let mut iterations = self.iterations.write().unwrap_or_else(PoisonError::into_inner);
        let mut outputs = LoopOutputs {
            step: (!opened.is_group).then(|| Arc::clone(&opened.id)),
            iterations: Vec::with_capacity(opened.items.len()),
            places: HashMap::new(),
        };
        for (key, item) in &opened.items {
            let names = HashMap::from([(Arc::clone(&opened.item), Value::from(Serde(item)))]);
            let outside = Some(Arc::clone(&self.values));
            let values = Values { names: RwLock::new(names), steps: Arc::default(), outside };
            outputs.places.insert(Arc::clone(key), outputs.iterations.len());
            outputs.iterations.push((Arc::clone(key), Arc::clone(&values.steps)));
            iterations.push(Self { values: Arc::new(values), iterations: Arc::default(), ..self.clone() });
        }
        self.values.steps.set(&opened.id, Value::from_object(outputs));
    }

    /// The scope of an item, counted over all loops; this one where there is no such item.
    pub fn iteration(&self, at: Option<usize>) -> Self {
        let iterations = self.iterations.read().unwrap_or_else(PoisonError::into_inner);
        at.and_then(|at| iterations.get(at)).unwrap_or(self).clone()
    }

    /// The same with one more name, for a while.
    #[must_use]
    pub fn with(&self, name: &Arc<str>, value: &serde_json::Value) -> Self {
        let names = HashMap::from([(Arc::clone(name), Value::from(Serde(value)))]);
        let outside = Some(Arc::clone(&self.values));
        let values = Values { names: RwLock::new(names), steps: Arc::default(), outside };
        Self { values: Arc::new(values), iterations: Arc::default(), ..self.clone() }
    }

    /// The same tree with every expression replaced by its value.
    pub fn evaluate(&self, node: &Node) -> Result<Node, Diagnostic> {
        self.evaluate_within(node, 0)
    }

    /// The same as a part of a var that so many others look at, each through the one before.
    fn evaluate_within(&self, node: &Node, vars: usize) -> Result<Node, Diagnostic> {
        match &node.kind {
            NodeKind::Scalar(scalar) => {
                let template = self.templates.template(&scalar.text);
                let template = template.map_err(|mistakes| match mistakes.first() {
                    Some(mistake) => mistake.diagnostic(node, &self.source),
                    None => Diagnostic::new("this is not an expression").at(node.span),
                })?;
                let Some(template) = template else { return Ok(node.clone()) };
                if let Some(secret) = template.lone_name().and_then(|name| self.secrets.get(name)) {
                    return Ok(Node { span: node.span, kind: NodeKind::Secret(Arc::clone(secret)) });
                }
                for expression in template.expressions() {
                    for mention in &expression.mentions.list {
                        if let Mention::Name { name, .. } = mention {
                            self.prepare(name, vars)?;
                        }
                    }
                }
                let value = template.evaluate(&Value::from_dyn_object(Arc::clone(&self.values)));
                let value = value.map_err(|mistake| mistake.diagnostic(node, &self.source))?;
                Ok(Node::from_value(value, node.span))
            }
            NodeKind::Sequence(items) => {
                let items = items.iter().map(|item| self.evaluate_within(item, vars)).collect::<Result<_, _>>()?;
                Ok(Node { span: node.span, kind: NodeKind::Sequence(items) })
            }
            NodeKind::Mapping(entries) => {
                let evaluate = |entry: &Entry| {
                    let value = self.evaluate_within(&entry.value, vars)?;
                    Ok(Entry { key: entry.key.clone(), value })
                };
                let entries = entries.iter().map(evaluate).collect::<Result<_, _>>()?;
                Ok(Node { span: node.span, kind: NodeKind::Mapping(entries) })
            }
            NodeKind::Value(_) | NodeKind::Secret(_) | NodeKind::Unknown => Ok(node.clone()),
        }
    }

    /// The same tree as far as it has values; what has none is [`NodeKind::Unknown`]. For values in which a mistake was
    /// found already.
    pub fn evaluate_known(&self, node: &Node) -> Node {
        let kind = match &node.kind {
            NodeKind::Sequence(items) => {
                NodeKind::Sequence(items.iter().map(|item| self.evaluate_known(item)).collect())
            }
            NodeKind::Mapping(entries) => {
                let known = |entry: &Entry| Entry { key: entry.key.clone(), value: self.evaluate_known(&entry.value) };
                NodeKind::Mapping(entries.iter().map(known).collect())
            }
            _ => return self.evaluate(node).unwrap_or(Node { span: node.span, kind: NodeKind::Unknown }),
        };
        Node { span: node.span, kind }
    }

    /// The value of `node` as JSON, every expression evaluated.
    pub fn value(&self, node: &Node) -> Result<serde_json::Value, Diagnostic> {
        self.value_within(node, 0)
    }

    fn value_within(&self, node: &Node, vars: usize) -> Result<serde_json::Value, Diagnostic> {
        let evaluated = self.evaluate_within(node, vars)?;
        let mut diagnostics = Vec::new();
        let value = decode(&evaluated, "a value", &mut diagnostics);
        let unclear = || Diagnostic::new("this value cannot be read").at(node.span);
        value.ok_or_else(|| diagnostics.into_iter().next().unwrap_or_else(unclear))
    }

    /// Works out the var of that name, if it is one and was not worked out yet. Vars look only at vars above them; where
    /// a plan is wrong and one looks at itself, this ends all the same.
    fn prepare(&self, name: &str, vars: usize) -> Result<(), Diagnostic> {
        let Some((name, node)) = self.vars.get_key_value(name) else { return Ok(()) };
        if let Some(outside) = &self.values.outside {
            // A var is the same for every item.
            let outside = Self { values: Arc::clone(outside), ..self.clone() };
            return outside.prepare(name, vars);
        }
        if self.values.names.read().unwrap_or_else(PoisonError::into_inner).contains_key(name) {
            return Ok(());
        }
        if vars >= self.vars.len() {
            return Err(Diagnostic::new(format!("`{name}` refers to itself")).at(node.span));
        }
        let value = self.value_within(node, vars + 1)?;
        self.set_input(name, &value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::yaml;

    fn scope(vars: &str) -> Scope {
        let source = SourceFile::new("plan.yaml", format!("consign: 1\nvars:\n{vars}steps: []\n"));
        let document = Document::read(yaml::recover(&source).0.unwrap(), &[], &mut Vec::new());
        Scope::new(source, &document, Arc::default())
    }

    fn value(scope: &Scope, text: &str) -> Result<serde_json::Value, String> {
        let node = yaml::recover(&SourceFile::new("value.yaml", text)).0.unwrap();
        scope.value(&node).map_err(|diagnostic| diagnostic.message)
    }

    fn digest(text: &str) -> Output {
        Output::default().with("digest", text)
    }

    #[test]
    fn a_var_waits_for_the_steps_that_it_looks_at() {
        let scope = scope("  ONE: \"${{ steps.a.digest }}\"\n  TWO: [\"${{ ONE }}\", 2]\n");
        assert!(value(&scope, "x ${{ TWO }}").is_err());
        scope.set_step("a", digest("d"));
        assert_eq!(value(&scope, "${{ TWO }}"), Ok(json!(["d", 2])));
        assert_eq!(value(&scope, "x ${{ TWO }}"), Err("a list cannot stand inside text".to_owned()));
    }

    #[test]
    fn a_var_that_looks_at_itself_has_no_value() {
        let scope = scope("  ONE: x${{ TWO }}\n  TWO: x${{ ONE }}\n");
        assert_eq!(value(&scope, "${{ TWO }}"), Err("`TWO` refers to itself".to_owned()));
    }

    #[test]
    fn without_steps_inputs_stay_and_vars_are_worked_out_anew() {
        let scope = scope("  ONE: \"${{ IN }}-${{ steps.a.digest }}\"\n");
        scope.set_input(&"IN".into(), &json!("in"));
        scope.set_step("a", digest("first"));
        assert_eq!(value(&scope, "${{ ONE }}"), Ok(json!("in-first")));
        let other = scope.without_steps();
        assert!(value(&other, "${{ ONE }}").is_err());
        other.set_step("a", digest("second"));
        assert_eq!(value(&other, "${{ ONE }}"), Ok(json!("in-second")));
        assert_eq!(value(&scope, "${{ ONE }}"), Ok(json!("in-first")));
    }
}
