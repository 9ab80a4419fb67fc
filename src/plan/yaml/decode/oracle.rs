//! `serde_yaml` as the oracle: what both accept means the same.

use proptest::prelude::*;
use serde_json::Value;

use super::decode;
use crate::plan::{Diagnostic, SourceFile, yaml::parse};

fn read(text: &str) -> Result<Value, Vec<Diagnostic>> {
    let node = parse(&SourceFile::new("p.yaml", text))?;
    let mut diagnostics = Vec::new();
    match decode(&node, "x", &mut diagnostics) {
        Some(value) if diagnostics.is_empty() => Ok(value),
        _ => Err(diagnostics),
    }
}

/// A value, the YAML that says it, and nothing that consign refuses.
fn yaml() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        // No word that means something else: `no`, `on`, `null`.
        "w[a-z ]{0,6}[a-z]",
        "-?[1-9][0-9]{0,5}",
        "[0-9]\\.[1-9]",
        "'[a-z :#,0-9.]{0,6}'",
        "\"[a-z :#,]{0,4}(\\\\n|\\\\t|\\\\\"|\\\\u00e4){0,2}\"",
        Just("true".to_owned()),
        Just("null".to_owned()),
        Just("0.0.0.0".to_owned()),
        Just("ä: ö".replace(": ", ":")),
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec(inner, 0..4).prop_map(|items| {
                let entries = items.iter().enumerate().map(|(index, item)| format!("k{index}: {item}"));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }),
        ]
    })
}

/// Whether `serde_yaml` makes the same of it, where both accept it.
fn agrees(text: &str) -> bool {
    match (read(text), serde_yaml::from_str::<Value>(text)) {
        (Ok(ours), Ok(theirs)) => ours == theirs,
        _ => true,
    }
}

#[test]
fn plans_mean_what_serde_yaml_says() {
    let plans = [
        "consign: 1\nname: x\ninputs: # c\n  A: { default: 1, env: A, pattern: \"[a-z0-9]{5,50}\" }\n",
        "vars:\n  IMAGE: ${{ R }}/${{ X }}:${{ T }}\n  D: ${{ steps.a.digest }}\n",
        "steps:\n- id: a\n  push:\n    to: x\n    files:\n    - { path: a/b.md, name: b.md }\n    - path: c\n\n  when: true\n- id: b\n",
        "a: |\n  one\n   two\n\n  three\nb: >-\n  one\n  two\n\n   more\n  three\nc: |+\n  x\n\nd: 'it''s\n  folded\n\n  twice'\n",
        "a: plain\n  over\n\n  lines\nb: \"x \\\n  y\\\n  \\ z \\u00e4 \\x41\"\nc: &x {l: [1, 2]}\nd: *x\n",
        "? a\n: b\n? 'c'\n: - d\n  - e\n",
        "- - a\n  - b\n-\n  c: d\n- []\n- {}\n- \"\"\n- ~x\n- -1\n- 1.5\n- 2026-11-23\n- 12:30\n",
        "%YAML 1.2\n---\na: b\n...\n",
        "text: \"\\ud83d\\ude00\"\n",
    ];
    for plan in plans {
        let ours: Value = read(plan).unwrap_or_else(|diagnostics| panic!("{plan}: {diagnostics:?}"));
        if let Ok(theirs) = serde_yaml::from_str::<Value>(plan) {
            assert_eq!(ours, theirs, "{plan}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn generated_yaml_means_what_serde_yaml_says(text in yaml()) {
        let ours: Value = read(&text).map_err(|list| TestCaseError::fail(format!("{text}: {list:?}")))?;
        let theirs: Value = serde_yaml::from_str(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn any_scalar_that_is_accepted_means_what_serde_yaml_says(text in "[-+.0-9a-fxoeEYyNnOoTtrueFfalsnul~_:]{0,6}") {
        prop_assert!(agrees(&text), "{text}");
        prop_assert!(agrees(&format!("a: {text}\n")), "{text}");
    }
}
