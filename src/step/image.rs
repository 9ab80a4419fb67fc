use std::collections::BTreeMap;

use async_trait::async_trait;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Declare, Done, Effects, Guess, IfExists, Places, Step, StepContext, StepError,
    artifact::{annotations, check_created, created},
    file::Layer,
    kind::{DIGEST, MEDIA_TYPE, OutputInfo, REFERENCE, SIZE, output},
    publish::{Publication, check_target, moves, target_effects},
};
use crate::{
    oci::{
        ContainerConfig, Descriptor, Digest, ImageConfig, ImageManifest, Manifest, Platform, Reference, Repository,
        RootFs, Tag, media_type,
    },
    output::Output,
    pack::{self, LayerOptions, PackError, PackedLayer},
    plan::{Diagnostic, yaml::Spanned},
};

/// Makes a container image from files and pushes it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// The repository, and the tag that is to point to the image. Without a tag it is pushed by its digest.
    #[schemars(with = "String")]
    pub to: Spanned<Reference>,
    /// What is in it, lowest first.
    pub layers: Vec<ImageLayer>,
    /// What it runs on: `os/architecture[/variant]`. Never taken from the machine that builds it.
    #[schemars(with = "String")]
    pub platform: Spanned<String>,
    /// The program that a container of it runs, with its first arguments.
    #[serde(default)]
    pub entrypoint: Vec<String>,
    /// The arguments that a user may replace.
    #[serde(default)]
    pub cmd: Vec<String>,
    /// The environment of the program.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub env: IndexMap<String, String>,
    /// Free text in the image's config.
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
    const OUTPUTS: &'static [OutputInfo] = &[
        REFERENCE,
        DIGEST,
        MEDIA_TYPE,
        SIZE,
        output("tag", "the tag of `to`, where it has one"),
        output("config_digest", "of the image's config"),
    ];
    const CONTENT: &'static [&'static str] =
        &["entrypoint", "cmd", "env", "labels", "user", "workdir", "annotations", "created"];
}

impl Image {
    async fn pack(&self, cx: &StepContext) -> Result<Vec<PackedLayer>, StepError> {
        let (layers, places, modified) = (self.layers.clone(), cx.places.clone(), cx.epoch.unwrap_or(0));
        let packed = tokio::task::spawn_blocking(move || {
            let mut packed = Vec::new();
            for layer in &layers {
                let options = LayerOptions { modified, ..LayerOptions::image(&layer.at) };
                let root = places.source_root(&layer.path);
                for path in pack::expand(root, &layer.path)? {
                    let path = root.join(path);
                    packed.push(if path.is_dir() {
                        pack::pack_directory(&path, &options)?
                    } else {
                        pack::pack_file_layer(&path, &options)?
                    });
                }
            }
            Ok::<_, PackError>(packed)
        });
        let packed = packed.await.map_err(|error| StepError::BrokenOff { message: error.to_string() })?;
        packed.map_err(StepError::pack("pack the layers"))
    }

    fn config(&self, platform: &Platform, diff_ids: Vec<Digest>, epoch: Option<u64>) -> ImageConfig {
        ImageConfig {
            created: created(self.created.as_ref(), epoch),
            architecture: platform.architecture.clone(),
            os: platform.os.clone(),
            variant: platform.variant.clone(),
            config: ContainerConfig {
                user: self.user.clone(),
                env: self.env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
                entrypoint: self.entrypoint.clone(),
                cmd: self.cmd.clone(),
                working_dir: self.workdir.clone(),
                labels: self.labels.clone(),
            },
            rootfs: RootFs { kind: "layers".to_owned(), diff_ids },
        }
    }
}

#[async_trait]
impl Step for Image {
    fn effects(&self, places: &Places) -> Effects {
        let sources =
            self.sources().into_iter().fold(Effects::default(), |effects, path| effects.read(places.read_thing(path)));
        target_effects(sources, &self.to, &[], places)
    }

    fn check(&self, _: &Places) -> Vec<Diagnostic> {
        let platform = self.platform.parse::<Platform>().err();
        let platform = platform.map(|error| Diagnostic::new(error.to_string()).at(self.platform.span));
        let created = check_created(self.created.as_ref());
        platform.into_iter().chain(created).chain(check_target(&self.to)).collect()
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
        self.to.repository.is_registry()
    }

    async fn run(&self, cx: &StepContext) -> Result<Done, StepError> {
        let platform = self.platform.parse::<Platform>();
        let platform = platform.map_err(|error| StepError::BrokenOff { message: error.to_string() })?;
        let packed = self.pack(cx).await?;
        let diff_ids = packed.iter().map(|layer| layer.diff_id.clone()).collect();
        let config = serde_json::to_vec(&self.config(&platform, diff_ids, cx.epoch));
        let config = config.map_err(|error| StepError::BrokenOff { message: error.to_string() })?;
        let descriptor = Descriptor::of(media_type::IMAGE_CONFIG, &config);
        let config_digest = descriptor.digest.to_string();
        let mut manifest = ImageManifest::new(descriptor.clone());
        manifest.annotations = annotations(&self.annotations, self.created.as_ref(), cx.epoch);
        let mut blobs = vec![Layer::bytes(descriptor, config)];
        for layer in packed {
            manifest.layers.push(layer.descriptor.clone());
            blobs.push(Layer::packed(layer.descriptor, layer.content));
        }
        let manifest = Manifest::from_image(manifest)?;
        let publication = Publication { to: &self.to, tags: &[], if_exists: self.if_exists, manifest, blobs };
        let (done, _) = publication.publish(cx).await?;
        Ok(Done { output: done.output.with("config_digest", config_digest), ..done })
    }
}
