use std::ops::Range;

use minijinja::machinery::parse_expr;
use serde_json::Value;

use super::{
    Mistake,
    engine::ENVIRONMENT,
    mention::{self, Mentions},
    syntax::{self, Part},
};

/// A text with expressions in it, read once.
#[derive(Debug)]
pub struct Template {
    /// In order; never two texts beside each other.
    pub pieces: Vec<Piece>,
}

/// A part of a [`Template`].
#[derive(Debug)]
pub enum Piece {
    /// As it is.
    Text(String),
    /// To be evaluated.
    Expression(Expression),
}

/// One `${{ … }}`.
pub struct Expression {
    /// What stands between the braces, in bytes of the whole text.
    pub range: Range<usize>,
    /// What it looks at.
    pub mentions: Mentions,
    compiled: Compiled,
}

/// How an expression is evaluated.
enum Compiled {
    /// `NAME` or `steps.x.digest`, as most are: looked up, part by part. Compiling them would cost more than all else.
    Path(Vec<Box<str>>),
    /// Anything else.
    Whole(minijinja::Expression<'static, 'static>),
}

/// No expression is longer: a chain of operators nests as deep as it is long, and each level takes stack.
const LONGEST: usize = 4 * 1024;

impl Template {
    /// Reads a text. Nothing comes back where no `${{` stands in it.
    pub fn parse(text: &str) -> Result<Option<Self>, Vec<Mistake>> {
        if !text.contains("${{") {
            return Ok(None);
        }
        let parts = syntax::split(text).map_err(|mistake| vec![mistake])?;
        let (mut pieces, mut mistakes) = (Vec::new(), Vec::new());
        for part in parts {
            match part {
                Part::Text(text) => pieces.push(Piece::Text(text)),
                Part::Expression(range) => match Expression::parse(&text[range.clone()], range) {
                    Ok(expression) => pieces.push(Piece::Expression(expression)),
                    Err(wrong) => mistakes.extend(wrong),
                },
            }
        }
        if mistakes.is_empty() { Ok(Some(Self { pieces })) } else { Err(mistakes) }
    }

    /// Its expressions.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Expression(expression) => Some(expression),
        })
    }

    /// The name, where the text is nothing but `${{ NAME }}`.
    pub fn lone_name(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [Piece::Expression(Expression { compiled: Compiled::Path(path), .. })] => match path.as_slice() {
                [name] => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    /// The value, with `scope` giving every name. A text that is nothing but one expression keeps the type of its value.
    pub fn evaluate(&self, scope: &minijinja::Value) -> Result<Value, Mistake> {
        if let [Piece::Expression(expression)] = self.pieces.as_slice() {
            return expression.evaluate(scope);
        }
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Expression(expression) => match expression.evaluate(scope)? {
                    Value::String(value) => text.push_str(&value),
                    Value::Number(number) if !number.is_f64() => text.push_str(&number.to_string()),
                    other => {
                        let message = format!("{} cannot stand inside text", describe(&other));
                        let mistake = Mistake::new(expression.range.clone(), message);
                        return Err(
                            mistake.help("only text and integers can; use a filter such as `join(',')` or `tojson`")
                        );
                    }
                },
            }
        }
        Ok(Value::String(text))
    }
}

impl Expression {
    fn parse(source: &str, range: Range<usize>) -> Result<Self, Vec<Mistake>> {
        let one = |mistake: Mistake| vec![mistake];
        let shift = |mistake: Mistake| Mistake {
            range: range.start + mistake.range.start..range.start + mistake.range.end,
            ..mistake
        };
        if source.trim().is_empty() {
            return Err(one(Mistake::new(range, "the expression is empty")));
        }
        if source.len() > LONGEST {
            let message = format!("the expression has {} bytes; at most {LONGEST} are read", source.len());
            return Err(one(Mistake::new(range, message)));
        }
        if let Some(mistake) = syntax::foreign(source) {
            return Err(one(shift(mistake)));
        }
        if let Some((mentions, path)) = mention::plain_path(source, range.start) {
            return Ok(Self { range, mentions, compiled: Compiled::Path(path) });
        }
        let explain = |error: &minijinja::Error| {
            let within = error.range().filter(|within| within.end <= source.len() && within.start < within.end);
            let mistake = Mistake::new(within.unwrap_or(0..source.len()), "this is not an expression");
            one(shift(mistake.label(error.detail().unwrap_or("syntax error").to_owned())))
        };
        let (mentions, mistakes) = match parse_expr(source) {
            Ok(parsed) => mention::find(&parsed, source, range.start),
            Err(error) => return Err(explain(&error)),
        };
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let compiled = ENVIRONMENT.compile_expression_owned(source.to_owned()).map_err(|error| explain(&error))?;
        Ok(Self { range, mentions, compiled: Compiled::Whole(compiled) })
    }

    fn evaluate(&self, scope: &minijinja::Value) -> Result<Value, Mistake> {
        let fail = |message: String| Mistake::new(self.range.clone(), message);
        let value = match &self.compiled {
            Compiled::Path(path) => path.iter().try_fold(scope.clone(), |value, part| value.get_attr(part)),
            Compiled::Whole(expression) => expression.eval(scope.clone()),
        };
        let value = value.map_err(|error| {
            let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
            fail(format!("this expression has no value: {detail}"))
        })?;
        if value.is_undefined() {
            return Err(fail("this expression has no value".to_owned()));
        }
        serde_json::to_value(&value).map_err(|error| fail(format!("this expression has no value: {error}")))
    }
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Expression")
            .field("range", &self.range)
            .field("mentions", &self.mentions)
            .finish_non_exhaustive()
    }
}

fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a fraction",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

#[cfg(test)]
mod tests {
    use minijinja::context;
    use serde_json::json;

    use super::*;
    use crate::plan::expression::Mention;

    fn evaluate(text: &str) -> Result<Value, String> {
        let scope = context! { A => "x", N => 3, L => vec!["p", "q"], B => true };
        let template = Template::parse(text).map_err(|mistakes| mistakes[0].message.clone())?.unwrap();
        template.evaluate(&scope).map_err(|mistake| mistake.message)
    }

    #[test]
    fn a_lone_expression_keeps_its_type_and_text_is_text() {
        assert_eq!(evaluate("${{ L }}"), Ok(json!(["p", "q"])));
        assert_eq!(evaluate("${{ N }}"), Ok(json!(3)));
        assert_eq!(evaluate("${{ A }}:${{ N }}"), Ok(json!("x:3")));
        assert_eq!(evaluate("$${{ A }} ${{ '}}' ~ A }}"), Ok(json!("${{ A }} }}x")));
        assert_eq!(evaluate("${{ {'a': {'b': A}}['a']['b'] }}"), Ok(json!("x")));
    }

    #[test]
    fn what_has_no_place_in_text_is_refused() {
        assert_eq!(evaluate("a${{ L }}"), Err("a list cannot stand inside text".to_owned()));
        assert_eq!(evaluate("a${{ B }}"), Err("a boolean cannot stand inside text".to_owned()));
        assert!(evaluate("${{ missing }}").is_err());
        assert!(evaluate("${{ A.b }}").is_err());
    }

    #[test]
    fn what_is_no_expression_says_so_at_its_place() {
        let mistakes = |text: &str| Template::parse(text).unwrap_err();
        assert_eq!(mistakes("ab ${{ A")[0].range, 3..8);
        assert_eq!(mistakes("${{ A && B }}")[0].label, "write `and`");
        assert_eq!(mistakes("${{ !A }}")[0].label, "write `not`");
        assert_eq!(&"${{ A | uper }}"[mistakes("${{ A | uper }}")[0].range.clone()], "uper");
        assert_eq!(mistakes("${{ A | uper }}")[0].label, "did you mean `upper`?");
        assert!(!mistakes("${{ range(3) }}").is_empty());
        assert!(!mistakes("${{ }}").is_empty());
        assert!(Template::parse("${{ A != '&&!' }}").is_ok());
    }

    #[test]
    fn names_are_found_with_their_places() {
        let text = "é ${{ steps.find['digest'] ~ IMAGE }}";
        let template = Template::parse(text).unwrap().unwrap();
        let mentions = &template.expressions().next().unwrap().mentions;
        assert!(!mentions.opaque);
        let [Mention::Output(output), Mention::Name { name, range, .. }] = mentions.list.as_slice() else { panic!() };
        assert_eq!((output.step.as_str(), &text[output.step_range.clone()]), ("find", "find"));
        assert_eq!(output.output.as_ref().map(|(name, _)| name.as_str()), Some("digest"));
        assert_eq!((name.as_str(), &text[range.clone()]), ("IMAGE", "IMAGE"));
    }
}
