use super::*;
use crate::{
    plan::Given,
    step::{Access, Mode, Places},
};

fn options() -> CompileOptions {
    let places = Places::new("/plans", "/runs");
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

/// A release of `count` images, in five steps each.
fn releases(count: usize) -> String {
    let names: Vec<_> = (0..count).map(|number| format!("app{number}")).collect();
    format!(
        "vars: {{ APPS: [{}] }}
steps:
  - id: release
    foreach: {{ in: \"${{{{ APPS }}}}\", as: app }}
    steps:
      - {{ id: image, push: {{ to: \"localhost:5000/${{{{ app }}}}:v1\", files: [] }} }}
      - {{ id: check, assert: {{ present: [\"${{{{ steps.image.reference }}}}\"] }} }}
      - {{ id: sbom, attach: {{ subject: \"${{{{ steps.image.reference }}}}\", artifact_type: a/b, annotations: {{ a: b }} }} }}
      - {{ id: find, discover: {{ subject: \"${{{{ steps.image.reference }}}}\", expect: one }} }}
      - {{ id: copy, copy: {{ from: \"${{{{ steps.image.reference }}}}\", to: \"localhost:5000/stable/${{{{ app }}}}:v1\" }} }}
  - {{ id: list, list_tags: {{ repository: \"localhost:5000/stable/app7\" }} }}
",
        names.join(", ")
    )
}

#[test]
fn two_hundred_items_of_five_steps_wait_for_their_own_alone() {
    let program = compiled(&releases(200), &options()).unwrap();
    assert_eq!(program.steps().len(), 1001);
    assert_eq!(program.steps()[5 * 7 + 4].id.name(), "release[app7].copy");
    for item in [1, 100, 199] {
        for step in 0..5 {
            // Neither the gates of another item nor what it touches hold this one back.
            assert_eq!(waits(&program, 3, item * 5 + step), None);
            assert_eq!(waits(&program, 1, item * 5 + step), None);
        }
        assert!(waits(&program, item * 5 + 1, item * 5 + 2).is_some());
    }
    assert!(waits(&program, 5 * 7 + 4, 1000).is_some() && waits(&program, 5 * 8 + 4, 1000).is_none());
    let edges = |count: usize| {
        let program = compiled(&releases(count), &options()).unwrap();
        program.graph().as_petgraph().edge_count()
    };
    // As many for each item, however many there are.
    assert_eq!((edges(400) - edges(200)) * 2, edges(600) - edges(200));
}

#[test]
fn a_computed_key_that_is_known_waits_for_one_item_and_any_other_for_all() {
    let plan = "steps:
  - { id: one, foreach: [a, b], push: { to: \"localhost:5000/${{ item }}:v1\", files: [] } }
  - { id: own, foreach: [a, b], inspect: { reference: \"${{ steps.one[item].reference }}\" } }
  - { id: any, assert: { that: [\"${{ steps.one['a' if steps.own['a'].digest else 'b'].changed }}\"] } }
  - { id: all, assert: { that: [\"${{ steps.one | pluck('digest') | length == 2 }}\"] } }
";
    let program = compiled(plan, &options()).unwrap();
    let names: Vec<_> = program.steps().iter().map(|step| step.id.name()).collect();
    assert_eq!(names, ["one[a]", "one[b]", "own[a]", "own[b]", "any", "all"]);
    assert!(waits(&program, 0, 2).is_some() && waits(&program, 1, 2).is_none());
    assert!(waits(&program, 1, 3).is_some() && waits(&program, 0, 3).is_none());
    for earlier in [0, 1] {
        assert!(waits(&program, earlier, 4).is_some() && waits(&program, earlier, 5).is_some());
    }
}

#[test]
fn two_items_that_write_one_tag_say_so_as_two_steps_must() {
    let plan = "steps:
  - { id: one, foreach: [a, b], push: { to: \"localhost:5000/a:v1\", files: [{ name: f, content: \"${{ item }}\" }] } }
";
    assert_eq!(wrong(plan, &options()), ["`one[a]` and `one[b]` both move the tag `localhost:5000/a:v1`"]);
    let program = compiled(&plan.replace("files", "if_exists: replace, files"), &options()).unwrap();
    assert!(waits(&program, 0, 1).is_some());
}

#[test]
fn everybody_around_a_step_says_which_programs_its_signatures_may_ask_for() {
    let folder = tempfile::tempdir().unwrap();
    let step = "consign: 1\nsteps:\n  - { id: tags, list_tags: { repository: localhost:5000/a } }\n";
    let inner = format!("{step}allow: {{ exec: [notation-a, notation-b] }}\n");
    std::fs::write(folder.path().join("inner.yaml"), inner).unwrap();
    let middle = "consign: 1\nsteps:\n  - { id: inner, include: { plan: inner.yaml } }\n";
    std::fs::write(folder.path().join("middle.yaml"), middle).unwrap();
    let options = CompileOptions { places: Places::new(folder.path(), "/runs"), ..options() };
    let may = |plan: &str| {
        let program = compiled(plan, &options).unwrap();
        let lists = program.places_of(0).programs;
        ["notation-a", "notation-b", "notation-c"]
            .map(|program| lists.iter().all(|list| list.iter().any(|glob| glob.is_match(program))))
    };
    let plan = "steps:\n  - { id: middle, include: { plan: middle.yaml } }\n";
    assert_eq!(may(plan), [true, true, false]);
    assert_eq!(may(&format!("{plan}allow: {{ exec: [notation-b, notation-c] }}\n")), [false, true, false]);
    assert_eq!(may(&step.replace("consign: 1\n", "")), [true, true, true]);
}
