use super::*;
use crate::{
    event::{Failure, FailureKind},
    graph::{Need, Part, Shape},
    oci::Reference,
    step::{Effects, Thing},
};

fn part(index: usize, data: &[usize]) -> Part {
    Part {
        id: StepId::new(index, format!("s{index}")),
        effects: Effects::default(),
        gate: false,
        data: data.iter().map(|step| Need { step: *step, mention: "x".into() }).collect(),
        needs: Vec::new(),
    }
}

fn schedule(parts: &[Part], options: Options) -> (Schedule, Vec<Settled>) {
    Schedule::new(Arc::new(Graph::new(parts)), options)
}

fn failed() -> Outcome {
    failed_as(FailureKind::Step)
}

fn failed_as(kind: FailureKind) -> Outcome {
    let failure = Failure { kind, message: "no".to_owned(), notes: Vec::new(), help: Vec::new(), place: None };
    Outcome::Failed(Arc::new(failure))
}

fn words(settled: &[Settled]) -> Vec<(usize, &'static str)> {
    settled.iter().map(|settled| (settled.step, settled.outcome.word())).collect()
}

#[test]
fn steps_start_in_file_order_as_soon_as_they_can() {
    let (mut schedule, settled) = schedule(&[part(0, &[]), part(1, &[0]), part(2, &[])], Options::default());
    assert!(settled.is_empty());
    assert_eq!((schedule.start(), schedule.start(), schedule.start()), (Some(0), Some(2), None));
    assert!(schedule.finish(0, &Outcome::Created).is_empty());
    assert_eq!(schedule.start(), Some(1));
}

#[test]
fn a_failure_blocks_what_needs_it_and_starts_nothing_new() {
    let parts = [part(0, &[]), part(1, &[0]), part(2, &[1]), part(3, &[])];
    let (mut stopping, _) = schedule(&parts, Options::default());
    assert_eq!(stopping.start(), Some(0));
    assert_eq!(words(&stopping.finish(0, &failed())), [(1, "blocked"), (2, "blocked")]);
    assert_eq!(stopping.start(), None);
    assert_eq!(stopping.unstarted(&[true, false, false, false]), [3]);

    let (mut going, _) = schedule(&parts, Options { keep_going: true, ..Options::default() });
    assert_eq!(going.start(), Some(0));
    going.finish(0, &failed());
    assert_eq!(going.start(), Some(3));
}

#[test]
fn skipping_spreads_along_data_alone() {
    let mut parts = vec![part(0, &[]), part(1, &[0]), part(2, &[])];
    parts[2].needs.push(0);
    let (mut schedule, settled) = schedule(&parts, Options { skip: [0].into(), ..Options::default() });
    assert_eq!(words(&settled), [(0, "skipped"), (1, "skipped")]);
    assert_eq!(schedule.start(), Some(2));
}

#[test]
fn a_skipped_gate_holds_back_what_it_would_have_held_back() {
    let mut parts = vec![part(0, &[]), part(1, &[]), part(2, &[])];
    parts[0].gate = true;
    parts[1].gate = true;
    parts[2].effects = Effects::default().write(Thing::everything());
    let options = Options { skip: [0].into(), ..Options::default() };
    let (mut held, _) = schedule(&parts, options.clone());
    assert_eq!(held.start(), Some(1));
    assert_eq!(words(&held.finish(1, &Outcome::Passed)), [(2, "skipped")]);

    let (mut open, _) = schedule(&parts, Options { skip_gates: true, ..options });
    assert_eq!(open.start(), Some(1));
    assert!(open.finish(1, &Outcome::Passed).is_empty());
    assert_eq!(open.start(), Some(2));
}

#[test]
fn a_gate_whose_own_condition_is_false_is_open_and_what_it_hands_on_is_missing() {
    let mut parts = vec![part(0, &[]), part(1, &[]), part(2, &[0])];
    parts[0].gate = true;
    parts[1].effects = Effects::default().write(Thing::everything());
    let (mut schedule, _) = schedule(&parts, Options::default());
    assert_eq!(schedule.start(), Some(0));
    assert_eq!(words(&schedule.pass_over(0)), [(2, "skipped")]);
    assert_eq!(schedule.start(), Some(1));
}

#[test]
fn a_tolerated_failure_stops_nothing_but_what_uses_its_outputs() {
    let mut parts = vec![part(0, &[]), part(1, &[0]), part(2, &[])];
    parts[2].needs.push(0);
    let (mut schedule, _) = schedule(&parts, Options::default());
    assert_eq!(schedule.start(), Some(0));
    let settled = schedule.finish(0, &failed_as(FailureKind::Tolerated));
    let Outcome::Skipped { because } = &settled[0].outcome else { panic!() };
    assert_eq!((settled.len(), settled[0].step, &**because), (1, 1, "`s0` failed"));
    assert_eq!((schedule.is_draining(), schedule.start()), (false, Some(2)));
}

#[test]
fn finally_begins_when_it_is_entered_and_goes_on_after_failures() {
    let parts = [part(0, &[]), part(1, &[0]), part(2, &[]), part(3, &[]), part(4, &[3]), part(5, &[])];
    let finally = |place| Shape { finally: Some(place), ..Shape::default() };
    let graph = || Arc::new(Graph::shaped(&parts, finally(3)));
    let (mut schedule, _) = Schedule::new(graph(), Options::default());
    assert_eq!((schedule.start(), schedule.start(), schedule.start()), (Some(0), Some(2), None));
    schedule.finish(2, &Outcome::Created);
    assert_eq!(words(&schedule.finish(0, &failed())), [(1, "blocked")]);
    assert_eq!((schedule.start(), schedule.start_ahead()), (None, None));
    assert!(schedule.enter_finally(&[true, false, true, false, false, false]).is_empty());
    assert_eq!(schedule.start(), Some(3));
    assert_eq!(words(&schedule.finish(3, &failed())), [(4, "blocked")]);
    assert_eq!(schedule.start(), Some(5));

    let (mut interrupted, _) = Schedule::new(graph(), Options::default());
    assert_eq!(interrupted.start(), Some(0));
    interrupted.drain();
    interrupted.finish(0, &Outcome::Created);
    let started = [true, false, false, false, false, false];
    assert_eq!(words(&interrupted.enter_finally(&started)), [(1, "cancelled"), (2, "cancelled")]);
    assert_eq!((interrupted.start(), interrupted.start(), interrupted.start()), (Some(3), Some(5), None));
}

#[test]
fn finally_begins_also_where_nothing_stands_before_it() {
    let (mut schedule, _) = Schedule::new(
        Arc::new(Graph::shaped(&[part(0, &[])], Shape { finally: Some(0), ..Shape::default() })),
        Options::default(),
    );
    assert_eq!(schedule.start(), None);
    schedule.enter_finally(&[false]);
    assert_eq!(schedule.start(), Some(0));
}

#[test]
fn a_failure_is_not_hidden_by_a_skipped_step_between() {
    let mut parts = vec![part(0, &[]), part(1, &[]), part(2, &[])];
    parts[1].needs.push(0);
    parts[2].needs.push(1);
    let (mut schedule, _) = schedule(&parts, Options { skip: [1].into(), keep_going: true, ..Options::default() });
    assert_eq!(schedule.start(), Some(0));
    assert_eq!(words(&schedule.finish(0, &failed())), [(1, "blocked"), (2, "blocked")]);
}

#[test]
fn a_long_chain_is_blocked_without_running_out_of_stack() {
    let parts: Vec<_> =
        (0..100_000_usize).map(|index| part(index, &index.checked_sub(1).map_or(vec![], |step| vec![step]))).collect();
    let (mut schedule, _) = schedule(&parts, Options::default());
    assert_eq!(schedule.start(), Some(0));
    assert_eq!(schedule.finish(0, &failed()).len(), 99_999);
}

fn touching(index: usize, effects: Effects) -> Part {
    Part { effects, ..part(index, &[]) }
}

#[test]
fn what_waits_only_for_what_it_could_overtake_goes_ahead() {
    let repository = "localhost:5000/a".parse::<Reference>().unwrap().repository;
    let tag = Thing::tag(&repository, &"v1".parse().unwrap());
    let graph = Thing::graph(&repository);
    let push = |index| touching(index, Effects::default().write(tag.clone()).append(graph.clone()));
    let attach = |index| touching(index, Effects::default().read(tag.clone()).append(graph.clone()));
    let delete = |index| touching(index, Effects::default().write(Thing::repository(&repository)));
    let discover = |index| touching(index, Effects::default().read(tag.clone()).read(graph.clone()));

    let (mut schedule, _) =
        schedule(&[push(0), attach(1), discover(2), push(3), delete(4), push(5)], Options::default());
    assert_eq!((schedule.start(), schedule.start()), (Some(0), None));
    let ahead: Vec<_> = std::iter::from_fn(|| schedule.start_ahead()).collect();
    // What the last one brings might go with what the one before it deletes.
    assert_eq!(ahead, [1, 2, 3]);
    for step in 0..4 {
        schedule.finish(step, &Outcome::Created);
        assert_eq!(schedule.start(), Some(step + 1));
    }
    assert_eq!(schedule.start_ahead(), None);
    schedule.finish(4, &Outcome::Deleted);
    assert_eq!((schedule.start(), schedule.start_ahead()), (Some(5), None));
}

#[test]
fn nothing_goes_ahead_of_what_tells_which_blobs_were_there() {
    let graph = Thing::graph(&"localhost:5000/a".parse::<Reference>().unwrap().repository);
    let push = |index| touching(index, Effects::default().append(graph.clone()));
    let copy = touching(1, Effects::default().read(graph.clone()).append(graph.clone()).telling_blobs());
    let (mut schedule, _) = schedule(&[push(0), copy, push(2)], Options::default());
    assert_eq!((schedule.start(), schedule.start_ahead(), schedule.start_ahead()), (Some(0), Some(1), None));
    schedule.finish(0, &Outcome::Created);
    assert_eq!((schedule.start(), schedule.start_ahead()), (Some(1), None));
    schedule.finish(1, &Outcome::Created);
    assert_eq!(schedule.start(), Some(2));
}

#[test]
fn nothing_goes_ahead_of_its_data_of_a_gate_or_after_a_failure() {
    let everything = || Effects::default().write(Thing::everything());
    let mut parts = vec![part(0, &[]), part(1, &[0]), touching(2, everything()), part(3, &[])];
    parts[0].gate = true;
    parts[3].needs.push(2);
    let (mut waiting, _) = schedule(&parts, Options::default());
    assert_eq!((waiting.start(), waiting.start_ahead()), (Some(0), None));
    waiting.finish(0, &Outcome::Passed);
    assert_eq!((waiting.start(), waiting.start_ahead()), (Some(1), None));

    let tag = Thing::tag(&"localhost:5000/a".parse::<Reference>().unwrap().repository, &"v1".parse().unwrap());
    let writes = |index| touching(index, Effects::default().write(tag.clone()));
    let (mut failing, _) = schedule(&[part(0, &[]), writes(1), writes(2)], Options::default());
    assert_eq!((failing.start(), failing.start()), (Some(0), Some(1)));
    failing.finish(0, &failed());
    assert_eq!(failing.start_ahead(), None);
}

/// A loop over `items` of two steps each, the second of which waits for the first.
fn looping(items: usize, most: usize) -> Schedule {
    let parts: Vec<_> =
        (0..items * 2).map(|index| part(index, &if index % 2 == 1 { vec![index - 1] } else { vec![] })).collect();
    let iterations = (0..items * 2).map(|index| (index, (0, index / 2))).collect();
    let shape = Shape { finally: None, iterations, max_parallel: [(0, most)].into() };
    Schedule::new(Arc::new(Graph::shaped(&parts, shape)), Options::default()).0
}

#[test]
fn of_a_limited_loop_the_next_item_starts_when_one_has_ended() {
    let mut schedule = looping(4, 2);
    assert_eq!((schedule.start(), schedule.start(), schedule.start()), (Some(0), Some(2), None));
    schedule.finish(2, &Outcome::Created);
    assert_eq!((schedule.start(), schedule.start()), (Some(3), None));
    schedule.finish(3, &Outcome::Created);
    assert_eq!((schedule.start(), schedule.start()), (Some(4), None));
    schedule.finish(0, &Outcome::Created);
    schedule.finish(4, &Outcome::Created);
    assert_eq!((schedule.start(), schedule.start(), schedule.start()), (Some(1), Some(5), None));
    schedule.finish(5, &Outcome::Created);
    assert_eq!((schedule.start(), schedule.start()), (Some(6), None));
}

#[test]
fn a_limited_loop_whose_items_wait_for_one_another_does_not_stand_still() {
    // The first item waits for a step before the loop; the second could start, and then would wait for the first.
    let mut parts = vec![part(0, &[]), part(1, &[0]), part(2, &[]), part(3, &[2, 1])];
    parts[3].needs.push(1);
    let iterations = [(1, (0, 0)), (2, (0, 1)), (3, (0, 1))].into();
    let shape = Shape { finally: None, iterations, max_parallel: [(0, 1)].into() };
    let (mut schedule, _) = Schedule::new(Arc::new(Graph::shaped(&parts, shape)), Options::default());
    let mut order = Vec::new();
    while let Some(step) = schedule.start() {
        order.push(step);
        schedule.finish(step, &Outcome::Created);
    }
    assert_eq!(order, [0, 1, 2, 3]);
}
