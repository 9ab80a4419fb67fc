//! What the list of kinds says of itself.

use std::{collections::BTreeSet, fs};

use consign::{
    plan::{
        Given, SourceFile,
        expression::{FILTERS, Template},
        yaml as front_end,
    },
    program::{CompileOptions, Program, compile},
    step::{Guess, KINDS, Kind, Mode, Places},
};
use serde_json::Value;
use tempfile::TempDir;

use super::{consign, yaml};

#[test]
fn kinds_are_listed_by_name_each_with_a_sentence() {
    let names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
    assert!(names.is_sorted());
    let listed = consign(&["kinds"]).stdout;
    for kind in KINDS {
        assert!(kind.summary.ends_with('.') && !kind.summary.trim_end_matches('.').contains('.'), "{}", kind.name);
        assert!(
            listed.lines().any(|line| line.starts_with(kind.name) && line.ends_with(kind.summary)),
            "{}",
            kind.name
        );
    }
}

#[test]
fn every_example_is_read_and_has_the_outputs_that_its_kind_lists() {
    for kind in KINDS {
        let source = SourceFile::new(kind.name, kind.example);
        let node = front_end::parse(&source).unwrap();
        let mut diagnostics = Vec::new();
        let step = kind.decode(&node, &mut diagnostics);
        assert!(diagnostics.is_empty(), "{}: {diagnostics:?}", kind.name);
        let step = step.unwrap();
        let foreseen = step.foresee(&Guess { world: 0, step: "example" });
        let lacking = step.lacks(Mode::Real).iter().map(|(name, _)| *name);
        let foreseen: BTreeSet<_> = foreseen.iter().map(|(name, _)| name).chain(lacking).collect();
        let listed = kind.outputs.iter().map(|output| output.name).chain(["outcome", "changed"]);
        assert_eq!(foreseen, listed.collect(), "{}", kind.name);
    }
}

#[test]
fn a_kind_is_explained_with_its_fields_its_outputs_and_its_example() {
    for kind in KINDS {
        let said = consign(&["kinds", kind.name]).stdout;
        for field in kind.fields() {
            let row = said.lines().find(|line| line.trim_start().starts_with(&format!("{} ", field.name))).unwrap();
            assert!(!field.description.is_empty(), "{}.{}", kind.name, field.name);
            assert!(row.contains("required") || !field.required || field.level > 0, "{row}");
        }
        for line in kind.example.lines() {
            assert!(said.contains(&format!("      {line}\n")), "{}: {line}", kind.name);
        }
        assert!(said.lines().all(|line| line.chars().count() <= 100), "{said}");
    }
}

#[test]
fn push_is_explained_like_this() {
    insta::assert_snapshot!(consign(&["kinds", "push"]).stdout);
}

#[test]
fn a_kind_that_is_not_there_is_answered_with_one_that_is() {
    let said = consign(&["kinds", "atach"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""));
    assert_eq!(said.stderr, "error: there is no kind `atach`; did you mean `attach`?\n");
}

/// A plan with a step of that kind in it, and what its body speaks of.
fn plan_with(kind: &Kind, body: &str) -> String {
    let head = "consign: 1\n\
        inputs: { CHANGES: { default: more of everything } }\n\
        secrets: { KEY_PASSWORD: { env: KEY_PASSWORD } }\n\
        steps:\n\
        \x20 - id: one\n    push: { to: localhost:5000/one, files: [{ name: a, content: a }] }\n\
        \x20 - id: two\n    push: { to: localhost:5000/two, files: [{ name: a, content: a }] }\n\
        \x20 - id: example\n";
    let body: String = body.lines().flat_map(|line| ["      ", line, "\n"]).collect();
    format!("{head}    {}:\n{body}", kind.name)
}

/// The files that examples speak of.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let files = [
        "readme.md",
        "net-monitor/net-monitor",
        "site.json",
        "public/index.html",
        "dist/net-monitor",
        "report/report.json",
        "build/provenance.json",
        "notes/release.md",
        "scripts/release-notes",
        "keys/truststore/x509/ca/acme/root.crt",
    ];
    let keys = ["release.key", "release.crt", "cosign.key", "cosign.pub", "older.pub", "trusted-root.json"];
    let keys = keys.iter().chain(&["trustpolicy.json", "acme-root.crt", "timestamp-root.crt"]);
    let keys = keys.map(|name| format!("keys/{name}")).chain(["certificates/acme-root.pem".to_owned()]);
    for name in files.into_iter().map(str::to_owned).chain(keys) {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    let part = "consign: 1\ninputs: { IMAGE: { type: reference } }\nsteps:\n  - id: gone\n    assert: { absent: ['${{ IMAGE }}'] }\n";
    fs::create_dir(folder.path().join("parts")).unwrap();
    fs::write(folder.path().join("parts/publish.yaml"), part).unwrap();
    folder
}

/// Every body that the kind shows, each in a plan that is right.
fn examples(kind: &Kind, folder: &TempDir) -> Vec<Program> {
    let bodies = std::iter::once(&kind.example).chain(kind.more);
    let program = |body: &&str| {
        let source = SourceFile::new("plan.yaml", plan_with(kind, body));
        let places = Places::new(folder.path(), folder.path());
        let options =
            CompileOptions { given: Given::default(), skip: Vec::new(), select: Vec::new(), mode: Mode::Real, places };
        compile(&source, &options).unwrap_or_else(|wrong| panic!("{}: {wrong:?}\n{body}", kind.name))
    };
    bodies.map(program).collect()
}

#[test]
fn what_a_kind_says_of_its_effects_is_what_its_steps_do() {
    let folder = folder();
    for kind in KINDS {
        let mut done = BTreeSet::new();
        let mut gate = false;
        for program in examples(kind, &folder) {
            let step = program.steps().last().unwrap();
            done.extend(step.effects.touches().iter().map(|(access, thing)| (access.verb(), thing.sort())));
            gate |= step.gate;
        }
        let said: BTreeSet<_> = kind.effects.iter().map(|effect| (effect.access.verb(), effect.sort)).collect();
        assert_eq!(done, said, "{}", kind.name);
        assert_eq!(kind.effects.len(), said.len(), "{}: one row each", kind.name);
        assert_eq!(kind.gate.is_some(), gate, "{}", kind.name);
    }
}

/// The fields that stand in `value`, with those of nested mappings, as far as `fields` names them.
fn used(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                names.insert(name.clone());
                used(value, names);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| used(item, names)),
        _ => {}
    }
}

#[test]
fn every_field_stands_in_an_example() {
    for kind in KINDS {
        let mut names = BTreeSet::new();
        std::iter::once(&kind.example).chain(kind.more).for_each(|body| used(&yaml(body), &mut names));
        for field in kind.fields() {
            assert!(names.contains(&field.name), "{}: no example has `{}`", kind.name, field.name);
        }
    }
}

#[test]
fn effects_and_gates_are_explained() {
    let said = consign(&["kinds", "list_tags"]).stdout;
    let effects = said.split_once("\neffects").map(|(_, rest)| format!("effects{rest}")).unwrap();
    insta::assert_snapshot!(effects.split("\nexample").next().unwrap(), @"
    effects, from which the order of steps follows
      reads  the tag list  of `repository`

    gate: with `contains`
      What stands below and changes anything waits until it has passed.
    ");
}

#[test]
fn every_filter_gives_what_its_example_says() {
    assert!(FILTERS.is_sorted_by_key(|filter| filter.name));
    for filter in FILTERS {
        let template = Template::parse(&format!("${{{{ {} }}}}", filter.example)).unwrap().unwrap();
        let given = template.evaluate(&minijinja::Value::UNDEFINED).unwrap();
        assert_eq!(given.to_string(), filter.gives, "{}", filter.example);
        assert!(filter.example.contains(&format!("| {}", filter.name)), "{}", filter.name);
    }
}
