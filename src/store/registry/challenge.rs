//! What a registry says about logging in: the `WWW-Authenticate` header, from anybody, parsed without trust.
//!
//! <https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1>, <https://distribution.github.io/distribution/spec/auth/token/>

/// A way to log in that a registry offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User and password with every request.
    Basic,
    /// A token from the service at `realm`.
    /// `error` says what was wrong with the token that came.
    Bearer { realm: String, service: Option<String>, error: Option<String> },
}

impl Challenge {
    /// Whether the token was a good one, but not for this.
    /// <https://www.rfc-editor.org/rfc/rfc6750#section-3.1>
    pub(super) fn is_about_rights(&self) -> bool {
        matches!(self, Self::Bearer { error: Some(error), .. } if error == "insufficient_scope")
    }

    /// Whether the token itself was not taken, as when it has run out.
    pub(super) fn is_about_the_token(&self) -> bool {
        matches!(self, Self::Bearer { error: Some(error), .. } if error == "invalid_token")
    }
}

/// More than any registry sends.
const MAX_LENGTH: usize = 8 * 1024;

/// The challenges in one header value that consign knows how to answer.
pub(super) fn parse(header: &str) -> Vec<Challenge> {
    let mut found = Vec::new();
    if header.len() > MAX_LENGTH {
        return found;
    }
    let mut rest = header;
    while let Some((scheme, after)) = token(rest.trim_start_matches([' ', '\t', ','])) {
        let (parameters, after) = parameters(after);
        let value = |name: &str| {
            parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
        };
        if scheme.eq_ignore_ascii_case("basic") {
            found.push(Challenge::Basic);
        } else if scheme.eq_ignore_ascii_case("bearer")
            && let Some(realm) = value("realm")
        {
            found.push(Challenge::Bearer { realm, service: value("service"), error: value("error") });
        }
        rest = after;
    }
    found
}

/// The `name=value` pairs up to the next scheme, and what follows.
fn parameters(text: &str) -> (Vec<(&str, String)>, &str) {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        let start = rest.trim_start_matches([' ', '\t', ',']);
        // A token without `=` after it is the next scheme.
        let Some((name, after)) = token(start) else { return (found, start) };
        let Some(after) = after.trim_start().strip_prefix('=') else { return (found, start) };
        let (value, after) = value(after.trim_start());
        found.push((name, value));
        rest = after;
    }
}

/// A token or a quoted string. A quote that is not closed ends with the header.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((place, letter)) = letters.next() {
        match letter {
            '"' => return (value, quoted.get(place + 1..).unwrap_or_default()),
            '\\' => value.extend(letters.next().map(|(_, escaped)| escaped)),
            _ => value.push(letter),
        }
    }
    (value, "")
}

/// The longest prefix that is a token, if it is not empty.
fn token(text: &str) -> Option<(&str, &str)> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter);
    let end = text.find(|letter| !is_part(letter)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bearer(realm: &str, service: Option<&str>) -> Challenge {
        Challenge::Bearer { realm: realm.to_owned(), service: service.map(str::to_owned), error: None }
    }

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        for (header, expected) in [
            (r#"Basic realm="Registry Realm""#, vec![Challenge::Basic]),
            ("basic", vec![Challenge::Basic]),
            (
                r#"Bearer realm="https://a.io/token",service="r.io",scope="repository:a/b:pull,push""#,
                vec![bearer("https://a.io/token", Some("r.io"))],
            ),
            (r#"bearer  Realm = "https://a.io/t\"x" , service=r.io"#, vec![bearer("https://a.io/t\"x", Some("r.io"))]),
            (
                r#"Negotiate, Bearer realm="https://a.io/t", Basic realm="x""#,
                vec![bearer("https://a.io/t", None), Challenge::Basic],
            ),
            (r#"Digest realm="a, Basic b", nonce="c", Basic realm="d""#, vec![Challenge::Basic]),
            (r#"Bearer service="r.io""#, vec![]),
            (r#"Bearer realm="https://a.io/t"#, vec![bearer("https://a.io/t", None)]),
            ("", vec![]),
            (", ,=\"", vec![]),
        ] {
            assert_eq!(parse(header), expected, "{header}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_token_is_heard() {
        for (error, rights, token) in
            [("insufficient_scope", true, false), ("invalid_token", false, true), ("x", false, false)]
        {
            let header = format!(r#"Bearer realm="https://a.io/t",scope="repository:a:push",error="{error}""#);
            let challenge = parse(&header).remove(0);
            assert_eq!((challenge.is_about_rights(), challenge.is_about_the_token()), (rights, token), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_panic(header in r#"[ -~äß"\\=,]{0,80}"#) {
            parse(&header);
        }
    }
}
