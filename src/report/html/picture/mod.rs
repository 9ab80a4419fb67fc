//! The plan's graph as an inline SVG: steps in layers with their outcomes, and why each waits.

mod layout;
mod mesh;
mod order;
mod shape;

use std::{collections::BTreeSet, fmt::Write};

use self::{
    layout::{Layout, Line, Placed, Point, SMALL, STEP},
    order::Order,
    shape::Shape,
};
use super::escape;
use crate::{report::record::Record, text};

/// More steps than this are not drawn.
const DRAWN: usize = 1_500;
/// Around everything.
const MARGIN: f64 = 8.0;
/// How many reasons a line tells when it is pointed at.
const TOLD: usize = 12;

/// The picture; nothing where there are too many steps for one, or none.
pub(super) fn draw(record: &Record) -> Option<String> {
    let count = record.steps.len();
    if count == 0 || count > DRAWN {
        return None;
    }
    let order = Order::new(count, &record.edges);
    let layout = Layout::whole(&Shape::of(&(0..count).collect::<Vec<_>>(), &order), &order).moved(MARGIN, MARGIN);
    let (width, height) = (layout.size.0 + 2.0 * MARGIN, layout.size.1 + 2.0 * MARGIN);
    let mut svg = format!(
        "<svg class=\"dag\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" \
         aria-label=\"Which step waits for which\">\n"
    );
    svg += "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
            orient=\"auto\"><path d=\"M0 0.5 8 4 0 7.5z\"/></marker></defs>\n";
    for ((x, y), (width, height)) in &layout.frames {
        // Writing to a string cannot fail.
        let _ = writeln!(
            svg,
            "<rect class=\"frame\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"10\"/>"
        );
    }
    layout.lines.iter().for_each(|line| draw_line(&mut svg, record, &order, line));
    layout.steps.iter().for_each(|placed| draw_step(&mut svg, record, placed));
    svg += "</svg>\n";
    Some(svg)
}

fn draw_line(svg: &mut String, record: &Record, order: &Order, line: &Line) {
    let between = order.between(&line.earlier, &line.later);
    let words: BTreeSet<_> =
        between.iter().flat_map(|(_, _, reasons)| reasons.iter().map(|reason| reason.word)).collect();
    let words: Vec<_> = words.into_iter().collect();
    let name = |step: usize| record.steps.get(step).map(|step| step.id.name()).unwrap_or_default();
    let told = between.iter().flat_map(|(from, to, reasons)| {
        reasons.iter().map(|reason| format!("{} → {}: {}", name(*from), name(*to), reason.text))
    });
    let mut told: Vec<_> = told.collect();
    if told.len() > TOLD {
        let more = told.len() - TOLD;
        told.truncate(TOLD);
        told.push(format!("and {}", text::count(more, "more reason")));
    }
    let steps = |steps: &[usize]| steps.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let _ = write!(
        svg,
        "<g class=\"edge {}\" data-from=\"{}\" data-to=\"{}\"><title>{}</title>",
        words.first().copied().unwrap_or_default(),
        steps(&line.earlier),
        steps(&line.later),
        escape::lines(&told.join("\n"))
    );
    let paths = paths(line);
    for (path, has_tip) in &paths {
        let tip = if *has_tip { " marker-end=\"url(#tip)\"" } else { "" };
        let _ = write!(svg, "<path d=\"{path}\"{tip}/>");
    }
    let (x, y) = label_place(line);
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\">{}</text></g>", escape::line(&words.join(" · ")));
}

/// Where several lines begin or end, they meet half way.
fn paths(line: &Line) -> Vec<(String, bool)> {
    if let ([from], [to]) = (line.from.as_slice(), line.to.as_slice()) {
        let mut path = format!("M{:.1} {:.1}", from.0, from.1);
        let mut last = *from;
        for point in line.through.iter().chain([to]) {
            path += &curve(last, *point);
            last = *point;
        }
        return vec![(path, true)];
    }
    let knot = knot(line);
    let into = line.from.iter().map(|from| (format!("M{:.1} {:.1}{}", from.0, from.1, curve(*from, knot)), false));
    let out = line.to.iter().map(|to| (format!("M{:.1} {:.1}{}", knot.0, knot.1, curve(knot, *to)), true));
    into.chain(out).collect()
}

fn knot(line: &Line) -> Point {
    let lowest = line.from.iter().map(|from| from.1).fold(f64::NEG_INFINITY, f64::max);
    let highest = line.to.iter().map(|to| to.1).fold(f64::INFINITY, f64::min);
    let one = if line.from.len() == 1 { &line.from } else { &line.to };
    let (left, right) = one
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(left, right), point| (left.min(point.0), right.max(point.0)));
    (f64::midpoint(left, right), f64::midpoint(lowest, highest))
}

fn curve(from: Point, to: Point) -> String {
    let half = (to.1 - from.1) / 2.0;
    if (from.0 - to.0).abs() < 0.5 {
        return format!("L{:.1} {:.1}", to.0, to.1);
    }
    format!("C{:.1} {:.1} {:.1} {:.1} {:.1} {:.1}", from.0, from.1 + half, to.0, to.1 - half, to.0, to.1)
}

/// Beside the line, a little below where it begins or where lines meet.
fn label_place(line: &Line) -> Point {
    let (from, to) = (line.from.first().copied().unwrap_or_default(), line.to.first().copied().unwrap_or_default());
    let (x, y) = if line.from.len() == 1 && line.to.len() == 1 {
        let next = line.through.first().copied().unwrap_or(to);
        (f64::midpoint(from.0, next.0), f64::midpoint(from.1, next.1))
    } else {
        knot(line)
    };
    (x + 7.0, y + 4.0)
}

fn draw_step(svg: &mut String, record: &Record, placed: &Placed) {
    let Some(step) = record.steps.get(placed.step) else { return };
    let (x, y) = placed.at;
    let (width, height) = if placed.is_small { SMALL } else { STEP };
    let time = step.time();
    let detail = step.detail();
    let title = [step.id.name(), ": ", step.kind.as_str(), ", ", step.word(), " ", &time, "\n", &detail].concat();
    let _ = write!(
        svg,
        "<a href=\"#s{0}\" class=\"step {1}\" data-step=\"{0}\"><title>{2}</title>\
         <rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>\
         <rect class=\"mark\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"5\" height=\"{height}\" rx=\"2\"/>",
        placed.step,
        step.word(),
        escape::line(&title),
    );
    let name = |columns| escape::line(&text::shorten(&text::safe_line(step.id.name()), columns));
    if placed.is_small {
        let _ = write!(svg, "<text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">{}</text>", x + 12.0, y + 16.0, name(17));
    } else {
        let facts: Vec<_> =
            [step.kind.as_str(), step.word(), &time].into_iter().filter(|fact| !fact.is_empty()).collect();
        let _ = write!(
            svg,
            "<text class=\"name\" x=\"{0:.1}\" y=\"{1:.1}\">{2}</text><text class=\"fact\" x=\"{0:.1}\" y=\"{3:.1}\">{4}</text>",
            x + 13.0,
            y + 18.0,
            name(22),
            y + 33.0,
            escape::line(&text::shorten(&facts.join(" · "), 28)),
        );
    }
    *svg += "</a>\n";
}
