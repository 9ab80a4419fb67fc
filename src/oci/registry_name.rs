use std::{fmt, net::Ipv4Addr, net::Ipv6Addr, str::FromStr};

use super::ReferenceError;

/// The name of a registry, `host[:port]`: lower case, Docker Hub's three names as one.
///
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#definitions>
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegistryName(Box<str>);

impl RegistryName {
    /// The text: `host` or `host:port`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host without the port; an IPv6 address keeps its brackets.
    pub fn host(&self) -> &str {
        split_port(&self.0).0
    }

    /// Whether the host is this machine: `localhost`, `127.0.0.0/8` or `[::1]`. Such registries are asked over plain HTTP.
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        host == "localhost"
            || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
            || v6.and_then(|host| host.parse::<Ipv6Addr>().ok()).is_some_and(|address| address.is_loopback())
    }

    /// One name for all the names of one registry, to compare by: `localhost`, `127.0.0.1` and `[::1]` are the same.
    pub fn identity(&self) -> Self {
        let (host, port) = split_port(&self.0);
        match host {
            "127.0.0.1" | "[::1]" => Self(match port {
                Some(port) => format!("localhost:{port}").into(),
                None => "localhost".into(),
            }),
            _ => self.clone(),
        }
    }
}

fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    }
}

impl fmt::Display for RegistryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RegistryName {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let lower = text.to_ascii_lowercase();
        let (host, port) = split_port(&lower);
        let port_is_legal =
            port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0) && !port.starts_with('+'));
        let is_v6 = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .is_some_and(|host| host.parse::<Ipv6Addr>().is_ok());
        let is_label = |label: &str| {
            !label.is_empty()
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if !port_is_legal || !(is_v6 || (host.len() <= 253 && host.split('.').all(is_label))) {
            return Err(ReferenceError::Registry { text: text.to_owned() });
        }
        let name = Self(lower.as_str().into());
        let implied = if name.is_loopback() { "80" } else { "443" };
        let name = if port == Some(implied) { Self(host.into()) } else { name };
        Ok(match name.as_str() {
            "index.docker.io" | "registry-1.docker.io" => Self("docker.io".into()),
            _ => name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> String {
        text.parse::<RegistryName>().map_or_else(|error| error.to_string(), |name| name.to_string())
    }

    #[test]
    fn one_registry_has_one_name() {
        assert_eq!(name("MyRegistry.azurecr.io:443"), "myregistry.azurecr.io");
        assert_eq!(name("localhost:80"), "localhost");
        assert_eq!(name("registry-1.docker.io"), "docker.io");
        assert_eq!(name("[::1]:5000"), "[::1]:5000");
        let identity = |text: &str| text.parse::<RegistryName>().unwrap().identity();
        assert_eq!(identity("127.0.0.1:5000"), identity("localhost:5000"));
        assert_eq!(identity("[::1]:5000"), identity("localhost:5000"));
        assert_ne!(identity("127.0.0.2:5000"), identity("localhost:5000"));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for bad in ["", "a b", "a..b", "-a", "a:", "a:0", "a:65536", "a:+80", "[::1", "user@host", "a/b"] {
            assert!(bad.parse::<RegistryName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn loopback_is_known_by_its_address() {
        for (text, loopback) in [
            ("localhost:5000", true),
            ("127.8.9.1", true),
            ("[::1]:1", true),
            ("localhost.example", false),
            ("128.0.0.1", false),
        ] {
            assert_eq!(text.parse::<RegistryName>().unwrap().is_loopback(), loopback, "{text}");
        }
    }
}
