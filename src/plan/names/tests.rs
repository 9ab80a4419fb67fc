use std::collections::BTreeSet;

use super::*;
use crate::plan::yaml;

const TOP: &str = "consign: 1
inputs:
  A: {}
  B: { default: \"${{ A }}\" }
vars:
  PLAIN: ${{ A }}
  ONE: ${{ steps.one.digest }}
  CHOSEN: ${{ 'x' if steps.one.changed else 'y' }}
  BOTH: ${{ ONE }}-${{ B }}-${{ steps.two.digest }}
steps:
  - { id: one, push: {} }
  - { id: two, push: {} }
  - { id: three, push: VALUE }
";

/// What `value` looks at where the third step says it, and what is wrong with it.
fn uses(value: &str) -> (Uses, Vec<String>) {
    let kinds = [KindInfo { name: "push", outputs: vec!["digest", "changed", "list"] }];
    let source = SourceFile::new("plan.yaml", TOP.replace("VALUE", &format!("{{ x: {value} }}")));
    let (root, mut diagnostics) = yaml::recover(&source);
    let document = Document::read(root.unwrap(), &kinds, &mut diagnostics);
    let templates = Templates::default();
    let names = Names::new(&document, &kinds, &source, &templates, &mut diagnostics);
    assert_eq!(diagnostics, []);
    let uses = names.check(&document.steps[2].body, Position::Step(2), &mut diagnostics);
    (uses, diagnostics.into_iter().map(|diagnostic| diagnostic.message).collect())
}

fn steps(uses: &Uses) -> Vec<(usize, &str)> {
    uses.steps.iter().map(|(step, mention)| (*step, &**mention)).collect()
}

#[track_caller]
fn is_opaque(value: &str, expected: bool) {
    let (uses, wrong) = uses(value);
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(uses.opaque, expected, "{value}");
}

#[test]
fn a_var_looks_at_what_its_vars_look_at() {
    let (uses, wrong) = uses("'${{ BOTH }}'");
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(steps(&uses), [(0, "BOTH"), (1, "BOTH")]);
    assert_eq!(uses.inputs, BTreeSet::from(["B".into()]));
    assert!(!uses.opaque && !uses.broken);
}

#[test]
fn the_first_mention_of_a_step_is_the_one_that_is_told() {
    let (uses, _) = uses("['${{ steps.one.digest }}', '${{ ONE }}', '${{ steps.two.list }}']");
    assert_eq!(steps(&uses), [(0, "steps.one.digest"), (1, "steps.two.list")]);
    let outputs: Vec<_> = uses.outputs.iter().map(|(step, output, _)| (*step, output.as_str())).collect();
    assert_eq!(outputs, [(0, "digest"), (1, "list")]);
}

#[test]
fn a_value_is_opaque_where_it_depends_on_what_an_output_says() {
    for value in [
        "\"${{ 'x' if steps.one.changed else 'y' }}\"",
        "\"${{ steps.one.digest == 'x' }}\"",
        "\"${{ steps.one.list[0] }}\"",
        "\"${{ steps.one.list | first }}\"",
        "\"${{ 'x' if ONE else 'y' }}\"",
        "\"${{ CHOSEN }}\"",
        "\"a-${{ CHOSEN | upper }}\"",
        // Whether the step was mentioned before does not matter.
        "[\"${{ steps.one.digest }}\", \"${{ 'x' if steps.one.changed else 'y' }}\"]",
        "[\"${{ ONE }}\", \"${{ 'x' if ONE else 'y' }}\"]",
    ] {
        is_opaque(value, true);
    }
}

#[test]
fn a_value_is_plain_where_it_holds_an_output_as_it_is_or_looks_at_none() {
    for value in [
        "\"${{ steps.one.digest }}\"",
        "\"a-${{ steps.one.digest | short }}\"",
        "\"${{ ONE ~ '-' ~ A }}\"",
        "\"${{ 'x' if A else 'y' }}\"",
        "\"${{ 'x' if PLAIN == 'z' else 'y' }}\"",
        "[\"${{ steps.one.digest }}\", \"${{ 'x' if A else 'y' }}\"]",
    ] {
        is_opaque(value, false);
    }
}

#[test]
fn a_step_cannot_look_at_itself_through_a_var() {
    let (uses, wrong) = uses("'${{ steps.three.digest }}${{ steps.four.digest }}${{ steps.one.size }}'");
    assert!(uses.broken);
    assert_eq!(wrong, ["step `three` refers to itself", "there is no step `four`", "step `one` has no output `size`"]);
}
