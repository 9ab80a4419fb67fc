//! Connections: accepted, encrypted, counted, and ended in an orderly way.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use hyper::{
    Request, Response,
    body::{Body as HttpBody, Frame, Incoming, SizeHint},
    header,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};

use super::{
    ServeOptions,
    access::{Access, Log},
    body::Body,
    counters::Counters,
    service::Service,
    sessions::Sessions,
};
use crate::store::{Host, StoreError};

/// How many connections are served at a time; others wait. Together with what each has open and with the uploads that
/// wait, they stay below the 1024 files that a process may have open unless it asks for more.
const CONNECTIONS: usize = 320;

/// How long a client may take to say what it wants, and how long one that says nothing is kept.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long requests that are under way may go on when the server is to stop.
const FAREWELL: Duration = Duration::from_secs(10);

/// A registry that listens.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    service: Arc<Service>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Listens at `address`; with port 0, at one that is free. Nothing is answered yet.
    pub async fn bind(
        address: SocketAddr,
        host: Arc<dyn Host>,
        options: ServeOptions,
        log: Arc<dyn Log>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (sessions, counters) = (Sessions::default(), Counters::default());
        Ok(Self { listener, address, service: Arc::new(Service { host, options, sessions, counters, log }) })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` is done; then what is under way may end, for a while.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut stop = pin!(stop);
        let mut sweep = tokio::time::interval(Duration::from_mins(1));
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                _ = sweep.tick() => {
                    self.service.sessions.sweep();
                    continue;
                }
                accepted = accept(&self.listener, &places) => accepted,
            };
            match accepted {
                Ok((stream, peer, place)) => {
                    let service = Arc::clone(&self.service);
                    let watcher = graceful.watcher();
                    tokio::spawn(async move {
                        connect(service, stream, peer.ip(), watcher).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    self.service.log.problem(&format!("a connection was not accepted: {error}"));
                    // Mostly there are too many files open: some will be closed.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(self.listener);
        if timeout(FAREWELL, graceful.shutdown()).await.is_err() {
            self.service.log.problem("some requests were cut off");
        }
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, place))
}

async fn connect(
    service: Arc<Service>,
    stream: TcpStream,
    peer: IpAddr,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let Some(tls) = service.options.tls.clone() else {
        return converse(service, stream, peer, watcher).await;
    };
    // Who does not come to terms is nobody to answer.
    if let Ok(Ok(stream)) = timeout(PATIENCE, tls.acceptor().accept(stream)).await {
        converse(service, stream, peer, watcher).await;
    }
}

async fn converse(
    service: Arc<Service>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: IpAddr,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let answer = service_fn(move |request: Request<Incoming>| {
        let service = Arc::clone(&service);
        async move { Ok::<_, Infallible>(logged(service, request, peer).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(256 * 1024)
        .serve_connection(TokioIo::new(stream), answer);
    // A client that hangs up is no error of ours.
    let _ = watcher.watch(connection).await;
}

/// Answers, and takes note when the answer has been sent.
async fn logged(service: Arc<Service>, request: Request<Incoming>, peer: IpAddr) -> Response<Noted> {
    let begun = Instant::now();
    let text = |name| request.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let mut access = Access {
        peer,
        user: None,
        at: SystemTime::now(),
        method: request.method().to_string(),
        target: request.uri().path_and_query().map_or_else(String::new, ToString::to_string),
        status: 0,
        sent: 0,
        agent: text(header::USER_AGENT).unwrap_or_else(|| "-".to_owned()),
        took: Duration::ZERO,
    };
    let (answer, user) = service.answer(request).await;
    access.user = user;
    access.status = answer.status().as_u16();
    answer.map(|body| Noted { body, service, access, begun })
}

/// The body of an answer that is written down once it has ended, well or not.
struct Noted {
    body: Body,
    service: Arc<Service>,
    access: Access,
    begun: Instant,
}

impl HttpBody for Noted {
    type Data = Bytes;
    type Error = StoreError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StoreError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => self.access.sent += frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(error)) => self.service.log.problem(&error.to_string()),
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.access.took = self.begun.elapsed();
        let Access { method, status, sent, .. } = &self.access;
        self.service.counters.answered(method, *status, *sent);
        self.service.log.access(&self.access);
    }
}
