//! JSON Schemas: that of plans, made from the same types that read them, and those of what runs write.

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{arguments::SchemaOf, schema_examples};
use crate::{
    plan::{AllowDeclaration, InputType, RegistryDeclaration, RehearsalDeclaration, SecretDeclaration},
    report,
    step::KINDS,
};

/// What may stand where a value is worked out.
const EXPRESSION: &str = "#/$defs/expression";
/// What may stand where text is wanted.
const TEXT: &str = "#/$defs/text";

/// A schema, indented, with a newline at its end.
pub(super) fn text(of: SchemaOf) -> String {
    let schema = match of {
        SchemaOf::Plan => plan(),
        SchemaOf::Event => report::event_schema(),
        SchemaOf::Result => report::result_schema(),
    };
    format!("{schema:#}\n")
}

/// What names, text and expressions are.
fn words() -> [(String, Value); 3] {
    [
        (
            "name".to_owned(),
            json!({
                "type": "string",
                "description": "Letters, digits and `_`, not starting with a digit.",
                "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
            }),
        ),
        (
            "text".to_owned(),
            json!({
                "description": "Text, kept as it is typed. Expressions may stand in it: `${{ NAME }}`.",
                "type": ["string", "number", "boolean"],
            }),
        ),
        (
            "expression".to_owned(),
            json!({
                "description": "An expression: `${{ NAME }}`. Its value keeps its type.",
                "type": "string",
                "pattern": "\\$\\{\\{[\\s\\S]*\\}\\}",
            }),
        ),
    ]
}

/// The schema of plans.
pub(super) fn plan() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut step = base_step();
    let mut kinds = Vec::new();
    for kind in KINDS {
        let mut schema = kind.schema(&mut generator).to_value();
        if let Some(members) = schema.as_object_mut() {
            members.insert("description".to_owned(), kind.summary.into());
        }
        step.insert(kind.name.to_owned(), schema);
        kinds.push(json!({ "required": [kind.name] }));
    }
    step.insert(
        "steps".to_owned(),
        json!({
            "type": "array",
            "description": "In the place of a kind, together with `foreach`: the steps that are done for each item. They refer to each other as `steps.ID.OUTPUT`; from outside they are `steps.GROUP['KEY'].ID.OUTPUT`.",
            "items": { "$ref": "#/$defs/step" },
        }),
    );
    kinds.push(json!({ "required": ["foreach", "steps"] }));
    let input = input(&mut generator);
    let (secrets, registries) = settings(&mut generator);
    let allow = generator.subschema_for::<AllowDeclaration>().to_value();
    let rehearse = generator.subschema_for::<RehearsalDeclaration>().to_value();
    let mut definitions = generator.take_definitions(true);
    definitions.values_mut().for_each(open_fields);
    definitions.insert("input".to_owned(), input);
    definitions.insert(
        "step".to_owned(),
        json!({
            "type": "object",
            "description": "A step: an id and exactly one kind, or `foreach` with the steps of a group.",
            "properties": step,
            "required": ["id"],
            "oneOf": kinds,
            "additionalProperties": false,
        }),
    );
    definitions.insert("retry".to_owned(), retry());
    definitions.insert("timeout".to_owned(), timeout());
    definitions.insert("foreach".to_owned(), foreach());
    definitions.extend(words());
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A consign plan",
        "description": "How artifacts reach their registries.",
        "type": "object",
        "properties": {
            "consign": { "const": 1, "description": "The version of the language." },
            "name": { "$ref": TEXT, "description": "What people call the plan." },
            "description": { "$ref": TEXT, "description": "What it is for." },
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
            "secrets": secrets,
            "allow": with_description(allow, "What the plan may do. Where it stands, anything else is refused."),
            "rehearse": with_description(rehearse, "What a rehearsal begins with. Runs do not look at it."),
            "registries": registries,
            "defaults": {
                "type": "object",
                "description": "What holds for every step that does not say otherwise.",
                "properties": {
                    "retry": { "$ref": "#/$defs/retry", "description": "How often and how long what may pass is tried again." },
                    "timeout": { "$ref": "#/$defs/timeout", "description": "How long a step may take." },
                },
                "additionalProperties": false,
            },
            "steps": {
                "type": "array",
                "description": "What is done, in the order in which it is meant.",
                "items": { "$ref": "#/$defs/step" },
            },
            "finally": {
                "type": "array",
                "description": "What is done when all steps have ended, also after a failure and an interrupt. It knows `run.status` and `run.failed`; outputs of steps have a default there: `steps.ID.OUTPUT | default('')`.",
                "items": { "$ref": "#/$defs/step" },
            },
            "outputs": { "type": "object", "description": "What a run hands to the outside." },
        },
        "patternProperties": { "^x-": { "description": "Free space, for YAML anchors." } },
        "required": ["consign", "steps"],
        "additionalProperties": false,
        "$defs": definitions,
    });
    schema_examples::add(&mut schema);
    schema
}

/// The schema with words of its own.
fn with_description(mut schema: Value, description: &str) -> Value {
    if let Some(members) = schema.as_object_mut() {
        members.insert("description".to_owned(), description.into());
    }
    schema
}

/// Secrets and registries.
fn settings(generator: &mut SchemaGenerator) -> (Value, Value) {
    let secret = generator.subschema_for::<SecretDeclaration>().to_value();
    let registry = generator.subschema_for::<RegistryDeclaration>().to_value();
    let secrets = json!({
        "type": "object",
        "description": "Where secrets come from. Only fields that take a secret can hold one.",
        "propertyNames": { "$ref": "#/$defs/name" },
        "additionalProperties": secret,
    });
    let registries = json!({
        "type": "object",
        "description": "How registries are asked, each under its `host` or `host:port`.",
        "additionalProperties": registry,
    });
    (secrets, registries)
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
    step.insert("description".to_owned(), json!({ "$ref": TEXT, "description": "What it is for." }));
    step.insert(
        "foreach".to_owned(),
        json!({ "$ref": "#/$defs/foreach", "description": "Does it once for each item." }),
    );
    step.insert(
        "when".to_owned(),
        json!({
            "anyOf": [{ "type": "boolean" }, { "$ref": EXPRESSION }],
            "description": "Runs the step only where this is true. What uses its outputs is skipped with it.",
        }),
    );
    step.insert(
        "timeout".to_owned(),
        json!({ "$ref": "#/$defs/timeout", "description": "How long it may take, such as `90s` or `1h30m`." }),
    );
    step.insert(
        "continue_on_error".to_owned(),
        json!({
            "type": "boolean",
            "description": "Whether the run goes on, and succeeds, where the step fails. What uses its outputs is skipped. Not for gates.",
        }),
    );
    step.insert(
        "needs".to_owned(),
        json!({
            "type": "array",
            "description": "Steps above that it waits for, beyond those that follow from what it uses and touches.",
            "items": { "$ref": "#/$defs/name" },
        }),
    );
    step.insert(
        "retry".to_owned(),
        json!({
            "$ref": "#/$defs/retry",
            "description": "How often and how long what may pass is tried again; what it leaves open `defaults` says.",
        }),
    );
    step
}

fn foreach() -> Value {
    let items = json!([
        { "type": "array" },
        { "$ref": EXPRESSION },
    ]);
    json!({
        "description": "Does the step once for each item: a list, or an expression that gives one, or a mapping that says more.",
        "anyOf": [
            items[0],
            items[1],
            {
                "type": "object",
                "properties": {
                    "in": {
                        "anyOf": [items[0], { "type": "object" }, items[1]],
                        "description": "The items: a list, or a mapping, of which each item has `key` and `value`.",
                    },
                    "file": { "$ref": TEXT, "description": "A JSON or YAML file with the items, relative to the plan's folder." },
                    "as": { "$ref": "#/$defs/name", "description": "What an item is called in expressions: `item` where nothing is said." },
                    "key": { "$ref": TEXT, "description": "What tells items apart, such as `${{ item.name }}`; not needed for short texts." },
                    "max_parallel": { "type": "integer", "minimum": 1, "maximum": 65535, "description": "How many items are worked on at a time." },
                },
                "oneOf": [{ "required": ["in"] }, { "required": ["file"] }],
                "additionalProperties": false,
            },
        ],
    })
}

fn timeout() -> Value {
    json!({
        "type": "string",
        "pattern": "^([0-9]+h)?([0-9]+m)?([0-9]+s)?$",
        "minLength": 1,
        "description": "How long a step may take, such as `90s` or `1h30m`. One that takes longer has failed.",
    })
}

fn retry() -> Value {
    json!({
        "type": "object",
        "description": "How often and how long what may pass is tried again.",
        "properties": {
            "max": {
                "type": "integer",
                "minimum": 1,
                "maximum": 100,
                "description": "Tries of one request: 8 where nothing is said.",
            },
            "budget": {
                "type": "string",
                "pattern": "^(0|([0-9]+h)?([0-9]+m)?([0-9]+s)?)$",
                "minLength": 1,
                "description": "How long a step waits between tries, all of them together, such as `90s` or `5m`: `5m` where nothing is said. A run waits six times as long at most.",
            },
        },
        "additionalProperties": false,
    })
}

fn input(generator: &mut SchemaGenerator) -> Value {
    let mut kind = InputType::json_schema(generator).to_value();
    if let Some(members) = kind.as_object_mut() {
        members.insert("description".to_owned(), "What values it takes: `string` where nothing is said.".into());
    }
    json!({
        "type": "object",
        "description": "A value that can be set from outside.",
        "properties": {
            "type": kind,
            "default": { "description": "Its value where nobody gives one; may use inputs above it." },
            "env": { "type": "string", "description": "The environment variable that gives it a value." },
            "pattern": { "type": "string", "description": "A regular expression that the whole value must match." },
            "enum": { "type": "array", "items": { "$ref": TEXT }, "description": "The values that it may have." },
            "description": { "$ref": TEXT, "description": "What it is, for people." },
        },
        "additionalProperties": false,
    })
}

/// Opens the fields of a definition to expressions, and its text to what YAML takes for numbers and booleans.
fn open_fields(definition: &mut Value) {
    let fields = definition.get_mut("properties").and_then(Value::as_object_mut);
    fields.into_iter().flat_map(Map::values_mut).for_each(open);
}

fn open(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else { return };
    let description = members.remove("description");
    // An empty value is refused: who means nothing leaves the key out.
    if let Some(Value::Array(types)) = members.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            members.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(ways)) = members.get_mut("anyOf") {
        ways.retain(|way| way.get("type").is_none_or(|name| name != "null"));
        if let [Value::Object(only)] = ways.as_slice() {
            *members = only.clone();
        }
    }
    // The name of a type of Rust.
    members.remove("format");
    let is_expression = members.get("$ref").is_some_and(|name| name == EXPRESSION);
    let is_text = members.get("type").is_some_and(|name| name == "string");
    let has_shape = ["type", "$ref", "anyOf", "oneOf", "enum"].iter().any(|key| members.contains_key(*key));
    if is_text && !members.contains_key("enum") {
        *members = Map::from_iter([("$ref".to_owned(), TEXT.into())]);
    } else if has_shape && !is_expression {
        for key in ["items", "additionalProperties"] {
            members.get_mut(key).into_iter().for_each(open);
        }
        let fixed = std::mem::take(members);
        members.insert("anyOf".to_owned(), json!([fixed, { "$ref": EXPRESSION }]));
    }
    if let Some(description) = description {
        members.insert("description".to_owned(), description);
    }
}
