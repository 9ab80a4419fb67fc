use std::{cell::RefCell, collections::HashSet};

use serde::de::DeserializeSeed;

use super::{
    error::{Error, Mistake},
    name::Name,
    scalar::{is_nothing, kind_of, shown},
    value::{A_LIST, A_MAPPING, ValueDeserializer},
};
use crate::plan::{
    Diagnostic, Span, meant, nearest,
    yaml::{Entry, Node, NodeKind, SecretName},
};

/// What is known about the value that is being read: the mistakes so far, and what they make the next reading skip.
#[derive(Debug, Default)]
pub(super) struct Context {
    diagnostics: RefCell<Vec<Diagnostic>>,
    left_out: RefCell<HashSet<Identity>>,
    /// Keys of a mapping that are missing only because they are misspelt.
    misspelt: RefCell<HashSet<(Identity, &'static str)>>,
}

/// The address of a node: spans may be shared, where they come from an alias or an expression.
type Identity = usize;

fn identity(node: &Node) -> Identity {
    std::ptr::from_ref(node).addr()
}

impl Context {
    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics.into_inner()
    }

    /// Reads a value that nothing in particular is left without, and records what is wrong with it.
    pub(super) fn read<'de, S>(&self, seed: S, node: &Node, name: Name<'_>) -> Result<S::Value, Error>
    where
        S: DeserializeSeed<'de>,
    {
        seed.deserialize(ValueDeserializer { cx: self, node, name }).map_err(|error| match error {
            Error::Mistake(mistake) => {
                self.record(&mistake, node, name);
                Error::Recorded
            }
            recorded => recorded,
        })
    }

    /// Reads an entry of a list or a mapping, which the next reading leaves out if it is wrong.
    pub(super) fn read_entry<'de, S>(&self, seed: S, node: &Node, name: Name<'_>) -> Result<S::Value, Error>
    where
        S: DeserializeSeed<'de>,
    {
        self.read(seed, node, name).map_err(|error| {
            if matches!(error, Error::Recorded) {
                self.leave_out(node);
            }
            Error::LeftOut
        })
    }

    /// Reads the key of `entry`, which the next reading leaves out if it is wrong.
    pub(super) fn read_key<'de, S>(&self, seed: S, key: &Node, entry: &Entry, of: Name<'_>) -> Result<S::Value, Error>
    where
        S: DeserializeSeed<'de>,
    {
        seed.deserialize(ValueDeserializer { cx: self, node: key, name: of }).map_err(|error| {
            match error {
                Error::Mistake(mistake) => match *mistake {
                    Mistake::UnknownName(name, known) | Mistake::UnknownKey(name, known) => {
                        self.push(unknown_key(&name, entry.key.span, known, of));
                    }
                    other => self.record(&other, key, of),
                },
                Error::Recorded | Error::LeftOut => {}
            }
            self.leave_out(&entry.value);
            Error::LeftOut
        })
    }

    pub(super) fn is_left_out(&self, node: &Node) -> bool {
        node.kind == NodeKind::Unknown || self.left_out.borrow().contains(&identity(node))
    }

    /// Records that the key of `entry` is none of `known`.
    pub(super) fn refuse_key(&self, entry: &Entry, known: &'static [&'static str], mapping: &Node, name: Name<'_>) {
        if let Some(meant) = meant(&entry.key.text, known) {
            self.misspelt.borrow_mut().insert((identity(mapping), meant));
        }
        self.leave_out(&entry.value);
        self.push(unknown_key(&entry.key.text, entry.key.span, known, name));
    }

    fn leave_out(&self, node: &Node) {
        self.left_out.borrow_mut().insert(identity(node));
    }

    fn push(&self, diagnostic: Diagnostic) {
        self.diagnostics.borrow_mut().push(diagnostic);
    }

    /// Records what is wrong with `node`, unless it only follows from what was left out of it.
    pub(super) fn record(&self, mistake: &Mistake, node: &Node, name: Name<'_>) {
        let follows = match mistake {
            Mistake::Missing(key) => {
                self.misspelt.borrow().contains(&(identity(node), *key))
                    || node.get(key).is_some_and(|value| self.is_left_out(value))
            }
            _ => self.is_incomplete(node),
        };
        if !follows {
            self.push(diagnostic(mistake, node, name));
        }
    }

    fn is_incomplete(&self, node: &Node) -> bool {
        match &node.kind {
            NodeKind::Sequence(items) => items.iter().any(|item| self.is_left_out(item)),
            NodeKind::Mapping(entries) => entries.iter().any(|entry| self.is_left_out(&entry.value)),
            NodeKind::Scalar(_) | NodeKind::Value(_) | NodeKind::Secret(_) | NodeKind::Unknown => false,
        }
    }
}

fn diagnostic(mistake: &Mistake, node: &Node, name: Name<'_>) -> Diagnostic {
    let here = |message: String| Diagnostic::new(message).at(node.span);
    match mistake {
        Mistake::Custom(_) | Mistake::Takes(_) if node.secret().is_some() => {
            here(format!("{name} cannot hold {}", shown(node))).help(SecretName::HOLDERS)
        }
        Mistake::NoSecret => {
            let diagnostic = here(format!("{name} takes a secret, no text")).help(SecretName::HOW);
            // What an expression gives does not stand in the plan.
            if node.scalar().is_some() { diagnostic.hide() } else { diagnostic }
        }
        Mistake::Custom(message) => here(message.clone()),
        Mistake::Takes(_) if is_nothing(node) => here(format!(
            "{name} is empty: give it a value, or leave {} out",
            match name {
                Name::Key(..) => "the key",
                Name::Whole(_) | Name::Entry(_) | Name::EntryOfWhole(_) => "it",
            }
        )),
        Mistake::Takes(what) if what == A_LIST || what == A_MAPPING => {
            here(format!("{name} takes {what}, not {}", kind_of(node)))
        }
        Mistake::Takes(what) => here(format!("{name} takes {what}, not {}", shown(node))),
        Mistake::Length(length, what) => here(format!("{name} takes {what}, not {length}")),
        Mistake::Missing(key) => {
            let first = node.entries().and_then(|entries| entries.first()).map(|entry| entry.key.span);
            Diagnostic::new(format!("{name} needs `{key}`")).at(name.key_span().or(first).unwrap_or(node.span))
        }
        Mistake::UnknownKey(key, known) => unknown_key(key, node.span, known, name),
        Mistake::UnknownName(wrong, known) => {
            let meant = nearest(wrong, known.iter().copied());
            let label = meant.map(|meant| format!("did you mean `{meant}`?")).unwrap_or_default();
            if known.len() > 6 {
                here(format!("{name} does not know `{wrong}`")).label(label).note(format!(
                    "{} takes: {}",
                    name.bare(),
                    known.join(", ")
                ))
            } else {
                here(format!("{name} takes {}, not `{wrong}`", either(known))).label(label)
            }
        }
    }
}

fn unknown_key(key: &str, span: Span, known: &[&str], name: Name<'_>) -> Diagnostic {
    let diagnostic = Diagnostic::new(format!("unknown key `{key}` in {}", name.place())).at(span);
    let diagnostic = match meant(key, known) {
        Some(meant) => diagnostic.label(format!("did you mean `{meant}`?")),
        None => diagnostic,
    };
    let keys = if known.is_empty() { "no keys".to_owned() } else { known.join(", ") };
    diagnostic.note(format!("{} takes: {keys}", name.bare()))
}

/// ``  `a`, `b` or `c` ``
pub(super) fn either(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}
