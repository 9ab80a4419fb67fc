//! Proxies, and what of a plan's settings reaches a registry.

use std::{
    fs,
    sync::{Arc, Mutex},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use super::Test;

/// What arrived: the first line of each message and the headers that matter.
type Log = Arc<Mutex<Vec<String>>>;

/// A registry with one tag that wants a login, and a proxy that is asked for anything and brings it there.
struct Net {
    /// Stops with it.
    _runtime: Runtime,
    registry: String,
    proxy: String,
    at_registry: Log,
    at_proxy: Log,
    /// The certificate of whoever signed the registry's, in PEM.
    ca: String,
}

impl Net {
    /// With `tls`, the registry is `r.example.test` and knows only HTTPS.
    fn new(tls: bool) -> Self {
        let runtime = Runtime::new().unwrap();
        let (at_registry, at_proxy) = (Log::default(), Log::default());
        let (acceptor, ca) = acceptor();
        let bind = || runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let (registry, proxy) = (bind(), bind());
        let (registry_name, proxy_name) = (registry.local_addr().unwrap(), proxy.local_addr().unwrap());
        let log = Arc::clone(&at_registry);
        runtime.spawn(async move {
            while let Ok((connection, _)) = registry.accept().await {
                let (log, acceptor) = (Arc::clone(&log), acceptor.clone());
                tokio::spawn(async move {
                    if !tls {
                        answer(connection, &log).await;
                    } else if let Ok(connection) = acceptor.accept(connection).await {
                        answer(connection, &log).await;
                    }
                });
            }
        });
        let log = Arc::clone(&at_proxy);
        let to = registry_name.to_string();
        runtime.spawn(async move {
            while let Ok((connection, _)) = proxy.accept().await {
                tokio::spawn(carry(connection, to.clone(), Arc::clone(&log)));
            }
        });
        Self {
            _runtime: runtime,
            registry: registry_name.to_string(),
            proxy: format!("http://me:proxyword@{proxy_name}"),
            at_registry,
            at_proxy,
            ca,
        }
    }

    /// What arrived since this was last asked: at the proxy, at the registry.
    fn logs(&self) -> (Vec<String>, Vec<String>) {
        [&self.at_proxy, &self.at_registry].map(|log| std::mem::take(&mut *log.lock().unwrap())).into()
    }
}

/// TLS for `r.example.test`, signed by a house of its own.
fn acceptor() -> (TlsAcceptor, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["r.example.test".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    (TlsAcceptor::from(Arc::new(config)), issuer.pem())
}

/// The head of a message, in lower case but for its first line.
async fn head(connection: &mut BufReader<impl AsyncRead + Unpin>) -> Option<(String, Vec<String>)> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let first = lines.remove(0);
    Some((first, lines.iter().map(|line| line.to_ascii_lowercase()).collect()))
}

fn record(log: &Log, first: &str, headers: &[String]) {
    let auth = headers.iter().filter(|header| header.contains("authorization:"));
    let mut entry = first.trim_end_matches(" HTTP/1.1").to_owned();
    for header in auth {
        entry.push_str(", ");
        entry.push_str(header);
    }
    log.lock().unwrap().push(entry);
}

async fn answer(connection: impl AsyncRead + AsyncWrite + Unpin, log: &Log) {
    let mut connection = BufReader::new(connection);
    while let Some((first, headers)) = head(&mut connection).await {
        record(log, &first, &headers);
        let is_in = headers.iter().any(|header| header.starts_with("authorization: "));
        let answer = if is_in {
            let body = "{\"name\":\"app\",\"tags\":[\"v1\"]}";
            format!("HTTP/1.1 200 x\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        } else {
            "HTTP/1.1 401 x\r\nwww-authenticate: Basic\r\ncontent-length: 0\r\n\r\n".to_owned()
        };
        if connection.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// `CONNECT` makes a tunnel; anything else is handed on as a proxy does, without what was meant for the proxy.
async fn carry(connection: TcpStream, to: String, log: Log) {
    let mut connection = BufReader::new(connection);
    let Some((first, headers)) = head(&mut connection).await else { return };
    record(&log, &first, &headers);
    let Ok(mut there) = TcpStream::connect(to).await else { return };
    if first.starts_with("CONNECT ") {
        connection.write_all(b"HTTP/1.1 200 x\r\n\r\n").await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut connection, &mut there).await;
        return;
    }
    let kept =
        headers.iter().filter(|header| !header.starts_with("proxy-authorization") && !header.starts_with("connection"));
    let head: Vec<_> = std::iter::once(&first).chain(kept).map(String::as_str).collect();
    there.write_all(format!("{}\r\nconnection: close\r\n\r\n", head.join("\r\n")).as_bytes()).await.unwrap();
    let mut said = Vec::new();
    // The answer is short, and the registry keeps the connection open.
    let mut piece = [0; 4096];
    if let Ok(length) = there.read(&mut piece).await {
        said.extend_from_slice(&piece[..length]);
    }
    let _ = connection.write_all(&said).await;
}

/// Lists the tags of `app`, with a login from the plan.
fn plan(registry: &str, settings: &str) -> String {
    format!(
        "consign: 1
defaults: {{ retry: {{ max: 1 }} }}
secrets:
  WORD: {{ command: [sh, -c, echo asked >> asked.txt; echo hunter2] }}
registries:
  {registry}: {{ username: ci, password: \"${{{{ WORD }}}}\"{settings} }}
steps:
  - id: tags
    list_tags: {{ repository: {registry}/app, print: true }}
"
    )
}

// ci:hunter2, me:proxyword
const LOGIN: &str = "authorization: basic y2k6ahvudgvymg==";
const PROXY_LOGIN: &str = "proxy-authorization: basic bwu6chjvehl3b3jk";

#[test]
fn https_goes_through_a_tunnel_that_hears_nothing() {
    let net = Net::new(true);
    let test = Test::new(&plan("r.example.test", ", ca_file: ca.pem")).file("ca.pem", &net.ca);
    let test = test.environment("HTTPS_PROXY", &net.proxy);
    let ran = test.run("run plan.yaml --events events.json");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "v1\n"), "{}", ran.stderr);
    let (at_proxy, at_registry) = net.logs();
    assert_eq!(at_proxy, [format!("CONNECT r.example.test:443, {PROXY_LOGIN}")]);
    let list = "GET /v2/app/tags/list?n=1000";
    assert_eq!(at_registry, [list.to_owned(), format!("{list}, {LOGIN}")]);
    // Asked once, and said nowhere.
    assert_eq!(fs::read_to_string(test.path("asked.txt")).unwrap(), "asked\n");
    for text in [ran.stderr, fs::read_to_string(test.path("events.json")).unwrap()] {
        assert!(!text.contains("hunter2") && !text.contains("proxyword"), "{text}");
    }
}

#[test]
fn plain_http_goes_through_a_proxy_too() {
    let net = Net::new(false);
    let test = Test::new(&plan("r.example.test:5000", ", plain_http: true")).environment("HTTP_PROXY", &net.proxy);
    let ran = test.run("run plan.yaml");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "v1\n"), "{}", ran.stderr);
    let (at_proxy, at_registry) = net.logs();
    let list = "GET http://r.example.test:5000/v2/app/tags/list?n=1000";
    assert_eq!(at_proxy.len(), 2);
    assert!(at_proxy.iter().all(|entry| entry.starts_with(list) && entry.contains(PROXY_LOGIN)), "{at_proxy:?}");
    assert_eq!(at_registry, [list.to_owned(), format!("{list}, {LOGIN}")]);
}

#[test]
fn loopback_and_no_proxy_go_direct() {
    let net = Net::new(false);
    let test = Test::new(&plan(&net.registry, "")).environment("HTTP_PROXY", &net.proxy);
    let test = test.environment("HTTPS_PROXY", &net.proxy).environment("ALL_PROXY", &net.proxy);
    let ran = test.run("run plan.yaml");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "v1\n"), "{}", ran.stderr);
    let (at_proxy, at_registry) = net.logs();
    assert_eq!((at_proxy.len(), at_registry.len()), (0, 2));
    // Nobody has that name: who does not ask the proxy gets nowhere.
    for no_proxy in ["r.example.test", ".example.test", "*"] {
        let test = Test::new(&plan("r.example.test", ", insecure_skip_verify: true"));
        let test = test.environment("HTTPS_PROXY", &net.proxy).environment("NO_PROXY", no_proxy);
        let ran = test.run("run plan.yaml");
        assert!(ran.code == 75 && !ran.stderr.contains("hunter2"), "{}", ran.shown());
        let warning =
            "warning: `r.example.test`: whoever answers is believed, as the plan says with `insecure_skip_verify`\n";
        assert!(ran.stderr.starts_with(warning), "{}", ran.stderr);
        assert_eq!(net.logs(), (Vec::new(), Vec::new()));
    }
}

#[test]
fn a_secret_that_no_registry_asks_for_is_not_looked_for() {
    let test = Test::new(&plan("r.example.test", ""));
    assert_eq!(test.run("rehearse plan.yaml").code, 0);
    assert_eq!(test.run("run plan.yaml --skip tags").code, 0);
    assert!(!test.path("asked.txt").exists());
}
