use percent_encoding::percent_decode_str;

use super::failure::Failure;
use crate::oci::RepositoryName;

/// What a path is about. What stands last in it is not read yet: what is wrong with it depends on the method.
///
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#endpoints>
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// `/v2/`
    Base,
    /// `/v2/_catalog`
    Catalog,
    /// `/v2/NAME/tags/list`
    Tags(RepositoryName),
    /// `/v2/NAME/manifests/TAG-OR-DIGEST`
    Manifest(RepositoryName, String),
    /// `/v2/NAME/blobs/DIGEST`
    Blob(RepositoryName, String),
    /// `/v2/NAME/blobs/uploads/`
    Uploads(RepositoryName),
    /// `/v2/NAME/blobs/uploads/SESSION`
    Upload(RepositoryName, String),
    /// `/v2/NAME/referrers/DIGEST`
    Referrers(RepositoryName, String),
    /// `/metrics`
    Metrics,
}

impl Route {
    /// Names have slashes: a path is read from its end.
    pub(super) fn parse(path: &str) -> Result<Self, Failure> {
        let path = percent_decode_str(path).decode_utf8().map_err(|_| Failure::NoRoute)?;
        let below = match path.as_ref() {
            "/metrics" => return Ok(Self::Metrics),
            "/v2" | "/v2/" => return Ok(Self::Base),
            "/v2/_catalog" => return Ok(Self::Catalog),
            path => path.strip_prefix("/v2/").ok_or(Failure::NoRoute)?,
        };
        if let Some(name) = below.strip_suffix("/tags/list") {
            return Ok(Self::Tags(parse(name)?));
        }
        if let Some(name) = below.strip_suffix("/blobs/uploads") {
            return Ok(Self::Uploads(parse(name)?));
        }
        let (above, last) = below.rsplit_once('/').ok_or(Failure::NoRoute)?;
        let last = last.to_owned();
        if let Some(name) = above.strip_suffix("/blobs/uploads") {
            let name = parse(name)?;
            return Ok(if last.is_empty() { Self::Uploads(name) } else { Self::Upload(name, last) });
        }
        let (name, kind) = above.rsplit_once('/').ok_or(Failure::NoRoute)?;
        match kind {
            "manifests" => Ok(Self::Manifest(parse(name)?, last)),
            "blobs" => Ok(Self::Blob(parse(name)?, last)),
            "referrers" => Ok(Self::Referrers(parse(name)?, last)),
            _ => Err(Failure::NoRoute),
        }
    }

    /// The methods that it takes.
    pub(super) const fn methods(&self) -> &'static str {
        match self {
            Self::Base | Self::Catalog | Self::Tags(_) | Self::Referrers(..) | Self::Metrics => "GET, HEAD",
            Self::Manifest(..) => "GET, HEAD, PUT, DELETE",
            Self::Blob(..) => "GET, HEAD, DELETE",
            Self::Uploads(_) => "POST",
            Self::Upload(..) => "GET, HEAD, PATCH, PUT, DELETE",
        }
    }
}

fn parse(name: &str) -> Result<RepositoryName, Failure> {
    name.parse().map_err(|_| Failure::NameInvalid { name: name.chars().take(256).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(path: &str) -> String {
        match Route::parse(path) {
            Ok(Route::Base) => "base".to_owned(),
            Ok(Route::Catalog) => "catalog".to_owned(),
            Ok(Route::Metrics) => "metrics".to_owned(),
            Ok(Route::Tags(name)) => format!("tags of {name}"),
            Ok(Route::Uploads(name)) => format!("uploads of {name}"),
            Ok(Route::Upload(name, last)) => format!("upload {last} of {name}"),
            Ok(Route::Manifest(name, last)) => format!("manifest {last} of {name}"),
            Ok(Route::Blob(name, last)) => format!("blob {last} of {name}"),
            Ok(Route::Referrers(name, last)) => format!("referrers {last} of {name}"),
            Err(failure) => failure.to_string(),
        }
    }

    #[test]
    fn a_name_may_have_slashes_and_the_words_of_the_api_in_it() {
        for (path, expected) in [
            ("/v2/", "base"),
            ("/v2/_catalog", "catalog"),
            ("/v2/a/tags/list", "tags of a"),
            ("/v2/a/b/c/manifests/v1", "manifest v1 of a/b/c"),
            ("/v2/tags/list/tags/list", "tags of tags/list"),
            ("/v2/a/blobs/uploads/", "uploads of a"),
            ("/v2/a/blobs/uploads", "uploads of a"),
            ("/v2/a/blobs/uploads/x", "upload x of a"),
            ("/v2/blobs/uploads/blobs/uploads/x", "upload x of blobs/uploads"),
            ("/v2/manifests/manifests/manifests", "manifest manifests of manifests"),
            ("/v2/a/blobs/sha256%3Aaa", "blob sha256:aa of a"),
            ("/v2/a/referrers/sha256:aa", "referrers sha256:aa of a"),
            ("/v2/a%2Fb/tags/list", "tags of a/b"),
        ] {
            assert_eq!(route(path), expected, "{path}");
        }
    }

    #[test]
    fn what_leads_nowhere_is_said() {
        for path in ["/", "", "/v1/", "/v2/a", "/v2/a/b", "/v2/a/other/x", "/v2/a/tags/all", "/v2/%ff/tags/list"] {
            assert_eq!(route(path), "there is nothing here", "{path}");
        }
        for name in ["A", "../..", "a/../b", "", "a//b", &"a".repeat(300)] {
            assert!(route(&format!("/v2/{name}/tags/list")).ends_with("is not the name of a repository"), "{name}");
        }
    }
}
