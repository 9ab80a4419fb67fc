//! Plans that run: exit codes, outcomes, and what is printed.

use insta::assert_snapshot;
use serde_json::Value;

use super::Test;

/// A plan with these steps.
fn plan(steps: &str) -> Test {
    Test::new(&format!("consign: 1\nname: small\nsteps:\n{steps}"))
}

const APP: &str = "  - id: app
    push: { to: \"localhost:5000/app:v1\", files: [{ content: app, name: app.txt }] }
";

#[test]
fn a_run_that_succeeds() {
    let test = plan(&format!(
        "{APP}  - id: again
    push: {{ to: \"localhost:5000/app\", files: [{{ content: app, name: app.txt }}] }}
    needs: [app]
  - id: remove
    delete: {{ reference: \"localhost:5000/app:v1\" }}
"
    ));
    assert_snapshot!(test.run("rehearse plan.yaml").shown(), @"
    exit code 0
    --- stderr
    small: 3 steps
    created   app     localhost:5000/app@sha256:31856667fd5e  [TIME]
    created   again   localhost:5000/app@sha256:31856667fd5e  [TIME]
    deleted   remove  localhost:5000/app:v1  [TIME]
    changed:
      created localhost:5000/app@sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497
      created localhost:5000/app@sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497
      deleted localhost:5000/app:v1
    2 created, 1 deleted in [TIME]
    a real run:
      in                  needs               to
      localhost:5000/app  pull, push, delete  create and delete  v1
                                              create and delete  sha256:31856667fd5e
    ");
    assert_snapshot!(test.run("rehearse plan.yaml --progress none").shown(), @"exit code 0");
}

#[test]
fn a_step_that_fails_stops_what_was_not_started() {
    let test = plan(
        "  - id: missing
    inspect: { reference: \"localhost:5000/app:v1\" }
  - id: uses_it
    tag: { from: \"${{ steps.missing.reference }}\", tags: [v2] }
  - id: uses_that
    inspect: { reference: \"${{ steps.uses_it.reference }}\" }
  - id: independent
    push: { to: \"localhost:5001/other:v1\", files: [{ content: other, name: x }] }
",
    );
    assert_snapshot!(test.run("rehearse plan.yaml --jobs 1").shown(), @"
    exit code 1
    --- stderr
    small: 4 steps
    failed    missing      `localhost:5000/app:v1` does not exist
      --> plan.yaml:4:9
    blocked   uses_it      missing failed
    blocked   uses_that    missing failed
    cancelled independent  never started
    failed:
      missing: `localhost:5000/app:v1` does not exist
    2 blocked, 1 failed, 1 cancelled in [TIME]
    run it again: what succeeded is found unchanged
    a real run:
      in                    needs       to
      localhost:5000/app    pull, push
      localhost:5001/other  pull, push
    ");
    assert_snapshot!(test.run("rehearse plan.yaml --jobs 1 --keep-going").shown(), @"
    exit code 1
    --- stderr
    small: 4 steps
    failed    missing      `localhost:5000/app:v1` does not exist
      --> plan.yaml:4:9
    blocked   uses_it      missing failed
    blocked   uses_that    missing failed
    created   independent  localhost:5001/other@sha256:73c461d7659d  [TIME]
    changed:
      created localhost:5001/other@sha256:73c461d7659d6b57c45a33d2f6c15d740f28a9cc584f2a51ff3fa95dc5d348a9
    failed:
      missing: `localhost:5000/app:v1` does not exist
    1 created, 2 blocked, 1 failed in [TIME]
    run it again: what succeeded is found unchanged
    a real run:
      in                    needs       to
      localhost:5000/app    pull, push
      localhost:5001/other  pull, push  create  v1 → sha256:73c461d7659d
                                        create  sha256:73c461d7659d
    ");
}

#[test]
fn gates_say_no_and_list_what_they_found() {
    let test = plan(&format!(
        "{APP}  - id: sbom
    attach: {{ subject: \"localhost:5000/app:v1\", artifact_type: sbom/example, annotations: {{ a: b }} }}
  - id: expects
    discover: {{ subject: \"localhost:5000/app:v1\", expect: 2 }}
  - id: contains
    list_tags: {{ repository: localhost:5000/app, contains: [v2, v1, v3] }}
  - id: asserts
    assert:
      absent: [\"localhost:5000/app:v1\"]
      present: [\"localhost:5000/app:v2\"]
      equal: [a, b]
      that: [\"${{{{ steps.expects.count == 2 }}}}\"]
  - id: after
    push: {{ to: \"localhost:5000/after:v1\", files: [{{ content: after, name: x }}] }}
"
    ));
    assert_snapshot!(test.run("rehearse plan.yaml --jobs 1 --keep-going").shown(), @"
    exit code 3
    --- stderr
    small: 6 steps
    created   app       localhost:5000/app@sha256:31856667fd5e  [TIME]
    created   sbom      localhost:5000/app@sha256:b265b578bba1  [TIME]
    failed    expects   localhost:5000/app:v1 has 1 referrer, expected: 2
      --> plan.yaml:8:9
      note: found: sbom/example sha256:b265b578bba181c9307a2e9aeaba4d2e31effd1206ebe827cf7e371223d536be
    blocked   asserts   expects failed
    failed    contains  localhost:5000/app has no tag `v2`, `v3`
      --> plan.yaml:10:9
      note: there are: v1
    blocked   after     expects failed
    changed:
      created localhost:5000/app@sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497
      created localhost:5000/app@sha256:b265b578bba181c9307a2e9aeaba4d2e31effd1206ebe827cf7e371223d536be
    failed:
      expects: localhost:5000/app:v1 has 1 referrer, expected: 2
      contains: localhost:5000/app has no tag `v2`, `v3`
    2 created, 2 blocked, 2 failed in [TIME]
    a gate said no; when it holds, run it again: what succeeded is found unchanged
    a real run:
      in                    needs       to
      localhost:5000/after  pull, push
      localhost:5000/app    pull, push  create  v1 → sha256:31856667fd5e
                                        create  sha256:31856667fd5e
                                        create  sha256:b265b578bba1
    ");
    let asserts = plan(&format!(
        "{APP}  - id: asserts
    assert:
      absent: [\"localhost:5000/app:v1\"]
      present: [\"localhost:5000/app:v2\"]
      equal: [a, b]
      that: [\"${{{{ steps.app.changed }}}}\", \"${{{{ steps.app.size == 0 }}}}\"]
"
    ));
    assert_snapshot!(asserts.run("rehearse plan.yaml").shown(), @r#"
    exit code 3
    --- stderr
    small: 2 steps
    created   app      localhost:5000/app@sha256:31856667fd5e  [TIME]
    failed    asserts  4 assertions do not hold
      --> plan.yaml:6:9
      note: `localhost:5000/app:v1` is there
      note: `localhost:5000/app:v2` is not there
      note: the values are not equal: "a", "b"
      note: condition 2 does not hold
    changed:
      created localhost:5000/app@sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497
    failed:
      asserts: 4 assertions do not hold
    1 created, 1 failed in [TIME]
    a gate said no; when it holds, run it again: what succeeded is found unchanged
    a real run:
      in                  needs       to
      localhost:5000/app  pull, push  create  v1 → sha256:31856667fd5e
                                      create  sha256:31856667fd5e
    "#);
}

#[test]
fn a_gate_counts_before_a_failure() {
    let test = plan(
        "  - id: missing
    inspect: { reference: \"localhost:5000/app:v1\" }
  - id: asserts
    assert: { present: [\"localhost:5001/app:v1\"] }
",
    );
    assert_eq!(test.run("rehearse plan.yaml --keep-going").code, 3);
    assert_eq!(test.run("rehearse plan.yaml --keep-going --skip asserts").code, 1);
}

#[test]
fn a_skipped_gate_holds_back_unless_told_otherwise() {
    let test = plan(
        "  - id: gate
    assert: { present: [\"localhost:5000/app:v1\"] }
  - id: looks
    list_tags: { repository: localhost:5000/app, print: true }
  - id: after
    push: { to: \"localhost:5000/after:v1\", files: [{ content: after, name: x }] }
",
    );
    assert_snapshot!(test.run("rehearse plan.yaml --jobs 1 --skip gate").shown(), @"
    exit code 0
    --- stderr
    small: 3 steps
    skipped   gate   as asked
    skipped   after  `gate` was skipped
    passed    looks  [TIME]
    1 passed, 2 skipped in [TIME]
    a real run:
      in                    needs       to
      localhost:5000/after  pull, push
      localhost:5000/app    pull
    ");
    assert_snapshot!(test.run("rehearse plan.yaml --jobs 1 --skip gate --skip-gates").shown(), @"
    exit code 0
    --- stderr
    small: 3 steps
    skipped   gate   as asked
    passed    looks  [TIME]
    created   after  localhost:5000/after@sha256:4b1d2e2090c9  [TIME]
    changed:
      created localhost:5000/after@sha256:4b1d2e2090c9b9a030a9e277a2710503d508358480e87d8099c2098230432570
    1 created, 1 passed, 1 skipped in [TIME]
    a real run:
      in                    needs       to
      localhost:5000/after  pull, push  create  v1 → sha256:4b1d2e2090c9
                                        create  sha256:4b1d2e2090c9
      localhost:5000/app    pull
    ");
}

/// A plan whose steps print and overlap.
fn printing() -> Test {
    let step = |number: u16| {
        format!(
            "  - id: push_{number}
    push: {{ to: \"localhost:{0}/app:v{number}\", files: [{{ content: \"{number}\", name: x }}] }}
  - id: show_{number}
    inspect: {{ reference: \"localhost:{0}/app:v{number}\", print: manifest }}
  - id: tags_{number}
    list_tags: {{ repository: \"localhost:{0}/app\", print: true }}
",
            5000 + number
        )
    };
    let steps: String = (0..12).map(step).collect();
    Test::new(&format!(
        "consign: 1\nsteps:\n{steps}outputs:\n  first: ${{{{ steps.push_0.digest }}}}\n  last: ${{{{ steps.tags_11.tags }}}}\n"
    ))
}

#[test]
fn what_is_printed_comes_in_file_order_however_many_run() {
    let test = printing();
    let serial = test.run("rehearse plan.yaml --progress none --outputs - --jobs 1");
    let parallel = test.run("rehearse plan.yaml --progress none --outputs - --jobs 16");
    assert_eq!((serial.code, serial.stderr.as_str()), (0, ""));
    assert_eq!(serial.shown(), parallel.shown());
    let tags: Vec<_> = serial.stdout.lines().filter(|line| line.starts_with('v')).map(str::to_owned).collect();
    assert_eq!(tags, (0..12).map(|number| format!("v{number}")).collect::<Vec<_>>());
}

#[test]
fn events_are_json_and_each_step_ends_once() {
    let ran = printing().run("rehearse plan.yaml --progress none --events -");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let events: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut finished: Vec<_> = events.iter().filter(|event| event["event"] == "step_finished").collect();
    assert_eq!(finished.len(), 36);
    finished.sort_by_key(|event| event["step"].to_string());
    finished.dedup_by_key(|event| event["step"].to_string());
    assert_eq!(finished.len(), 36);
    assert_eq!(events[0]["event"], "run_started");
    assert_eq!(events[events.len() - 1]["event"], "run_finished");
}

#[test]
fn the_events_of_a_failure() {
    let test = plan(&format!(
        "{APP}  - id: missing
    inspect: {{ reference: \"localhost:5000/app:v2\" }}
  - id: blocked
    inspect: {{ reference: \"${{{{ steps.missing.reference }}}}\" }}
  - id: skipped
    inspect: {{ reference: \"localhost:5000/app:v1\" }}
"
    ));
    assert_snapshot!(test.run("rehearse plan.yaml --jobs 1 --progress none --events - --skip skipped").shown(), @r#"
    exit code 1
    --- stdout
    {"event":"run_started","version":1,"plan":"small","at":"[TIME]","steps":[{"step":"app","kind":"push"},{"step":"missing","kind":"inspect"},{"step":"blocked","kind":"inspect"},{"step":"skipped","kind":"inspect"}],"edges":[{"from":"app","to":"missing","reasons":[{"reason":"effect","text":"effect: the first adds to the graph of localhost:5000/app, the second reads it"}]},{"from":"missing","to":"blocked","reasons":[{"reason":"data","text":"data: it uses `steps.missing.reference`"}]},{"from":"app","to":"blocked","reasons":[{"reason":"effect","text":"effect: the first adds to the graph of localhost:5000/app, the second reads it"}]}]}
    {"event":"step_finished","step":"skipped","outcome":"skipped","because":"as asked","elapsed_ms":"[TIME]"}
    {"event":"step_started","step":"app"}
    {"event":"transfer_started","step":"app","name":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","bytes":2}
    {"event":"transfer_finished","step":"app","name":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","bytes":2,"moved":2}
    {"event":"transfer_started","step":"app","name":"app.txt","digest":"sha256:a172cedcae47474b615c54d510a5d84a8dea3032e958587430b413538be3f333","bytes":3}
    {"event":"transfer_finished","step":"app","name":"app.txt","digest":"sha256:a172cedcae47474b615c54d510a5d84a8dea3032e958587430b413538be3f333","bytes":3,"moved":3}
    {"event":"step_finished","step":"app","outcome":"created","elapsed_ms":"[TIME]","output":{"changed":true,"digest":"sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497","layers":[{"name":"app.txt","digest":"sha256:a172cedcae47474b615c54d510a5d84a8dea3032e958587430b413538be3f333","media_type":"application/vnd.oci.image.layer.v1.tar","size":3}],"media_type":"application/vnd.oci.image.manifest.v1+json","outcome":"created","reference":"localhost:5000/app@sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497","size":511,"tag":"v1"}}
    {"event":"step_started","step":"missing"}
    {"event":"step_finished","step":"missing","outcome":"failed","failure":{"kind":"step","message":"`localhost:5000/app:v2` does not exist","help":[],"place":{"file":"plan.yaml","line":6,"column":9}},"elapsed_ms":"[TIME]"}
    {"event":"step_finished","step":"blocked","outcome":"blocked","by":"missing","elapsed_ms":"[TIME]"}
    {"event":"rehearsed","repositories":[{"repository":"localhost:5000/app","rights":["pull","push"],"changes":[{"change":"create","tag":"v1","after":"sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497"},{"change":"create","manifest":"sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497"}]}],"faults":[],"tries":0}
    {"event":"run_finished","counts":{"blocked":1,"created":1,"failed":1,"skipped":1},"interrupted":false,"exit_code":1,"outputs":{},"elapsed_ms":"[TIME]"}
    "#);
}

#[test]
fn outputs_go_where_they_are_wanted() {
    let test = Test::new(&format!(
        "consign: 1\nsteps:\n{APP}outputs:\n  digest: ${{{{ steps.app.digest }}}}\n  list: [1, \"${{{{ steps.app.changed }}}}\"]\n"
    ));
    assert_snapshot!(test.run("rehearse plan.yaml --progress none --outputs -").shown(), @r#"
    exit code 0
    --- stdout
    {
      "digest": "sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497",
      "list": [
        1,
        true
      ]
    }
    "#);
    let ran = test.run("rehearse plan.yaml --progress none --outputs outputs.json");
    assert_eq!(ran.shown(), "exit code 0\n");
    assert_eq!(
        std::fs::read_to_string(test.path("outputs.json")).unwrap(),
        test.run("rehearse plan.yaml --progress none --outputs -").stdout
    );
}

#[test]
fn a_rehearsal_leaves_nothing_behind() {
    let test = plan(&format!(
        "{APP}  - id: pull
    pull: {{ from: \"localhost:5000/app:v1\", to: download, print: tree }}
"
    ));
    assert_snapshot!(test.run("rehearse plan.yaml --jobs 1").shown(), @"
    exit code 0
    --- stdout
    download
    └── app.txt
    --- stderr
    small: 2 steps
    created   app   localhost:5000/app@sha256:31856667fd5e  [TIME]
    created   pull  download  [TIME]
    changed:
      created localhost:5000/app@sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497
      created download
    2 created in [TIME]
    a real run:
      in                  needs       to
      localhost:5000/app  pull, push  create  v1 → sha256:31856667fd5e
                                      create  sha256:31856667fd5e
    ");
    assert!(!test.path("download").exists());
    assert_eq!(test.run("rehearse plan.yaml --workdir kept").code, 0);
    assert_eq!(std::fs::read_to_string(test.path("kept/download/app.txt")).unwrap(), "app");
}

#[test]
fn a_run_with_local_stores_converges() {
    let test = plan("  - id: app
    push: { to: \"oci-layout:store:v1\", files: [{ path: app.txt }] }
  - id: sbom
    attach: { subject: \"oci-layout:store:v1\", artifact_type: sbom/example, files: [{ content: good, name: sbom.txt }] }
  - id: mirror
    copy: { from: \"oci-layout:store:v1\", to: \"oci-layout:mirror:v1\" }
  - id: tree
    discover: { subject: \"oci-layout:mirror:v1\", print: tree, expect: one }
  - id: pull
    pull: { from: \"oci-layout:mirror:v1\", to: download }
").file("app.txt", "app\n");
    assert_snapshot!(test.run("run plan.yaml --jobs 1").shown(), @"
    exit code 0
    --- stdout
    oci-layout:mirror:v1
    └── sbom/example
        └── sha256:4eeb5afcb9ab62953115c0a3d3d0d68c585465d4c126bed24509d4a295bebc07
    --- stderr
    small: 5 steps
    created   app     oci-layout:store@sha256:d19c8aa64ceb  [TIME]
    created   sbom    oci-layout:store@sha256:4eeb5afcb9ab  [TIME]
    created   mirror  oci-layout:mirror@sha256:d19c8aa64ceb  [TIME]
    passed    tree    oci-layout:mirror@sha256:4eeb5afcb9ab  [TIME]
    created   pull    download  [TIME]
    changed:
      created oci-layout:store@sha256:d19c8aa64cebc7b4ef11dbe037d732ef760b61fc493302ae07b07ab2a61dcefc
      created oci-layout:store@sha256:4eeb5afcb9ab62953115c0a3d3d0d68c585465d4c126bed24509d4a295bebc07
      created oci-layout:mirror@sha256:d19c8aa64cebc7b4ef11dbe037d732ef760b61fc493302ae07b07ab2a61dcefc
      created download
    4 created, 1 passed in [TIME]
    ");
    assert_snapshot!(test.run("run plan.yaml --jobs 1").shown(), @"
    exit code 0
    --- stdout
    oci-layout:mirror:v1
    └── sbom/example
        └── sha256:4eeb5afcb9ab62953115c0a3d3d0d68c585465d4c126bed24509d4a295bebc07
    --- stderr
    small: 5 steps
    unchanged app     oci-layout:store@sha256:d19c8aa64ceb  [TIME]
    unchanged sbom    oci-layout:store@sha256:4eeb5afcb9ab  [TIME]
    unchanged mirror  oci-layout:mirror@sha256:d19c8aa64ceb  [TIME]
    passed    tree    oci-layout:mirror@sha256:4eeb5afcb9ab  [TIME]
    unchanged pull    download  [TIME]
    4 unchanged, 1 passed in [TIME]
    ");
    assert_eq!(std::fs::read_to_string(test.path("download/app.txt")).unwrap(), "app\n");
}
