use super::order::Order;

/// How steps stand to each other: what can be drawn one below the other, what beside each other, and the rest.
///
/// A plan of hundreds of steps mostly is many like things beside each other and one after another, and is drawn like that.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One step.
    Step(usize),
    /// All of each wait for all of the one before.
    Series(Vec<Shape>),
    /// None of one waits for any of another.
    Parallel(Vec<Shape>),
    /// Neither: these, and who waits for whom among them, by their places in the list.
    Mesh(Vec<Shape>, Vec<(usize, usize)>),
}

impl Shape {
    /// The shape of `steps`, which are sorted and at least one.
    pub(super) fn of(steps: &[usize], order: &Order) -> Self {
        if let [step] = steps {
            return Self::Step(*step);
        }
        let beside = parts(steps, |one, other| order.is_tied(one, other));
        if beside.len() > 1 {
            return Self::Parallel(beside.iter().map(|part| Self::of(part, order)).collect());
        }
        let mut after = parts(steps, |one, other| !order.is_tied(one, other));
        if after.len() > 1 {
            // All of one part come before all of another, so their first ones do, too.
            after.sort_by(|one, other| order.is_before(other[0], one[0]).cmp(&order.is_before(one[0], other[0])));
            return Self::Series(after.iter().map(|part| Self::of(part, order)).collect());
        }
        Self::mesh(steps, order)
    }

    /// Steps that stand alike to all others are one thing in the net.
    fn mesh(steps: &[usize], order: &Order) -> Self {
        let groups = order.groups(steps);
        let firsts: Vec<_> = groups.iter().map(|group| group[0]).collect();
        let place = |step| firsts.iter().position(|first| *first == step).unwrap_or_default();
        let edges = order.reduced(&firsts).into_iter().map(|(from, to)| (place(from), place(to)));
        Self::Mesh(groups.iter().map(|group| Self::of(group, order)).collect(), edges.collect())
    }

    /// Its steps.
    pub(super) fn steps(&self) -> Vec<usize> {
        match self {
            Self::Step(step) => vec![*step],
            Self::Series(parts) | Self::Parallel(parts) | Self::Mesh(parts, _) => {
                parts.iter().flat_map(Self::steps).collect()
            }
        }
    }
}

/// `steps` in parts that have nothing to do with each other, in the order of their first ones.
fn parts(steps: &[usize], has_to_do: impl Fn(usize, usize) -> bool) -> Vec<Vec<usize>> {
    let mut rest = steps.to_vec();
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let mut part = vec![rest.remove(0)];
        let mut looked_at = 0;
        while let Some(step) = part.get(looked_at).copied() {
            looked_at += 1;
            let (found, others): (Vec<_>, Vec<_>) = rest.into_iter().partition(|other| has_to_do(step, *other));
            part.extend(found);
            rest = others;
        }
        part.sort_unstable();
        parts.push(part);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{Edge, Node, Reason},
        report::testing,
    };

    fn shape(count: usize, edges: &[(usize, usize)]) -> Shape {
        let node = |step| Node::Step(testing::step(step));
        let reasons = vec![Reason { word: "needs", text: "needs: written in the plan".to_owned() }];
        let edge = |(from, to): &(usize, usize)| Edge { from: node(*from), to: node(*to), reasons: reasons.clone() };
        let edges: Vec<_> = edges.iter().map(edge).collect();
        Shape::of(&(0..count).collect::<Vec<_>>(), &Order::new(count, &edges))
    }

    #[test]
    fn one_after_another_and_beside_each_other() {
        use Shape::{Parallel, Series, Step};
        assert_eq!(shape(3, &[(0, 1), (1, 2), (0, 2)]), Series(vec![Step(0), Step(1), Step(2)]));
        assert_eq!(shape(2, &[]), Parallel(vec![Step(0), Step(1)]));
        assert_eq!(
            shape(5, &[(0, 1), (0, 2), (1, 4), (2, 4), (0, 3), (3, 4)]),
            Series(vec![Step(0), Parallel(vec![Step(1), Step(2), Step(3)]), Step(4)])
        );
        assert_eq!(
            shape(6, &[(0, 1), (1, 2), (0, 3), (3, 4), (2, 5), (4, 5)]),
            Series(vec![
                Step(0),
                Parallel(vec![Series(vec![Step(1), Step(2)]), Series(vec![Step(3), Step(4)])]),
                Step(5)
            ])
        );
    }

    #[test]
    fn what_is_neither_is_a_mesh_in_which_likes_stand_together() {
        use Shape::{Mesh, Parallel, Step};
        // 0 and 1 before 3, 1 before 4 and 5, which are alike; 2 is beside all of them.
        assert_eq!(
            shape(6, &[(0, 3), (1, 3), (1, 4), (1, 5)]),
            Parallel(vec![
                Mesh(vec![Step(0), Step(1), Step(3), Parallel(vec![Step(4), Step(5)])], vec![(0, 2), (1, 2), (1, 3)]),
                Step(2),
            ])
        );
    }

    #[test]
    fn chains_and_what_hangs_together_are_one_thing_in_a_mesh() {
        use Shape::{Mesh, Parallel, Series, Step};
        // The same as before, with chains in the place of 3, and of 4 and 5.
        let edges = [(0, 3), (3, 4), (1, 3), (1, 5), (5, 6), (1, 7), (7, 8)];
        let chain = |first| Series(vec![Step(first), Step(first + 1)]);
        assert_eq!(
            shape(9, &edges),
            Parallel(vec![
                Mesh(
                    vec![Step(0), Step(1), chain(3), Parallel(vec![chain(5), chain(7)])],
                    vec![(0, 2), (1, 2), (1, 3)]
                ),
                Step(2),
            ])
        );
    }

    #[test]
    fn a_join_stands_for_all_before_it() {
        let step = |step| Node::Step(testing::step(step));
        let gate = [Reason { word: "gate", text: "gate: it may say no".to_owned() }];
        let edge = |from, to| Edge { from, to, reasons: gate.to_vec() };
        let edges = [
            edge(step(0), Node::Join(1)),
            edge(step(1), Node::Join(1)),
            edge(Node::Join(1), Node::Join(2)),
            edge(step(2), Node::Join(2)),
            edge(Node::Join(2), step(3)),
        ];
        let order = Order::new(4, &edges);
        assert_eq!(order.between(&[0, 1, 2], &[3]), [0, 1, 2].map(|from| (from, 3, &gate[..])));
        assert!(order.is_before(0, 3) && !order.is_tied(0, 2));
    }
}
