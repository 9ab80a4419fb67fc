use std::{fmt, str::FromStr};

use super::ReferenceError;

/// The path of a repository within its registry.
///
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests>
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryName(Box<str>);

impl RepositoryName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RepositoryName {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.len() <= 255 && text.split('/').all(is_component) {
            Ok(Self(text.into()))
        } else if text.len() <= 255 && text.to_lowercase().split('/').all(is_component) {
            Err(ReferenceError::Upper { text: text.to_owned() })
        } else {
            Err(ReferenceError::Repository { text: text.to_owned() })
        }
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(component: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    let ends_well =
        bytes.first().is_some_and(|byte| alphanumeric(*byte)) && bytes.last().is_some_and(|byte| alphanumeric(*byte));
    let separators = component.split(|letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit());
    ends_well
        && separators
            .filter(|separator| !separator.is_empty())
            .all(|separator| matches!(separator, "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_holds() {
        for good in ["a", "a/b", "net-monitor", "a--b", "a__b", "a.b_c/0"] {
            assert!(good.parse::<RepositoryName>().is_ok(), "{good}");
        }
        for bad in ["", "/", "a/", "/a", "a//b", "a___b", "a..b", "-a", "a-", "a b", "a:b"] {
            assert!(matches!(bad.parse::<RepositoryName>(), Err(ReferenceError::Repository { .. })), "{bad}");
        }
        assert_eq!("Foo/bar".parse::<RepositoryName>(), Err(ReferenceError::Upper { text: "Foo/bar".to_owned() }));
    }
}
