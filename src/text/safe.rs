use std::{borrow::Cow, fmt::Write as _};

/// `text` as one line that a terminal cannot take for a command: line ends, tabs and everything that [`safe_lines`]
/// escapes are escaped.
pub fn safe_line(text: &str) -> Cow<'_, str> {
    escape(text, |char| is_unsafe(char) || matches!(char, '\n' | '\t'))
}

/// `text` with its line ends and tabs, and with every other control character escaped, also those that turn the
/// direction of writing.
///
/// The escapes are those of JSON, so that JSON stays the same JSON.
pub fn safe_lines(text: &str) -> Cow<'_, str> {
    escape(text, is_unsafe)
}

fn is_unsafe(char: char) -> bool {
    match char {
        '\n' | '\t' => false,
        // Marks, embeddings, overrides and isolates of direction; the separators that some programs take for line ends.
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => true,
        _ => char.is_control(),
    }
}

fn escape(text: &str, escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&escaped) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match char {
            '\n' if escaped(char) => safe.push_str("\\n"),
            '\t' if escaped(char) => safe.push_str("\\t"),
            '\r' => safe.push_str("\\r"),
            _ if escaped(char) => {
                // Writing to a string cannot fail.
                let _ = write!(safe, "\\u{:04x}", u32::from(char));
            }
            _ => safe.push(char),
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_given_no_commands() {
        assert_eq!(safe_line("red \u{1b}[31m, bell \u{7}, \u{9b}2J"), r"red \u001b[31m, bell \u0007, \u009b2J");
        assert_eq!(safe_line("two\nlines\r\n\tand a tab"), r"two\nlines\r\n\tand a tab");
        assert_eq!(safe_line("abc\u{202e}txt.exe\u{2066}\u{7f}"), r"abc\u202etxt.exe\u2066\u007f");
        assert_eq!(
            safe_lines("two\nlines,\ta tab,\r\u{1b}]0;title\u{7}"),
            "two\nlines,\ta tab,\\r\\u001b]0;title\\u0007"
        );
    }

    #[test]
    fn other_text_is_left_alone() {
        let text = "Größe 東京 é 👩‍🚀 \\ \"quoted\"";
        assert!(matches!(safe_line(text), Cow::Borrowed(same) if same == text));
    }

    #[test]
    fn json_stays_the_same_json() {
        let value = serde_json::json!({ "a": "del \u{7f}, c1 \u{85}, rlo \u{202e}, esc \u{1b}, tab \t" });
        let text = serde_json::to_string_pretty(&value).unwrap();
        assert_ne!(safe_lines(&text), text);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe_lines(&text)).unwrap(), value);
    }
}
