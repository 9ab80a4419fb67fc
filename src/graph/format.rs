use std::{collections::BTreeMap, fmt::Write};

use petgraph::{Direction, graph::NodeIndex, visit::EdgeRef};
use serde_json::json;

use super::{Edge, Graph, Member};

/// How a graph is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One step a line, with what it waits for.
    Text,
    /// For Graphviz.
    Dot,
    /// For Markdown pages that draw it.
    Mermaid,
    /// For programs: every edge with its reasons.
    Json,
}

/// The steps that each step waits for without a detour: joins left out, and what follows from other edges too.
type Shown<'a> = BTreeMap<usize, BTreeMap<usize, &'a Edge>>;

impl Graph {
    /// The graph as text. `kinds` names the kind of each step, in file order.
    pub fn show(&self, format: Format, kinds: &[&str]) -> String {
        let names: Vec<&str> = (0..self.len()).filter_map(|step| self.step_name(step)).collect();
        let shown = self.reduced();
        match format {
            Format::Text => text(&names, kinds, &shown, self.finally()),
            Format::Dot => dot(&names, kinds, &shown),
            Format::Mermaid => mermaid(&names, kinds, &shown),
            Format::Json => json(&names, kinds, &shown, self.finally()),
        }
    }

    fn step_name(&self, step: usize) -> Option<&str> {
        match &self.nodes[self.node(step)?] {
            Member::Step(id) => Some(id.name()),
            Member::Join | Member::Finally => None,
        }
    }

    /// The transitive reduction, for people: an edge that follows from others is left out.
    fn reduced(&self) -> Shown<'_> {
        let mut reduced = Shown::new();
        // Who is before each step, as a set of bits: a plan of 10,000 steps takes 12 MB.
        let words = self.len().div_ceil(64);
        let mut before: Vec<Vec<u64>> = Vec::with_capacity(self.len());
        for step in 0..self.len() {
            let mut sources = BTreeMap::new();
            if let Some(node) = self.node(step) {
                self.sources(node, None, &mut sources);
            }
            let mut seen = vec![0_u64; words];
            let mut kept = BTreeMap::new();
            // From the nearest in the file: whatever is before it is behind it already.
            for (source, edge) in sources.into_iter().rev() {
                let (word, bit) = (source / 64, 1_u64 << (source % 64));
                if seen.get(word).is_some_and(|seen| seen & bit != 0) {
                    continue;
                }
                for (ours, theirs) in seen.iter_mut().zip(before.get(source).into_iter().flatten()) {
                    *ours |= theirs;
                }
                if let Some(ours) = seen.get_mut(word) {
                    *ours |= bit;
                }
                kept.insert(source, edge);
            }
            before.push(seen);
            reduced.insert(step, kept);
        }
        reduced
    }

    /// The steps with an edge to `node`, directly or through joins. Through a join, the edge into it tells the reason.
    fn sources<'a>(&'a self, node: NodeIndex, through: Option<&'a Edge>, found: &mut BTreeMap<usize, &'a Edge>) {
        let mut waiting = vec![(node, through)];
        let mut seen = std::collections::HashSet::from([node]);
        while let Some((node, through)) = waiting.pop() {
            for edge in self.nodes.edges_directed(node, Direction::Incoming) {
                match &self.nodes[edge.source()] {
                    Member::Step(id) => {
                        found.entry(id.index()).or_insert_with(|| through.unwrap_or(edge.weight()));
                    }
                    Member::Join if seen.insert(edge.source()) => {
                        waiting.push((edge.source(), through.or(Some(edge.weight()))));
                    }
                    // All of `finally` waits for everything before it: that goes without saying.
                    Member::Join | Member::Finally => {}
                }
            }
        }
    }
}

fn name<'a>(names: &[&'a str], step: usize) -> &'a str {
    names.get(step).copied().unwrap_or_default()
}

fn words(edge: &Edge) -> String {
    let mut words: Vec<_> = edge.reasons.iter().map(super::Reason::word).collect();
    // Two things that both touch are still one kind of reason.
    words.dedup();
    words.join(", ")
}

fn text(names: &[&str], kinds: &[&str], shown: &Shown<'_>, finally: usize) -> String {
    let width = names.iter().map(|name| name.len()).max().unwrap_or(0);
    let kind_width = kinds.iter().map(|kind| kind.len()).max().unwrap_or(0);
    let mut out = String::new();
    for (step, sources) in shown {
        let waits: Vec<_> =
            sources.iter().map(|(source, edge)| format!("{} ({})", name(names, *source), words(edge))).collect();
        let kind = kinds.get(*step).copied().unwrap_or_default();
        let waits = match (waits.join(", "), *step >= finally) {
            (waits, false) if waits.is_empty() => String::new(),
            (waits, true) if waits.is_empty() => "  finally".to_owned(),
            (waits, false) => format!("  after {waits}"),
            (waits, true) => format!("  finally, after {waits}"),
        };
        let line = format!("{:width$}  {kind:kind_width$}{waits}", name(names, *step));
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

fn dot(names: &[&str], kinds: &[&str], shown: &Shown<'_>) -> String {
    let mut out = String::from("digraph plan {\n  rankdir = LR;\n  node [shape = box, fontname = monospace];\n");
    for (step, kind) in kinds.iter().enumerate() {
        let _ = writeln!(out, "  \"{0}\" [label = \"{0}\\n{kind}\"];", name(names, step));
    }
    for (step, sources) in shown {
        for (source, edge) in sources {
            let _ = writeln!(
                out,
                "  \"{}\" -> \"{}\" [label = \"{}\"];",
                name(names, *source),
                name(names, *step),
                words(edge)
            );
        }
    }
    out.push_str("}\n");
    out
}

fn mermaid(names: &[&str], kinds: &[&str], shown: &Shown<'_>) -> String {
    let mut out = String::from("flowchart LR\n");
    for (step, kind) in kinds.iter().enumerate() {
        // Ids of our own: a step may be called `end`, which mermaid keeps for itself.
        let _ = writeln!(out, "  s{step}[\"{}<br/>{kind}\"]", name(names, step));
    }
    for (step, sources) in shown {
        for (source, edge) in sources {
            let _ = writeln!(out, "  s{source} -->|{}| s{step}", words(edge));
        }
    }
    out
}

fn json(names: &[&str], kinds: &[&str], shown: &Shown<'_>, finally: usize) -> String {
    let one = |(step, kind): (usize, &&str)| {
        let mut one = json!({ "id": name(names, step), "kind": kind });
        if let Some(members) = one.as_object_mut().filter(|_| step >= finally) {
            members.insert("finally".to_owned(), true.into());
        }
        one
    };
    let steps: Vec<_> = kinds.iter().enumerate().map(one).collect();
    let edges: Vec<_> = shown
        .iter()
        .flat_map(|(step, sources)| sources.iter().map(move |(source, edge)| (source, step, edge)))
        .map(|(source, step, edge)| {
            let reasons: Vec<_> = edge
                .reasons
                .iter()
                .map(|reason| json!({ "reason": reason.word(), "text": reason.to_string() }))
                .collect();
            json!({ "from": name(names, *source), "to": name(names, *step), "reasons": reasons })
        })
        .collect();
    format!("{:#}\n", json!({ "version": 1, "steps": steps, "edges": edges }))
}
