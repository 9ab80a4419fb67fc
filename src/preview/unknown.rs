use std::collections::BTreeMap;

use petgraph::{Direction, visit::EdgeRef};

use crate::{
    graph::{Edge, Member, Reason},
    program::{Planned, Program},
    step::{Access, Sort},
};

/// The steps of which nothing can be known before the run, by their place in the file, each with the reason.
pub(super) fn unknown(program: &Program) -> BTreeMap<usize, String> {
    let graph = program.graph().as_petgraph();
    let mut found = BTreeMap::new();
    // By node, joins among them: which step's doing is not known, and whether it only adds.
    let mut tainted: BTreeMap<usize, Taint> = BTreeMap::new();
    // Nodes stand in the order in which they can be worked off: edges lead from earlier ones to later ones.
    for node in petgraph::algo::toposort(graph, None).unwrap_or_default() {
        let sources: Vec<_> = graph.edges_directed(node, Direction::Incoming).collect();
        let Member::Step(id) = &graph[node] else {
            let taints = sources.iter().filter_map(|edge| {
                let taint = tainted.get(&edge.source().index())?;
                does(edge.weight()).then(|| taint.clone())
            });
            // What only adds hides nothing from those who would have to know.
            if let Some(taint) = taints.min_by_key(|taint| taint.only_adds) {
                tainted.insert(node.index(), taint);
            }
            continue;
        };
        let Some(planned) = program.steps().get(id.index()).filter(|_| !program.skip().contains(&id.index())) else {
            continue;
        };
        let mut because = planned.kind.unforeseeable.map(str::to_owned);
        for edge in &sources {
            let from = &graph[edge.source()];
            because = because.or_else(|| match tainted.get(&edge.source().index()) {
                Some(taint) if edge.weight().is_data() => Some(format!("it needs what `{}` hands on", taint.by)),
                Some(taint) if does(edge.weight()) && (goes_by_lists(planned) || !taint.only_adds) => {
                    Some(format!("it depends on what `{}` does", taint.by))
                }
                _ => writes_file(edge.weight()).and_then(|path| match from {
                    Member::Step(writer) if reads_files(program, id.index()) => {
                        Some(format!("it reads {path}, which `{writer}` writes"))
                    }
                    _ => None,
                }),
            });
        }
        if let Some(because) = because {
            let writes = planned.effects.touches().iter().any(|(access, _)| *access == Access::Write);
            tainted.insert(node.index(), Taint { by: id.name().to_owned(), only_adds: !writes });
            found.insert(id.index(), because);
        }
    }
    found
}

#[derive(Debug, Clone)]
struct Taint {
    by: String,
    only_adds: bool,
}

/// Whether the later step can tell what the earlier one does.
fn does(edge: &Edge) -> bool {
    edge.reasons.iter().any(|reason| match reason {
        Reason::Effect { before, .. } => *before != Access::Read,
        Reason::Data { .. } | Reason::Needs | Reason::Include => true,
        Reason::Gate | Reason::Finally => false,
    })
}

/// Whether what others have added shows in what the step does.
fn goes_by_lists(planned: &Planned) -> bool {
    planned.kind.lists
        || planned
            .effects
            .touches()
            .iter()
            .any(|(access, thing)| *access == Access::Read && thing.sort() == Sort::TagList)
}

/// The local path that the earlier step writes and the later one touches.
fn writes_file(edge: &Edge) -> Option<String> {
    edge.reasons.iter().find_map(|reason| match reason {
        Reason::Effect { before: Access::Write, thing, .. } if thing.is_path() => Some(thing.to_string()),
        _ => None,
    })
}

fn reads_files(program: &Program, step: usize) -> bool {
    program.steps().get(step).is_some_and(|planned| {
        planned.effects.touches().iter().any(|(access, thing)| *access == Access::Read && thing.is_path())
    })
}
