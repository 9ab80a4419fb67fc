use crate::secret::Redaction;

/// Cuts what a program writes into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    partial: Vec<u8>,
    /// Whether the rest of the line is left out.
    is_long: bool,
    /// Whether the last line ended with `\r`, which a newline may follow.
    is_returned: bool,
}

/// Of a longer line the rest is left out, in bytes.
const LONGEST: usize = 16 * 1024;

impl Lines {
    /// The lines that end in `bytes`, each with a newline. A carriage return ends a line too.
    pub(super) fn push(&mut self, bytes: &[u8], redaction: impl Fn() -> Redaction) -> String {
        let mut lines = String::new();
        for part in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let (text, end) = match part.split_last() {
                Some((end @ (b'\n' | b'\r'), text)) => (text, Some(*end)),
                _ => (part, None),
            };
            if !self.is_long {
                let room = LONGEST - self.partial.len();
                self.is_long = text.len() > room;
                self.partial.extend_from_slice(text.get(..room).unwrap_or(text));
            }
            match end {
                Some(b'\n') if self.is_returned && text.is_empty() => {}
                Some(b'\r') if self.partial.is_empty() => {}
                Some(_) => self.end(&mut lines, &redaction),
                None => {}
            }
            self.is_returned = end == Some(b'\r');
        }
        lines
    }

    /// What stands behind the last newline.
    pub(super) fn finish(&mut self, redaction: impl Fn() -> Redaction) -> String {
        let mut lines = String::new();
        if !self.partial.is_empty() {
            self.end(&mut lines, &redaction);
        }
        lines
    }

    fn end(&mut self, lines: &mut String, redaction: &impl Fn() -> Redaction) {
        let line = String::from_utf8_lossy(&self.partial);
        if self.is_long {
            lines.push_str(&redaction().redact_cut(&line));
            lines.push_str(" …");
        } else {
            lines.push_str(&line);
        }
        lines.push('\n');
        self.partial.clear();
        self.is_long = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn cut(parts: &[&str]) -> String {
        let mut lines = Lines::default();
        let none = Redaction::default;
        let mut cut: String = parts.iter().map(|part| lines.push(part.as_bytes(), none)).collect();
        cut.push_str(&lines.finish(none));
        cut
    }

    #[test]
    fn lines_end_with_newlines_or_carriage_returns_wherever_they_are_cut() {
        assert_eq!(cut(&["a\nb", "c\n\nd"]), "a\nbc\n\nd\n");
        assert_eq!(cut(&["a\r\nb\r", "\n\nc\r\rd\r"]), "a\nb\n\nc\nd\n");
        assert_eq!(cut(&[""]), "");
    }

    #[test]
    fn what_is_no_text_is_shown_as_such() {
        assert_eq!(Lines::default().push(b"a\xff\n", Redaction::default), "a\u{fffd}\n");
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_where_no_secret_begins() {
        let mut lines = Lines::default();
        let secret = [Secret::new("hunter2")];
        let redaction = || Redaction::of(&secret);
        let long = format!("{}hunter2 and more", "x".repeat(LONGEST - 4));
        assert_eq!(lines.push(long.as_bytes(), redaction), "");
        assert_eq!(lines.push(b" and more\nnext\n", redaction), format!("{}*** …\nnext\n", "x".repeat(LONGEST - 4)));
    }
}
