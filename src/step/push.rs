use std::collections::BTreeMap;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{
    Declare, Done, EffectInfo, Effects, Guess, IfExists, Places, Sort, Step, StepContext, StepError,
    artifact::{self, annotations, check_artifact_type, check_created, describe},
    effect_info::{adds, changes, reads},
    file::{self, CompressionName, FileSpec, Layer},
    kind::{DIGEST, MEDIA_TYPE, OutputInfo, REFERENCE, SIZE, output},
    publish::{Publication, check_target, moves, target_effects},
    streamed,
};
use crate::{
    oci::{Descriptor, ImageManifest, Manifest, Reference, Repository, Tag, annotation, media_type},
    output::Output,
    plan::{Diagnostic, yaml::Spanned},
};

/// Packs files into an artifact and pushes it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Push {
    /// The repository, and the tag that is to point to the artifact. Without a tag it is pushed by its digest.
    #[schemars(with = "String")]
    pub to: Spanned<Reference>,
    /// What is in it, in order.
    pub files: Vec<FileSpec>,
    /// What it is, as `type/subtype`.
    #[schemars(with = "Option<String>")]
    pub artifact_type: Option<Spanned<String>>,
    /// The artifact's config, instead of an empty one.
    pub config: Option<FileSpec>,
    /// The manifest's annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// What to do where a tag points elsewhere: `fail` by default.
    #[serde(default)]
    pub if_exists: IfExists,
    /// How folders are compressed: `gzip` by default.
    #[serde(default)]
    pub compression: CompressionName,
    /// When it was made, RFC 3339: becomes the annotation `org.opencontainers.image.created`.
    #[schemars(with = "Option<String>")]
    pub created: Option<Spanned<String>>,
    /// Further tags that are to point to the artifact.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub tags: Vec<Tag>,
}

impl Declare for Push {
    const NAME: &'static str = "push";
    const SUMMARY: &'static str = "Packs files and folders into an artifact and pushes it.";
    const EXAMPLE: &'static str = "\
to: localhost:5000/samples/artifact:readme
artifact_type: readme/example
files:
  - { path: readme.md, media_type: text/markdown }
  - { name: note.txt, content: hello }
";
    const MORE: &'static [&'static str] = &["\
to: localhost:5000/samples/site:1.4.0
tags: [\"1.4\", latest]
if_exists: replace
artifact_type: application/vnd.example.site
config: { path: site.json, media_type: application/vnd.example.site.config+json }
annotations: { org.opencontainers.image.source: https://git.example.com/site }
created: 2026-01-31T12:00:00Z
compression: zstd
files:
  - { path: public, name: public, annotations: { part: pages } }
  - { name: build.json, media_type: application/json, json: { commit: 4f1c2ab } }
"];
    const EFFECTS: &'static [EffectInfo] = &[
        reads(Sort::Path, "of `files` and `config`"),
        adds(Sort::Graph, "of the repository in `to`"),
        adds(Sort::TagList, "of that repository, where there is a tag"),
        changes(Sort::Tag, "in `to`, and those of `tags`"),
    ];
    const OUTPUTS: &'static [OutputInfo] = &[
        REFERENCE,
        DIGEST,
        MEDIA_TYPE,
        SIZE,
        output("tag", "the tag of `to`, where it has one"),
        output("layers", "a list of `name`, `digest`, `media_type` and `size`"),
    ];
    const CONTENT: &'static [&'static str] = artifact::CONTENT;
}

impl Push {
    async fn manifest(&self, cx: &StepContext) -> Result<(Manifest, Vec<Layer>), StepError> {
        let hashed = streamed::send(cx, &self.to, &self.files, self.compression.into()).await;
        let mut blobs = file::layers_hashed(cx, &self.files, self.compression.into(), hashed).await?;
        let mut manifest = match &self.config {
            None => ImageManifest::new(Descriptor::empty()),
            Some(config) => {
                let mut packed = file::layers(cx, std::slice::from_ref(config), self.compression.into()).await?;
                let Some(config) = packed.pop() else {
                    return Err(StepError::BrokenOff { message: "the config is no file".to_owned() });
                };
                let mut descriptor = config.descriptor.clone();
                // A config is no file to be restored: only what the plan wrote on it is kept.
                descriptor.annotations.remove(annotation::TITLE);
                blobs.push(config);
                ImageManifest::new(descriptor)
            }
        };
        let layers = blobs.iter().take(blobs.len() - usize::from(self.config.is_some()));
        manifest.layers = layers.map(|layer| layer.descriptor.clone()).collect();
        if self.config.is_none() {
            blobs.push(Layer::bytes(Descriptor::empty(), &b"{}"[..]));
        }
        if manifest.layers.is_empty() {
            // https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#guidelines-for-artifact-usage
            manifest.layers.push(Descriptor::empty());
        }
        let artifact_type = self.artifact_type.as_ref().map(|given| given.value.clone());
        manifest.artifact_type = match (&self.config, artifact_type) {
            (Some(_), given) => given,
            (None, given) => Some(given.unwrap_or_else(|| media_type::UNKNOWN_ARTIFACT.to_owned())),
        };
        manifest.annotations = annotations(&self.annotations, self.created.as_ref(), cx.epoch);
        Ok((Manifest::from_image(manifest)?, blobs))
    }
}

#[async_trait]
impl Step for Push {
    fn effects(&self, places: &Places) -> Effects {
        let sources =
            self.sources().into_iter().fold(Effects::default(), |effects, path| effects.read(places.read_thing(path)));
        target_effects(sources, &self.to, &self.tags, places)
    }

    fn check(&self, _: &Places) -> Vec<Diagnostic> {
        let files = self.files.iter().chain(&self.config).flat_map(FileSpec::check);
        let artifact_type = check_artifact_type(self.artifact_type.as_ref());
        files.chain(artifact_type).chain(check_created(self.created.as_ref())).chain(check_target(&self.to)).collect()
    }

    fn sources(&self) -> Vec<&Spanned<String>> {
        let mut sources = file::sources(&self.files);
        sources.extend(self.config.iter().filter_map(|config| config.path.as_ref()));
        sources
    }

    fn moves(&self) -> Vec<(&Repository, &Tag, IfExists)> {
        moves(&self.to, &self.tags, self.if_exists)
    }

    fn foresee(&self, guess: &Guess<'_>) -> Output {
        let output = guess.manifest(&self.to.repository).with("layers", json!([describe(&guess.blob("layers"))]));
        match &self.to.tag {
            Some(tag) => output.with("tag", tag.as_str()),
            None => output,
        }
    }

    fn goes_ahead(&self) -> bool {
        // Where a tag is kept that points elsewhere, no blob is brought, and a later copy may tell.
        self.to.repository.is_registry() && self.if_exists != IfExists::Keep
    }

    async fn run(&self, cx: &StepContext) -> Result<Done, StepError> {
        let (manifest, blobs) = self.manifest(cx).await?;
        let layers: Vec<_> = manifest.as_image().map_or(&[][..], |image| &image.layers).iter().map(describe).collect();
        let publication = Publication {
            to: &self.to,
            tags: &self.tags,
            if_exists: self.if_exists,
            manifest,
            blobs,
            parts: Vec::new(),
        };
        let (done, _) = publication.publish(cx).await?;
        Ok(Done { output: done.output.with("layers", layers), ..done })
    }
}
