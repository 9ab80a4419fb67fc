//! Plans of any bytes: they are read or refused, and nothing panics.

use std::{fs, path::Path, sync::LazyLock};

use consign::{
    plan::{Given, SourceFile},
    program::{CompileOptions, compile},
    step::Places,
};
use proptest::prelude::*;

static TUTORIAL: LazyLock<String> = LazyLock::new(|| {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("plans/acr-tutorial.yaml")).unwrap()
});

/// With everything that may stand above the steps.
const SETTINGS: &str = "\
consign: 1
inputs:
  HOST: { type: registry, default: \"localhost:5000\" }
vars:
  PREFIX: ${{ HOST }}/team
secrets:
  TOKEN: { env: TOKEN }
  WORD: { command: [print, \"${{ HOST }}\"] }
registries:
  ${{ HOST }}:
    username: ci
    password: ${{ TOKEN }}
    mirrors: [\"mirror.lan:5000/${{ HOST | replace(':', '-') }}\"]
    concurrency: 4
    rate: 100/s
    referrers: tag
  r.io: { same_as: s.io/x }
  s.io: { ca_file: acr-tutorial.yaml, insecure_skip_verify: true }
steps:
  - id: show
    inspect: { reference: \"${{ PREFIX }}/app:v1\" }
";

/// Compiles, and draws what is wrong.
fn try_to_compile(text: &str) {
    let source = SourceFile::new("plan.yaml", text);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans");
    let places = Places::new(folder.clone(), folder);
    let options = CompileOptions {
        given: Given::default(),
        skip: Vec::new(),
        select: Vec::new(),
        mode: consign::step::Mode::Real,
        places,
    };
    if let Err(diagnostics) = compile(&source, &options) {
        assert!(!diagnostics.list().is_empty());
        diagnostics.render(&source, false);
        diagnostics.to_json(&source);
    }
}

/// What happens to a line, or to a character in it.
#[derive(Debug, Clone)]
enum Change {
    Delete,
    Duplicate,
    Replace(String),
    Swap(prop::sample::Index),
    Indent(usize),
    Character(prop::sample::Index, String),
}

fn change() -> impl Strategy<Value = Change> {
    let piece = || {
        prop_oneof![
            Just("${{ IMAGE }}".to_owned()),
            Just("${{ steps.find_sbom.digest }}".to_owned()),
            Just("${{".to_owned()),
            Just("{{ X }}".to_owned()),
            "[]{}:,&*!|>'\"%@`#\\- \t\u{0}é-]{1,3}",
            "\\PC{0,8}",
        ]
    };
    prop_oneof![
        Just(Change::Delete),
        Just(Change::Duplicate),
        piece().prop_map(Change::Replace),
        any::<prop::sample::Index>().prop_map(Change::Swap),
        (0..9_usize).prop_map(Change::Indent),
        (any::<prop::sample::Index>(), piece()).prop_map(|(at, text)| Change::Character(at, text)),
    ]
}

fn apply(text: &str, changes: &[(prop::sample::Index, Change)]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (line, change) in changes {
        if lines.is_empty() {
            break;
        }
        let at = line.index(lines.len());
        match change {
            Change::Delete => drop(lines.remove(at)),
            Change::Duplicate => lines.insert(at, lines[at].clone()),
            Change::Replace(text) => lines[at].clone_from(text),
            Change::Swap(other) => {
                let other = other.index(lines.len());
                lines.swap(at, other);
            }
            Change::Indent(columns) => lines[at] = " ".repeat(*columns) + lines[at].trim_start(),
            Change::Character(place, text) => {
                let mut letters: Vec<char> = lines[at].chars().collect();
                let place = place.index(letters.len() + 1);
                letters.splice(place..(place + 1).min(letters.len()), text.chars());
                lines[at] = letters.into_iter().collect();
            }
        }
    }
    lines.join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_of_any_bytes_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        try_to_compile(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_plan_of_the_letters_of_yaml_never_panics(
        text in "(consign: 1\n|steps:\n|  - id: a\n|    push: |inputs: |vars:\n|\\$\\{\\{|\\}\\}|[a-z ]|[]{}:,&*!|>'\"%@`#\\-\n\t ]){0,40}",
    ) {
        try_to_compile(&text);
    }

    #[test]
    fn a_broken_tutorial_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), change()), 1..6),
    ) {
        try_to_compile(&apply(&TUTORIAL, &changes));
    }

    #[test]
    fn broken_settings_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), change()), 1..6),
    ) {
        try_to_compile(&apply(SETTINGS, &changes));
    }
}

#[test]
fn the_tutorial_is_right_and_can_be_cut_anywhere() {
    for (end, _) in TUTORIAL.char_indices().step_by(17) {
        try_to_compile(&TUTORIAL[..end]);
    }
    try_to_compile(&TUTORIAL);
}
