use std::sync::Arc;

use futures_util::future::try_join_all;

use super::{
    super::testing::{Received, Reply, Server, Shelf, registries},
    *,
};
use crate::{
    oci::Digest,
    store::{Delivery, Store, registry::Credentials},
};

fn blob(number: u8, size: usize) -> (Descriptor, Bytes) {
    let bytes = Bytes::from(vec![number; size]);
    (Descriptor::of("a/b", &bytes), bytes)
}

async fn push(store: &RegistryStore, number: u8, size: usize) -> Delivery {
    let (blob, bytes) = blob(number, size);
    store.push_blob(&blob, &Source::bytes(bytes), None).await.unwrap()
}

/// A registry that takes blobs in one request, unless `hook` has another answer.
async fn taking(hook: impl FnMut(&Received, &mut Shelf) -> Option<Reply> + Send + 'static) -> Server {
    let server = Server::with(hook).await;
    server.shelf(|shelf| shelf.takes_posts = true);
    server
}

fn is_post(received: &Received) -> bool {
    received.method == "POST" && received.query.starts_with("digest=")
}

/// What was asked, without what is asked.
fn asked(server: &Server) -> String {
    let shown = |received: &Received| if is_post(received) { "POST blob".to_owned() } else { received.method.clone() };
    server.received().iter().map(shown).collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn small_blobs_go_in_one_request_where_the_registry_takes_that() {
    let server = taking(|_, _| None).await;
    let store = server.store("a");
    for (number, size, expected) in [
        // Too much to find out with.
        (0, 64 * 1024 + 1, "HEAD, POST, PUT"),
        (1, 0, "POST, PUT"),
        // It is made sure once that it is there.
        (2, 64 * 1024, "HEAD, POST blob, HEAD"),
        (3, 10, "POST blob"),
        (4, 5000, "HEAD, POST blob"),
        (5, 1024 * 1024, "HEAD, POST blob"),
        (6, 1024 * 1024 + 1, "HEAD, POST, PUT"),
        (7, 0, ""),
    ] {
        let delivery = push(&store, number, size).await;
        assert_eq!(asked(&server), expected, "{number}");
        let (blob, bytes) = blob(number, size);
        assert!(server.shelf(|shelf| shelf.blobs[&("a".to_owned(), blob.digest)] == bytes), "{number}");
        assert_eq!(delivery == Delivery::Existing, number == 7);
    }
}

#[tokio::test]
async fn who_does_not_take_it_gets_the_content_of_one_blob_in_vain() {
    type Answer = fn(&Received, &mut Shelf) -> Reply;
    fn opened(received: &Received, shelf: &mut Shelf) -> Reply {
        shelf.answer(&Received { query: String::new(), ..received.clone() })
    }
    let table: [(&str, Answer, &str); 13] = [
        ("a session", opened, "POST blob, PUT"),
        ("no place", |_, _| Reply::status(202), "POST blob, POST, PUT"),
        ("bad request", |_, _| Reply::status(400), "POST blob, POST, PUT"),
        ("forbidden", |_, _| Reply::status(403), "POST blob, POST, PUT"),
        ("not found", |_, _| Reply::status(404), "POST blob, POST, PUT"),
        ("not allowed", |_, _| Reply::status(405), "POST blob, POST, PUT"),
        ("too large", |_, _| Reply::status(413), "POST blob, POST, PUT"),
        ("failed", |_, _| Reply::status(500), "POST blob, POST, PUT"),
        ("busy", |_, _| Reply::status(429), "POST blob, POST, PUT"),
        ("lost", |_, _| Reply::cut(), "POST blob, POST, PUT"),
        ("said only", |_, _| Reply::status(201), "POST blob, HEAD, POST, PUT"),
        (
            "kept in the session, and said so",
            |received, shelf| {
                let reply = opened(received, shelf);
                shelf.sessions.values_mut().for_each(|content| content.extend_from_slice(&received.body));
                let headers = reply.headers.into_iter().filter(|(name, _)| name != "range").collect();
                Reply { headers, ..reply }.header("range", "0-9")
            },
            "POST blob, POST, PUT",
        ),
        (
            "kept in the session",
            |received, shelf| {
                let reply = opened(received, shelf);
                shelf.sessions.values_mut().for_each(|content| content.extend_from_slice(&received.body));
                reply
            },
            "POST blob, PUT, POST, PUT",
        ),
    ];
    for (name, answer, expected) in table {
        let server = Server::with(move |received, shelf| is_post(received).then(|| answer(received, shelf))).await;
        let store = server.store("a");
        assert_eq!(push(&store, 1, 10).await, Delivery::Copied, "{name}");
        store.settle().await.unwrap();
        // A session that is not used is ended whenever there is time.
        assert_eq!(asked(&server).replace("DELETE, ", "").replace(", DELETE", ""), expected, "{name}");
        assert!(server.shelf(|shelf| shelf.sessions.is_empty()), "{name}");
        assert!(server.shelf(|shelf| shelf.blobs.contains_key(&("a".to_owned(), Digest::sha256(&[1; 10])))), "{name}");
        assert_eq!(push(&store, 2, 10).await, Delivery::Copied, "{name}");
        assert_eq!(asked(&server), "POST, PUT", "{name}");
    }
}

#[tokio::test]
async fn one_blob_finds_out_for_all_that_go_at_the_same_time() {
    let server = Server::start().await;
    let store = server.store("a");
    try_join_all((0..8).map(|number| {
        let store = &store;
        async move {
            let (blob, bytes) = blob(number, 10);
            store.push_blob(&blob, &Source::bytes(bytes), None).await
        }
    }))
    .await
    .unwrap();
    let received = server.received();
    assert_eq!(received.iter().filter(|received| is_post(received)).count(), 1);
    assert_eq!(received.iter().filter(|received| received.method == "POST").count(), 8);
    assert_eq!(received.iter().filter(|received| received.method == "PUT").count(), 8);
}

#[tokio::test]
async fn a_lost_answer_changes_nothing_and_a_refusal_holds_for_good() {
    let mut count = 0;
    let server = taking(move |received, shelf| {
        count += usize::from(is_post(received));
        match count {
            2 if is_post(received) => {
                shelf.answer(received);
                Some(Reply::cut())
            }
            4 if is_post(received) => Some(Reply::status(405)),
            _ => None,
        }
    })
    .await;
    let store = server.store("a");
    for (number, expected) in [
        (1, "POST blob, HEAD"),
        (2, "POST blob, POST, PUT"),
        (3, "POST blob"),
        (4, "POST blob, POST, PUT"),
        (5, "POST, PUT"),
    ] {
        assert_eq!(push(&store, number, 10).await, Delivery::Copied);
        assert_eq!(asked(&server), expected, "{number}");
    }
    assert_eq!(server.shelf(|shelf| shelf.blobs.len()), 5);
}

#[tokio::test]
async fn what_comes_from_elsewhere_finds_out_only_where_there_is_much_of_it() {
    let (source, target) = (Server::start().await, taking(|_, _| None).await);
    let (from, store) = (source.store("a"), target.store("a"));
    for number in 0..11 {
        let (blob, bytes) = blob(number, 10);
        source.shelf(|shelf| shelf.blobs.insert(("a".to_owned(), blob.digest.clone()), bytes));
        let from: Arc<dyn Store> = Arc::clone(&from) as _;
        store.push_blob(&blob, &Source::blob(from), None).await.unwrap();
        let expected = match number {
            ..8 => "POST, PUT",
            8 => "POST blob, HEAD",
            _ => "POST blob",
        };
        assert_eq!(asked(&target), expected, "{number}");
    }
}

#[tokio::test]
async fn what_can_be_mounted_is_mounted() {
    let server = taking(|_, _| None).await;
    let run = registries(Credentials::none());
    let store = |name: &str| run.repository(&server.name, &name.parse().unwrap());
    let (a, b) = (store("a"), store("b"));
    assert_eq!(push(&a, 1, 10).await, Delivery::Copied);
    assert_eq!(push(&b, 1, 10).await, Delivery::Mounted);
    assert_eq!(push(&b, 2, 10).await, Delivery::Copied);
    assert_eq!(asked(&server), "POST blob, HEAD, POST, POST blob");
}
