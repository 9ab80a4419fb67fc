//! What a rehearsal begins with, what goes wrong in it, and what it leaves.

use insta::assert_snapshot;
use serde_json::Value;

use super::Test;

/// An artifact with something attached to it, copied, shown and pulled.
const PLAN: &str = "\
consign: 1
name: small
steps:
  - id: app
    push: { to: \"localhost:5000/app:v1\", files: [{ content: app, name: app.txt }] }
  - id: sbom
    attach: { subject: \"localhost:5000/app:v1\", artifact_type: sbom/example, annotations: { a: b } }
  - id: promoted
    copy: { from: \"localhost:5000/app:v1\", to: \"r.io/team/app:v1\" }
  - id: exported
    copy: { from: \"r.io/team/app:v1\", to: \"oci-layout:export/app:v1\" }
  - id: tree
    discover: { subject: \"r.io/team/app:v1\", print: tree, expect: one }
  - id: pulled
    pull: { from: \"r.io/team/app:v1\", to: download, print: tree }
";

/// The outcome of each step, in file order.
fn outcomes(test: &Test, arguments: &str) -> Vec<String> {
    let ran = test.run(&format!("rehearse plan.yaml --progress none --events events {arguments}"));
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let events = std::fs::read_to_string(test.path("events")).unwrap();
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let outcome = |step: &Value| {
        let ended = events.iter().find(|event| event["event"] == "step_finished" && event["step"] == step["step"]);
        ended.unwrap()["outcome"].as_str().unwrap().to_owned()
    };
    events[0]["steps"].as_array().unwrap().iter().map(outcome).collect()
}

#[test]
fn what_is_refused_is_tried_again_and_counted() {
    let test = Test::new(PLAN);
    let ran = test.run("rehearse plan.yaml --jobs 1 --skip exported --fault pulled:503*2 --fault lost:manifest@r.io");
    assert_snapshot!(ran.shown(), @"
    exit code 0
    --- stdout
    r.io/team/app:v1
    └── sbom/example
        └── sha256:b265b578bba181c9307a2e9aeaba4d2e31effd1206ebe827cf7e371223d536be
    download
    └── app.txt
    --- stderr
    small: 6 steps
    skipped   exported  as asked
    created   app       localhost:5000/app@sha256:31856667fd5e  [TIME]
    created   sbom      localhost:5000/app@sha256:b265b578bba1  [TIME]
    retrying  promoted  in [TIME], after attempt 1: PUT https://r.io/v2/team/app/manifests/sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497: the connection was closed before the answer came
    created   promoted  r.io/team/app@sha256:31856667fd5e  [TIME]
    passed    tree      r.io/team/app@sha256:b265b578bba1  [TIME]
    retrying  pulled    in [TIME], after attempt 1: GET https://r.io/v2/team/app/manifests/sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497: 503 Service Unavailable
    retrying  pulled    in [TIME], after attempt 2: GET https://r.io/v2/team/app/manifests/sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497: 503 Service Unavailable
    created   pulled    download  [TIME]
    changed:
      created localhost:5000/app@sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497
      created localhost:5000/app@sha256:b265b578bba181c9307a2e9aeaba4d2e31effd1206ebe827cf7e371223d536be
      created r.io/team/app@sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497
      created download
    4 created, 1 passed, 1 skipped in [TIME]
    a real run:
      in                  needs       to
      localhost:5000/app  pull, push  create  v1 → sha256:31856667fd5e
                                      create  sha256:31856667fd5e
                                      create  sha256:b265b578bba1
      r.io/team/app       pull, push  create  v1 → sha256:31856667fd5e
                                      create  sha256:31856667fd5e
                                      create  sha256:b265b578bba1
    faults: `pulled:503*2` 2 of 2 times, `lost:manifest@r.io` 1 of 1 time; they cost 3 more tries
    ");
}

#[test]
fn what_does_not_pass_is_a_failure_of_the_kind_that_it_would_be() {
    let test = Test::new(PLAN);
    assert_snapshot!(test.run("rehearse plan.yaml --jobs 1 --skip exported --fault pull:503*9").shown(), @"
    exit code 75
    --- stdout
    r.io/team/app:v1
    └── sbom/example
        └── sha256:b265b578bba181c9307a2e9aeaba4d2e31effd1206ebe827cf7e371223d536be
    --- stderr
    small: 6 steps
    skipped   exported  as asked
    created   app       localhost:5000/app@sha256:31856667fd5e  [TIME]
    created   sbom      localhost:5000/app@sha256:b265b578bba1  [TIME]
    created   promoted  r.io/team/app@sha256:31856667fd5e  [TIME]
    passed    tree      r.io/team/app@sha256:b265b578bba1  [TIME]
    retrying  pulled    in [TIME], after attempt 1: GET https://r.io/v2/team/app/manifests/sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497: 503 Service Unavailable
    retrying  pulled    in [TIME], after attempt 2: GET https://r.io/v2/team/app/manifests/sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497: 503 Service Unavailable
    retrying  pulled    in [TIME], after attempt 3: GET https://r.io/v2/team/app/manifests/sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497: 503 Service Unavailable
    retrying  pulled    in [TIME], after attempt 4: GET https://r.io/v2/team/app/manifests/sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497: 503 Service Unavailable
    retrying  pulled    in [TIME], after attempt 5: GET https://r.io/v2/team/app/manifests/sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497: 503 Service Unavailable
    retrying  pulled    in [TIME], after attempt 6: GET https://r.io/v2/team/app/manifests/sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497: 503 Service Unavailable
    retrying  pulled    in [TIME], after attempt 7: GET https://r.io/v2/team/app/manifests/sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497: 503 Service Unavailable
    failed    pulled    failed to fetch r.io/team/app:v1: GET https://r.io/v2/team/app/manifests/sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497: 503 Service Unavailable (tried 8 times over [TIME])
      --> plan.yaml:14:9
      help: run again later, or ask less of the registry: `concurrency` and `rate` under `registries`
    changed:
      created localhost:5000/app@sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497
      created localhost:5000/app@sha256:b265b578bba181c9307a2e9aeaba4d2e31effd1206ebe827cf7e371223d536be
      created r.io/team/app@sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497
    failed:
      pulled: failed to fetch r.io/team/app:v1: GET https://r.io/v2/team/app/manifests/sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497: 503 Service Unavailable (tried 8 times over [TIME])
    3 created, 1 passed, 1 skipped, 1 failed in [TIME]
    every failure was temporary; run it again later: what succeeded is found unchanged
    a real run:
      in                  needs       to
      localhost:5000/app  pull, push  create  v1 → sha256:31856667fd5e
                                      create  sha256:31856667fd5e
                                      create  sha256:b265b578bba1
      r.io/team/app       pull, push  create  v1 → sha256:31856667fd5e
                                      create  sha256:31856667fd5e
                                      create  sha256:b265b578bba1
    faults: `pull:503*9` 8 of 9 times; they cost 7 more tries
    ");
    let refused = test.run("rehearse plan.yaml --jobs 1 --skip exported --fault pull:403@r.io");
    assert_snapshot!(refused.shown(), @"
    exit code 1
    --- stdout
    r.io/team/app:v1
    └── sbom/example
        └── sha256:b265b578bba181c9307a2e9aeaba4d2e31effd1206ebe827cf7e371223d536be
    --- stderr
    small: 6 steps
    skipped   exported  as asked
    created   app       localhost:5000/app@sha256:31856667fd5e  [TIME]
    created   sbom      localhost:5000/app@sha256:b265b578bba1  [TIME]
    created   promoted  r.io/team/app@sha256:31856667fd5e  [TIME]
    passed    tree      r.io/team/app@sha256:b265b578bba1  [TIME]
    failed    pulled    failed to fetch r.io/team/app:v1: GET https://r.io/v2/team/app/manifests/sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497: 403 Forbidden
      --> plan.yaml:14:9
      help: who is logged in may not do this: ask for the permission, or log in as somebody else
    changed:
      created localhost:5000/app@sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497
      created localhost:5000/app@sha256:b265b578bba181c9307a2e9aeaba4d2e31effd1206ebe827cf7e371223d536be
      created r.io/team/app@sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497
    failed:
      pulled: failed to fetch r.io/team/app:v1: GET https://r.io/v2/team/app/manifests/sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497: 403 Forbidden
    3 created, 1 passed, 1 skipped, 1 failed in [TIME]
    run it again: what succeeded is found unchanged
    a real run:
      in                  needs       to
      localhost:5000/app  pull, push  create  v1 → sha256:31856667fd5e
                                      create  sha256:31856667fd5e
                                      create  sha256:b265b578bba1
      r.io/team/app       pull, push  create  v1 → sha256:31856667fd5e
                                      create  sha256:31856667fd5e
                                      create  sha256:b265b578bba1
    faults: `pull:403@r.io` 1 of 1 time; they cost 0 more tries
    ");
}

#[test]
fn the_plan_says_how_often_it_is_tried() {
    let test = Test::new(&PLAN.replacen("steps:", "defaults: { retry: { max: 2 } }\nsteps:", 1));
    assert_eq!(test.run("rehearse plan.yaml --fault pulled:503*2").code, 75);
    assert_eq!(test.run("rehearse plan.yaml --fault pulled:503").code, 0);
}

#[test]
fn whatever_goes_wrong_in_between_the_result_is_the_same() {
    let test = Test::new(PLAN);
    let expected = test.run("rehearse plan.yaml --progress none").stdout;
    for fault in [
        "503*5",
        "copy:500",
        "promoted:429*2",
        "429*3@r.io",
        "cut:upload*4",
        "cut:download*4",
        "lost:manifest*3",
        "no-referrers",
        "no-referrers@r.io",
    ] {
        let ran = test.run(&format!("rehearse plan.yaml --fault {fault}"));
        assert_eq!((ran.code, &ran.stdout), (0, &expected), "{fault}: {}", ran.stderr);
        let times = fault.split(['*', '@']).nth(1).and_then(|times| times.parse().ok()).unwrap_or(1);
        let noun = if times == 1 { "time" } else { "times" };
        let counted = format!("faults: `{fault}` {times} of {times} {noun}; they cost {times} more ");
        assert_eq!(ran.stderr.contains(&counted), !fault.starts_with("no"), "{fault}: {}", ran.stderr);
    }
}

#[test]
fn without_the_referrers_api_there_are_lists_under_tags() {
    let ran = Test::new(PLAN).run("rehearse plan.yaml --jobs 1 --skip exported --fault no-referrers@r.io");
    assert_snapshot!(ran.shown(), @"
    exit code 0
    --- stdout
    r.io/team/app:v1
    └── sbom/example
        └── sha256:b265b578bba181c9307a2e9aeaba4d2e31effd1206ebe827cf7e371223d536be
    download
    └── app.txt
    --- stderr
    small: 6 steps
    skipped   exported  as asked
    created   app       localhost:5000/app@sha256:31856667fd5e  [TIME]
    created   sbom      localhost:5000/app@sha256:b265b578bba1  [TIME]
    created   promoted  r.io/team/app@sha256:31856667fd5e  [TIME]
    passed    tree      r.io/team/app@sha256:b265b578bba1  [TIME]
    created   pulled    download  [TIME]
    changed:
      created localhost:5000/app@sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497
      created localhost:5000/app@sha256:b265b578bba181c9307a2e9aeaba4d2e31effd1206ebe827cf7e371223d536be
      created r.io/team/app@sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497
      created download
    4 created, 1 passed, 1 skipped in [TIME]
    a real run:
      in                  needs       to
      localhost:5000/app  pull, push  create  v1 → sha256:31856667fd5e
                                      create  sha256:31856667fd5e
                                      create  sha256:b265b578bba1
      r.io/team/app       pull, push  create  sha256-31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497 → sha256:1a4e629e40f6
                                      create  v1 → sha256:31856667fd5e
                                      create  sha256:1a4e629e40f6
                                      create  sha256:31856667fd5e
                                      create  sha256:b265b578bba1
    ");
}

#[test]
fn what_cannot_go_wrong_is_said_before_anything_runs() {
    let test = Test::new(PLAN);
    assert_snapshot!(test.run("rehearse plan.yaml --fault copy:oops --fault 429@ghcr.io").shown(), @"
    exit code 2
    --- stderr
    error: --fault copy:oops: `copy:oops` is nothing that can go wrong
    error: --fault 429@ghcr.io: the plan has nothing to do with `ghcr.io`
    a fault is one of these, with `*TIMES` and `@REGISTRY` behind it or without:
      503*2                     the first two requests are refused with 503
      copy:503*2                the first two requests of steps of that kind, or of the step of that name
      429@registry.example.com  one request to that registry
      cut:upload                a blob breaks off on its way out, once
      cut:download              a blob breaks off on its way in, once
      lost:manifest             a manifest is stored, and the answer is lost, once
      no-referrers              there is no referrers API
    ");
    assert_snapshot!(test.run("rehearse plan.yaml --fault sign:503").shown(), @"
    exit code 2
    --- stderr
    error: --fault: the plan has no step `sign`, and none of that kind
    ");
}

#[test]
fn what_was_kept_can_be_begun_with() {
    let test = Test::new(PLAN);
    assert_eq!(outcomes(&test, "--keep kept"), ["created", "created", "created", "created", "passed", "created"]);
    for layout in ["localhost+5000/app", "r.io/team/app", "layouts/export/app"] {
        assert!(test.path(&format!("kept/{layout}/index.json")).is_file(), "{layout}");
    }
    let unchanged = ["unchanged", "unchanged", "unchanged", "unchanged", "passed", "created"];
    assert_eq!(outcomes(&test, "--seed kept --keep again"), unchanged);
    assert_eq!(outcomes(&test, "--seed again --fault no-referrers"), unchanged);
    let nothing_new = test.run("rehearse plan.yaml --seed kept --skip exported");
    assert!(nothing_new.stderr.ends_with("  pull, push\n  r.io/team/app       pull, push\n"), "{}", nothing_new.stderr);
    assert_snapshot!(test.run("rehearse plan.yaml --keep kept").shown(), @"
    exit code 2
    --- stderr
    error: --keep: [FOLDER]/kept is not empty: name a new folder
    ");
}

#[test]
fn a_layout_goes_where_it_is_told_to() {
    let test = Test::new(PLAN);
    assert_eq!(test.run("rehearse plan.yaml --progress none --keep kept").code, 0);
    let plan = "\
consign: 1
steps:
  - id: show
    list_tags: { repository: quay.io/x/app, print: true }
  - id: tree
    discover: { subject: \"${{ REFERENCE }}\", print: tree }
inputs:
  REFERENCE: { type: reference, default: \"quay.io/x/app:v1\" }
";
    let test = test.file("show.yaml", plan);
    let show = |seed: &str| test.run(&format!("rehearse show.yaml --progress none --seed {seed}"));
    let whole = show("quay.io/x/app=kept/r.io/team/app");
    assert_eq!((whole.code, whole.stdout.lines().next()), (0, Some("v1")), "{}", whole.shown());
    assert!(whole.stdout.contains("sbom/example"), "{}", whole.stdout);
    assert_eq!(show("quay.io/x/app=oci-layout:kept/r.io/team/app").stdout, whole.stdout);
    assert_eq!(show("quay.io/x/app:v1=oci-layout:kept/r.io/team/app:v1").stdout, whole.stdout);
    assert_eq!(
        show("quay.io/x/app:v2=kept/r.io/team/app --set REFERENCE=quay.io/x/app:v2").stdout.lines().next(),
        Some("v2")
    );
    // Other tools name whole references in a layout.
    let index = test.path("kept/r.io/team/app/index.json");
    let named = std::fs::read_to_string(&index).unwrap().replace("\"v1\"", "\"quay.io/x/app:v1\"");
    std::fs::write(index, named).unwrap();
    assert_eq!(show("kept/r.io/team/app").stdout, whole.stdout);
}

#[test]
fn a_seed_that_cannot_be_is_said_to_be_none() {
    let test = Test::new(PLAN).file("empty/readme.txt", "nothing").file("wrong/UP/oci-layout", "{}");
    assert_eq!(test.run("rehearse plan.yaml --progress none --keep kept").code, 0);
    let said = |seed: &str| {
        let ran = test.run(&format!("rehearse plan.yaml --seed {seed}"));
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{seed}");
        ran.stderr
    };
    let all: String = [
        "nowhere",
        "empty",
        "wrong",
        "r.io/app=empty",
        "app=kept/r.io/team/app",
        "r.io/app@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a=kept/r.io/team/app",
        "r.io/app:v1=oci-layout:kept/r.io/team/app:v2",
        "kept/r.io/team/app",
    ]
    .map(said)
    .concat();
    assert_snapshot!(all, @"
    error: --seed: [FOLDER]/nowhere is no image layout: there is no file `oci-layout` in it, or below it
    error: --seed: [FOLDER]/empty is no image layout: there is no file `oci-layout` in it, or below it
    error: --seed: [FOLDER]/wrong/UP stands under no `registry/repository`: say where it goes with `registry/repository=PATH`
    error: --seed: [FOLDER]/empty is no image layout: there is no file `oci-layout` in it, or below it
    error: --seed: `app`: `app` names no registry: write the registry too, such as `docker.io/library/app` or `localhost:5000/app`
    error: --seed: `r.io/app@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a=kept/r.io/team/app` has a digest, which follows from the content: write a repository, or a tag
    error: --seed: there is no `v2` in [FOLDER]/kept/r.io/team/app
    error: --seed: `v1` in [FOLDER]/kept/r.io/team/app is no whole reference: say where it goes with `registry/repository=PATH`
    ");
}

/// What others have is an image layout beside the plan.
const MIRROR: &str = "\
consign: 1
inputs:
  UPSTREAM: { type: registry, default: r.io }
rehearse: { seed: [\"${{ UPSTREAM }}/team/app=upstream\"] }
steps:
  - id: mirror
    copy: { from: \"${{ UPSTREAM }}/team/app:v1\", to: \"localhost:5000/app:v1\" }
";

#[test]
fn a_plan_says_itself_what_its_rehearsal_begins_with() {
    let test = Test::new(PLAN).file("mirror.yaml", MIRROR);
    outcomes(&test, "--keep kept");
    std::fs::rename(test.path("kept/r.io/team/app"), test.path("upstream")).unwrap();
    let ran = test.run("rehearse mirror.yaml --progress none");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let elsewhere = test.run("rehearse mirror.yaml --progress none --set UPSTREAM=other.io");
    assert_eq!(elsewhere.code, 0, "{}", elsewhere.shown());
    // A run asks the registry, and that is not there.
    let run = test.run("run mirror.yaml --progress none --set UPSTREAM=127.0.0.1:1");
    assert_eq!(run.code, 75, "{}", run.shown());
}

#[test]
fn what_a_rehearsal_cannot_begin_with() {
    let test = Test::new(
        "\
consign: 1
rehearse:
  seed: [nowhere, \"App=upstream\", \"${{ UPSTREM }}/app=upstream\"]
  faults: [\"503\"]
steps:
  - { id: a, list_tags: { repository: localhost:5000/app } }
",
    );
    assert_snapshot!(test.run("check plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: no such name `UPSTREM`
     --> plan.yaml:3:40
      |
    3 |   seed: [nowhere, "App=upstream", "${{ UPSTREM }}/app=upstream"]
      |                                        ^^^^^^^
      |
      = help: declare it under `inputs` or `vars`
    "#);
    let lists = test.file("plan.yaml", "consign: 1\nrehearse: { seed: [nowhere, \"App=upstream\"] }\nsteps: []\n");
    assert_snapshot!(lists.run("check plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: file not found: `nowhere`
     --> plan.yaml:2:20
      |
    2 | rehearse: { seed: [nowhere, "App=upstream"] }
      |                    ^^^^^^^
      |
      = note: looked for [FOLDER]/nowhere

    error: `App`: `App` names no registry: write the registry too, such as `docker.io/library/App` or `localhost:5000/App`
     --> plan.yaml:2:29
      |
    2 | rehearse: { seed: [nowhere, "App=upstream"] }
      |                             ^^^^^^^^^^^^^^
    "#);
}

#[test]
fn what_an_included_plan_begins_with_is_there_too() {
    let made = Test::new(PLAN);
    assert_eq!(made.run("rehearse plan.yaml --progress none --keep kept").code, 0);
    let part = "\
consign: 1
rehearse: { seed: [\"quay.io/x/app=kept/r.io/team/app\"] }
steps:
  - id: show
    list_tags: { repository: quay.io/x/app, contains: [v1] }
";
    let plan = "consign: 1\nsteps:\n  - id: part\n    include: { plan: parts/part.yaml }\n";
    let test = made.file("whole.yaml", plan).file("parts/part.yaml", part);
    // Its paths are relative to its own folder.
    let missing = test.run("check whole.yaml");
    assert_snapshot!(missing.shown(), @r#"
    exit code 2
    --- stderr
    error: file not found: `quay.io/x/app=kept/r.io/team/app`
     --> parts/part.yaml:2:20
      |
    2 | rehearse: { seed: ["quay.io/x/app=kept/r.io/team/app"] }
      |                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: looked for [FOLDER]/parts/kept/r.io/team/app
    "#);
    std::fs::rename(test.path("kept"), test.path("parts/kept")).unwrap();
    let ran = test.run("rehearse whole.yaml --progress none");
    assert_eq!(ran.code, 0, "{}", ran.shown());
}
