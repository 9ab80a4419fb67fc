use std::{collections::BTreeMap, fmt, sync::Arc};

use globset::Glob;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, value::MapAccessDeserializer},
};

use crate::{
    plan::{
        Diagnostic,
        yaml::{Spanned, TEXT_OR_MAPPING},
    },
    store::{ReferrerFilter, ReferrerMatch},
};

/// Which referrers go along with a copy.
#[derive(Debug, Clone, Default)]
pub enum CopyReferrers {
    /// All of them, on all levels, those of an index's manifests too.
    #[default]
    All,
    /// None.
    None,
    /// Those that are chosen.
    Chosen(ChosenReferrers),
}

/// What chooses them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChosenReferrers {
    /// What is about the image itself goes along if it is one of these; all of it where this is left out. What is about
    /// something that goes along does so too.
    #[serde(default)]
    #[schemars(with = "Vec<ReferrerPattern>")]
    pub include: Vec<Spanned<ReferrerPattern>>,
    /// These stay behind on every level, and with them what is about them.
    #[serde(default)]
    #[schemars(with = "Vec<ReferrerPattern>")]
    pub exclude: Vec<Spanned<ReferrerPattern>>,
    /// How many levels go along: with 1, only what is about the image itself.
    #[schemars(with = "Option<usize>")]
    pub depth: Option<Spanned<usize>>,
}

/// What a referrer is like; all that is given must hold.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReferrerPattern {
    /// Its artifact type; `*` stands for anything.
    #[schemars(with = "Option<String>")]
    pub artifact_type: Option<Spanned<String>>,
    /// Annotations that it has, among others.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

const WAYS: &str = "`all`, `none`, or a mapping of `include`, `exclude` and `depth`";

impl<'de> Deserialize<'de> for CopyReferrers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = CopyReferrers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(WAYS)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<CopyReferrers, E> {
                match text {
                    "all" => Ok(CopyReferrers::All),
                    "none" => Ok(CopyReferrers::None),
                    _ => Err(E::custom(format!("`referrers` takes {WAYS}, not `{text}`"))),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CopyReferrers, A::Error> {
                ChosenReferrers::deserialize(MapAccessDeserializer::new(map)).map(CopyReferrers::Chosen)
            }
        }
        deserializer.deserialize_struct(TEXT_OR_MAPPING, &["include", "exclude", "depth"], Visitor)
    }
}

impl JsonSchema for CopyReferrers {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CopyReferrers".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Which referrers go along.",
            "anyOf": [{ "enum": ["all", "none"] }, generator.subschema_for::<ChosenReferrers>()]
        })
    }
}

impl CopyReferrers {
    /// What is wrong with it.
    pub(super) fn check(&self) -> Vec<Diagnostic> {
        let Self::Chosen(chosen) = self else { return Vec::new() };
        let types = chosen.include.iter().chain(&chosen.exclude).filter_map(|pattern| pattern.artifact_type.as_ref());
        let globs = types.filter_map(|given| {
            let error = Glob::new(given).err()?;
            Some(Diagnostic::new(format!("`{}` is not a glob: {}", given.value, error.kind())).at(given.span))
        });
        let patterns = chosen.include.iter().chain(&chosen.exclude);
        let is_empty =
            |pattern: &&Spanned<ReferrerPattern>| pattern.artifact_type.is_none() && pattern.annotations.is_empty();
        let empty = patterns.filter(is_empty).map(|pattern| {
            let diagnostic = Diagnostic::new("a pattern that says nothing fits every referrer").at(pattern.span);
            diagnostic.label("say an `artifact_type` or `annotations`")
        });
        let depth = chosen.depth.as_ref().filter(|depth| depth.value == 0).map(|depth| {
            let diagnostic = Diagnostic::new("with `depth: 0` no referrer goes along").at(depth.span);
            diagnostic.label("write `referrers: none`, or at least 1")
        });
        globs.chain(empty).chain(depth).collect()
    }

    /// The same for who copies; nothing where all go along.
    pub(super) fn filter(&self) -> Option<Arc<ReferrerFilter>> {
        let Self::Chosen(chosen) = self else { return None };
        let patterns = |patterns: &[Spanned<ReferrerPattern>]| {
            let compiled = patterns.iter().map(|pattern| ReferrerMatch {
                artifact_type: pattern
                    .artifact_type
                    .as_ref()
                    .and_then(|given| Some(Glob::new(given).ok()?.compile_matcher())),
                annotations: pattern.annotations.clone(),
            });
            compiled.collect()
        };
        let (include, exclude) = (patterns(&chosen.include), patterns(&chosen.exclude));
        Some(Arc::new(ReferrerFilter { include, exclude, depth: chosen.depth.as_ref().map(|depth| depth.value) }))
    }
}
