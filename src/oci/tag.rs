use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, de};

use super::{Algorithm, Digest, ReferenceError};

/// A pointer in a repository that can be moved: at most 128 of `[A-Za-z0-9_.-]`, not starting with `.` or `-`.
///
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests>
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(Box<str>);

impl Tag {
    /// The tag under which a registry without the referrers API keeps the referrers of `subject`.
    ///
    /// The algorithm is cut to 32 characters and the digits to 64.
    /// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema>
    pub fn of_referrers(subject: &Digest) -> Self {
        let hex = subject.hex();
        Self(format!("{}-{}", subject.algorithm(), &hex[..hex.len().min(64)]).into())
    }

    /// The subject whose referrers are listed under this tag, where it is such a tag and the digest is whole in it.
    pub fn referrers_subject(&self) -> Option<Digest> {
        self.0.strip_prefix("sha256-").and_then(|hex| format!("sha256:{hex}").parse().ok())
    }

    /// Whether this tag is one of the referrers tag schema.
    pub fn is_of_referrers(&self) -> bool {
        let Some((name, hex)) = self.0.split_once('-') else {
            return false;
        };
        Algorithm::from_name(name).is_some()
            && hex.len() == 64
            && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Tag {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let first = |first: char| first.is_ascii_alphanumeric() || first == '_';
        let legal = text.starts_with(first)
            && text.len() <= 128
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
        if legal { Ok(Self(text.into())) } else { Err(ReferenceError::Tag { text: text.to_owned() }) }
    }
}

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_checked() {
        for good in ["v1", "1.10", "_x", "A-b.c", &"x".repeat(128)] {
            assert!(good.parse::<Tag>().is_ok(), "{good}");
        }
        for bad in ["", ".x", "-x", "a/b", "a:b", "ä", &"x".repeat(129)] {
            assert!(bad.parse::<Tag>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_referrers_tag_names_its_subject() {
        let digest = Digest::sha256(b"x");
        let tag = Tag::of_referrers(&digest);
        assert!(tag.is_of_referrers());
        assert_eq!(tag.referrers_subject(), Some(digest));
        assert!(!"sha256-short".parse::<Tag>().unwrap().is_of_referrers());
        let long = Tag::of_referrers(&Digest::of(Algorithm::Sha512, b"x"));
        assert!(long.is_of_referrers() && long.referrers_subject().is_none());
    }
}
