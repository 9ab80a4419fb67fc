//! `If-Match` and `If-None-Match`: an entity tag is the digest of a manifest.

use hyper::{
    HeaderMap,
    header::{self, HeaderName, HeaderValue},
};

use crate::{
    oci::Digest,
    store::{Condition, Matches},
};

/// What a request wants to be true.
pub(super) fn of(headers: &HeaderMap) -> Condition {
    Condition { is: matches(headers, header::IF_MATCH), is_not: matches(headers, header::IF_NONE_MATCH) }
}

/// Whether a client that reads has `digest` already.
pub(super) fn has_already(headers: &HeaderMap, digest: &Digest) -> bool {
    let condition = Condition { is: None, is_not: matches(headers, header::IF_NONE_MATCH) };
    !condition.holds(Some(digest))
}

/// What is no entity tag of a manifest matches nothing; it still counts as asked.
fn matches(headers: &HeaderMap, name: HeaderName) -> Option<Matches> {
    let mut values = headers.get_all(name).iter().map(HeaderValue::to_str).peekable();
    values.peek()?;
    let mut digests = Vec::new();
    for value in values.flatten() {
        if value.trim() == "*" {
            return Some(Matches::Any);
        }
        let tags = value.split(',').map(|tag| tag.trim().trim_start_matches("W/").trim_matches('"'));
        digests.extend(tags.filter_map(|tag| tag.parse().ok()));
    }
    Some(Matches::Of(digests))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_tag_is_a_digest() {
        let (one, other) = (Digest::sha256(b"1"), Digest::sha256(b"2"));
        let headers = |name: HeaderName, value: &str| HeaderMap::from_iter([(name, value.parse().unwrap())]);
        let both = of(&headers(header::IF_MATCH, &format!("\"{one}\", W/\"{other}\"")));
        assert_eq!(both.is, Some(Matches::Of(vec![one.clone(), other.clone()])));
        assert!(both.holds(Some(&one)) && !both.holds(None));
        let absent = of(&headers(header::IF_NONE_MATCH, "*"));
        assert!(absent.holds(None) && !absent.holds(Some(&one)));
        let unread = of(&headers(header::IF_MATCH, "\"something else\""));
        assert!(!unread.holds(Some(&one)));
        assert!(of(&HeaderMap::new()).holds(None));
        assert!(has_already(&headers(header::IF_NONE_MATCH, &format!("\"{one}\"")), &one));
        assert!(!has_already(&headers(header::IF_NONE_MATCH, &format!("\"{one}\"")), &other));
    }
}
