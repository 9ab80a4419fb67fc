use serde_json::{Map, Value};

use crate::output::Output;

/// What a step hands on, by name.
pub(in crate::report) fn output(output: &Output) -> Map<String, Value> {
    output.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect()
}
