use super::{mesh, order::Order, shape::Shape};

/// In pixels, as the page has them where nobody zooms.
pub(super) const STEP: (f64, f64) = (172.0, 42.0);
/// A step among many beside each other.
pub(super) const SMALL: (f64, f64) = (128.0, 24.0);
/// Between things one below the other, with room for a label.
const BELOW: f64 = 40.0;
/// Between things beside each other.
pub(super) const BESIDE: f64 = 16.0;
/// Around what is framed.
const FRAME: f64 = 10.0;
/// Wider rows are broken.
pub(super) const WIDEST: f64 = 900.0;
/// More steps than this beside each other are drawn small.
const MANY: usize = 8;

pub(super) type Point = (f64, f64);

/// A step in the picture, by its top left corner.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) step: usize,
    pub(super) at: Point,
    pub(super) is_small: bool,
}

/// A line from what comes first to what waits.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// Where it begins; where there are several, they meet first.
    pub(super) from: Vec<Point>,
    pub(super) through: Vec<Point>,
    pub(super) to: Vec<Point>,
    /// The steps at its two ends.
    pub(super) earlier: Vec<usize>,
    pub(super) later: Vec<usize>,
}

/// Where everything is.
#[derive(Debug, Clone, Default)]
pub(super) struct Layout {
    pub(super) size: (f64, f64),
    pub(super) steps: Vec<Placed>,
    pub(super) lines: Vec<Line>,
    /// Frames: the top left corner and the size.
    pub(super) frames: Vec<(Point, (f64, f64))>,
    /// Where lines come in, and where they go out.
    pub(super) entries: Vec<Point>,
    pub(super) exits: Vec<Point>,
}

impl Layout {
    /// The whole picture.
    pub(super) fn whole(shape: &Shape, order: &Order) -> Self {
        match shape {
            // What is all there is needs no frame.
            Shape::Mesh(parts, edges) => Self::mesh(parts, edges, order),
            shape => Self::of(shape, order),
        }
    }

    fn of(shape: &Shape, order: &Order) -> Self {
        Self::sized(shape, order, false)
    }

    fn mesh(parts: &[Shape], edges: &[(usize, usize)], order: &Order) -> Self {
        let layouts: Vec<_> = parts.iter().map(|part| Self::of(part, order)).collect();
        mesh::layout(parts, &layouts, edges)
    }

    fn sized(shape: &Shape, order: &Order, is_small: bool) -> Self {
        match shape {
            Shape::Step(step) => Self::step(*step, is_small),
            Shape::Series(parts) => Self::series(parts, order),
            Shape::Parallel(parts) => Self::parallel(parts, order),
            Shape::Mesh(parts, edges) => Self::mesh(parts, edges, order).framed(),
        }
    }

    fn step(step: usize, is_small: bool) -> Self {
        let size = if is_small { SMALL } else { STEP };
        Self {
            size,
            steps: vec![Placed { step, at: (0.0, 0.0), is_small }],
            entries: vec![(size.0 / 2.0, 0.0)],
            exits: vec![(size.0 / 2.0, size.1)],
            ..Self::default()
        }
    }

    fn series(parts: &[Shape], order: &Order) -> Self {
        let layouts: Vec<_> = parts.iter().map(|part| Self::of(part, order)).collect();
        let width = layouts.iter().map(|layout| layout.size.0).fold(0.0, f64::max);
        let mut whole = Self::default();
        let mut last: Option<&Shape> = None;
        for (shape, layout) in parts.iter().zip(layouts) {
            let top = if last.is_some() { whole.size.1 + BELOW } else { 0.0 };
            let left = (width - layout.size.0) / 2.0;
            let moved = layout.moved(left, top);
            if let Some(last) = last {
                let (from, to) = (std::mem::take(&mut whole.exits), moved.entries.clone());
                let (earlier, later) = (last.steps(), shape.steps());
                whole.lines.push(Line { from, through: Vec::new(), to, earlier, later });
            } else {
                whole.entries.clone_from(&moved.entries);
            }
            whole.exits.clone_from(&moved.exits);
            whole.size = (width, top + moved.size.1);
            whole.take(moved);
            last = Some(shape);
        }
        whole
    }

    fn parallel(parts: &[Shape], order: &Order) -> Self {
        let steps = parts.iter().filter(|part| matches!(part, Shape::Step(_))).count();
        let is_small = steps > MANY;
        let layouts: Vec<_> = parts.iter().map(|part| Self::sized(part, order, is_small)).collect();
        let gap = if is_small { BESIDE / 2.0 } else { BESIDE };
        let widest = layouts.iter().map(|layout| layout.size.0).fold(0.0, f64::max);
        let area: f64 = layouts.iter().map(|layout| (layout.size.0 + gap) * (layout.size.1 + gap)).sum();
        let limit = (area * 2.5).sqrt().clamp(widest, WIDEST.max(widest));
        let one_row: f64 = layouts.iter().map(|layout| layout.size.0 + gap).sum::<f64>() - gap;
        if one_row <= limit.max(4.0 * (STEP.0 + BESIDE)) {
            return Self::row(layouts, gap);
        }
        let mut rows: Vec<Vec<Self>> = Vec::new();
        let mut width = 0.0;
        for layout in layouts {
            if rows.is_empty() || width + layout.size.0 > limit {
                rows.push(Vec::new());
                width = 0.0;
            }
            width += layout.size.0 + gap;
            if let Some(row) = rows.last_mut() {
                row.push(layout);
            }
        }
        let mut whole = Self::default();
        for row in rows {
            let row = Self::row(row, gap);
            let top = if whole.size.1 > 0.0 { whole.size.1 + gap } else { 0.0 };
            whole.size = (whole.size.0.max(row.size.0), top + row.size.1);
            whole.take(row.moved(0.0, top));
        }
        whole.framed()
    }

    fn row(layouts: Vec<Self>, gap: f64) -> Self {
        let mut whole = Self::default();
        for layout in layouts {
            let left = if whole.size.0 > 0.0 { whole.size.0 + gap } else { 0.0 };
            whole.size = (left + layout.size.0, whole.size.1.max(layout.size.1));
            let moved = layout.moved(left, 0.0);
            whole.entries.extend(&moved.entries);
            whole.exits.extend(&moved.exits);
            whole.take(moved);
        }
        whole
    }

    /// With a frame around it, to which lines lead.
    fn framed(self) -> Self {
        let size = (self.size.0 + 2.0 * FRAME, self.size.1 + 2.0 * FRAME);
        let mut framed = self.moved(FRAME, FRAME);
        framed.size = size;
        framed.frames.insert(0, ((0.0, 0.0), size));
        framed.entries = vec![(size.0 / 2.0, 0.0)];
        framed.exits = vec![(size.0 / 2.0, size.1)];
        framed
    }

    pub(super) fn moved(mut self, x: f64, y: f64) -> Self {
        let shift = |point: &mut Point| {
            point.0 += x;
            point.1 += y;
        };
        self.steps.iter_mut().for_each(|placed| shift(&mut placed.at));
        self.frames.iter_mut().for_each(|(at, _)| shift(at));
        self.entries.iter_mut().chain(&mut self.exits).for_each(shift);
        for line in &mut self.lines {
            line.from.iter_mut().chain(&mut line.through).chain(&mut line.to).for_each(shift);
        }
        self
    }

    /// Takes in what is drawn of another one.
    pub(super) fn take(&mut self, other: Self) {
        self.steps.extend(other.steps);
        self.lines.extend(other.lines);
        self.frames.extend(other.frames);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{Edge, Node, Reason},
        report::testing,
    };

    fn layout(count: usize, edges: &[(usize, usize)]) -> Layout {
        let node = |step| Node::Step(testing::step(step));
        let reasons = vec![Reason { word: "needs", text: "needs: written in the plan".to_owned() }];
        let edge = |(from, to): &(usize, usize)| Edge { from: node(*from), to: node(*to), reasons: reasons.clone() };
        let order = Order::new(count, &edges.iter().map(edge).collect::<Vec<_>>());
        Layout::whole(&Shape::of(&(0..count).collect::<Vec<_>>(), &order), &order)
    }

    /// Edges that lead down the file, the same ones each time.
    fn some_edges(count: usize) -> Vec<(usize, usize)> {
        let mut state = 7_usize;
        let mut next = |limit: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % limit
        };
        (1..count).flat_map(|to| [(next(to), to), (next(to), to)]).collect()
    }

    #[track_caller]
    fn is_sound(count: usize, edges: &[(usize, usize)]) {
        let layout = layout(count, edges);
        let mut steps = layout.steps.clone();
        steps.sort_by_key(|placed| placed.step);
        assert_eq!(steps.iter().map(|placed| placed.step).collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
        let size = |placed: &Placed| if placed.is_small { SMALL } else { STEP };
        for one in &steps {
            let (width, height) = size(one);
            assert!(one.at.0 >= -0.01 && one.at.0 + width <= layout.size.0 + 0.01, "{one:?} in {:?}", layout.size);
            assert!(one.at.1 >= -0.01 && one.at.1 + height <= layout.size.1 + 0.01, "{one:?} in {:?}", layout.size);
            for other in steps.iter().filter(|other| other.step > one.step) {
                let beside = one.at.0 + width <= other.at.0 + 0.01 || other.at.0 + size(other).0 <= one.at.0 + 0.01;
                let below = one.at.1 + height <= other.at.1 + 0.01 || other.at.1 + size(other).1 <= one.at.1 + 0.01;
                assert!(beside || below, "{one:?} lies on {other:?}");
            }
        }
        for (from, to) in edges {
            assert!(steps[*from].at.1 < steps[*to].at.1, "{from} does not stand above {to}");
        }
    }

    #[test]
    fn nothing_lies_on_anything_and_what_waits_stands_below() {
        is_sound(1, &[]);
        is_sound(30, &(1..30).map(|step| (step - 1, step)).collect::<Vec<_>>());
        is_sound(200, &(1..199).flat_map(|step| [(0, step), (step, 199)]).collect::<Vec<_>>());
        for count in [4, 9, 40, 150] {
            is_sound(count, &some_edges(count));
        }
    }

    #[test]
    fn a_wide_net_is_broken_into_rows() {
        // 60 pairs in which two wait for one, and one of them for the one of the pair before, too.
        let edges: Vec<_> = (0..60).flat_map(|pair| [(3 * pair, 3 * pair + 1), (3 * pair, 3 * pair + 2)]).collect();
        let tied = (1..60).map(|pair| (3 * (pair - 1), 3 * pair + 2));
        let edges: Vec<_> = edges.into_iter().chain(tied).collect();
        is_sound(180, &edges);
        assert!(layout(180, &edges).size.0 < 6_000.0, "{:?}", layout(180, &edges).size);
    }

    #[test]
    fn many_beside_each_other_stay_narrow() {
        let fan = layout(500, &(1..499).flat_map(|step| [(0, step), (step, 499)]).collect::<Vec<_>>());
        assert!(fan.size.0 < 1_000.0 && fan.size.1 < 4_000.0, "{:?}", fan.size);
        let chains: Vec<_> =
            (0..100).flat_map(|chain| [(3 * chain, 3 * chain + 1), (3 * chain + 1, 3 * chain + 2)]).collect();
        let chains = layout(300, &chains);
        assert!(chains.size.0 < 1_000.0, "{:?}", chains.size);
    }
}
