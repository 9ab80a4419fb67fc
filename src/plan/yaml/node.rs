use std::{ops::Range, sync::Arc};

use serde_json::Value;

use super::locate::locate;
use crate::plan::{SourceFile, Span};

/// A value of a YAML document and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The whole value; an alias's own place where it came through one.
    pub span: Span,
    /// What it is.
    pub kind: NodeKind,
}

/// What a [`Node`] is.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeKind {
    /// Text as it was written.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values, in the order written, no key twice.
    Mapping(Vec<Entry>),
    /// A null, boolean, number or text that an expression gave: not read as YAML again.
    Value(Value),
    /// The secret of that name. What it says never stands in a tree.
    Secret(Arc<str>),
    /// What cannot be worked out because of a mistake that was reported elsewhere.
    Unknown,
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// Its value.
    pub value: Node,
}

/// A key of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Where it stands.
    pub span: Span,
    /// Without quotes.
    pub text: Arc<str>,
}

/// Text as YAML reads it, and how it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// Without quotes, escapes and indentation.
    pub text: Arc<str>,
    /// How it was written.
    pub style: Style,
}

/// How a [`Scalar`] was written.
///
/// <https://yaml.org/spec/1.2.2/#chapter-7-flow-style-productions>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// `'…'`
    SingleQuoted,
    /// `"…"`
    DoubleQuoted,
    /// `|`
    Literal,
    /// `>`
    Folded,
}

impl Node {
    /// The same tree without the entries of these keys, at any depth.
    pub fn without(&self, keys: &[&str]) -> Self {
        let kind = match &self.kind {
            NodeKind::Mapping(entries) => {
                let kept = entries.iter().filter(|entry| !keys.contains(&&*entry.key.text));
                NodeKind::Mapping(
                    kept.map(|entry| Entry { key: entry.key.clone(), value: entry.value.without(keys) }).collect(),
                )
            }
            NodeKind::Sequence(items) => NodeKind::Sequence(items.iter().map(|item| item.without(keys)).collect()),
            NodeKind::Scalar(_) | NodeKind::Value(_) | NodeKind::Secret(_) | NodeKind::Unknown => self.kind.clone(),
        };
        Self { span: self.span, kind }
    }

    /// What an expression at `span` gave. Lists and objects become nodes, each with that span.
    pub fn from_value(value: Value, span: Span) -> Self {
        let kind = match value {
            Value::Array(items) => {
                NodeKind::Sequence(items.into_iter().map(|item| Self::from_value(item, span)).collect())
            }
            Value::Object(entries) => NodeKind::Mapping(
                entries
                    .into_iter()
                    .map(|(key, value)| Entry {
                        key: Key { span, text: key.into() },
                        value: Self::from_value(value, span),
                    })
                    .collect(),
            ),
            scalar => NodeKind::Value(scalar),
        };
        Self { span, kind }
    }

    /// The same tree with `text` wherever something is not known, and whether anything was not.
    #[must_use]
    pub fn with_stand_in(&self, text: &Arc<str>) -> (Self, bool) {
        let (kind, replaced) = match &self.kind {
            NodeKind::Scalar(_) | NodeKind::Value(_) | NodeKind::Secret(_) => (self.kind.clone(), false),
            NodeKind::Unknown => {
                (NodeKind::Scalar(Scalar { text: Arc::clone(text), style: Style::DoubleQuoted }), true)
            }
            NodeKind::Sequence(items) => {
                let (items, replaced): (_, Vec<_>) = items.iter().map(|item| item.with_stand_in(text)).unzip();
                (NodeKind::Sequence(items), replaced.contains(&true))
            }
            NodeKind::Mapping(entries) => {
                let values = entries.iter().map(|entry| {
                    let (value, replaced) = entry.value.with_stand_in(text);
                    (Entry { key: entry.key.clone(), value }, replaced)
                });
                let (entries, replaced): (_, Vec<_>) = values.unzip();
                (NodeKind::Mapping(entries), replaced.contains(&true))
            }
        };
        (Self { span: self.span, kind }, replaced)
    }

    /// The same tree in a file whose places begin so many bytes further on.
    #[must_use]
    pub fn moved(self, bytes: usize) -> Self {
        let kind = match self.kind {
            NodeKind::Sequence(items) => NodeKind::Sequence(items.into_iter().map(|item| item.moved(bytes)).collect()),
            NodeKind::Mapping(entries) => NodeKind::Mapping(
                entries
                    .into_iter()
                    .map(|Entry { key, value }| Entry {
                        key: Key { span: key.span.after(bytes), text: key.text },
                        value: value.moved(bytes),
                    })
                    .collect(),
            ),
            other => other,
        };
        Self { span: self.span.after(bytes), kind }
    }

    /// The value under `key`, where this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries()?.iter().find(|entry| &*entry.key.text == key).map(|entry| &entry.value)
    }

    /// The text, where this is a scalar that was written in the file.
    pub const fn scalar(&self) -> Option<&Scalar> {
        if let NodeKind::Scalar(scalar) = &self.kind { Some(scalar) } else { None }
    }

    /// The secret's name, where this is one.
    pub fn secret(&self) -> Option<&Arc<str>> {
        if let NodeKind::Secret(name) = &self.kind { Some(name) } else { None }
    }

    /// The entries, where this is a mapping.
    pub fn entries(&self) -> Option<&[Entry]> {
        if let NodeKind::Mapping(entries) = &self.kind { Some(entries) } else { None }
    }

    /// The items, where this is a list.
    pub fn items(&self) -> Option<&[Self]> {
        if let NodeKind::Sequence(items) = &self.kind { Some(items) } else { None }
    }

    /// Where the bytes `range` of this scalar's text stand in the file; all of it where that cannot be told.
    pub fn locate(&self, source: &SourceFile, range: Range<usize>) -> Span {
        self.scalar()
            .and_then(|scalar| locate(scalar, source.slice(self.span), self.span.start, range))
            .unwrap_or(self.span)
    }
}
