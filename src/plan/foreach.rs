use std::ops::Range;

use super::{
    Diagnostic,
    document::{check_name, mapping, unknown_key},
    yaml::{Key, Node, NodeKind, Spanned, decode},
};

/// Steps that are done once for each of several items.
#[derive(Debug)]
pub struct Loop {
    /// What others call it, and where that stands.
    pub id: Key,
    /// What the items are.
    pub items: Items,
    /// What an item is called in the steps.
    pub item: Key,
    /// What tells the items apart, with expressions in it.
    pub key: Option<Node>,
    /// How many items are worked on at a time.
    pub max_parallel: Option<usize>,
    /// Its steps, by their places among all steps.
    pub steps: Range<usize>,
    /// Whether its steps have names of their own: it is a group, not a single step.
    pub is_group: bool,
    /// The plan that it stands in: see [`Document::included`](super::Document::included).
    pub module: usize,
}

impl Loop {
    /// Its id as it is written.
    pub fn own_id(&self) -> &str {
        own_id(&self.id)
    }

    /// The only step that it is about, where it is no group. The steps of a plan that it includes stand before it.
    pub fn own_step(&self) -> usize {
        self.steps.end.saturating_sub(1)
    }
}

/// Where the items stand.
#[derive(Debug, Clone)]
pub enum Items {
    /// In the plan: a list, a mapping, or an expression that gives one.
    In(Node),
    /// In a file, JSON or YAML, relative to the plan's folder.
    File(Node),
}

/// An id as it is written, without what it begins with in an included plan.
pub(super) fn own_id(id: &Key) -> &str {
    id.text.rsplit('/').next().unwrap_or_default()
}

/// `foreach` as it is written.
#[derive(Debug)]
pub(super) struct ForEach {
    pub(super) items: Items,
    pub(super) item: Key,
    pub(super) key: Option<Node>,
    pub(super) max_parallel: Option<usize>,
}

const KEYS: &[&str] = &["in", "file", "as", "key", "max_parallel"];

impl ForEach {
    /// Reads what stands under `foreach`. Nothing: something is missing, and was said.
    pub(super) fn read(key: &Key, value: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Self> {
        let item = Key { span: key.span, text: "item".into() };
        if !matches!(value.kind, NodeKind::Mapping(_)) {
            return Some(Self { items: Items::In(value.clone()), item, key: None, max_parallel: None });
        }
        let mut foreach = Self { items: Items::In(value.clone()), item, key: None, max_parallel: None };
        let (mut list, mut file) = (None, None);
        for entry in mapping(value, "foreach", diagnostics) {
            match &*entry.key.text {
                "in" => list = Some(&entry.value),
                "file" => file = Some(&entry.value),
                "as" => {
                    if let Some(Spanned { value: name, span }) =
                        decode::<Spanned<String>>(&entry.value, "as", diagnostics)
                    {
                        foreach.item = Key { span, text: name.into() };
                        check_name("item", &foreach.item, diagnostics);
                    }
                }
                "key" => foreach.key = Some(entry.value.clone()),
                "max_parallel" => {
                    let count = decode::<u16>(&entry.value, "max_parallel", diagnostics);
                    if count == Some(0) {
                        let diagnostic =
                            Diagnostic::new("`max_parallel` takes a number from 1 up").at(entry.value.span);
                        diagnostics.push(diagnostic.help("leave it out to work on all items at a time"));
                    }
                    foreach.max_parallel = count.filter(|count| *count > 0).map(usize::from);
                }
                other => diagnostics.push(unknown_key(other, entry.key.span, "a foreach", KEYS)),
            }
        }
        foreach.items = match (list, file) {
            (Some(list), None) => Items::In(list.clone()),
            (None, Some(file)) => Items::File(file.clone()),
            (Some(_), Some(file)) => {
                let diagnostic = Diagnostic::new("`foreach` takes `in` or `file`, not both").at(file.span);
                diagnostics.push(diagnostic);
                return None;
            }
            (None, None) => {
                let diagnostic = Diagnostic::new("`foreach` has no items").at(key.span);
                diagnostics.push(diagnostic.help(
                    "name them: `foreach: { in: [a, b] }`, a var or an input, or `foreach: { file: items.yaml }`",
                ));
                return None;
            }
        };
        Some(foreach)
    }
}
