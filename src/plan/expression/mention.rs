use std::ops::Range;

use minijinja::machinery::{
    Span,
    ast::{BinOpKind, CallArg, Expr},
};

use super::{FILTERS, Mistake, engine};
use crate::plan::nearest;

/// What an expression looks at, found without evaluating it.
#[derive(Debug, Default)]
pub struct Mentions {
    /// In the order in which they stand.
    pub list: Vec<Mention>,
    /// Whether the value may depend on its names in other ways than by holding their text: through a comparison, a
    /// condition, arithmetic or a list. What a step touches cannot be foretold then.
    pub opaque: bool,
}

/// A name in an expression. Ranges are in bytes of the text that the expression stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mention {
    /// An input, a var, or something that does not exist.
    Name {
        /// As written.
        name: String,
        /// Where.
        range: Range<usize>,
        /// What follows its dot, where something does: `outputs` in `steps.x.outputs`.
        member: Option<String>,
    },
    /// `steps.<id>.<output>`
    Output(OutputMention),
}

/// An output of a step, or the step alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputMention {
    /// The step's id.
    pub step: String,
    /// Where the id stands.
    pub step_range: Range<usize>,
    /// The output and where it stands; nothing where only the step is named.
    pub output: Option<(String, Range<usize>)>,
    /// What follows the output's dot, where something does.
    pub member: Option<String>,
    /// Everything that follows the step's name: of a `foreach`, a key and what stands behind it.
    pub rest: Vec<(String, Range<usize>)>,
    /// What the first of the rest stands for, where it is not text as it is written.
    pub key: Option<KeyMention>,
    /// Whether the whole has a default: `steps.x.y | default(…)`.
    pub has_default: bool,
}

/// A key that is not written out, where the first of the rest has an empty name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyMention {
    /// Each of them: `steps.publish | pluck('digest')`.
    Each,
    /// What this expression gives.
    Computed(String),
}

/// Finds the names in `expression`, which stands `offset` bytes into its text, and what is wrong with it by itself.
pub(super) fn find(expression: &Expr<'_>, source: &str, offset: usize) -> (Mentions, Vec<Mistake>) {
    let mut walk = Walk { offset, source, mentions: Mentions::default(), mistakes: Vec::new() };
    walk.visit(expression, false);
    (walk.mentions, walk.mistakes)
}

/// The names in `source`, where it is nothing but a chain of them, and the chain. The same that [`find`] would find.
pub(super) fn plain_path(source: &str, offset: usize) -> Option<(Mentions, Vec<Box<str>>)> {
    const WORDS: &[&str] =
        &["true", "false", "none", "not", "and", "or", "in", "is", "if", "else", "True", "False", "None"];
    let is_name = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !WORDS.contains(&part)
    };
    let trimmed = source.trim();
    let mut start = offset + (source.len() - source.trim_start().len());
    let mut path: Path<'_> = Vec::new();
    for part in trimmed.split('.') {
        if !is_name(part) {
            return None;
        }
        path.push((part, start..start + part.len()));
        start += part.len() + 1;
    }
    // `steps` alone is a mistake, which is explained elsewhere.
    if trimmed == "steps" {
        return None;
    }
    let mut walk = Walk { offset, source, mentions: Mentions::default(), mistakes: Vec::new() };
    walk.record(&path, None, false);
    Some((walk.mentions, trimmed.split('.').map(Box::from).collect()))
}

struct Walk<'s> {
    offset: usize,
    source: &'s str,
    mentions: Mentions,
    mistakes: Vec<Mistake>,
}

/// A chain of names such as `steps.a.digest`, each with its place.
type Path<'a> = Vec<(&'a str, Range<usize>)>;

impl Walk<'_> {
    fn visit(&mut self, expression: &Expr<'_>, has_default: bool) {
        if let Some(path) = self.path(expression) {
            self.record(&path, None, has_default);
            return;
        }
        if let Some((path, subscript)) = self.keyed_path(expression) {
            let source = path.get(1).and_then(|(_, range)| self.bracketed(range.end)).unwrap_or_default();
            self.record(&path, Some(KeyMention::Computed(source.to_owned())), has_default);
            self.visit(subscript, false);
            return;
        }
        if let Expr::Filter(filter) = expression
            && filter.name == "pluck"
            && let Some(path) = self.plucked_path(filter.expr.as_ref(), &filter.args)
        {
            self.record(&path, Some(KeyMention::Each), has_default);
            return;
        }
        match expression {
            Expr::Var(_) | Expr::Const(_) => {}
            Expr::GetAttr(attribute) => {
                self.mentions.opaque = true;
                self.visit(&attribute.expr, has_default);
            }
            Expr::GetItem(item) => {
                self.mentions.opaque = true;
                self.visit(&item.expr, has_default);
                self.visit(&item.subscript_expr, false);
            }
            Expr::Slice(slice) => {
                self.mentions.opaque = true;
                self.visit(&slice.expr, false);
                [&slice.start, &slice.stop, &slice.step].into_iter().flatten().for_each(|part| self.visit(part, false));
            }
            Expr::UnaryOp(operation) => {
                self.mentions.opaque = true;
                self.visit(&operation.expr, false);
            }
            Expr::BinOp(operation) => {
                self.mentions.opaque |= !matches!(operation.op, BinOpKind::Concat);
                self.visit(&operation.left, false);
                self.visit(&operation.right, false);
            }
            Expr::Compare(comparison) => {
                self.mentions.opaque = true;
                self.visit(&comparison.expr, false);
                comparison.ops.iter().for_each(|operand| self.visit(&operand.expr, false));
            }
            Expr::IfExpr(condition) => {
                self.mentions.opaque = true;
                self.visit(&condition.test_expr, false);
                self.visit(&condition.true_expr, false);
                condition.false_expr.iter().for_each(|part| self.visit(part, false));
            }
            Expr::Filter(filter) => {
                if FILTERS.iter().all(|known| known.name != filter.name) {
                    let range = self.named(filter.name, filter.span());
                    let known: Vec<_> = FILTERS.iter().map(|known| known.name).collect();
                    self.unknown("filter", filter.name, range, &known);
                }
                self.mentions.opaque |= !engine::TEXT_FILTERS.contains(&filter.name);
                let has_default = matches!(filter.name, "default" | "d") || has_default && filter.name == "pluck";
                filter.expr.iter().for_each(|part| self.visit(part, has_default));
                self.arguments(&filter.args);
            }
            Expr::Test(test) => {
                if !engine::TESTS.contains(&test.name) {
                    let range = self.named(test.name, test.span());
                    self.unknown("test", test.name, range, engine::TESTS);
                }
                self.mentions.opaque = true;
                self.visit(&test.expr, test.name == "defined" || test.name == "undefined");
                self.arguments(&test.args);
            }
            Expr::Call(call) => {
                let range = self.range(call.span());
                let mistake = Mistake::new(range, "expressions have no functions");
                self.mistakes.push(mistake.help("use a filter: `value | filter`"));
            }
            Expr::List(list) => {
                self.mentions.opaque = true;
                list.items.iter().for_each(|item| self.visit(item, false));
            }
            Expr::Tuple(tuple) => {
                self.mentions.opaque = true;
                tuple.items.iter().for_each(|item| self.visit(item, false));
            }
            Expr::Map(map) => {
                self.mentions.opaque = true;
                map.keys.iter().chain(&map.values).for_each(|part| self.visit(part, false));
            }
        }
    }

    fn arguments(&mut self, arguments: &[CallArg<'_>]) {
        for argument in arguments {
            match argument {
                CallArg::Pos(value)
                | CallArg::Kwarg(_, value)
                | CallArg::PosSplat(value)
                | CallArg::KwargSplat(value) => self.visit(value, false),
            }
        }
    }

    fn unknown(&mut self, what: &str, name: &str, range: Range<usize>, known: &[&str]) {
        let mistake = Mistake::new(range, format!("no such {what} `{name}`"));
        self.mistakes.push(match nearest(name, known.iter().copied()) {
            Some(near) => mistake.label(format!("did you mean `{near}`?")),
            None => mistake.help(format!("the {what}s are: {}", known.join(", "))),
        });
    }

    fn record(&mut self, path: &Path<'_>, key: Option<KeyMention>, has_default: bool) {
        let mut parts = path.iter();
        let Some((root, range)) = parts.next() else { return };
        let mut next = || parts.next().map(|(name, range)| ((*name).to_owned(), range.clone()));
        if *root != "steps" {
            self.mentions.list.push(Mention::Name {
                name: (*root).to_owned(),
                range: range.clone(),
                member: next().map(|(name, _)| name),
            });
            return;
        }
        let Some((step, step_range)) = next() else {
            let mistake = Mistake::new(range.clone(), "`steps` alone has no value");
            self.mistakes.push(mistake.help("name a step and its output: `steps.<id>.<output>`"));
            return;
        };
        let rest: Vec<_> = std::iter::from_fn(next).collect();
        let output = rest.first().cloned();
        let member = rest.get(1).map(|(name, _)| name.clone());
        let mention = OutputMention { step, step_range, output, member, rest, key, has_default };
        self.mentions.list.push(Mention::Output(mention));
    }

    /// `a.b.c` and `a['b'].c` as a chain of names; nothing where a part is not constant.
    fn path<'a>(&self, expression: &'a Expr<'_>) -> Option<Path<'a>> {
        match expression {
            Expr::Var(name) => Some(vec![(name.id, self.range(name.span()))]),
            Expr::GetAttr(attribute) => {
                let mut path = self.path(&attribute.expr)?;
                path.push((attribute.name, self.named(attribute.name, attribute.span())));
                Some(path)
            }
            Expr::GetItem(item) => {
                let Expr::Const(subscript) = &item.subscript_expr else { return None };
                let mut path = self.path(&item.expr)?;
                path.push((subscript.value.as_str()?, self.range(subscript.span())));
                Some(path)
            }
            _ => None,
        }
    }

    /// `steps.a[key].b` as a chain of names with an empty one in the place of the key, and the key.
    fn keyed_path<'a, 'e>(&self, expression: &'a Expr<'e>) -> Option<(Path<'a>, &'a Expr<'e>)> {
        match expression {
            Expr::GetAttr(attribute) => {
                let (mut path, key) = self.keyed_path(&attribute.expr)?;
                path.push((attribute.name, self.named(attribute.name, attribute.span())));
                Some((path, key))
            }
            Expr::GetItem(item) => {
                if let Expr::Const(subscript) = &item.subscript_expr
                    && let Some((mut path, key)) = self.keyed_path(&item.expr)
                {
                    path.push((subscript.value.as_str()?, self.range(subscript.span())));
                    return Some((path, key));
                }
                let mut path = self.path(&item.expr).filter(|path| path.len() == 2)?;
                if !matches!(path.first(), Some(("steps", _))) {
                    return None;
                }
                path.push(("", self.range(item.subscript_expr.span())));
                Some((path, &item.subscript_expr))
            }
            _ => None,
        }
    }

    /// What stands in the first `[ ]` at or after that place.
    fn bracketed(&self, from: usize) -> Option<&str> {
        let rest = self.source.get(from.checked_sub(self.offset)?..)?;
        let inside = rest.get(rest.find('[')? + 1..)?;
        let (mut quote, mut depth, mut escaped) = (None, 0_usize, false);
        for (at, letter) in inside.char_indices() {
            match (quote, letter) {
                (Some(_), _) if escaped => escaped = false,
                (Some(_), '\\') => escaped = true,
                (Some(open), close) if open == close => quote = None,
                (None, '\'' | '"') => quote = Some(letter),
                (None, '[') => depth += 1,
                (None, ']') if depth == 0 => return inside.get(..at),
                (None, ']') => depth -= 1,
                _ => {}
            }
        }
        None
    }

    /// `steps.a | pluck('b.c')` as a chain of names with an empty one in the place of the key.
    fn plucked_path<'a>(&self, of: Option<&'a Expr<'_>>, arguments: &'a [CallArg<'_>]) -> Option<Path<'a>> {
        let mut path = self.path(of?).filter(|path| path.len() == 2)?;
        let [CallArg::Pos(Expr::Const(what))] = arguments else { return None };
        if !matches!(path.first(), Some(("steps", _))) {
            return None;
        }
        let range = self.range(what.span());
        path.push(("", range.clone()));
        path.extend(what.value.as_str()?.split('.').map(|part| (part, range.clone())));
        Some(path)
    }

    /// The last `name` within a span: names come last in attributes, filters and tests.
    fn named(&self, name: &str, span: Span) -> Range<usize> {
        let range = self.range(span);
        range.end.saturating_sub(name.len()).max(range.start)..range.end
    }

    const fn range(&self, span: Span) -> Range<usize> {
        self.offset + span.start_offset as usize..self.offset + span.end_offset as usize
    }
}
