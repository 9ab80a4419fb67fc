//! A registry that lies, throttles and breaks off, row by row. Each row ends with the same bytes on both sides, or, where
//! it must not end well, with the right error and nothing half done.
//!
//! Time is virtual: a minute that a registry asks for costs nothing here, but is counted.

use std::{
    ops::Range,
    sync::{Arc, LazyLock},
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::mpsc, time::Instant};

use super::{
    Credentials, Registries, RegistryOptions, RegistryStore,
    testing::{Cut, Received, Reply, Server, Shelf},
};
use crate::{
    event::{Event, Progress, StepId},
    oci::{Descriptor, Digest, ImageManifest, Index, Manifest, Tag, Target, media_type},
    store::{CopyOptions, Patience, RetryPolicy, RunPatience, Source, Standing, Store, StoreError, copy, read},
};

/// What a registry does in place of an answer. Nothing: it answers.
type Fault = Box<dyn FnMut(&Received, &mut Shelf) -> Option<Reply> + Send>;

/// What is done with the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Job {
    Push,
    Pull,
    Tags,
    Referrers,
    Delete,
}

struct Row {
    name: &'static str,
    job: Job,
    fault: Fault,
    /// After how many bytes the first large body is reset on its way.
    reset: Option<usize>,
    /// What the error says, and whether it passes.
    error: Option<(&'static str, bool)>,
    /// How many seconds it takes.
    seconds: Range<u64>,
}

fn row(
    name: &'static str,
    job: Job,
    fault: impl FnMut(&Received, &mut Shelf) -> Option<Reply> + Send + 'static,
) -> Row {
    Row { name, job, fault: Box::new(fault), reset: None, error: None, seconds: 0..1 }
}

impl Row {
    fn fails(self, says: &'static str, passes: bool) -> Self {
        Self { error: Some((says, passes)), ..self }
    }

    fn takes(self, seconds: Range<u64>) -> Self {
        Self { seconds, ..self }
    }
}

/// The same answer to the first `times` requests that are like this.
fn first(
    mut times: u32,
    is_meant: impl Fn(&Received) -> bool + Send + 'static,
    mut reply: impl FnMut(&Received, &mut Shelf) -> Reply + Send + 'static,
) -> impl FnMut(&Received, &mut Shelf) -> Option<Reply> + Send + 'static {
    move |received, shelf| {
        let is_hit = times > 0 && is_meant(received);
        times -= u32::from(is_hit);
        is_hit.then(|| reply(received, shelf))
    }
}

fn always(
    is_meant: impl Fn(&Received) -> bool + Send + 'static,
    reply: impl FnMut(&Received, &mut Shelf) -> Reply + Send + 'static,
) -> impl FnMut(&Received, &mut Shelf) -> Option<Reply> + Send + 'static {
    first(u32::MAX, is_meant, reply)
}

fn is(method: &'static str, part: &'static str) -> impl Fn(&Received) -> bool + Send + 'static {
    move |received| received.method == method && received.path.contains(part)
}

fn answers(reply: Reply) -> impl FnMut(&Received, &mut Shelf) -> Reply + Send + 'static {
    move |_, _| reply.clone()
}

/// Done, but nobody hears of it.
fn lost(received: &Received, shelf: &mut Shelf) -> Reply {
    shelf.answer(received);
    Reply::cut()
}

const BLOB: usize = 3_000_000;

/// A layer that is not the same everywhere.
static LAYER: LazyLock<Bytes> = LazyLock::new(|| (0..=250).cycle().take(BLOB).collect());

fn content() -> [Bytes; 2] {
    [Bytes::from_static(b"{}"), LAYER.clone()]
}

fn manifest() -> Manifest {
    let [config, layer] = content();
    let image = ImageManifest::new(Descriptor::of(media_type::EMPTY, &config));
    Manifest::from_image(ImageManifest { layers: vec![Descriptor::of("a/layer", &layer)], ..image }).unwrap()
}

fn tag() -> Tag {
    "v1".parse().unwrap()
}

fn subject() -> Digest {
    Digest::sha256(b"subject")
}

/// Does it, and says whether everything is as it should be.
async fn run(job: Job, store: &Arc<RegistryStore>) -> Result<(), StoreError> {
    let manifest = manifest();
    let blobs = content().map(|bytes| (Descriptor::of("a/layer", &bytes), bytes));
    match job {
        Job::Push => {
            for (blob, bytes) in &blobs {
                store.push_blob(blob, &Source::bytes(bytes.clone()), None).await?;
            }
            store.push_manifest(&manifest, Some(&tag())).await
        }
        Job::Pull => {
            let found = store.manifest(&Target::Tag(tag())).await?.unwrap();
            assert_eq!(found.bytes(), manifest.bytes());
            for (blob, bytes) in &blobs {
                assert_eq!(read(blob, store.blob(blob).await?, u64::MAX).await?, bytes);
            }
            Ok(())
        }
        Job::Tags => store.tags().await.map(|tags| assert_eq!(tags, [tag()])),
        Job::Referrers => store.referrers(&subject()).await.map(|found| assert!(found.is_empty())),
        Job::Delete => store.delete_manifest(manifest.digest()).await.map(|was_there| assert!(was_there)),
    }
}

fn fill(shelf: &mut Shelf) {
    let manifest = manifest();
    for bytes in content() {
        shelf.blobs.insert(("a".to_owned(), Digest::sha256(&bytes)), bytes);
    }
    let key = ("a".to_owned(), manifest.digest().clone());
    shelf.manifests.insert(key, (manifest.media_type().to_owned(), manifest.bytes().clone()));
    shelf.tags.insert(("a".to_owned(), "v1".to_owned()), manifest.digest().clone());
}

/// Whether the shelf is as after `job`, or as before it where it failed.
fn check(name: &str, job: Job, is_done: bool, shelf: &Shelf) {
    let manifest = manifest();
    assert!(shelf.sessions.is_empty(), "{name}: sessions are left");
    for ((_, digest), bytes) in &shelf.blobs {
        assert_eq!(*digest, Digest::sha256(bytes), "{name}");
    }
    let is_there = if job == Job::Delete { !is_done } else { is_done || job != Job::Push };
    assert_eq!(shelf.tags.values().any(|tagged| tagged == manifest.digest()), is_there, "{name}: the tag");
    assert_eq!(shelf.manifests.values().any(|(_, bytes)| bytes == manifest.bytes()), is_there, "{name}: the manifest");
    if is_there {
        assert_eq!(shelf.blobs.len(), 2, "{name}: the blobs");
    }
}

#[expect(clippy::too_many_lines, reason = "it is a table")]
fn rows() -> Vec<Row> {
    let throttled = || Reply::status(429).body(r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#);
    let busy = || Reply::status(503).body("<html>busy");
    let html = || Reply::status(200).header("content-type", "text/html").body("<html>Welcome</html>");
    let in_a_minute = "Tue, 24 Nov 2026 01:01:00 GMT";
    let up = "/blobs/uploads/";
    vec![
        // What passes.
        row("429 twice on an upload's start", Job::Push, first(2, is("POST", up), answers(throttled()))),
        row(
            "429 with Retry-After in seconds",
            Job::Push,
            first(1, is("POST", up), answers(throttled().header("retry-after", "60"))),
        )
        .takes(60..62),
        row(
            "429 with Retry-After as a date",
            Job::Pull,
            first(
                1,
                is("GET", "/manifests/"),
                answers(throttled().header("retry-after", in_a_minute).header("date", "Tue, 24 Nov 2026 01:00:00 GMT")),
            ),
        )
        .takes(60..62),
        row("429 on a manifest", Job::Push, first(3, is("PUT", "/manifests/"), answers(throttled()))).takes(0..2),
        row("503 on an upload's start", Job::Push, first(1, is("POST", up), answers(busy()))),
        row("503 with Retry-After", Job::Push, first(1, is("PUT", up), answers(busy().header("retry-after", "5"))))
            .takes(5..7),
        row("503 on an upload", Job::Push, first(2, is("PUT", up), answers(busy()))),
        row("no answer on an upload's start", Job::Push, first(1, is("POST", up), answers(Reply::cut()))),
        Row { reset: Some(BLOB / 2), ..row("a reset inside an upload", Job::Push, |_, _| None) },
        row("a blob is put, the answer is lost", Job::Push, first(2, is("PUT", up), lost)),
        row("a manifest is put, the answer is lost", Job::Push, first(1, is("PUT", "/manifests/"), lost)),
        row("500 on a manifest", Job::Push, first(1, is("PUT", "/manifests/"), answers(Reply::status(500)))),
        row("502 on a manifest that was put", Job::Push, {
            first(1, is("PUT", "/manifests/"), |received, shelf| {
                shelf.answer(received);
                Reply::status(502).body("<html>")
            })
        }),
        row("a delete is done, the answer is lost", Job::Delete, first(1, is("DELETE", "/manifests/"), lost)),
        row("a download is cut, FIN", Job::Pull, cut_download(Cut::Closed, false)),
        row("a download is cut, RST", Job::Pull, cut_download(Cut::Reset, false)),
        row("a download is cut that cannot be gone on with", Job::Pull, cut_download(Cut::Closed, true)),
        row("503 on a download", Job::Pull, first(2, is("GET", "/blobs/"), answers(busy()))),
        row("503 in the middle of a download", Job::Pull, cut_and_busy()),
        row("a manifest is cut", Job::Pull, {
            first(1, is("GET", "/manifests/"), |received, shelf| shelf.answer(received).cut_after(10, Cut::Closed))
        }),
        row("500 on the tags", Job::Tags, first(3, is("GET", "/tags/"), answers(Reply::status(500)))).takes(0..2),
        row("503 and a lost answer from the token service", Job::Pull, {
            let mut asked = 0;
            move |received, _| {
                let realm = format!("Bearer realm=\"http://{}/token\"", received.header("host").unwrap());
                let is_known = received.header("authorization") == Some("Bearer t");
                if received.path != "/token" {
                    return (!is_known).then(|| Reply::status(401).header("www-authenticate", realm));
                }
                asked += 1;
                Some(
                    [Reply::status(503), Reply::cut(), Reply::status(200).body(r#"{"token":"t"}"#)][asked.min(3) - 1]
                        .clone(),
                )
            }
        }),
        // What does not pass.
        row("429 without end", Job::Push, always(is("POST", up), answers(throttled().header("retry-after", "60"))))
            .fails("429 Too Many Requests: TOOMANYREQUESTS (slow down) (tried 5 times over 4 m 0", true)
            // Once more, as one request: after that it is done the usual way.
            .takes(300..304),
        row(
            "429 for longer than there is patience",
            Job::Tags,
            always(is("GET", "/tags/"), answers(throttled().header("retry-after", "3600"))),
        )
        .fails("(tried once; the next try is 1 h 00 m away, and a step waits no longer than 5 m 00 s in all)", true),
        row("503 without end", Job::Tags, always(is("GET", "/tags/"), answers(busy())))
            .fails("503 Service Unavailable (tried 8 times over ", true)
            .takes(0..33),
        row("a corrupt byte", Job::Pull, {
            always(is("GET", "/blobs/"), |received, shelf| {
                let reply = shelf.answer(received);
                let mut body = reply.body.to_vec();
                let last = body.len() - 1;
                body[last] ^= 1;
                reply.body(body)
            })
        })
        .fails("was wanted, but `sha256:", false),
        row("a corrupt byte in what is gone on with", Job::Pull, {
            let mut cut = cut_download(Cut::Reset, false);
            move |received, shelf| {
                let reply = cut(received, shelf);
                if received.header("range").is_none() {
                    return reply;
                }
                let reply = shelf.answer(received);
                let mut body = reply.body.to_vec();
                body[0] ^= 1;
                Some(reply.body(body))
            }
        })
        .fails("was wanted, but `sha256:", false),
        row("a body that is shorter than it should be", Job::Pull, {
            always(is("GET", "/blobs/"), |received, shelf| {
                let reply = shelf.answer(received);
                let body = reply.body.slice(..reply.body.len() - 1);
                reply.body(body)
            })
        })
        .fails("should have 2 bytes, but 1 came", false),
        row("a part of something else", Job::Pull, {
            let mut cut = cut_download(Cut::Reset, false);
            move |received, shelf| {
                let is_rest = received.header("range").is_some();
                let wrong = || Reply::status(206).header("content-range", "bytes 0-9/10").body("0123456789");
                if is_rest { Some(wrong()) } else { cut(received, shelf) }
            }
        })
        .fails("the answer's `Content-Range` is `bytes 0-9/10`: `bytes ", false),
        row("a wrong digest on a manifest", Job::Pull, {
            always(is("GET", "/manifests/"), |received, shelf| {
                let mut reply = shelf.answer(received);
                reply.headers.retain(|(name, _)| name != "docker-content-digest");
                reply.header("docker-content-digest", subject().to_string())
            })
        })
        .fails("was wanted, but `sha256:", false),
        row("another digest than that of the manifest that was put", Job::Push, {
            always(is("PUT", "/manifests/"), |_, _| {
                Reply::status(201).header("docker-content-digest", subject().to_string())
            })
        })
        .fails("the answer's `Docker-Content-Digest` is `sha256:", false),
        row("HTML in place of tags", Job::Tags, always(is("GET", "/tags/"), answers(html())))
            .fails("the answer is not a list of tags", false),
        row("HTML in place of a manifest", Job::Pull, always(is("GET", "/manifests/"), answers(html())))
            .fails("text/html", false),
        row("HTML in place of referrers", Job::Referrers, always(is("GET", "/referrers/"), answers(html()))),
        row("endless tags", Job::Tags, {
            let next =
                Reply::status(200).header("link", "</v2/a/tags/list?again>; rel=next").body(r#"{"tags":["v1"]}"#);
            always(is("GET", "/tags/"), answers(next))
        })
        .fails("the list does not end after 1000 pages", false),
        row("endless referrers", Job::Referrers, {
            let list = Manifest::from_index(Index::new(Vec::new())).unwrap();
            let next = Reply::status(200)
                .header("content-type", media_type::IMAGE_INDEX)
                .header("link", "</v2/a/referrers/again>; rel=next")
                .body(list.bytes().clone());
            always(is("GET", "/referrers/"), answers(next))
        })
        .fails("the list does not end after 1000 pages", false),
        row("an upload's place on another host, unencrypted or not there", Job::Push, {
            let place = Reply::status(202).header("location", "http://169.254.169.254/upload?token=x");
            always(is("POST", up), answers(place))
        })
        .fails("points to `http://169.254.169.254/upload`, an address of this machine's own network", false),
        row("a realm on a forbidden host", Job::Pull, {
            let realm = "Bearer realm=\"http://169.254.169.254/token\"";
            always(|_| true, answers(Reply::status(401).header("www-authenticate", realm)))
        })
        .fails("points to `http://169.254.169.254/token`", false),
        row("a redirect to a forbidden host", Job::Pull, {
            let place = Reply::status(307).header("location", "http://169.254.169.254/latest/meta-data?x=y");
            always(is("GET", "/blobs/"), answers(place))
        })
        .fails("points to `http://169.254.169.254/latest/meta-data`", false),
        row("403", Job::Push, always(is("POST", up), answers(Reply::status(403)))).fails("403 Forbidden", false),
        row("a manifest is refused", Job::Push, {
            let refused = r#"{"errors":[{"code":"MANIFEST_INVALID","message":"no"}]}"#;
            always(is("PUT", "/manifests/"), answers(Reply::status(400).body(refused)))
        })
        .fails("400 Bad Request: MANIFEST_INVALID (no)", false),
    ]
}

/// Cuts the layer in the middle, once; then, unless it goes on in parts, gives it whole.
fn cut_download(how: Cut, only_whole: bool) -> impl FnMut(&Received, &mut Shelf) -> Option<Reply> + Send + 'static {
    let is_layer = |received: &Received| {
        received.method == "GET" && received.path.ends_with(&Digest::sha256(&content()[1]).to_string())
    };
    let mut cut = first(1, is_layer, move |received, shelf| shelf.answer(received).cut_after(BLOB / 2, how));
    move |received, shelf| {
        shelf.gives_ranges = !only_whole;
        cut(received, shelf)
    }
}

/// The same, and what is asked for then is refused at first.
fn cut_and_busy() -> impl FnMut(&Received, &mut Shelf) -> Option<Reply> + Send + 'static {
    let mut cut = cut_download(Cut::Reset, false);
    let mut busy = first(1, |received| received.header("range").is_some(), answers(Reply::status(503)));
    move |received, shelf| busy(received, shelf).or_else(|| cut(received, shelf))
}

#[tokio::test(start_paused = true)]
async fn every_row_ends_well_or_with_the_right_error_and_nothing_half_done() {
    for Row { name, job, fault, reset, error, seconds } in rows() {
        let server = Server::with(fault).await;
        if job != Job::Push {
            server.shelf(fill);
        }
        let mut resets: Vec<_> = reset.into_iter().collect();
        server.cut(move |received| if received.body_is_large() { resets.pop() } else { None });
        // With real waits: the clock is not.
        let registries = Registries::new(RegistryOptions { credentials: Credentials::none(), ..Default::default() });
        let store = registries.unwrap().repository(&server.name, &"a".parse().unwrap());
        let start = Instant::now();
        let result = run(job, &store).await;
        let took = start.elapsed();
        store.settle().await.unwrap();
        match (&result, error) {
            (Ok(()), None) => {}
            (Err(error), Some((says, passes))) => {
                assert!(error.to_string().contains(says), "{name}: {error}");
                assert_eq!(error.is_temporary(), passes, "{name}: {error}");
            }
            (result, _) => panic!("{name}: {result:?}"),
        }
        let range = Duration::from_secs(seconds.start)..Duration::from_secs(seconds.end);
        assert!(range.contains(&took), "{name}: took {took:?}");
        server.shelf(|shelf| check(name, job, result.is_ok(), shelf));
    }
}

/// Tasks that a copy makes, and the transport's own, which reads content from one registry while it is sent to another.
#[tokio::test(start_paused = true)]
async fn a_copy_tells_of_every_retry_whoever_makes_it() {
    let source = Server::with(cut_and_busy()).await;
    source.shelf(fill);
    let target = Server::with(first(1, is("PUT", "/manifests/"), answers(Reply::status(503)))).await;
    let registries =
        Registries::new(RegistryOptions { credentials: Credentials::none(), ..Default::default() }).unwrap();
    let open = |server: &Server| -> Arc<dyn Store> { registries.repository(&server.name, &"a".parse().unwrap()) };
    let (tx, mut rx) = mpsc::unbounded_channel();
    let progress = Progress::new(StepId::new(0, "copied"), tx);
    let policy = RetryPolicy::default();
    let patience = Patience::new(policy, &RunPatience::new(policy), Some(progress.clone()));
    let (from, to) = (open(&source), open(&target));
    let copied = async { copy(&from, &manifest(), &to, &CopyOptions::default(), &progress, Standing::Unknown).await };
    patience.scope(copied).await.unwrap();
    let (mut told, mut moved) = (Vec::new(), 0);
    while let Ok(event) = rx.try_recv() {
        match event {
            Event::StepRetried { request, .. } => told.push(request.split('/').nth(5).unwrap().to_owned()),
            Event::TransferFinished { transfer, .. } => moved += transfer.done(),
            _ => {}
        }
    }
    told.sort();
    assert_eq!(told, ["blobs", "blobs", "manifests"]);
    // What came before the cut is not counted again.
    assert_eq!(moved, content().iter().map(|bytes| bytes.len() as u64).sum::<u64>());
}
