use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    CopyReferrers, Declare, Done, EffectInfo, Effects, Globs, Guess, IfExists, Mode, Overwritten, Places, Sort, Step,
    StepContext, StepError, Thing,
    copying::{Copying, Totals},
    effect_info::{adds, changes, reads},
    kind::{DIGEST, MEDIA_TYPE, OutputInfo, REFERENCE, SIZE, output},
    platforms::check_platform,
    publish::{check_target, moves, target_effects},
    reading::{check_subject, read_effects},
    remains,
    signature::Demand,
    tag_selection::{TagSelection, is_of_digest},
};
use crate::{
    oci::{Digest, Reference, Repository, Tag, Target},
    output::Output,
    plan::{Diagnostic, yaml::Spanned},
};

/// Copies a manifest with all that it needs and what refers to it, between any two repositories.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Copy {
    /// The manifest to copy, by tag or digest; with `select`, the repository whose tags are chosen from. An archive with one
    /// image needs neither.
    #[schemars(with = "String")]
    pub from: Spanned<Reference>,
    /// The repository to copy to, and the tag that is to point to the copy. The tag moves last.
    #[schemars(with = "String")]
    pub to: Spanned<Reference>,
    /// Which of its referrers go along: `all` of them, on all levels, by default.
    #[serde(default)]
    pub referrers: CopyReferrers,
    /// Of an index only the manifests for these platforms, `os/architecture[/variant]`. The copy is an index of its own: it
    /// has another digest, and what refers to the whole index stays behind. `verify` asks of the whole one, at the source.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub platforms: Vec<Spanned<String>>,
    /// Takes along the tags that begin with the digest of a copied manifest, such as `sha256-….sig` of cosign.
    #[serde(default)]
    pub digest_tags: bool,
    /// Further tags that are to point to the copy.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub tags: Vec<Tag>,
    /// Which tags of the repository `from` are copied, each to the same tag of the repository `to`.
    #[schemars(with = "Option<CopySelect>")]
    pub select: Option<Spanned<CopySelect>>,
    /// What to do where a tag points elsewhere: `fail` by default.
    #[serde(default)]
    pub if_exists: IfExists,
    /// What must be signed, with the fields of `verify` without `subject`: at the source before anything is written, and at
    /// the target before its tag moves.
    pub verify: Option<Demand>,
}

/// Which tags are copied: those for which everything that is given holds.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CopySelect {
    /// Globs that match a tag; one that begins with `!` takes away what it matches.
    #[serde(rename = "match")]
    #[schemars(with = "Option<Globs>")]
    pub globs: Option<Spanned<Globs>>,
    /// Ranges of versions, such as `>=1.2, <2` or `^1 || ^2`. Tags that are no versions are not copied then.
    #[schemars(with = "Option<String>")]
    pub semver: Option<Spanned<String>>,
    /// Only so many of the highest versions. Without `semver`, of all tags that are versions but pre-releases.
    #[schemars(with = "Option<usize>")]
    pub newest: Option<Spanned<usize>>,
}

impl Declare for Copy {
    const NAME: &'static str = "copy";
    const SUMMARY: &'static str = "Copies a manifest with all that it needs and what refers to it.";
    const EXAMPLE: &'static str = "\
from: localhost:5000/net-monitor:v1
to: localhost:5000/sample-staging/net-monitor:v1
referrers:
  exclude: [{ artifact_type: scan/example }]
";
    const MORE: &'static [&'static str] = &[
        "\
from: localhost:5000/net-monitor
to: localhost:5001/mirror/net-monitor
select: { match: [\"*\", \"!*-debug\"], semver: \">=1.2, <3 || ^4\", newest: 5 }
platforms: [linux/amd64, linux/arm64]
referrers:
  include: [{ artifact_type: \"application/spdx*\" }, { annotations: { public: \"true\" } }]
  depth: 2
digest_tags: true
if_exists: replace
",
        "\
from: localhost:5000/net-monitor:v1
to: oci-archive:out/net-monitor.tar:v1
tags: [latest]
",
        "\
from: docker-archive:saved.tar:v1
to: localhost:5000/net-monitor:v1
",
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
        reads(Sort::Path, "of keys, certificates and policies in `verify`, of a layout or archive in `from`"),
        adds(Sort::Path, "of a layout or archive in `to`"),
        reads(Sort::Tag, "in `from`, where no digest is; with `select` or `digest_tags` all tags of the repository"),
        reads(Sort::TagList, "of the repository in `from`, with `select` or `digest_tags`"),
        reads(Sort::Graph, "of the repositories in `from` and `to`"),
        adds(Sort::Graph, "of the repository in `to`"),
        adds(Sort::TagList, "of that repository, where there is a tag"),
        changes(Sort::Tag, "in `to` and `tags`; with `select` or `digest_tags` all tags of the repository"),
    ];
    const GATE: Option<&'static str> = Some("with `verify`");
    const OUTPUTS: &'static [OutputInfo] = &[
        REFERENCE,
        DIGEST,
        MEDIA_TYPE,
        SIZE,
        output("tags", "a list of the tags that point to what was copied, without those of digests"),
        output("copied", "a list of the digests that were sent"),
        output("mounted", "a list of the digests that the registry took from another of its repositories"),
        output("existing", "a list of the digests that were there"),
    ];
}

impl CopySelect {
    fn selection(&self) -> TagSelection<'_> {
        let newest = self.newest.as_ref().map(|newest| newest.value);
        TagSelection { globs: self.globs.as_ref(), semver: self.semver.as_ref(), newest }
    }
}

impl Copy {
    /// The tags of the source that are copied.
    async fn selected(&self, cx: &StepContext, select: &CopySelect) -> Result<Vec<Tag>, StepError> {
        let source = cx.open(&self.from.repository);
        let mut tags = source.tags().await.map_err(StepError::store("list the tags of", &self.from.value))?;
        tags.retain(|tag| !is_of_digest(tag));
        let all = tags.len();
        let chosen = select.selection().choose(tags);
        if chosen.is_empty() {
            return Err(StepError::NothingSelected { repository: self.from.value.to_string(), all });
        }
        Ok(chosen)
    }

    fn check_select(&self, select: &Spanned<CopySelect>) -> Vec<Diagnostic> {
        let named = |reference: &Spanned<Reference>, whole: &str| {
            let target = reference.target()?;
            let diagnostic = Diagnostic::new(format!("with `select`, `{whole}` is a repository")).at(reference.span);
            Some(diagnostic.label(format!("leave `{target}` out")))
        };
        let more = (!self.tags.is_empty()).then(|| {
            let diagnostic = Diagnostic::new("with `select`, each tag is copied to the same tag").at(self.to.span);
            diagnostic.help("leave `tags` out")
        });
        let is_empty = select.globs.is_none() && select.semver.is_none() && select.newest.is_none();
        let unsaid = is_empty.then(|| {
            let diagnostic = Diagnostic::new("`select` says nothing").at(select.span);
            diagnostic.label("write `{ match: \"*\" }` for all tags")
        });
        let none = select
            .newest
            .as_ref()
            .filter(|newest| newest.value == 0)
            .map(|newest| Diagnostic::new("`newest: 0` selects nothing").at(newest.span).label("write at least 1"));
        let wrong = [named(&self.from, "from"), named(&self.to, "to"), more, unsaid, none];
        wrong.into_iter().flatten().chain(select.selection().check()).collect()
    }

    fn done(&self, totals: &Totals, tags: &[Tag]) -> Done {
        let list = |digests: &[Digest]| json!(digests.iter().map(ToString::to_string).collect::<Vec<_>>());
        let output = match (&totals.manifest, &self.select) {
            (Some(manifest), None) => Output::of_manifest(&self.to.repository, manifest),
            _ => Output::default().about(self.to.repository.to_string()),
        };
        let [copied, mounted, existing] = totals.digests();
        let output = output
            .with("tags", json!(tags.iter().map(Tag::as_str).collect::<Vec<_>>()))
            .with("copied", list(&copied))
            .with("mounted", list(&mounted))
            .with("existing", list(&existing));
        Done::new(totals.outcome.clone(), output)
    }
}

#[async_trait]
impl Step for Copy {
    fn effects(&self, places: &Places) -> Effects {
        // What it hands on tells what the target had: it looks at the target as well.
        let (source, target) = (places.repository(&self.from.repository), places.repository(&self.to.repository));
        let files = self.verify.iter().fold(Effects::default(), |effects, demand| demand.read_files(effects, places));
        let read = read_effects(files, &self.from, places).read(Thing::graph(&target)).telling_blobs();
        let effects = target_effects(read, &self.to, &self.tags, places);
        if self.select.is_none() && !self.digest_tags {
            return effects;
        }
        // Which tags these are is known when the source is asked.
        let effects = effects.read(Thing::tag_list(&source)).read(Thing::tags(&source));
        effects.append(Thing::tag_list(&target)).write(Thing::tags(&target))
    }

    fn check(&self, _: &Places) -> Vec<Diagnostic> {
        let from = if let Some(select) = &self.select {
            self.check_select(select)
        } else {
            let wrong = check_subject(&self.from);
            wrong.map(|wrong| wrong.help("`select` copies several tags of a repository")).into_iter().collect()
        };
        let platforms = self.platforms.iter().filter_map(|platform| check_platform(Some(platform)));
        let mut wrong: Vec<_> =
            from.into_iter().chain(check_target(&self.to)).chain(platforms).chain(self.referrers.check()).collect();
        wrong.extend(self.verify.iter().flat_map(Demand::check));
        if let Some(demand) = self.verify.as_ref().filter(|_| matches!(self.referrers, CopyReferrers::None)) {
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
        moves(&self.to, &self.tags, self.if_exists)
    }

    fn lacks(&self, _: Mode) -> &'static [(&'static str, &'static str)] {
        const ONE: &str = "use `tags`, or say no `select`";
        if self.select.is_none() {
            return &[];
        }
        &[("reference", ONE), ("digest", ONE), ("media_type", ONE), ("size", ONE)]
    }

    fn foresee(&self, guess: &Guess<'_>) -> Output {
        let output = if self.select.is_some() {
            guess.output().with("tags", json!([guess.text("tags")]))
        } else {
            let tags: Vec<_> = self.to.tag.iter().chain(&self.tags).map(Tag::as_str).collect();
            guess.manifest(&self.to.repository).with("tags", json!(tags))
        };
        let output = match self.from.digest.as_ref().filter(|_| self.platforms.is_empty() && self.select.is_none()) {
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

    async fn missing(
        &self,
        cx: &StepContext,
        output: &Output,
        overwritten: Overwritten<'_>,
    ) -> Result<Option<String>, StepError> {
        if self.select.is_none() {
            return remains::missing(self, cx, output, overwritten).await;
        }
        let target = cx.open(&self.to.repository);
        for tag in tags_of(output) {
            let name = Reference::by_tag(self.to.repository.clone(), tag.clone());
            if overwritten(&Thing::tag(target.repository(), &tag)) {
                continue;
            }
            let found = target.resolve(&Target::Tag(tag)).await.map_err(StepError::store("look for", &name))?;
            if found.is_none() {
                return Ok(Some(format!("{name} is not there any more")));
            }
        }
        Ok(None)
    }

    async fn run(&self, cx: &StepContext) -> Result<Done, StepError> {
        let copying = Copying::new(cx, self)?;
        let mut totals = Totals::default();
        let Some(select) = &self.select else {
            let tags: Vec<Tag> = self.to.tag.iter().chain(&self.tags).cloned().collect();
            copying.one(&self.from, None, &tags, &mut totals).await?;
            return Ok(self.done(&totals, &tags));
        };
        let tags = self.selected(cx, select).await?;
        let mut vouched = copying.all_vouched(&tags).await?.into_iter();
        // One after the other: what one brought, the next one finds, and the outputs tell it the same way each time.
        for tag in &tags {
            let from = Reference::by_tag(self.from.repository.clone(), tag.clone());
            copying.one(&from, vouched.next(), std::slice::from_ref(tag), &mut totals).await?;
        }
        Ok(self.done(&totals, &tags))
    }
}

/// The tags that an earlier run handed on.
fn tags_of(output: &Output) -> Vec<Tag> {
    let tags = output.get("tags").and_then(Value::as_array).into_iter().flatten();
    tags.filter_map(|tag| tag.as_str()?.parse().ok()).collect()
}
