use std::{fmt::Write, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{EffectInfo, Step};
use crate::plan::{
    Diagnostic, KindInfo,
    yaml::{Node, decode},
};

/// What a kind says of itself.
pub trait Declare: Step + DeserializeOwned + JsonSchema + 'static {
    /// The key in a step.
    const NAME: &'static str;
    /// One sentence.
    const SUMMARY: &'static str;
    /// The body of a step, as YAML; a test decodes it.
    const EXAMPLE: &'static str;
    /// Bodies that, with the example, have every field of the kind at least once.
    const MORE: &'static [&'static str];
    /// Its outputs beyond `outcome` and `changed`.
    const OUTPUTS: &'static [OutputInfo];
    /// What it touches outside, in words.
    const EFFECTS: &'static [EffectInfo];
    /// When a step of this kind may say no, where it ever may.
    const GATE: Option<&'static str> = None;
    /// Fields, at any depth, that say what is in a manifest or what is compared: whatever stands there, the step touches the
    /// same things, hands on outputs that are guessed alike, and is a gate or not.
    const CONTENT: &'static [&'static str] = &[];
    /// Why nobody can know what a step of this kind does before it has done it, where that is so.
    const UNFORESEEABLE: Option<&'static str> = None;
    /// Whether it hands on, or goes by, a list of what others brought: with what is not known in it, it is not known either.
    const LISTS: bool = false;
}

/// An output of a kind.
#[derive(Debug, Clone, Copy)]
pub struct OutputInfo {
    /// Its name.
    pub name: &'static str,
    /// What it is, in a few words.
    pub summary: &'static str,
}

/// A kind as an entry of [`KINDS`].
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// The key in a step.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// The body of a step, as YAML.
    pub example: &'static str,
    /// Its outputs beyond `outcome` and `changed`.
    pub outputs: &'static [OutputInfo],
    /// Bodies that, with the example, have every field of the kind at least once.
    pub more: &'static [&'static str],
    /// What it touches outside, in words.
    pub effects: &'static [EffectInfo],
    /// When a step of this kind may say no.
    pub gate: Option<&'static str>,
    /// Fields, at any depth, of which nothing follows for the order of steps.
    pub content: &'static [&'static str],
    /// Why it cannot be known before a run what a step does.
    pub unforeseeable: Option<&'static str>,
    /// Whether it goes by a list of what others brought.
    pub lists: bool,
    decode: Decode,
    schema: fn(&mut SchemaGenerator) -> Schema,
    root_schema: fn() -> Schema,
}

type Decode = fn(&Node, &mut Vec<Diagnostic>) -> Option<Arc<dyn Step>>;

/// Every kind, by name.
pub const KINDS: &[Kind] = &[
    kind::<super::assert::Assert>(),
    kind::<super::attach::Attach>(),
    kind::<super::attest::Attest>(),
    kind::<super::copy::Copy>(),
    kind::<super::delete::Delete>(),
    kind::<super::discover::Discover>(),
    kind::<super::exec::Exec>(),
    kind::<super::image::Image>(),
    kind::<super::index::Index>(),
    kind::<super::inspect::Inspect>(),
    kind::<super::list_tags::ListTags>(),
    kind::<super::pull::Pull>(),
    kind::<super::push::Push>(),
    kind::<super::sign::Sign>(),
    kind::<super::tag::TagStep>(),
    kind::<super::verify::Verify>(),
];

const fn kind<T: Declare>() -> Kind {
    Kind {
        name: T::NAME,
        summary: T::SUMMARY,
        example: T::EXAMPLE,
        outputs: T::OUTPUTS,
        more: T::MORE,
        effects: T::EFFECTS,
        gate: T::GATE,
        content: T::CONTENT,
        unforeseeable: T::UNFORESEEABLE,
        lists: T::LISTS,
        decode: |node, diagnostics| {
            decode::<T>(node, T::NAME, diagnostics).map(|step| -> Arc<dyn Step> { Arc::new(step) })
        },
        schema: SchemaGenerator::subschema_for::<T>,
        root_schema: || SchemaGenerator::default().into_root_schema_for::<T>(),
    }
}

impl Kind {
    /// What the plan's front end must know of all kinds.
    pub fn infos() -> Vec<KindInfo> {
        let names = |kind: &Self| kind.outputs.iter().map(|output| output.name).chain(["outcome", "changed"]).collect();
        KINDS.iter().map(|kind| KindInfo { name: kind.name, outputs: names(kind) }).collect()
    }

    /// Whether steps of this kind can have that output.
    pub fn has_output(&self, name: &str) -> bool {
        self.outputs.iter().any(|output| output.name == name) || matches!(name, "outcome" | "changed")
    }

    /// The step that `body` describes, every expression in it evaluated.
    pub fn decode(&self, body: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Arc<dyn Step>> {
        (self.decode)(body, diagnostics)
    }

    /// The JSON Schema of a step's body.
    pub fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        (self.schema)(generator)
    }
}

/// The outputs of every kind that names a manifest.
pub(super) const REFERENCE: OutputInfo = OutputInfo { name: "reference", summary: "`repository@digest`" };
/// As above.
pub(super) const DIGEST: OutputInfo = OutputInfo { name: "digest", summary: "of the manifest" };
/// As above.
pub(super) const MEDIA_TYPE: OutputInfo = OutputInfo { name: "media_type", summary: "of the manifest" };
/// As above.
pub(super) const SIZE: OutputInfo = OutputInfo { name: "size", summary: "of the manifest, in bytes" };

/// One more output.
pub(super) const fn output(name: &'static str, summary: &'static str) -> OutputInfo {
    OutputInfo { name, summary }
}

/// A field of a kind, as its schema has it.
#[derive(Debug, Clone)]
pub struct FieldInfo {
    /// The key.
    pub name: String,
    /// How deep it stands: 0 for the fields of a step, 1 for those of its files and layers.
    pub level: usize,
    /// Whether it must be there.
    pub required: bool,
    /// What values it takes, in a few words.
    pub takes: String,
    /// What it is, on one line.
    pub description: String,
}

impl Kind {
    /// The fields of a step's body, required ones first, otherwise in the order in which they are declared. Those of a
    /// nested mapping follow the first field that takes it.
    pub fn fields(&self) -> Vec<FieldInfo> {
        let schema = (self.root_schema)().to_value();
        let mut reading = Reading { root: &schema, seen: Vec::new() };
        reading.fields(&schema, 0)
    }
}

/// Reads the fields out of a schema.
struct Reading<'a> {
    root: &'a Value,
    /// The definitions whose fields were listed, each with the field that they follow.
    seen: Vec<(&'a str, &'a str)>,
}

impl<'a> Reading<'a> {
    fn fields(&mut self, schema: &'a Value, level: usize) -> Vec<FieldInfo> {
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let properties = schema["properties"].as_object().into_iter().flatten();
        let mut properties: Vec<_> =
            properties.map(|(name, field)| (name.as_str(), field, required.contains(&name.as_str()))).collect();
        properties.sort_by_key(|(_, _, required)| !required);
        let mut fields = Vec::new();
        for (name, field, required) in properties {
            let (mut takes, nested) = self.takes(field);
            let description = field["description"].as_str().unwrap_or_default().replace('\n', " ");
            let before = nested.and_then(|nested| self.seen.iter().find(|(seen, _)| *seen == nested));
            if let Some((_, first)) = before {
                // Writing to a string cannot fail.
                let _ = write!(takes, " as in `{first}`");
            }
            let is_first = before.is_none();
            fields.push(FieldInfo { name: name.to_owned(), level, required, takes, description });
            if let Some(nested) = nested.filter(|_| is_first) {
                self.seen.push((nested, name));
                fields.extend(self.fields(self.definition(nested), level + 1));
            }
        }
        fields
    }

    /// What a field takes, and the definition of the mapping that it takes, where it is one with fields of its own.
    fn takes(&self, field: &'a Value) -> (String, Option<&'a str>) {
        if let Some(name) = field["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
            let definition = self.definition(name);
            return match self.takes(definition) {
                (_, None) if definition["properties"].is_object() => ("mapping".to_owned(), Some(name)),
                taken => taken,
            };
        }
        let ways = ["oneOf", "anyOf"].into_iter().filter_map(|key| field[key].as_array());
        let ways: Vec<&Value> = ways.flatten().filter(|way| way["type"] != "null").collect();
        if field["properties"].is_object() {
            return ("mapping".to_owned(), None);
        }
        if let [only] = ways.as_slice() {
            return self.takes(only);
        }
        if !ways.is_empty() {
            let (ways, nested): (Vec<_>, Vec<_>) = ways.into_iter().map(|way| self.takes(way)).unzip();
            return (ways.join(", "), nested.into_iter().flatten().next());
        }
        if let Some(value) = field["const"].as_str() {
            return (value.to_owned(), None);
        }
        if let Some(values) = field["enum"].as_array() {
            let values: Vec<_> = values.iter().filter_map(Value::as_str).collect();
            return (values.join(", "), None);
        }
        let types = match &field["type"] {
            Value::Array(types) => types.iter().find(|name| *name != "null"),
            name => Some(name),
        };
        match types.and_then(Value::as_str) {
            Some("string") => ("text".to_owned(), None),
            Some("boolean") => ("true, false".to_owned(), None),
            Some("integer") => ("number".to_owned(), None),
            Some("array") => match self.takes(&field["items"]) {
                (of, None) if of != ANY => (format!("list of {}", of.replace("true, false", "conditions")), None),
                (_, nested) => ("list".to_owned(), nested),
            },
            Some("object") => ("mapping of text".to_owned(), None),
            _ => (ANY.to_owned(), None),
        }
    }

    fn definition(&self, name: &str) -> &'a Value {
        &self.root["$defs"][name]
    }
}

/// What a field takes that takes anything.
const ANY: &str = "any value";
