//! One request in, one answer out.

use std::sync::Arc;

use hyper::{
    Method, Request,
    body::{Body as _, Incoming},
    header::{self, HeaderName, HeaderValue},
    http::request::Parts,
};

use super::{
    ServeOptions, access::Log, answer::Answer, body, counters::Counters, failure::Failure, request::Head, route::Route,
    sessions::Sessions,
};
use crate::{
    oci::RepositoryName,
    store::{Host, Hosted},
};

/// What every request needs.
pub(super) struct Service {
    pub(super) host: Arc<dyn Host>,
    pub(super) options: ServeOptions,
    pub(super) sessions: Sessions,
    pub(super) counters: Counters,
    pub(super) log: Arc<dyn Log>,
}

/// What older clients look for to know a registry.
const API_VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("docker-distribution-api-version"), HeaderValue::from_static("registry/2.0"));

impl Service {
    /// Answers a request. The user is who it proved to be.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> (Answer, Option<String>) {
        let (Parts { method, uri, headers, .. }, mut body) = request.into_parts();
        let head = Head::new(method, headers, uri.query().unwrap_or_default());
        let user = match self.user(&head).await {
            Ok(user) => user,
            Err(failure) => return (self.fail(&failure, &head, &mut body).await, None),
        };
        let mut answer = match self.dispatch(&head, uri.path(), &mut body).await {
            Ok(answer) => answer,
            Err(failure) => self.fail(&failure, &head, &mut body).await,
        };
        let (name, value) = API_VERSION;
        answer.headers_mut().insert(name, value);
        (answer, user)
    }

    async fn user(&self, head: &Head) -> Result<Option<String>, Failure> {
        let Some(users) = &self.options.users else {
            return Ok(None);
        };
        let header = head.header(header::AUTHORIZATION).ok_or(Failure::Unauthorized)?;
        users.user(header).await.map(Some).ok_or(Failure::Unauthorized)
    }

    async fn fail(&self, failure: &Failure, head: &Head, body: &mut Incoming) -> Answer {
        if let Failure::Internal(error) = failure {
            self.log.problem(&error.to_string());
        }
        // Who waits to be told to go on is told not to.
        if !body.is_end_stream() && !head.headers.contains_key(header::EXPECT) {
            body::drain(body).await;
        }
        if head.method == Method::HEAD { failure.answer_without_body() } else { failure.answer() }
    }

    async fn dispatch(&self, head: &Head, path: &str, body: &mut Incoming) -> Result<Answer, Failure> {
        let route = Route::parse(path)?;
        let reads = matches!(head.method, Method::GET | Method::HEAD);
        if !reads && self.options.read_only {
            return Err(Failure::NotAllowed { message: "this registry is only read", allow: "GET, HEAD" });
        }
        match (&head.method, &route) {
            (&Method::GET | &Method::HEAD, Route::Base) => Ok(Self::base()),
            (&Method::GET | &Method::HEAD, Route::Metrics) => Ok(self.metrics()),
            (&Method::GET | &Method::HEAD, Route::Catalog) => self.catalog(head).await,
            (&Method::GET | &Method::HEAD, Route::Tags(name)) => self.tags(head, name).await,
            (&Method::GET | &Method::HEAD, Route::Referrers(name, subject)) => {
                self.referrers(head, name, subject).await
            }
            (&Method::GET | &Method::HEAD, Route::Manifest(name, target)) => {
                self.pull_manifest(head, name, target).await
            }
            (&Method::PUT, Route::Manifest(name, target)) => self.push_manifest(head, name, target, body).await,
            (&Method::DELETE, Route::Manifest(name, target)) => self.delete_manifest(head, name, target).await,
            (&Method::GET | &Method::HEAD, Route::Blob(name, digest)) => self.pull_blob(head, name, digest).await,
            (&Method::DELETE, Route::Blob(name, digest)) => self.delete_blob(name, digest).await,
            (&Method::POST, Route::Uploads(name)) => self.begin_upload(head, name, body).await,
            (method, Route::Upload(name, id)) => {
                let session = self.sessions.find(name, id)?;
                match *method {
                    Method::GET | Method::HEAD => Ok(Self::upload_status(&session)),
                    Method::PATCH => self.upload_chunk(head, &session, body).await,
                    Method::PUT => self.finish_upload(head, name, &session, body).await,
                    Method::DELETE => Ok(self.cancel_upload(&session)),
                    _ => Err(not_allowed(&route)),
                }
            }
            _ => Err(not_allowed(&route)),
        }
    }

    /// The repository, which must be there.
    pub(super) async fn repository(&self, name: &RepositoryName) -> Result<Arc<dyn Hosted>, Failure> {
        self.host.find(name).await?.ok_or_else(|| Failure::NameUnknown { name: name.to_string() })
    }
}

const fn not_allowed(route: &Route) -> Failure {
    Failure::NotAllowed { message: "this cannot be done here", allow: route.methods() }
}
