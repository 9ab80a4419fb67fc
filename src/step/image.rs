use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::task::{JoinError, spawn_blocking};

use super::{
    Declare, Done, EffectInfo, Effects, Guess, IfExists, Places, Sort, Step, StepContext, StepError,
    artifact::{annotations, check_created, created},
    base::{self, Base, Bases},
    effect_info::{adds, changes, reads},
    file::Layer,
    folders::{self, Folder, Folders},
    image_config::{self, Added},
    kind::{DIGEST, MEDIA_TYPE, OutputInfo, REFERENCE, SIZE, output},
    platforms::{check_platform, platform},
    publish::{Part, Publication, check_target, moves, target_effects},
    reading::{check_subject, read_effects},
    streamed,
};
use crate::{
    oci::{
        ContainerConfig, Descriptor, ImageConfig, ImageManifest, Index, Manifest, Platform, Reference, Repository,
        RootFs, Tag, media_type,
    },
    output::Output,
    pack::{self, KnownLayer, LayerContent, LayerOptions, PackError},
    plan::{Diagnostic, yaml::Spanned},
    store::Store,
};

/// Makes a container image from files and pushes it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("anyOf" = [{ "required": ["platform"] }, { "required": ["base"] }]))]
pub struct Image {
    /// The repository, and the tag that is to point to the image. Without a tag it is pushed by its digest.
    #[schemars(with = "String")]
    pub to: Spanned<Reference>,
    /// What is in it, lowest first; on a base, what comes on top.
    pub layers: Vec<ImageLayer>,
    /// The image that it is made on. Its layers are taken over, its config is added to. Of an image for several platforms
    /// one is made for each, and an index of them, unless `platform` chooses one.
    #[schemars(with = "Option<String>")]
    pub base: Option<Spanned<Reference>>,
    /// What it runs on: `os/architecture[/variant]`. Required without a base; never taken from the machine that builds it.
    #[schemars(with = "Option<String>")]
    pub platform: Option<Spanned<String>>,
    /// The program that a container of it runs, with its first arguments. On a base, it also drops the base's `cmd`.
    pub entrypoint: Option<Vec<String>>,
    /// The arguments that a user may replace.
    pub cmd: Option<Vec<String>>,
    /// The environment of the program; on a base, what is added to it or replaced.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub env: IndexMap<String, String>,
    /// Free text in the image's config; on a base, what is added to it or replaced.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Who runs the program: `user[:group]`.
    pub user: Option<String>,
    /// Where the program starts.
    pub workdir: Option<String>,
    /// The manifest's annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// What to do where the tag points elsewhere: `fail` by default.
    #[serde(default)]
    pub if_exists: IfExists,
    /// When it was made, RFC 3339: goes into the config and the annotation `org.opencontainers.image.created`.
    #[schemars(with = "Option<String>")]
    pub created: Option<Spanned<String>>,
}

/// One layer of an image.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageLayer {
    /// A file, a folder or a glob, relative to the plan's folder.
    #[schemars(with = "String")]
    pub path: Spanned<String>,
    /// The folder of the image that the file, or what is in the folder, goes into.
    pub at: String,
}

impl Declare for Image {
    const NAME: &'static str = "image";
    const SUMMARY: &'static str = "Makes a container image from files and pushes it.";
    const EXAMPLE: &'static str = "\
to: localhost:5000/net-monitor:v1
platform: linux/amd64
layers:
  - { path: net-monitor, at: /app }
entrypoint: [/app/net-monitor]
";
    const MORE: &'static [&'static str] = &["\
to: localhost:5000/net-monitor:v1
base: docker.io/library/debian:12
platform: linux/arm64
layers: [{ path: \"dist/*\", at: /usr/local/bin }]
entrypoint: [/usr/local/bin/net-monitor]
cmd: [--help]
env: { LANG: C.UTF-8 }
labels: { team: network }
user: \"65532:65532\"
workdir: /var/lib/net-monitor
annotations: { org.opencontainers.image.version: 1.0.0 }
if_exists: replace
created: 2026-01-31T12:00:00Z
"];
    const EFFECTS: &'static [EffectInfo] = &[
        reads(Sort::Path, "of `layers`"),
        reads(Sort::Tag, "in `base`, where no digest is"),
        reads(Sort::Graph, "of the repository in `base`"),
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
        output("config_digest", "of the image's config; an image for several platforms has none"),
    ];
    const CONTENT: &'static [&'static str] =
        &["entrypoint", "cmd", "env", "labels", "user", "workdir", "annotations", "created"];
}

/// A layer that was packed, and what the history says of it.
struct Packed {
    layer: KnownLayer,
    /// Its bytes; nothing where the repository is known to have them.
    content: Option<LayerContent>,
    created_by: String,
}

/// The manifest of an image, and where its config is.
struct MadeImage {
    manifest: Manifest,
    platform: Platform,
    config: Descriptor,
}

impl Image {
    async fn pack(&self, cx: &StepContext, store: &Arc<dyn Store>) -> Result<Vec<Packed>, StepError> {
        let broken_off = |error: JoinError| StepError::BrokenOff { message: error.to_string() };
        let (layers, places, modified) = (self.layers.clone(), cx.places.clone(), cx.epoch.unwrap_or(0));
        let found = spawn_blocking(move || {
            let mut found = Vec::new();
            for layer in &layers {
                let options = LayerOptions { modified, ..LayerOptions::image(&layer.at) };
                let root = places.source_root(&layer.path);
                for path in pack::expand(root, &layer.path)? {
                    let created_by = format!("consign: {} at {}", path.display(), layer.at);
                    found.push((Folder { path: root.join(path), options: options.clone() }, created_by));
                }
            }
            Ok::<_, PackError>(found)
        });
        let fail = || StepError::pack("pack the layers");
        let found = found.await.map_err(broken_off)?.map_err(fail())?;
        let mut folders = Folders::default();
        let folder = |(folder, _): &(Folder, String)| folder.path.is_dir().then(|| folder.clone());
        let left = folders.look(cx, &**store, folders::distinct(found.iter().filter_map(folder))).await;
        let left = if self.to.repository.is_registry() { folders::large(left).await } else { Vec::new() };
        if !left.is_empty()
            && let Some(there) = streamed::there(&**store, &self.to).await
            // Where the tag is not moved, nothing is brought that is not there already.
            && (there.is_none() || self.if_exists == IfExists::Replace)
        {
            // The layers of an image do not say what they were made of.
            folders.send(cx, &**store, left, |_| there.is_some()).await;
        }
        let places = cx.places.clone();
        let packed = spawn_blocking(move || {
            let pack = |(Folder { path, options }, created_by): (Folder, String)| {
                if let Some(layer) = folders.find(&path, &options.prefix) {
                    return Ok(Packed { layer: layer.clone(), content: None, created_by });
                }
                let packed = if path.is_dir() {
                    let packed = pack::pack_directory(&path, &options)?;
                    places.digests.keep_folder(&path, &options, &packed.known());
                    packed
                } else {
                    pack::pack_file_layer(&path, &options)?
                };
                Ok(Packed { layer: packed.known(), content: Some(packed.content), created_by })
            };
            found.into_iter().map(pack).collect::<Result<Vec<_>, PackError>>()
        });
        packed.await.map_err(broken_off)?.map_err(fail())
    }

    /// The config of an image that is made on nothing.
    fn config(&self, platform: &Platform, packed: &[Packed], epoch: Option<u64>) -> ImageConfig {
        ImageConfig {
            created: created(self.created.as_ref(), epoch),
            architecture: platform.architecture.clone(),
            os: platform.os.clone(),
            variant: platform.variant.clone(),
            config: ContainerConfig {
                user: self.user.clone(),
                env: self.env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
                entrypoint: self.entrypoint.clone().unwrap_or_default(),
                cmd: self.cmd.clone().unwrap_or_default(),
                working_dir: self.workdir.clone(),
                labels: self.labels.clone(),
            },
            rootfs: RootFs {
                kind: "layers".to_owned(),
                diff_ids: packed.iter().map(|packed| packed.layer.diff_id.clone()).collect(),
            },
        }
    }

    /// One image; its blobs go into `blobs`, but for the layers that were packed.
    fn make(
        &self,
        cx: &StepContext,
        base: Option<Base>,
        packed: &[Packed],
        annotations: &BTreeMap<String, String>,
        blobs: &mut Vec<Layer>,
    ) -> Result<MadeImage, StepError> {
        let (config, platform, below, store) = if let Some(base) = base {
            let added: Vec<_> = packed.iter().map(Packed::added).collect();
            let created = created(self.created.as_ref(), cx.epoch);
            let config = image_config::on_base(self, &base.config, base.diff_ids.len(), &added, created.as_deref());
            (serde_json::to_vec(&config), base.platform, base.layers, Some(base.store))
        } else {
            let platform = platform(self.platform.as_ref())?;
            let missing = || StepError::BrokenOff { message: "`platform` is missing".to_owned() };
            let platform = platform.ok_or_else(missing)?;
            (serde_json::to_vec(&self.config(&platform, packed, cx.epoch)), platform, Vec::new(), None)
        };
        let content = config.map_err(|error| StepError::BrokenOff { message: error.to_string() })?;
        let config = Descriptor::of(media_type::IMAGE_CONFIG, &content);
        let mut manifest = ImageManifest::new(config.clone());
        manifest.annotations = annotations.clone();
        blobs.push(Layer::bytes(config.clone(), content));
        for layer in below {
            if let Some(store) = store.as_ref().filter(|_| !media_type::is_foreign(&layer.media_type)) {
                blobs.push(Layer::in_store(layer.clone(), store));
            }
            manifest.layers.push(layer);
        }
        manifest.layers.extend(packed.iter().map(|packed| packed.layer.descriptor.clone()));
        Ok(MadeImage { manifest: Manifest::from_image(manifest)?, platform, config })
    }

    /// The base as it is now, and what the image says of it.
    async fn bases(&self, cx: &StepContext) -> Result<(Option<Bases>, BTreeMap<String, String>), StepError> {
        let mut said = annotations(&self.annotations, self.created.as_ref(), cx.epoch);
        let Some(reference) = &self.base else { return Ok((None, said)) };
        let (digest, bases) = base::read(cx, reference, platform(self.platform.as_ref())?.as_ref()).await?;
        for (key, value) in base::annotations(reference, &digest) {
            said.entry(key).or_insert(value);
        }
        Ok((Some(bases), said))
    }
}

impl Packed {
    fn added(&self) -> Added {
        Added { created_by: self.created_by.clone(), diff_id: self.layer.diff_id.clone() }
    }
}

#[async_trait]
impl Step for Image {
    fn effects(&self, places: &Places) -> Effects {
        let sources =
            self.sources().into_iter().fold(Effects::default(), |effects, path| effects.read(places.read_thing(path)));
        let read = self.base.iter().fold(sources, |effects, base| read_effects(effects, base, places));
        target_effects(read, &self.to, &[], places)
    }

    fn check(&self, _: &Places) -> Vec<Diagnostic> {
        let needs = |what: &str, help: &str| Diagnostic::new(what).at(self.to.span).help(help);
        let no_platform = (self.base.is_none() && self.platform.is_none()).then(|| {
            needs("`image` needs `platform`, or a `base` to be made on", "it is never taken from this machine")
        });
        let no_layers = (self.base.is_none() && self.layers.is_empty())
            .then(|| needs("`image` needs at least one of `layers`", "only on a `base` an image may add none"));
        let platform = check_platform(self.platform.as_ref());
        let base = self.base.as_ref().and_then(check_subject);
        let created = check_created(self.created.as_ref());
        let wrong = [no_platform, no_layers, platform, base, created, check_target(&self.to)];
        wrong.into_iter().flatten().collect()
    }

    fn sources(&self) -> Vec<&Spanned<String>> {
        self.layers.iter().map(|layer| &layer.path).collect()
    }

    fn moves(&self) -> Vec<(&Repository, &Tag, IfExists)> {
        moves(&self.to, &[], self.if_exists)
    }

    fn foresee(&self, guess: &Guess<'_>) -> Output {
        let output = guess.manifest(&self.to.repository);
        let output = output.with("config_digest", guess.digest("config_digest").to_string());
        match &self.to.tag {
            Some(tag) => output.with("tag", tag.as_str()),
            None => output,
        }
    }

    fn goes_ahead(&self) -> bool {
        // A base may be what a step before this one makes. Where a tag is kept that points elsewhere, no blob is brought.
        self.base.is_none() && self.to.repository.is_registry() && self.if_exists != IfExists::Keep
    }

    async fn run(&self, cx: &StepContext) -> Result<Done, StepError> {
        let store = cx.open(&self.to.repository);
        let packed = self.pack(cx, &store).await?;
        let (bases, annotations) = self.bases(cx).await?;
        let mut blobs = Vec::new();
        let mut parts = Vec::new();
        let (manifest, config) = match bases {
            None => {
                let made = self.make(cx, None, &packed, &annotations, &mut blobs)?;
                (made.manifest, Some(made.config))
            }
            Some(Bases::One(base)) => {
                let made = self.make(cx, Some(*base), &packed, &annotations, &mut blobs)?;
                (made.manifest, Some(made.config))
            }
            Some(Bases::Several(bases)) => {
                let mut entries = Vec::new();
                for base in bases {
                    let made = self.make(cx, Some(base), &packed, &annotations, &mut blobs)?;
                    entries.push(Descriptor { platform: Some(made.platform), ..made.manifest.descriptor() });
                    parts.push(Part::Made { manifest: made.manifest });
                }
                let mut index = Index::new(entries);
                index.annotations = annotations;
                (Manifest::from_index(index)?, None)
            }
        };
        blobs.extend(packed.into_iter().map(|packed| match packed.content {
            Some(content) => Layer::packed(packed.layer.descriptor, content),
            None => Layer::there(packed.layer.descriptor, &store),
        }));
        let publication = Publication { to: &self.to, tags: &[], if_exists: self.if_exists, manifest, blobs, parts };
        let (done, _) = publication.publish(cx).await?;
        let output = match config {
            Some(config) => done.output.with("config_digest", config.digest.to_string()),
            None => done.output,
        };
        Ok(Done { output, ..done })
    }
}
