//! Lists that are handed out in pages.

use super::failure::Failure;
use super::request::Head;

/// A part of a sorted list of names, and whether more stand behind it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page<T> {
    pub(super) entries: Vec<T>,
    pub(super) is_cut: bool,
}

/// The entries behind the one that the request names as its `last`, at most `n` of them where it says so.
///
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags>
pub(super) fn page<T: ToString>(head: &Head, entries: Vec<T>) -> Result<Page<T>, Failure> {
    let count = head.count()?.unwrap_or(usize::MAX);
    let last = head.parameter("last");
    let mut entries = entries.into_iter().filter(|entry| last.is_none_or(|last| entry.to_string().as_str() > last));
    let page: Vec<T> = entries.by_ref().take(count).collect();
    // Who asks for nothing is not sent on.
    let is_cut = count > 0 && entries.next().is_some();
    Ok(Page { entries: page, is_cut })
}

/// The value of a `Link` header that leads to the next page.
pub(super) fn link(path: &str, parameters: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("<{path}?{query}>; rel=\"next\"")
}

#[cfg(test)]
mod tests {
    use hyper::{HeaderMap, Method};

    use super::*;

    fn asked(query: &str) -> Result<Page<String>, Failure> {
        let entries = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        page(&Head::new(Method::GET, HeaderMap::new(), query), entries)
    }

    #[test]
    fn a_page_begins_behind_the_last_and_says_whether_it_ends() {
        for (query, expected, is_cut) in [
            ("", "abcd", false),
            ("n=2", "ab", true),
            ("n=2&last=b", "cd", false),
            ("last=b", "cd", false),
            ("last=bb&n=1", "c", true),
            ("n=4", "abcd", false),
            ("n=0", "", false),
            ("last=z", "", false),
        ] {
            let page = asked(query).unwrap();
            assert_eq!((page.entries.concat().as_str(), page.is_cut), (expected, is_cut), "{query}");
        }
        for query in ["n=-1", "n=x", "n=", "n=1.5"] {
            assert!(asked(query).is_err(), "{query}");
        }
    }
}
