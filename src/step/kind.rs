use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;

use super::Step;
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
    /// Its outputs beyond `outcome` and `changed`.
    const OUTPUTS: &'static [OutputInfo];
    /// Fields, at any depth, that say what is in a manifest or what is compared: whatever stands there, the step touches the
    /// same things, hands on outputs that are guessed alike, and is a gate or not.
    const CONTENT: &'static [&'static str] = &[];
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
    /// Fields, at any depth, of which nothing follows for the order of steps.
    pub content: &'static [&'static str],
    decode: Decode,
    schema: fn(&mut SchemaGenerator) -> Schema,
    root_schema: fn() -> Schema,
}

type Decode = fn(&Node, &mut Vec<Diagnostic>) -> Option<Arc<dyn Step>>;

/// Every kind, by name.
pub const KINDS: &[Kind] = &[
    kind::<super::assert::Assert>(),
    kind::<super::attach::Attach>(),
    kind::<super::copy::Copy>(),
    kind::<super::delete::Delete>(),
    kind::<super::discover::Discover>(),
    kind::<super::image::Image>(),
    kind::<super::inspect::Inspect>(),
    kind::<super::list_tags::ListTags>(),
    kind::<super::pull::Pull>(),
    kind::<super::push::Push>(),
    kind::<super::tag::TagStep>(),
];

const fn kind<T: Declare>() -> Kind {
    Kind {
        name: T::NAME,
        summary: T::SUMMARY,
        example: T::EXAMPLE,
        outputs: T::OUTPUTS,
        content: T::CONTENT,
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
    /// Whether it must be there.
    pub required: bool,
    /// What it is, on one line.
    pub description: String,
}

impl Kind {
    /// The fields of a step's body, required ones first, otherwise in the order in which they are declared.
    pub fn fields(&self) -> Vec<FieldInfo> {
        let schema = (self.root_schema)();
        let required: Vec<&str> = schema
            .get("required")
            .and_then(|list| list.as_array())
            .into_iter()
            .flatten()
            .filter_map(|name| name.as_str())
            .collect();
        let properties = schema.get("properties").and_then(|members| members.as_object()).into_iter().flatten();
        let mut fields: Vec<_> = properties
            .map(|(name, field)| FieldInfo {
                name: name.clone(),
                required: required.contains(&name.as_str()),
                description: field
                    .get("description")
                    .and_then(|text| text.as_str())
                    .unwrap_or_default()
                    .replace('\n', " "),
            })
            .collect();
        fields.sort_by_key(|field| !field.required);
        fields
    }
}
