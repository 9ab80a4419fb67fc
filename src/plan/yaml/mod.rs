//! YAML with places: the text of a plan as a tree in which everything knows where it stands, and serde on top.
//!
//! Nothing here knows what a plan is. Expressions are text here; only where YAML itself would break one apart,
//! the mistake is named.

mod builder;
mod decode;
mod limits;
mod locate;
mod node;
mod parse;
mod repair;
mod secret_name;
mod spanned;
mod syntax;

pub(crate) use self::decode::TEXT_OR_MAPPING;
pub use self::{
    decode::decode,
    limits::BYTES as MAX_BYTES,
    node::{Entry, Key, Node, NodeKind, Scalar, Style},
    parse::{parse, recover},
    secret_name::{SecretName, TextOrSecret},
    spanned::Spanned,
};
