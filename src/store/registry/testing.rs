//! A small registry for tests, in this process and on loopback: it keeps what it gets, counts what it is asked, and
//! can be told to answer otherwise.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::{Credentials, Registries, RegistryOptions, RegistryStore, pace::Pace};
use crate::oci::{Digest, RegistryName};

/// A request, as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Bytes,
    /// Whether a certificate of the client came with the connection.
    pub(super) is_known: bool,
}

/// What to answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
    /// Whether the connection is cut in the place of an answer.
    pub(super) is_cut: bool,
}

/// Looks at a request before the registry does. Nothing: the registry answers.
type Hook = Box<dyn FnMut(&Received, &mut Shelf) -> Option<Reply> + Send>;

/// What the registry keeps, of all repositories together but for their names.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub(super) blobs: BTreeMap<(String, Digest), Bytes>,
    pub(super) manifests: BTreeMap<(String, Digest), (String, Bytes)>,
    pub(super) tags: BTreeMap<(String, String), Digest>,
}

/// A registry that runs until the test ends.
pub(super) struct Server {
    pub(super) name: RegistryName,
    state: Arc<Mutex<State>>,
}

struct State {
    log: Vec<Received>,
    shelf: Shelf,
    hook: Hook,
}

impl Reply {
    pub(super) fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(super) fn cut() -> Self {
        Self { is_cut: true, ..Self::default() }
    }

    pub(super) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(super) fn body(self, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self }
    }
}

impl Received {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Method and path; digests cut short, so that tests can be read.
    fn line(&self) -> String {
        let mut line = format!("{} {}", self.method, self.path);
        if !self.query.is_empty() {
            line = format!("{line}?{}", self.query.replace("%3A", ":"));
        }
        for separator in [":", "-"] {
            let marker = format!("sha256{separator}");
            let parts: Vec<_> = line.split(&marker).collect();
            let cut = parts[1..].iter().map(|part| format!("{marker}{}{}", &part[..4], &part[64..]));
            line = std::iter::once(parts[0].to_owned()).chain(cut).collect();
        }
        line
    }
}

impl Server {
    /// A registry without the referrers API, like CNCF distribution.
    pub(super) async fn start() -> Self {
        Self::with(|_, _| None).await
    }

    /// The same, where `hook` sees every request first.
    pub(super) async fn with(hook: impl FnMut(&Received, &mut Shelf) -> Option<Reply> + Send + 'static) -> Self {
        Self::behind(None, hook).await
    }

    /// The same over TLS.
    pub(super) async fn behind(
        tls: Option<TlsAcceptor>,
        hook: impl FnMut(&Received, &mut Shelf) -> Option<Reply> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let name = listener.local_addr().unwrap().to_string().parse().unwrap();
        let state = State { log: Vec::new(), shelf: Shelf::default(), hook: Box::new(hook) };
        let state = Arc::new(Mutex::new(state));
        let server = Self { name, state: Arc::clone(&state) };
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (state, tls) = (Arc::clone(&state), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(connection, state, false).await,
                        Some(tls) => {
                            if let Ok(connection) = tls.accept(connection).await {
                                let is_known = connection.get_ref().1.peer_certificates().is_some();
                                serve(connection, state, is_known).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }

    /// A repository for a run of its own.
    pub(super) fn store(&self, repository: &str) -> Arc<RegistryStore> {
        registries(Credentials::none()).repository(&self.name, &repository.parse().unwrap())
    }

    /// Every request since this was last asked.
    pub(super) fn log(&self) -> Vec<String> {
        let log = std::mem::take(&mut self.state.lock().unwrap().log);
        log.iter().map(Received::line).collect()
    }

    /// Every request since this was last asked, whole.
    pub(super) fn received(&self) -> Vec<Received> {
        std::mem::take(&mut self.state.lock().unwrap().log)
    }

    pub(super) fn shelf<T>(&self, look: impl FnOnce(&mut Shelf) -> T) -> T {
        look(&mut self.state.lock().unwrap().shelf)
    }
}

/// A run of its own.
pub(super) fn registries(credentials: Credentials) -> Registries {
    run(RegistryOptions { credentials, ..RegistryOptions::default() })
}

/// A run of its own with these options.
pub(super) fn run(options: RegistryOptions) -> Registries {
    Registries::with_pace(options, Pace::immediate()).unwrap()
}

/// `is_known`: whoever asks has shown a certificate.
async fn serve(connection: impl AsyncRead + AsyncWrite + Unpin, state: Arc<Mutex<State>>, is_known: bool) {
    let mut connection = BufReader::new(connection);
    while let Some(received) = receive(&mut connection).await {
        let received = Received { is_known, ..received };
        let reply = {
            let mut state = state.lock().unwrap();
            state.log.push(received.clone());
            let State { shelf, hook, .. } = &mut *state;
            hook(&received, shelf).unwrap_or_else(|| shelf.answer(&received))
        };
        if reply.is_cut {
            return;
        }
        let mut head = format!("HTTP/1.1 {} x\r\n", reply.status);
        for (name, value) in &reply.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        if !reply.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
            write!(head, "content-length: {}\r\n", reply.body.len()).unwrap();
        }
        head.push_str("\r\n");
        let body = if received.method == "HEAD" { Bytes::new() } else { reply.body };
        let declared = reply.headers.iter().find(|(name, _)| name == "content-length");
        let is_short = declared.is_some_and(|(_, length)| *length != body.len().to_string());
        let _ = connection.write_all(&[head.as_bytes(), &body].concat()).await;
        if is_short {
            return;
        }
    }
}

async fn receive(connection: &mut BufReader<impl AsyncRead + Unpin>) -> Option<Received> {
    let mut line = String::new();
    connection.read_line(&mut line).await.ok()?;
    let mut parts = line.split(' ');
    let (method, target) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await.ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    Some(Received {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: body.into(),
        is_known: false,
    })
}

impl Shelf {
    /// What a plain registry answers.
    pub(super) fn answer(&mut self, received: &Received) -> Reply {
        let path = received.path.strip_prefix("/v2/").unwrap_or_default().to_owned();
        if let Some((repository, _)) = path.split_once("/blobs/uploads/") {
            return self.upload(received, repository);
        }
        if let Some((repository, digest)) = path.split_once("/blobs/") {
            let key = (repository.to_owned(), digest.parse().unwrap());
            return match self.blobs.get(&key) {
                Some(blob) => Reply::status(200).body(blob.clone()),
                None => unknown("BLOB_UNKNOWN"),
            };
        }
        if let Some((repository, target)) = path.split_once("/manifests/") {
            return self.manifest(received, repository, target);
        }
        if let Some(repository) = path.strip_suffix("/tags/list") {
            let tags: Vec<_> = self.tags.keys().filter(|(name, _)| name == repository).map(|(_, tag)| tag).collect();
            let body = serde_json::json!({ "name": repository, "tags": tags });
            return Reply::status(200).body(body.to_string());
        }
        Reply::status(404).body("404 page not found\n")
    }

    fn upload(&mut self, received: &Received, repository: &str) -> Reply {
        let query: BTreeMap<_, _> = url::form_urlencoded::parse(received.query.as_bytes()).into_owned().collect();
        if received.method == "PUT" {
            let digest: Digest = query.get("digest").unwrap().parse().unwrap();
            if Digest::sha256(&received.body) != digest {
                return Reply::status(400);
            }
            self.blobs.insert((repository.to_owned(), digest), received.body.clone());
            return Reply::status(201);
        }
        if let (Some(digest), Some(from)) = (query.get("mount"), query.get("from")) {
            let digest: Digest = digest.parse().unwrap();
            if let Some(blob) = self.blobs.get(&(from.clone(), digest.clone())).cloned() {
                self.blobs.insert((repository.to_owned(), digest), blob);
                return Reply::status(201);
            }
        }
        Reply::status(202).header("location", format!("/v2/{repository}/blobs/uploads/session?state=x"))
    }

    fn manifest(&mut self, received: &Received, repository: &str, target: &str) -> Reply {
        let named = || {
            target
                .parse::<Digest>()
                .ok()
                .or_else(|| self.tags.get(&(repository.to_owned(), target.to_owned())).cloned())
        };
        match received.method.as_str() {
            "PUT" => {
                let digest = Digest::sha256(&received.body);
                let content = (received.headers["content-type"].clone(), received.body.clone());
                self.manifests.insert((repository.to_owned(), digest.clone()), content);
                if target.parse::<Digest>().is_err() {
                    self.tags.insert((repository.to_owned(), target.to_owned()), digest.clone());
                }
                Reply::status(201).header("docker-content-digest", digest.to_string())
            }
            "DELETE" => {
                let Ok(digest) = target.parse::<Digest>() else { return unknown_digest() };
                self.tags.retain(|(name, _), target| name != repository || *target != digest);
                match self.manifests.remove(&(repository.to_owned(), digest)) {
                    Some(_) => Reply::status(202),
                    None => unknown("MANIFEST_UNKNOWN"),
                }
            }
            _ => {
                let Some(digest) = named() else { return unknown("MANIFEST_UNKNOWN") };
                match self.manifests.get(&(repository.to_owned(), digest.clone())) {
                    Some((media_type, bytes)) => Reply::status(200)
                        .header("content-type", media_type)
                        .header("docker-content-digest", digest.to_string())
                        .body(bytes.clone()),
                    None => unknown("MANIFEST_UNKNOWN"),
                }
            }
        }
    }
}

fn unknown(code: &str) -> Reply {
    Reply::status(404).body(format!(r#"{{"errors":[{{"code":"{code}","message":"not here"}}]}}"#))
}

/// Distribution takes a tag for a digest here.
fn unknown_digest() -> Reply {
    Reply::status(400).body(r#"{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match"}]}"#)
}
