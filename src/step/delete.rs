use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{
    Declare, Done, EffectInfo, Effects, Guess, Overwritten, Places, Sort, Step, StepContext, StepError, Thing,
    effect_info::changes,
    kind::{OutputInfo, output},
    reading::check_subject,
    several::several,
};
use crate::{
    event::Outcome,
    oci::{Descriptor, Digest, Reference, Tag, Target, media_type},
    output::Output,
    plan::{Diagnostic, yaml::Spanned},
    store::{Graph, Store, StoreError, referrers_graph},
};

/// Deletes a manifest, by its digest, and so every tag that names it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    /// The manifest, or with `tag_only` the tag.
    #[schemars(with = "String")]
    pub reference: Spanned<Reference>,
    /// Deletes what refers to it too, leaves first; of an index also the manifests that nothing else reaches.
    #[serde(default)]
    pub graph: bool,
    /// Removes the tag alone and leaves the manifest. Not every registry can.
    #[serde(default)]
    pub tag_only: bool,
    /// Deletes the manifest even where other tags name it.
    #[serde(default)]
    pub all_tags: bool,
}

impl Declare for Delete {
    const NAME: &'static str = "delete";
    const SUMMARY: &'static str = "Deletes a manifest, with `graph` what refers to it too.";
    const EXAMPLE: &'static str = "\
reference: localhost:5000/net-monitor:v1
graph: true
";
    const MORE: &'static [&'static str] = &[
        "\
reference: localhost:5000/net-monitor:v1
tag_only: true
",
        "\
reference: localhost:5000/net-monitor:v1
all_tags: true
",
    ];
    const EFFECTS: &'static [EffectInfo] = &[
        changes(Sort::Repository, "in `reference`, with all its tags"),
        changes(Sort::Tag, "in `reference`, with `tag_only`"),
        changes(Sort::TagList, "of that repository, with `tag_only`"),
    ];
    const LISTS: bool = true;
    const OUTPUTS: &'static [OutputInfo] = &[output("deleted", "a list of the digests or the tag that are gone now")];
}

/// How many tags are looked at, to find those that name a manifest.
const TAG_LIMIT: usize = 1000;
/// How many requests one step has out at a time.
const REQUESTS: usize = 16;

impl Delete {
    async fn remove_tag(&self, cx: &StepContext, tag: &Tag) -> Result<Done, StepError> {
        let store = cx.open(&self.reference.repository);
        let was_there = store.untag(tag).await.map_err(StepError::store("delete", &self.reference.value))?;
        cx.pins.forget(store.repository(), Some(tag));
        let (outcome, deleted) =
            if was_there { (Outcome::Deleted, vec![tag.as_str()]) } else { (Outcome::Unchanged, Vec::new()) };
        Ok(Done::new(
            outcome,
            Output::default().about(self.reference.value.to_string()).with("deleted", json!(deleted)),
        ))
    }

    /// The tags but the one that was named, each with what it points to.
    async fn other_tags(&self, store: &dyn Store) -> Result<Vec<(Tag, Descriptor)>, StepError> {
        let tags = store.tags().await.map_err(StepError::store("list the tags of", &self.reference.value))?;
        let named = self.reference.tag.as_ref().filter(|_| self.reference.digest.is_none());
        let others: Vec<_> = tags.into_iter().filter(|tag| !tag.is_of_referrers() && Some(tag) != named).collect();
        if others.len() > TAG_LIMIT {
            return Err(StepError::TooManyTags {
                repository: self.reference.repository.to_string(),
                digest: self.reference.value.to_string(),
                limit: TAG_LIMIT,
            });
        }
        let resolve = others.into_iter().map(|tag| async move {
            let target = Target::Tag(tag.clone());
            Ok(store.resolve(&target).await?.map(|manifest| (tag, manifest)))
        });
        let resolved = several(REQUESTS, resolve.collect()).await;
        let resolved = resolved.map_err(StepError::store("look at the tags of", &self.reference.value))?;
        Ok(resolved.into_iter().flatten().collect())
    }

    /// The manifests that only `root` reaches, where it is an index.
    async fn own_children(
        &self,
        store: &dyn Store,
        root: &Descriptor,
        others: &[(Tag, Descriptor)],
    ) -> Result<Vec<Descriptor>, StepError> {
        if !media_type::is_index(&root.media_type) {
            return Ok(Vec::new());
        }
        let fail = || StepError::store("fetch", &self.reference.value);
        let reached = try_join_all(others.iter().map(|(_, manifest)| reach(store, manifest))).await.map_err(fail())?;
        let reached: HashSet<_> = reached.into_iter().flatten().map(|manifest| manifest.digest).collect();
        let mut children = reach(store, root).await.map_err(fail())?;
        children.retain(|child| child.digest != root.digest && !reached.contains(&child.digest));
        Ok(children)
    }

    /// Deletes the referrers of one graph, the deepest level first. They leave the lists of their subjects before.
    async fn delete_referrers(
        &self,
        store: &dyn Store,
        graph: &Graph,
        deleted: &mut BTreeSet<Digest>,
    ) -> Result<(), StepError> {
        let fail = || StepError::store("delete the referrers of", &self.reference.value);
        let unlist = graph.nodes.iter().map(|(subject, referrers)| {
            let referrers: Vec<_> = referrers.iter().map(|referrer| referrer.digest.clone()).collect();
            async move { store.unlist(subject, &referrers).await }
        });
        several(REQUESTS, unlist.collect()).await.map_err(fail())?;
        let mut levels: BTreeMap<usize, Vec<Digest>> = BTreeMap::new();
        for (level, referrer) in graph.depth_first() {
            levels.entry(level).or_default().push(referrer.digest.clone());
        }
        for level in levels.into_values().rev() {
            delete_all(store, level, deleted).await.map_err(fail())?;
        }
        Ok(())
    }
}

/// A manifest and all manifests that it lists, on all levels.
async fn reach(store: &dyn Store, root: &Descriptor) -> Result<Vec<Descriptor>, StoreError> {
    let mut found = vec![root.clone()];
    let mut seen = HashSet::from([root.digest.clone()]);
    let mut waiting = vec![root.clone()];
    while let Some(next) = waiting.pop() {
        if !media_type::is_index(&next.media_type) {
            continue;
        }
        let Some(index) = store.manifest(&Target::Digest(next.digest)).await? else { continue };
        for child in index.manifests().iter().filter(|child| seen.insert(child.digest.clone())) {
            found.push(child.clone());
            waiting.push(child.clone());
        }
    }
    Ok(found)
}

async fn delete_all(store: &dyn Store, digests: Vec<Digest>, deleted: &mut BTreeSet<Digest>) -> Result<(), StoreError> {
    let requests = digests.into_iter().map(|digest| async move {
        // What is gone already is fine.
        store.delete_manifest(&digest).await.map(|was_there| was_there.then_some(digest))
    });
    let gone = several(REQUESTS, requests.collect()).await?;
    deleted.extend(gone.into_iter().flatten());
    Ok(())
}

#[async_trait]
impl Step for Delete {
    fn effects(&self, places: &Places) -> Effects {
        let repository = places.repository(&self.reference.repository);
        match (&self.reference.tag, self.tag_only) {
            (Some(tag), true) => {
                Effects::default().write(Thing::tag(&repository, tag)).write(Thing::tag_list(&repository))
            }
            _ => Effects::default().write(Thing::repository(&repository)),
        }
    }

    fn check(&self, _: &Places) -> Vec<Diagnostic> {
        let mut diagnostics: Vec<_> = check_subject(&self.reference).into_iter().collect();
        if self.tag_only && (self.reference.tag.is_none() || self.reference.digest.is_some()) {
            let diagnostic = Diagnostic::new("`tag_only` needs a reference with a tag and no digest");
            diagnostics.push(diagnostic.at(self.reference.span));
        }
        if self.tag_only && (self.graph || self.all_tags) {
            let diagnostic =
                Diagnostic::new("`tag_only` leaves the manifest: it goes with neither `graph` nor `all_tags`");
            diagnostics.push(diagnostic.at(self.reference.span));
        }
        diagnostics
    }

    fn deletes(&self) -> Option<&Reference> {
        Some(&self.reference)
    }

    fn foresee(&self, guess: &Guess<'_>) -> Output {
        guess.output().with("deleted", json!([guess.digest("deleted").to_string()]))
    }

    async fn missing(
        &self,
        cx: &StepContext,
        _: &Output,
        overwritten: Overwritten<'_>,
    ) -> Result<Option<String>, StepError> {
        let repository = cx.places.repository(&self.reference.repository);
        if overwritten(&Thing::graph(&repository)) || cx.find(&self.reference).await?.is_none() {
            return Ok(None);
        }
        Ok(Some(format!("{} is there again", self.reference.value)))
    }

    async fn run(&self, cx: &StepContext) -> Result<Done, StepError> {
        if let (Some(tag), true) = (&self.reference.tag, self.tag_only) {
            return self.remove_tag(cx, tag).await;
        }
        let store = cx.open(&self.reference.repository);
        let Some(root) = cx.find(&self.reference).await? else {
            return Ok(Done::new(
                Outcome::Unchanged,
                Output::default().about(self.reference.value.to_string()).with("deleted", json!([])),
            ));
        };
        let looks_at_tags = !self.all_tags || (self.graph && media_type::is_index(&root.media_type));
        let graph = async {
            if !self.graph {
                return Ok(Graph { root: root.clone(), nodes: [].into() });
            }
            self.graph_of(&store, &root).await
        };
        let others = async { if looks_at_tags { self.other_tags(&*store).await } else { Ok(Vec::new()) } };
        let (graph, others) = futures_util::try_join!(graph, others)?;
        let naming: Vec<_> = others.iter().filter(|(_, manifest)| manifest.digest == root.digest).collect();
        if !self.all_tags && !naming.is_empty() {
            return Err(StepError::OtherTags {
                reference: self.reference.value.to_string(),
                tags: naming.into_iter().map(|(tag, _)| tag.to_string()).collect(),
            });
        }
        let others: Vec<_> = others.into_iter().filter(|(_, manifest)| manifest.digest != root.digest).collect();
        let children = if self.graph { self.own_children(&*store, &root, &others).await? } else { Vec::new() };
        let mut deleted = BTreeSet::new();
        let of_children = children.iter().map(|child| self.graph_of(&store, child));
        for graph in try_join_all(of_children).await?.iter().chain([&graph]) {
            self.delete_referrers(&*store, graph, &mut deleted).await?;
        }
        // An index goes before what it lists: registries refuse to delete what an index still names.
        let fail = || StepError::store("delete", &self.reference.value);
        delete_all(&*store, vec![root.digest.clone()], &mut deleted).await.map_err(fail())?;
        let children = children.into_iter().map(|child| child.digest).collect();
        delete_all(&*store, children, &mut deleted).await.map_err(fail())?;
        cx.pins.forget(store.repository(), None);
        let outcome = if deleted.is_empty() { Outcome::Unchanged } else { Outcome::Deleted };
        let deleted: Vec<_> = deleted.iter().map(ToString::to_string).collect();
        Ok(Done::new(
            outcome,
            Output::default().about(self.reference.value.to_string()).with("deleted", json!(deleted)),
        ))
    }
}

impl Delete {
    async fn graph_of(&self, store: &Arc<dyn Store>, manifest: &Descriptor) -> Result<Graph, StepError> {
        let graph = referrers_graph(store, manifest, None).await;
        graph.map_err(StepError::store("discover", &self.reference.value))
    }
}
