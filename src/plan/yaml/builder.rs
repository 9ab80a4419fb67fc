//! From the parser's events to the tree, with everything checked that YAML allows and a plan does not.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use granit_parser::{Event, ScalarStyle, StructureStyle};

use super::{Entry, Key, Node, NodeKind, Scalar, Style, limits, repair::Repair};
use crate::plan::{Diagnostic, SourceFile, Span};

/// Mappings with fewer keys look for a duplicate one by one; a set would cost more than it saves.
const SMALL: usize = 16;

pub(super) struct Builder<'a> {
    source: &'a SourceFile,
    repairs: &'a [Repair],
    documents: usize,
    root: Option<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchor>,
    /// Keys come again and again: each is kept once.
    keys: HashSet<Arc<str>>,
    nodes: usize,
    aliased: usize,
    diagnostics: Vec<Diagnostic>,
}

/// A list or mapping whose end has not come yet.
struct Open {
    start: usize,
    end: usize,
    flow: bool,
    anchor: usize,
    nodes_before: usize,
    height: usize,
    content: Content,
}

enum Content {
    Sequence(Vec<Node>),
    Mapping { entries: Vec<Entry>, key: NextKey, seen: HashSet<Arc<str>> },
}

enum NextKey {
    Awaited,
    Read(Key),
    /// Its value is dropped.
    Refused,
}

struct Anchor {
    node: Node,
    nodes: usize,
    height: usize,
}

impl<'a> Builder<'a> {
    pub(super) fn new(source: &'a SourceFile, repairs: &'a [Repair]) -> Self {
        Self {
            source,
            repairs,
            documents: 0,
            root: None,
            open: Vec::new(),
            anchors: HashMap::new(),
            keys: HashSet::new(),
            nodes: 0,
            aliased: 0,
            diagnostics: Vec::new(),
        }
    }

    /// Whether what comes next stands inside `[ ]` or `{ }`.
    pub(super) fn in_flow(&self) -> bool {
        self.open.last().is_some_and(|open| open.flow)
    }

    /// What was wrong so far.
    pub(super) fn into_diagnostics(self) -> (Vec<Diagnostic>, bool) {
        let in_flow = self.in_flow();
        (self.diagnostics, in_flow)
    }

    /// The document, after the last event.
    pub(super) fn finish(mut self) -> (Option<Node>, Vec<Diagnostic>) {
        let empty = |node: &Node| node.scalar().is_some_and(|scalar| scalar.text.is_empty() && is_plain(scalar));
        let root = self.root.take().filter(|node| !empty(node));
        if root.is_none() {
            self.diagnostics
                .push(Diagnostic::new("the plan is empty").help("begin with `consign: 1` and a list of `steps:`"));
        }
        (root, self.diagnostics)
    }

    /// Takes the next event. An error is one that nothing can be read after.
    pub(super) fn hear(&mut self, event: Event<'_>, span: Span, tag: Option<usize>) -> Result<(), Diagnostic> {
        if self.diagnostics.len() >= limits::MISTAKES {
            return Err(limits::mistakes().at(span));
        }
        if let Some(tag) = tag {
            self.refuse_tag(tag);
        }
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Diagnostic::new("a plan is one YAML document")
                        .at(span)
                        .label("a second one begins here"));
                }
            }
            Event::Scalar(text, style, anchor, _) => {
                self.count(span)?;
                let node = self.scalar(&text, style, span);
                if anchor != 0 {
                    self.anchors.insert(anchor, Anchor { node: node.clone(), nodes: 1, height: 0 });
                }
                self.add(node, 0);
            }
            Event::SequenceStart(style, anchor, _) => self.start(Content::Sequence(Vec::new()), style, anchor, span)?,
            Event::MappingStart(style, anchor, _) => {
                let content = Content::Mapping { entries: Vec::new(), key: NextKey::Awaited, seen: HashSet::new() };
                self.start(content, style, anchor, span)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span)?,
            Event::Alias(anchor) => self.alias(anchor, span)?,
            Event::UnresolvedAlias(_) => {
                self.count(span)?;
                let written = self.source.slice(span);
                self.diagnostics.push(
                    Diagnostic::new(format!("`{written}` is an alias, and nothing above it has that anchor"))
                        .at(span)
                        .label("quote it to mean text"),
                );
                let kind = NodeKind::Scalar(Scalar { text: written.into(), style: Style::DoubleQuoted });
                self.add(Node { span, kind }, 0);
            }
            _ => {}
        }
        Ok(())
    }

    fn count(&mut self, span: Span) -> Result<(), Diagnostic> {
        self.nodes += 1;
        if self.nodes > limits::NODES { Err(limits::nodes().at(span)) } else { Ok(()) }
    }

    fn start(&mut self, content: Content, style: StructureStyle, anchor: usize, span: Span) -> Result<(), Diagnostic> {
        if self.open.len() == limits::DEPTH {
            return Err(limits::depth().at(span));
        }
        let nodes_before = self.nodes;
        self.count(span)?;
        let flow = matches!(style, StructureStyle::Flow);
        self.open.push(Open { start: span.start, end: span.end, flow, anchor, nodes_before, height: 1, content });
        Ok(())
    }

    fn end(&mut self, span: Span) -> Result<(), Diagnostic> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let end = if open.flow { span.end.max(open.end) } else { open.end };
        let kind = match open.content {
            Content::Sequence(mut items) => {
                items.shrink_to_fit();
                NodeKind::Sequence(items)
            }
            Content::Mapping { mut entries, .. } => {
                entries.shrink_to_fit();
                NodeKind::Mapping(entries)
            }
        };
        let node = Node { span: Span::new(open.start, end), kind };
        if open.anchor != 0 {
            // The copy that is kept for aliases counts like any other, so that anchors in anchors stay bounded.
            let nodes = self.nodes - open.nodes_before;
            self.nodes += nodes;
            if self.nodes > limits::NODES {
                return Err(limits::nodes().at(node.span));
            }
            self.anchors.insert(open.anchor, Anchor { node: node.clone(), nodes, height: open.height });
        }
        self.add(node, open.height);
        Ok(())
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Diagnostic> {
        let Some(Anchor { node, nodes, height }) = self.anchors.get(&anchor) else {
            return Err(Diagnostic::new("this alias stands inside what it stands for").at(span));
        };
        let (mut node, nodes, height) = (node.clone(), *nodes, *height);
        self.aliased += nodes;
        self.nodes += nodes;
        if self.aliased > limits::ALIASED {
            return Err(limits::aliased().at(span));
        }
        if self.nodes > limits::NODES {
            return Err(limits::nodes().at(span));
        }
        if self.open.len() + height > limits::DEPTH {
            return Err(limits::depth().at(span));
        }
        node.span = span;
        self.add(node, height);
        Ok(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, span: Span) -> Node {
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::SingleQuoted,
            ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
        };
        if style == Style::Plain {
            if let Some(repair) = self.repairs.iter().find(|repair| repair.span.start == span.start) {
                let kind = NodeKind::Scalar(Scalar { text: repair.text.as_str().into(), style });
                return Node { span: repair.span, kind };
            }
            if let Some(repair) = Repair::of_comment(&self.source.text, text, span) {
                self.diagnostics.push(repair.diagnostic);
                let kind = NodeKind::Scalar(Scalar { text: repair.text.into(), style });
                return Node { span: repair.span, kind };
            }
        }
        // The parser says `~` where nothing was written.
        let text = if style == Style::Plain && span.start == span.end { "" } else { text };
        let span = match style {
            Style::Literal | Style::Folded => {
                let written = self.source.slice(span);
                Span::new(span.start, span.start + written.trim_end_matches([' ', '\r', '\n']).len())
            }
            Style::Plain | Style::SingleQuoted | Style::DoubleQuoted => span,
        };
        let awaits_key =
            matches!(self.open.last(), Some(Open { content: Content::Mapping { key: NextKey::Awaited, .. }, .. }));
        let text = if awaits_key { self.intern(text) } else { text.into() };
        Node { span, kind: NodeKind::Scalar(Scalar { text, style }) }
    }

    fn intern(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.keys.get(text) {
            return Arc::clone(known);
        }
        let new = Arc::<str>::from(text);
        self.keys.insert(Arc::clone(&new));
        new
    }

    /// Puts a finished value where it belongs.
    fn add(&mut self, node: Node, height: usize) {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        open.end = open.end.max(node.span.end);
        open.height = open.height.max(height + 1);
        match &mut open.content {
            Content::Sequence(items) => items.push(node),
            Content::Mapping { entries, key, seen } => match std::mem::replace(key, NextKey::Awaited) {
                NextKey::Awaited => {
                    *key = match checked_key(self.source, node, entries, seen) {
                        Ok(read) => NextKey::Read(read),
                        Err(diagnostic) => {
                            self.diagnostics.push(diagnostic);
                            NextKey::Refused
                        }
                    };
                }
                NextKey::Read(key) => entries.push(Entry { key, value: node }),
                NextKey::Refused => {}
            },
        }
    }

    fn refuse_tag(&mut self, start: usize) {
        let rest = self.source.slice(Span::new(start, usize::MAX));
        let tag = rest.split([' ', '\t', '\r', '\n', ',', ']', '}']).next().unwrap_or_default();
        self.diagnostics.push(
            Diagnostic::new(format!("tags such as `{tag}` mean nothing in a plan"))
                .at(Span::new(start, start + tag.len()))
                .label("leave it out; quote the value to mean text"),
        );
    }
}

fn is_plain(scalar: &Scalar) -> bool {
    scalar.style == Style::Plain
}

/// `node` as the next key after `entries`.
fn checked_key(
    source: &SourceFile,
    node: Node,
    entries: &[Entry],
    seen: &mut HashSet<Arc<str>>,
) -> Result<Key, Diagnostic> {
    let span = node.span;
    let NodeKind::Scalar(scalar) = node.kind else {
        return Err(Diagnostic::new("a key must be text, not a list or a mapping").at(span));
    };
    if is_plain(&scalar) && scalar.text.is_empty() {
        return Err(Diagnostic::new("a key is missing before the `:`").at(span));
    }
    if is_plain(&scalar) && &*scalar.text == "<<" {
        return Err(Diagnostic::new("merge keys (`<<`) are not allowed in a plan")
            .at(span)
            .label("write the keys out, or put an alias in place of a whole value"));
    }
    let first = if entries.len() < SMALL {
        entries.iter().find(|entry| entry.key.text == scalar.text)
    } else {
        if seen.is_empty() {
            seen.extend(entries.iter().map(|entry| Arc::clone(&entry.key.text)));
        }
        if seen.insert(Arc::clone(&scalar.text)) {
            None
        } else {
            entries.iter().find(|entry| entry.key.text == scalar.text)
        }
    };
    let key = Key { span, text: scalar.text };
    let Some(first) = first else { return Ok(key) };
    let line = source.place(first.key.span.start).line;
    Err(Diagnostic::new(format!("the key `{}` stands here twice", key.text))
        .at(span)
        .label("the second one")
        .note(format!("the first one is in line {line}")))
}
