use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, value::MapAccessDeserializer},
};
use serde_json::json;

use super::{
    Declare, Done, EffectInfo, Effects, Guess, IfExists, Places, Sort, Step, StepContext, StepError, Thing,
    artifact::{self, check_artifact_type},
    effect_info::{adds, changes, reads},
    flat::flat,
    kind::{DIGEST, MEDIA_TYPE, OutputInfo, REFERENCE, SIZE, output},
    platforms::{check_platform, choose, platform, platform_of},
    publish::{Part, Publication, check_target, moves, target_effects},
    reading::{check_subject, read_effects},
    several::several,
};
use crate::{
    oci::{self, Content, Descriptor, Manifest, Platform, Reference, Repository, Tag},
    output::Output,
    plan::{
        Diagnostic,
        yaml::{Spanned, TEXT_OR_MAPPING},
    },
    store::Store,
};

/// Makes an index of manifests, such as an image for several platforms, and pushes it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// The repository, and the tag that is to point to the index. Without a tag it is pushed by its digest.
    #[schemars(with = "String")]
    pub to: Spanned<Reference>,
    /// What is in it, in order: references, or mappings. What another repository has is copied first; of an index, what it
    /// lists goes in.
    pub manifests: Vec<Spanned<IndexEntry>>,
    /// The index's annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// What it is, as `type/subtype`; nothing for an image.
    #[schemars(with = "Option<String>")]
    pub artifact_type: Option<Spanned<String>>,
    /// What to do where the tag points elsewhere: `fail` by default.
    #[serde(default)]
    pub if_exists: IfExists,
}

/// A manifest that goes into an index.
#[derive(Debug, Clone)]
pub struct IndexEntry {
    /// Which, by tag or digest.
    pub reference: Reference,
    /// What it is for, beyond what its config says; of an index, which of its manifests.
    pub platform: Option<Spanned<String>>,
    /// Annotations of its entry.
    pub annotations: BTreeMap<String, String>,
}

/// An entry as a mapping.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "IndexEntry")]
struct Described {
    /// Which manifest, by tag or digest.
    #[schemars(with = "String")]
    reference: Reference,
    /// What it is for, `os/architecture[/variant]`, where its config does not say; of an index, which of its manifests.
    #[schemars(with = "Option<String>")]
    platform: Option<Spanned<String>>,
    /// Annotations of its entry in the index.
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl<'de> Deserialize<'de> for IndexEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = IndexEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a reference or a mapping")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<IndexEntry, E> {
                let reference = text.parse().map_err(E::custom)?;
                Ok(IndexEntry { reference, platform: None, annotations: BTreeMap::new() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<IndexEntry, A::Error> {
                let Described { reference, platform, annotations } =
                    Described::deserialize(MapAccessDeserializer::new(map))?;
                Ok(IndexEntry { reference, platform, annotations })
            }
        }
        deserializer.deserialize_struct(TEXT_OR_MAPPING, &["reference", "platform", "annotations"], Visitor)
    }
}

impl JsonSchema for IndexEntry {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "IndexManifest".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A manifest that goes into an index.",
            "anyOf": [{ "type": "string" }, generator.subschema_for::<Described>()]
        })
    }
}

impl Declare for Index {
    const NAME: &'static str = "index";
    const SUMMARY: &'static str = "Makes an index of manifests, an image for several platforms, and pushes it.";
    const EXAMPLE: &'static str = "\
to: localhost:5000/net-monitor:v1
manifests:
  - localhost:5000/net-monitor:v1-amd64
  - { reference: \"localhost:5000/net-monitor:v1-arm64\", platform: linux/arm64/v8 }
";
    const MORE: &'static [&'static str] = &["\
to: localhost:5000/net-monitor:v1
artifact_type: application/vnd.example.bundle
annotations: { org.opencontainers.image.version: 1.0.0 }
if_exists: keep
manifests:
  - { reference: \"localhost:5000/net-monitor:v1-s390x\", platform: linux/s390x, annotations: { tested: \"no\" } }
"];
    const EFFECTS: &'static [EffectInfo] = &[
        reads(Sort::Tag, "in `manifests`, where no digest is"),
        reads(Sort::Graph, "of the repository in `manifests`"),
        adds(Sort::Graph, "of the repository in `to`"),
        adds(Sort::TagList, "of that repository, where there is a tag"),
        changes(Sort::Tag, "in `to`"),
    ];
    const OUTPUTS: &'static [OutputInfo] = &[
        REFERENCE,
        DIGEST,
        MEDIA_TYPE,
        SIZE,
        output("tag", "the tag of `to`, where it has one"),
        output("platforms", "a list of the platforms that it has, in its order"),
    ];
    const CONTENT: &'static [&'static str] = artifact::CONTENT;
}

/// How many manifests are looked at together.
const TOGETHER: usize = 8;

/// An entry of the index, and the store that has its manifest.
struct Listed {
    descriptor: Descriptor,
    store: Arc<dyn Store>,
}

impl Index {
    /// The entries that one of `manifests` makes.
    async fn entries(&self, cx: &StepContext, given: &IndexEntry) -> Result<Vec<Listed>, StepError> {
        let wanted = platform(given.platform.as_ref())?;
        let store = cx.open(&given.reference.repository);
        let manifest = cx.manifest(&given.reference).await?;
        let entries = match manifest.content() {
            Content::Index(_) => {
                let listed = flat(&*store, &manifest, &given.reference).await?;
                match &wanted {
                    Some(wanted) => vec![choose(&listed, &given.reference, wanted)?.clone()],
                    None => listed,
                }
            }
            Content::Image(image) => {
                let own = platform_of(&*store, &manifest, &given.reference).await?;
                let platform = agreed(own, wanted, &given.reference)?;
                vec![Descriptor { platform, artifact_type: image.artifact_type.clone(), ..manifest.descriptor() }]
            }
        };
        let entries = entries.into_iter().map(|mut descriptor| {
            descriptor.annotations.extend(given.annotations.clone());
            Listed { descriptor, store: Arc::clone(&store) }
        });
        Ok(entries.collect())
    }

    /// What has to be brought from other repositories before the index, each once.
    async fn parts(&self, cx: &StepContext, listed: &[Listed]) -> Result<Vec<Part>, StepError> {
        let target = cx.open(&self.to.repository).repository().identity();
        let elsewhere = |listed: &&Listed| listed.store.repository().identity() != target;
        let distinct: BTreeMap<_, _> =
            listed.iter().filter(elsewhere).map(|listed| (&listed.descriptor.digest, listed)).collect();
        let fetches = distinct.into_values().map(|listed| async move {
            let (store, digest) = (Arc::clone(&listed.store), listed.descriptor.digest.clone());
            let name = Reference::by_digest(store.repository().clone(), digest.clone());
            let found = store.manifest(&digest.into()).await.map_err(StepError::store("fetch", &name))?;
            let manifest = found.ok_or_else(|| StepError::NotThere { reference: name.to_string() })?;
            Ok::<_, StepError>(Part::Found { store, manifest })
        });
        several(TOGETHER, fetches.collect()).await
    }
}

/// The platform of an image whose config says `own`, where the plan says `given`: it may add, and may not contradict.
fn agreed(
    own: Option<Platform>,
    given: Option<Platform>,
    reference: &Reference,
) -> Result<Option<Platform>, StepError> {
    match (own, given) {
        (Some(own), Some(given)) if own.suits(&given) || given.suits(&own) => {
            Ok(Some(Platform { variant: given.variant.or(own.variant), ..own }))
        }
        (Some(own), Some(given)) => Err(StepError::WrongManifest {
            reference: reference.to_string(),
            what: format!("for {own} by its config, not for {given}"),
            wanted: "`platform` may only add to what the config says",
        }),
        (own, given) => Ok(own.or(given)),
    }
}

/// The entries in order, each once. Two that differ only in their digest cannot both be found.
fn distinct(listed: Vec<Listed>) -> Result<Vec<Listed>, StepError> {
    let mut kept: Vec<Listed> = Vec::new();
    for entry in listed {
        if kept.iter().any(|other| other.descriptor == entry.descriptor) {
            continue;
        }
        let platform = entry.descriptor.platform.as_ref().filter(|platform| !platform.is_unknown());
        let same = kept.iter().find(|other| {
            let (one, two) = (&other.descriptor, &entry.descriptor);
            platform.is_some()
                && (&one.platform, &one.annotations, &one.artifact_type)
                    == (&two.platform, &two.annotations, &two.artifact_type)
        });
        if let (Some(same), Some(platform)) = (same, platform) {
            return Err(StepError::SamePlatform {
                platform: platform.to_string(),
                manifests: [&same.descriptor, &entry.descriptor].map(|entry| entry.digest.to_string()),
            });
        }
        kept.push(entry);
    }
    Ok(kept)
}

#[async_trait]
impl Step for Index {
    fn effects(&self, places: &Places) -> Effects {
        let read = self
            .manifests
            .iter()
            .fold(Effects::default(), |effects, entry| read_effects(effects, &entry.reference, places));
        // What it brings from elsewhere may come from others too, who hand on whether it was there.
        let read = read.read(Thing::graph(&places.repository(&self.to.repository)));
        target_effects(read, &self.to, &[], places)
    }

    fn check(&self, _: &Places) -> Vec<Diagnostic> {
        let empty = self.manifests.is_empty().then(|| {
            let diagnostic = Diagnostic::new("`index` needs at least one of `manifests`").at(self.to.span);
            diagnostic.help("an index of nothing says nothing")
        });
        let entries = self.manifests.iter().flat_map(|entry| {
            let reference = Spanned::new(entry.reference.clone(), entry.span);
            check_subject(&reference).into_iter().chain(check_platform(entry.platform.as_ref()))
        });
        let artifact_type = check_artifact_type(self.artifact_type.as_ref());
        empty.into_iter().chain(entries).chain(artifact_type).chain(check_target(&self.to)).collect()
    }

    fn moves(&self) -> Vec<(&Repository, &Tag, IfExists)> {
        moves(&self.to, &[], self.if_exists)
    }

    fn foresee(&self, guess: &Guess<'_>) -> Output {
        let output = guess.manifest(&self.to.repository).with("platforms", json!([guess.text("platforms")]));
        match &self.to.tag {
            Some(tag) => output.with("tag", tag.as_str()),
            None => output,
        }
    }

    async fn run(&self, cx: &StepContext) -> Result<Done, StepError> {
        let looks = self.manifests.iter().map(|entry| self.entries(cx, entry)).collect();
        let listed = several(TOGETHER, looks).await?.into_iter().flatten().collect();
        let listed = distinct(listed)?;
        let mut index = oci::Index::new(listed.iter().map(|entry| entry.descriptor.clone()).collect());
        index.artifact_type = self.artifact_type.as_ref().map(|given| given.value.clone());
        index.annotations = self.annotations.clone();
        let platforms: Vec<_> =
            index.manifests.iter().filter_map(|entry| entry.platform.as_ref().map(ToString::to_string)).collect();
        let manifest = Manifest::from_index(index)?;
        let parts = self.parts(cx, &listed).await?;
        let (to, if_exists) = (&self.to, self.if_exists);
        let publication = Publication { to, tags: &[], if_exists, manifest, blobs: Vec::new(), parts };
        let (done, _) = publication.publish(cx).await?;
        Ok(Done { output: done.output.with("platforms", platforms), ..done })
    }
}
