use std::sync::{Arc, Mutex};

use futures_util::future::try_join_all;

use super::{
    super::{
        Registries, RegistryOptions,
        testing::{Received, Reply, Server, Shelf},
    },
    *,
};
use crate::{
    oci::{ImageManifest, media_type},
    store::Store,
};

fn subject() -> Descriptor {
    Descriptor::of(media_type::IMAGE_MANIFEST, b"subject")
}

fn referrer(name: &str) -> Manifest {
    Manifest::from_image(ImageManifest {
        artifact_type: Some("sbom/example".to_owned()),
        subject: Some(subject()),
        annotations: [("name".to_owned(), name.to_owned())].into(),
        ..ImageManifest::new(Descriptor::empty())
    })
    .unwrap()
}

/// The names of the referrers that another run finds.
async fn names(server: &Server) -> Vec<String> {
    let referrers = server.store("a").referrers(&subject().digest).await.unwrap();
    let mut names: Vec<_> = referrers
        .into_iter()
        .map(|entry| {
            assert_eq!(entry.artifact_type.as_deref(), Some("sbom/example"));
            entry.annotations["name"].clone()
        })
        .collect();
    names.sort();
    names
}

fn is_put_of_list(received: &Received) -> bool {
    received.method == "PUT" && received.path.contains("/manifests/sha256-")
}

/// Puts `list` where the list is, as another process does that knows nothing of ours.
fn overwrite(shelf: &mut Shelf, list: &Manifest) {
    let tag = Tag::of_referrers(&subject().digest).to_string();
    let content = (list.media_type().to_owned(), list.bytes().clone());
    shelf.manifests.insert(("a".to_owned(), list.digest().clone()), content);
    shelf.tags.insert(("a".to_owned(), tag), list.digest().clone());
}

#[tokio::test]
async fn an_attach_lists_the_referrer_and_a_second_one_changes_nothing() {
    let server = Server::start().await;
    let store = server.store("a");
    let referrer = referrer("one");
    store.attach(&referrer).await.unwrap();
    let put = format!("PUT /v2/a/manifests/sha256:{}", &referrer.digest().hex()[..4]);
    let list = format!("/v2/a/manifests/sha256-{}", &subject().digest.hex()[..4]);
    assert_eq!(server.log(), [put.clone(), format!("GET {list}"), format!("PUT {list}")]);
    store.settle().await.unwrap();
    assert_eq!(server.log(), [format!("HEAD {list}")]);
    server.store("a").attach(&referrer).await.unwrap();
    assert_eq!(server.log(), [put, format!("GET {list}")]);
    assert_eq!(names(&server).await, ["one"]);
}

#[tokio::test]
async fn attaches_beside_each_other_share_their_updates() {
    let server = Server::start().await;
    let store = server.store("a");
    let referrers: Vec<_> = (0..64).map(|name| referrer(&format!("{name:02}"))).collect();
    try_join_all(referrers.iter().map(|referrer| store.attach(referrer))).await.unwrap();
    let updates = server.received().iter().filter(|received| is_put_of_list(received)).count();
    assert!(updates < 16, "{updates}");
    assert_eq!(names(&server).await, (0..64).map(|name| format!("{name:02}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_another_writes_over_is_written_again_at_once_or_at_the_end() {
    for is_late in [false, true] {
        let foreign = referrer("foreign");
        let list = Manifest::from_index(Index::new(vec![foreign.referrer_descriptor()])).unwrap();
        let theirs = list.clone();
        let mut is_done = false;
        let server = Server::with(move |received, shelf| {
            if is_late || is_done || !is_put_of_list(received) {
                return None;
            }
            is_done = true;
            let reply = shelf.answer(received);
            overwrite(shelf, &theirs);
            Some(reply)
        })
        .await;
        let store = server.store("a");
        let mine = referrer("mine");
        store.attach(&mine).await.unwrap();
        if is_late {
            server.shelf(|shelf| overwrite(shelf, &list));
        }
        server.log();
        store.settle().await.unwrap();
        assert!(server.log().len() >= 2, "a list that others write is looked at twice");
        assert_eq!(names(&server).await, ["foreign", "mine"]);
    }
}

#[tokio::test]
async fn what_was_written_over_comes_back_with_the_next_attach() {
    let server = Server::start().await;
    let store = server.store("a");
    store.attach(&referrer("one")).await.unwrap();
    let list = Manifest::from_index(Index::new(vec![referrer("foreign").referrer_descriptor()])).unwrap();
    server.shelf(|shelf| overwrite(shelf, &list));
    store.attach(&referrer("two")).await.unwrap();
    assert_eq!(names(&server).await, ["foreign", "one", "two"]);
    // What another process has deleted is not brought back.
    server.shelf(|shelf| shelf.manifests.remove(&("a".to_owned(), referrer("one").digest().clone())));
    server.shelf(|shelf| overwrite(shelf, &list));
    store.settle().await.unwrap();
    assert_eq!(names(&server).await, ["foreign", "two"]);
}

#[tokio::test]
async fn two_processes_lose_nothing() {
    let server = Server::start().await;
    let attach = async |side: &'static str| {
        let registries = Registries::new(RegistryOptions::default())?;
        let store = registries.repository(&server.name, &"a".parse().unwrap());
        let referrers: Vec<_> = (0..32).map(|name| referrer(&format!("{side}{name:02}"))).collect();
        for some in referrers.chunks(8) {
            try_join_all(some.iter().map(|referrer| store.attach(referrer))).await?;
        }
        store.settle().await
    };
    tokio::try_join!(attach("a"), attach("b")).unwrap();
    assert_eq!(names(&server).await.len(), 64);
}

#[tokio::test]
async fn what_was_written_over_is_found_by_whoever_lists_it_in_the_same_run() {
    let list = Manifest::from_index(Index::new(vec![referrer("foreign").referrer_descriptor()])).unwrap();
    let server = Server::start().await;
    let store = server.store("a");
    store.attach(&referrer("mine")).await.unwrap();
    server.shelf(|shelf| overwrite(shelf, &list));
    assert_eq!(store.referrers(&subject().digest).await.unwrap().len(), 2);
    assert_eq!(names(&server).await, ["foreign", "mine"]);
}

#[tokio::test]
async fn entries_of_other_tools_keep_their_members_and_their_place() {
    let server = Server::start().await;
    let theirs = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{}","size":1,"artifactType":"sbom/example","annotations":{{"name":"theirs"}},"future":{{"x":[1]}}}}]}}"#,
        media_type::IMAGE_INDEX,
        media_type::IMAGE_MANIFEST,
        Digest::sha256(b"theirs")
    );
    let list = Manifest::parse(media_type::IMAGE_INDEX, theirs.into()).unwrap();
    server.shelf(|shelf| overwrite(shelf, &list));
    server.store("a").attach(&referrer("mine")).await.unwrap();
    let written = server.shelf(|shelf| {
        let tag = Tag::of_referrers(&subject().digest).to_string();
        let digest = shelf.tags[&("a".to_owned(), tag)].clone();
        String::from_utf8(shelf.manifests[&("a".to_owned(), digest)].1.to_vec()).unwrap()
    });
    let (theirs, mine) = (written.find(r#""future":{"x":[1]}"#).unwrap(), written.find("mine").unwrap());
    assert!(theirs < mine, "{written}");
}

#[tokio::test]
async fn a_list_shrinks_and_goes_with_its_last_entry() {
    let server = Server::start().await;
    let store = server.store("a");
    let (one, two) = (referrer("one"), referrer("two"));
    for manifest in [&one, &two] {
        store.attach(manifest).await.unwrap();
    }
    let subject = subject().digest;
    assert_eq!(store.subjects().await.unwrap(), Some([subject.clone()].into()));
    store.delete_manifest(one.digest()).await.unwrap();
    store.unlist(&subject, &[one.digest().clone()]).await.unwrap();
    assert_eq!(names(&server).await, ["two"]);
    // What was deleted does not come back at the end.
    store.settle().await.unwrap();
    assert_eq!(names(&server).await, ["two"]);
    store.delete_manifest(two.digest()).await.unwrap();
    store.unlist(&subject, &[two.digest().clone()]).await.unwrap();
    store.settle().await.unwrap();
    assert_eq!(store.subjects().await.unwrap(), Some(HashSet::new()));
    assert!(server.shelf(|shelf| shelf.tags.is_empty()));
}

#[tokio::test]
async fn a_registry_that_takes_the_tag_for_the_subject_lists_nothing() {
    let bytes = br#"{"schemaVersion":2,"manifests":[]}"#;
    let subject = Digest::sha256(bytes);
    let server = Server::with(|received, _| {
        let reply = Reply::status(200).header("content-type", media_type::IMAGE_INDEX).body(&bytes[..]);
        received.path.contains("/manifests/").then_some(reply)
    })
    .await;
    assert!(server.store("a").referrers(&subject).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_no_list_is_not_written_over() {
    let server = Server::start().await;
    let image = Manifest::from_image(ImageManifest::new(Descriptor::empty())).unwrap();
    server.shelf(|shelf| overwrite(shelf, &image));
    assert!(server.store("a").referrers(&subject().digest).await.unwrap().is_empty());
    let error = server.store("a").attach(&referrer("mine")).await.unwrap_err();
    assert!(error.to_string().contains("the tag is not a list of referrers"), "{error}");
}

#[tokio::test]
async fn a_list_that_never_holds_is_an_error() {
    let empty = Manifest::from_index(Index::new(Vec::new())).unwrap();
    let writes = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&writes);
    let server = Server::with(move |received, shelf| {
        is_put_of_list(received).then(|| {
            *counted.lock().unwrap() += 1;
            let reply = shelf.answer(received);
            overwrite(shelf, &empty);
            reply
        })
    })
    .await;
    let store = server.store("a");
    store.attach(&referrer("mine")).await.unwrap();
    let error = store.settle().await.unwrap_err();
    assert!(error.is_temporary(), "{error}");
    assert_eq!(*writes.lock().unwrap(), 1 + MAX_WRITES);
}

#[tokio::test]
async fn lists_that_cannot_be_there_are_not_looked_for() {
    let server = Server::start().await;
    let store = server.store("a");
    let about = |subject: &Manifest, name: &str| {
        let annotations = [("name".to_owned(), name.to_owned())].into();
        let subject = Some(subject.descriptor());
        Manifest::from_image(ImageManifest { subject, annotations, ..ImageManifest::new(Descriptor::empty()) }).unwrap()
    };
    let subjects: Vec<_> = (0..5).map(|number| referrer(&number.to_string())).collect();
    // Somebody else has attached to the first one, which was there; the last one has a list that its subject has outlived.
    let [first, .., last] = subjects.as_slice() else { panic!() };
    server.store("a").push_manifest(first, None).await.unwrap();
    for subject in [first, last] {
        server.store("a").attach(&about(subject, "theirs")).await.unwrap();
    }
    server.log();
    for subject in &subjects[1..] {
        store.push_manifest(subject, None).await.unwrap();
    }
    for subject in &subjects {
        store.push_manifest(&about(subject, "ours"), None).await.unwrap();
    }
    server.log();
    store.list_pushed().await.unwrap();
    let log = server.log();
    let count = |what: &str| log.iter().filter(|line| line.starts_with(what)).count();
    // The subjects are all about one manifest, whose list was there before too.
    assert_eq!((count("GET /v2/a/tags/list"), count("GET /v2/a/manifests/"), count("PUT ")), (1, 3, 6), "{log:?}");
    for (subject, referrers) in subjects.iter().zip([2, 1, 1, 1, 2]) {
        assert_eq!(server.store("a").referrers(subject.digest()).await.unwrap().len(), referrers);
    }
    store.settle().await.unwrap();
}

#[tokio::test]
async fn tags_that_do_not_tell_which_lists_there_are_are_read_once() {
    let server = Server::start().await;
    let store = server.store("a");
    // The tag of a longer digest does not have all of it.
    let cut = format!("sha512-{}", "a".repeat(64));
    store.push_manifest(&referrer("cut"), Some(&cut.parse().unwrap())).await.unwrap();
    for round in 0..2 {
        let subjects: Vec<_> = (0..4).map(|number| referrer(&format!("{round} {number}"))).collect();
        for subject in &subjects {
            store.push_manifest(subject, None).await.unwrap();
            let about =
                ImageManifest { subject: Some(subject.descriptor()), ..ImageManifest::new(Descriptor::empty()) };
            store.push_manifest(&Manifest::from_image(about).unwrap(), None).await.unwrap();
        }
        server.log();
        store.list_pushed().await.unwrap();
        let log = server.log();
        let count = |what: &str| log.iter().filter(|line| line.starts_with(what)).count();
        // The subjects are about one manifest, whose list is written too.
        let asked = (count("GET /v2/a/tags/list"), count("GET /v2/a/manifests/"), count("PUT "));
        assert_eq!(asked, (usize::from(round == 0), 5, 5), "{log:?}");
    }
    store.settle().await.unwrap();
}
