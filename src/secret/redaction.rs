use std::borrow::Cow;

use super::Secret;

/// Takes secrets out of text that came from a program or a registry.
#[derive(Debug, Default)]
pub struct Redaction {
    /// What is taken out, the longest first.
    patterns: Vec<Secret>,
}

/// What stands where a secret was.
const MASK: &str = "***";
/// Shorter lines of a secret with several are no secrets by themselves: `{` or `-----`.
const LINE: usize = 8;

impl Redaction {
    /// Knows these secrets; of one with several lines also each line that is long enough to be one.
    pub fn of<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut patterns: Vec<Secret> = Vec::new();
        for secret in secrets {
            patterns.push(secret.clone());
            let lines = secret.reveal().lines().map(str::trim).filter(|line| *line != secret.reveal());
            let lines = lines.filter(|line| line.len() >= LINE && line.contains(char::is_alphanumeric));
            patterns.extend(lines.map(Secret::new));
        }
        patterns.sort_by(|one, two| two.reveal().len().cmp(&one.reveal().len()).then(one.reveal().cmp(two.reveal())));
        patterns.dedup();
        Self { patterns }
    }

    /// Whether it knows no secret.
    pub const fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// `text` without the secrets.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut redacted = Cow::Borrowed(text);
        for pattern in &self.patterns {
            if redacted.contains(pattern.reveal()) {
                redacted = Cow::Owned(redacted.replace(pattern.reveal(), MASK));
            }
        }
        redacted
    }

    /// The same of a text that was cut off at its end, which may be the beginning of a secret.
    pub fn redact_cut<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let redacted = self.redact(text);
        let begun = |pattern: &Secret| {
            let ends = pattern.reveal().char_indices().map(|(end, _)| end).skip(1);
            ends.filter(|end| redacted.ends_with(&pattern.reveal()[..*end])).last()
        };
        match self.patterns.iter().filter_map(begun).max() {
            Some(length) => Cow::Owned(format!("{}{MASK}", &redacted[..redacted.len() - length])),
            None => redacted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redaction(secrets: &[&str]) -> Redaction {
        let secrets: Vec<_> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
        Redaction::of(&secrets)
    }

    #[test]
    fn a_secret_is_taken_out_wherever_it_stands_the_longest_first() {
        let redaction = redaction(&["hunter", "hunter2"]);
        assert_eq!(redaction.redact("a hunter2b hunter hunt"), "a ***b *** hunt");
        assert!(matches!(redaction.redact("nothing"), Cow::Borrowed("nothing")));
        assert!(redaction.redact("").is_empty() && !redaction.is_empty() && Redaction::default().is_empty());
    }

    #[test]
    fn the_lines_of_a_secret_are_secrets_where_they_are_long_enough() {
        let redaction = redaction(&["{\n  \"key\": \"aGVsbG8\"\n}\n"]);
        assert_eq!(redaction.redact("{ x }\n  \"key\": \"aGVsbG8\",\n"), "{ x }\n  ***,\n");
    }

    #[test]
    fn what_is_cut_off_in_a_secret_shows_no_part_of_it() {
        let redaction = redaction(&["hunter2", "été"]);
        assert_eq!(redaction.redact_cut("is hunte"), "is ***");
        assert_eq!(redaction.redact_cut("is ét"), "is ***");
        assert_eq!(redaction.redact_cut("is it"), "is it");
        assert_eq!(redaction.redact_cut("hunter2 h"), "*** ***");
    }
}
