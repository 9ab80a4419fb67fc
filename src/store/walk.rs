//! Which manifests refer to a manifest, and to those, level by level.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Store, StoreError};
use crate::oci::{Descriptor, Digest};

/// A manifest and all that refers to it. It is a tree: a digest stands in it once, however often it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// Where it begins.
    pub root: Descriptor,
    /// The referrers of each subject that has some, sorted by digest.
    pub nodes: BTreeMap<Digest, Vec<Descriptor>>,
}

impl Graph {
    /// How many manifests are followed from one root.
    pub const LIMIT: usize = 100_000;

    /// The referrers of `subject`, sorted by digest.
    pub fn referrers(&self, subject: &Digest) -> &[Descriptor] {
        self.nodes.get(subject).map_or(&[], Vec::as_slice)
    }

    /// Every referrer of every level, a subject before its referrers, each with its level from 1: the order of a drawn tree.
    pub fn depth_first(&self) -> impl Iterator<Item = (usize, &Descriptor)> {
        let below = |level: usize, subject: &Digest| {
            self.referrers(subject).iter().rev().map(move |referrer| (level, referrer)).collect::<Vec<_>>()
        };
        let mut waiting = below(1, &self.root.digest);
        std::iter::from_fn(move || {
            let (level, next) = waiting.pop()?;
            waiting.extend(below(level + 1, &next.digest));
            Some((level, next))
        })
    }

    /// Every referrer of every level after all of its own referrers: the order in which a graph can be deleted.
    pub fn leaves_first(&self) -> impl Iterator<Item = &Descriptor> {
        // Read backwards, what stands after its subject stands before it.
        let order: Vec<_> = self.depth_first().map(|(_, referrer)| referrer).collect();
        order.into_iter().rev()
    }

    /// The digests of the referrers of every level, without the root.
    pub fn descendants(&self) -> impl Iterator<Item = &Digest> {
        self.nodes.values().flatten().map(|referrer| &referrer.digest)
    }
}

/// The referrers of `root`, their referrers, and so on: `depth` levels, or all of them. It fails beyond [`Graph::LIMIT`].
pub async fn referrers_graph(
    store: &Arc<dyn Store>,
    root: &Descriptor,
    depth: Option<usize>,
) -> Result<Graph, StoreError> {
    let mut walk = Walk::new(Arc::clone(store), root.digest.clone());
    // One level is one question.
    walk.has_asked = depth == Some(1);
    let mut seen = HashSet::from([root.digest.clone()]);
    let mut nodes = BTreeMap::new();
    let mut level = vec![root.digest.clone()];
    let mut depth = depth.unwrap_or(usize::MAX);
    while depth > 0 && !level.is_empty() {
        depth -= 1;
        let mut next = Vec::new();
        for (subject, mut referrers) in walk.ask(level).await? {
            // A registry may list anything: what was seen before would make a circle.
            referrers.retain(|referrer| seen.insert(referrer.digest.clone()));
            next.extend(referrers.iter().map(|referrer| referrer.digest.clone()));
            if !referrers.is_empty() {
                nodes.insert(subject, referrers);
            }
        }
        level = next;
    }
    Ok(Graph { root: root.clone(), nodes })
}

/// Fails where `count` manifests are too many to follow.
pub(super) fn within_limit(root: &Digest, count: usize) -> Result<(), StoreError> {
    if count <= Graph::LIMIT {
        return Ok(());
    }
    Err(StoreError::GraphTooLarge { root: root.clone(), limit: Graph::LIMIT as u64, unit: "manifests" })
}

/// Asks one store for referrers, with as few questions as it takes.
pub(super) struct Walk {
    store: Arc<dyn Store>,
    root: Digest,
    /// How many referrers were listed in all answers.
    listed: usize,
    /// Whether the one question was asked that may spare all the others.
    has_asked: bool,
    /// Its answer.
    subjects: Option<HashSet<Digest>>,
    /// Lists that will be asked for, asked beside the first one.
    ahead: HashMap<Digest, Vec<Descriptor>>,
}

impl Walk {
    /// How many questions are out at a time; a registry's own limit holds besides.
    const CONCURRENCY: usize = 32;

    pub(super) fn new(store: Arc<dyn Store>, root: Digest) -> Self {
        Self { store, root, listed: 0, has_asked: false, subjects: None, ahead: HashMap::new() }
    }

    /// Whether the store has said which manifests have referrers.
    pub(super) const fn knows_subjects(&self) -> bool {
        self.subjects.is_some()
    }

    /// The referrers of each of `level`, in that order. The store is asked once which manifests have any at all: beside
    /// the first question where that is a single one, before it where it would be many. It fails once there are more than
    /// [`Graph::LIMIT`] in all.
    pub(super) async fn ask(&mut self, mut level: Vec<Digest>) -> Result<Vec<(Digest, Vec<Descriptor>)>, StoreError> {
        if level.is_empty() {
            return Ok(Vec::new());
        }
        let is_first = !std::mem::replace(&mut self.has_asked, true);
        let lists = if is_first && level.len() == 1 {
            level.extend(self.attached());
            let (mut lists, subjects) = futures_util::try_join!(self.lists(level), self.store.subjects())?;
            self.subjects = subjects;
            self.ahead = lists.drain(1..).collect();
            lists
        } else {
            if is_first {
                self.subjects = self.store.subjects().await?;
            }
            if let Some(subjects) = &self.subjects {
                level.retain(|digest| subjects.contains(digest));
            }
            let unknown = level.iter().filter(|subject| !self.ahead.contains_key(*subject)).cloned().collect();
            let asked = self.lists(unknown).await?;
            self.ahead.extend(asked);
            let lists = level.into_iter().filter_map(|subject| self.ahead.remove_entry(&subject));
            lists.collect()
        };
        self.listed += lists.iter().map(|(_, referrers)| referrers.len()).sum::<usize>();
        Ok(lists)
    }

    /// What this run has attached below the root and has something attached itself.
    fn attached(&self) -> Vec<Digest> {
        let mut seen = HashSet::from([self.root.clone()]);
        let (mut attached, mut waiting) = (Vec::new(), self.store.attached(&self.root));
        while let Some(digest) = waiting.pop() {
            let below = self.store.attached(&digest);
            if !below.is_empty() && seen.len() < Graph::LIMIT && seen.insert(digest.clone()) {
                waiting.extend(below);
                attached.push(digest);
            }
        }
        attached
    }

    async fn lists(&self, level: Vec<Digest>) -> Result<Vec<(Digest, Vec<Descriptor>)>, StoreError> {
        let store = &self.store;
        let mut answers = stream::iter(level)
            .map(|subject| async move {
                let referrers = store.referrers(&subject).await?;
                Ok::<_, StoreError>((subject, referrers))
            })
            .buffered(Self::CONCURRENCY);
        let (mut lists, mut listed) = (Vec::new(), self.listed);
        while let Some(answer) = answers.try_next().await? {
            listed += answer.1.len();
            within_limit(&self.root, listed)?;
            lists.push(answer);
        }
        Ok(lists)
    }
}
