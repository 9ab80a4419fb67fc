//! What may overlap does: steps that meet at a barrier inside a store go on only if all of them are there at once.
//!
//! The clock stands still and jumps where nobody can go on, so that a run that waits for ever fails at once.

use std::{
    collections::BTreeSet,
    fmt::Write,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use consign::event::Node;
use futures_util::FutureExt;
use tokio::{sync::Barrier, time::timeout};

use super::{
    registry::{Call, Registry, What},
    rehearsal::{Rehearsal, program, rehearse},
};

/// A registry in which every call that `meets` waits for `count` of its like.
fn meeting(count: usize, meets: impl Fn(&Call) -> bool + Send + Sync + 'static) -> Registry {
    let barrier = Arc::new(Barrier::new(count));
    Registry::hooked(move |call| {
        let barrier = (!call.answered && meets(&call)).then(|| Arc::clone(&barrier));
        async move {
            if let Some(barrier) = barrier {
                barrier.wait().await;
            }
        }
        .boxed()
    })
}

async fn wait_at(barrier: Arc<Barrier>) {
    barrier.wait().await;
}

async fn ends(plan: &str, registry: &Registry, jobs: usize) -> Option<Rehearsal> {
    timeout(Duration::from_mins(1), rehearse(plan, registry, jobs, false)).await.ok()
}

async fn succeeds(plan: &str, registry: &Registry, jobs: usize) -> Rehearsal {
    let run = ends(plan, registry, jobs).await.unwrap_or_else(|| panic!("the steps wait for one another\n{plan}"));
    assert_eq!(run.failures(), Vec::<&str>::new(), "{plan}");
    run
}

/// An image with `count` attaches on it, each naming it in one of four ways.
fn attaches(count: usize) -> String {
    let mut plan = "consign: 1
vars:
  DIGEST: ${{ steps.image.digest }}
steps:
  - id: image
    push: { to: 'localhost:5000/a:v1', files: [{ name: f, content: image }] }
"
    .to_owned();
    let subjects = [
        "localhost:5000/a:v1",
        "${{ steps.image.reference }}",
        "localhost:5000/a@${{ steps.image.digest }}",
        "127.0.0.1:5000/a:v1@${{ DIGEST }}",
    ];
    for (number, subject) in subjects.iter().cycle().take(count).enumerate() {
        write!(
            plan,
            "  - id: a{number}
    attach: {{ subject: '{subject}', artifact_type: test/a, files: [{{ name: f, content: n{number} }}] }}
"
        )
        .unwrap();
    }
    plan
}

#[tokio::test(start_paused = true)]
async fn attaches_on_one_subject_overlap() {
    let meet = || meeting(8, |call| call.what == What::Attach);
    succeeds(&attaches(8), &meet(), 8).await;
    assert!(ends(&attaches(8), &meet(), 7).await.is_none(), "seven cannot be eight");
}

#[tokio::test(start_paused = true)]
async fn attaches_by_a_digest_that_is_written_overlap() {
    let digest = format!("sha256:{}", "ab".repeat(32));
    let mut plan = "consign: 1\nsteps:\n".to_owned();
    for number in 0..4 {
        let subject = format!("localhost:5000/a@{digest}");
        writeln!(plan, "  - id: a{number}").unwrap();
        writeln!(
            plan,
            "    attach: {{ subject: '{subject}', artifact_type: test/a, annotations: {{ n: '{number}' }} }}"
        )
        .unwrap();
    }
    let run = ends(&plan, &meeting(4, |call| call.what == What::Other), 4).await.unwrap();
    assert!(run.failures().iter().all(|message| message.contains("does not exist")), "{:?}", run.failures());
}

#[tokio::test(start_paused = true)]
async fn repositories_that_have_nothing_to_do_with_each_other_overlap() {
    let mut plan = "consign: 1\nsteps:\n".to_owned();
    for name in ["a", "b", "c", "d"] {
        write!(
            plan,
            "  - id: {name}
    push: {{ to: 'localhost:5000/{name}:v1', files: [{{ name: f, content: image }}] }}
  - id: {name}_sbom
    attach: {{ subject: '${{{{ steps.{name}.reference }}}}', artifact_type: test/a, annotations: {{ n: x }} }}
  - id: {name}_copy
    copy: {{ from: 'localhost:5000/{name}:v1', to: 'localhost:5000/{name}/copy:v1' }}
"
        )
        .unwrap();
    }
    succeeds(&plan, &meeting(4, |call| call.what == What::Push && !call.to.ends_with("copy")), 4).await;
    succeeds(&plan, &meeting(4, |call| call.what == What::Push && call.to.ends_with("copy")), 4).await;
}

#[tokio::test(start_paused = true)]
async fn tags_of_one_repository_are_pushed_side_by_side() {
    let mut plan = "consign: 1\nsteps:\n".to_owned();
    for tag in 0..4 {
        writeln!(plan, "  - id: p{tag}").unwrap();
        writeln!(plan, "    push: {{ to: 'localhost:5000/a:v{tag}', files: [{{ name: f, content: same }}] }}").unwrap();
    }
    succeeds(&plan, &meeting(4, |call| call.what == What::Push), 4).await;
}

#[tokio::test(start_paused = true)]
async fn a_gate_holds_back_what_changes_something_and_nothing_else() {
    let plan = "consign: 1
steps:
  - id: image
    push: { to: 'localhost:5000/a:v1', files: [{ name: f, content: image }] }
  - id: gate
    discover: { subject: 'localhost:5000/a:v1', expect: none }
  - id: look
    list_tags: { repository: 'localhost:5000/b' }
  - id: b
    push: { to: 'localhost:5000/b:v1', files: [{ name: f, content: image }] }
  - id: c
    push: { to: 'localhost:5000/c:v1', files: [{ name: f, content: image }] }
";
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    // The gate and the look meet, so both are under way; only then does the gate get its answer.
    let barrier = Arc::new(Barrier::new(2));
    let registry = Registry::hooked(move |call| {
        let meets = !call.answered && matches!(call.what, What::Referrers | What::Tags);
        log.lock().unwrap().push(call);
        let barrier = Arc::clone(&barrier);
        async move {
            if meets {
                barrier.wait().await;
            }
        }
        .boxed()
    });
    succeeds(plan, &registry, 16).await;
    let heard = heard.lock().unwrap();
    let answer = heard.iter().position(|call| call.what == What::Referrers && call.answered).unwrap();
    let touched = |call: &&Call| call.what == What::Push || call.what == What::Other;
    let before: BTreeSet<_> = heard[..answer].iter().filter(touched).map(|call| call.to.as_str()).collect();
    assert_eq!(before, BTreeSet::from(["localhost:5000/a"]));
    assert_eq!(heard.iter().filter(|call| call.what == What::Push && !call.answered).count(), 3);
}

#[tokio::test(start_paused = true)]
async fn many_attaches_are_all_listed_and_no_more_run_at_once_than_may() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&most);
    let barrier = Arc::new(Barrier::new(16));
    let registry = Registry::hooked(move |call| {
        if call.what != What::Attach {
            return std::future::ready(()).boxed();
        }
        if call.answered {
            running.fetch_sub(1, Ordering::SeqCst);
            return std::future::ready(()).boxed();
        }
        counted.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let barrier = Arc::clone(&barrier);
        wait_at(barrier).boxed()
    });
    let plan = attaches(64)
        + "  - id: all
    discover: { subject: 'localhost:5000/a:v1', expect: 64 }
";
    let run = succeeds(&plan, &registry, 16).await;
    assert_eq!(most.load(Ordering::SeqCst), 16);
    assert_eq!(run.seen.steps.iter().filter(|(outcome, _)| *outcome == "created").count(), 65);
}

/// Eight items of four steps each; `tag` says which tag each pushes.
fn items(tag: &str) -> String {
    format!(
        "consign: 1
steps:
  - id: release
    foreach: [a, b, c, d, e, f, g, h]
    steps:
      - id: image
        push: {{ to: 'localhost:5000/{tag}', if_exists: replace, files: [{{ name: f, content: '${{{{ item }}}}' }}] }}
      - id: check
        assert: {{ present: ['${{{{ steps.image.reference }}}}'] }}
      - id: sbom
        attach: {{ subject: '${{{{ steps.image.reference }}}}', artifact_type: test/a, annotations: {{ n: x }} }}
  - id: copy
    foreach: [a, b, c, d, e, f, g, h]
    copy: {{ from: '${{{{ steps.release[item].image.reference }}}}', to: 'localhost:5000/copy/${{{{ item }}}}:v1' }}
"
    )
}

#[tokio::test(start_paused = true)]
async fn items_that_have_nothing_to_do_with_each_other_overlap_and_gates_hold_back_their_own_alone() {
    let own = items("${{ item }}:v1");
    succeeds(&own, &meeting(8, |call| call.what == What::Push && !call.to.contains("copy")), 8).await;
    succeeds(&own, &meeting(8, |call| call.what == What::Attach && !call.to.contains("copy")), 8).await;
    succeeds(&own, &meeting(8, |call| call.what == What::Push && call.to.contains("copy")), 8).await;
    let pushes = || meeting(8, |call| call.what == What::Push && !call.to.contains("copy"));
    let limited = own.replace(
        "foreach: [a, b, c, d, e, f, g, h]\n    steps",
        "foreach: { in: [a, b, c, d, e, f, g, h], max_parallel: 7 }\n    steps",
    );
    assert!(ends(&limited, &pushes(), 8).await.is_none(), "seven cannot be eight");
}

#[tokio::test(start_paused = true)]
async fn items_that_write_one_tag_do_not_overlap() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&most);
    let registry = Registry::hooked(move |call| {
        if call.what == What::Push && call.to == "localhost:5000/one" {
            if call.answered {
                running.fetch_sub(1, Ordering::SeqCst);
            } else {
                counted.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            }
        }
        tokio::task::yield_now().boxed()
    });
    let plan = items("one:v1");
    let run = succeeds(&plan[..plan.find("  - id: copy").unwrap()], &registry, 16).await;
    assert_eq!((most.load(Ordering::SeqCst), run.outcomes.len()), (1, 24));
}

/// `count` items of five steps each.
fn images(count: usize) -> String {
    let keys: Vec<_> = (0..count).map(|number| format!("image{number}")).collect();
    format!(
        "consign: 1
steps:
  - id: release
    foreach: [{}]
    steps:
      - id: image
        push: {{ to: 'localhost:5000/${{{{ item }}}}:v1', files: [{{ name: f, content: '${{{{ item }}}}' }}] }}
      - id: sbom
        attach: {{ subject: '${{{{ steps.image.reference }}}}', artifact_type: test/a, annotations: {{ n: x }} }}
      - id: check
        discover: {{ subject: '${{{{ steps.image.reference }}}}', artifact_type: test/a, expect: one }}
      - id: copy
        copy: {{ from: '${{{{ steps.image.reference }}}}', to: 'localhost:5000/copy/${{{{ item }}}}:v1' }}
      - id: stable
        tag: {{ from: '${{{{ steps.copy.reference }}}}', tags: [stable] }}
",
        keys.join(", ")
    )
}

#[tokio::test(start_paused = true)]
async fn two_hundred_items_of_five_steps_overlap_and_none_waits_for_another() {
    let plan = images(200);
    let all_at_once = meeting(200, |call| call.what == What::Push && !call.to.contains("copy"));
    let run = succeeds(&plan, &all_at_once, 200).await;
    assert_eq!(run.outcomes.len(), 1000);
    let program = program(&plan, Path::new("/nowhere"));
    let graph = program.graph();
    assert_eq!((graph.len(), graph.longest_chain(|_| 1).links.len()), (1000, 5));
    let item = |node: &Node| match node {
        Node::Step(step) => step.name().split(']').next().map(str::to_owned),
        Node::Join(_) => None,
    };
    let edges = graph.edges();
    let apart = edges.iter().filter(|edge| {
        let (from, to) = (item(&edge.from), item(&edge.to));
        from.is_some() && to.is_some() && from != to
    });
    assert_eq!(apart.count(), 0);
    // Each item has its own four edges for data and effects, and one more for its gate.
    assert!(edges.len() < 2000, "{}", edges.len());
}
