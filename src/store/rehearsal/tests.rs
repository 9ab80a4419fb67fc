use bytes::Bytes;
use futures_util::TryStreamExt;

use super::*;
use crate::{
    event::{Change, RehearsedRepository},
    oci::{Descriptor, Digest, ImageManifest},
    store::{
        Patience, RetryPolicy, RunPatience, Source, Stores,
        registry::{Credentials, testing},
    },
};

fn artifact(name: &str, subject: Option<&Manifest>) -> Manifest {
    let image = ImageManifest {
        artifact_type: Some("test/example".to_owned()),
        subject: subject.map(Manifest::descriptor),
        annotations: [("name".to_owned(), name.to_owned())].into(),
        layers: vec![Descriptor::empty()],
        ..ImageManifest::new(Descriptor::empty())
    };
    Manifest::from_image(image).unwrap()
}

async fn push(store: &Arc<dyn Store>, manifest: &Manifest, tag: Option<&str>) {
    store.push_blob(&Descriptor::empty(), &Source::bytes(&b"{}"[..]), None).await.unwrap();
    let tag: Option<Tag> = tag.map(|tag| tag.parse().unwrap());
    store.push_manifest(manifest, tag.as_ref()).await.unwrap();
    store.list_pushed().await.unwrap();
}

fn repository(text: &str) -> Repository {
    text.parse::<crate::oci::Reference>().unwrap().repository
}

fn faulty(specs: &[&str]) -> Rehearsal {
    let faults = specs.iter().map(|spec| spec.parse().unwrap()).collect();
    Rehearsal::new(None, Faults::new(faults, [("release", "copy")]).unwrap())
}

#[tokio::test]
async fn a_real_registry_is_only_read_whatever_is_done_to_it() {
    let server = testing::Server::start().await;
    let [old, gone, new] = ["old", "gone", "new"].map(|name| artifact(name, None));
    let signature = artifact("signature", Some(&gone));
    let real: Arc<dyn Store> = server.store("a");
    for (manifest, tag) in [(&old, Some("latest")), (&gone, Some("v1")), (&gone, Some("one")), (&signature, None)] {
        push(&real, manifest, tag).await;
    }
    let content = || server.shelf(|shelf| (shelf.blobs.clone(), shelf.manifests.clone(), shelf.tags.clone()));
    let before = content();
    server.log();

    let registries = testing::registries(Credentials::none());
    let rehearsal = Arc::new(Rehearsal::new(Some(registries), Faults::default()));
    let stores = Stores::rehearse(rehearsal);
    let place = repository(&format!("{}/a", server.name));
    let store = stores.open(&place);
    push(&store, &new, Some("latest")).await;
    push(&store, &artifact("sbom", Some(&new)), None).await;
    assert!(store.delete_manifest(signature.digest()).await.unwrap());
    store.unlist(gone.digest(), &[signature.digest().clone()]).await.unwrap();
    assert!(store.delete_manifest(gone.digest()).await.unwrap());
    assert!(!store.delete_manifest(gone.digest()).await.unwrap());
    push(&store, &artifact("passing", None), Some("passing")).await;
    assert!(store.delete_manifest(artifact("passing", None).digest()).await.unwrap());
    stores.settle().await.unwrap();

    assert_eq!(content(), before);
    let log = server.log();
    assert!(!log.is_empty() && log.iter().all(|line| line.starts_with("GET ") || line.starts_with("HEAD ")), "{log:?}");
    let tag = |name: &str, before: Option<&Manifest>, after: Option<&Manifest>| Change {
        target: Target::Tag(name.parse().unwrap()),
        before: before.map(|it| it.digest().clone()),
        after: after.map(|it| it.digest().clone()),
    };
    let manifest = |it: &Manifest, before: Option<&Manifest>, after: Option<&Manifest>| Change {
        target: Target::Digest(it.digest().clone()),
        before: before.map(|it| it.digest().clone()),
        after: after.map(|it| it.digest().clone()),
    };
    let [sbom, passing] = [artifact("sbom", Some(&new)), artifact("passing", None)];
    let mut manifests = vec![
        manifest(&new, None, Some(&new)),
        manifest(&sbom, None, Some(&sbom)),
        manifest(&gone, Some(&gone), None),
        manifest(&signature, Some(&signature), None),
        manifest(&passing, None, None),
    ];
    manifests.sort_by(|one, other| one.target.cmp(&other.target));
    let mut changes = vec![
        tag("latest", Some(&old), Some(&new)),
        tag("one", Some(&gone), None),
        tag("passing", None, None),
        tag("v1", Some(&gone), None),
    ];
    changes.extend(manifests);
    let rights = Rights { pull: true, push: true, delete: true };
    assert_eq!(stores.rehearsed().unwrap().repositories, [RehearsedRepository { repository: place, rights, changes }]);
}

#[tokio::test]
async fn a_download_that_breaks_off_goes_on_where_it_was() {
    let rehearsal = faulty(&["cut:download*3"]);
    let store = rehearsal.open(&repository("r.io/app"));
    for content in [Bytes::from_static(b"x"), Bytes::from(vec![7; 100_000])] {
        let blob = Descriptor::of("a/b", &content);
        store.push_blob(&blob, &Source::bytes(content.clone()), None).await.unwrap();
        let pieces: Vec<Bytes> = store.blob(&blob).await.unwrap().try_collect().await.unwrap();
        assert_eq!(pieces.concat(), content);
    }
    let rehearsed = rehearsal.rehearsed();
    assert_eq!((rehearsed.faults[0].injected, rehearsed.tries), (3, 3));
}

#[tokio::test]
async fn a_fault_meets_the_steps_and_the_registry_that_it_names() {
    let rehearsal = faulty(&["copy:503", "release:429", "500@r.io"]);
    let (tx, _) = mpsc::unbounded_channel();
    let injected = || rehearsal.rehearsed().faults.iter().map(|fault| fault.injected).collect::<Vec<_>>();
    let target = Target::Digest(Digest::sha256(b"x"));
    let [near, far] = ["localhost:5000/app", "r.io/app"].map(|text| rehearsal.open(&repository(text)));
    near.resolve(&target).await.unwrap();
    assert_eq!(injected(), [0, 0, 0]);
    far.resolve(&target).await.unwrap();
    assert_eq!(injected(), [0, 0, 1]);
    let policy = RetryPolicy::default();
    let patience = |step: &str| {
        let progress = Progress::new(StepId::new(0, step), tx.clone());
        Patience::new(policy, &RunPatience::new(policy), Some(progress))
    };
    patience("other").scope(near.resolve(&target)).await.unwrap();
    assert_eq!(injected(), [0, 0, 1]);
    patience("release").scope(near.resolve(&target)).await.unwrap();
    assert_eq!(injected(), [1, 1, 1]);
}

#[tokio::test]
async fn a_list_of_referrers_is_a_manifest_that_goes_with_its_last_entry() {
    let rehearsal = faulty(&["no-referrers"]);
    let store = rehearsal.open(&repository("r.io/app"));
    let image = artifact("image", None);
    let referrers = ["one", "two"].map(|name| artifact(name, Some(&image)));
    push(&store, &image, Some("v1")).await;
    let list = Tag::of_referrers(image.digest());
    for referrer in &referrers {
        store.push_manifest(referrer, None).await.unwrap();
        assert!(!store.tags().await.unwrap().contains(&list));
    }
    assert_eq!(store.referrers(image.digest()).await.unwrap(), []);
    store.list_pushed().await.unwrap();
    let mut expected = referrers.each_ref().map(Manifest::referrer_descriptor);
    expected.sort_by(|one, other| one.digest.cmp(&other.digest));
    assert_eq!(store.referrers(image.digest()).await.unwrap(), expected);
    assert!(store.tags().await.unwrap().contains(&list));
    store.unlist(image.digest(), &[referrers[0].digest().clone()]).await.unwrap();
    assert_eq!(store.referrers(image.digest()).await.unwrap(), [referrers[1].referrer_descriptor()]);
    store.unlist(image.digest(), &[referrers[1].digest().clone()]).await.unwrap();
    assert_eq!(store.tags().await.unwrap(), ["v1".parse().unwrap()]);
}
