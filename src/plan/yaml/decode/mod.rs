//! serde on top of the tree: types are read from nodes, and every mistake becomes a diagnostic with its place.
//!
//! serde stops at the first mistake. So what was wrong is left out and the whole is read again, until nothing new
//! is found.

mod context;
mod enumeration;
mod error;
mod mapping;
mod name;
mod scalar;
mod sequence;
mod value;

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

pub(crate) use self::value::TEXT_OR_MAPPING;
pub(super) use self::value::{NODE, SECRET, SPANNED, TEXT_OR_SECRET, handed_over};
use self::{context::Context, error::Error, name::Name};
use super::{Node, NodeKind};
use crate::plan::Diagnostic;

/// More mistakes of one value than this are not looked for: each costs another reading.
const READINGS: usize = 32;

/// Reads a `T` from `node` and adds every mistake to `diagnostics`. `what` names the thing in messages, such as
/// `attach` or `an input`.
///
/// A value comes back wherever one could be built: unknown keys are reported and skipped, and what was wrong in
/// something that may be left out is left out. So it is whole only where no diagnostic was added; otherwise it is
/// good for finding further mistakes. What is [`NodeKind::Unknown`] is left out without a word.
///
/// For text, what was typed is kept, whatever YAML would make of it. For free-form values (`serde_json::Value`) a
/// scalar without quotes that would change its meaning is refused.
pub fn decode<T: DeserializeOwned>(node: &Node, what: &str, diagnostics: &mut Vec<Diagnostic>) -> Option<T> {
    if node.kind == NodeKind::Unknown {
        return None;
    }
    let cx = Context::default();
    let mut read = None;
    for _ in 0..READINGS {
        match cx.read(PhantomData::<T>, node, Name::Whole(what)) {
            Ok(value) => read = Some(value),
            Err(Error::LeftOut) => continue,
            Err(Error::Recorded | Error::Mistake(_)) => {}
        }
        break;
    }
    diagnostics.append(&mut cx.into_diagnostics());
    read
}
