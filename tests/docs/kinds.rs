//! What the list of kinds says of itself.

use std::collections::BTreeSet;

use consign::{
    plan::{SourceFile, yaml},
    step::{Guess, KINDS},
};

use super::consign;

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
        let node = yaml::parse(&source).unwrap();
        let mut diagnostics = Vec::new();
        let step = kind.decode(&node, &mut diagnostics);
        assert!(diagnostics.is_empty(), "{}: {diagnostics:?}", kind.name);
        let foreseen = step.unwrap().foresee(&Guess { world: 0, step: "example" });
        let foreseen: BTreeSet<_> = foreseen.iter().map(|(name, _)| name).collect();
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
