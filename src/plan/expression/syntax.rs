//! Where expressions begin and end in a text, and what of other languages is found in them.

use std::ops::Range;

use super::Mistake;

/// What comes next in a text.
pub(super) enum Part {
    /// Text, as it is meant.
    Text(String),
    /// What stands between `${{` and `}}`, in bytes of the text.
    Expression(Range<usize>),
}

/// Cuts a text into what stands outside and inside of `${{ }}`. `$${{` means a literal `${{`.
pub(super) fn split(text: &str) -> Result<Vec<Part>, Mistake> {
    let mut parts = Vec::new();
    let mut outside = String::new();
    let mut at = 0;
    while let Some(found) = text[at..].find("${{").map(|found| at + found) {
        outside.push_str(&text[at..found]);
        if outside.ends_with('$') && text[..found].ends_with('$') {
            outside.push_str("{{");
            at = found + 3;
            continue;
        }
        let start = found + 3;
        let Some(end) = find_end(&text[start..]).map(|end| start + end) else {
            let open = Mistake::new(found..text.len(), "the expression is not closed");
            return Err(open.label("`}}` is missing"));
        };
        if !outside.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut outside)));
        }
        parts.push(Part::Expression(start..end));
        at = end + 2;
    }
    outside.push_str(&text[at..]);
    if !outside.is_empty() {
        parts.push(Part::Text(outside));
    }
    Ok(parts)
}

/// The first `}}` that stands neither in quotes nor in braces.
fn find_end(text: &str) -> Option<usize> {
    let (mut quote, mut depth, mut escaped) = (None, 0_usize, false);
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), close) if open == close => quote = None,
            (None, '\'' | '"') => quote = Some(letter),
            (None, '{') => depth += 1,
            (None, '}') if depth > 0 => depth -= 1,
            (None, '}') if text[at..].starts_with("}}") => return Some(at),
            _ => {}
        }
    }
    None
}

/// What people who come from GitHub Actions write, with what to write instead.
pub(super) fn foreign(source: &str) -> Option<Mistake> {
    // Most expressions have none of these at all.
    if !source.contains(['&', '|', '!']) {
        return None;
    }
    let bare = blank_quotes(source);
    for (theirs, ours) in [("&&", "and"), ("||", "or")] {
        if let Some(at) = bare.find(theirs) {
            let mistake = Mistake::new(at..at + 2, format!("`{theirs}` is not an operator here"));
            return Some(mistake.label(format!("write `{ours}`")));
        }
    }
    for (at, _) in bare.match_indices('!') {
        if !bare[at + 1..].starts_with('=') {
            let mistake = Mistake::new(at..at + 1, "`!` is not an operator here");
            return Some(mistake.label("write `not`"));
        }
    }
    None
}

/// The same text with everything in quotes made blank, byte for byte.
fn blank_quotes(source: &str) -> String {
    let (mut quote, mut escaped) = (None, false);
    let mut bare = String::with_capacity(source.len());
    for letter in source.chars() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(open) => {
                escaped = letter == '\\';
                quote = quote.filter(|_| open != letter);
            }
            None if matches!(letter, '\'' | '"') => quote = Some(letter),
            None => {
                bare.push(letter);
                continue;
            }
        }
        bare.extend(std::iter::repeat_n(' ', letter.len_utf8()));
    }
    bare
}
