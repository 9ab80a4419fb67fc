//! The JSON Schema of plans, made from the same types that read them.

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::{plan::InputType, step::KINDS};

/// Everything that may stand where a value is worked out.
const EXPRESSION: &str = "#/$defs/expression";

/// The schema, indented, with a newline at its end.
pub(super) fn text() -> String {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut step = base_step();
    let mut kinds = Vec::new();
    for kind in KINDS {
        let schema = kind.schema(&mut generator);
        let mut described = Map::new();
        described.insert("description".to_owned(), kind.summary.into());
        described.insert("allOf".to_owned(), json!([schema]));
        step.insert(kind.name.to_owned(), Value::Object(described));
        kinds.push(json!({ "required": [kind.name] }));
    }
    let input = input(&mut generator);
    let mut definitions = Value::Object(generator.take_definitions(true));
    allow_expressions(&mut definitions);
    if let Some(definitions) = definitions.as_object_mut() {
        definitions.insert("input".to_owned(), input);
        definitions.insert(
            "step".to_owned(),
            json!({
                "type": "object",
                "description": "A step: an id and exactly one kind.",
                "properties": step,
                "required": ["id"],
                "oneOf": kinds,
                "additionalProperties": false,
            }),
        );
        definitions.insert("name".to_owned(), json!({ "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" }));
        definitions.insert(
            "expression".to_owned(),
            json!({
                "type": "string",
                "description": "An expression.",
                "pattern": "\\$\\{\\{[\\s\\S]*\\}\\}",
            }),
        );
    }
    format!(
        "{:#}\n",
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "A consign plan",
            "type": "object",
            "properties": {
                "consign": { "const": 1, "description": "The version of the language." },
                "name": { "type": "string", "description": "What people call the plan." },
                "description": { "type": "string", "description": "What it is for." },
                "inputs": {
                    "type": "object",
                    "description": "The values that can be set from outside.",
                    "propertyNames": { "$ref": "#/$defs/name" },
                    "additionalProperties": { "$ref": "#/$defs/input" },
                },
                "vars": {
                    "type": "object",
                    "description": "Derived values; they may look at inputs, vars above them and steps.",
                    "propertyNames": { "$ref": "#/$defs/name" },
                },
                "steps": {
                    "type": "array",
                    "description": "What is done, in the order in which it is meant.",
                    "items": { "$ref": "#/$defs/step" },
                },
                "outputs": { "type": "object", "description": "What a run hands to the outside." },
            },
            "patternProperties": { "^x-": { "description": "Free space, for YAML anchors." } },
            "required": ["consign", "steps"],
            "additionalProperties": false,
            "$defs": definitions,
        })
    )
}

fn base_step() -> Map<String, Value> {
    let mut step = Map::new();
    step.insert(
        "id".to_owned(),
        json!({
            "$ref": "#/$defs/name",
            "description": "What other steps call it: letters, digits and `_`.",
        }),
    );
    step.insert("description".to_owned(), json!({ "type": "string", "description": "What it is for." }));
    step.insert(
        "needs".to_owned(),
        json!({
            "type": "array",
            "description": "Steps above that it waits for, beyond those that follow from what it uses and touches.",
            "items": { "type": "string" },
        }),
    );
    step
}

fn input(generator: &mut SchemaGenerator) -> Value {
    let kind = InputType::json_schema(generator);
    json!({
        "type": "object",
        "description": "A value that can be set from outside.",
        "properties": {
            "type": kind,
            "default": { "description": "Its value where nobody gives one; may use inputs above it." },
            "env": { "type": "string", "description": "The environment variable that gives it a value." },
            "pattern": { "type": "string", "description": "A regular expression that the whole value must match." },
            "enum": { "type": "array", "items": { "type": "string" }, "description": "The values that it may have." },
            "description": { "type": "string", "description": "What it is, for people." },
        },
        "additionalProperties": false,
    })
}

/// Lets an expression stand for every value of a field that is not text anyway.
fn allow_expressions(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                if name == "properties" {
                    let fields = member.as_object_mut().into_iter().flat_map(Map::values_mut);
                    fields.for_each(|field| {
                        allow_expressions(field);
                        or_expression(field);
                    });
                } else {
                    allow_expressions(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(allow_expressions),
        _ => {}
    }
}

fn or_expression(field: &mut Value) {
    let takes_text = match field.get("type") {
        Some(Value::String(kind)) => kind == "string" && field.get("enum").is_none(),
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "string") && field.get("enum").is_none(),
        _ => false,
    };
    if takes_text || field.as_object().is_none_or(Map::is_empty) {
        return;
    }
    let description = field.get("description").cloned();
    let mut either = json!({ "anyOf": [field.take(), { "$ref": EXPRESSION }] });
    if let (Some(description), Some(members)) = (description, either.as_object_mut()) {
        members.insert("description".to_owned(), description);
    }
    *field = either;
}
