use super::{
    super::{
        Credential, Credentials, Registries, RegistryOptions, RegistrySettings, Secret, Written,
        testing::{Received, Reply, Server, Shelf, run},
    },
    *,
};
use crate::{
    oci::{Index, RegistryPrefix, Tag},
    store::{Source, Store},
};

/// A registry with `a:v1` and a blob, and a mirror that has both under `cache/a` and answers as `hook` says.
struct House {
    registry: Server,
    mirror: Server,
    manifest: Manifest,
    blob: Descriptor,
    content: Bytes,
}

impl House {
    async fn new(size: usize, hook: impl FnMut(&Received, &mut Shelf) -> Option<Reply> + Send + 'static) -> Self {
        let (registry, mirror) = (Server::start().await, Server::with(hook).await);
        let content: Bytes = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect::<Vec<_>>().into();
        let blob = Descriptor::of("a/b", &content);
        let manifest = Manifest::from_index(Index::new(Vec::new())).unwrap();
        let store = registry.store("a");
        store.push_manifest(&manifest, Some(&"v1".parse().unwrap())).await.unwrap();
        store.push_blob(&blob, &Source::bytes(content.clone()), None).await.unwrap();
        mirror.shelf(|shelf| {
            let name = "cache/a".to_owned();
            let entry = (manifest.media_type().to_owned(), manifest.bytes().clone());
            shelf.manifests.insert((name.clone(), manifest.digest().clone()), entry);
            shelf.tags.insert((name.clone(), "v1".to_owned()), manifest.digest().clone());
            shelf.blobs.insert((name, blob.digest.clone()), content.clone());
        });
        registry.log();
        Self { registry, mirror, manifest, blob, content }
    }

    fn run(&self, options: RegistryOptions) -> Registries {
        let mirror: RegistryPrefix = format!("{}/cache", self.mirror.name).parse().unwrap();
        let settings = RegistrySettings { mirrors: vec![mirror], ..RegistrySettings::default() };
        let settings = [(self.registry.name.clone(), settings)].into();
        run(RegistryOptions { settings, ..options })
    }

    fn store(&self) -> Arc<RegistryStore> {
        self.run(RegistryOptions::default()).repository(&self.registry.name, &"a".parse().unwrap())
    }

    fn by_digest(&self) -> Target {
        Target::Digest(self.manifest.digest().clone())
    }

    async fn read(&self, store: &RegistryStore) -> Result<Bytes, StoreError> {
        read(&self.blob, store.blob(&self.blob).await?, u64::MAX).await
    }
}

fn methods(server: &Server) -> Vec<String> {
    let received = server.received();
    received.iter().map(|it| format!("{} {}", it.method, it.path.rsplit('/').nth(1).unwrap_or_default())).collect()
}

#[tokio::test]
async fn content_comes_from_the_mirror_and_everything_else_from_the_registry() {
    let house = House::new(100, |_, _| None).await;
    let store = house.store();
    for _ in 0..2 {
        assert!(store.manifest(&house.by_digest()).await.unwrap().is_some());
    }
    assert_eq!(house.read(&store).await.unwrap(), house.content);
    assert_eq!(methods(&house.mirror), ["GET manifests", "GET blobs"]);
    assert!(house.registry.log().is_empty());
    let v1: Tag = "v1".parse().unwrap();
    assert!(store.manifest(&Target::Tag(v1)).await.unwrap().is_some());
    store.resolve(&house.by_digest()).await.unwrap();
    store.has_blob(&house.blob).await.unwrap();
    store.tags().await.unwrap();
    store.referrers(house.manifest.digest()).await.unwrap();
    assert!(house.mirror.log().is_empty());
    assert!(house.registry.log().len() >= 5);
}

#[tokio::test]
async fn what_a_mirror_has_says_nothing_about_the_registry() {
    let house = House::new(100, |_, _| None).await;
    house.registry.shelf(|shelf| shelf.manifests.clear());
    let store = house.store();
    assert!(store.manifest(&house.by_digest()).await.unwrap().is_some());
    assert!(store.resolve(&house.by_digest()).await.unwrap().is_none());
}

#[tokio::test]
async fn no_mirror_is_asked_for_a_repository_that_is_written() {
    let house = House::new(100, |_, _| None).await;
    let written = Written::by(|repository| repository.to_string().ends_with("/a"));
    let store = house.run(RegistryOptions { written, ..RegistryOptions::default() });
    let store = store.repository(&house.registry.name, &"a".parse().unwrap());
    assert!(store.manifest(&house.by_digest()).await.unwrap().is_some());
    house.read(&store).await.unwrap();
    assert!(house.mirror.log().is_empty());
}

#[tokio::test]
async fn a_mirror_that_does_not_have_it_is_asked_again_and_one_that_fails_is_left_alone() {
    for (reply, asked) in [
        (Reply::status(404), 2),
        (Reply::status(503), 1),
        (Reply::status(401), 1),
        (Reply::cut(), 1),
        (Reply::status(200).body("<html>welcome"), 1),
    ] {
        let house = House::new(100, move |_, _| Some(reply.clone())).await;
        let store = house.store();
        assert!(store.manifest(&house.by_digest()).await.unwrap().is_some());
        assert_eq!(house.read(&store).await.unwrap(), house.content);
        assert_eq!(house.mirror.log().len(), asked);
        tokio::time::pause();
        tokio::time::advance(Rest::LENGTH).await;
        tokio::time::resume();
        house.mirror.log();
        house.read(&store).await.unwrap();
        assert_eq!(house.mirror.log().len(), 1);
    }
}

/// More than is read before any of it is handed on.
const LARGE: usize = 3 * 1024 * 1024;

#[tokio::test]
async fn where_a_mirror_breaks_off_the_registry_goes_on() {
    let house = House::new(LARGE, |received, shelf| {
        let whole = shelf.answer(received);
        let half = whole.body.slice(..LARGE / 2);
        Some(whole.header("content-length", LARGE.to_string()).body(half))
    })
    .await;
    assert_eq!(house.read(&house.store()).await.unwrap(), house.content);
    assert_eq!((methods(&house.mirror).len(), methods(&house.registry)), (1, vec!["GET blobs".to_owned()]));
}

#[tokio::test]
async fn wrong_bytes_of_a_mirror_are_never_taken_for_right() {
    for size in [100, LARGE] {
        let house = House::new(size, |received, shelf| {
            let whole = shelf.answer(received);
            let mut wrong = whole.body.to_vec();
            wrong[50] ^= 1;
            Some(whole.body(wrong))
        })
        .await;
        let store = house.store();
        let first = house.read(&store).await;
        if size == LARGE {
            // Some of it was handed on already. Whoever tries again gets it from the registry.
            assert!(first.unwrap_err().is_temporary());
        } else {
            assert_eq!(first.unwrap(), house.content);
        }
        assert_eq!(house.read(&store).await.unwrap(), house.content);
        assert_eq!(house.mirror.log().len(), 1);
    }
}

#[tokio::test]
async fn each_gets_the_login_that_is_for_it() {
    let ask = |received: &Received, _: &mut Shelf| {
        let is_in = received.header("authorization").is_some();
        (!is_in).then(|| Reply::status(401).header("www-authenticate", "Basic"))
    };
    let house = House::new(100, ask).await;
    let login = |word: &str| Credential::Basic { username: "me".to_owned(), password: Secret::new(word) };
    let credentials = Credentials::none()
        .with(house.registry.name.clone(), login("registry"))
        .with(house.mirror.name.clone(), login("mirror"));
    let store = house.run(RegistryOptions { credentials, ..RegistryOptions::default() });
    let store = store.repository(&house.registry.name, &"a".parse().unwrap());
    house.read(&store).await.unwrap();
    let said: Vec<_> =
        house.mirror.received().iter().map(|it| it.header("authorization").unwrap_or_default().to_owned()).collect();
    // me:mirror
    assert_eq!(said, ["", "Basic bWU6bWlycm9y"]);
    assert!(house.registry.log().is_empty());
}
