use std::collections::BTreeMap;

use crate::event::{Edge, Node, Reason};

/// A set of steps.
type Bits = Vec<u64>;

/// Which step comes before which, in full: what follows from the edges is in it too.
#[derive(Debug)]
pub(super) struct Order {
    count: usize,
    /// For each step, the steps before it, as a set of bits.
    before: Vec<Bits>,
    /// For each step, the steps after it.
    after: Vec<Bits>,
    /// Edges between steps with what they say, joins left out, by the earlier and the later step.
    direct: BTreeMap<(usize, usize), Vec<Reason>>,
}

impl Order {
    /// The order of so many steps. Steps stand in file order, and no edge leads back.
    pub(super) fn new(count: usize, edges: &[Edge]) -> Self {
        let joins = edges.iter().flat_map(|edge| [&edge.from, &edge.to]).filter_map(|node| match node {
            Node::Join(number) => Some(*number),
            Node::Step(_) => None,
        });
        let joins = joins.max().unwrap_or(0);
        let place = |node: &Node| match node {
            Node::Step(step) => step.index(),
            Node::Join(number) => count + number - 1,
        };
        let mut into: Vec<Vec<(usize, &[Reason])>> = vec![Vec::new(); count + joins];
        for edge in edges {
            if let Some(into) = into.get_mut(place(&edge.to)) {
                into.push((place(&edge.from), &edge.reasons));
            }
        }
        let words = count.div_ceil(64);
        let none = vec![vec![0; words]; count];
        let mut order = Self { count, before: none.clone(), after: none, direct: BTreeMap::new() };
        for step in 0..count {
            // Through joins, which stand for all that is before them.
            let mut waiting: Vec<(usize, &[Reason])> = into[step].clone();
            let mut seen = vec![false; joins];
            let mut set = vec![0_u64; words];
            while let Some((source, reasons)) = waiting.pop() {
                if source >= count {
                    if !std::mem::replace(&mut seen[source - count], true) {
                        waiting.extend(into[source].iter().map(|(source, _)| (*source, reasons)));
                    }
                } else if source < step {
                    set[source / 64] |= 1 << (source % 64);
                    for (ours, theirs) in set.iter_mut().zip(&order.before[source]) {
                        *ours |= theirs;
                    }
                    let known = order.direct.entry((source, step)).or_default();
                    known.extend(reasons.iter().filter(|reason| !known.contains(reason)).cloned().collect::<Vec<_>>());
                }
            }
            for earlier in (0..step).filter(|earlier| has(&set, *earlier)) {
                order.after[earlier][step / 64] |= 1 << (step % 64);
            }
            order.before[step] = set;
        }
        order
    }

    /// Whether `later` waits for `earlier`, directly or through others.
    pub(super) fn is_before(&self, earlier: usize, later: usize) -> bool {
        self.before.get(later).is_some_and(|set| has(set, earlier))
    }

    /// Whether one of the two waits for the other.
    pub(super) fn is_tied(&self, one: usize, other: usize) -> bool {
        self.is_before(one, other) || self.is_before(other, one)
    }

    /// The edges that lead from one of the former to one of the latter.
    pub(super) fn between(&self, earlier: &[usize], later: &[usize]) -> Vec<(usize, usize, &[Reason])> {
        let mut is_earlier = vec![false; self.count];
        for step in earlier {
            is_earlier[*step] = true;
        }
        let into = |later: &usize| {
            let later = *later;
            let sources = (0..later).filter(|earlier| is_earlier[*earlier]);
            sources.filter_map(move |earlier| Some((earlier, later, self.direct.get(&(earlier, later))?.as_slice())))
        };
        later.iter().flat_map(into).collect()
    }

    /// Those of the ties among `steps` that do not follow from others of them.
    pub(super) fn reduced(&self, steps: &[usize]) -> Vec<(usize, usize)> {
        let mut edges = Vec::new();
        for later in steps {
            let sources: Vec<_> = steps.iter().filter(|earlier| self.is_before(**earlier, *later)).collect();
            let mut farther = vec![0_u64; self.count.div_ceil(64)];
            for source in &sources {
                farther.iter_mut().zip(&self.before[**source]).for_each(|(ours, theirs)| *ours |= theirs);
            }
            let is_last = |earlier: &&&usize| !has(&farther, ***earlier);
            edges.extend(sources.iter().filter(is_last).map(|earlier| (**earlier, *later)));
        }
        edges
    }

    /// `steps` in the largest groups, short of all, whose members stand alike to every step outside of their group. There
    /// must be no way to split `steps` in two that stand alike: then these groups do not overlap.
    ///
    /// <https://en.wikipedia.org/wiki/Modular_decomposition>
    pub(super) fn groups(&self, steps: &[usize]) -> Vec<Vec<usize>> {
        let all = self.set(steps);
        let mut taken = self.set(&[]);
        let mut groups = Vec::new();
        for first in steps {
            if has(&taken, *first) {
                continue;
            }
            let mut group = self.set(&[*first]);
            for other in steps {
                if !has(&taken, *other)
                    && !has(&group, *other)
                    && let Some(alike) = self.alike(*first, *other, &all, &taken)
                {
                    group.iter_mut().zip(&alike).for_each(|(ours, theirs)| *ours |= theirs);
                }
            }
            taken.iter_mut().zip(&group).for_each(|(ours, theirs)| *ours |= theirs);
            groups.push(steps.iter().copied().filter(|step| has(&group, *step)).collect());
        }
        groups
    }

    /// The smallest group with both in it; nothing where that is `all`, or has one in it that stands in another group.
    fn alike(&self, one: usize, other: usize, all: &Bits, taken: &Bits) -> Option<Bits> {
        let mut group = self.set(&[one]);
        let mut waiting = vec![other];
        while let Some(step) = waiting.pop() {
            if has(&group, step) {
                continue;
            }
            if has(taken, step) {
                return None;
            }
            group[step / 64] |= 1 << (step % 64);
            // Whoever can tell this one from the first has to be in it.
            for word in 0..all.len() {
                let told = (self.before[one][word] ^ self.before[step][word])
                    | (self.after[one][word] ^ self.after[step][word]);
                let mut told = told & all[word] & !group[word];
                while told != 0 {
                    waiting.push(word * 64 + told.trailing_zeros() as usize);
                    told &= told - 1;
                }
            }
        }
        (group != *all).then_some(group)
    }

    fn set(&self, steps: &[usize]) -> Bits {
        let mut set = vec![0; self.count.div_ceil(64)];
        for step in steps {
            set[step / 64] |= 1 << (step % 64);
        }
        set
    }
}

fn has(set: &Bits, step: usize) -> bool {
    set[step / 64] & (1 << (step % 64)) != 0
}
