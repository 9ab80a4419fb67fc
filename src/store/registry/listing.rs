//! Which manifests a repository has, as Azure Container Registry lists them beside the distribution API.
//!
//! Only that they are there and what they do not say themselves is taken from it: its `imageSize` is of the manifest for some
//! and of the image for others, and it has no artifact types.
//! <https://learn.microsoft.com/en-us/rest/api/containerregistry/manifests/get-list>

use std::collections::BTreeMap;

use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde::Deserialize;

use super::{Answer, RegistryError, RegistryProblem, RegistryStore, Request, Scope};
use crate::{
    oci::{Digest, Platform, Tag, media_type},
    store::{Inventory, Listed, StoreError},
};

#[derive(Deserialize)]
struct Page {
    manifests: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    digest: String,
    tags: Option<Vec<String>>,
    media_type: Option<String>,
    os: Option<String>,
    architecture: Option<String>,
    created_time: Option<String>,
    last_update_time: Option<String>,
}

/// How many manifests are asked for at once, as Azure's own tools do.
const COUNT: usize = 100;
const MAX_PAGES: usize = Inventory::LIMIT / COUNT;
/// One manifest may have thousands of tags.
const PAGE: usize = 8 * 1024 * 1024;
/// What all pages have together at most.
const WHOLE: usize = 128 * 1024 * 1024;

impl RegistryStore {
    /// Every manifest that Azure lists, sorted by digest. Nothing: there is no such list after all.
    pub(super) async fn azure_listing(&self) -> Result<Option<Vec<Listed>>, StoreError> {
        let mut url = self.registry.place(&format!("/acr/v1/{}/_manifests", self.name))?;
        let first = url.clone();
        url.query_pairs_mut().append_pair("n", &COUNT.to_string());
        let mut listing = BTreeMap::new();
        let mut length = 0;
        let mut pages = 0;
        while pages < MAX_PAGES {
            pages += 1;
            let request = Request::new(Method::GET, url, Scope::list(&self.name)).limit(PAGE);
            let answer = self.registry.send(&request).await?;
            match answer.status {
                StatusCode::OK => {}
                StatusCode::NOT_FOUND if answer.has_code("NAME_UNKNOWN") => return Ok(Some(Vec::new())),
                StatusCode::NOT_FOUND => return Ok(None),
                _ => return Err(answer.refused().into()),
            }
            length += answer.body.len();
            if length > WHOLE {
                return Err(answer.problem(RegistryProblem::TooLong { limit: WHOLE }).into());
            }
            let page: Page = serde_json::from_slice(&answer.body).map_err(|error| wrong(&answer, error.to_string()))?;
            let entries = page.manifests.unwrap_or_default();
            let (is_empty, before) = (entries.is_empty(), listing.len());
            for entry in entries {
                let listed = entry.read().map_err(|message| wrong(&answer, message))?;
                listing.entry(listed.digest.clone()).or_insert(listed);
            }
            let Some(next) = self.next_page(&answer)? else {
                return Ok(Some(listing.into_values().collect()));
            };
            if !is_empty && listing.len() == before {
                // A page that comes again would come for ever.
                break;
            }
            url = next;
        }
        Err(RegistryError::new(&Method::GET, &first, RegistryProblem::Endless { pages }).into())
    }
}

impl Entry {
    /// What is said, as far as it is of any use; the digest must be one.
    fn read(self) -> Result<Listed, String> {
        let digest: Digest = self.digest.parse().map_err(|_| {
            let shown: String = self.digest.chars().take(150).collect();
            format!("`{shown}` is not a digest")
        })?;
        let tags = self.tags.unwrap_or_default();
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let platform = filled(&self.os).zip(filled(&self.architecture));
        let platform = platform.and_then(|(os, architecture)| format!("{os}/{architecture}").parse::<Platform>().ok());
        let time = |text: Option<String>| text.filter(|text| text.parse::<Timestamp>().is_ok());
        Ok(Listed {
            digest,
            tags: tags.iter().filter_map(|tag| tag.parse::<Tag>().ok()).collect(),
            media_type: filled(&self.media_type).map(|it| media_type::essence(&it)),
            platform: platform.filter(|platform| !platform.is_unknown()),
            created: time(self.created_time),
            last_updated: time(self.last_update_time),
        })
    }
}

fn wrong(answer: &Answer, message: String) -> RegistryError {
    answer.problem(RegistryProblem::Body { expected: "a list of manifests", message })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{
        super::testing::{Reply, Server},
        *,
    };
    use crate::store::Store;

    fn digest(number: u32) -> String {
        Digest::sha256(&number.to_le_bytes()).to_string()
    }

    fn entry(number: u32) -> Value {
        json!({ "digest": digest(number) })
    }

    fn page(manifests: &Value) -> Reply {
        let page = json!({ "registry": "r.azurecr.io", "imageName": "team/app", "manifests": manifests });
        Reply::status(200).body(page.to_string())
    }

    /// What comes of a list that is this.
    async fn listed(reply: impl Fn(&str) -> Reply + Send + 'static) -> (Server, Result<Vec<Listed>, String>) {
        let server = Server::with(move |received, _| Some(reply(&received.query))).await;
        let listing = server.store("team/app").azure_listing().await;
        (server, listing.map(Option::unwrap_or_default).map_err(|error| error.to_string()))
    }

    #[tokio::test]
    async fn pages_are_read_as_azure_writes_them() {
        let (server, listing) = listed(|query| match query {
            "n=100" => {
                let link = format!("</acr/v1/team%2Fapp/_manifests?last={}&n=100&orderby=>; rel=\"next\"", digest(2));
                let attributes = json!({ "deleteEnabled": true, "quarantineState": "Passed" });
                let first = json!([entry(2), {
                    "digest": digest(1), "imageSize": 525, "createdTime": "2021-05-28T17:15:14.9483587Z",
                    "lastUpdateTime": "2021-06-02T09:00:00.1Z", "architecture": "arm64", "os": "linux",
                    "mediaType": "application/vnd.docker.distribution.manifest.v2+json; charset=utf-8",
                    "configMediaType": "application/vnd.docker.container.image.v1+json",
                    "tags": ["v1", "latest", "no tag"], "changeableAttributes": attributes,
                }]);
                page(&first).header("link", link)
            }
            _ => page(&json!([{
                "digest": digest(3), "createdTime": "yesterday", "lastUpdateTime": "", "architecture": "", "os": "linux",
                "tags": null, "mediaType": "application/vnd.docker.distribution.manifest.v1+prettyjws",
            }])),
        })
        .await;
        let first = Listed {
            tags: ["latest", "v1"].map(|tag| tag.parse().unwrap()).into(),
            media_type: Some(media_type::DOCKER_MANIFEST.to_owned()),
            platform: Some("linux/arm64".parse().unwrap()),
            created: Some("2021-05-28T17:15:14.9483587Z".to_owned()),
            last_updated: Some("2021-06-02T09:00:00.1Z".to_owned()),
            ..Listed::new(digest(1).parse().unwrap())
        };
        let last = Listed {
            media_type: Some("application/vnd.docker.distribution.manifest.v1+prettyjws".to_owned()),
            ..Listed::new(digest(3).parse().unwrap())
        };
        let mut expected = vec![first, Listed::new(digest(2).parse().unwrap()), last];
        expected.sort_by(|one, other| one.digest.cmp(&other.digest));
        assert_eq!(listing.unwrap(), expected);
        let asked: Vec<_> = server.log().iter().map(|line| line.replace("%2F", "/")).collect();
        assert_eq!(asked.len(), 2);
        assert_eq!(asked[0], "GET /acr/v1/team/app/_manifests?n=100");
        assert!(asked[1].starts_with("GET /acr/v1/team/app/_manifests?last=sha256:"), "{asked:?}");
    }

    #[tokio::test]
    async fn the_token_is_for_the_list_alone() {
        let server = Server::with(|received, _| {
            if received.path == "/oauth2/token" {
                return Some(Reply::status(200).body(r#"{"access_token":"t","expires_in":300}"#));
            }
            let realm = format!("Bearer realm=\"http://{}/oauth2/token\",service=\"s\"", received.header("host")?);
            let asks = || Reply::status(401).header("www-authenticate", realm);
            Some(if received.header("authorization").is_some() { page(&json!(null)) } else { asks() })
        })
        .await;
        assert_eq!(server.store("a").azure_listing().await.unwrap(), Some(Vec::new()));
        let list = "GET /acr/v1/a/_manifests?n=100";
        assert_eq!(server.log(), [list, "GET /oauth2/token?service=s&scope=repository:a:metadata_read", list]);
    }

    #[tokio::test]
    async fn nobody_but_azure_is_asked() {
        let server = Server::start().await;
        assert_eq!(server.store("a").listing().await.unwrap(), None);
        assert_eq!(server.log(), [""; 0]);
    }

    #[tokio::test]
    async fn a_repository_that_is_not_there_has_no_manifests_and_no_list_is_no_error() {
        let unknown =
            |code: &str| Reply::status(404).body(format!(r#"{{"errors":[{{"code":"{code}","message":""}}]}}"#));
        let server = Server::with(move |received, _| {
            Some(unknown(if received.path.contains("/new/") { "NAME_UNKNOWN" } else { "UNSUPPORTED" }))
        })
        .await;
        assert_eq!(server.store("new").azure_listing().await.unwrap(), Some(Vec::new()));
        assert_eq!(server.store("other").azure_listing().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_list_that_cannot_be_is_refused() {
        let next = |reply: Reply| reply.header("link", "</acr/v1/team%2Fapp/_manifests?n=100>; rel=\"next\"");
        let (server, listing) = listed(move |_| next(page(&json!([entry(1), entry(2)])))).await;
        assert!(listing.unwrap_err().ends_with("_manifests: the list does not end after 2 pages"));
        assert_eq!(server.log().len(), 2);
        let (server, listing) = listed(move |_| next(page(&json!([])))).await;
        assert!(listing.unwrap_err().ends_with("_manifests: the list does not end after 1000 pages"));
        assert_eq!(server.log().len(), 1000);
        let (_, listing) = listed(|_| page(&json!([])).header("link", "<http://127.0.0.2:1/acr/>; rel=next")).await;
        assert!(listing.unwrap_err().ends_with("`http://127.0.0.2:1/acr/`, which is not the same registry"));
        let (_, listing) = listed(|_| Reply::status(200).body(vec![b' '; PAGE + 1])).await;
        assert!(listing.unwrap_err().ends_with("the answer has more than 8388608 bytes"));
        for (manifests, expected) in [
            (json!([{ "digest": "sha256:short" }]), "`sha256:short` is not a digest"),
            (json!([{ "tags": [] }]), "missing field `digest`"),
            (json!([{ "digest": digest(1), "createdTime": 7 }]), "invalid type: integer `7`, expected a string"),
            (json!([{ "digest": digest(1), "tags": "v1" }]), "invalid type: string \"v1\", expected a sequence"),
            (json!("many"), "invalid type: string \"many\", expected a sequence"),
        ] {
            let (_, listing) = listed(move |_| page(&manifests)).await;
            let error = listing.unwrap_err();
            assert!(error.contains(&format!("the answer is not a list of manifests: {expected}")), "{error}");
        }
    }

    #[tokio::test]
    async fn who_may_not_list_hears_what_is_missing() {
        let server = Server::with(|received, _| {
            let asks = || Reply::status(401).header("www-authenticate", "Basic realm=\"x\"");
            Some(if received.header("authorization").is_some() { Reply::status(403) } else { asks() })
        })
        .await;
        let me =
            super::super::Credential::Basic { username: "me".to_owned(), password: super::super::Secret::new("w") };
        let credentials = super::super::Credentials::none().with(server.name.clone(), me);
        let store = super::super::testing::registries(credentials).repository(&server.name, &"a".parse().unwrap());
        let StoreError::Registry(error) = store.azure_listing().await.unwrap_err() else { panic!("another error") };
        let help = error.help().unwrap();
        assert!(
            help.starts_with(&format!("this user may not list the manifests of `{}/a`: ask", server.name)),
            "{help}"
        );
    }
}
