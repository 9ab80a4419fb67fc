//! What copies cost: how many requests, counted by two registries without the referrers API.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{
    Credentials,
    testing::{Server, Shelf, registries},
};
use crate::{
    event::{Progress, StepId},
    oci::{Descriptor, Digest, ImageManifest, Index, Manifest, Tag},
    store::{Copied, CopyOptions, Patience, RetryPolicy, RunPatience, Standing, Store, copy},
};

/// What is copied: manifests and blobs, and lists of referrers as the tag schema has them.
#[derive(Default)]
struct Graph {
    manifests: Vec<Manifest>,
    blobs: Vec<Vec<u8>>,
    lists: Vec<(Digest, Manifest)>,
}

impl Graph {
    /// An image with so many reports about it, each signed.
    fn of(reports: usize) -> Self {
        let mut graph = Self { blobs: vec![b"{}".to_vec()], ..Self::default() };
        let image = graph.add("image", None);
        let reports: Vec<_> = (0..reports).map(|number| graph.add(&format!("report {number}"), Some(&image))).collect();
        graph.list(&image, &reports);
        for report in &reports {
            let signature = graph.add(&format!("signature of {}", report.digest()), Some(report));
            graph.list(report, &[signature]);
        }
        graph
    }

    fn add(&mut self, text: &str, subject: Option<&Manifest>) -> Manifest {
        let config = Descriptor { data: None, ..Descriptor::empty() };
        let image = ImageManifest {
            artifact_type: Some("test/example".to_owned()),
            layers: vec![Descriptor::of("text/plain", text.as_bytes())],
            subject: subject.map(Manifest::descriptor),
            ..ImageManifest::new(config)
        };
        self.blobs.push(text.as_bytes().to_vec());
        let manifest = Manifest::from_image(image).unwrap();
        self.manifests.push(manifest.clone());
        manifest
    }

    fn list(&mut self, subject: &Manifest, referrers: &[Manifest]) {
        let entries = referrers.iter().map(Manifest::referrer_descriptor).collect();
        self.lists.push((subject.digest().clone(), Manifest::from_index(Index::new(entries)).unwrap()));
    }

    fn root(&self) -> &Manifest {
        &self.manifests[0]
    }

    fn fill(&self, shelves: &mut Shelf) {
        let name = || "a".to_owned();
        for blob in &self.blobs {
            shelves.blobs.insert((name(), Digest::sha256(blob)), blob.clone().into());
        }
        for manifest in self.manifests.iter().chain(self.lists.iter().map(|(_, list)| list)) {
            let content = (manifest.media_type().to_owned(), manifest.bytes().clone());
            shelves.manifests.insert((name(), manifest.digest().clone()), content);
        }
        for (subject, list) in &self.lists {
            shelves.tags.insert((name(), Tag::of_referrers(subject).to_string()), list.digest().clone());
        }
    }
}

/// Copies the graph in a run of its own, tags it, and ends the run.
async fn copied(graph: &Graph, source: &Server, target: &Server, standing: Standing) -> Copied {
    let run = registries(Credentials::none());
    let open = |server: &Server| -> Arc<dyn Store> { run.repository(&server.name, &"a".parse().unwrap()) };
    let (from, to) = (open(source), open(target));
    let (tx, _rx) = mpsc::unbounded_channel();
    let options = CopyOptions { leaves_root: true, ..CopyOptions::default() };
    let progress = Progress::new(StepId::new(0, "copy"), tx);
    let copied = copy(&from, graph.root(), &to, &options, &progress, standing).await.unwrap();
    if standing != Standing::Settled {
        to.push_manifest(graph.root(), Some(&"v1".parse().unwrap())).await.unwrap();
    }
    to.settle().await.unwrap();
    copied
}

/// How many requests of each sort there were since this was last asked. What tells which lists there are may be asked
/// again after a while.
fn counted(server: &Server) -> String {
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for line in server.log() {
        let (method, path) = line.split_once(' ').unwrap();
        let sort = ["/manifests/sha256-", "/manifests/", "/blobs/", "/tags/", "/referrers/"];
        let sort = sort.into_iter().find(|sort| path.contains(sort)).unwrap();
        let sort = if sort == "/manifests/sha256-" { "list" } else { sort.trim_matches('/') };
        *counts.entry(format!("{method} {sort}")).or_default() += 1;
    }
    counts.remove("GET tags").unwrap();
    counts.into_iter().map(|(sort, count)| format!("{count} {sort}")).collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn a_graph_takes_what_it_must_and_again_one_question_for_each_manifest() {
    let (source, target) = (Server::start().await, Server::start().await);
    let graph = Graph::of(6);
    source.shelf(|shelf| graph.fill(shelf));
    let first = copied(&graph, &source, &target, Standing::Absent).await;
    assert_eq!((first.copied.len(), first.existing.len(), first.referrers), (13 + 14, 0, 12));
    assert_eq!(counted(&source), "14 GET blobs, 7 GET list, 12 GET manifests, 1 GET referrers");
    // Two for each blob, and the root once more for its tag.
    assert_eq!(counted(&target), "7 HEAD list, 14 POST blobs, 14 PUT blobs, 7 PUT list, 14 PUT manifests");
    let again = copied(&graph, &source, &target, Standing::Settled).await;
    assert_eq!((again.copied.len(), again.existing.len(), again.referrers), (0, 13 + 14, 12));
    assert_eq!(counted(&source), "7 GET list, 1 GET referrers");
    assert_eq!(counted(&target), "7 GET list, 12 GET manifests, 1 GET referrers");
}

#[tokio::test]
async fn what_the_target_lists_and_lacks_comes_from_the_source() {
    let (source, target) = (Server::start().await, Server::start().await);
    let graph = Graph::of(6);
    source.shelf(|shelf| graph.fill(shelf));
    copied(&graph, &source, &target, Standing::Absent).await;
    let gone = graph.manifests[3].digest();
    target.shelf(|shelf| shelf.manifests.remove(&("a".to_owned(), gone.clone())));
    counted(&source);
    let again = copied(&graph, &source, &target, Standing::Settled).await;
    assert_eq!(again.copied.iter().filter(|digest| *digest == gone).count(), 1);
    assert_eq!(counted(&source), "2 GET blobs, 7 GET list, 1 GET manifests, 1 GET referrers");
    assert!(target.shelf(|shelf| shelf.manifests.contains_key(&("a".to_owned(), gone.clone()))));
}

#[tokio::test]
async fn a_root_alone_goes_with_its_tag() {
    let (source, target) = (Server::start().await, Server::start().await);
    let graph = Graph::of(0);
    source.shelf(|shelf| graph.fill(shelf));
    let policy = RetryPolicy::default();
    let patience = Patience::new(policy, &RunPatience::new(policy), None);
    let done = Arc::clone(&patience).scope(copied(&graph, &source, &target, Standing::Absent)).await;
    assert_eq!(done.copied.len(), 3);
    assert_eq!(target.log().iter().filter(|line| line.contains("/manifests/")).count(), 1);
    // Blobs are read while their sessions are opened: one round trip for both, one to send them, one for the tag.
    assert_eq!(patience.trips().count(), 3);
}

#[tokio::test]
async fn a_referrer_goes_before_what_was_found_after_its_subject() {
    const REPORTS: usize = 40;
    let (source, target) = (Server::start().await, Server::start().await);
    let graph = Graph::of(REPORTS);
    source.shelf(|shelf| graph.fill(shelf));
    copied(&graph, &source, &target, Standing::Absent).await;
    let received = target.received();
    let number = |path: &str| graph.manifests.iter().position(|it| path.ends_with(&format!("/{}", it.digest())));
    let pushed: Vec<_> =
        received.iter().filter(|it| it.method == "PUT").filter_map(|it| number(it.path.as_str())).collect();
    // The image is the first of all, then come the reports, then the signatures.
    let signature = pushed.iter().position(|number| *number > REPORTS).unwrap();
    let report = pushed.iter().rposition(|number| (1..=REPORTS).contains(number)).unwrap();
    assert!(signature + 5 < report, "{pushed:?}");
}
