//! The items of every loop, worked out before any step: from the plan or a file, each with a key of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::Read,
    sync::Arc,
};

use serde_json::{Value, json};

use crate::{
    plan::{
        Diagnostic, Diagnostics, Document, Items, Loop, LoopItems, Names, Position, Scope, SourceFile, Span, Unset,
        yaml::{self, Node, NodeKind, Scalar, Spanned, decode},
    },
    step::Places,
};

/// No file of items is larger, in bytes.
const LARGEST_FILE: u64 = 8 << 20;
/// No loop has more items.
const MOST_ITEMS: usize = 100_000;
/// No key is longer, in characters.
const LONGEST_KEY: usize = 128;

/// What became of the loops of a plan.
#[derive(Debug, Default)]
pub(super) struct Unrolled {
    /// The items of each loop, in file order.
    pub(super) loops: Vec<LoopItems>,
    /// Loops whose items could not be worked out.
    pub(super) broken: BTreeSet<usize>,
    /// Inputs without a value that they would need, by the loop.
    pub(super) lacking: BTreeMap<usize, BTreeSet<Arc<str>>>,
}

/// Works out the items of every loop, or says everything that is wrong with them.
pub(super) fn unroll(
    document: &Document,
    names: &Names<'_>,
    scope: &Scope,
    unset: &Unset,
    places: &Places,
    diagnostics: &mut Vec<Diagnostic>,
) -> Unrolled {
    let mut unrolled = Unrolled::default();
    let mut reading =
        Reading { names, scope: scope.clone(), unset, places: places.clone(), diagnostics, lacking: BTreeSet::new() };
    for (which, it) in document.loops.iter().enumerate() {
        reading.scope = scope.within(document.prefix(it.module));
        reading.places = places.from(document.included(it.module).map(|included| included.folder.as_path()));
        let items = reading.items(which, it);
        if items.is_none() {
            unrolled.broken.insert(which);
        }
        let items = items.unwrap_or_default();
        let lacking = std::mem::take(&mut reading.lacking);
        if !lacking.is_empty() {
            unrolled.lacking.insert(which, lacking);
        }
        let (id, item) = (Arc::clone(&it.id.text), Arc::clone(&it.item.text));
        unrolled.loops.push(LoopItems { id, item, is_group: it.is_group, items });
    }
    unrolled
}

struct Reading<'a> {
    names: &'a Names<'a>,
    scope: Scope,
    unset: &'a Unset,
    places: Places,
    diagnostics: &'a mut Vec<Diagnostic>,
    lacking: BTreeSet<Arc<str>>,
}

impl Reading<'_> {
    fn refuse(&mut self, span: Span, message: impl Into<String>, help: &str) {
        let diagnostic = Diagnostic::new(message).at(span);
        self.diagnostics.push(if help.is_empty() { diagnostic } else { diagnostic.help(help) });
    }

    fn items(&mut self, which: usize, it: &Loop) -> Option<Vec<(Arc<str>, Value)>> {
        let (found, span) = match &it.items {
            Items::In(node) => (self.value(node, Position::Items(which))?, node.span),
            Items::File(node) => {
                let path = self.evaluate(node, Position::Items(which))?;
                let path = decode::<Spanned<String>>(&path, "file", self.diagnostics)?;
                (self.read_file(&path)?, path.span)
            }
        };
        let (items, own_keys): (Vec<Value>, Option<Vec<String>>) = match found {
            Value::Array(items) => (items, None),
            Value::Object(entries) => {
                let keys = entries.keys().cloned().collect();
                let item = |(key, value): (String, Value)| json!({ "key": key, "value": value });
                (entries.into_iter().map(item).collect(), Some(keys))
            }
            other => {
                let what = match other {
                    Value::String(_) => "text",
                    Value::Null => "nothing",
                    Value::Bool(_) => "a boolean",
                    _ => "a number",
                };
                self.refuse(span, format!("`foreach` takes a list or a mapping, not {what}"), "");
                return None;
            }
        };
        if items.len() > MOST_ITEMS {
            self.refuse(span, format!("`foreach` has {} items; at most {MOST_ITEMS} are read", items.len()), "");
            return None;
        }
        let keys = match (&it.key, own_keys) {
            (Some(node), _) => self.keys(which, it, node, &items)?,
            (None, Some(keys)) => keys,
            (None, None) => self.items_as_keys(it, &items)?,
        };
        let at = it.key.as_ref().map_or(span, |node| node.span);
        let mut seen = BTreeSet::new();
        let mut is_right = true;
        for key in &keys {
            if let Some(wrong) = wrong_key(key) {
                self.refuse(at, format!("`{}` cannot be a key of `{}`: {wrong}", key, it.id.text), "");
                is_right = false;
            } else if !seen.insert(key) {
                let message = format!("two items of `{}` have the key `{key}`", it.id.text);
                self.refuse(at, message, "a key tells its item from all others: `key: ${{ item.name }}`");
                is_right = false;
            }
        }
        is_right.then(|| keys.into_iter().map(Arc::from).zip(items).collect())
    }

    /// Short texts tell themselves apart.
    fn items_as_keys(&mut self, it: &Loop, items: &[Value]) -> Option<Vec<String>> {
        let keys: Option<Vec<String>> = items.iter().map(as_key).collect();
        if keys.is_none() {
            let first = items.iter().find(|item| as_key(item).is_none());
            let field = first
                .and_then(Value::as_object)
                .and_then(|item| item.iter().find(|(_, value)| value.is_string()).map(|(name, _)| name.clone()));
            let field = field.unwrap_or_else(|| "name".to_owned());
            let message = format!("`{}` needs a `key`: its items are not short texts", it.id.text);
            let help = format!("say what tells them apart: `key: ${{{{ {}.{field} }}}}`", it.item.text);
            self.refuse(it.id.span, message, &help);
        }
        keys
    }

    fn keys(&mut self, which: usize, it: &Loop, node: &Node, items: &[Value]) -> Option<Vec<String>> {
        self.check(node, Position::Key(which))?;
        let mut keys = Vec::with_capacity(items.len());
        for item in items {
            let scope = self.scope.with(&it.item.text, item);
            let value = scope.value(node).map_err(|diagnostic| self.diagnostics.push(diagnostic)).ok()?;
            let Some(key) = as_key(&value) else {
                self.refuse(node.span, format!("a key is short text, not `{value}`"), "");
                return None;
            };
            keys.push(key);
        }
        if !node.scalar().is_some_and(|scalar| scalar.text.contains("${{")) && items.len() > 1 {
            let help = format!("write `key: ${{{{ {}.name }}}}`", it.item.text);
            self.refuse(node.span, "the key is the same for every item", &help);
            return None;
        }
        Some(keys)
    }

    /// Whether every name is known and every input has a value; otherwise that was said, or is remembered.
    fn check(&mut self, node: &Node, position: Position) -> Option<()> {
        let uses = self.names.check(node, position, self.diagnostics);
        let lacking: Vec<_> = uses.inputs.iter().filter_map(|input| self.unset.get(input)).collect();
        self.lacking.extend(lacking.iter().copied().flatten().cloned());
        (!uses.broken && lacking.is_empty()).then_some(())
    }

    fn evaluate(&mut self, node: &Node, position: Position) -> Option<Node> {
        self.check(node, position)?;
        self.scope.evaluate(node).map_err(|diagnostic| self.diagnostics.push(diagnostic)).ok()
    }

    fn value(&mut self, node: &Node, position: Position) -> Option<Value> {
        let node = self.evaluate(node, position)?;
        let before = self.diagnostics.len();
        let value = decode::<Value>(&texts(&node), "an item", self.diagnostics)?;
        (self.diagnostics.len() == before).then_some(value)
    }

    fn read_file(&mut self, path: &Spanned<String>) -> Option<Value> {
        let mut text = String::new();
        let read =
            File::open(self.places.source(path)).and_then(|file| file.take(LARGEST_FILE + 1).read_to_string(&mut text));
        let message = match read {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => format!("file not found: `{}`", path.value),
            Err(error) => format!("`{}` cannot be read: {error}", path.value),
            Ok(_) if text.len() as u64 > LARGEST_FILE => format!("`{}` is larger than 8 MiB", path.value),
            Ok(_) => match parse(path, text) {
                Ok(value) => return Some(value),
                Err(message) => message,
            },
        };
        let folder = self.places.plan_folder.display();
        let diagnostic = Diagnostic::new(message).at(path.span);
        self.diagnostics.push(diagnostic.note(format!("paths are relative to the plan's folder, {folder}")));
        None
    }
}

/// What stands in a file of items, or what is wrong with it.
fn parse(path: &str, text: String) -> Result<Value, String> {
    if std::path::Path::new(path).extension().is_some_and(|extension| extension == "json") {
        return serde_json::from_str(&text).map_err(|error| format!("`{path}` is not JSON: {error}"));
    }
    let source = SourceFile::new(path, text);
    let explain = |diagnostics: Vec<Diagnostic>| {
        let list = Diagnostics::new(diagnostics);
        let first = list.list().first();
        let place = first.and_then(|first| first.span).map(|span| source.place(span.start));
        let place = place.map_or_else(|| path.to_owned(), |place| place.to_string());
        format!("{place}: {}", first.map_or("it cannot be read", |first| &first.message))
    };
    let node = yaml::parse(&source).map_err(&explain)?;
    let mut diagnostics = Vec::new();
    let value = decode::<Value>(&texts(&node), "an item", &mut diagnostics);
    value.filter(|_| diagnostics.is_empty()).ok_or_else(|| explain(diagnostics))
}

/// The same, where items of a list that are plain scalars keep what was typed, as text fields do.
fn texts(node: &Node) -> Node {
    let NodeKind::Sequence(items) = &node.kind else { return node.clone() };
    let item = |item: &Node| match &item.kind {
        NodeKind::Scalar(scalar) if !scalar.text.is_empty() => {
            let scalar = Scalar { text: Arc::clone(&scalar.text), style: yaml::Style::DoubleQuoted };
            Node { span: item.span, kind: NodeKind::Scalar(scalar) }
        }
        _ => item.clone(),
    };
    Node { span: node.span, kind: NodeKind::Sequence(items.iter().map(item).collect()) }
}

fn as_key(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.chars().count() <= LONGEST_KEY => Some(text.clone()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => None,
    }
}

/// Why that cannot stand in the brackets of `id[key]`, on the command line as well as in reports.
fn wrong_key(key: &str) -> Option<&'static str> {
    let is_bad = |letter: char| letter.is_control() || letter.is_whitespace() || "[]'\",`".contains(letter);
    match key {
        "" => Some("it is empty"),
        _ if key.contains(is_bad) => Some("blanks, quotes, commas and brackets cannot stand in one"),
        _ => None,
    }
}
