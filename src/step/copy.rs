use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot;

use super::{
    Declare, Done, EffectInfo, Effects, Guess, IfExists, Places, Sort, Step, StepContext, StepError, Thing,
    effect_info::{adds, changes, reads},
    kind::{DIGEST, MEDIA_TYPE, OutputInfo, REFERENCE, SIZE, output},
    publish::{check_target, moves, target_effects},
    reading::{check_subject, read_effects},
    signature::Demand,
};
use crate::{
    event::Outcome,
    oci::{Descriptor, Digest, Manifest, Reference, Repository, Tag},
    output::Output,
    plan::{Diagnostic, yaml::Spanned},
    store::{self, Copied, CopyOptions},
};

/// Copies a manifest with all that it needs and what refers to it, between any two repositories.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Copy {
    /// The manifest to copy, by tag or digest.
    #[schemars(with = "String")]
    pub from: Spanned<Reference>,
    /// The repository to copy to, and the tag that is to point to the copy. The tag moves last.
    #[schemars(with = "String")]
    pub to: Spanned<Reference>,
    /// Which of its referrers go along: `all` of them, on all levels, by default.
    #[serde(default)]
    pub referrers: CopyReferrers,
    /// What to do where the tag points elsewhere: `fail` by default.
    #[serde(default)]
    pub if_exists: IfExists,
    /// What must be signed, with the fields of `verify` without `subject`: at the source before anything is written, and at
    /// the target before its tag moves.
    pub verify: Option<Demand>,
}

/// Which referrers go along.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CopyReferrers {
    /// All of them, on all levels, those of an index's manifests too.
    #[default]
    All,
    /// None.
    None,
}

impl Declare for Copy {
    const NAME: &'static str = "copy";
    const SUMMARY: &'static str = "Copies a manifest with all that it needs and what refers to it.";
    const EXAMPLE: &'static str = "\
from: localhost:5000/net-monitor:v1
to: localhost:5000/sample-staging/net-monitor:v1
referrers: all
";
    const MORE: &'static [&'static str] = &[
        "\
from: localhost:5000/net-monitor:v1
to: localhost:5000/stable/net-monitor:v1
if_exists: replace
verify:
  format: notation
  trust_policy: keys/trustpolicy.json
  trust_store: keys/truststore
  annotations: { build: \"123\" }
",
        "\
from: localhost:5000/net-monitor:v1
to: localhost:5000/stable/net-monitor:v1
if_exists: replace
verify:
  format: notation
  certificates: [keys/acme-root.crt]
  signing_authorities: [keys/acme-root.crt]
  identities: [\"x509.subject: C=US, ST=WA, O=acme\"]
  timestamp_certificates: [keys/timestamp-root.crt]
  require: [{ artifact_type: sbom/example }]
",
        "\
from: localhost:5000/net-monitor:v1
to: localhost:5000/stable/net-monitor:v1
if_exists: replace
verify:
  format: cosign
  key: keys/cosign.pub
  require: [{ predicate_type: slsaprovenance1 }]
",
        "\
from: localhost:5000/net-monitor:v1
to: localhost:5000/stable/net-monitor:v1
if_exists: replace
verify:
  format: cosign
  keys: [keys/cosign.pub, keys/older.pub]
",
        "\
from: localhost:5000/net-monitor:v1
to: localhost:5000/stable/net-monitor:v1
if_exists: replace
verify:
  format: cosign
  identity:
    subject: https://github.com/example/app/.github/workflows/release.yml@refs/heads/main
    issuer: https://token.actions.githubusercontent.com
    trusted_root: keys/trusted-root.json
    or: [{ subject: dev@example.com, issuer: https://accounts.google.com }]
",
    ];
    const EFFECTS: &'static [EffectInfo] = &[
        reads(Sort::Path, "of keys, certificates and policies in `verify`"),
        reads(Sort::Tag, "in `from`, where no digest is"),
        reads(Sort::Graph, "of the repositories in `from` and `to`"),
        adds(Sort::Graph, "of the repository in `to`"),
        adds(Sort::TagList, "of that repository, where there is a tag"),
        changes(Sort::Tag, "in `to`"),
    ];
    const GATE: Option<&'static str> = Some("with `verify`");
    const OUTPUTS: &'static [OutputInfo] = &[
        REFERENCE,
        DIGEST,
        MEDIA_TYPE,
        SIZE,
        output("copied", "a list of the digests that were sent"),
        output("mounted", "a list of the digests that the registry took from another of its repositories"),
        output("existing", "a list of the digests that were there"),
    ];
}

/// Where the tag of the target points.
enum At {
    /// Nowhere, or to what may be left behind.
    Free(Option<Descriptor>),
    /// To what is to stay.
    Kept(Descriptor),
}

impl Copy {
    fn done(&self, outcome: Outcome, manifest: &Descriptor, copied: &Copied) -> Done {
        let list = |digests: &[Digest]| json!(digests.iter().map(ToString::to_string).collect::<Vec<_>>());
        let output = Output::of_manifest(&self.to.repository, manifest)
            .with("copied", list(&copied.copied))
            .with("mounted", list(&copied.mounted))
            .with("existing", list(&copied.existing));
        Done::new(outcome, output)
    }

    /// What the tag of the target allows.
    async fn look(&self, cx: &StepContext, root: &Manifest) -> Result<At, StepError> {
        let Some(tag) = &self.to.tag else { return Ok(At::Free(None)) };
        let target = cx.open(&self.to.repository);
        let there = cx.pins.resolve(&*target, tag).await.map_err(StepError::store("look for", &self.to.value))?;
        match (there, self.if_exists) {
            (Some(there), IfExists::Keep) if there.digest != *root.digest() => Ok(At::Kept(there)),
            (Some(there), IfExists::Fail) if there.digest != *root.digest() => Err(StepError::TagElsewhere {
                reference: self.to.value.to_string(),
                there: there.digest.to_string(),
                here: root.digest().to_string(),
            }),
            (there, _) => Ok(At::Free(there)),
        }
    }

    /// Moves nothing, or the tag: whatever is under it is there by now.
    async fn finish(&self, cx: &StepContext, root: &Manifest, there: Option<&Descriptor>) -> Result<bool, StepError> {
        let Some(tag) = self.to.tag.as_ref().filter(|_| there.is_none_or(|there| there.digest != *root.digest()))
        else {
            return Ok(false);
        };
        let target = cx.open(&self.to.repository);
        let moved = target.push_manifest(root, Some(tag)).await;
        moved.map_err(StepError::store("tag", &self.to.value))?;
        cx.pins.set(target.repository(), tag, &root.descriptor()).await;
        Ok(true)
    }
}

#[async_trait]
impl Step for Copy {
    fn effects(&self, places: &Places) -> Effects {
        // What it hands on tells what the target had: it looks at the target as well.
        let target = Thing::graph(&places.repository(&self.to.repository));
        let effects = Effects::default();
        let effects = self.verify.iter().fold(effects, |effects, demand| demand.read_files(effects, places));
        let effects = read_effects(effects, &self.from, places).read(target).telling_blobs();
        target_effects(effects, &self.to, &[], places)
    }

    fn check(&self, _: &Places) -> Vec<Diagnostic> {
        let mut wrong: Vec<_> = check_subject(&self.from).into_iter().chain(check_target(&self.to)).collect();
        wrong.extend(self.verify.iter().flat_map(Demand::check));
        if let Some(demand) = self.verify.as_ref().filter(|_| self.referrers == CopyReferrers::None) {
            let diagnostic = Diagnostic::new("`verify` looks for signatures that `referrers: none` leaves behind");
            wrong.push(diagnostic.at(demand.format.span).help("leave `referrers` out, or verify in a step of its own"));
        }
        wrong
    }

    fn is_gate(&self) -> bool {
        self.verify.is_some()
    }

    fn sources(&self) -> Vec<&Spanned<String>> {
        self.verify.iter().flat_map(Demand::sources).collect()
    }

    fn moves(&self) -> Vec<(&Repository, &Tag, IfExists)> {
        moves(&self.to, &[], self.if_exists)
    }

    fn foresee(&self, guess: &Guess<'_>) -> Output {
        let output = guess.manifest(&self.to.repository);
        let output = match &self.from.digest {
            // A copy has the digest of what it was copied from.
            Some(digest) => {
                let reference = Reference::by_digest(self.to.repository.clone(), digest.clone());
                output.with("digest", digest.to_string()).with("reference", reference.to_string())
            }
            None => output,
        };
        let list = |name| json!([guess.digest(name).to_string()]);
        let output = output.with("copied", list("copied")).with("mounted", list("mounted"));
        output.with("existing", list("existing"))
    }

    async fn run(&self, cx: &StepContext) -> Result<Done, StepError> {
        let (source, target) = (cx.open(&self.from.repository), cx.open(&self.to.repository));
        let root = cx.manifest(&self.from).await?;
        if let Some(demand) = &self.verify {
            demand.ask(cx, &*source, &self.from.repository, &self.from.repository, &root.descriptor()).await?;
        }
        let (tx, rx) = oneshot::channel();
        let look = async {
            let target = self.look(cx, &root).await;
            // Nobody listens where the copy has failed.
            let _ = tx.send(matches!(target, Ok(At::Free(_))));
            target
        };
        let options = CopyOptions { referrers: self.referrers == CopyReferrers::All, concurrency: cx.concurrency };
        let may_write = async { rx.await.unwrap_or(false) };
        let copy = store::copy(&source, &root, &target, &options, &cx.progress, may_write);
        let (found, copied) = tokio::join!(look, copy);
        let there = match found? {
            At::Free(there) => there,
            At::Kept(there) => return Ok(self.done(Outcome::Unchanged, &there, &Copied::nothing(&there))),
        };
        cx.made.arrived(target.repository());
        let copied = copied.map_err(StepError::store("copy to", &self.to.value))?;
        let copied = copied.unwrap_or_else(|| Copied::nothing(&root.descriptor()));
        if let Some(demand) = &self.verify {
            demand.ask(cx, &*target, &self.to.repository, &self.from.repository, &root.descriptor()).await?;
        }
        let moved = self.finish(cx, &root, there.as_ref()).await?;
        let outcome = match (moved, there.is_some()) {
            (false, _) if copied.copied.is_empty() && copied.mounted.is_empty() => Outcome::Unchanged,
            (_, true) => Outcome::Updated,
            (_, false) => Outcome::Created,
        };
        Ok(self.done(outcome, &root.descriptor(), &copied))
    }
}
