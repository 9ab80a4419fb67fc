use std::slice;

use serde::de::{DeserializeSeed, IntoDeserializer, SeqAccess};

use super::{context::Context, error::Error, name::Name};
use crate::plan::yaml::Node;

/// Hands the items of a list to a visitor, without those that are known to be wrong.
pub(super) struct Items<'a> {
    cx: &'a Context,
    rest: slice::Iter<'a, Node>,
    name: Name<'a>,
}

impl<'a> Items<'a> {
    pub(super) fn new(cx: &'a Context, items: &'a [Node], of: Name<'a>) -> Self {
        Self { cx, rest: items.iter(), name: of.entry() }
    }
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let Some(item) = self.rest.find(|item| !self.cx.is_left_out(item)) else { return Ok(None) };
        self.cx.read_entry(seed, item, self.name).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// Hands a node to the visitor of a `Spanned`: where it starts, where it ends, and its value.
pub(super) struct SpannedParts<'a> {
    cx: &'a Context,
    node: &'a Node,
    name: Name<'a>,
    handed: usize,
}

impl<'a> SpannedParts<'a> {
    pub(super) const fn new(cx: &'a Context, node: &'a Node, name: Name<'a>) -> Self {
        Self { cx, node, name, handed: 0 }
    }
}

impl<'de> SeqAccess<'de> for SpannedParts<'_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        self.handed += 1;
        match self.handed {
            1 => seed.deserialize(self.node.span.start.into_deserializer()).map(Some),
            2 => seed.deserialize(self.node.span.end.into_deserializer()).map(Some),
            3 => self.cx.read(seed, self.node, self.name).map(Some),
            _ => Ok(None),
        }
    }
}
