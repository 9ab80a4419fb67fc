use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::{try_join, try_join_all};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{
    Access, Declare, Done, EffectInfo, Effects, Guess, Overwritten, Places, Sort, Step, StepContext, StepError, Thing,
    delete_select::DeleteSelect,
    effect_info::changes,
    kind::{OutputInfo, output},
    reading::{check_changed, check_writable, on_disk},
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
    /// The manifest, or with `tag_only` the tag; with `select` the repository whose tags are chosen from.
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
    /// Deletes what the chosen tags of a repository name, however many there are; none is fine.
    #[schemars(with = "Option<DeleteSelect>")]
    pub select: Option<Spanned<DeleteSelect>>,
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
        "\
reference: localhost:5000/net-monitor
graph: true
select: { match: [\"v*\", \"!*-lts\"], semver: \"<2\", keep_newest: 3 }
",
    ];
    const EFFECTS: &'static [EffectInfo] = &[
        changes(Sort::Repository, "in `reference`, with all its tags"),
        changes(Sort::Tag, "in `reference`, with `tag_only`"),
        changes(Sort::TagList, "of that repository, with `tag_only`"),
    ];
    const LISTS: bool = true;
    const OUTPUTS: &'static [OutputInfo] = &[output("deleted", "a list of the digests or the tags that are gone now")];
}

/// How many tags are looked at, to find those that name a manifest.
const TAG_LIMIT: usize = 1000;
/// How many requests one step has out at a time.
const REQUESTS: usize = 16;

impl Delete {
    async fn remove_tags(&self, cx: &StepContext, tags: &[Tag]) -> Result<Done, StepError> {
        let store = cx.open(&self.reference.repository);
        let fail = || StepError::store("delete", &self.reference.value);
        let mut deleted = Vec::new();
        for tag in tags {
            if store.untag(tag).await.map_err(fail())? {
                deleted.push(tag.to_string());
            }
            cx.pins.forget(store.repository(), Some(tag));
        }
        store.flush().await.map_err(fail())?;
        Ok(self.done(&deleted))
    }

    fn done(&self, deleted: &[String]) -> Done {
        let outcome = if deleted.is_empty() { Outcome::Unchanged } else { Outcome::Deleted };
        Done::new(outcome, Output::default().about(self.reference.value.to_string()).with("deleted", json!(deleted)))
    }

    /// The tags of the repository that are to go.
    async fn selected(&self, store: &dyn Store, select: &DeleteSelect) -> Result<Vec<Tag>, StepError> {
        let tags = store.tags().await.map_err(StepError::store("list the tags of", &self.reference.value))?;
        Ok(select.choose(&tags))
    }

    /// Deletes what the chosen tags name: nothing of it unless all of it may go.
    async fn run_selected(&self, cx: &StepContext, select: &DeleteSelect) -> Result<Done, StepError> {
        let store = cx.open(&self.reference.repository);
        let chosen = self.selected(&*store, select).await?;
        if chosen.is_empty() || self.tag_only {
            return self.remove_tags(cx, &chosen).await;
        }
        let looks_at_tags = self.graph || !self.all_tags;
        let others = async { if looks_at_tags { self.other_tags(&*store, &chosen).await } else { Ok(Vec::new()) } };
        let (named, others) = try_join(self.resolved(&*store, chosen.clone()), others).await?;
        let mut roots = BTreeMap::new();
        for (tag, root) in &named {
            roots.entry(&root.digest).or_insert((tag, root));
        }
        for (digest, (tag, _)) in &roots {
            self.refuse_other_tags(digest, &others, format!("{}:{tag}", self.reference.value))?;
        }
        let others: Vec<_> = others.iter().filter(|(_, other)| !roots.contains_key(&other.digest)).cloned().collect();
        let graphs = try_join_all(roots.values().map(|(_, root)| self.graph_if_wanted(&store, root))).await?;
        self.remove(cx, &store, &graphs, &others).await
    }

    /// Says no where another tag names that manifest.
    fn refuse_other_tags(
        &self,
        digest: &Digest,
        others: &[(Tag, Descriptor)],
        reference: String,
    ) -> Result<(), StepError> {
        let naming = others.iter().filter(|(_, manifest)| manifest.digest == *digest);
        let tags: Vec<_> = naming.map(|(tag, _)| tag.to_string()).collect();
        if self.all_tags || tags.is_empty() { Ok(()) } else { Err(StepError::OtherTags { reference, tags }) }
    }

    /// Deletes manifests with, where that is wanted, what refers to them and what only they list.
    async fn remove(
        &self,
        cx: &StepContext,
        store: &Arc<dyn Store>,
        graphs: &[Graph],
        others: &[(Tag, Descriptor)],
    ) -> Result<Done, StepError> {
        let mut seen: HashSet<Digest> = graphs.iter().map(|graph| graph.root.digest.clone()).collect();
        let mut children = Vec::new();
        for graph in graphs.iter().filter(|_| self.graph) {
            let own = self.own_children(&**store, &graph.root, others).await?;
            children.extend(own.into_iter().filter(|child| seen.insert(child.digest.clone())));
        }
        let mut deleted = BTreeSet::new();
        let of_children = children.iter().map(|child| self.graph_of(store, child));
        for graph in try_join_all(of_children).await?.iter().chain(graphs) {
            self.delete_referrers(&**store, graph, &mut deleted).await?;
        }
        // An index goes before what it lists: registries refuse to delete what an index still names.
        let fail = || StepError::store("delete", &self.reference.value);
        let roots = graphs.iter().map(|graph| graph.root.digest.clone()).collect();
        delete_all(&**store, roots, &mut deleted).await.map_err(fail())?;
        let children = children.into_iter().map(|child| child.digest).collect();
        delete_all(&**store, children, &mut deleted).await.map_err(fail())?;
        store.flush().await.map_err(fail())?;
        cx.pins.forget(store.repository(), None);
        Ok(self.done(&deleted.iter().map(ToString::to_string).collect::<Vec<_>>()))
    }

    /// The tags with what each points to; one that is gone meanwhile is left out.
    async fn resolved(&self, store: &dyn Store, tags: Vec<Tag>) -> Result<Vec<(Tag, Descriptor)>, StepError> {
        let resolve = tags.into_iter().map(|tag| async move {
            let target = Target::Tag(tag.clone());
            Ok(store.resolve(&target).await?.map(|manifest| (tag, manifest)))
        });
        let resolved = several(REQUESTS, resolve.collect()).await;
        let resolved = resolved.map_err(StepError::store("look at the tags of", &self.reference.value))?;
        Ok(resolved.into_iter().flatten().collect())
    }

    /// The tags but those that were named, each with what it points to.
    async fn other_tags(&self, store: &dyn Store, named: &[Tag]) -> Result<Vec<(Tag, Descriptor)>, StepError> {
        let tags = store.tags().await.map_err(StepError::store("list the tags of", &self.reference.value))?;
        let others: Vec<_> = tags.into_iter().filter(|tag| !tag.is_of_referrers() && !named.contains(tag)).collect();
        if others.len() > TAG_LIMIT {
            return Err(StepError::TooManyTags {
                repository: self.reference.repository.to_string(),
                digest: self.reference.value.to_string(),
                limit: TAG_LIMIT,
            });
        }
        self.resolved(store, others).await
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
                let files = on_disk(Effects::default(), Access::Write, &repository);
                files.write(Thing::tag(&repository, tag)).write(Thing::tag_list(&repository))
            }
            _ => on_disk(Effects::default(), Access::Write, &repository).write(Thing::repository(&repository)),
        }
    }

    fn check(&self, _: &Places) -> Vec<Diagnostic> {
        if let Some(select) = &self.select {
            return self.check_selected(select);
        }
        let mut diagnostics: Vec<_> = check_changed(&self.reference).into_iter().collect();
        if self.tag_only && (self.reference.tag.is_none() || self.reference.digest.is_some()) {
            let diagnostic = Diagnostic::new("`tag_only` needs a reference with a tag and no digest");
            diagnostics.push(diagnostic.at(self.reference.span));
        }
        diagnostics.extend(self.check_tag_only());
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
        if let Some(select) = self.select.as_ref().filter(|_| !overwritten(&Thing::graph(&repository))) {
            let chosen = self.selected(&*cx.open(&self.reference.repository), select).await?;
            return Ok(chosen.first().map(|tag| format!("{}:{tag} is there again", self.reference.value)));
        }
        if self.select.is_some() || overwritten(&Thing::graph(&repository)) || cx.find(&self.reference).await?.is_none()
        {
            return Ok(None);
        }
        Ok(Some(format!("{} is there again", self.reference.value)))
    }

    async fn run(&self, cx: &StepContext) -> Result<Done, StepError> {
        if let Some(select) = &self.select {
            return self.run_selected(cx, select).await;
        }
        if let (Some(tag), true) = (&self.reference.tag, self.tag_only) {
            return self.remove_tags(cx, std::slice::from_ref(tag)).await;
        }
        let store = cx.open(&self.reference.repository);
        let Some(root) = cx.find(&self.reference).await? else { return Ok(self.done(&[])) };
        let looks_at_tags = !self.all_tags || (self.graph && media_type::is_index(&root.media_type));
        let named: Vec<Tag> = self.reference.tag.iter().filter(|_| self.reference.digest.is_none()).cloned().collect();
        let others = async { if looks_at_tags { self.other_tags(&*store, &named).await } else { Ok(Vec::new()) } };
        let (graph, others) = futures_util::try_join!(self.graph_if_wanted(&store, &root), others)?;
        self.refuse_other_tags(&root.digest, &others, self.reference.value.to_string())?;
        let others: Vec<_> = others.into_iter().filter(|(_, manifest)| manifest.digest != root.digest).collect();
        self.remove(cx, &store, &[graph], &others).await
    }
}

impl Delete {
    async fn graph_of(&self, store: &Arc<dyn Store>, manifest: &Descriptor) -> Result<Graph, StepError> {
        let graph = referrers_graph(store, manifest, None).await;
        graph.map_err(StepError::store("discover", &self.reference.value))
    }

    /// What refers to a manifest, where that goes too.
    async fn graph_if_wanted(&self, store: &Arc<dyn Store>, root: &Descriptor) -> Result<Graph, StepError> {
        if self.graph { self.graph_of(store, root).await } else { Ok(Graph { root: root.clone(), nodes: [].into() }) }
    }

    fn check_tag_only(&self) -> Option<Diagnostic> {
        (self.tag_only && (self.graph || self.all_tags)).then(|| {
            let message = "`tag_only` leaves the manifest: it goes with neither `graph` nor `all_tags`";
            Diagnostic::new(message).at(self.reference.span)
        })
    }

    fn check_selected(&self, select: &Spanned<DeleteSelect>) -> Vec<Diagnostic> {
        let named = self.reference.target().map(|target| {
            let diagnostic = Diagnostic::new("with `select`, `reference` is a repository").at(self.reference.span);
            diagnostic.label(format!("leave `{target}` out"))
        });
        let wrong = [check_writable(&self.reference), named, self.check_tag_only()];
        wrong.into_iter().flatten().chain(select.check(select.span)).collect()
    }
}
