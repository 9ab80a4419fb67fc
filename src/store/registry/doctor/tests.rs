use bytes::Bytes;

use super::{Ability, Examination, Verdict};
use crate::{
    oci::Digest,
    store::registry::{
        Credential, Credentials, Secret,
        testing::{Received, Reply, Server, Shelf, registries},
    },
};

async fn examine(server: &Server, credentials: Credentials, may_leave: bool) -> Examination {
    registries(credentials).examine(&server.name, Some(&"a".parse().unwrap()), may_leave).await.unwrap()
}

fn words(examination: &Examination) -> String {
    let line = |ability: &Ability, verdict: Verdict| format!("{}: {}\n", ability.title(), verdict.word());
    examination.findings.iter().map(|finding| line(&finding.ability, finding.verdict)).collect()
}

/// Blobs that can be deleted: what the plain server lacks.
fn whole(received: &Received, shelf: &mut Shelf) -> Option<Reply> {
    let (_, digest) = received.path.split_once("/blobs/").filter(|_| received.method == "DELETE")?;
    let key = ("a".to_owned(), digest.parse::<Digest>().ok()?);
    Some(Reply::status(if shelf.blobs.remove(&key).is_some() { 202 } else { 404 }))
}

/// Something is in the repository.
fn keep_something(server: &Server) {
    let digest = Digest::sha256(b"x");
    server.shelf(|shelf| {
        shelf.manifests.insert(("a".to_owned(), digest.clone()), ("a/b".to_owned(), Bytes::from_static(b"x")));
        for tag in ["v1", "v2"] {
            shelf.tags.insert(("a".to_owned(), tag.to_owned()), digest.clone());
        }
    });
}

#[tokio::test]
async fn what_a_registry_can_do_is_found_out_and_nothing_is_left_behind() {
    let server = Server::with(|received, shelf| {
        if received.path == "/v2/" {
            return Some(Reply::status(200).header("ratelimit-remaining", "99;w=21600"));
        }
        whole(received, shelf)
    })
    .await;
    keep_something(&server);
    let found = examine(&server, Credentials::none(), false).await;
    assert!(found.is_usable() && found.left_behind.is_empty());
    insta::assert_snapshot!(words(&found), @r"
    distribution API: yes
    login: yes
    pull: yes
    paging of tags: no
    referrers API: no
    delete of manifests: yes
    delete of tags: no
    delete of blobs: yes
    push: yes
    chunked uploads: yes
    resumed uploads: yes
    cancelled uploads: yes
    uploads in one request: no
    mounts: yes
    ranges of blobs: no
    conditional puts: no
    referrers by artifact type: unknown
    rate limits: yes
    ");
    server.shelf(|shelf| {
        assert_eq!((shelf.blobs.len(), shelf.manifests.len(), shelf.tags.len()), (0, 1, 2));
    });
}

#[tokio::test]
async fn nothing_is_pushed_that_would_stay_unless_asked() {
    let server = Server::with(|received, shelf| {
        let is_delete = received.method == "DELETE" && !received.path.contains("/uploads/");
        let body = r#"{"errors":[{"code":"UNSUPPORTED","message":"no"}]}"#;
        if is_delete { Some(Reply::status(405).body(body)) } else { whole(received, shelf) }
    })
    .await;
    keep_something(&server);
    let found = examine(&server, Credentials::none(), false).await;
    assert_eq!(found.verdict(Ability::DeleteManifests), Some(Verdict::No));
    assert_eq!(
        (found.verdict(Ability::Push), found.verdict(Ability::Mounts)),
        (Some(Verdict::Yes), Some(Verdict::Unknown))
    );
    assert!(!server.log().iter().any(|line| line.starts_with("PUT")));
    let found = examine(&server, Credentials::none(), true).await;
    assert_eq!(found.verdict(Ability::Mounts), Some(Verdict::Yes));
    assert_eq!(found.left_behind.len(), 3, "{:?}", found.left_behind);
    assert!(found.left_behind[0].ends_with(": 405 Method Not Allowed, UNSUPPORTED"), "{:?}", found.left_behind);
}

#[tokio::test]
async fn a_repository_that_is_not_there_is_not_made() {
    let server = Server::with(|received, _| received.path.ends_with("/tags/list").then(|| Reply::status(404))).await;
    let found = examine(&server, Credentials::none(), false).await;
    assert_eq!(
        (found.verdict(Ability::Pull), found.verdict(Ability::Push)),
        (Some(Verdict::Yes), Some(Verdict::Unknown))
    );
    assert!(server.log().iter().all(|line| line.starts_with("GET") || line.starts_with("DELETE")));
}

#[tokio::test]
async fn a_repository_that_is_made_for_it_says_more_once_it_is_there() {
    let server = Server::with(|received, shelf| {
        let is_there = shelf.manifests.keys().any(|(name, _)| name == "a");
        let unknown = || Reply::status(404).body(r#"{"errors":[{"code":"NAME_UNKNOWN","message":"no"}]}"#);
        if received.method == "DELETE" && !received.path.contains("/uploads/") && !is_there {
            return Some(unknown());
        }
        if received.path.ends_with("/tags/list") { Some(unknown()) } else { whole(received, shelf) }
    })
    .await;
    let found = examine(&server, Credentials::none(), true).await;
    assert_eq!(found.verdict(Ability::DeleteManifests), Some(Verdict::Yes));
    assert_eq!(found.verdict(Ability::DeleteTags), Some(Verdict::No));
    server.shelf(|shelf| assert!(shelf.manifests.is_empty() && shelf.tags.is_empty()));
}

#[tokio::test]
async fn who_may_not_is_told_whose_login_it_was() {
    let server = Server::with(|received, _| {
        let asks = || Reply::status(401).header("www-authenticate", "Basic realm=\"x\"");
        // me:right
        if received.header("authorization") == Some("Basic bWU6cmlnaHQ=") {
            (received.method == "POST").then(|| Reply::status(403))
        } else {
            Some(asks())
        }
    })
    .await;
    keep_something(&server);
    let with = |password: &str| {
        let me = Credential::Basic { username: "me".to_owned(), password: Secret::new(password) };
        Credentials::none().with(server.name.clone(), me)
    };
    let detail = |found: &Examination, ability| {
        found.findings.iter().find(|finding| finding.ability == ability).unwrap().detail.clone()
    };
    let nobody = examine(&server, Credentials::none(), false).await;
    assert!(!nobody.is_usable());
    assert!(detail(&nobody, Ability::Login).contains("run `consign login"), "{nobody:?}");
    let wrong = examine(&server, with("wrong"), false).await;
    assert!(!wrong.is_usable());
    assert!(detail(&wrong, Ability::Login).starts_with("the registry does not take the one from"), "{wrong:?}");
    assert!(!format!("{wrong:?}").contains("wrong\""));
    let right = examine(&server, with("right"), false).await;
    assert!(right.is_usable() && detail(&right, Ability::Login).starts_with("as `me`, from "), "{right:?}");
    assert_eq!(detail(&right, Ability::Push), "who asks may not: 403 Forbidden");
}
