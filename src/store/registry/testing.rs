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
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

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
    /// After how many bytes of the body the connection is cut, and how. With none, there is no answer at all.
    pub(super) cut: Option<(usize, Cut)>,
}

/// How a connection ends too early.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cut {
    /// In order: FIN.
    Closed,
    /// At once: RST.
    Reset,
}

/// Looks at the head of a request. A number: the connection is reset after so many bytes of its body.
type Scissors = Box<dyn FnMut(&Received) -> Option<usize> + Send>;

/// Looks at a request before the registry does. Nothing: the registry answers.
type Hook = Box<dyn FnMut(&Received, &mut Shelf) -> Option<Reply> + Send>;

/// What the registry keeps, of all repositories together but for their names.
#[derive(Debug, Default)]
pub(in crate::store) struct Shelf {
    pub(in crate::store) blobs: BTreeMap<(String, Digest), Bytes>,
    pub(in crate::store) manifests: BTreeMap<(String, Digest), (String, Bytes)>,
    pub(in crate::store) tags: BTreeMap<(String, String), Digest>,
    /// Upload sessions, and what has come.
    pub(super) sessions: BTreeMap<String, Vec<u8>>,
    sessions_opened: usize,
    /// Whether what came of a body that broke off is kept.
    pub(super) keeps_pieces: bool,
    /// Whether a part of a blob can be asked for.
    pub(super) gives_ranges: bool,
    /// Whether a blob is taken with the request that would open a session.
    pub(super) takes_posts: bool,
}

/// A registry that runs until the test ends.
pub(in crate::store) struct Server {
    pub(in crate::store) name: RegistryName,
    state: Arc<Mutex<State>>,
}

struct State {
    log: Vec<Received>,
    shelf: Shelf,
    hook: Hook,
    scissors: Scissors,
}

impl Reply {
    pub(super) fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(super) fn cut() -> Self {
        Self::default().cut_after(0, Cut::Closed)
    }

    pub(super) fn cut_after(self, bytes: usize, how: Cut) -> Self {
        Self { cut: Some((bytes, how)), ..self }
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

    /// Whether it announces more than what is read before it is sent.
    pub(super) fn body_is_large(&self) -> bool {
        self.header("content-length").is_some_and(|length| length.len() > 6)
    }

    /// Method and path; digests cut short, so that tests can be read.
    fn line(&self) -> String {
        let session = self.path.split_once("/blobs/uploads/").filter(|(_, session)| !session.is_empty());
        let path = session.map_or_else(|| self.path.clone(), |(start, _)| format!("{start}/blobs/uploads/session"));
        let mut line = format!("{} {path}", self.method);
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
    pub(in crate::store) async fn start() -> Self {
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
        let state =
            State { log: Vec::new(), shelf: Shelf::default(), hook: Box::new(hook), scissors: Box::new(|_| None) };
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
    pub(in crate::store) fn store(&self, repository: &str) -> Arc<RegistryStore> {
        registries(Credentials::none()).repository(&self.name, &repository.parse().unwrap())
    }

    /// Every request since this was last asked.
    pub(in crate::store) fn log(&self) -> Vec<String> {
        let log = std::mem::take(&mut self.state.lock().unwrap().log);
        log.iter().map(Received::line).collect()
    }

    /// Every request since this was last asked, whole.
    pub(super) fn received(&self) -> Vec<Received> {
        std::mem::take(&mut self.state.lock().unwrap().log)
    }

    /// From now on `scissors` see the head of every request first.
    pub(super) fn cut(&self, scissors: impl FnMut(&Received) -> Option<usize> + Send + 'static) {
        self.state.lock().unwrap().scissors = Box::new(scissors);
    }

    pub(in crate::store) fn shelf<T>(&self, look: impl FnOnce(&mut Shelf) -> T) -> T {
        look(&mut self.state.lock().unwrap().shelf)
    }
}

/// A run of its own.
pub(in crate::store) fn registries(credentials: Credentials) -> Registries {
    run(RegistryOptions { credentials, ..RegistryOptions::default() })
}

/// A run of its own with these options.
pub(super) fn run(options: RegistryOptions) -> Registries {
    Registries::with_pace(options, Pace::immediate()).unwrap()
}

/// `is_known`: whoever asks has shown a certificate.
async fn serve(connection: impl Connection, state: Arc<Mutex<State>>, is_known: bool) {
    let mut connection = BufReader::new(connection);
    while let Some(mut received) = head(&mut connection).await {
        received.is_known = is_known;
        let cut = (state.lock().unwrap().scissors)(&received);
        let Some(body) = body(&mut connection, &received, cut.unwrap_or(usize::MAX)).await else { return };
        received.body = body.into();
        if cut.is_some() {
            let mut state = state.lock().unwrap();
            state.shelf.keep_piece(&received);
            state.log.push(received);
            return connection.get_ref().stream().set_zero_linger().unwrap();
        }
        let reply = {
            let mut state = state.lock().unwrap();
            state.log.push(received.clone());
            let State { shelf, hook, .. } = &mut *state;
            hook(&received, shelf).unwrap_or_else(|| shelf.answer(&received))
        };
        if reply.status == 0 {
            return reply.end(&connection);
        }
        let mut head = format!("HTTP/1.1 {} x\r\n", reply.status);
        for (name, value) in &reply.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        if !reply.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
            write!(head, "content-length: {}\r\n", reply.body.len()).unwrap();
        }
        head.push_str("\r\n");
        let mut body = if received.method == "HEAD" { Bytes::new() } else { reply.body.clone() };
        if let Some((bytes, _)) = reply.cut {
            body.truncate(bytes);
        }
        let declared = reply.headers.iter().find(|(name, _)| name == "content-length");
        let is_short = declared.is_some_and(|(_, length)| *length != body.len().to_string());
        let _ = connection.write_all(&[head.as_bytes(), &body].concat()).await;
        if is_short || reply.cut.is_some() {
            return reply.end(&connection);
        }
    }
}

impl Reply {
    fn end(&self, connection: &BufReader<impl Connection>) {
        if let Some((_, Cut::Reset)) = self.cut {
            connection.get_ref().stream().set_zero_linger().unwrap();
        }
    }
}

/// What a client is connected by.
trait Connection: AsyncRead + AsyncWrite + Unpin {
    fn stream(&self) -> &TcpStream;
}

impl Connection for TcpStream {
    fn stream(&self) -> &TcpStream {
        self
    }
}

impl Connection for TlsStream<TcpStream> {
    fn stream(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// The body, at most so much of it.
async fn body(connection: &mut BufReader<impl Connection>, received: &Received, most: usize) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    if received.header("transfer-encoding") != Some("chunked") {
        let length = received.header("content-length").map_or(0, |length| length.parse().unwrap());
        body.resize(most.min(length), 0);
        connection.read_exact(&mut body).await.ok()?;
        return Some(body);
    }
    while body.len() < most {
        let mut line = String::new();
        connection.read_line(&mut line).await.ok()?;
        let length = usize::from_str_radix(line.trim(), 16).ok()?;
        let mut chunk = vec![0; length + 2];
        connection.read_exact(&mut chunk).await.ok()?;
        body.extend_from_slice(&chunk[..length]);
        if length == 0 {
            break;
        }
    }
    body.truncate(most);
    Some(body)
}

async fn head(connection: &mut BufReader<impl Connection>) -> Option<Received> {
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
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let (path, query) = (path.to_owned(), query.to_owned());
    Some(Received { method, path, query, headers, body: Bytes::new(), is_known: false })
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
                Some(blob) => self.content(received, blob),
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
        Reply::status(if received.path == "/v2/" { 200 } else { 404 }).body("404 page not found\n")
    }

    fn upload(&mut self, received: &Received, repository: &str) -> Reply {
        let query: BTreeMap<_, _> = url::form_urlencoded::parse(received.query.as_bytes()).into_owned().collect();
        let (_, session) = received.path.split_once("/blobs/uploads/").unwrap();
        let location = |session: &str| format!("/v2/{repository}/blobs/uploads/{session}?state=x");
        let range = |session: &str, content: &[u8]| {
            let range = format!("0-{}", content.len().saturating_sub(1));
            Reply::status(202).header("location", location(session)).header("range", range)
        };
        match received.method.as_str() {
            "PUT" => {
                let mut content = self.sessions.remove(session).unwrap_or_default();
                content.extend_from_slice(&received.body);
                let digest: Digest = query.get("digest").unwrap().parse().unwrap();
                if Digest::sha256(&content) != digest {
                    return Reply::status(400).body(r#"{"errors":[{"code":"DIGEST_INVALID","message":"not that"}]}"#);
                }
                self.blobs.insert((repository.to_owned(), digest), content.into());
                return Reply::status(201);
            }
            "PATCH" | "GET" | "DELETE" => {
                let Some(content) = self.sessions.get_mut(session) else { return unknown("BLOB_UPLOAD_UNKNOWN") };
                let start = received.header("content-range").map(|range| range.split_once('-').unwrap().0);
                if start.is_some_and(|start| start != content.len().to_string()) {
                    return Reply { status: 416, ..range(session, content) };
                }
                content.extend_from_slice(&received.body);
                let reply = range(session, content);
                if received.method == "DELETE" {
                    self.sessions.remove(session);
                }
                return Reply { status: if received.method == "PATCH" { 202 } else { 204 }, ..reply };
            }
            _ => {}
        }
        if let (Some(digest), Some(from)) = (query.get("mount"), query.get("from")) {
            let digest: Digest = digest.parse().unwrap();
            if let Some(blob) = self.blobs.get(&(from.clone(), digest.clone())).cloned() {
                self.blobs.insert((repository.to_owned(), digest), blob);
                return Reply::status(201);
            }
        }
        if let Some(digest) = query.get("digest").filter(|_| self.takes_posts) {
            let digest: Digest = digest.parse().unwrap();
            assert_eq!(digest, Digest::sha256(&received.body));
            self.blobs.insert((repository.to_owned(), digest), received.body.clone());
            return Reply::status(201);
        }
        self.sessions_opened += 1;
        let session = self.sessions_opened.to_string();
        self.sessions.insert(session.clone(), Vec::new());
        Reply::status(202).header("location", location(&session))
    }

    fn keep_piece(&mut self, received: &Received) {
        let Some((_, session)) = received.path.split_once("/blobs/uploads/") else { return };
        if let Some(content) = self.sessions.get_mut(session).filter(|_| self.keeps_pieces) {
            content.extend_from_slice(&received.body);
        }
    }

    fn content(&self, received: &Received, blob: &Bytes) -> Reply {
        let range = received.header("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        let Some((start, last)) = range.filter(|_| self.gives_ranges) else {
            return Reply::status(200).body(blob.clone());
        };
        let start: usize = start.parse().unwrap();
        let end = last.parse().map_or(blob.len(), |last: usize| last + 1).min(blob.len());
        let range = format!("bytes {start}-{}/{}", end - 1, blob.len());
        Reply::status(206).header("content-range", range).body(blob.slice(start..end))
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
