use super::*;
use crate::{
    plan::Given,
    step::{Access, Mode, Places},
};

fn options() -> CompileOptions {
    let places = Places::new("/plans", "/work");
    CompileOptions { given: Given::default(), skip: Vec::new(), select: Vec::new(), mode: Mode::Real, places }
}

fn compiled(plan: &str, options: &CompileOptions) -> Result<Program, Vec<String>> {
    let source = SourceFile::new("plan.yaml", format!("consign: 1\n{plan}"));
    let messages = |wrong: crate::plan::Diagnostics| wrong.list().iter().map(|one| one.message.clone()).collect();
    compile(&source, options).map_err(messages)
}

fn wrong(plan: &str, options: &CompileOptions) -> Vec<String> {
    compiled(plan, options).err().unwrap_or_default()
}

fn waits(program: &Program, earlier: usize, later: usize) -> Option<Vec<String>> {
    let legs = program.graph().why(earlier, later)?;
    Some(legs.iter().flat_map(|leg| leg.edge.reasons.iter().map(ToString::to_string)).collect())
}

const TWO: &str = "steps:
  - { id: one, list_tags: { repository: localhost:5000/a } }
  - { id: two, list_tags: { repository: localhost:5000/b }, needs: [one] }
";

#[test]
fn what_a_step_needs_comes_before_it_and_nothing_else_does() {
    let program = compiled(TWO, &options()).unwrap();
    assert_eq!(waits(&program, 0, 1), Some(vec!["needs: written in the plan".to_owned()]));
    let free = compiled(&TWO.replace(", needs: [one]", ""), &options()).unwrap();
    assert_eq!(waits(&free, 0, 1), None);
    assert_eq!(
        wrong(&TWO.replace("[one]", "[two, three]"), &options()),
        ["step `two` needs itself", "there is no step `three`"]
    );
}

#[test]
fn a_skipped_step_touches_nothing_and_hands_on_nothing() {
    let plan = "steps:
  - { id: one, push: { to: \"localhost:5000/a:v1\", files: [] } }
  - { id: two, tag: { from: \"localhost:5000/a:v1\", tags: [v2] } }
";
    let skip_one = CompileOptions { skip: vec!["one".to_owned()], ..options() };
    let program = compiled(plan, &skip_one).unwrap();
    assert_eq!((program.skip(), waits(&program, 0, 1)), (&BTreeSet::from([0]), None));
    assert!(program.steps()[0].effects.touches().is_empty());
    let select = CompileOptions { select: vec!["two".to_owned()], ..options() };
    assert_eq!(compiled(plan, &select).unwrap().skip(), &BTreeSet::from([0]));
    let using = plan.replace("\"localhost:5000/a:v1\", tags", "\"${{ steps.one.reference }}\", tags");
    assert_eq!(wrong(&using, &skip_one), ["`two` uses `steps.one.reference`, and `one` is skipped"]);
}

#[test]
fn an_input_without_a_value_is_wrong_only_for_a_step_that_runs() {
    let plan = "inputs: { A: {}, B: {} }
vars: { V: \"${{ A }}\", UNUSED: \"${{ B }}\" }
steps:
  - { id: one, list_tags: { repository: \"localhost:5000/${{ V }}\" } }
";
    assert_eq!(wrong(plan, &options()), ["input `A` has no value"]);
    let given = Given { set: vec![("A".to_owned(), "a".to_owned())], ..Given::default() };
    assert!(compiled(plan, &CompileOptions { given, ..options() }).is_ok());
}

#[test]
fn what_uses_a_broken_step_is_not_reported_again() {
    let plan = "steps:
  - { id: one, push: { to: \"no reference\", files: [] } }
  - { id: two, inspect: { reference: \"${{ steps.one.reference }}\" } }
  - { id: three, inspect: { reference: \"${{ steps.two.reference }}\" } }
";
    assert_eq!(wrong(plan, &options()).len(), 1);
}

#[test]
fn what_a_step_touches_is_as_wide_as_what_is_not_known() {
    let plan = "vars: { V: \"${{ steps.one.digest | short }}\" }
steps:
  - { id: one, push: { to: \"localhost:5000/a:v1\", files: [] } }
  - { id: known, delete: { reference: \"localhost:5000/b:${{ steps.one.tag }}\", tag_only: true } }
  - { id: some, delete: { reference: \"localhost:5000/b:${{ V }}\", tag_only: true } }
  - { id: any, delete: { reference: \"localhost:5000/b:${{ 'x' if steps.one.changed else 'y' }}\", tag_only: true } }
";
    let program = compiled(plan, &options()).unwrap();
    let touches = |step: usize| -> Vec<String> {
        let touches = program.steps()[step].effects.touches().iter();
        touches.map(|(access, thing)| format!("{} {thing}", access.verb())).collect()
    };
    assert_eq!(touches(1), ["changes the tag localhost:5000/b:v1", "changes the tag list of localhost:5000/b"]);
    assert_eq!(touches(2), ["changes any tag of localhost:5000/b", "changes the tag list of localhost:5000/b"]);
    assert_eq!(touches(3), [format!("{} everything", Access::Write.verb())]);
}
