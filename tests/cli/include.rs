//! Plans that include others.

use insta::assert_snapshot;

use super::Test;

/// Publishes a file with a note about it; its own tests would run it alone.
pub(super) const PUBLISH: &str = "\
consign: 1
name: publish
inputs:
  TO: { type: reference }
  FILE: { default: app.txt }
  NOTE: { default: 'about ${{ TO }}' }
vars:
  LABEL: ${{ NOTE }}!
steps:
  - id: push
    push: { to: '${{ TO }}', files: [{ path: '${{ FILE }}' }] }
  - id: note
    attach: { subject: '${{ steps.push.reference }}', artifact_type: a/b, annotations: { note: '${{ LABEL }}' } }
outputs:
  digest: ${{ steps.push.digest }}
  note: ${{ steps.note.digest }}
";

const PLAN: &str = "\
consign: 1
name: release
vars: { REPOSITORY: localhost:5000/app }
steps:
  - id: base
    push: { to: '${{ REPOSITORY }}:base', files: [{ name: base, content: base }] }
  - id: app
    include:
      plan: parts/publish.yaml
      with: { TO: '${{ REPOSITORY }}:v1', NOTE: 'on ${{ steps.base.digest | short }}' }
  - id: stable
    tag: { from: '${{ REPOSITORY }}@${{ steps.app.digest }}', tags: [stable] }
outputs:
  digest: ${{ steps.app.digest }}
";

fn release() -> Test {
    Test::new(PLAN).file("parts/publish.yaml", PUBLISH).file("parts/app.txt", "app")
}

#[test]
fn the_steps_of_an_included_plan_run_where_it_is_included() {
    let test = release();
    assert_snapshot!(test.run("rehearse plan.yaml --jobs 1 --outputs -").shown(), @r#"
    exit code 0
    --- stdout
    {
      "digest": "sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497"
    }
    --- stderr
    release: 5 steps
    created   base      localhost:5000/app@sha256:6c69b25361a3  [TIME]
    created   app/push  localhost:5000/app@sha256:31856667fd5e  [TIME]
    created   app/note  localhost:5000/app@sha256:0b782b67aef7  [TIME]
    passed    app       [TIME]
    created   stable    localhost:5000/app@sha256:31856667fd5e  [TIME]
    changed:
      created localhost:5000/app@sha256:6c69b25361a3c3188ddd9aef6e20dca1f726d5dcffe5b6819ad772a9dc57e709
      created localhost:5000/app@sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497
      created localhost:5000/app@sha256:0b782b67aef77c21169d92cff6c0ee30b3aec95298448b4f5f50cfa22acf3e09
      created localhost:5000/app@sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497
    4 created, 1 passed in [TIME]
    a real run:
      in                  needs       to
      localhost:5000/app  pull, push  create  base → sha256:6c69b25361a3
                                      create  stable → sha256:31856667fd5e
                                      create  v1 → sha256:31856667fd5e
                                      create  sha256:0b782b67aef7
                                      create  sha256:31856667fd5e
                                      create  sha256:6c69b25361a3
    "#);
    assert_snapshot!(test.run("graph plan.yaml").shown(), @"
    exit code 0
    --- stdout
    base      push
    app/push  push
    app/note  attach   after base (data), app/push (data)
    app       include  after app/note (data, include)
    stable    tag      after app (data)
    ");
    assert_snapshot!(test.run("graph plan.yaml --why base app/note").shown(), @"
    exit code 0
    --- stdout
    base -> app/note
      data: it uses `LABEL`
    ");
    assert_snapshot!(test.run("graph plan.yaml --why app/push stable").shown(), @"
    exit code 0
    --- stdout
    app/push -> stable
      effect: the first adds to the graph of localhost:5000/app, the second reads it
    ");
    // It runs alone as well.
    assert_eq!(test.run("rehearse parts/publish.yaml --set TO=localhost:5000/x:v1").code, 0);
}

#[test]
fn all_of_it_is_selected_or_skipped_by_its_name() {
    let test = release();
    assert_snapshot!(test.run("rehearse plan.yaml --jobs 1 --select +app").shown(), @"
    exit code 0
    --- stderr
    release: 5 steps
    created   base      localhost:5000/app@sha256:6c69b25361a3  [TIME]
    created   app/push  localhost:5000/app@sha256:31856667fd5e  [TIME]
    created   app/note  localhost:5000/app@sha256:0b782b67aef7  [TIME]
    passed    app       [TIME]
    skipped   stable    as asked
    changed:
      created localhost:5000/app@sha256:6c69b25361a3c3188ddd9aef6e20dca1f726d5dcffe5b6819ad772a9dc57e709
      created localhost:5000/app@sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497
      created localhost:5000/app@sha256:0b782b67aef77c21169d92cff6c0ee30b3aec95298448b4f5f50cfa22acf3e09
    3 created, 1 passed, 1 skipped in [TIME]
    a real run:
      in                  needs       to
      localhost:5000/app  pull, push  create  base → sha256:6c69b25361a3
                                      create  v1 → sha256:31856667fd5e
                                      create  sha256:0b782b67aef7
                                      create  sha256:31856667fd5e
                                      create  sha256:6c69b25361a3
    ");
    assert_snapshot!(test.run("rehearse plan.yaml --jobs 1 --select base,app/push").shown(), @"
    exit code 0
    --- stderr
    release: 5 steps
    created   base      localhost:5000/app@sha256:6c69b25361a3  [TIME]
    created   app/push  localhost:5000/app@sha256:31856667fd5e  [TIME]
    skipped   app/note  as asked
    skipped   app       `app/note` was skipped
    skipped   stable    `app` was skipped
    changed:
      created localhost:5000/app@sha256:6c69b25361a3c3188ddd9aef6e20dca1f726d5dcffe5b6819ad772a9dc57e709
      created localhost:5000/app@sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497
    outputs without a value:
      digest: `app` was skipped
    2 created, 3 skipped in [TIME]
    a real run:
      in                  needs       to
      localhost:5000/app  pull, push  create  base → sha256:6c69b25361a3
                                      create  v1 → sha256:31856667fd5e
                                      create  sha256:31856667fd5e
                                      create  sha256:6c69b25361a3
    ");
    assert_snapshot!(test.run("rehearse plan.yaml --jobs 1 --skip app").shown(), @"
    exit code 2
    --- stderr
    error: `stable` uses `steps.app.digest`, and `app` is skipped
      --> plan.yaml:11:9
       |
    11 |   - id: stable
       |         ^^^^^^
       |
       = help: skip `stable` too, or do not skip `app`
    ");
}

#[test]
fn what_it_does_in_any_case_is_done_at_the_end() {
    let part = "\
consign: 1
inputs: { TO: { type: reference } }
steps:
  - id: gone
    inspect: { reference: '${{ TO }}' }
finally:
  - id: say
    push: { to: 'localhost:5000/log', files: [{ name: x, content: '${{ run.status }} ${{ steps.gone.digest | default(0) }}' }] }
";
    let plan = "\
consign: 1
steps:
  - id: part
    when: ${{ 1 == 1 }}
    include: { plan: part.yaml, with: { TO: 'localhost:5000/none:v1' } }
finally:
  - id: last
    push: { to: 'localhost:5000/log', files: [{ name: x, content: last }] }
";
    let test = Test::new(plan).file("part.yaml", part);
    assert_snapshot!(test.run("rehearse plan.yaml --jobs 1").shown(), @"
    exit code 1
    --- stderr
    plan: 4 steps
    failed    part/gone  `localhost:5000/none:v1` does not exist
      --> part.yaml:4:9
    blocked   part       part/gone failed
    created   part/say   localhost:5000/log@sha256:5a0c8c63e3c8  [TIME]
    created   last       localhost:5000/log@sha256:4b1a123bf59f  [TIME]
    changed:
      created localhost:5000/log@sha256:5a0c8c63e3c89c81286ba056018f34765c9ddb745cd821d4a4a38c60c2d841cb
      created localhost:5000/log@sha256:4b1a123bf59ffbd8a5f649e9a81d0f8c6907afb3461924c9d7f19d2e5b88d8a7
    failed:
      part/gone: `localhost:5000/none:v1` does not exist
    2 created, 1 blocked, 1 failed in [TIME]
    run it again: what succeeded is found unchanged
    a real run:
      in                   needs       to
      localhost:5000/log   pull, push  create  sha256:4b1a123bf59f
                                       create  sha256:5a0c8c63e3c8
      localhost:5000/none  pull
    ");
    let never = plan.replace("1 == 1", "1 == 2");
    assert_snapshot!(Test::new(&never).file("part.yaml", part).run("rehearse plan.yaml --jobs 1").shown(), @"
    exit code 0
    --- stderr
    plan: 4 steps
    skipped   part/gone  `when` is false
    skipped   part       `when` is false
    skipped   part/say   `when` is false
    created   last       localhost:5000/log@sha256:4b1a123bf59f  [TIME]
    changed:
      created localhost:5000/log@sha256:4b1a123bf59ffbd8a5f649e9a81d0f8c6907afb3461924c9d7f19d2e5b88d8a7
    1 created, 3 skipped in [TIME]
    a real run:
      in                  needs       to
      localhost:5000/log  pull, push  create  sha256:4b1a123bf59f
    ");
}

#[test]
fn secrets_are_given_by_name() {
    let part = "\
consign: 1
secrets: { KEY: { command: [never, asked] } }
steps:
  - id: tool
    exec: { run: [sh, -c, 'test \"$KEY\" = hush'], env: { KEY: '${{ KEY }}' }, reads: [] }
";
    let plan = "\
consign: 1
secrets: { MINE: { env: MINE } }
steps:
  - id: part
    include: { plan: part.yaml, with: { KEY: '${{ MINE }}' } }
";
    let test = Test::new(plan).file("part.yaml", part).environment("MINE", "hush");
    assert_snapshot!(test.run("run plan.yaml").shown(), @"
    exit code 0
    --- stderr
    plan: 2 steps
    passed    part/tool  sh  [TIME]
    passed    part       [TIME]
    2 passed in [TIME]
    ");
    let lacks = plan.replace(", with: { KEY: '${{ MINE }}' }", "");
    assert_snapshot!(Test::new(&lacks).file("part.yaml", part).run("check plan.yaml").shown(), @"
    exit code 2
    --- stderr
    error: `part.yaml` needs the secret `KEY`
     --> plan.yaml:5:22
      |
    5 |     include: { plan: part.yaml }
      |                      ^^^^^^^^^
      |
      = help: give it a secret of this plan: `with: { KEY: ${{ KEY }} }`
    ");
    let spelled = plan.replace("${{ MINE }}", "text");
    assert_snapshot!(Test::new(&spelled).file("part.yaml", part).run("check plan.yaml").shown(), @"
    exit code 2
    --- stderr
    error: `KEY` is a secret: it takes one, and nothing else
     --> plan.yaml:5:46
      |
    5 |     include: { plan: part.yaml, with: { KEY: 'text' } }
      |                                              ^^^^^^
      |
      = help: give it a secret of this plan: `with: { KEY: ${{ KEY }} }`
    ");
    let part = part.replace("secrets: { KEY: { command: [never, asked] } }", "inputs: { KEY: {} }");
    assert_snapshot!(Test::new(plan).file("part.yaml", &part).run("check plan.yaml").shown(), @"
    exit code 2
    --- stderr
    error: `MINE` is a secret: inputs of included plans cannot hold it
     --> plan.yaml:5:51
      |
    5 |     include: { plan: part.yaml, with: { KEY: '${{ MINE }}' } }
      |                                                   ^^^^
      |
      = help: a secret stands alone, as `${{ NAME }}`, in a field that takes one: for keys, passwords and tokens, or `env` and `stdin` of `exec`
    ");
}

#[test]
fn nobody_may_do_more_than_who_includes_it() {
    let allow = |list: &str| format!("{PLAN}allow: {{ write: [{list}] }}\n");
    let check = |plan: &str, part: &str| {
        let test = Test::new(plan).file("parts/publish.yaml", part).file("parts/app.txt", "app");
        test.run("check plan.yaml").shown()
    };
    assert_snapshot!(check(&allow("'localhost:5000/app:base'"), PUBLISH), @r#"
    exit code 2
    --- stderr
    error: `stable` writes `localhost:5000/app`, which `allow.write` does not have
      --> plan.yaml:11:9
       |
    11 |   - id: stable
       |         ^^^^^^
       |
       = help: add it: `allow: { write: ["localhost:5000/app"] }`, or a pattern that it fits

    error: `app/push` writes `localhost:5000/app`, which `allow.write` does not have
      --> parts/publish.yaml:10:9
       |
    10 |   - id: push
       |         ^^^^
       |
       = help: add it: `allow: { write: ["localhost:5000/app"] }`, or a pattern that it fits

    error: `app/note` writes `localhost:5000/app`, which `allow.write` does not have
      --> parts/publish.yaml:12:9
       |
    12 |   - id: note
       |         ^^^^
       |
       = help: add it: `allow: { write: ["localhost:5000/app"] }`, or a pattern that it fits
    "#);
    assert_snapshot!(check(&allow("'localhost:5000/**'"), PUBLISH), @"
    exit code 0
    --- stderr
    plan.yaml: 5 steps, nothing wrong
    ");
    let own = format!("{PUBLISH}allow: {{ write: ['localhost:5000/other/**'] }}\n");
    assert_snapshot!(check(&allow("'localhost:5000/**'"), &own), @r#"
    exit code 2
    --- stderr
    error: `app/push` writes `localhost:5000/app`, which `allow.write` of the plan that `app` includes does not have
      --> parts/publish.yaml:10:9
       |
    10 |   - id: push
       |         ^^^^
       |
       = help: add it: `allow: { write: ["localhost:5000/app"] }`, or a pattern that it fits

    error: `app/note` writes `localhost:5000/app`, which `allow.write` of the plan that `app` includes does not have
      --> parts/publish.yaml:12:9
       |
    12 |   - id: note
       |         ^^^^
       |
       = help: add it: `allow: { write: ["localhost:5000/app"] }`, or a pattern that it fits
    "#);
    let own = format!("{PUBLISH}allow: {{ write: ['${{{{ TO }}}}'] }}\n");
    assert_snapshot!(check(PLAN, &own), @r#"
    exit code 2
    --- stderr
    error: `app/note` writes `localhost:5000/app`, which `allow.write` of the plan that `app` includes does not have
      --> parts/publish.yaml:12:9
       |
    12 |   - id: note
       |         ^^^^
       |
       = help: add it: `allow: { write: ["localhost:5000/app"] }`, or a pattern that it fits
    "#);
}

#[test]
fn a_failure_says_where_in_which_file_and_is_gone_on_with() {
    let plan = "\
consign: 1
steps:
  - id: part
    include: { plan: parts/part.yaml, with: { TO: 'oci-layout:made:v1' } }
  - id: end
    tag: { from: 'oci-layout:made@${{ steps.part.digest }}', tags: [end] }
";
    let part = "\
consign: 1
inputs: { TO: { type: reference } }
steps:
  - id: push
    push: { to: '${{ TO }}', files: [{ path: app.txt }] }
  - id: look
    inspect: { reference: 'oci-layout:base:v1' }
outputs: { digest: '${{ steps.push.digest }}' }
";
    let test = Test::new(plan).file("parts/part.yaml", part).file("parts/app.txt", "app");
    assert_snapshot!(test.run("run plan.yaml --jobs 1").shown(), @"
    exit code 1
    --- stderr
    plan: 4 steps
    created   part/push  oci-layout:made@sha256:31856667fd5e  [TIME]
    failed    part/look  `oci-layout:base:v1` does not exist
      --> parts/part.yaml:6:9
    blocked   part       part/look failed
    blocked   end        part/look failed
    changed:
      created oci-layout:made@sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497
    failed:
      part/look: `oci-layout:base:v1` does not exist
    1 created, 2 blocked, 1 failed in [TIME]
    run it again: what succeeded is found unchanged
    go on with `consign resume`: what ended well is taken over
    ");
    let base = part.replace("'${{ TO }}'", "'oci-layout:base:v1'").replace("inputs: { TO: { type: reference } }\n", "");
    let test = test.file("parts/base.yaml", &base);
    assert_eq!(test.run("run parts/base.yaml").code, 0);
    assert_snapshot!(test.run("resume --dry-run").shown(), @"
    exit code 0
    --- stdout
    taken over  part/push  as long as what it made is there
    runs again  part/look  it failed
    runs        part       it had not begun
    runs        end        it had not begun
    ");
    assert_snapshot!(test.run("resume --jobs 1").shown(), @"
    exit code 0
    --- stderr
    plan: 4 steps
    unchanged part/push  oci-layout:made@sha256:31856667fd5e  [TIME]
    again     part/look  it failed
    passed    part/look  oci-layout:base@sha256:31856667fd5e  [TIME]
    passed    part       [TIME]
    created   end        oci-layout:made@sha256:31856667fd5e  [TIME]
    changed:
      created oci-layout:made@sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497
    1 created, 1 unchanged, 2 passed in [TIME]
    ");
    assert_snapshot!(test.run("plan plan.yaml").shown(), @"
    exit code 0
    --- stdout
    unchanged  part/push  oci-layout:made@sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497
    read       part/look  oci-layout:base@sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497
    read       part
    unchanged  end        oci-layout:made@sha256:31856667fd5ee6eb2f1499862e358f20c9366b15e27fb531424ecc437351a497

    in               needs
    oci-layout:base  pull
    oci-layout:made  pull, push

    plan: 2 unchanged, 2 read
    ");
}
