use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn policy() -> Value {
    json!({
        "version": "1.0",
        "trustPolicies": [{
            "name": "all",
            "registryScopes": ["*"],
            "signatureVerification": { "level": "strict", "override": { "revocation": "skip" } },
            "trustStores": ["ca:acme", "tsa:acme-time"],
            "trustedIdentities": ["x509.subject: C=US, ST=WA, O=acme"],
        }, {
            "name": "one",
            "registryScopes": ["r.example.com/app"],
            "signatureVerification": { "level": "audit", "verifyTimestamp": "afterCertExpiry" },
            "trustStores": ["signingAuthority:acme"],
            "trustedIdentities": ["*"],
        }, {
            "name": "none",
            "registryScopes": ["r.example.com/scratch"],
            "signatureVerification": { "level": "skip" },
        }],
    })
}

fn edited(edit: impl FnOnce(&mut Value)) -> Result<TrustPolicy, String> {
    let mut document = policy();
    edit(&mut document);
    TrustPolicy::parse(document.to_string().as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn the_policy_that_names_a_repository_counts() {
    let policy = edited(|_| {}).unwrap();
    let all = policy.of("r.example.com/other").unwrap();
    assert_eq!(all.name, "all");
    let checks = all.checks.as_ref().unwrap();
    assert_eq!(checks.level, Level { revocation: Action::Skip, ..Level::STRICT });
    assert_eq!(checks.timestamp, TimestampRule::Always);
    let stores = [(StoreKind::Authority, "acme"), (StoreKind::TimestampAuthority, "acme-time")];
    assert_eq!(checks.stores, stores.map(|(kind, name)| StoreName { kind, name: name.to_owned() }));
    let one = policy.of("r.example.com/app").unwrap().checks.as_ref().unwrap();
    assert_eq!((one.level, one.timestamp), (Level::AUDIT, TimestampRule::AfterExpiry));
    assert_eq!(policy.of("r.example.com/scratch").unwrap().checks, None);
    let only = edited(|it| drop(it["trustPolicies"].as_array_mut().unwrap().remove(0))).unwrap();
    assert_eq!(only.of("r.example.com/other"), None);
}

#[test]
fn a_policy_with_a_mistake_says_which() {
    let first = |edit: fn(&mut Value)| {
        let message = edited(|it| edit(&mut it["trustPolicies"][0])).unwrap_err();
        message.strip_prefix("the policy `all`: ").map_or(message.clone(), str::to_owned)
    };
    assert_eq!(
        edited(|it| it["version"] = json!("2.0")).unwrap_err(),
        "the trust policy has the version `2.0`: `1.0` is known"
    );
    assert_eq!(
        edited(|it| it["trustPolicies"] = json!([])).unwrap_err(),
        "there is no policy in it: write one under `trustPolicies`"
    );
    let name = "the name `one` does not tell a policy apart: give each another one";
    assert_eq!(edited(|it| it["trustPolicies"][0]["name"] = json!("one")).unwrap_err(), name);
    let twice = "the scope `r.example.com/app` stands in two policies";
    assert_eq!(
        edited(|it| it["trustPolicies"][0]["registryScopes"] = json!(["r.example.com/app"])).unwrap_err(),
        twice
    );
    assert_eq!(
        first(|it| it["registryScopes"] = json!([])),
        "`registryScopes` is empty: write `*` or `registry/repository`"
    );
    assert_eq!(
        first(|it| it["registryScopes"] = json!(["*", "r/a"])),
        "`*` stands beside other scopes: it includes them all"
    );
    let scope = "the scope `r.example.com/*` names no repository: write `registry/repository`, or `*` alone";
    assert_eq!(first(|it| it["registryScopes"] = json!(["r.example.com/*"])), scope);
    let level = "there is no level `lax`: write `strict`, `permissive`, `audit` or `skip`";
    assert_eq!(first(|it| it["signatureVerification"]["level"] = json!("lax")), level);
    let integrity =
        "`integrity` cannot be overridden: `authenticity`, `authenticTimestamp`, `expiry` and `revocation` can";
    assert_eq!(first(|it| it["signatureVerification"]["override"] = json!({ "integrity": "log" })), integrity);
    let skip = "the level `skip` looks at nothing, so nothing of it can be overridden";
    assert_eq!(first(|it| it["signatureVerification"]["level"] = json!("skip")), skip);
    assert_eq!(
        first(|it| it["signatureVerification"] = json!({ "level": "skip" })),
        "the level `skip` takes no trust stores and no identities"
    );
    assert_eq!(
        first(|it| {
            it["signatureVerification"] = json!({ "level": "skip" });
            it["trustStores"] = json!([]);
            it["trustedIdentities"] = json!([]);
        }),
        "the level `skip` cannot be that of the scope `*`: name the repositories"
    );
    assert_eq!(first(|it| it["trustStores"] = json!([])), "`trustStores` is empty: write `ca:NAME`");
    for store in ["acme", "ca:", "ca:../etc", "x:acme", "ca:.."] {
        let mut document = policy();
        document["trustPolicies"][0]["trustStores"] = json!([store]);
        let message = TrustPolicy::parse(document.to_string().as_bytes()).unwrap_err().to_string();
        let wanted = "is not a trust store: write `ca:NAME`, `signingAuthority:NAME` or `tsa:NAME`";
        assert_eq!(message, format!("the policy `all`: `{store}` {wanted}"));
    }
    let identities = |list: Value| {
        let message = edited(|it| it["trustPolicies"][0]["trustedIdentities"] = list).unwrap_err();
        message.strip_prefix("the policy `all`: ").unwrap().to_owned()
    };
    assert_eq!(identities(json!([])), "`trustedIdentities` is empty: write `*`, or `x509.subject: C=…, ST=…, O=…`");
    assert_eq!(
        identities(json!(["*", "x509.subject: C=US, ST=WA, O=acme"])),
        "`*` stands beside other identities: it includes them all"
    );
    assert_eq!(identities(json!(["acme"])), "`acme` is not an identity: write `x509.subject: C=…, ST=…, O=…`");
    assert_eq!(
        identities(json!(["x509.subject: C=US, O=acme"])),
        "the identity `x509.subject: C=US, O=acme`: `ST` is missing: at least C, ST and O are needed"
    );
    assert_eq!(
        identities(json!(["x509.subject: C=US, ST=WA, O=acme", "x509.subject: C=US, ST=WA, O=acme, CN=a"])),
        "the identity `x509.subject: C=US, ST=WA, O=acme, CN=a` overlaps with another one"
    );
    assert_eq!(
        first(|it| it["signatureVerification"]["verifyTimestamp"] = json!("never")),
        "`verifyTimestamp` is `never`: write `always` or `afterCertExpiry`"
    );
}

proptest! {
    #[test]
    fn any_text_is_a_policy_or_an_error(text in "\\PC{0,200}") {
        let _ = TrustPolicy::parse(text.as_bytes());
        let with = |level: &str| policy().to_string().replace("strict", level);
        let _ = TrustPolicy::parse(with(&text).as_bytes());
    }
}
