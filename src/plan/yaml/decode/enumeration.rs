use serde::{
    Deserializer,
    de::{DeserializeSeed, EnumAccess, VariantAccess, Visitor},
};
use serde_json::Value;

use super::{
    context::{Context, either},
    error::{Error, Mistake},
    mapping::as_node,
    name::Name,
    scalar::is_nothing,
    value::ValueDeserializer,
};
use crate::plan::yaml::{Entry, Node, NodeKind};

/// One of several names: text, or a mapping whose one key is the name.
pub(super) struct Enumeration<'a> {
    cx: &'a Context,
    node: &'a Node,
    name: Name<'a>,
    entry: Option<&'a Entry>,
}

impl<'a> Enumeration<'a> {
    /// What `value` names of `names`.
    pub(super) fn of(value: ValueDeserializer<'a>, names: &[&str]) -> Result<Self, Error> {
        let ValueDeserializer { cx, node, name } = value;
        let takes = || if names.len() > 6 { "a name".to_owned() } else { either(names) };
        let entry = match &node.kind {
            NodeKind::Mapping(entries) => match entries.as_slice() {
                [entry] if cx.is_left_out(&entry.value) => return Err(Error::Recorded),
                [entry] => Some(entry),
                _ => {
                    let message = format!("{name} takes exactly one key, {}", takes());
                    return Err(Mistake::Custom(message).into());
                }
            },
            NodeKind::Scalar(_) | NodeKind::Value(Value::String(_)) if !is_nothing(node) => None,
            NodeKind::Scalar(_)
            | NodeKind::Value(_)
            | NodeKind::Secret(_)
            | NodeKind::Sequence(_)
            | NodeKind::Unknown => {
                return Err(Error::takes(takes()));
            }
        };
        Ok(Self { cx, node, name, entry })
    }
}

impl<'a, 'de> EnumAccess<'de> for Enumeration<'a> {
    type Error = Error;
    type Variant = Content<'a>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Content<'a>), Error> {
        let Self { cx, node, name, entry } = self;
        let variant = match entry {
            None => seed.deserialize(ValueDeserializer { cx, node, name })?,
            Some(entry) => cx.read_key(seed, &as_node(&entry.key), entry, name)?,
        };
        Ok((variant, Content { cx, node, name, entry }))
    }
}

/// What stands under the name.
pub(super) struct Content<'a> {
    cx: &'a Context,
    node: &'a Node,
    name: Name<'a>,
    entry: Option<&'a Entry>,
}

impl Content<'_> {
    fn read<'de, S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        match self.entry {
            Some(entry) => self.cx.read(seed, &entry.value, Name::Key(&entry.key.text, entry.key.span)),
            None => Err(self.needs_a_value()),
        }
    }

    fn needs_a_value(&self) -> Error {
        let name = self.node.scalar().map_or("", |scalar| &scalar.text);
        Mistake::Custom(format!("in {}, `{name}` needs a value: write `{name}: …`", self.name)).into()
    }
}

impl<'de> VariantAccess<'de> for Content<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.entry {
            Some(entry) if !is_nothing(&entry.value) => {
                Err(Mistake::Custom(format!("`{}` takes no value: write only the name", entry.key.text)).into())
            }
            _ => Ok(()),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        self.read(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        self.read(Shape::Tuple(length, visitor))
    }

    fn struct_variant<V: Visitor<'de>>(self, keys: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.read(Shape::Struct(keys, visitor))
    }
}

/// What a visitor of a variant wants to read.
enum Shape<V> {
    Tuple(usize, V),
    Struct(&'static [&'static str], V),
}

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for Shape<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        match self {
            Self::Tuple(length, visitor) => deserializer.deserialize_tuple(length, visitor),
            Self::Struct(keys, visitor) => deserializer.deserialize_struct("", keys, visitor),
        }
    }
}
