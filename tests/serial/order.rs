//! Who waits for whom, and why, where it is not plain to see: each test was once a plan that came out differently.

use consign::program::Program;

use super::{
    on_threads,
    registry::Registry,
    rehearsal::{Rehearsal, program},
};

fn compiled(steps: &str) -> Program {
    program(&plan(steps), tempfile::tempdir().unwrap().path())
}

fn plan(steps: &str) -> String {
    format!("consign: 1\nsteps:\n{steps}")
}

/// What ties the two steps, in words; nothing where the later one does not wait.
fn why(program: &Program, earlier: &str, later: &str) -> Option<String> {
    let place = |name: &str| program.steps().iter().position(|step| step.id.name() == name).unwrap();
    let legs = program.graph().why(place(earlier), place(later))?;
    let reasons = legs.iter().flat_map(|leg| leg.edge.reasons.iter().map(ToString::to_string));
    Some(reasons.collect::<Vec<_>>().join("; "))
}

fn run(steps: &str, jobs: usize) -> Rehearsal {
    on_threads(&plan(steps), &Registry::late(1), jobs, false)
}

fn outcomes(run: &Rehearsal) -> Vec<&'static str> {
    run.seen.steps.iter().map(|(outcome, _)| *outcome).collect()
}

const IMAGE: &str = "
  - id: image
    push: { to: 'localhost:5000/a:v1', files: [{ name: f, content: image }] }
";

#[test]
fn equal_attaches_say_the_same_whichever_is_first() {
    let attach = |id: &str| {
        format!(
            "
  - id: {id}
    attach: {{ subject: 'localhost:5000/a:v1', artifact_type: test/a, annotations: {{ n: x }} }}
"
        )
    };
    let steps = format!("{IMAGE}{}{}", attach("one"), attach("two"));
    assert_eq!(why(&compiled(&steps), "one", "two"), None);
    for jobs in [1, 16] {
        assert_eq!(outcomes(&run(&steps, jobs)), ["created", "created", "created"]);
    }
    let registry = Registry::prompt();
    on_threads(&plan(&steps), &registry, 16, false);
    assert_eq!(outcomes(&on_threads(&plan(&steps), &registry, 16, false)), ["unchanged", "unchanged", "unchanged"]);
}

#[test]
fn equal_content_with_and_without_a_tag_says_the_same_whichever_is_first() {
    let steps = format!(
        "{IMAGE}
  - id: bare
    push: {{ to: 'localhost:5000/a', files: [{{ name: f, content: image }}] }}
"
    );
    assert_eq!(why(&compiled(&steps), "image", "bare"), None);
    for jobs in [1, 16] {
        assert_eq!(outcomes(&run(&steps, jobs)), ["created", "created"]);
    }
}

#[test]
fn a_copy_says_what_the_target_had_so_it_waits_for_who_adds_to_it() {
    let program = compiled(&format!(
        "{IMAGE}
  - id: other
    push: {{ to: 'localhost:5000/b:v1', files: [{{ name: f, content: other }}] }}
  - id: copy
    copy: {{ from: 'localhost:5000/a:v1', to: 'localhost:5000/b:v2' }}
"
    ));
    assert!(why(&program, "other", "copy").unwrap().contains("the graph of localhost:5000/b"));
}

#[test]
fn a_subject_by_a_digest_of_another_repository_waits_for_who_may_bring_it() {
    let same = "push: { to: 'localhost:5000/b:v1', files: [{ name: f, content: image }] }";
    let attach = "artifact_type: test/a, annotations: { n: x } }";
    let program = compiled(&format!(
        "{IMAGE}
  - id: same
    {same}
  - id: foreign
    attach: {{ subject: 'localhost:5000/b@${{{{ steps.image.digest }}}}', {attach}
  - id: own
    attach: {{ subject: 'localhost:5000/a@${{{{ steps.image.digest }}}}', {attach}
"
    ));
    assert_eq!(
        why(&program, "same", "foreign").as_deref(),
        Some("effect: the first adds to the graph of localhost:5000/b, the second reads it")
    );
    assert_eq!(why(&program, "foreign", "own"), None);
}

#[test]
fn a_subject_by_a_written_digest_waits_for_pushes_and_not_for_attaches() {
    let attach = |id: &str| {
        let subject = format!("localhost:5000/a@sha256:{}", "ab".repeat(32));
        format!(
            "
  - id: {id}
    attach: {{ subject: '{subject}', artifact_type: test/a, annotations: {{ n: x }} }}
"
        )
    };
    let program = compiled(&format!("{IMAGE}{}{}", attach("one"), attach("two")));
    assert_eq!(
        why(&program, "image", "one").as_deref(),
        Some("effect: the first adds to the pushed manifests of localhost:5000/a, the second reads it")
    );
    assert_eq!(why(&program, "one", "two"), None);
}

#[test]
fn a_subject_that_was_deleted_since_waits_for_who_may_bring_it_again() {
    let program = compiled(&format!(
        "{IMAGE}
  - id: gone
    delete: {{ reference: 'localhost:5000/a:v1' }}
  - id: again
    push: {{ to: 'localhost:5000/a:v2', files: [{{ name: f, content: image }}] }}
  - id: attach
    attach: {{ subject: '${{{{ steps.image.reference }}}}', artifact_type: test/a, annotations: {{ n: x }} }}
"
    ));
    assert!(why(&program, "again", "attach").is_some());
}

#[test]
fn a_tag_that_depends_on_a_digest_may_be_any_tag() {
    let program = compiled(&format!(
        "{IMAGE}
  - id: derived
    push: {{ to: 'localhost:5000/a:${{{{ steps.image.digest | short }}}}', files: [] }}
  - id: look
    inspect: {{ reference: 'localhost:5000/a:v9' }}
"
    ));
    let why = why(&program, "derived", "look").unwrap();
    assert!(why.contains("the first changes the tag localhost:5000/a:v9, the second reads it"), "{why}");
}

#[test]
fn a_condition_on_an_output_makes_it_anything() {
    let steps = |mention: &str| {
        format!(
            "{IMAGE}
  - id: find
    discover: {{ subject: 'localhost:5000/a:v1' }}
  - id: either
    push:
      to: 'localhost:5000/b:${{{{ 'x' if steps.find.count > 3 else 'y' }}}}'
      files: [{{ name: f, content: '{mention}' }}]
  - id: look
    list_tags: {{ repository: 'ghcr.io/c/d' }}
"
        )
        .replace("'x' if", "\"x\" if")
        .replace("else 'y'", "else \"y\"")
    };
    // Whatever else the step says of the same output before or after.
    for mention in ["nothing", "${{ steps.find.count }}"] {
        let why = why(&compiled(&steps(mention)), "either", "look").unwrap();
        assert!(why.contains("the first changes the tag list of ghcr.io/c/d, the second reads it"), "{why}");
    }
}

#[test]
fn a_condition_after_a_plain_mention_of_the_same_step_counts() {
    // Before the run, nothing that could be guessed would make it `x`.
    let steps = format!(
        "{IMAGE}
  - id: either
    push:
      files: [{{ name: f, content: '${{{{ steps.image.digest }}}}' }}]
      to: localhost:5000/b:${{{{ 'x' if steps.image.outcome == 'created' else 'y' }}}}
"
    );
    let run = run(&steps, 16);
    assert_eq!(outcomes(&run), ["created", "created"], "{:?}", run.failures());
}

#[test]
fn a_list_from_a_step_may_be_of_any_tags() {
    let steps = format!(
        "{IMAGE}
  - id: tags
    list_tags: {{ repository: localhost:5000/a }}
  - id: other
    push: {{ to: 'localhost:5000/b:new', files: [{{ name: f, content: other }}] }}
  - id: same_tags
    tag: {{ from: 'localhost:5000/b:new', tags: '${{{{ steps.tags.tags }}}}' }}
  - id: first
    tag: {{ from: 'localhost:5000/b:new', if_exists: replace, tags: ['${{{{ steps.tags.tags | first }}}}-x'] }}
"
    );
    let run = run(&steps, 16);
    assert_eq!(run.failures(), Vec::<&str>::new());
    assert_eq!(outcomes(&run), ["created", "passed", "created", "created", "created"]);
}

#[test]
fn what_may_be_anything_hands_on_what_may_be_anything() {
    let steps = format!(
        "{IMAGE}
  - id: either
    push:
      to: localhost:5000/b:${{{{ 'x' if steps.image.outcome == 'created' else 'y' }}}}
      files: [{{ name: f, content: b }}]
  - id: same
    push: {{ to: 'localhost:5000/c:${{{{ steps.either.tag }}}}', files: [{{ name: f, content: c }}] }}
"
    );
    let run = run(&steps, 16);
    assert_eq!(outcomes(&run), ["created", "created", "created"], "{:?}", run.failures());
}

#[test]
fn what_is_in_a_manifest_makes_nobody_wait() {
    let program = compiled(&format!(
        "{IMAGE}
  - id: report
    attach:
      subject: 'localhost:5000/a:v1'
      artifact_type: test/a
      files: [{{ name: f, json: {{ changed: '${{{{ steps.image.changed }}}}', size: '${{{{ steps.image.size + 1 }}}}' }} }}]
  - id: other
    attach: {{ subject: 'localhost:5000/a:v1', artifact_type: test/a, annotations: {{ n: x }} }}
"
    ));
    assert_eq!(why(&program, "report", "other"), None);
}

#[test]
fn a_push_that_keeps_a_tag_brings_nothing_that_a_copy_would_find() {
    let steps = format!(
        "{IMAGE}
  - id: other
    push: {{ to: 'localhost:5000/b:v1', files: [{{ name: f, content: other }}] }}
  - id: again
    push: {{ to: 'localhost:5000/a:v1', if_exists: replace, files: [{{ name: f, content: again }}] }}
  - id: kept
    push: {{ to: 'localhost:5000/a:v1', if_exists: keep, files: [{{ name: f, content: other }}] }}
  - id: copy
    copy: {{ from: 'localhost:5000/b:v1', to: 'localhost:5000/a:other' }}
"
    )
    .replacen("a:v1', files", "a:v1', if_exists: replace, files", 1);
    let serial = run(&steps, 1);
    for random in 0..20 {
        let overlapped = on_threads(&plan(&steps), &Registry::late(random), 16, false);
        assert_eq!(serial.seen.differences(&overlapped.seen), Vec::<String>::new());
    }
}
