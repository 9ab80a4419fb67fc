//! The `Link` header of lists that come in pages.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags>

/// The target of the first link whose relation is `next`.
pub(super) fn next(header: &str) -> Option<&str> {
    let mut rest = header;
    loop {
        let (_, after) = rest.split_once('<')?;
        let (target, parameters) = after.split_once('>')?;
        // A comma ends the link, unless it stands in quotes.
        let mut quoted = false;
        let end = parameters
            .find(|letter| {
                quoted ^= letter == '"';
                letter == ',' && !quoted
            })
            .unwrap_or(parameters.len());
        let (parameters, following) = parameters.split_at(end);
        if parameters.split(';').any(is_next) {
            return Some(target.trim());
        }
        rest = following;
    }
}

fn is_next(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, value)| {
        let relations = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("rel")
            && relations.split_ascii_whitespace().any(|relation| relation.eq_ignore_ascii_case("next"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_however_it_is_written() {
        for (header, expected) in [
            (r#"</v2/a/tags/list?last=b&n=2>; rel="next""#, Some("/v2/a/tags/list?last=b&n=2")),
            (r#"</v2/a?x=1>;rel="next""#, Some("/v2/a?x=1")),
            ("</v2/a?x=1>; rel=next", Some("/v2/a?x=1")),
            (r#"</p>; rel="prev"; title="a,b", </n>; REL="last Next""#, Some("/n")),
            (r#"</p>; rel="prev""#, None),
            (r#"</p>; title="rel=next""#, None),
            ("<", None),
            ("<>", None),
            ("", None),
        ] {
            assert_eq!(next(header), expected, "{header}");
        }
    }
}
