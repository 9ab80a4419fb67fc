use std::{collections::BTreeMap, pin::pin};

use async_trait::async_trait;
use futures_util::future::{Either, select};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Declare, Done, EffectInfo, Effects, Guess, Places, Sort, Step, StepContext, StepError,
    artifact::{self, annotations, check_artifact_type, check_created},
    effect_info::{adds, reads},
    file::{self, FileSpec, Layer},
    kind::{DIGEST, MEDIA_TYPE, OutputInfo, REFERENCE, SIZE, output},
    platforms::{check_platform, for_platform, platform},
    publish::push_blobs,
    reading::{append_effects, check_changed},
};
use crate::{
    event::Outcome,
    oci::{Descriptor, Digest, ImageManifest, Manifest, Reference, Target},
    output::Output,
    pack::Compression,
    plan::{Diagnostic, yaml::Spanned},
    store::Store,
};

/// Pushes an artifact that is about another one, its subject.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("anyOf" = [{ "required": ["files"] }, { "required": ["annotations"] }]))]
pub struct Attach {
    /// The manifest that it is about, by tag or digest.
    #[schemars(with = "String")]
    pub subject: Spanned<Reference>,
    /// What it is, as `type/subtype`.
    #[schemars(with = "String")]
    pub artifact_type: Spanned<String>,
    /// Where the subject is an index: it is about its manifest for this platform, `os/architecture[/variant]`.
    #[schemars(with = "Option<String>")]
    pub platform: Option<Spanned<String>>,
    /// What is in it, in order. It may be left out where there are `annotations`.
    #[serde(default)]
    pub files: Vec<FileSpec>,
    /// The manifest's annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// When it was made, RFC 3339: becomes the annotation `org.opencontainers.image.created`.
    #[schemars(with = "Option<String>")]
    pub created: Option<Spanned<String>>,
}

impl Declare for Attach {
    const NAME: &'static str = "attach";
    const SUMMARY: &'static str = "Pushes an artifact that is about another one, its subject.";
    const EXAMPLE: &'static str = "\
subject: localhost:5000/net-monitor:v1
artifact_type: sbom/example
files:
  - { name: sbom.json, media_type: application/json, json: { contents: good } }
";
    const MORE: &'static [&'static str] = &["\
subject: localhost:5000/net-monitor:v1
platform: linux/arm64
artifact_type: application/vnd.example.report
annotations: { result: passed }
created: 2026-01-31T12:00:00Z
files:
  - { path: report, annotations: { tool: scanner } }
  - { name: note.txt, content: looked at by hand }
"];
    const EFFECTS: &'static [EffectInfo] = &[
        reads(Sort::Path, "of `files`"),
        reads(Sort::Tag, "in `subject`, where no digest is"),
        adds(Sort::Graph, "of the repository in `subject`"),
    ];
    const OUTPUTS: &'static [OutputInfo] = &[
        REFERENCE,
        DIGEST,
        MEDIA_TYPE,
        SIZE,
        output("subject_digest", "of the manifest that it is about"),
        output("artifact_type", "what it is"),
    ];
    const CONTENT: &'static [&'static str] = artifact::CONTENT;
}

impl Attach {
    /// Before its turn: pushes the blobs where the subject is this run's, so that nothing can be attached to it yet. What
    /// fails here fails again in its turn, and is told then.
    async fn go_ahead(&self, cx: &StepContext, store: &dyn Store, blobs: &[Layer]) {
        let (digest, tag) = (self.subject.digest.as_ref(), self.subject.tag.as_ref());
        let is_new = pin!(cx.made.wait(store.repository(), digest, tag));
        if let Either::Right(_) = select(pin!(cx.turn.wait()), is_new).await {
            let _ = push_blobs(cx, store, blobs).await;
            cx.turn.wait().await;
        }
    }

    fn manifest(&self, cx: &StepContext, subject: &Descriptor, layers: &[Layer]) -> Result<Manifest, StepError> {
        let mut manifest = ImageManifest::new(Descriptor::empty());
        manifest.artifact_type = Some(self.artifact_type.value.clone());
        manifest.layers = layers.iter().map(|layer| layer.descriptor.clone()).collect();
        if manifest.layers.is_empty() {
            manifest.layers.push(Descriptor::empty());
        }
        manifest.subject = Some(subject.plain());
        manifest.annotations = annotations(&self.annotations, self.created.as_ref(), cx.epoch);
        Ok(Manifest::from_image(manifest)?)
    }

    /// Whether the same artifact is attached already: listed, and there.
    async fn is_attached(&self, store: &dyn Store, subject: &Digest, digest: &Digest) -> Result<bool, StepError> {
        let listed = store.referrers(subject).await.map_err(StepError::store("discover", &self.subject.value))?;
        if !listed.iter().any(|referrer| referrer.digest == *digest) {
            return Ok(false);
        }
        let found = store.resolve(&Target::Digest(digest.clone())).await;
        Ok(found.map_err(StepError::store("look for", digest))?.is_some())
    }
}

#[async_trait]
impl Step for Attach {
    fn effects(&self, places: &Places) -> Effects {
        let sources =
            self.sources().into_iter().fold(Effects::default(), |effects, path| effects.read(places.read_thing(path)));
        append_effects(sources, &self.subject, places)
    }

    fn check(&self, _: &Places) -> Vec<Diagnostic> {
        let nothing = self.files.is_empty() && self.annotations.is_empty();
        let nothing = nothing.then(|| {
            let diagnostic = Diagnostic::new("`attach` needs `files` or `annotations`");
            diagnostic.at(self.artifact_type.span).help("an artifact with neither says nothing")
        });
        let files = self.files.iter().flat_map(FileSpec::check);
        let texts = [check_artifact_type(Some(&self.artifact_type)), check_created(self.created.as_ref())];
        let subject = check_changed(&self.subject).into_iter().chain(check_platform(self.platform.as_ref()));
        files.chain(nothing).chain(subject).chain(texts.into_iter().flatten()).collect()
    }

    fn sources(&self) -> Vec<&Spanned<String>> {
        file::sources(&self.files)
    }

    fn subject(&self) -> Option<(&'static str, &Reference)> {
        Some(("subject", &self.subject))
    }

    fn foresee(&self, guess: &Guess<'_>) -> Output {
        let subject = self.subject.digest.clone().filter(|_| self.platform.is_none());
        let subject = subject.unwrap_or_else(|| guess.digest("subject_digest"));
        guess
            .manifest(&self.subject.repository)
            .with("subject_digest", subject.to_string())
            .with("artifact_type", self.artifact_type.value.as_str())
    }

    fn goes_ahead(&self) -> bool {
        self.subject.repository.is_registry()
    }

    async fn run(&self, cx: &StepContext) -> Result<Done, StepError> {
        let store = cx.open(&self.subject.repository);
        let mut blobs = file::layers_for(cx, &store, &self.files, Compression::Gzip).await?;
        blobs.push(Layer::bytes(Descriptor::empty(), &b"{}"[..]));
        self.go_ahead(cx, &*store, &blobs).await;
        let subject = match platform(self.platform.as_ref())? {
            Some(platform) => {
                let manifest = cx.manifest(&self.subject).await?;
                for_platform(&*store, manifest, &self.subject, &platform).await?.descriptor()
            }
            None => cx.resolve(&self.subject).await?,
        };
        let manifest = self.manifest(cx, &subject, blobs.split_last().map_or(&[], |(_, layers)| layers))?;
        // Nothing of this plan can be attached to what this run brought, unless it was attached by this run.
        let is_new = cx.made.contains(store.repository(), &subject.digest);
        let outcome = if !is_new && self.is_attached(&*store, &subject.digest, manifest.digest()).await? {
            let made = cx.made.contains(store.repository(), manifest.digest());
            if made { Outcome::Created } else { Outcome::Unchanged }
        } else {
            cx.made.add(store.repository(), manifest.digest());
            push_blobs(cx, &*store, &blobs).await?;
            let attached = store.attach(&manifest).await;
            attached.map_err(StepError::store("attach to", &self.subject.value))?;
            Outcome::Created
        };
        let output = Output::of_manifest(&self.subject.repository, &manifest.descriptor());
        let output = output
            .with("subject_digest", subject.digest.to_string())
            .with("artifact_type", self.artifact_type.value.as_str());
        Ok(Done::new(outcome, output))
    }
}
