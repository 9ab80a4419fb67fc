use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Declare, Done, EffectInfo, Effects, Guess, Places, Sort, Step, StepContext, StepError,
    effect_info::reads,
    kind::{DIGEST, MEDIA_TYPE, OutputInfo, REFERENCE, SIZE, output},
    platforms::{CONFIG_LIMIT, check_platform, for_platform, platform},
    reading::{check_subject, read_effects},
};
use crate::{
    event::Outcome,
    oci::{Descriptor, Manifest, Reference},
    output::Output,
    plan::{Diagnostic, yaml::Spanned},
    store::{self, Store},
};

/// Fetches a manifest and hands on what it says.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Inspect {
    /// The manifest, by tag or digest.
    #[schemars(with = "String")]
    pub reference: Spanned<Reference>,
    /// Of an index the manifest for this platform, `os/architecture[/variant]`, instead of the index itself.
    #[schemars(with = "Option<String>")]
    pub platform: Option<Spanned<String>>,
    /// What to print; nothing by default.
    pub print: Option<InspectPrint>,
}

/// What `inspect` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InspectPrint {
    /// The manifest, indented.
    Manifest,
    /// The config that it names, indented where it is JSON.
    Config,
    /// Its descriptor, indented.
    Descriptor,
}

impl Declare for Inspect {
    const NAME: &'static str = "inspect";
    const SUMMARY: &'static str = "Fetches a manifest and hands on what it says.";
    const EXAMPLE: &'static str = "\
reference: localhost:5000/net-monitor:v1
print: manifest
";
    const MORE: &'static [&'static str] = &["\
reference: localhost:5000/net-monitor:v1
platform: linux/arm64
"];
    const EFFECTS: &'static [EffectInfo] = &[
        reads(Sort::Tag, "in `reference`, where no digest is"),
        reads(Sort::Graph, "of the repository in `reference`"),
    ];
    const OUTPUTS: &'static [OutputInfo] = &[
        REFERENCE,
        DIGEST,
        MEDIA_TYPE,
        SIZE,
        output("manifest", "the manifest itself"),
        output("annotations", "of the manifest"),
        output("artifact_type", "of the manifest; empty where an index has none"),
        output("platforms", "a list of the platforms that an index has"),
    ];
}

impl Inspect {
    async fn text(&self, store: &dyn Store, manifest: &Manifest, print: InspectPrint) -> Result<String, StepError> {
        let bytes = match print {
            InspectPrint::Manifest => manifest.bytes().clone(),
            InspectPrint::Descriptor => {
                return Ok(indented(json!(manifest.descriptor())));
            }
            InspectPrint::Config => {
                let config: Option<&Descriptor> = manifest.as_image().map(|image| &image.config);
                let config = config.ok_or_else(|| StepError::WrongManifest {
                    reference: self.reference.value.to_string(),
                    what: format!("of type `{}`", manifest.media_type()),
                    wanted: "only an image manifest has a config",
                })?;
                let fail = || StepError::store("fetch the config of", &self.reference.value);
                let content = store.blob(config).await.map_err(fail())?;
                store::read(config, content, CONFIG_LIMIT).await.map_err(fail())?
            }
        };
        Ok(match serde_json::from_slice::<Value>(&bytes) {
            Ok(value) => indented(value),
            Err(_) => format!("{}\n", String::from_utf8_lossy(&bytes)),
        })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "`json!` values are made to be given away")]
fn indented(value: Value) -> String {
    format!("{value:#}\n")
}

#[async_trait]
impl Step for Inspect {
    fn effects(&self, places: &Places) -> Effects {
        read_effects(Effects::default(), &self.reference, places)
    }

    fn check(&self, _: &Places) -> Vec<Diagnostic> {
        check_subject(&self.reference).into_iter().chain(check_platform(self.platform.as_ref())).collect()
    }

    fn foresee(&self, guess: &Guess<'_>) -> Output {
        guess
            .manifest(&self.reference.repository)
            .with_any_key("manifest", guess.text("manifest"))
            .with_any_key("annotations", guess.text("annotations"))
            .with("artifact_type", format!("guess/{}", guess.text("artifact_type")))
            .with("platforms", json!([guess.text("platforms")]))
    }

    async fn run(&self, cx: &StepContext) -> Result<Done, StepError> {
        let store = cx.open(&self.reference.repository);
        let mut manifest = cx.manifest(&self.reference).await?;
        if let Some(platform) = platform(self.platform.as_ref())? {
            manifest = for_platform(&*store, manifest, &self.reference, &platform).await?;
        }
        if let Some(print) = self.print {
            cx.progress.print(self.text(&*store, &manifest, print).await?);
        }
        let platforms: Vec<_> =
            manifest.manifests().iter().filter_map(|entry| entry.platform.as_ref().map(ToString::to_string)).collect();
        let whole: Value = serde_json::from_slice(manifest.bytes()).unwrap_or_default();
        let output = Output::of_manifest(&self.reference.repository, &manifest.descriptor())
            .with("manifest", whole)
            .with("annotations", json!(manifest.annotations()))
            .with("artifact_type", manifest.artifact_type().unwrap_or_default())
            .with("platforms", platforms);
        Ok(Done::new(Outcome::Passed, output))
    }
}
