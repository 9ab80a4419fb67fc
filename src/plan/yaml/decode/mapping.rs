use std::slice;

use serde::de::{DeserializeSeed, MapAccess};

use super::{context::Context, error::Error, name::Name};
use crate::plan::yaml::{Entry, Key, Node, NodeKind, Scalar, Style};

/// Hands the entries of a mapping to a visitor, without those that are known to be wrong.
pub(super) struct Entries<'a> {
    cx: &'a Context,
    mapping: &'a Node,
    rest: slice::Iter<'a, Entry>,
    current: Option<&'a Entry>,
    name: Name<'a>,
    /// Where any other key is a mistake.
    keys: Option<&'static [&'static str]>,
}

impl<'a> Entries<'a> {
    pub(super) fn new(
        cx: &'a Context,
        mapping: &'a Node,
        entries: &'a [Entry],
        name: Name<'a>,
        keys: Option<&'static [&'static str]>,
    ) -> Self {
        Self { cx, mapping, rest: entries.iter(), current: None, name, keys }
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        for entry in self.rest.by_ref() {
            if self.cx.is_left_out(&entry.value) {
                continue;
            }
            if let Some(keys) = self.keys
                && !keys.contains(&&*entry.key.text)
            {
                self.cx.refuse_key(entry, keys, self.mapping, self.name);
                continue;
            }
            self.current = Some(entry);
            return self.cx.read_key(seed, &as_node(&entry.key), entry, self.name).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        // A visitor that asks for a value before its key gets nothing to read.
        let Some(entry) = self.current.take() else { return Err(Error::takes("a key")) };
        self.cx.read_entry(seed, &entry.value, Name::Key(&entry.key.text, entry.key.span))
    }
}

/// A key as text that is never read as anything else.
pub(super) fn as_node(key: &Key) -> Node {
    let scalar = Scalar { text: key.text.clone(), style: Style::DoubleQuoted };
    Node { span: key.span, kind: NodeKind::Scalar(scalar) }
}
