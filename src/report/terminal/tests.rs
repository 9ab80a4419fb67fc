use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use indicatif::{InMemoryTerm, TermLike as _};

use super::*;
use crate::{
    event::{Outcome, StepId},
    report::{Prints, testing},
};

/// What is written to a terminal turns up on its screen.
struct Screen(InMemoryTerm);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A terminal begins a line at its left end.
        self.0.write_str(&String::from_utf8_lossy(bytes).replace('\n', "\r\n"))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn terminal(columns: u16) -> (InMemoryTerm, Terminal) {
    let term = InMemoryTerm::new(60, columns);
    let terminal = Terminal::new(Screen(term.clone()), move || (60, columns.into()), Palette::PLAIN);
    (term, terminal)
}

/// The middle of a run: some steps are through, ten transfers run, some of them for five seconds.
fn middle(columns: u16) -> String {
    let (term, mut terminal) = terminal(columns);
    let start = Instant::now();
    let names = ["image", "sbom", "docs", "promote", "sign_everything_that_is_there"];
    let steps: Vec<_> = names.iter().enumerate().map(|(index, name)| StepId::new(index, *name)).collect();
    let all = steps.iter().cloned().chain((5..21).map(testing::step)).map(|step| (step, "push"));
    let mut tell = |event| terminal.report(&event).unwrap();
    tell(testing::run_started("acr-tutorial", all.collect(), Vec::new()));
    for step in &steps {
        tell(Event::StepStarted { step: step.clone() });
    }
    tell(Event::StepFinished {
        step: steps[1].clone(),
        outcome: Outcome::Created,
        output: Some(Arc::new(testing::output())),
        elapsed: Duration::from_millis(120),
        round_trips: 0,
    });
    let transfers: Vec<_> = (1..=10)
        .map(|index| testing::transfer("application/vnd.oci.image.layer.v1.tar+gzip", index * 1024 * 1024 * 100))
        .collect();
    for transfer in &transfers {
        tell(Event::TransferStarted { step: steps[0].clone(), transfer: Arc::clone(transfer) });
    }
    terminal.tick(start).unwrap();
    for transfer in &transfers {
        transfer.advance(60 * 1024 * 1024);
    }
    terminal.tick(start + Duration::from_secs(4)).unwrap();
    let finished = Event::TransferFinished { step: steps[0].clone(), transfer: Arc::clone(&transfers[1]) };
    terminal.report(&finished).unwrap();
    terminal.tick(start + Duration::from_secs(5)).unwrap();
    term.contents()
}

#[test]
fn a_run_at_60_columns() {
    insta::assert_snapshot!(middle(60), @"
    acr-tutorial: 21 steps
    created   sbom                      44136fa355b3  0.12 s
    image a…tar+gzip  ████░░░░     60.0 MiB/100.0 MiB        4 s
    image a…tar+gzip  █░░░░░░░     60.0 MiB/300.0 MiB       20 s
    image a…tar+gzip  █░░░░░░░     60.0 MiB/400.0 MiB       29 s
    image a…tar+gzip  ░░░░░░░░     60.0 MiB/500.0 MiB       37 s
    image a…tar+gzip  ░░░░░░░░     60.0 MiB/600.0 MiB       45 s
    image a…tar+gzip  ░░░░░░░░     60.0 MiB/700.0 MiB       54 s
    image a…tar+gzip  ░░░░░░░░     60.0 MiB/800.0 MiB   1 m 02 s
    image a…tar+gzip  ░░░░░░░░     60.0 MiB/900.0 MiB
    total of 9        ░░░░░░░░      600.0 MiB/5.2 GiB       40 s
    1 of 21 done, 16 waiting; running image (5 s) and 3 more
    ");
}

#[test]
fn a_run_at_80_columns() {
    insta::assert_snapshot!(middle(80), @"
    acr-tutorial: 21 steps
    created   sbom                      myregis…-monitor@sha256:44136fa355b3  0.12 s
    image app…1.tar+gzip  ██████░░░░     60.0 MiB/100.0 MiB    12.0 MiB/s        4 s
    image app…1.tar+gzip  ██░░░░░░░░     60.0 MiB/300.0 MiB    12.0 MiB/s       20 s
    image app…1.tar+gzip  █░░░░░░░░░     60.0 MiB/400.0 MiB    12.0 MiB/s       29 s
    image app…1.tar+gzip  █░░░░░░░░░     60.0 MiB/500.0 MiB    12.0 MiB/s       37 s
    image app…1.tar+gzip  █░░░░░░░░░     60.0 MiB/600.0 MiB    12.0 MiB/s       45 s
    image app…1.tar+gzip  ░░░░░░░░░░     60.0 MiB/700.0 MiB    12.0 MiB/s       54 s
    image app…1.tar+gzip  ░░░░░░░░░░     60.0 MiB/800.0 MiB    12.0 MiB/s   1 m 02 s
    image app…1.tar+gzip  ░░░░░░░░░░     60.0 MiB/900.0 MiB
    total of 9            █░░░░░░░░░      600.0 MiB/5.2 GiB   120.0 MiB/s       40 s
    1 of 21 done, 16 waiting; running image (5 s), docs (5 s) and 2 more
    ");
}

#[test]
fn a_run_at_200_columns() {
    insta::assert_snapshot!(middle(200), @"
    acr-tutorial: 21 steps
    created   sbom                      myregistry.azurecr.io/net-monitor@sha256:44136fa355b3  0.12 s
    image application/vnd.oci.image.layer.v1.tar+gzip             ████████████████████████░░░░░░░░░░░░░░░░     60.0 MiB/100.0 MiB    12.0 MiB/s        4 s
    image application/vnd.oci.image.layer.v1.tar+gzip             ████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░     60.0 MiB/300.0 MiB    12.0 MiB/s       20 s
    image application/vnd.oci.image.layer.v1.tar+gzip             ██████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░     60.0 MiB/400.0 MiB    12.0 MiB/s       29 s
    image application/vnd.oci.image.layer.v1.tar+gzip             ████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░     60.0 MiB/500.0 MiB    12.0 MiB/s       37 s
    image application/vnd.oci.image.layer.v1.tar+gzip             ████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░     60.0 MiB/600.0 MiB    12.0 MiB/s       45 s
    image application/vnd.oci.image.layer.v1.tar+gzip             ███░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░     60.0 MiB/700.0 MiB    12.0 MiB/s       54 s
    image application/vnd.oci.image.layer.v1.tar+gzip             ███░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░     60.0 MiB/800.0 MiB    12.0 MiB/s   1 m 02 s
    image application/vnd.oci.image.layer.v1.tar+gzip             ██░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░     60.0 MiB/900.0 MiB
    total of 9                                                    ████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░      600.0 MiB/5.2 GiB   120.0 MiB/s       40 s
    1 of 21 done, 16 waiting; running image (5 s), docs (5 s), promote (5 s), sign_everything_that_is_there (5 s)
    ");
}

#[test]
fn no_width_is_too_small() {
    for columns in [1, 2, 10, 30, 45] {
        middle(columns);
    }
}

#[test]
fn every_event() {
    let (term, mut terminal) = terminal(100);
    testing::tell(&mut terminal);
    insta::assert_snapshot!(term.contents(), @r"
    acr-tutorial: 9 steps
    retrying  image           in 1.5 s, after attempt 1: GET https://r.io/v2/: 503 Service Unavailable
    warning   tree            the registry has no referrers API
    again     remove          it had not ended
    created   image           myregistry.azurecr.io/net-monitor@sha256:44136fa355b3  0.12 s
    updated   sbom            myregistry.azurecr.io/net-monitor@sha256:44136fa355b3  0.12 s
    unchanged docs            myregistry.azurecr.io/net-monitor@sha256:44136fa355b3  0.12 s
    deleted   remove          myregistry.azurecr.io/net-monitor@sha256:44136fa355b3  0.12 s
    passed    tree            0.12 s
    skipped   promote         `when` is false
    blocked   sign            push_app failed
    output    push_app        ::error::one
    output    push_app        two \u001b[2J
    failed    push_app        failed to push to `myregistry.azurecr.io/app:v1`: 403 DENIED: two\nlines a
    nd \u001b[2J
      --> plans/x.yaml:12:5
      help: log in with `consign login myregistry.azurecr.io`
    cancelled sbom_signature  never started
    changed:
      created myregistry.azurecr.io/net-monitor@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e831
    0c060f61caaff8a
      updated myregistry.azurecr.io/net-monitor@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e831
    0c060f61caaff8a
      deleted myregistry.azurecr.io/net-monitor@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e831
    0c060f61caaff8a
    failed:
      push_app: failed to push to `myregistry.azurecr.io/app:v1`: 403 DENIED: two\nlines and \u001b[2J
    1 created, 1 updated, 1 unchanged, 1 deleted, 1 passed, 1 skipped, 1 blocked, 1 failed, 1 cancelled
    in 1.2 s
    run it again: what succeeded is found unchanged
    a real run:
      in                                 needs               to
      myregistry.azurecr.io/base         pull
      myregistry.azurecr.io/net-monitor  pull, push, delete  move               latest: sha256:cba06b573
    6fa → sha256:ea0890697a77
                                                             create and delete  passing
                                                             delete             stale, now sha256:cba06b
    5736fa
                                                             create             v1 → sha256:ea0890697a77
                                                             create             sha256:ea0890697a77
    faults: `copy:503*2` 1 of 2 times; they cost 1 more try
    ");
}

#[test]
fn bars_are_gone_when_the_run_is_over() {
    let (term, mut terminal) = terminal(80);
    for event in testing::events() {
        terminal.report(&event).unwrap();
        terminal.tick(Instant::now()).unwrap();
    }
    let contents = term.contents();
    assert!(contents.ends_with("they cost 1 more try"), "{contents}");
    assert!(!contents.contains('░') && !contents.contains("waiting"), "{contents}");
}

#[test]
fn prints_are_not_torn_by_the_bars() {
    let (term, mut terminal) = terminal(80);
    let mut prints = Prints::new(terminal.beside(Screen(term.clone())));
    for event in testing::events() {
        prints.report(&event).unwrap();
        terminal.report(&event).unwrap();
        terminal.tick(Instant::now()).unwrap();
    }
    let contents = term.contents();
    let printed = contents.lines().position(|line| line == "myregistry.azurecr.io/net-monitor:v1").unwrap();
    assert_eq!(contents.lines().nth(printed + 1), Some("└── sbom/example"));
    assert!(!contents.contains("waiting"), "{contents}");
}

/// Keeps each write.
#[derive(Clone, Default)]
struct Writes(Arc<Mutex<Vec<String>>>);

impl Write for Writes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().push(String::from_utf8_lossy(bytes).into_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn thousands_of_events_between_two_ticks_are_one_write_and_nothing_new_is_none() {
    let writes = Writes::default();
    let mut terminal = Terminal::new(writes.clone(), || (60, 80), Palette::PLAIN);
    let count = || writes.0.lock().unwrap().len();
    let start = Instant::now();
    terminal.report(&testing::started(5_001)).unwrap();
    terminal.tick(start).unwrap();
    assert_eq!(count(), 1);
    for index in 0..5_000 {
        let (step, transfer) = (testing::step(index), testing::transfer("a", 10));
        terminal.report(&Event::StepStarted { step: step.clone() }).unwrap();
        terminal.report(&Event::TransferStarted { step: step.clone(), transfer: Arc::clone(&transfer) }).unwrap();
        terminal.report(&Event::TransferFinished { step, transfer }).unwrap();
        terminal.report(&testing::finished(index, Outcome::Created)).unwrap();
    }
    assert_eq!(count(), 1);
    terminal.tick(start + Duration::from_millis(100)).unwrap();
    assert_eq!(count(), 2);
    let last = writes.0.lock().unwrap()[1].clone();
    assert!(last.starts_with("\u{1b}[?2026h") && last.ends_with("\u{1b}[?2026l"), "{last:?}");
    assert_eq!(last.matches("created").count(), 5_000);
    for tick in 2..100 {
        terminal.tick(start + Duration::from_millis(100 * tick)).unwrap();
    }
    assert_eq!(count(), 2);
}

#[test]
fn what_was_drawn_wider_than_the_terminal_is_now_leaves_nothing_behind() {
    let term = InMemoryTerm::new(30, 40);
    let columns = Arc::new(Mutex::new(80));
    let width = Arc::clone(&columns);
    let writes = Writes::default();
    let mut terminal = Terminal::new(writes.clone(), move || (30, *width.lock().unwrap()), Palette::PLAIN);
    terminal.report(&testing::started(2)).unwrap();
    terminal.report(&Event::StepStarted { step: testing::step(0) }).unwrap();
    let transfer = testing::transfer("layer.tar", 1000);
    terminal.report(&Event::TransferStarted { step: testing::step(0), transfer }).unwrap();
    terminal.tick(Instant::now()).unwrap();
    *columns.lock().unwrap() = 40;
    terminal.tick(Instant::now()).unwrap();
    // A terminal of 40 columns breaks what was drawn for 80 just as one does that becomes narrower.
    let mut screen = Screen(term.clone());
    for text in writes.0.lock().unwrap().iter() {
        screen.write_all(text.as_bytes()).unwrap();
    }
    let contents = term.contents();
    let lines: Vec<_> = contents.lines().collect();
    assert_eq!((lines.len(), lines[0]), (4, "test: 2 steps"), "{contents}");
    assert_eq!(lines[3], "0 of 2 done, 1 waiting; 1 running", "{contents}");
}

#[test]
fn a_step_that_waits_before_another_try_counts_the_time_down() {
    let (term, mut terminal) = terminal(80);
    let start = Instant::now();
    terminal.report(&testing::started(2)).unwrap();
    terminal.report(&Event::StepStarted { step: testing::step(0) }).unwrap();
    terminal.tick(start).unwrap();
    let (request, error) = ("GET https://r.io/v2/".into(), "429 Too Many Requests".into());
    let wait = Duration::from_mins(1);
    terminal.report(&Event::StepRetried { step: testing::step(0), attempt: 1, wait, request, error }).unwrap();
    let mut last_line = |seconds| {
        terminal.tick(start + Duration::from_secs(seconds)).unwrap();
        term.contents().lines().last().map(str::to_owned).unwrap()
    };
    assert_eq!(
        [5, 60, 65].map(&mut last_line),
        [
            "0 of 2 done, 1 waiting; running step0 (5 s, waits 1 m 00 s)",
            "0 of 2 done, 1 waiting; running step0 (1 m 00 s, waits 5 s)",
            "0 of 2 done, 1 waiting; running step0 (1 m 05 s)",
        ]
    );
}
