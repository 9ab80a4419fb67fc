//! Where a URL that a registry hands out may lead, and who may be told secrets. Redirects, `Location`, `Link` and token
//! realms all come through here.
//!
//! | | another host or port | gets the login | gets the client's certificate |
//! | --- | --- | --- | --- |
//! | redirect, `Location` | yes | only the registry itself | only the registry itself |
//! | `Link` | no | – | – |
//! | token realm | yes: Docker Hub's is one | yes, it is for that | only the registry itself |
//!
//! Nobody is followed from HTTPS to HTTP, to where clouds keep their metadata, to this machine from elsewhere, or to a
//! URL with a user in it. The realm stands in the registry's own answer, over its own connection: whoever could change it
//! could ask for the password at once.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Why a request does not go where the registry points.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeadError {
    /// There is nothing to follow.
    #[error("the answer points elsewhere, but does not say where")]
    Missing,
    /// It cannot be read as a URL.
    #[error("the registry points to `{text}`, which is not a URL")]
    NotUrl {
        /// What the registry said.
        text: String,
    },
    /// Only `http` and `https` are followed, without a user in them.
    #[error("the registry points to `{place}`, which is not followed: only plain `https` URLs are")]
    Scheme {
        /// Where to, without its query.
        place: String,
    },
    /// From an encrypted connection to one that is not.
    #[error("the registry points to `{place}`, which is not encrypted")]
    Downgrade {
        /// Where to, without its query.
        place: String,
    },
    /// An address where cloud machines keep their own secrets.
    #[error("the registry points to `{place}`, an address of this machine's own network")]
    Forbidden {
        /// Where to, without its query.
        place: String,
    },
    /// A list that goes on at another registry.
    #[error("the registry points to `{place}`, which is not the same registry")]
    Elsewhere {
        /// Where to, without its query.
        place: String,
    },
    /// One redirect after the other.
    #[error("the registry redirects more than {limit} times")]
    TooMany {
        /// How many are followed.
        limit: usize,
    },
}

/// Whether what is meant for the registry at `registry` may be sent with a request to `url`: scheme, host and port are
/// the same.
pub(super) fn is_same(registry: &Url, url: &Url) -> bool {
    registry.origin() == url.origin() && registry.origin().is_tuple()
}

/// The place that `text` names, as seen from the answer to a request to `at`.
pub(super) fn follow(registry: &Url, at: &Url, text: &str) -> Result<Url, LeadError> {
    let url = at.join(text).map_err(|_| LeadError::NotUrl { text: text.chars().take(200).collect() })?;
    check(registry, &url)?;
    Ok(url)
}

/// As [`follow`], for what makes no sense anywhere else: the next page of a list.
pub(super) fn follow_within(registry: &Url, at: &Url, text: &str) -> Result<Url, LeadError> {
    let url = follow(registry, at, text)?;
    if is_same(registry, &url) { Ok(url) } else { Err(LeadError::Elsewhere { place: super::error::shown(&url) }) }
}

fn check(registry: &Url, url: &Url) -> Result<(), LeadError> {
    let place = || super::error::shown(url);
    if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
        return Err(LeadError::Scheme { place: place() });
    }
    if is_same(registry, url) {
        return Ok(());
    }
    if url.scheme() == "http" && registry.scheme() != "http" {
        return Err(LeadError::Downgrade { place: place() });
    }
    if is_forbidden(url) {
        return Err(LeadError::Forbidden { place: place() });
    }
    // A registry out there must not make this machine talk to itself.
    if is_loopback(url) && !is_loopback(registry) {
        return Err(LeadError::Forbidden { place: place() });
    }
    Ok(())
}

/// Link-local addresses, where cloud providers keep their metadata services.
fn is_forbidden(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_forbidden_v4(address),
        Some(Host::Ipv6(address)) => {
            address.is_unicast_link_local()
                || address.is_unspecified()
                || METADATA_V6.contains(&address)
                || address.to_ipv4_mapped().or_else(|| behind_nat64(address)).is_some_and(is_forbidden_v4)
        }
        Some(Host::Domain(name)) => METADATA_NAMES.contains(&name.trim_end_matches('.')),
        None => true,
    }
}

fn is_forbidden_v4(address: Ipv4Addr) -> bool {
    address.is_link_local() || address.is_unspecified() || METADATA_V4.contains(&address)
}

/// Of Alibaba, Azure and Oracle.
const METADATA_V4: &[Ipv4Addr] =
    &[Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(192, 0, 0, 192)];
/// Of AWS and Google.
const METADATA_V6: &[Ipv6Addr] =
    &[Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];
const METADATA_NAMES: &[&str] =
    &["metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"];

/// The address that `64:ff9b::/96` stands for.
fn behind_nat64(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = address.segments() else { return None };
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Some(Ipv4Addr::new(a, b, c, d))
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => {
            address.is_loopback() || address.to_ipv4_mapped().is_some_and(|address| address.is_loopback())
        }
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where `text` leads from a registry, and whether the registry's credentials go along.
    fn lead(registry: &str, text: &str) -> Result<(String, bool), &'static str> {
        let registry: Url = registry.parse().unwrap();
        let at = registry.join("/v2/a/blobs/uploads/").unwrap();
        match follow(&registry, &at, text) {
            Ok(url) => Ok((url.to_string(), is_same(&registry, &url))),
            Err(LeadError::NotUrl { .. }) => Err("not a URL"),
            Err(LeadError::Scheme { .. }) => Err("scheme"),
            Err(LeadError::Downgrade { .. }) => Err("downgrade"),
            Err(LeadError::Forbidden { .. }) => Err("forbidden"),
            Err(_) => Err("other"),
        }
    }

    #[test]
    fn a_lead_is_followed_only_where_it_may_go() {
        let to = |url: &str, trusted| Ok((url.to_owned(), trusted));
        for (registry, text, expected) in [
            ("https://r.io", "/v2/a/blobs/uploads/1?x=y", to("https://r.io/v2/a/blobs/uploads/1?x=y", true)),
            ("https://r.io", "1?x=y", to("https://r.io/v2/a/blobs/uploads/1?x=y", true)),
            ("https://r.io", "https://r.io:443/x", to("https://r.io/x", true)),
            ("https://r.io", "https://R.IO/x", to("https://r.io/x", true)),
            ("https://r.io", "//r.io/x", to("https://r.io/x", true)),
            ("https://r.io", "https://r.io:444/x", to("https://r.io:444/x", false)),
            ("https://r.io", "https://cdn.r.io/x", to("https://cdn.r.io/x", false)),
            ("https://r.io", "https://r.io.evil.example/x", to("https://r.io.evil.example/x", false)),
            ("https://r.io", "//evil.example/x", to("https://evil.example/x", false)),
            ("https://r.io", "http://r.io/x", Err("downgrade")),
            ("https://r.io", "http://cdn.r.io/x", Err("downgrade")),
            ("https://r.io", "https://r.io@evil.example/x", Err("scheme")),
            ("https://r.io", "https://user:word@r.io/x", Err("scheme")),
            ("https://r.io", "file:///etc/passwd", Err("scheme")),
            ("https://r.io", "https://169.254.169.254/latest", Err("forbidden")),
            ("https://r.io", "https://0xa9fea9fe/latest", Err("forbidden")),
            ("https://r.io", "https://[::ffff:169.254.169.254]/", Err("forbidden")),
            ("https://r.io", "https://[fe80::1]/", Err("forbidden")),
            ("https://r.io", "https://[fd00:ec2::254]/", Err("forbidden")),
            ("https://r.io", "https://metadata.google.internal/", Err("forbidden")),
            ("https://r.io", "https://metadata.google.internal./", Err("forbidden")),
            ("https://r.io", "https://instance-data/latest", Err("forbidden")),
            ("https://r.io", "https://[fd20:ce::254]/", Err("forbidden")),
            ("https://r.io", "https://[64:ff9b::a9fe:a9fe]/", Err("forbidden")),
            ("https://r.io", "https://168.63.129.16/", Err("forbidden")),
            ("https://r.io", "https://0/", Err("forbidden")),
            ("https://r.io", "https://127.1/", Err("forbidden")),
            ("https://r.io", "https://0177.0.0.1/", Err("forbidden")),
            ("https://r.io", "https://[::ffff:127.0.0.1]/", Err("forbidden")),
            ("https://r.io", "https://a.localhost./", Err("forbidden")),
            ("https://r.io", "ftp://r.io/x", Err("scheme")),
            ("https://r.io", "https://:word@r.io/x", Err("scheme")),
            ("https://r.io:5000", "https://r.io/x", to("https://r.io/x", false)),
            ("https://r.io", "https://127.0.0.1/x", Err("forbidden")),
            ("https://r.io", "https://localhost/x", Err("forbidden")),
            ("https://r.io", "https://[::1]/x", Err("forbidden")),
            ("https://r.io", "https://[", Err("not a URL")),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000/x", to("http://127.0.0.1:5000/x", true)),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5001/x", to("http://127.0.0.1:5001/x", false)),
            ("http://127.0.0.1:5000", "http://localhost:5000/x", to("http://localhost:5000/x", false)),
            ("http://127.0.0.1:5000", "https://127.0.0.1:5000/x", to("https://127.0.0.1:5000/x", false)),
            ("http://127.0.0.1:5000", "https://cdn.r.io/x", to("https://cdn.r.io/x", false)),
            ("http://127.0.0.1:5000", "http://169.254.169.254/", Err("forbidden")),
            ("http://r.lan", "http://127.0.0.1:1/", Err("forbidden")),
        ] {
            assert_eq!(lead(registry, text), expected, "{registry} {text}");
        }
    }

    #[test]
    fn a_token_realm_may_be_another_host_and_nothing_worse() {
        for (registry, realm, expected) in [
            ("https://registry-1.docker.io", "https://auth.docker.io/token", Some("https://auth.docker.io/token")),
            ("https://r.io", "/token?service=x", Some("https://r.io/token?service=x")),
            ("https://r.io", "https://r.io:8443/token", Some("https://r.io:8443/token")),
            ("https://r.io", "http://r.io/token", None),
            ("https://r.io", "http://auth.r.io/token", None),
            ("https://r.io", "https://me@auth.r.io/token", None),
            ("https://r.io", "https://169.254.169.254/token", None),
            ("https://r.io", "https://localhost:8443/token", None),
            ("http://r.lan:5000", "http://auth.lan/token", Some("http://auth.lan/token")),
            ("http://r.lan:5000", "http://127.0.0.1/token", None),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5001/token", Some("http://127.0.0.1:5001/token")),
        ] {
            let base: Url = registry.parse().unwrap();
            let followed = follow(&base, &base, realm).ok().map(String::from);
            assert_eq!(followed.as_deref(), expected, "{registry} {realm}");
        }
    }

    #[test]
    fn a_list_goes_on_only_at_its_registry() {
        let registry: Url = "https://r.io/v2/".parse().unwrap();
        assert!(follow_within(&registry, &registry, "/v2/a/tags/list?last=b").is_ok());
        assert!(matches!(
            follow_within(&registry, &registry, "https://evil.example/v2/"),
            Err(LeadError::Elsewhere { .. })
        ));
    }
}
