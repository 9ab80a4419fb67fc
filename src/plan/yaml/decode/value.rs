use std::{cell::RefCell, str::FromStr};

use serde::{Deserializer, de::Visitor, forward_to_deserialize_any};
use serde_json::Value;

use super::{
    context::Context,
    enumeration::Enumeration,
    error::{Error, Mistake},
    mapping::Entries,
    name::Name,
    scalar::{Meaning, is_nothing, meaning},
    sequence::{Items, SpannedParts},
};
use crate::plan::yaml::{Node, NodeKind, Style};

/// The name under which [`Spanned`](crate::plan::yaml::Spanned) asks for the span too.
pub(in crate::plan::yaml) const SPANNED: &str = "$consign::Spanned";

/// The name under which a [`Node`] asks for itself.
pub(in crate::plan::yaml) const NODE: &str = "$consign::Node";

/// The name under which a [`SecretName`](crate::plan::yaml::SecretName) asks for a secret.
pub(in crate::plan::yaml) const SECRET: &str = "$consign::Secret";

/// The name under which [`TextOrSecret`](crate::plan::yaml::TextOrSecret) asks for either.
pub(in crate::plan::yaml) const TEXT_OR_SECRET: &str = "$consign::TextOrSecret";

/// The name under which a struct asks to be read from text as well.
pub(crate) const TEXT_OR_MAPPING: &str = "$consign::TextOrMapping";

pub(super) const A_LIST: &str = "a list";
pub(super) const A_MAPPING: &str = "a mapping";

thread_local! {
    /// A node on its way to a visitor, for as long as one call takes: serde's data model has no place for it.
    static HANDED_OVER: RefCell<Option<Node>> = const { RefCell::new(None) };
}

/// The node that the visitor of [`NODE`] is called for.
pub(in crate::plan::yaml) fn handed_over() -> Option<Node> {
    HANDED_OVER.with_borrow_mut(Option::take)
}

/// Reads one node.
#[derive(Clone, Copy)]
pub(super) struct ValueDeserializer<'a> {
    pub(super) cx: &'a Context,
    pub(super) node: &'a Node,
    pub(super) name: Name<'a>,
}

impl ValueDeserializer<'_> {
    /// What stands here as text: what was typed, or what an expression gave.
    fn text(&self, takes: &str) -> Result<String, Error> {
        match &self.node.kind {
            _ if is_nothing(self.node) => Err(Error::takes(takes)),
            NodeKind::Scalar(scalar) => Ok(scalar.text.to_string()),
            NodeKind::Value(Value::String(text)) => Ok(text.clone()),
            NodeKind::Value(Value::Number(number)) if !number.is_f64() => Ok(number.to_string()),
            NodeKind::Value(_)
            | NodeKind::Secret(_)
            | NodeKind::Sequence(_)
            | NodeKind::Mapping(_)
            | NodeKind::Unknown => Err(Error::takes(takes)),
        }
    }

    /// The digits that stand here without quotes.
    fn number<N: FromStr>(&self, takes: impl Into<String>, fits: fn(&str) -> bool) -> Result<N, Error> {
        let digits = match &self.node.kind {
            NodeKind::Scalar(scalar) if scalar.style == Style::Plain => Some(scalar.text.to_string()),
            NodeKind::Value(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        digits.filter(|digits| fits(digits)).and_then(|digits| digits.parse().ok()).ok_or_else(|| Error::takes(takes))
    }
}

/// Without a plus, and without zeros in front.
fn is_whole_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'))
}

fn is_number(text: &str) -> bool {
    is_whole_number(text.split_once('.').map_or(text, |(whole, _)| whole))
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-')
}

macro_rules! whole_numbers {
    ($($deserialize:ident $visit:ident $type:ty,)*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let (least, most) = (<$type>::MIN, <$type>::MAX);
            let takes = match (size_of::<$type>() < 8, least == 0) {
                (true, _) => format!("a whole number from {least} to {most}"),
                (false, true) => "a whole number from 0 up".to_owned(),
                (false, false) => "a whole number".to_owned(),
            };
            visitor.$visit(self.number(takes, is_whole_number)?)
        }
    )*};
}

impl<'de> Deserializer<'de> for ValueDeserializer<'_> {
    type Error = Error;

    whole_numbers! {
        deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.kind {
            NodeKind::Scalar(scalar) if scalar.style == Style::Plain => match meaning(&scalar.text) {
                Ok(Meaning::Null) => visitor.visit_unit(),
                Ok(Meaning::Bool(value)) => visitor.visit_bool(value),
                Ok(Meaning::Number(number)) => visit_number(&number, visitor),
                Ok(Meaning::Text) => visitor.visit_str(&scalar.text),
                Err(becomes) => {
                    let text = &scalar.text;
                    Err(Mistake::Custom(format!("`{text}` would become {becomes}: quote it to mean text")).into())
                }
            },
            NodeKind::Scalar(scalar) => visitor.visit_str(&scalar.text),
            NodeKind::Sequence(items) => visitor.visit_seq(Items::new(self.cx, items, self.name)),
            NodeKind::Mapping(entries) => visitor.visit_map(Entries::new(self.cx, self.node, entries, self.name, None)),
            NodeKind::Value(Value::Bool(value)) => visitor.visit_bool(*value),
            NodeKind::Value(Value::Number(number)) => visit_number(number, visitor),
            NodeKind::Value(Value::String(text)) => visitor.visit_str(text),
            NodeKind::Secret(_) => Err(Error::takes("a value")),
            NodeKind::Value(Value::Null | Value::Array(_) | Value::Object(_)) | NodeKind::Unknown => {
                visitor.visit_unit()
            }
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.kind {
            NodeKind::Scalar(scalar) if scalar.style == Style::Plain && &*scalar.text == "true" => {
                visitor.visit_bool(true)
            }
            NodeKind::Scalar(scalar) if scalar.style == Style::Plain && &*scalar.text == "false" => {
                visitor.visit_bool(false)
            }
            NodeKind::Value(Value::Bool(value)) => visitor.visit_bool(*value),
            _ => Err(Error::takes("`true` or `false`")),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_f32(self.number("a number", is_number)?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_f64(self.number("a number", is_number)?)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.text("one character")?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.text("text")?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if is_nothing(self.node) { visitor.visit_unit() } else { Err(Error::takes("nothing")) }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        match name {
            SPANNED => visitor.visit_seq(SpannedParts::new(self.cx, self.node, self.name)),
            SECRET => match self.node.secret() {
                Some(name) => visitor.visit_str(name),
                None if is_nothing(self.node) => Err(Error::takes("a secret")),
                None => Err(Mistake::NoSecret.into()),
            },
            TEXT_OR_SECRET if self.node.secret().is_some() => visitor.visit_newtype_struct(self),
            TEXT_OR_SECRET => visitor.visit_string(self.text("text or a secret")?),
            NODE => {
                HANDED_OVER.set(Some(self.node.clone()));
                visitor.visit_unit()
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let NodeKind::Sequence(items) = &self.node.kind else { return Err(Error::takes(A_LIST)) };
        visitor.visit_seq(Items::new(self.cx, items, self.name))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        let NodeKind::Sequence(items) = &self.node.kind else { return Err(Error::takes(A_LIST)) };
        if items.len() != length {
            return Err(Mistake::Length(items.len(), format!("a list of {length} entries")).into());
        }
        visitor.visit_seq(Items::new(self.cx, items, self.name))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let NodeKind::Mapping(entries) = &self.node.kind else { return Err(Error::takes(A_MAPPING)) };
        visitor.visit_map(Entries::new(self.cx, self.node, entries, self.name, None))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        keys: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == TEXT_OR_MAPPING && !matches!(self.node.kind, NodeKind::Mapping(_)) {
            return visitor.visit_string(self.text("text or a mapping")?);
        }
        let NodeKind::Mapping(entries) = &self.node.kind else { return Err(Error::takes(A_MAPPING)) };
        visitor.visit_map(Entries::new(self.cx, self.node, entries, self.name, Some(keys)))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(Enumeration::of(self, names)?)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { bytes byte_buf }
}

fn visit_number<'de, V: Visitor<'de>>(number: &serde_json::Number, visitor: V) -> Result<V::Value, Error> {
    match (number.as_u64(), number.as_i64(), number.as_f64()) {
        (Some(number), ..) => visitor.visit_u64(number),
        (None, Some(number), _) => visitor.visit_i64(number),
        (None, None, Some(number)) => visitor.visit_f64(number),
        (None, None, None) => Err(Error::takes("a number")),
    }
}
