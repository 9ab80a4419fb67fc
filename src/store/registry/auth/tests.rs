use futures_util::future::try_join_all;

use super::{
    super::{
        Secret,
        testing::{Received, Reply, Server, registries},
    },
    *,
};
use crate::store::{
    Store,
    registry::{Registries, RegistryOptions, pace::Pace},
};

/// A registry that takes only the token that its own service gave last; it has given `given` of them.
async fn with_tokens(expires_in: u64) -> Server {
    let mut given = 0;
    Server::with(move |received, _| {
        if received.path == "/token" {
            given += 1;
            let body = serde_json::json!({ "token": format!("t{given}"), "expires_in": expires_in });
            return Some(Reply::status(200).body(body.to_string()));
        }
        if received.query == "revoke" {
            given += 1;
            return Some(Reply::status(200));
        }
        let is_right = received.header("authorization") == Some(&format!("Bearer t{given}"));
        let realm = format!("Bearer realm=\"http://{}/token\",service=\"s\"", received.header("host").unwrap());
        (!is_right).then(|| Reply::status(401).header("www-authenticate", realm))
    })
    .await
}

fn tokens(server: &Server) -> Vec<Received> {
    server.received().into_iter().filter(|received| received.path == "/token").collect()
}

#[tokio::test]
async fn one_token_is_fetched_for_many_requests() {
    let server = with_tokens(300).await;
    let store = server.store("a");
    try_join_all((0..16).map(|_| store.tags())).await.unwrap();
    let tokens = tokens(&server);
    assert_eq!(tokens.len(), 1);
    assert_eq!(tokens[0].query, "service=s&scope=repository%3Aa%3Apull");
    assert_eq!(tokens[0].header("authorization"), None);
    // From now on it is known what the registry wants.
    store.tags().await.unwrap();
    assert_eq!(server.log().len(), 1);
}

#[tokio::test]
async fn who_had_to_wait_uses_what_is_known_meanwhile() {
    let server = with_service("/token", |_| token("t"), |_| None).await;
    let options = RegistryOptions { concurrency: 2, ..RegistryOptions::default() };
    let registries = Registries::with_pace(options, Pace::immediate()).unwrap();
    let stores: Vec<_> =
        (0..8).map(|number| registries.repository(&server.name, &format!("r{number}").parse().unwrap())).collect();
    try_join_all(stores.iter().map(|store| store.tags())).await.unwrap();
    let is_anonymous = |received: &&Received| received.path != "/token" && received.header("authorization").is_none();
    assert_eq!(server.received().iter().filter(is_anonymous).count(), 2);
}

#[tokio::test]
async fn a_token_that_is_not_taken_any_more_is_replaced_once() {
    let server = with_tokens(300).await;
    let store = server.store("a");
    store.tags().await.unwrap();
    reqwest::get(format!("http://{}/?revoke", server.name)).await.unwrap();
    server.log();
    try_join_all((0..8).map(|_| store.tags())).await.unwrap();
    assert_eq!(tokens(&server).len(), 1);
}

#[tokio::test]
async fn a_token_is_for_one_repository_and_what_is_done_there() {
    let server = with_tokens(300).await;
    let registries = registries(Credentials::none());
    let blob = crate::oci::Descriptor::of("a/b", b"x");
    for name in ["a", "b"] {
        let store = registries.repository(&server.name, &name.parse().unwrap());
        // Each new token ends the one before it here.
        store.push_blob(&blob, &crate::store::Source::bytes("x"), None).await.unwrap();
        store.delete_manifest(&blob.digest).await.unwrap();
    }
    let scopes: Vec<_> =
        tokens(&server).iter().map(|token| token.query.replace("%3A", ":").replace("%2C", ",")).collect();
    assert_eq!(
        scopes,
        [
            "service=s&scope=repository:a:pull,push",
            "service=s&scope=repository:a:delete",
            "service=s&scope=repository:b:pull,push&scope=repository:a:pull",
            "service=s&scope=repository:b:delete",
        ]
    );
}

#[tokio::test]
async fn an_expired_token_is_not_sent() {
    let server = with_tokens(1).await;
    let store = server.store("a");
    store.tags().await.unwrap();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(2)).await;
    tokio::time::resume();
    server.log();
    store.tags().await.unwrap();
    assert_eq!(server.log(), ["GET /token?service=s&scope=repository:a:pull", "GET /v2/a/tags/list?n=1000"]);
}

#[tokio::test]
async fn passwords_and_identity_tokens_go_to_the_token_service_alone() {
    let server = with_tokens(300).await;
    let as_me = |credential| {
        let credentials = Credentials::none().with(server.name.clone(), credential);
        registries(credentials).repository(&server.name, &"a".parse().unwrap())
    };
    let me = Credential::Basic { username: "me".to_owned(), password: Secret::new("word") };
    as_me(me).tags().await.unwrap();
    let received = server.received();
    let basic: Vec<_> = received
        .iter()
        .filter(|received| received.header("authorization") == Some("Basic bWU6d29yZA=="))
        .map(|received| received.path.as_str())
        .collect();
    assert_eq!(basic, ["/token"]);
    as_me(Credential::Identity(Secret::new("jwt"))).tags().await.unwrap();
    let token = &tokens(&server)[0];
    assert_eq!((token.method.as_str(), token.query.as_str()), ("POST", ""));
    assert_eq!(
        token.body,
        "grant_type=refresh_token&service=s&client_id=consign&scope=repository%3Aa%3Apull&refresh_token=jwt"
    );
    // A token for the registry itself needs no service.
    let error = as_me(Credential::Token(Secret::new("opaque"))).tags().await.unwrap_err().to_string();
    assert!(error.contains("401"), "{error}");
    let sent: Vec<_> =
        server.received().iter().map(|received| received.header("authorization").map(str::to_owned)).collect();
    assert_eq!(sent, [None, Some("Bearer opaque".to_owned())]);
}

#[tokio::test]
async fn who_has_no_login_or_a_wrong_one_hears_what_the_registry_said() {
    let server = Server::with(|_, _| {
        let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
        Some(Reply::status(401).header("www-authenticate", "Basic realm=\"x\"").body(body))
    })
    .await;
    let expected =
        format!("GET http://{}/v2/a/tags/list: 401 Unauthorized: UNAUTHORIZED (authentication required)", server.name);
    assert_eq!(server.store("a").tags().await.unwrap_err().to_string(), expected);
    assert_eq!(server.log().len(), 1);
    let me = Credential::Basic { username: "me".to_owned(), password: Secret::new("wrong") };
    let registries = registries(Credentials::none().with(server.name.clone(), me));
    let store = registries.repository(&server.name, &"a".parse().unwrap());
    assert_eq!(store.tags().await.unwrap_err().to_string(), expected);
    assert_eq!(server.log().len(), 2);
}

#[tokio::test]
async fn a_realm_with_a_user_in_it_is_not_asked() {
    let server = Server::with(|_, _| {
        let realm = "Bearer realm=\"http://user:word@127.0.0.1:9/token\"";
        Some(Reply::status(401).header("www-authenticate", realm))
    })
    .await;
    let error = server.store("a").tags().await.unwrap_err().to_string();
    assert!(error.contains("`http://127.0.0.1:9/token`, which is not followed"), "{error}");
    assert!(!error.contains("word"), "{error}");
}

#[tokio::test]
async fn a_token_service_that_says_nonsense_is_an_error_without_quotes() {
    for body in ["<html>hunter2", r#"{"token":7,"x":"hunter2"}"#, r#"{"token":""}"#, r#"{"token":"hunter2\n"}"#] {
        let server = Server::with(move |received, _| {
            let realm = format!("Bearer realm=\"http://{}/token\"", received.header("host").unwrap());
            let refused = Reply::status(401).header("www-authenticate", realm);
            Some(if received.path == "/token" { Reply::status(200).body(body) } else { refused })
        })
        .await;
        let error = server.store("a").tags().await.unwrap_err().to_string();
        assert!(error.contains("/token: the answer is not a token: ") && !error.contains("hunter2"), "{error}");
    }
}

/// A registry whose token service is `service`, at `path`, and which takes any token but those that `refused` says.
async fn with_service(
    path: &'static str,
    mut service: impl FnMut(&Received) -> Reply + Send + 'static,
    mut refused: impl FnMut(&Received) -> Option<&'static str> + Send + 'static,
) -> Server {
    Server::with(move |received, _| {
        if received.path == path || received.path == "/oauth2/exchange" {
            return Some(service(received));
        }
        let realm = format!("Bearer realm=\"http://{}{path}\",service=\"s\"", received.header("host").unwrap());
        let challenge = |error: &str| Some(Reply::status(401).header("www-authenticate", format!("{realm}{error}")));
        if received.header("authorization").is_none() {
            return challenge("");
        }
        refused(received).and_then(challenge)
    })
    .await
}

fn token(value: &str) -> Reply {
    Reply::status(200).body(serde_json::json!({ "access_token": value }).to_string())
}

fn me(word: &str) -> Credential {
    Credential::Basic { username: "me".to_owned(), password: Secret::new(word) }
}

fn store(server: &Server, credential: Credential) -> Arc<crate::store::registry::RegistryStore> {
    let credentials = Credentials::none().with(server.name.clone(), credential);
    registries(credentials).repository(&server.name, &"a".parse().unwrap())
}

fn registry_error(error: crate::store::StoreError) -> RegistryError {
    match error {
        crate::store::StoreError::Registry(error) => *error,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn who_may_only_pull_is_told_so_and_costs_one_token() {
    let refused = |received: &Received| (received.method == "POST").then_some(",error=\"insufficient_scope\"");
    let server = with_service("/token", |_| token("t"), refused).await;
    let store = store(&server, me("hunter2"));
    store.tags().await.unwrap();
    server.log();
    let source = crate::store::Source::bytes("x");
    let error = store.push_blob(&crate::oci::Descriptor::of("a/b", b"x"), &source, None).await.unwrap_err();
    let error = registry_error(error);
    let name = &server.name;
    assert_eq!(error.notes(), [format!("the login comes from `registries`, entry `{name}`")]);
    assert_eq!(
        error.help().unwrap(),
        format!("this user may not push to `{name}/a`: ask for the permission, or log in as somebody who may")
    );
    let log = server.log();
    let post = "POST /v2/a/blobs/uploads/?digest=sha256:2d71";
    assert_eq!(log, ["GET /token?service=s&scope=repository:a:pull%2Cpush", post]);
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_new_token_that_has_run_out_on_its_way_is_replaced_and_one_that_is_refused_is_not() {
    for (error, expected) in [(",error=\"invalid_token\"", 2), ("", 1)] {
        let mut given = 0;
        let service = move |_: &Received| {
            given += 1;
            token(&format!("t{given}"))
        };
        let is_first = |received: &Received| received.header("authorization") == Some("Bearer t1");
        let server = with_service("/token", service, move |received| is_first(received).then_some(error)).await;
        let result = server.store("a").tags().await;
        assert_eq!((tokens(&server).len(), result.is_ok()), (expected, expected == 2), "{error}");
    }
}

#[tokio::test]
async fn a_wrong_login_is_tried_once_however_many_wait() {
    let service =
        |_: &Received| Reply::status(401).body(r#"{"errors":[{"code":"UNAUTHORIZED","message":"no: hunter2"}]}"#);
    let server = with_service("/token", service, |_| None).await;
    let store = store(&server, me("hunter2"));
    let results = futures_util::future::join_all((0..8).map(|_| store.tags())).await;
    for result in results.into_iter().chain([store.tags().await]) {
        let error = registry_error(result.unwrap_err());
        let expected = format!("GET http://{}/token: 401 Unauthorized: UNAUTHORIZED (no: ***)", server.name);
        assert_eq!(error.to_string(), expected);
        assert_eq!(
            error.help().unwrap(),
            format!("the registry does not take this login: correct `registries`, entry `{}`", server.name)
        );
    }
    assert_eq!(tokens(&server).len(), 1);
}

#[tokio::test]
async fn a_service_that_takes_no_get_is_posted_to_from_then_on() {
    let service = |received: &Received| if received.method == "GET" { Reply::status(405) } else { token("t") };
    let server = with_service("/token", service, |_| None).await;
    let credentials = Credentials::none().with(server.name.clone(), me("a word"));
    let registries = registries(credentials);
    for name in ["a", "b"] {
        registries.repository(&server.name, &name.parse().unwrap()).tags().await.unwrap();
    }
    let asked: Vec<_> = tokens(&server)
        .into_iter()
        .map(|token| format!("{} {}", token.method, std::str::from_utf8(&token.body).unwrap()))
        .collect();
    let form = "grant_type=password&service=s&client_id=consign&scope=repository%3A";
    assert_eq!(
        asked,
        [
            "GET ".to_owned(),
            format!("POST {form}a%3Apull&username=me&password=a+word"),
            format!("POST {form}b%3Apull&username=me&password=a+word"),
        ]
    );
}

#[tokio::test]
async fn an_identity_token_that_is_replaced_counts_for_the_run() {
    let mut given = 0;
    // Each identity token is taken once.
    let service = move |received: &Received| {
        if !received.body.ends_with(format!("refresh_token=i{given}").as_bytes()) {
            return Reply::status(401);
        }
        given += 1;
        let body = serde_json::json!({ "access_token": "t", "refresh_token": format!("i{given}") });
        Reply::status(200).body(body.to_string())
    };
    let server = with_service("/token", service, |_| None).await;
    let credentials = Credentials::none().with(server.name.clone(), Credential::Identity(Secret::new("i0")));
    let registries = registries(credentials);
    let stores: Vec<_> =
        ["a", "b", "c", "d"].map(|name| registries.repository(&server.name, &name.parse().unwrap())).into();
    stores[0].tags().await.unwrap();
    try_join_all(stores.iter().map(|store| store.tags())).await.unwrap();
    assert_eq!(tokens(&server).len(), 4);
}

#[tokio::test]
async fn a_token_that_was_given_before_lasts_shorter() {
    let service = |_: &Received| {
        let body = serde_json::json!({ "token": "t", "expires_in": 300, "issued_at": "2026-11-24T01:00:00Z" });
        Reply::status(200).header("date", "Tue, 24 Nov 2026 01:04:56 GMT").body(body.to_string())
    };
    let server = with_service("/token", service, |_| None).await;
    let store = server.store("a");
    store.tags().await.unwrap();
    let mut asked = tokens(&server).len();
    // Of 300 seconds 4 are left, of which the last is not used.
    for (seconds, expected) in [(2, 1), (2, 2)] {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(seconds)).await;
        tokio::time::resume();
        store.tags().await.unwrap();
        asked += tokens(&server).len();
        assert_eq!(asked, expected);
    }
}

#[tokio::test]
async fn azure_takes_a_refresh_token_by_post_alone_and_an_entra_token_by_exchange() {
    let entra = "e30.eyJpc3MiOiJodHRwczovL3N0cy53aW5kb3dzLm5ldC94LyJ9.c2ln";
    for (secret, exchanged) in [("refresh", false), (entra, true)] {
        for credential in [
            Credential::Identity(Secret::new(secret)),
            Credential::Basic { username: azure::TOKEN_USER.to_owned(), password: Secret::new(secret) },
        ] {
            let service = |received: &Received| {
                if received.path == "/oauth2/token" {
                    return token("t");
                }
                Reply::status(200).body(r#"{"refresh_token":"refresh"}"#)
            };
            let server = with_service("/oauth2/token", service, |_| None).await;
            let credentials = Credentials::none().with(server.name.clone(), credential);
            let registries = registries(credentials);
            for name in ["a", "b"] {
                registries.repository(&server.name, &name.parse().unwrap()).tags().await.unwrap();
            }
            let received = server.received();
            let posted: Vec<_> = received
                .iter()
                .filter(|received| received.path.starts_with("/oauth2/"))
                .map(|received| {
                    let body = std::str::from_utf8(&received.body).unwrap();
                    format!("{} {} {}", received.method, received.path, body.replace("repository%3A", ""))
                })
                .collect();
            let exchange = format!("POST /oauth2/exchange grant_type=access_token&service=s&access_token={entra}");
            let form = "POST /oauth2/token grant_type=refresh_token&service=s&client_id=consign&scope=";
            let mut expected =
                vec![format!("{form}a%3Apull&refresh_token=refresh"), format!("{form}b%3Apull&refresh_token=refresh")];
            if exchanged {
                expected.insert(0, exchange);
            }
            assert_eq!(posted, expected);
            assert!(
                received.iter().all(|received| received.header("authorization").is_none_or(|sent| sent == "Bearer t"))
            );
        }
    }
}

#[tokio::test]
async fn an_entra_token_goes_to_no_other_service() {
    let entra = "e30.eyJpc3MiOiJodHRwczovL3N0cy53aW5kb3dzLm5ldC94LyJ9.c2ln";
    let server = with_service("/token", |_| token("t"), |_| None).await;
    store(&server, Credential::Identity(Secret::new(entra))).tags().await.unwrap();
    assert!(server.log().iter().all(|line| !line.contains("exchange")));
    // A registry of Azure that names another host as its token service is not what it says.
    let name: RegistryName = "r.azurecr.io".parse().unwrap();
    let base: Url = "https://r.azurecr.io/".parse().unwrap();
    let clients = Clients::new().unwrap();
    let auth = Auth::new(name, base, clients, Credentials::none());
    let value =
        HeaderValue::from_static("Bearer realm=\"https://tokens.example/oauth2/token\",service=\"r.azurecr.io\"");
    let headers = [(WWW_AUTHENTICATE, value)].into_iter().collect();
    let error = auth.answer(&Scope::registry(), &headers, None, true).await.unwrap_err().to_string();
    assert!(error.ends_with("`https://tokens.example/oauth2/token`, which is not the same registry"), "{error}");
}

#[tokio::test]
async fn the_file_that_a_login_comes_from_is_named() {
    let server = Server::with(|received, _| {
        let status = if received.header("authorization").is_some() { 403 } else { 401 };
        Some(Reply::status(status).header("www-authenticate", "Basic"))
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    let name = &server.name;
    // me:hunter2
    std::fs::write(&path, format!(r#"{{"auths":{{"{name}/a":{{"auth":"bWU6aHVudGVyMg=="}}}}}}"#)).unwrap();
    let registries = registries(Credentials::from_files(vec![path.clone()]));
    let told = async |repository: &str| {
        let store = registries.repository(name, &repository.parse().unwrap());
        let error = registry_error(store.tags().await.unwrap_err());
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        (error.notes().join("\n"), error.help().unwrap())
    };
    assert_eq!(
        told("a").await,
        (
            format!("the login comes from `{}`, entry `{name}/a`", path.display()),
            format!("this user may not pull from `{name}/a`: ask for the permission, or log in as somebody who may")
        )
    );
    assert_eq!(
        told("b").await,
        (
            format!("there is no login for `{name}`"),
            format!("log in with `consign login {name} -u USER`, and run again")
        )
    );
}
