use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Access, Declare, Done, EffectInfo, Effects, Guess, Mode, Places, Sort, Step, StepContext, StepError, Thing,
    effect_info::reads,
    kind::{DIGEST, MEDIA_TYPE, OutputInfo, REFERENCE, SIZE, output},
    manifest_list,
    platforms::{CONFIG_LIMIT, check_platform, for_platform, platform},
    reading::{check_repository, check_subject, on_disk, read_effects},
};
use crate::{
    event::Outcome,
    oci::{Descriptor, Manifest, Reference},
    output::Output,
    plan::{Diagnostic, yaml::Spanned},
    store::{self, Inventory, Store},
};

/// Fetches a manifest and hands on what it says, or says which manifests a repository has.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["reference"] }, { "required": ["repository"] }]))]
pub struct Inspect {
    /// The manifest, by tag or digest.
    #[schemars(with = "Option<String>")]
    pub reference: Option<Spanned<Reference>>,
    /// A repository, without a tag: its manifests, instead of one.
    #[schemars(with = "Option<String>")]
    pub repository: Option<Spanned<Reference>>,
    /// Of an index the manifest for this platform, `os/architecture[/variant]`, instead of the index itself.
    #[schemars(with = "Option<String>")]
    pub platform: Option<Spanned<String>>,
    /// What to print; nothing by default.
    #[schemars(with = "Option<InspectPrint>")]
    pub print: Option<Spanned<InspectPrint>>,
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
    /// The manifests of the repository, one line each.
    Table,
    /// The output `manifests`, indented.
    Json,
}

impl InspectPrint {
    const fn word(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Config => "config",
            Self::Descriptor => "descriptor",
            Self::Table => "table",
            Self::Json => "json",
        }
    }

    /// Whether it is about all manifests of a repository.
    const fn is_of_many(self) -> bool {
        matches!(self, Self::Table | Self::Json)
    }
}

impl Declare for Inspect {
    const NAME: &'static str = "inspect";
    const SUMMARY: &'static str =
        "Fetches a manifest and hands on what it says, or says which manifests a repository has.";
    const EXAMPLE: &'static str = "\
reference: localhost:5000/net-monitor:v1
print: manifest
";
    const MORE: &'static [&'static str] = &[
        "\
reference: localhost:5000/net-monitor:v1
platform: linux/arm64
",
        "\
repository: localhost:5000/net-monitor
print: table
",
    ];
    const EFFECTS: &'static [EffectInfo] = &[
        reads(Sort::Tag, "in `reference`, where no digest is"),
        reads(Sort::TagList, "of `repository`"),
        reads(Sort::Graph, "of the repository in `reference`, or of `repository`"),
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
        output(
            "manifests",
            "of a repository, sorted by digest: a list of `digest`, `reference`, `media_type`, `size`, `artifact_type`, \
             `subject`, `platform`, `tags`, `created` and `last_updated`, null where it is not known",
        ),
        output("count", "of the manifests of a repository"),
        output(
            "listing",
            "where `manifests` come from: `own`, from a list that the repository has of them (Azure, image layouts, \
             archives), or `reached`, from its tags and what they lead to: there may be more that nothing leads to",
        ),
    ];
}

impl Inspect {
    async fn inspect_one(&self, cx: &StepContext, reference: &Reference) -> Result<Done, StepError> {
        let store = cx.open(&reference.repository);
        let mut manifest = cx.manifest(reference).await?;
        if let Some(platform) = platform(self.platform.as_ref())? {
            manifest = for_platform(&*store, manifest, reference, &platform).await?;
        }
        if let Some(print) = &self.print {
            cx.progress.print(text(&*store, reference, &manifest, print.value).await?);
        }
        let platforms: Vec<_> =
            manifest.manifests().iter().filter_map(|entry| entry.platform.as_ref().map(ToString::to_string)).collect();
        let whole: Value = serde_json::from_slice(manifest.bytes()).unwrap_or_default();
        let output = Output::of_manifest(&reference.repository, &manifest.descriptor())
            .with("manifest", whole)
            .with("annotations", json!(manifest.annotations()))
            .with("artifact_type", manifest.artifact_type().unwrap_or_default())
            .with("platforms", platforms);
        Ok(Done::new(Outcome::Passed, output))
    }

    async fn inspect_all(&self, cx: &StepContext, repository: &Reference) -> Result<Done, StepError> {
        let store = cx.open(&repository.repository);
        let inventory = Inventory::take(&store).await.map_err(StepError::store("list the manifests of", repository))?;
        let manifests = manifest_list::describe(&repository.repository, &inventory);
        match self.print.as_ref().map(|print| print.value) {
            Some(InspectPrint::Json) => cx.progress.print(format!("{:#}\n", json!(manifests))),
            Some(_) => cx.progress.print(manifest_list::table(&inventory)),
            None => {}
        }
        let output = Output::default()
            .about(repository.to_string())
            .with("count", manifests.len())
            .with("manifests", manifests)
            .with("listing", if inventory.is_own { "own" } else { "reached" });
        Ok(Done::new(Outcome::Passed, output))
    }

    /// What is wrong with the fields beside `repository`.
    fn check_beside_repository(&self) -> Option<Diagnostic> {
        let platform = self.platform.as_ref().map(|platform| {
            let message = "`platform` is of one manifest, and `repository` names all of them";
            Diagnostic::new(message).at(platform.span).label("leave it out, or write `reference`")
        });
        let print = self.print.as_ref().filter(|print| !print.is_of_many()).map(|print| {
            let message = format!("`print: {}` is of one manifest, and `repository` names all of them", print.word());
            Diagnostic::new(message).at(print.span).label("write `table` or `json`")
        });
        platform.or(print)
    }

    fn check_beside_reference(&self) -> Option<Diagnostic> {
        let print = self.print.as_ref().filter(|print| print.is_of_many())?;
        let message = format!("`print: {}` is of the manifests of a `repository`", print.word());
        Some(Diagnostic::new(message).at(print.span).label("write `manifest`, `config` or `descriptor`"))
    }
}

async fn text(
    store: &dyn Store,
    reference: &Reference,
    manifest: &Manifest,
    print: InspectPrint,
) -> Result<String, StepError> {
    let bytes = match print {
        InspectPrint::Config => {
            let config: Option<&Descriptor> = manifest.as_image().map(|image| &image.config);
            let config = config.ok_or_else(|| StepError::WrongManifest {
                reference: reference.to_string(),
                what: format!("of type `{}`", manifest.media_type()),
                wanted: "only an image manifest has a config",
            })?;
            let fail = || StepError::store("fetch the config of", reference);
            let content = store.blob(config).await.map_err(fail())?;
            store::read(config, content, CONFIG_LIMIT).await.map_err(fail())?
        }
        InspectPrint::Descriptor => return Ok(indented(json!(manifest.descriptor()))),
        // The others were refused.
        InspectPrint::Manifest | InspectPrint::Table | InspectPrint::Json => manifest.bytes().clone(),
    };
    Ok(match serde_json::from_slice::<Value>(&bytes) {
        Ok(value) => indented(value),
        Err(_) => format!("{}\n", String::from_utf8_lossy(&bytes)),
    })
}

#[expect(clippy::needless_pass_by_value, reason = "`json!` values are made to be given away")]
fn indented(value: Value) -> String {
    format!("{value:#}\n")
}

#[async_trait]
impl Step for Inspect {
    fn effects(&self, places: &Places) -> Effects {
        let effects = self.reference.iter().fold(Effects::default(), |effects, it| read_effects(effects, it, places));
        self.repository.iter().fold(effects, |effects, repository| {
            let repository = places.repository(&repository.repository);
            let effects = on_disk(effects, Access::Read, &repository);
            effects.read(Thing::tag_list(&repository)).read(Thing::graph(&repository))
        })
    }

    fn lacks(&self, _: Mode) -> &'static [(&'static str, &'static str)] {
        if self.repository.is_some() {
            &[
                ("reference", "say `reference`, or use `manifests`"),
                ("digest", "say `reference`, or use `manifests`"),
                ("media_type", "say `reference`, or use `manifests`"),
                ("size", "say `reference`, or use `manifests`"),
                ("manifest", "say `reference`, or use `manifests`"),
                ("annotations", "say `reference`"),
                ("artifact_type", "say `reference`, or use `manifests`"),
                ("platforms", "say `reference`, or use `manifests`"),
            ]
        } else {
            &[("manifests", "say `repository`"), ("count", "say `repository`"), ("listing", "say `repository`")]
        }
    }

    fn check(&self, _: &Places) -> Vec<Diagnostic> {
        match (&self.reference, &self.repository) {
            (None, None) => vec![Diagnostic::new("`inspect` needs one of `reference` and `repository`")],
            (Some(_), Some(repository)) => {
                let wrong = Diagnostic::new("`inspect` needs one of `reference` and `repository`");
                vec![wrong.at(repository.span).label("leave one of them out")]
            }
            (Some(reference), None) => {
                let platform = check_platform(self.platform.as_ref());
                check_subject(reference).into_iter().chain(platform).chain(self.check_beside_reference()).collect()
            }
            (None, Some(repository)) => {
                check_repository(repository).into_iter().chain(self.check_beside_repository()).collect()
            }
        }
    }

    fn foresee(&self, guess: &Guess<'_>) -> Output {
        let Some(reference) = &self.reference else {
            let named = self.repository.iter().map(|named| manifest_list::guessed(&named.repository, guess));
            let output = guess.output().with("manifests", named.collect::<Value>());
            return output.with("count", u64::from(guess.world)).with("listing", guess.text("listing"));
        };
        guess
            .manifest(&reference.repository)
            .with_any_key("manifest", guess.text("manifest"))
            .with_any_key("annotations", guess.text("annotations"))
            .with("artifact_type", format!("guess/{}", guess.text("artifact_type")))
            .with("platforms", json!([guess.text("platforms")]))
    }

    async fn run(&self, cx: &StepContext) -> Result<Done, StepError> {
        match (&self.reference, &self.repository) {
            (Some(reference), _) => self.inspect_one(cx, reference).await,
            (None, Some(repository)) => self.inspect_all(cx, repository).await,
            // Refused when it was checked.
            (None, None) => Err(StepError::NoTarget { reference: Self::NAME.to_owned() }),
        }
    }
}
