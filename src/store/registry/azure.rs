//! What only Azure Container Registry does: a user who stands for a token, and tokens of Entra that are exchanged.
//!
//! <https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md>

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use url::Url;

use super::{Secret, origin};
use crate::oci::RegistryName;

/// The user whose password is a refresh token.
pub(super) const TOKEN_USER: &str = "00000000-0000-0000-0000-000000000000";

/// Where the clouds of Azure have their registries.
const REGISTRIES: [&str; 3] = [".azurecr.io", ".azurecr.cn", ".azurecr.us"];
/// Who issues the access tokens of Entra, in the clouds of Azure.
const ISSUERS: [&str; 6] = [
    "sts.windows.net",
    "sts.chinacloudapi.cn",
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "login.chinacloudapi.cn",
];

/// Whether the name is one that only Azure gives.
pub(in crate::store) fn is_registry(name: &RegistryName) -> bool {
    REGISTRIES.iter().any(|cloud| name.host().ends_with(cloud))
}

/// Whether the registry at `base` gives its tokens as Azure's do: itself, at `/oauth2/token`.
pub(super) fn is_token_service(base: &Url, realm: &Url) -> bool {
    origin::is_same(base, realm) && realm.path() == "/oauth2/token"
}

/// Whether a token comes from Entra, and so must be exchanged. What it says is not believed beyond that: it is not
/// this program that checks it.
pub(super) fn is_entra(token: &Secret) -> bool {
    #[derive(Deserialize)]
    struct Claims {
        iss: String,
    }
    let mut parts = token.reveal().split('.');
    let (Some(_), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).unwrap_or_default();
    let issuer = serde_json::from_slice::<Claims>(&claims).ok().and_then(|claims| Url::parse(&claims.iss).ok());
    issuer.is_some_and(|issuer| {
        issuer.scheme() == "https" && issuer.host_str().is_some_and(|host| ISSUERS.contains(&host))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> Secret {
        Secret::new(format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims)))
    }

    #[test]
    fn tokens_of_entra_are_told_from_those_of_a_registry() {
        for (claims, expected) in [
            (r#"{"iss":"https://sts.windows.net/72f988bf/","aud":"https://management.azure.com/"}"#, true),
            (r#"{"iss":"https://login.microsoftonline.com/72f988bf/v2.0"}"#, true),
            (r#"{"iss":"https://login.chinacloudapi.cn/72f988bf/v2.0"}"#, true),
            (r#"{"iss":"Azure Container Registry","grant_type":"refresh_token"}"#, false),
            (r#"{"iss":"https://sts.windows.net.evil.example/"}"#, false),
            (r#"{"iss":"http://sts.windows.net/"}"#, false),
            (r#"{"iss":7}"#, false),
            ("", false),
        ] {
            assert_eq!(is_entra(&token(claims)), expected, "{claims}");
        }
        assert!(!is_entra(&Secret::new("word")) && !is_entra(&Secret::new("a.b.c.d")));
    }

    #[test]
    fn only_the_registry_itself_is_its_token_service() {
        let base: Url = "https://r.azurecr.io/".parse().unwrap();
        for (realm, expected) in [
            ("https://r.azurecr.io/oauth2/token", true),
            ("https://r.azurecr.io:444/oauth2/token", false),
            ("https://other.azurecr.io/oauth2/token", false),
            ("https://r.azurecr.io/token", false),
        ] {
            assert_eq!(is_token_service(&base, &realm.parse().unwrap()), expected, "{realm}");
        }
        for (name, expected) in [
            ("r.azurecr.io", true),
            ("r.azurecr.cn", true),
            ("azurecr.io", false),
            ("r.azurecr.io.evil.example", false),
        ] {
            assert_eq!(is_registry(&name.parse().unwrap()), expected, "{name}");
        }
    }
}
