use std::sync::LazyLock;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{
    super::{
        Credential, Credentials, RegistryStore, Secret,
        download::Download,
        testing::{Cut, Received, Reply, Server, Shelf, registries},
    },
    *,
};
use crate::{
    oci::Descriptor,
    store::{StoreError, verified},
};

/// Nothing in it is where it would be if a part were missing, or in another place.
static CONTENT: LazyLock<Bytes> = LazyLock::new(|| {
    let block: Vec<u8> = (0..1_000_003_u32).map(|at| at.wrapping_mul(0x9e37_79b9).to_be_bytes()[0]).collect();
    let mut content = block.repeat(80);
    content.truncate(usize::try_from(18 * PART + 5).unwrap());
    content.into()
});
static BLOB: LazyLock<Descriptor> = LazyLock::new(|| Descriptor::of("a/b", &CONTENT));

/// A registry that has it.
async fn server(hook: impl FnMut(&Received, &mut Shelf) -> Option<Reply> + Send + 'static) -> Server {
    let server = Server::with(hook).await;
    server.shelf(|shelf| {
        shelf.gives_ranges = true;
        shelf.blobs.insert(("a".to_owned(), BLOB.digest.clone()), CONTENT.clone());
    });
    server
}

/// Reads it over a connection that was slow from the beginning, as far as to where parts are thought of and the answer to
/// the first one is there.
async fn begun(store: &RegistryStore) -> Download {
    let mut download = Download::begin(&store.registry, &store.name, &BLOB).await.unwrap().unwrap();
    download.came.waited = Duration::from_hours(1);
    while download.parts.is_none() && download.came.bytes < BLOB.size {
        assert!(download.next().await.unwrap().is_some());
    }
    while let Some(Trial::Open) = download.parts.as_mut().map(Parts::look) {
        tokio::task::yield_now().await;
    }
    download
}

/// What the rest of it is, where it is right.
async fn rest(mut download: Download) -> Result<bool, StoreError> {
    // What came before the first part was asked for is known by where that begins.
    let before = match &download.parts {
        Some(parts) => usize::try_from(parts.start - PART).unwrap(),
        None => 0,
    };
    let mut came = Vec::new();
    while let Some(piece) = download.next().await? {
        came.extend_from_slice(&piece);
    }
    Ok(came == CONTENT[before..])
}

/// What was asked for.
fn ranges(server: &Server) -> Vec<String> {
    let range = |received: &Received| received.header("range").unwrap_or("all").trim_start_matches("bytes=").to_owned();
    server.received().iter().map(range).collect()
}

#[test]
fn a_slow_connection_with_much_to_come_may_be_worth_it() {
    let came = |bytes, millis| Haul { bytes, waited: Duration::from_millis(millis) };
    for (haul, left, expected) in [
        (came(8 * MIB, 1000), 100 * MIB, true),
        (came(8 * MIB, 200), 100 * MIB, false),
        (came(8 * MIB - 1, 1000), 100 * MIB, false),
        (came(8 * MIB, 1000), 3 * PART - 1, false),
        (came(64 * MIB, 2500), 100 * MIB, true),
        (came(64 * MIB, 2499), 100 * MIB, false),
        (Haul::default(), u64::MAX, false),
    ] {
        assert_eq!(Parts::may_be_worth_it(haul, left), expected, "{haul:?} {left}");
    }
    assert!(came(u64::MAX, u64::MAX).is_faster_than(came(1, u64::MAX)));
}

#[tokio::test]
async fn what_comes_slowly_comes_in_parts_and_in_its_order() {
    let server = server(|_, _| None).await;
    let store = server.store("a");
    let download = begun(&store).await;
    let start = download.parts.as_ref().unwrap().start;
    assert!((Parts::PROBE + PART..Parts::PROBE + 2 * PART).contains(&start), "{start}");
    assert!(rest(download).await.unwrap());
    let mut asked = ranges(&server);
    let step = usize::try_from(PART).unwrap();
    let parts = (start..BLOB.size).step_by(step).map(|at| format!("{at}-{}", BLOB.size.min(at + PART) - 1));
    let mut expected: Vec<_> = parts.chain(["all".to_owned()]).collect();
    asked.sort();
    expected.sort();
    assert_eq!(asked, expected);
    assert_eq!(store.registry.room.available_permits(), Parts::AT_ONCE);
    assert!(store.registry.known.gives_parts());
}

#[tokio::test]
async fn who_gives_no_parts_is_asked_once_and_loses_nothing() {
    fn first(body: &Bytes, range: impl Into<String>) -> Reply {
        Reply::status(206).header("content-range", range).body(body.slice(..1))
    }
    for (name, answer) in [
        ("all of it", Reply::status(200).body(CONTENT.clone())),
        ("another part", first(&CONTENT, format!("bytes 1-1/{}", BLOB.size))),
        ("no range", Reply::status(206).body(CONTENT.slice(..1))),
        ("refused", Reply::status(416)),
        ("busy", Reply::status(503)),
        ("forbidden", Reply::status(403)),
        ("gone", Reply::status(404)),
        ("lost", Reply::cut()),
    ] {
        let server = server(move |received, _| received.header("range").map(|_| answer.clone())).await;
        let store = server.store("a");
        let download = begun(&store).await;
        let first = download.parts.as_ref().unwrap().start;
        assert!(rest(download).await.unwrap(), "{name}");
        assert_eq!(ranges(&server), ["all".to_owned(), format!("{first}-{}", first + PART - 1)], "{name}");
        // The next one comes as a whole, and no place is taken.
        let download = begun(&store).await;
        assert!(download.parts.is_none() && ranges(&server) == ["all"], "{name}");
        assert_eq!(store.registry.room.available_permits(), Parts::AT_ONCE, "{name}");
    }
}

#[tokio::test]
async fn a_part_of_other_content_is_none() {
    let server = server(|received, shelf| {
        let name = if received.header("range").is_some() { "\"other\"" } else { "\"this\"" };
        Some(shelf.answer(received).header("etag", name))
    })
    .await;
    let download = begun(&server.store("a")).await;
    assert!(rest(download).await.unwrap());
    assert_eq!(ranges(&server).len(), 2);
}

/// What the registry answers to the third part, and what is asked for after that.
async fn third(answer: impl Fn(&Received, Reply) -> Option<Reply> + Send + 'static) -> (bool, Vec<String>) {
    let mut third = None;
    let server = server(move |received, shelf| {
        let range = received.header("range")?;
        let start: u64 = range["bytes=".len()..].split_once('-')?.0.parse().ok()?;
        let third = *third.get_or_insert(start + 2 * PART);
        if start != third {
            return None;
        }
        let right = shelf.answer(received);
        answer(received, right)
    })
    .await;
    let download = begun(&server.store("a")).await;
    let place = download.parts.as_ref().unwrap().start + 2 * PART;
    let is_right = rest(download).await.unwrap();
    let asked = ranges(&server);
    let relative = |range: &String| {
        let (start, end) = range.split_once('-')?;
        let start = start.parse::<u64>().ok()?.checked_sub(place)?;
        (start < PART).then(|| if end.is_empty() { format!("{start}-") } else { start.to_string() })
    };
    (is_right, asked.iter().filter_map(relative).collect())
}

#[tokio::test]
async fn a_part_that_broke_off_is_gone_on_with() {
    let cut = |_: &Received, right: Reply| Some(right.cut_after(1000, Cut::Closed));
    assert_eq!(third(cut).await, (true, ["0", "1000"].map(str::to_owned).to_vec()));
    // Less than was asked for is an answer, too.
    let short = |_: &Received, right: Reply| {
        let body = right.body.slice(..2000);
        Some(right.body(body))
    };
    assert_eq!(third(short).await, (true, ["0", "2000"].map(str::to_owned).to_vec()));
}

#[tokio::test]
async fn where_a_part_is_not_given_any_more_the_rest_comes_as_a_whole() {
    let forbidden =
        |received: &Received, _| received.header("range").filter(|it| !it.ends_with('-')).map(|_| Reply::status(403));
    assert_eq!(third(forbidden).await, (true, ["0", "0-"].map(str::to_owned).to_vec()));
    let whole = |received: &Received, _| {
        received.header("range").filter(|it| !it.ends_with('-')).map(|_| Reply::status(200).body(CONTENT.clone()))
    };
    assert_eq!(third(whole).await, (true, ["0", "0-"].map(str::to_owned).to_vec()));
    let long = |received: &Received, right: Reply| {
        let is_part = received.header("range").is_some_and(|it| !it.ends_with('-'));
        let body = [&right.body[..], b"x"].concat();
        is_part.then(|| right.body(body))
    };
    assert_eq!(third(long).await, (true, ["0", "0-"].map(str::to_owned).to_vec()));
    // Nor is the rest as a range: what has come comes again, and is skipped.
    let never = |_: &Received, _| Some(Reply::status(416));
    assert_eq!(third(never).await, (true, ["0", "0-"].map(str::to_owned).to_vec()));
}

#[tokio::test]
async fn what_is_wrong_is_found_out() {
    let server = server(|received, shelf| {
        let right = received.header("range").map(|_| shelf.answer(received))?;
        let mut body = right.body.to_vec();
        body[7] ^= 1;
        Some(right.body(body))
    })
    .await;
    let download = begun(&server.store("a")).await;
    let before = CONTENT.slice(..usize::try_from(download.parts.as_ref().unwrap().start - PART).unwrap());
    let after = stream::try_unfold(download, |mut download| async move {
        Ok(download.next().await?.map(|piece| (piece, download)))
    });
    let stream = verified(&BLOB, stream::iter([Ok(before)]).chain(after));
    let error = stream.try_for_each(|_| std::future::ready(Ok(()))).await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("`{}` was wanted, but `", BLOB.digest)), "{error}");
}

#[tokio::test]
async fn parts_that_are_no_faster_are_not_asked_for_any_longer() {
    let server = server(|_, _| None).await;
    let store = server.store("a");
    let mut download = begun(&store).await;
    let parts = download.parts.as_mut().unwrap();
    parts.alone = Some(Haul { bytes: u64::MAX, waited: Duration::from_nanos(1) });
    let start = parts.start;
    assert!(rest(download).await.unwrap());
    let asked = ranges(&server);
    // What was on its way already was waited for; nothing came twice.
    let last = asked.last().unwrap().strip_suffix('-').unwrap().parse::<u64>().unwrap();
    let parts = (last - start) / PART;
    assert!((7..=13).contains(&parts) && (last - start) % PART == 0, "{asked:?}");
    assert_eq!(asked.len() as u64, 1 + parts + 1);
    assert!(!store.registry.known.gives_parts());
}

#[tokio::test]
async fn memory_is_shared_by_all_and_given_back() {
    let server = server(|_, _| None).await;
    let store = server.store("a");
    let room = &store.registry.room;
    {
        let _others = Arc::clone(room).try_acquire_many_owned(5).unwrap();
        assert!(begun(&store).await.parts.is_none());
        assert_eq!(ranges(&server), ["all"]);
    }
    let (one, other) = (begun(&store).await, begun(&store).await);
    assert_eq!((room.available_permits(), other.parts.is_none()), (0, true));
    drop(one);
    assert_eq!(room.available_permits(), Parts::AT_ONCE);
}

#[tokio::test]
async fn parts_lead_elsewhere_without_the_login() {
    let storage = server(|_, _| None).await;
    let place = format!("http://{}/v2/a/blobs/{}", storage.name, BLOB.digest);
    let server = Server::with(move |received, _| {
        Some(match received.header("authorization") {
            None => Reply::status(401).header("www-authenticate", "Basic realm=\"x\""),
            Some(_) => Reply::status(307).header("location", &place),
        })
    })
    .await;
    let me = Credential::Basic { username: "me".to_owned(), password: Secret::new("hunter2") };
    let run = registries(Credentials::none().with(server.name.clone(), me));
    let store = run.repository(&server.name, &"a".parse().unwrap());
    assert!(rest(begun(&store).await).await.unwrap());
    let there = storage.received();
    assert!(there.len() > 10 && there.iter().all(|received| received.header("authorization").is_none()));
    assert_eq!(there.iter().filter(|received| received.header("range").is_none()).count(), 1);
}

#[tokio::test]
async fn what_comes_fast_is_left_alone() {
    let server = server(|_, _| None).await;
    let store = server.store("a");
    let mut download = Download::begin(&store.registry, &store.name, &BLOB).await.unwrap().unwrap();
    download.came.bytes = u64::MAX / 2;
    assert!(rest(download).await.unwrap());
    assert_eq!(ranges(&server), ["all"]);
}
