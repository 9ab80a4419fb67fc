use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write,
};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Declare, Done, EffectInfo, Effects, Expect, Guess, Mode, Places, Sort, Step, StepContext, StepError,
    effect_info::reads,
    kind::{OutputInfo, output},
    reading::{check_subject, read_effects},
};
use crate::{
    event::Outcome,
    oci::{Descriptor, Digest, Reference, media_type},
    output::Output,
    plan::{Diagnostic, yaml::Spanned},
    store::{Graph, referrers_graph},
    table,
    text::count,
    tree::{self, Tree},
};

/// Lists what refers to a manifest, on all levels.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Discover {
    /// The manifest that is referred to, by tag or digest.
    #[schemars(with = "String")]
    pub subject: Spanned<Reference>,
    /// Only referrers of this artifact type. It selects; what is below others is still looked at.
    pub artifact_type: Option<String>,
    /// Only referrers with all of these annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// How many levels are looked at; all of them by default.
    pub depth: Option<usize>,
    /// How many must have been selected; otherwise the step says no, and what follows does not run.
    pub expect: Option<Expect>,
    /// What to print; nothing by default.
    pub print: Option<DiscoverPrint>,
}

/// What `discover` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DiscoverPrint {
    /// A tree of artifact types and digests.
    Tree,
    /// The output `referrers`, indented.
    Json,
    /// One line a referrer.
    Table,
}

impl Declare for Discover {
    const NAME: &'static str = "discover";
    const SUMMARY: &'static str = "Lists what refers to a manifest, on all levels.";
    const EXAMPLE: &'static str = "\
subject: localhost:5000/net-monitor:v1
artifact_type: sbom/example
expect: one
print: tree
";
    const MORE: &'static [&'static str] = &["\
subject: localhost:5000/net-monitor:v1
annotations: { result: passed }
depth: 1
"];
    const EFFECTS: &'static [EffectInfo] =
        &[reads(Sort::Tag, "in `subject`, where no digest is"), reads(Sort::Graph, "of the repository in `subject`")];
    const GATE: Option<&'static str> = Some("with `expect`");
    const LISTS: bool = true;
    const OUTPUTS: &'static [OutputInfo] = &[
        output(
            "referrers",
            "a list of `digest`, `reference`, `media_type`, `size`, `artifact_type`, `annotations` and `subject`, sorted by digest",
        ),
        output("count", "how many were selected"),
        output("subject_digest", "of the manifest that is referred to"),
        output("graph", "one digest over the whole graph, whatever was selected"),
        output("digest", "of the one referrer, with `expect: one`"),
        output("reference", "of the one referrer, with `expect: one`"),
    ];
}

impl Discover {
    fn selects(&self, referrer: &Descriptor) -> bool {
        let has = |(key, value): (&String, &String)| referrer.annotations.get(key) == Some(value);
        self.artifact_type.as_ref().is_none_or(|wanted| referrer.artifact_type.as_ref() == Some(wanted))
            && self.annotations.iter().all(has)
    }

    /// A referrer as the output has it.
    fn describe(&self, subject: &Digest, referrer: &Descriptor) -> Value {
        let reference = Reference::by_digest(self.subject.repository.clone(), referrer.digest.clone());
        json!({
            "digest": referrer.digest.to_string(),
            "reference": reference.to_string(),
            "media_type": referrer.media_type,
            "size": referrer.size,
            "artifact_type": referrer.artifact_type,
            "annotations": referrer.annotations,
            "subject": subject.to_string(),
        })
    }

    /// What `expect` says no to, with what was found.
    fn refusal(&self, expect: Expect, selected: &[&Descriptor], graph: &Graph) -> StepError {
        let what = match &self.artifact_type {
            Some(artifact_type) => format!("{} of type `{artifact_type}`", count(selected.len(), "referrer")),
            None => count(selected.len(), "referrer"),
        };
        let message = format!("{} has {what}, expected: {expect}", self.subject.value);
        let shown = |referrer: &Descriptor| {
            format!("found: {} {}", referrer.artifact_type.as_deref().unwrap_or("<unknown>"), referrer.digest)
        };
        let mut found: Vec<_> = graph.depth_first().map(|(_, referrer)| shown(referrer)).collect();
        if found.is_empty() {
            found.push("found: no referrers at all".to_owned());
        } else if found.len() > SHOWN {
            let more = found.len() - SHOWN;
            found.truncate(SHOWN);
            found.push(format!("and {more} more"));
        }
        StepError::Refused { message, found }
    }

    fn text(&self, print: DiscoverPrint, graph: &Graph, referrers: &[Value], selected: &HashSet<&Digest>) -> String {
        match print {
            DiscoverPrint::Json => format!("{:#}\n", Value::Array(referrers.to_vec())),
            DiscoverPrint::Table => {
                let rows: Vec<_> = graph
                    .depth_first()
                    .filter(|(_, referrer)| selected.contains(&referrer.digest))
                    .map(|(level, referrer)| {
                        let artifact_type = referrer.artifact_type.clone().unwrap_or_default();
                        vec![referrer.digest.to_string(), artifact_type, level.to_string(), referrer.size.to_string()]
                    })
                    .collect();
                table::draw(&["DIGEST", "ARTIFACT TYPE", "LEVEL", "SIZE"], &rows)
            }
            DiscoverPrint::Tree => {
                let nodes = leading_to(graph, selected);
                tree::draw(&Tree::of_referrers(self.subject.value.to_string(), &nodes, &graph.root.digest))
            }
        }
    }
}

/// How many referrers a refusal lists.
const SHOWN: usize = 20;

/// The part of a graph that leads to what was selected.
fn leading_to(graph: &Graph, selected: &HashSet<&Digest>) -> BTreeMap<Digest, Vec<Descriptor>> {
    let mut leading: HashSet<&Digest> = selected.clone();
    let mut nodes: BTreeMap<Digest, Vec<Descriptor>> = BTreeMap::new();
    let subjects: BTreeMap<&Digest, &Digest> = graph
        .nodes
        .iter()
        .flat_map(|(subject, referrers)| referrers.iter().map(move |referrer| (&referrer.digest, subject)))
        .collect();
    for referrer in graph.leaves_first() {
        if leading.contains(&referrer.digest)
            && let Some(subject) = subjects.get(&referrer.digest)
        {
            leading.insert(*subject);
            nodes.entry((*subject).clone()).or_default().push(referrer.clone());
        }
    }
    nodes
}

/// One digest over a graph: of its edges, sorted, one a line.
fn graph_digest(graph: &Graph) -> Digest {
    let mut text = format!("{}\n", graph.root.digest);
    for (subject, referrers) in &graph.nodes {
        for referrer in referrers {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{subject} {}", referrer.digest);
        }
    }
    Digest::sha256(text.as_bytes())
}

#[async_trait]
impl Step for Discover {
    fn effects(&self, places: &Places) -> Effects {
        read_effects(Effects::default(), &self.subject, places)
    }

    fn is_gate(&self) -> bool {
        self.expect.is_some()
    }

    fn lacks(&self, _: Mode) -> &'static [(&'static str, &'static str)] {
        match self.expect {
            Some(Expect::One) => &[],
            _ => &[("digest", "say `expect: one`"), ("reference", "say `expect: one`")],
        }
    }

    fn check(&self, _: &Places) -> Vec<Diagnostic> {
        check_subject(&self.subject).into_iter().collect()
    }

    fn foresee(&self, guess: &Guess<'_>) -> Output {
        let digest = guess.digest("digest");
        let reference = Reference::by_digest(self.subject.repository.clone(), digest.clone());
        let subject = self.subject.digest.clone().unwrap_or_else(|| guess.digest("subject_digest"));
        let referrer = Descriptor {
            artifact_type: Some(format!("guess/{}", guess.text("artifact_type"))),
            ..Descriptor::new(media_type::IMAGE_MANIFEST, guess.digest("referrers"), u64::from(guess.world))
        };
        let output = guess
            .output()
            .with("referrers", json!([self.describe(&subject, &referrer)]))
            .with("count", u64::from(guess.world))
            .with("subject_digest", subject.to_string())
            .with("graph", guess.digest("graph").to_string());
        match self.expect {
            Some(Expect::One) => output.with("digest", digest.to_string()).with("reference", reference.to_string()),
            _ => output,
        }
    }

    async fn run(&self, cx: &StepContext) -> Result<Done, StepError> {
        let store = cx.open(&self.subject.repository);
        let subject = cx.resolve(&self.subject).await?;
        let graph = referrers_graph(&store, &subject, self.depth).await;
        let graph = graph.map_err(StepError::store("discover", &self.subject.value))?;
        let mut selected: Vec<(&Digest, &Descriptor)> = graph
            .nodes
            .iter()
            .flat_map(|(subject, referrers)| referrers.iter().map(move |referrer| (subject, referrer)))
            .filter(|(_, referrer)| self.selects(referrer))
            .collect();
        selected.sort_by(|(_, one), (_, two)| one.digest.cmp(&two.digest));
        let referrers: Vec<Value> =
            selected.iter().map(|(subject, referrer)| self.describe(subject, referrer)).collect();
        if let Some(print) = self.print {
            let digests = selected.iter().map(|(_, referrer)| &referrer.digest).collect();
            cx.progress.print(self.text(print, &graph, &referrers, &digests));
        }
        let found: Vec<_> = selected.iter().map(|(_, referrer)| *referrer).collect();
        if let Some(expect) = self.expect.filter(|expect| !expect.holds(found.len())) {
            return Err(self.refusal(expect, &found, &graph));
        }
        let output = Output::default()
            .with("count", found.len())
            .with("referrers", referrers)
            .with("subject_digest", subject.digest.to_string())
            .with("graph", graph_digest(&graph).to_string());
        let output = match (self.expect, found.first()) {
            (Some(Expect::One), Some(only)) => {
                let reference = Reference::by_digest(self.subject.repository.clone(), only.digest.clone());
                output.with("digest", only.digest.to_string()).with("reference", reference.to_string())
            }
            _ => output,
        };
        Ok(Done::new(Outcome::Passed, output))
    }
}
