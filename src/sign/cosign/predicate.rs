use serde_json::Value;

use super::PredicateType;

/// What is wrong with a predicate of a type that is known, in words; every other type may say what it likes.
///
/// Only what the format demands of every document is looked at: who reads it, reads more.
pub fn check_predicate(predicate_type: &PredicateType, predicate: &Value) -> Option<String> {
    match predicate_type.as_str() {
        PredicateType::PROVENANCE => provenance(predicate),
        PredicateType::SPDX => spdx(predicate),
        PredicateType::CYCLONEDX => cyclonedx(predicate),
        _ => None,
    }
}

/// <https://slsa.dev/spec/v1.0/provenance#schema>
fn provenance(predicate: &Value) -> Option<String> {
    let wrong = |place: &str, wanted: &str| Some(format!("`{place}` of SLSA provenance must be {wanted}"));
    let text = |place: &str| predicate.pointer(place).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    let object = |place: &str| predicate.pointer(place).is_some_and(Value::is_object);
    if !text("/buildDefinition/buildType") {
        return wrong("buildDefinition.buildType", "a URI");
    }
    if !object("/buildDefinition/externalParameters") {
        return wrong("buildDefinition.externalParameters", "a mapping");
    }
    if !text("/runDetails/builder/id") {
        return wrong("runDetails.builder.id", "a URI");
    }
    match predicate.pointer("/buildDefinition/resolvedDependencies") {
        None | Some(Value::Array(_)) => None,
        Some(_) => wrong("buildDefinition.resolvedDependencies", "a list"),
    }
}

/// <https://spdx.github.io/spdx-spec/v2.3/document-creation-information/>, and the JSON-LD of version 3.
fn spdx(predicate: &Value) -> Option<String> {
    if predicate.get("@context").is_some() && predicate.get("@graph").is_some_and(Value::is_array) {
        return None;
    }
    let version = predicate["spdxVersion"].as_str();
    if !version.is_some_and(|version| version.starts_with("SPDX-")) {
        return Some("`spdxVersion` of an SPDX document must be text such as `SPDX-2.3`".to_owned());
    }
    let missing =
        ["SPDXID", "name", "documentNamespace", "dataLicense"].into_iter().find(|name| !predicate[name].is_string());
    match missing {
        Some(name) => Some(format!("`{name}` of an SPDX document must be text")),
        None if !predicate["creationInfo"].is_object() => {
            Some("`creationInfo` of an SPDX document must be a mapping".to_owned())
        }
        None => None,
    }
}

/// <https://cyclonedx.org/docs/1.6/json/>
fn cyclonedx(predicate: &Value) -> Option<String> {
    if predicate["bomFormat"] != "CycloneDX" {
        return Some("`bomFormat` of a CycloneDX document must be `CycloneDX`".to_owned());
    }
    let is_version = predicate["specVersion"].as_str().is_some_and(|version| version.starts_with("1."));
    (!is_version).then(|| "`specVersion` of a CycloneDX document must be text such as `1.6`".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_of_the_known_types_have_what_every_reader_needs() {
        let check = |name: &str, predicate: Value| check_predicate(&PredicateType::parse(name).unwrap(), &predicate);
        let provenance = json!({
            "buildDefinition": { "buildType": "https://example.com/b", "externalParameters": {}, "resolvedDependencies": [] },
            "runDetails": { "builder": { "id": "https://example.com/builder" } },
        });
        let spdx = json!({
            "spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "app", "dataLicense": "CC0-1.0",
            "documentNamespace": "https://example.com/app", "creationInfo": {},
        });
        let cyclonedx = json!({ "bomFormat": "CycloneDX", "specVersion": "1.6" });
        for (name, whole, place, reason) in [
            (
                "slsaprovenance1",
                &provenance,
                "/buildDefinition/buildType",
                "`buildDefinition.buildType` of SLSA provenance must be a URI",
            ),
            (
                "slsaprovenance1",
                &provenance,
                "/buildDefinition/externalParameters",
                "`buildDefinition.externalParameters` of SLSA provenance must be a mapping",
            ),
            (
                "slsaprovenance1",
                &provenance,
                "/runDetails/builder/id",
                "`runDetails.builder.id` of SLSA provenance must be a URI",
            ),
            (
                "slsaprovenance1",
                &provenance,
                "/buildDefinition/resolvedDependencies",
                "`buildDefinition.resolvedDependencies` of SLSA provenance must be a list",
            ),
            ("spdxjson", &spdx, "/spdxVersion", "`spdxVersion` of an SPDX document must be text such as `SPDX-2.3`"),
            ("spdxjson", &spdx, "/name", "`name` of an SPDX document must be text"),
            ("spdxjson", &spdx, "/creationInfo", "`creationInfo` of an SPDX document must be a mapping"),
            ("cyclonedx", &cyclonedx, "/bomFormat", "`bomFormat` of a CycloneDX document must be `CycloneDX`"),
            (
                "cyclonedx",
                &cyclonedx,
                "/specVersion",
                "`specVersion` of a CycloneDX document must be text such as `1.6`",
            ),
        ] {
            assert_eq!(check(name, whole.clone()), None);
            let mut broken = whole.clone();
            *broken.pointer_mut(place).unwrap() = json!(1);
            assert_eq!(check(name, broken).as_deref(), Some(reason));
        }
        assert_eq!(check("spdxjson", json!({ "@context": "https://spdx.org/rdf/3.0.1", "@graph": [] })), None);
        assert_eq!(check("https://example.com/own", json!(1)), None);
    }
}
