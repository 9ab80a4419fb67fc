use serde::de::DeserializeOwned;

use super::Node;
use crate::plan::Diagnostic;

/// Reads a `T` from `node` and adds every mistake to `diagnostics`. `what` names the thing in messages, such as `attach` or `an input`.
pub fn decode<T: DeserializeOwned>(node: &Node, what: &str, diagnostics: &mut Vec<Diagnostic>) -> Option<T> {
    let _ = (node, what, diagnostics);
    None
}
