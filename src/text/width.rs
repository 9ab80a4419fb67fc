use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many columns `text` takes in a terminal.
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// `text` and as many spaces as make it `columns` wide. Text that is wider stays as it is.
pub fn pad(text: &str, columns: usize) -> String {
    let spaces = columns.saturating_sub(width(text));
    format!("{text}{:spaces$}", "")
}

/// As many spaces as make `text` `columns` wide, and `text`.
pub fn pad_left(text: &str, columns: usize) -> String {
    let spaces = columns.saturating_sub(width(text));
    format!("{:spaces$}{text}", "")
}

/// `text` in at most `columns` columns: what is too much is left out in the middle.
pub fn shorten(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let Some(rest) = columns.checked_sub(1) else {
        return Cow::Borrowed("");
    };
    let head = fitting(text.chars(), rest / 2);
    let tail: String = fitting(text.chars().rev(), rest - rest / 2).chars().rev().collect();
    Cow::Owned(format!("{head}…{tail}"))
}

fn fitting(chars: impl Iterator<Item = char>, columns: usize) -> String {
    let mut used = 0;
    chars
        .take_while(|char| {
            used += char.width().unwrap_or(0);
            used <= columns
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_left_out_in_the_middle() {
        let name = "application/vnd.oci.image.layer.v1.tar+gzip";
        assert_eq!(shorten(name, 20), "applicati…1.tar+gzip");
        assert_eq!(shorten(name, 43), name);
        assert_eq!(shorten("東京東京東京", 8), "東…東京");
        assert_eq!([0, 1, 2, 3].map(|columns| shorten("abcdef", columns)), ["", "…", "…f", "a…f"]);
    }

    #[test]
    fn columns_are_counted_not_characters() {
        assert_eq!(pad("東京", 6), "東京  ");
        assert_eq!(pad("longer", 3), "longer");
        assert_eq!(pad_left("東京", 6), "  東京");
    }
}
