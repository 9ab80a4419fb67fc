//! Content that is made while it is sent: nobody knows how much it will be.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::{
    super::testing::{Reply, Server},
    *,
};
use crate::store::{ByteStream, Maker, Store};

/// Makes some pieces, or as many of them as it has before it fails.
#[derive(Debug, Default)]
struct Pieces {
    opened: AtomicUsize,
    fails_after: Option<usize>,
    made: Arc<Mutex<Option<(Digest, u64)>>>,
}

const PIECE: usize = 100_000;

fn piece(number: usize) -> Bytes {
    vec![u8::try_from(number).unwrap(); PIECE].into()
}

fn content() -> Vec<u8> {
    (0..10).flat_map(piece).collect()
}

impl Maker for Pieces {
    fn open(&self) -> ByteStream {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let (fails_after, made) = (self.fails_after, Arc::clone(&self.made));
        let pieces = stream::iter(0..10).map(move |number| {
            if fails_after == Some(number) {
                return Err(StoreError::Closed);
            }
            if number == 9 {
                *made.lock().unwrap() = Some((Digest::sha256(&content()), 10 * PIECE as u64));
            }
            Ok(piece(number))
        });
        // As streams may, it panics where it is asked again behind its end.
        let pieces = stream::unfold(pieces, |mut pieces| async move { pieces.next().await.map(|it| (it, pieces)) });
        Box::pin(pieces)
    }

    fn made(&self) -> Option<(Digest, u64)> {
        self.made.lock().unwrap().clone()
    }
}

/// What came: method, where a part begins where that is said, and how much.
fn came(server: &Server) -> Vec<(String, Option<String>, usize)> {
    let came = server.received().into_iter();
    came.map(|it| (it.method.clone(), it.header("content-range").map(str::to_owned), it.body.len())).collect()
}

fn line(method: &str, length: usize) -> (String, Option<String>, usize) {
    (method.to_owned(), None, length)
}

#[tokio::test]
async fn it_goes_out_in_one_stream_and_gets_its_digest_at_the_end() {
    let server = Server::start().await;
    let store = server.store("a");
    let maker = Arc::new(Pieces::default());
    let digest = store.push_unhashed(&Unhashed::made(Arc::<Pieces>::clone(&maker), "made")).await;
    assert_eq!(digest, Some(Digest::sha256(&content())));
    assert_eq!(came(&server), [line("POST", 0), line("PATCH", 10 * PIECE), line("PUT", 0)]);
    assert_eq!(maker.opened.load(Ordering::Relaxed), 1);
    let blob = Descriptor::of("a/b", &content());
    assert!(store.has_blob(&blob).await.unwrap());
    assert_eq!(came(&server), []);
    assert!(server.shelf(|shelf| shelf.sessions.is_empty() && shelf.blobs.len() == 1));
}

#[tokio::test]
async fn what_broke_off_is_made_again_and_goes_on_where_the_registry_kept_it() {
    let server = Server::start().await;
    server.shelf(|shelf| shelf.keeps_pieces = true);
    let mut cuts = vec![350_000];
    server.cut(move |received| (received.method == "PATCH").then(|| cuts.pop()).flatten());
    let maker = Arc::new(Pieces::default());
    let digest = server.store("a").push_unhashed(&Unhashed::made(Arc::<Pieces>::clone(&maker), "made")).await;
    assert_eq!(digest, Some(Digest::sha256(&content())));
    let patches: Vec<_> = came(&server).into_iter().filter(|(method, ..)| method == "PATCH").collect();
    assert_eq!(patches, [line("PATCH", 350_000), line("PATCH", 650_000)]);
    assert_eq!(maker.opened.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn what_cannot_be_made_or_is_not_taken_is_left_to_others_and_leaves_nothing() {
    for refused in ["POST", "PATCH", "PUT", ""] {
        let server = Server::with(move |received, _| (received.method == refused).then(|| Reply::status(403))).await;
        let maker = Arc::new(Pieces { fails_after: refused.is_empty().then_some(4), ..Pieces::default() });
        let digest = server.store("a").push_unhashed(&Unhashed::made(maker, "made")).await;
        assert_eq!(digest, None, "{refused}");
        assert!(server.shelf(|shelf| shelf.blobs.is_empty()), "{refused}");
    }
}
