//! The one function through which every request to a registry goes: login, permits, redirects, tries.

use std::fmt::Display;

use reqwest::{
    Method, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_LENGTH, LOCATION},
};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};
use url::Url;

use super::{
    Answer, Auth, RegistryError, RegistryProblem, Request,
    answer::{Incoming, network},
    auth::Authorization,
    clients::Clients,
    cooldown::Cooldown,
    error::shown,
    origin::{self, LeadError},
    outgoing::Sending,
    pace::{Pace, Tries},
    permits::Permits,
    registry::Shared,
    request::Body,
    upload::SMALL,
};
use crate::store::{Patience, StoreError, read};

/// How requests reach one registry.
#[derive(Debug)]
pub(super) struct Http {
    clients: Clients,
    base: Url,
    auth: Auth,
    pace: Pace,
    permits: Permits,
    cooldown: Cooldown,
}

const MAX_REDIRECTS: usize = 10;
/// How often a registry is asked for a link to a place that takes it.
const MAX_LINKS: u32 = 3;

impl Http {
    pub(super) fn new(clients: Clients, base: Url, auth: Auth, pace: Pace, shared: &Shared) -> Self {
        Self { clients, base, auth, pace, permits: shared.permits.clone(), cooldown: shared.cooldown.clone() }
    }

    pub(super) const fn base(&self) -> &Url {
        &self.base
    }

    /// Sends a request until there is an answer worth giving, whatever its status.
    pub(super) async fn send(&self, request: &Request<'_>) -> Result<Answer, StoreError> {
        let mut tries = self.pace.start(&self.cooldown);
        loop {
            let result = self.once(request, &tries).await;
            if request.is_single {
                return result;
            }
            let error = match result {
                Ok(answer) if answer.is_temporary() => answer.refused().into(),
                // The link has expired, or is not good yet where clocks differ: the registry gives another one.
                Ok(answer) if self.is_led_astray(request, &answer) && tries.tried() < MAX_LINKS => {
                    tries.again_if(answer.refused().into(), true).await?;
                    continue;
                }
                Ok(answer) => return Ok(Answer { is_again: tries.is_again(), ..answer }),
                Err(error) => error,
            };
            // The permit of the answer has gone back before anybody waits.
            tries.again(error).await?;
        }
    }

    /// One try, as soon as the registry does not want peace any more.
    async fn once(&self, request: &Request<'_>, tries: &Tries) -> Result<Answer, StoreError> {
        let host = self.base.host_str().unwrap_or_default();
        let fail = |out| RegistryError::new(&request.method, &request.url, RegistryProblem::Peace(out));
        tries.peace(host).await.map_err(fail)?;
        self.authorized(request).await
    }

    /// One try, with as many logins as make sense: none, a remembered one that has expired, a fresh one.
    async fn authorized(&self, request: &Request<'_>) -> Result<Answer, StoreError> {
        let mut used = None;
        for is_first in [true, false] {
            let answer = self.exchange(request, &mut used).await?;
            // What another host thinks about our login does not concern the registry's.
            if answer.status != StatusCode::UNAUTHORIZED
                || !origin::is_same(&self.base, &answer.url)
                || !self.auth.answer(&request.scope, &answer.headers, used.as_ref(), is_first).await?
            {
                return Ok(self.explained(request, answer, used.as_ref()).await);
            }
        }
        let answer = self.exchange(request, &mut used).await?;
        Ok(self.explained(request, answer, used.as_ref()).await)
    }

    /// The answer, with who asked where the registry says that this may not be.
    async fn explained(&self, request: &Request<'_>, answer: Answer, used: Option<&Authorization>) -> Answer {
        if !matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
            || !origin::is_same(&self.base, &answer.url)
        {
            return answer;
        }
        let access = self.auth.access(&request.scope, &answer, used).await;
        Answer { access: Some(Box::new(access)), ..answer }
    }

    /// Whether the registry has asked for a login.
    pub(super) fn wants_login(&self) -> bool {
        self.auth.is_wanted()
    }

    /// Whether a place that the registry has redirected to does not take whom it has sent.
    fn is_led_astray(&self, request: &Request<'_>, answer: &Answer) -> bool {
        let is_refused = matches!(
            answer.status,
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::GONE
        );
        is_refused && origin::is_same(&self.base, &request.url) && !origin::is_same(&self.base, &answer.url)
    }

    /// One request and its answer, wherever redirects lead. `used` becomes the login that the registry got.
    async fn exchange(&self, request: &Request<'_>, used: &mut Option<Authorization>) -> Result<Answer, StoreError> {
        let mut url = request.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let (response, permits) = self.transfer(request, &url, used).await?;
            let incoming = Incoming { response, _permits: permits, method: request.method.clone(), url: url.clone() };
            if !is_redirect(&request.method, incoming.response.status()) {
                return Ok(if request.is_streamed && incoming.response.status().is_success() {
                    incoming.unread()
                } else {
                    incoming.read(request.limit).await?
                });
            }
            let answer = incoming.read(request.limit).await?;
            let next = answer.header(LOCATION.as_str()).ok_or(LeadError::Missing);
            let next = next.and_then(|next| origin::follow(&self.base, &url, next));
            url = next.map_err(|error| answer.problem(error))?;
        }
        Err(RegistryError::new(&request.method, &request.url, LeadError::TooMany { limit: MAX_REDIRECTS }).into())
    }

    /// One message there and the head of one back, under permits.
    async fn transfer(
        &self,
        request: &Request<'_>,
        url: &Url,
        used: &mut Option<Authorization>,
    ) -> Result<(Response, Vec<OwnedSemaphorePermit>), StoreError> {
        let fail = |problem| StoreError::from(RegistryError::new(&request.method, url, problem));
        let client = self.clients.to(url).map_err(fail)?;
        let mut builder = client.request(request.method.clone(), url.clone()).headers(request.headers.clone());
        let mut permits = Vec::new();
        let mut sending = Sending::of(0);
        builder = match &request.body {
            Body::Empty if request.method == Method::GET || request.method == Method::HEAD => builder,
            Body::Empty => builder.header(CONTENT_LENGTH, 0),
            Body::Bytes(bytes) => builder.body(bytes.clone()),
            // One write, and no permit is held while it is read.
            Body::Content { content, part } if content.blob.size <= SMALL && *part == (0..content.blob.size) => {
                builder.body(read(content.blob, content.source.open(content.blob).await?, SMALL).await?)
            }
            Body::Content { content, part } => {
                permits = self.permits.upload().await;
                let length = part.end.saturating_sub(part.start);
                sending = Sending::of(length);
                let builder = if content.size.is_some() { builder.header(CONTENT_LENGTH, length) } else { builder };
                builder.body(content.part(part, &sending).await?)
            }
        };
        if permits.is_empty() {
            permits = self.permits.request().await;
        }
        // What goes to other hosts is not the registry's to count.
        let _passage = if origin::is_same(&self.base, url) {
            let passage = self.permits.pass().await;
            // Not before: while somebody waits, a token may run out.
            *used = self.auth.ready(&request.scope).await?;
            if let Some(authorization) = used {
                builder = builder.header(AUTHORIZATION, authorization.value());
            }
            Some(passage)
        } else {
            None
        };
        let (begun, patience) = (Instant::now(), Patience::current());
        let trip = patience.trips().begin();
        let answered = sending.watch(builder.send()).await;
        let said = |answer: &dyn Display| {
            let request = || format!("{} {}", request.method, shown(url));
            patience.tell_of_answer(request, answer, begun.elapsed());
        };
        let problem = match answered {
            Ok(Ok(response)) => {
                trip.end();
                said(&response.status());
                return Ok((response, permits));
            }
            Ok(Err(error)) => network(error),
            Err(limit) => RegistryProblem::Silent { limit },
        };
        said(&problem);
        // Where the content failed, the transport only says that something did.
        Err(sending.failure().unwrap_or_else(|| fail(problem)))
    }
}

/// Blob storage, moved registries. A body is sent elsewhere only where the status says that the method stays.
fn is_redirect(method: &Method, status: StatusCode) -> bool {
    match status {
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => true,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER => {
            matches!(*method, Method::GET | Method::HEAD)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::time::{Duration, Instant};

    use super::{
        super::{
            Credential, Credentials, Limits, RegistryOptions, RegistryStore, Secret,
            registry::Registry,
            testing::{Reply, Server, registries},
        },
        *,
    };
    use crate::{
        event::{Event, Progress, StepId},
        oci::Descriptor,
        store::{RetryPolicy, RunPatience, Source, Store},
    };

    #[tokio::test]
    async fn what_may_pass_is_tried_again() {
        let mut answers = vec![Reply::status(503), Reply::status(429).header("retry-after", "0"), Reply::cut()];
        let server = Server::with(move |_, _| answers.pop()).await;
        let tags = server.store("a").tags().await.unwrap();
        assert_eq!((tags.len(), server.log().len()), (0, 4));
    }

    #[tokio::test]
    async fn what_does_not_pass_is_a_temporary_error_in_the_end() {
        let server = Server::with(|_, _| Some(Reply::status(503).body("<html>busy"))).await;
        let error = server.store("a").tags().await.unwrap_err();
        let expected =
            format!("GET http://{}/v2/a/tags/list: 503 Service Unavailable (tried 8 times over ", server.name);
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert_eq!((error.is_temporary(), server.log().len()), (true, 8));
    }

    #[tokio::test]
    async fn round_trips_that_wait_for_each_other_are_counted() {
        let server = Server::start().await;
        let store = server.store("a");
        let policy = RetryPolicy::default();
        let patience = Patience::new(policy, &RunPatience::new(policy), None);
        let asking = async {
            store.tags().await.unwrap();
            let (blob, other) = (Descriptor::of("a/b", b"x"), Descriptor::of("a/b", b"y"));
            let (one, two) = tokio::join!(store.has_blob(&blob), store.has_blob(&other));
            assert!(!one.unwrap() && !two.unwrap());
        };
        Arc::clone(&patience).scope(asking).await;
        assert_eq!((server.log().len(), patience.trips().count()), (3, 2));
    }

    #[tokio::test]
    async fn what_is_refused_is_not_tried_again() {
        let server = Server::with(|_, _| Some(Reply::status(403))).await;
        let error = server.store("a").tags().await.unwrap_err();
        assert!(!error.is_temporary());
        assert_eq!(server.log().len(), 1);
    }

    #[tokio::test]
    async fn nobody_there_is_a_temporary_error() {
        let name = Server::start().await.name.to_string().replace("127.0.0.1", "127.0.0.77").parse().unwrap();
        let store = registries(Credentials::none()).repository(&name, &"a".parse().unwrap());
        let error = store.tags().await.unwrap_err();
        assert!(error.is_temporary() && error.to_string().contains("onnect"), "{error}");
    }

    #[tokio::test]
    async fn a_redirect_to_another_place_is_followed_without_the_login() {
        let content = b"content".to_vec();
        let blob = Descriptor::of("a/b", &content);
        let storage = Server::with(move |_, _| Some(Reply::status(200).body(content.clone()))).await;
        let place = format!("http://{}/storage?signature=x", storage.name);
        let server = Server::with(move |received, _| {
            Some(match (received.header("authorization"), received.path.contains("/tags/")) {
                (None, _) => Reply::status(401).header("www-authenticate", "Basic realm=\"x\""),
                (Some(_), true) => Reply::status(308).header("location", "http://169.254.169.254/latest?token=x"),
                (Some(_), false) => Reply::status(307).header("location", &place),
            })
        })
        .await;
        let me = Credential::Basic { username: "me".to_owned(), password: Secret::new("hunter2") };
        let credentials = Credentials::none().with(server.name.clone(), me);
        let store = registries(credentials).repository(&server.name, &"a".parse().unwrap());
        assert_eq!(read(&blob, store.blob(&blob).await.unwrap(), 100).await.unwrap(), "content");
        let received = storage.received();
        assert_eq!((received.len(), received[0].query.as_str()), (1, "signature=x"));
        assert_eq!(received[0].header("authorization"), None);
        assert_eq!(server.log().len(), 2);
        let error = store.tags().await.unwrap_err();
        assert!(error.to_string().contains("`http://169.254.169.254/latest`, an address of this"), "{error}");
        assert_eq!(server.log().len(), 1);
    }

    #[tokio::test]
    async fn requests_are_told_with_their_answers_and_without_what_is_secret() {
        let server = Server::with(|received, _| {
            Some(match received.header("authorization") {
                None => Reply::status(401).header("www-authenticate", "Basic realm=\"x\""),
                Some(_) => Reply::status(307).header("location", "/elsewhere?signature=hunter3"),
            })
        })
        .await;
        let me = Credential::Basic { username: "me".to_owned(), password: Secret::new("hunter2") };
        let store = registries(Credentials::none().with(server.name.clone(), me));
        let store = store.repository(&server.name, &"a".parse().unwrap());
        let (tx, mut rx) = tokio::sync::mpsc::unbounded_channel();
        let progress = Progress::new(StepId::new(0, "list"), tx);
        let policy = RetryPolicy { max: 1, ..RetryPolicy::default() };
        let patience = Patience::new(policy, &RunPatience::new(policy), Some(progress));
        patience.scope(store.tags()).await.unwrap_err();
        let mut told = Vec::new();
        while let Ok(event) = rx.try_recv() {
            assert!(!format!("{event:?}").contains("hunter"), "{event:?}");
            if let Event::Requested { request, answer, .. } = event {
                told.push(format!("{request}: {answer}").replace(&server.name.to_string(), "r.io"));
            }
        }
        let first = [
            "GET http://r.io/v2/a/tags/list: 401 Unauthorized",
            "GET http://r.io/v2/a/tags/list: 307 Temporary Redirect",
        ];
        assert_eq!(told[..2], first);
        assert!(told[2..].iter().all(|it| it == "GET http://r.io/elsewhere: 307 Temporary Redirect"), "{told:?}");
    }

    #[tokio::test]
    async fn a_circle_of_redirects_ends() {
        let server = Server::with(|_, _| Some(Reply::status(307).header("location", "/again"))).await;
        let error = server.store("a").tags().await.unwrap_err();
        assert!(error.to_string().ends_with("the registry redirects more than 10 times"), "{error}");
        assert_eq!(server.log().len(), 11);
    }

    #[tokio::test]
    async fn an_upload_goes_elsewhere_without_the_login() {
        let storage = Server::with(|_, _| Some(Reply::status(201))).await;
        let place = format!("http://{}/sink", storage.name);
        let server = Server::with(move |received, _| {
            Some(match received.header("authorization") {
                None => Reply::status(401).header("www-authenticate", "Basic"),
                Some(_) => Reply::status(202).header("location", &place),
            })
        })
        .await;
        let me = Credential::Basic { username: "me".to_owned(), password: Secret::new("hunter2") };
        let credentials = Credentials::none().with(server.name.clone(), me);
        let store = registries(credentials).repository(&server.name, &"a".parse().unwrap());
        let blob = Descriptor::of("a/b", b"x");
        store.push_blob(&blob, &Source::bytes("x"), None).await.unwrap();
        assert_eq!(server.log(), ["POST /v2/a/blobs/uploads/?digest=sha256:2d71"; 2]);
        let received = storage.received();
        assert_eq!(received[0].header("authorization"), None);
        assert_eq!(received[0].body, "x");
    }

    #[tokio::test]
    async fn a_link_that_has_expired_is_asked_for_again() {
        let content = b"content".to_vec();
        let blob = Descriptor::of("a/b", &content);
        for (expired, is_found) in [(2, true), (3, false)] {
            let content = content.clone();
            let storage = Server::with(move |received, _| {
                let link: u32 = received.query.trim_start_matches("link=").parse().unwrap();
                let gone = Reply::status(403).body("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>");
                Some(if link > expired { Reply::status(200).body(content.clone()) } else { gone })
            })
            .await;
            let (place, mut links) = (format!("http://{}/storage", storage.name), 0);
            let server = Server::with(move |_, _| {
                links += 1;
                Some(Reply::status(307).header("location", format!("{place}?link={links}")))
            })
            .await;
            let stream = server.store("a").blob(&blob).await;
            assert_eq!((stream.is_ok(), server.log().len()), (is_found, 3));
            if let Ok(stream) = stream {
                assert_eq!(read(&blob, stream, 100).await.unwrap(), "content");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_requests_come_than_the_limits_allow() {
        let arrivals = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&arrivals);
        let server = Server::with(move |_, _| {
            log.lock().unwrap().push(Instant::now());
            None
        })
        .await;
        let limits = Limits { concurrency: 4, rate: Some("20/s".parse().unwrap()) };
        let shared =
            Shared { known: Arc::default(), permits: Permits::new(limits), cooldown: super::Cooldown::default() };
        let (clients, options) = (Clients::new().unwrap(), RegistryOptions::default());
        let registry = Registry::new(&server.name, &clients, &options, Pace::patient(), shared);
        let registry = Arc::new(registry);
        let names = (0..100).map(|number| format!("a{number}").parse().unwrap());
        let stores: Vec<_> = names.map(|name| RegistryStore::new(Arc::clone(&registry), &name, Vec::new())).collect();
        futures_util::future::try_join_all(stores.iter().map(Store::tags)).await.unwrap();
        let arrivals = arrivals.lock().unwrap();
        let second = Duration::from_secs(1);
        let in_a_second =
            |first: &Instant| arrivals.iter().filter(|it| **it >= *first && **it < *first + second).count();
        assert_eq!((arrivals.len(), arrivals.iter().map(in_a_second).max()), (100, Some(20)));
        let took = *arrivals.last().unwrap() - arrivals[0];
        assert!(took < Duration::from_secs(6), "{took:?}");
    }
}
