//! What a scalar without quotes means, and when that is not what was typed.

use serde_json::{Number, Value};

use crate::plan::yaml::{Node, NodeKind, Style};

/// What a plain scalar is in a free-form value.
#[derive(Debug, PartialEq)]
pub(super) enum Meaning {
    Null,
    Bool(bool),
    Number(Number),
    Text,
}

/// What `text` means without quotes, or, where some reader of YAML makes something else of it than was typed, what.
///
/// <https://yaml.org/spec/1.2.2/#1032-tag-resolution>, and the booleans of YAML 1.1.
pub(super) fn meaning(text: &str) -> Result<Meaning, String> {
    match text {
        "" | "null" => return Ok(Meaning::Null),
        "true" => return Ok(Meaning::Bool(true)),
        "false" => return Ok(Meaning::Bool(false)),
        "~" | "Null" | "NULL" => return Err("nothing (null)".to_owned()),
        "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Err("the boolean true".to_owned()),
        "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Err("the boolean false".to_owned()),
        _ => {}
    }
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    match digits {
        ".inf" | ".Inf" | ".INF" => return Err("the number infinity".to_owned()),
        ".nan" | ".NaN" | ".NAN" => return Err("no number at all (NaN)".to_owned()),
        _ => {}
    }
    if let Some(number) = in_base(digits) {
        return Err(format!("the number {}{number}", if negative { "-" } else { "" }));
    }
    if !is_number(digits) {
        return Ok(Meaning::Text);
    }
    let whole = digits.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.parse::<u64>().map(Number::from);
    let read = match (whole, unsigned.or_else(|_| text.parse::<i64>().map(Number::from))) {
        (true, Ok(number)) => Some(number),
        _ => text.parse::<f64>().ok().and_then(Number::from_f64),
    };
    match read {
        Some(number) if number.to_string() == text => Ok(Meaning::Number(number)),
        Some(number) => Err(format!("the number {number}")),
        None => Err("the number infinity".to_owned()),
    }
}

/// `0x1F`, `0o17` and `0b11`, in base ten.
fn in_base(text: &str) -> Option<String> {
    let base = match text.get(..2)? {
        "0x" => 16,
        "0o" => 8,
        "0b" => 2,
        _ => return None,
    };
    let digits = text.get(2..).filter(|digits| digits.chars().all(|digit| digit.is_digit(base)))?;
    if digits.is_empty() {
        return None;
    }
    Some(u128::from_str_radix(digits, base).map_or_else(|_| text.to_owned(), |number| number.to_string()))
}

/// `[0-9]+`, `[0-9]+.[0-9]*` or `.[0-9]+`, and an exponent.
fn is_number(text: &str) -> bool {
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) =
        text.split_once(['e', 'E']).map_or((text, None), |(before, after)| (before, Some(after)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_is_right = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty()) && exponent_is_right
}

/// Whether nothing was written, or what means nothing.
pub(super) fn is_nothing(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Scalar(scalar) => {
            scalar.style == Style::Plain && matches!(&*scalar.text, "" | "null" | "Null" | "NULL" | "~")
        }
        NodeKind::Value(value) => value.is_null(),
        NodeKind::Sequence(_) | NodeKind::Mapping(_) | NodeKind::Secret(_) | NodeKind::Unknown => false,
    }
}

/// What was found, where a list or a mapping was wanted.
pub(super) fn kind_of(node: &Node) -> String {
    match &node.kind {
        NodeKind::Scalar(scalar)
            if scalar.style != Style::Plain || matches!(meaning(&scalar.text), Ok(Meaning::Text)) =>
        {
            "text".to_owned()
        }
        NodeKind::Value(Value::String(_)) => "text".to_owned(),
        _ => shown(node),
    }
}

/// What was found, as it was written where it is short.
pub(super) fn shown(node: &Node) -> String {
    match &node.kind {
        NodeKind::Sequence(_) => "a list".to_owned(),
        NodeKind::Mapping(_) => "a mapping".to_owned(),
        NodeKind::Scalar(scalar) => match scalar.style {
            Style::Plain => short(&scalar.text, ""),
            Style::SingleQuoted => short(&scalar.text, "'"),
            Style::DoubleQuoted => short(&scalar.text, "\""),
            Style::Literal | Style::Folded => "text".to_owned(),
        },
        NodeKind::Value(Value::String(text)) => short(text, "\""),
        NodeKind::Value(value) => short(&value.to_string(), ""),
        NodeKind::Secret(name) => format!("the secret `{name}`"),
        NodeKind::Unknown => "what is not known".to_owned(),
    }
}

fn short(text: &str, quote: &str) -> String {
    const MOST: usize = 24;
    if text.chars().any(|c| c.is_control() || c == '`') || text.chars().count() > MOST {
        "text".to_owned()
    } else {
        format!("`{quote}{text}{quote}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_prints_as_it_was_typed_is_a_number() {
        for text in
            ["0", "1", "-1", "42", "1.5", "0.25", "-3.75", "1.0", "18446744073709551615", "-9223372036854775808"]
        {
            assert!(matches!(meaning(text), Ok(Meaning::Number(number)) if number.to_string() == text), "{text}");
        }
    }

    #[test]
    fn what_would_change_is_refused() {
        let refused = |text: &str| meaning(text).expect_err(text);
        assert_eq!(refused("1.10"), "the number 1.1");
        assert_eq!(refused("012"), "the number 12");
        assert_eq!(refused("1e5"), "the number 100000.0");
        assert_eq!(refused("0x1F"), "the number 31");
        assert_eq!(refused("-0o17"), "the number -15");
        assert_eq!(refused(".5"), "the number 0.5");
        assert_eq!(refused("+1"), "the number 1");
        assert_eq!(refused("5."), "the number 5.0");
        assert_eq!(refused("1e999"), "the number infinity");
        assert_eq!(refused("NO"), "the boolean false");
        for text in ["~", "NULL", "yes", "On", "off", "True", "-0", ".inf", "-.INF", ".nan", "18446744073709551616"] {
            assert!(meaning(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_rest_is_text() {
        for text in
            ["0.0.0.0", "1.2.3", "v1", "1_000", "12:30", "2026-11-23", "-", ".", "+", "e5", "1e", "0x", "0xg", "y", "n"]
        {
            assert_eq!(meaning(text), Ok(Meaning::Text), "{text}");
        }
        assert_eq!(meaning("null"), Ok(Meaning::Null));
        assert_eq!(meaning("true"), Ok(Meaning::Bool(true)));
    }
}
