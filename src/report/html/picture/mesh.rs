//! A net in layers: what waits stands below what it waits for, and few lines cross.

use super::{
    layout::{BESIDE, Layout, Line, Point, WIDEST},
    shape::Shape,
};

/// Between layers, with room for lines that bend.
const LAYER: f64 = 56.0;
/// What a line takes that passes a layer.
const LANE: f64 = 9.0;
/// How often layers are sorted and shifted by what is above and below them. Few are enough.
const SWEEPS: usize = 8;

/// A thing in a layer: a part, or the place where a line passes.
struct Cell {
    part: Option<usize>,
    width: f64,
    layer: usize,
    /// Of its middle.
    x: f64,
    above: Vec<usize>,
    below: Vec<usize>,
}

impl Cell {
    /// What it takes of a layer. Lines may run close to each other.
    fn room(&self) -> f64 {
        self.width + if self.part.is_some() { BESIDE } else { 0.0 }
    }
}

/// The parts, and lines for the edges, which lead from earlier parts to later ones.
pub(super) fn layout(parts: &[Shape], layouts: &[Layout], edges: &[(usize, usize)]) -> Layout {
    let mut cells: Vec<Cell> = layouts
        .iter()
        .enumerate()
        .map(|(part, layout)| Cell {
            part: Some(part),
            width: layout.size.0,
            layer: 0,
            x: 0.0,
            above: Vec::new(),
            below: Vec::new(),
        })
        .collect();
    assign_layers(&mut cells, edges);
    break_wide(&mut cells);
    let chains: Vec<Vec<usize>> = edges.iter().map(|(from, to)| chain(&mut cells, *from, *to)).collect();
    let mut layers: Vec<Vec<usize>> = vec![Vec::new(); cells.iter().map(|cell| cell.layer + 1).max().unwrap_or(0)];
    for (place, cell) in cells.iter().enumerate() {
        layers[cell.layer].push(place);
    }
    arrange(&mut cells, &mut layers);

    let left = cells.iter().map(|cell| cell.x - cell.width / 2.0).fold(f64::INFINITY, f64::min);
    let mut whole = Layout::default();
    let mut tops = Vec::new();
    let mut bottom = 0.0;
    for layer in &layers {
        let height = |place: &usize| cells[*place].part.map_or(0.0, |part| layouts[part].size.1);
        let tallest = layer.iter().map(height).fold(0.0, f64::max);
        tops.push((bottom, tallest));
        bottom += tallest + LAYER;
    }
    let mut placed: Vec<Option<Layout>> = Vec::new();
    for cell in &cells {
        let Some(part) = cell.part else { break };
        let top = tops[cell.layer].0;
        placed.push(Some(layouts[part].clone().moved(cell.x - cell.width / 2.0 - left, top)));
    }
    let right = cells.iter().map(|cell| cell.x + cell.width / 2.0).fold(0.0, f64::max);
    whole.size = (right - left, bottom - LAYER);
    for ((from, to), chain) in edges.iter().zip(&chains) {
        let (Some(Some(earlier)), Some(Some(later))) = (placed.get(*from), placed.get(*to)) else { continue };
        let pass = |place: &usize| -> [Point; 2] {
            let cell = &cells[*place];
            let (top, height) = tops[cell.layer];
            [(cell.x - left, top), (cell.x - left, top + height)]
        };
        whole.lines.push(Line {
            from: vec![middle(&earlier.exits)],
            through: chain.iter().flat_map(pass).collect(),
            to: vec![middle(&later.entries)],
            earlier: parts[*from].steps(),
            later: parts[*to].steps(),
        });
    }
    placed.into_iter().flatten().for_each(|layout| whole.take(layout));
    whole
}

/// There are never so many that it matters.
fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

fn middle(points: &[Point]) -> Point {
    let count = number(points.len().max(1));
    let x = points.iter().map(|point| point.0).sum::<f64>() / count;
    (x, points.first().map_or(0.0, |point| point.1))
}

/// Each part one layer below the lowest that it waits for.
fn assign_layers(cells: &mut [Cell], edges: &[(usize, usize)]) {
    // Parts stand in the order of their first steps, and edges lead down that order.
    let mut sorted = edges.to_vec();
    sorted.sort_unstable_by_key(|(from, to)| (*to, *from));
    for (from, to) in sorted {
        cells[to].layer = cells[to].layer.max(cells[from].layer + 1);
    }
    // What nothing holds up stands just above what waits for it.
    for part in (0..cells.len()).rev() {
        let is_first = !edges.iter().any(|(_, to)| *to == part);
        let below = edges.iter().filter(|(from, _)| *from == part).map(|(_, to)| cells[*to].layer).min();
        if let Some(below) = below.filter(|_| is_first) {
            cells[part].layer = below - 1;
        }
    }
}

/// Breaks layers that are too wide: what stands in one may as well stand in several, one below the other.
fn break_wide(cells: &mut [Cell]) {
    let mut layers: Vec<Vec<usize>> = vec![Vec::new(); cells.iter().map(|cell| cell.layer + 1).max().unwrap_or(0)];
    for (place, cell) in cells.iter().enumerate() {
        layers[cell.layer].push(place);
    }
    let mut next = 0;
    for layer in layers {
        let mut width = 0.0;
        for place in layer {
            if width > 0.0 && width + cells[place].width > WIDEST {
                next += 1;
                width = 0.0;
            }
            width += cells[place].width + BESIDE;
            cells[place].layer = next;
        }
        next += 1;
    }
}

/// The cells that a line passes between its ends, made here.
fn chain(cells: &mut Vec<Cell>, from: usize, to: usize) -> Vec<usize> {
    let mut passed = Vec::new();
    let mut last = from;
    for layer in cells[from].layer + 1..cells[to].layer {
        let place = cells.len();
        cells.push(Cell { part: None, width: LANE, layer, x: 0.0, above: vec![last], below: Vec::new() });
        cells[last].below.push(place);
        passed.push(place);
        last = place;
    }
    cells[last].below.push(to);
    cells[to].above.push(last);
    passed
}

/// Sorts each layer by where its neighbours are, and moves its cells to them as far as there is room.
fn arrange(cells: &mut [Cell], layers: &mut [Vec<usize>]) {
    for layer in layers.iter() {
        let all: Vec<_> = layer.iter().map(|place| (*place, 0.0)).collect();
        spread(cells, &all);
    }
    for sweep in 0..SWEEPS {
        let is_down = sweep % 2 == 0;
        let count = layers.len();
        for turn in 0..count {
            let layer = if is_down { turn } else { count - 1 - turn };
            let wanted = |place: &usize| {
                let cell = &cells[*place];
                let neighbours = if is_down { &cell.above } else { &cell.below };
                let sum: f64 = neighbours.iter().map(|neighbour| cells[*neighbour].x).sum();
                (*place, if neighbours.is_empty() { cell.x } else { sum / number(neighbours.len()) })
            };
            let mut all: Vec<_> = layers[layer].iter().map(wanted).collect();
            all.sort_by(|(_, one), (_, other)| one.total_cmp(other));
            spread(cells, &all);
            layers[layer] = all.into_iter().map(|(place, _)| place).collect();
        }
    }
}

/// Puts the cells of a layer, from left to right, as near as there is room to where they want to be.
fn spread(cells: &mut [Cell], layer: &[(usize, f64)]) {
    // Groups of cells that touch; each stands where its cells want to be on average.
    let mut groups: Vec<(Vec<usize>, f64, f64)> = Vec::new();
    for (place, wanted) in layer {
        let width = cells[*place].room();
        // Of the left end: where this cell wants it to be.
        let mut group = (vec![*place], wanted - width / 2.0, width);
        while let Some(last) = groups.last()
            && last.1 + last.2 > group.1
        {
            let (mut members, start, span) = groups.pop().unwrap_or_default();
            let (ours, theirs) = (number(members.len()), number(group.0.len()));
            let start = (start * ours + (group.1 - span) * theirs) / (ours + theirs);
            members.extend(group.0);
            group = (members, start, span + group.2);
        }
        groups.push(group);
    }
    for (members, start, _) in groups {
        let mut left = start;
        for place in members {
            let width = cells[place].room();
            cells[place].x = left + width / 2.0;
            left += width;
        }
    }
}
