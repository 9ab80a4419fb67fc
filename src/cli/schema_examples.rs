//! Examples for the schema's fields: each field shows what stands there in the example of its kind, or in a plan that has
//! everything else.

use serde_json::Value;

use crate::step::KINDS;

/// A plan with every key that is no kind's.
const PLAN: &str = include_str!("schema_examples/plan.yaml");
/// How many examples a field has at most.
const MOST: usize = 3;

/// Adds them.
pub(super) fn add(schema: &mut Value) {
    let mut found = Vec::new();
    for kind in KINDS {
        let at = format!("/$defs/step/properties/{}", kind.name);
        for example in std::iter::once(&kind.example).chain(kind.more) {
            let example = read(example);
            visit(schema, &at, &example, &mut found);
            found.push((at.clone(), example));
        }
    }
    visit(schema, "", &read(PLAN), &mut found);
    for (at, example) in found {
        let Some(Value::Object(field)) = schema.pointer_mut(&at) else { continue };
        let examples = field.entry("examples").or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(examples) = examples
            && examples.len() < MOST
            && !examples.contains(&example)
        {
            examples.push(example);
        }
    }
}

/// The texts are this program's own; a test sees that each of them is read.
fn read(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap_or_default()
}

/// Finds the fields below `at` that have a value in `example`, each with it.
fn visit(schema: &Value, at: &str, example: &Value, found: &mut Vec<(String, Value)>) {
    let Some(node) = schema.pointer(at) else { return };
    if let Some(reference) = node["$ref"].as_str() {
        return visit(schema, reference.trim_start_matches('#'), example, found);
    }
    for ways in ["anyOf", "oneOf"] {
        for way in 0..node[ways].as_array().map_or(0, Vec::len) {
            visit(schema, &format!("{at}/{ways}/{way}"), example, found);
        }
    }
    match example {
        Value::Object(members) => {
            for (name, value) in members {
                let below = if node["properties"][name].is_object() {
                    let below = format!("{at}/properties/{name}");
                    found.push((below.clone(), value.clone()));
                    below
                } else {
                    format!("{at}/additionalProperties")
                };
                visit(schema, &below, value, found);
            }
        }
        Value::Array(items) => {
            for item in items {
                visit(schema, &format!("{at}/items"), item, found);
            }
        }
        _ => {}
    }
}
