use proptest::prelude::*;

use super::*;
use crate::{
    oci::{Reference, Repository},
    step::{Access, Thing},
};

fn repository() -> Repository {
    "localhost:5000/app".parse::<Reference>().unwrap().repository
}

fn part(index: usize, effects: Effects) -> Part {
    Part { id: StepId::new(index, format!("s{index}")), effects, gate: false, data: Vec::new(), needs: Vec::new() }
}

fn parts(effects: Vec<Effects>) -> Vec<Part> {
    effects.into_iter().enumerate().map(|(index, effects)| part(index, effects)).collect()
}

fn attach() -> Effects {
    Effects::default().append(Thing::graph(&repository()))
}

fn discover() -> Effects {
    Effects::default().read(Thing::graph(&repository()))
}

fn delete() -> Effects {
    Effects::default().write(Thing::repository(&repository()))
}

#[track_caller]
fn waits(graph: &Graph, earlier: usize, later: usize, expected: bool) {
    assert_eq!(graph.why(earlier, later).is_some(), expected, "{later} after {earlier}");
}

#[test]
fn attaches_overlap_and_whoever_reads_waits_for_all_of_them() {
    let graph = Graph::new(&parts(vec![attach(), attach(), discover(), discover(), attach(), delete(), attach()]));
    waits(&graph, 0, 1, false);
    for (earlier, later) in [(0, 2), (1, 2), (1, 3), (2, 4), (3, 4), (4, 5), (2, 5), (5, 6), (0, 6)] {
        waits(&graph, earlier, later, true);
    }
    waits(&graph, 2, 3, false);
}

#[test]
fn a_gate_of_an_item_holds_back_its_own_steps_and_what_stands_after_the_loop() {
    let writes = |index: usize| {
        let tag = Thing::tag(&repository(), &format!("v{index}").parse().unwrap());
        part(index, Effects::default().write(tag))
    };
    let gate = |index| Part { gate: true, ..part(index, Effects::default()) };
    // A gate, two items of a gate and a writer each, a writer, another gate, a writer.
    let parts = [gate(0), gate(1), writes(2), gate(3), writes(4), writes(5), gate(6), writes(7)];
    let iterations = [(1, (0, 0)), (2, (0, 0)), (3, (0, 1)), (4, (0, 1))].into();
    let graph = Graph::shaped(&parts, Shape { iterations, ..Shape::default() });
    for (earlier, later) in [(0, 2), (0, 4), (1, 2), (3, 4), (1, 5), (3, 5), (0, 5), (6, 7), (1, 7)] {
        waits(&graph, earlier, later, true);
    }
    for (earlier, later) in [(1, 4), (1, 3), (0, 1), (2, 4), (5, 7)] {
        waits(&graph, earlier, later, false);
    }
}

#[test]
fn what_is_in_finally_waits_for_everything_and_no_gate_holds_it_back() {
    let mut parts = parts(vec![attach(), discover(), delete(), attach(), delete()]);
    parts[1].gate = true;
    let graph = Graph::shaped(&parts, Shape { finally: Some(3), ..Shape::default() });
    for (earlier, later) in [(0, 3), (1, 3), (2, 3), (2, 4), (3, 4)] {
        waits(&graph, earlier, later, true);
    }
    let is_gate = graph.as_petgraph().edge_weights().filter(|edge| edge.is_gate()).count();
    assert_eq!(is_gate, 1, "the gate holds back the step before `finally` alone");
}

#[test]
fn a_step_that_touches_a_thing_twice_does_not_wait_for_itself() {
    let both = discover().append(Thing::graph(&repository()));
    let graph = Graph::new(&parts(vec![both.clone(), both.clone(), both]));
    waits(&graph, 0, 1, true);
    waits(&graph, 1, 2, true);
}

#[test]
fn what_is_in_a_thing_waits_for_the_thing_and_the_other_way_round() {
    let tag = |name: &str| Thing::tag(&repository(), &name.parse().unwrap());
    let graph = Graph::new(&parts(vec![
        Effects::default().write(tag("a")),
        Effects::default().write(tag("b")),
        delete(),
        Effects::default().read(tag("a")),
        Effects::default().write(Thing::everything()),
        Effects::default().read(tag("c")),
    ]));
    waits(&graph, 0, 1, false);
    for (earlier, later) in [(0, 2), (1, 2), (2, 3), (3, 4), (4, 5)] {
        waits(&graph, earlier, later, true);
    }
}

#[test]
fn many_before_many_stay_linear() {
    let mut effects = vec![attach(); 2000];
    effects.extend(vec![discover(); 2000]);
    let graph = Graph::new(&parts(effects));
    assert!(graph.as_petgraph().edge_count() < 4100, "{}", graph.as_petgraph().edge_count());
    waits(&graph, 0, 3999, true);

    let mut gated = parts(vec![Effects::default(); 2000]);
    for part in &mut gated {
        part.gate = true;
    }
    gated.extend(
        (2000..4000).map(|index| part(index, Effects::default().write(Thing::path(format!("/{index}").as_ref())))),
    );
    let graph = Graph::new(&gated);
    assert!(graph.as_petgraph().edge_count() < 6100, "{}", graph.as_petgraph().edge_count());
    waits(&graph, 1999, 2000, true);
    waits(&graph, 0, 3999, true);
    waits(&graph, 2000, 2001, false);
}

#[test]
fn a_gate_holds_back_what_changes_something_and_nothing_else() {
    let mut parts = parts(vec![Effects::default(), discover(), attach()]);
    parts[0].gate = true;
    let graph = Graph::new(&parts);
    waits(&graph, 0, 1, false);
    let legs = graph.why(0, 2).unwrap();
    assert_eq!(legs.len(), 1);
    assert_eq!(legs[0].edge.reasons, [Reason::Gate]);
}

#[test]
fn every_reason_of_an_edge_is_kept() {
    let mut parts = parts(vec![attach(), discover()]);
    parts[1].data.push(Need { step: 0, mention: "steps.s0.digest".into() });
    parts[1].needs.push(0);
    let graph = Graph::new(&parts);
    let words: Vec<_> = graph.why(0, 1).unwrap()[0].edge.reasons.iter().map(Reason::word).collect();
    assert_eq!(words, ["data", "needs", "effect"]);
}

/// What a generated step touches: a few things of which some contain others.
fn touches() -> impl Strategy<Value = Effects> {
    let tag = |name: &str| Thing::tag(&repository(), &name.parse().unwrap());
    let other = "localhost:5000/other".parse::<Reference>().unwrap().repository;
    let things = vec![
        Thing::graph(&repository()),
        tag("a"),
        tag("b"),
        Thing::tag_list(&repository()),
        Thing::repository(&repository()),
        Thing::graph(&other),
        Thing::every_repository(),
        Thing::path("/x/y".as_ref()),
        Thing::path("/x".as_ref()),
        Thing::everything(),
    ];
    let access = prop::sample::select(vec![Access::Read, Access::Append, Access::Write]);
    let touch = (access, prop::sample::select(things));
    prop::collection::vec(touch, 0..4).prop_map(|touches| {
        touches.into_iter().fold(Effects::default(), |effects, (access, thing)| match access {
            Access::Read => effects.read(thing),
            Access::Append => effects.append(thing),
            Access::Write => effects.write(thing),
        })
    })
}

fn conflict(one: &Effects, two: &Effects) -> bool {
    one.touches().iter().any(|(before, one)| {
        two.touches().iter().any(|(after, two)| before.conflicts(*after) && (one.contains(two) || two.contains(one)))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn who_waits_is_who_conflicts_with_what_comes_before(
        steps in prop::collection::vec((touches(), prop::bool::weighted(0.2)), 1..24)
    ) {
        let mut parts = parts(steps.iter().map(|(effects, _)| effects.clone()).collect());
        for (part, (_, gate)) in parts.iter_mut().zip(&steps) {
            part.gate = *gate;
        }
        let graph = Graph::new(&parts);
        // Every pair by itself, and what follows from that.
        let mut before: Vec<Vec<bool>> = Vec::new();
        for (later, part) in parts.iter().enumerate() {
            let mut waits_for = vec![false; later];
            for earlier in (0..later).rev() {
                let gated = parts[earlier].gate && part.effects.changes_anything();
                if gated || conflict(&parts[earlier].effects, &part.effects) {
                    waits_for[earlier] = true;
                    for (place, known) in before[earlier].iter().enumerate() {
                        waits_for[place] |= known;
                    }
                }
            }
            for (earlier, expected) in waits_for.iter().enumerate() {
                let found = graph.why(earlier, later).is_some();
                prop_assert_eq!(found, *expected, "{} after {}: {:#?}", later, earlier, steps);
            }
            before.push(waits_for);
        }
    }
}

#[test]
fn the_longest_chain_is_the_dearest_and_not_the_one_with_most_steps() {
    // Attaches beside each other, who reads them through a join, and a step of its own.
    let mut effects = vec![attach(); 5];
    effects.extend([discover(), discover(), Effects::default()]);
    let graph = Graph::new(&parts(effects));
    let chain = |costs: [u32; 8]| {
        let chain = graph.longest_chain(|step| costs[step]);
        let names: Vec<_> = chain.links.iter().map(|(step, cost)| format!("{step}:{cost}")).collect();
        (chain.round_trips(), names.join(" "))
    };
    assert_eq!(chain([2, 5, 1, 1, 1, 3, 4, 1]), (9, "s1:5 s6:4".to_owned()));
    assert_eq!(chain([2, 5, 1, 1, 1, 3, 4, 10]), (10, "s7:10".to_owned()));
    // Of equals the first; a step that cost nothing is no link.
    assert_eq!(chain([2, 2, 2, 2, 2, 4, 4, 6]), (6, "s0:2 s5:4".to_owned()));
    assert_eq!(chain([0, 0, 0, 0, 0, 4, 0, 0]), (4, "s5:4".to_owned()));
    assert_eq!(chain([0; 8]), (0, String::new()));
}
