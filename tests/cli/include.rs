//! Plans that include others.

use insta::assert_snapshot;

use super::Test;

/// Publishes a file with a note about it; its own tests would run it alone.
const PUBLISH: &str = "\
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
    app       include  after app/note (data, needs)
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

const SERVICES: &str = "\
consign: 1
steps:
  - id: services
    foreach: { in: [{ name: api, file: a }, { name: web, file: b }], as: service, key: '${{ service.name }}' }
    include:
      plan: parts/publish.yaml
      with: { TO: 'localhost:5000/${{ service.name }}:v1', FILE: '${{ service.file }}' }
  - id: copy
    foreach: [api, web]
    copy:
      from: localhost:5000/${{ item }}@${{ steps.services[item].digest }}
      to: localhost:5000/stable/${{ item }}:v1
  - id: group
    foreach: [x, y]
    steps:
      - id: it
        include: { plan: parts/publish.yaml, with: { TO: 'localhost:5000/${{ item }}:v1', FILE: a } }
      - id: tag
        tag: { from: 'localhost:5000/${{ item }}@${{ steps.it.digest }}', tags: [latest] }
outputs:
  digests: ${{ steps.services | pluck('digest') }}
  one: ${{ steps.services['web'].digest }}
  other: ${{ steps.group['x'].it.note }}
";

/// A plan that is included for each of several services, and in a group.
fn services() -> Test {
    Test::new(SERVICES).file("parts/publish.yaml", PUBLISH).file("parts/a", "a").file("parts/b", "b")
}

#[test]
fn it_is_included_for_each_item() {
    let test = services();
    assert_snapshot!(test.run("rehearse plan.yaml --jobs 1 --outputs -").shown(), @r#"
    exit code 0
    --- stdout
    {
      "digests": [
        "sha256:c46fbb1e14e19f37ba92d5b4731744854106b62e9448ad660f792d9619e5d72a",
        "sha256:4c4d23960e90e34c50a209296bcdbaf7b53dd402a7d3c63723f8fd5f24f3501a"
      ],
      "one": "sha256:4c4d23960e90e34c50a209296bcdbaf7b53dd402a7d3c63723f8fd5f24f3501a",
      "other": "sha256:5f37c1d608c684a93bd093b93a1b34ea1b3223c32c4047ea82bda805d5a0ecaf"
    }
    --- stderr
    plan: 16 steps
    created   services[api]/push  localhost:5000/api@sha256:c46fbb1e14e1  [TIME]
    created   services[api]/note  localhost:5000/api@sha256:cc866f6fafe0  [TIME]
    passed    services[api]       [TIME]
    created   services[web]/push  localhost:5000/web@sha256:4c4d23960e90  [TIME]
    created   services[web]/note  localhost:5000/web@sha256:a96b955ccf6c  [TIME]
    passed    services[web]       [TIME]
    created   copy[api]           localhost:5000/stable/api@sha256:c46fbb1e14e1  [TIME]
    created   copy[web]           localhost:5000/stable/web@sha256:4c4d23960e90  [TIME]
    created   group[x].it/push    localhost:5000/x@sha256:c46fbb1e14e1  [TIME]
    created   group[x].it/note    localhost:5000/x@sha256:5f37c1d608c6  [TIME]
    passed    group[x].it         [TIME]
    created   group[x].tag        localhost:5000/x@sha256:c46fbb1e14e1  [TIME]
    created   group[y].it/push    localhost:5000/y@sha256:c46fbb1e14e1  [TIME]
    created   group[y].it/note    localhost:5000/y@sha256:b483afa37de0  [TIME]
    passed    group[y].it         [TIME]
    created   group[y].tag        localhost:5000/y@sha256:c46fbb1e14e1  [TIME]
    changed:
      created localhost:5000/api@sha256:c46fbb1e14e19f37ba92d5b4731744854106b62e9448ad660f792d9619e5d72a
      created localhost:5000/api@sha256:cc866f6fafe0e3e974e68d2298b0ef5c4d5e9340eac8b554b45baae2fd3209b5
      created localhost:5000/web@sha256:4c4d23960e90e34c50a209296bcdbaf7b53dd402a7d3c63723f8fd5f24f3501a
      created localhost:5000/web@sha256:a96b955ccf6c3d2e8aab9477095169a6a81c2fe86ca772b7f82646910df914a2
      created localhost:5000/stable/api@sha256:c46fbb1e14e19f37ba92d5b4731744854106b62e9448ad660f792d9619e5d72a
      created localhost:5000/stable/web@sha256:4c4d23960e90e34c50a209296bcdbaf7b53dd402a7d3c63723f8fd5f24f3501a
      created localhost:5000/x@sha256:c46fbb1e14e19f37ba92d5b4731744854106b62e9448ad660f792d9619e5d72a
      created localhost:5000/x@sha256:5f37c1d608c684a93bd093b93a1b34ea1b3223c32c4047ea82bda805d5a0ecaf
      created localhost:5000/x@sha256:c46fbb1e14e19f37ba92d5b4731744854106b62e9448ad660f792d9619e5d72a
      created localhost:5000/y@sha256:c46fbb1e14e19f37ba92d5b4731744854106b62e9448ad660f792d9619e5d72a
      created localhost:5000/y@sha256:b483afa37de0c61ae47b1853ae516aa703aac0b3132721a2ee2adc1abec4580f
      created localhost:5000/y@sha256:c46fbb1e14e19f37ba92d5b4731744854106b62e9448ad660f792d9619e5d72a
    12 created, 4 passed in [TIME]
    a real run:
      in                         needs       to
      localhost:5000/api         pull, push  create  v1 → sha256:c46fbb1e14e1
                                             create  sha256:c46fbb1e14e1
                                             create  sha256:cc866f6fafe0
      localhost:5000/stable/api  pull, push  create  v1 → sha256:c46fbb1e14e1
                                             create  sha256:c46fbb1e14e1
                                             create  sha256:cc866f6fafe0
      localhost:5000/stable/web  pull, push  create  v1 → sha256:4c4d23960e90
                                             create  sha256:4c4d23960e90
                                             create  sha256:a96b955ccf6c
      localhost:5000/web         pull, push  create  v1 → sha256:4c4d23960e90
                                             create  sha256:4c4d23960e90
                                             create  sha256:a96b955ccf6c
      localhost:5000/x           pull, push  create  latest → sha256:c46fbb1e14e1
                                             create  v1 → sha256:c46fbb1e14e1
                                             create  sha256:5f37c1d608c6
                                             create  sha256:c46fbb1e14e1
      localhost:5000/y           pull, push  create  latest → sha256:c46fbb1e14e1
                                             create  v1 → sha256:c46fbb1e14e1
                                             create  sha256:b483afa37de0
                                             create  sha256:c46fbb1e14e1
    "#);
}

#[test]
fn one_item_is_selected_with_all_that_is_included_for_it() {
    assert_snapshot!(services().run("rehearse plan.yaml --jobs 1 --select services[web]").shown(), @"
    exit code 0
    --- stderr
    plan: 16 steps
    skipped   services[api]/push  as asked
    skipped   services[api]/note  `services[api]/push` was skipped
    skipped   services[api]       `services[api]/note` was skipped
    skipped   copy[api]           `services[api]` was skipped
    skipped   group[x].it/push    as asked
    skipped   group[x].it/note    `group[x].it/push` was skipped
    skipped   group[x].it         `group[x].it/note` was skipped
    skipped   group[x].tag        `group[x].it` was skipped
    skipped   group[y].it/push    as asked
    skipped   group[y].it/note    `group[y].it/push` was skipped
    skipped   group[y].it         `group[y].it/note` was skipped
    skipped   group[y].tag        `group[y].it` was skipped
    created   services[web]/push  localhost:5000/web@sha256:4c4d23960e90  [TIME]
    created   services[web]/note  localhost:5000/web@sha256:a96b955ccf6c  [TIME]
    passed    services[web]       [TIME]
    skipped   copy[web]           as asked
    changed:
      created localhost:5000/web@sha256:4c4d23960e90e34c50a209296bcdbaf7b53dd402a7d3c63723f8fd5f24f3501a
      created localhost:5000/web@sha256:a96b955ccf6c3d2e8aab9477095169a6a81c2fe86ca772b7f82646910df914a2
    2 created, 1 passed, 13 skipped in [TIME]
    a real run:
      in                  needs       to
      localhost:5000/web  pull, push  create  v1 → sha256:4c4d23960e90
                                      create  sha256:4c4d23960e90
                                      create  sha256:a96b955ccf6c
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

/// What is said of a step with that `include`, in a plan beside that part.
fn check(include: &str, part: &str) -> String {
    let plan = format!("consign: 1\ninputs: {{ OUTER: {{ default: x }} }}\nsteps:\n  - id: part\n    {include}\n");
    Test::new(&plan).file("part.yaml", part).run("check plan.yaml").shown()
}

const PART: &str = "\
consign: 1
inputs: { TAG: { type: tag } }
steps:
  - id: tags
    list_tags: { repository: 'localhost:5000/${{ TAG }}' }
outputs: { all: '${{ steps.tags.tags }}' }
";

const WITH: &str = "include: { plan: part.yaml, with: { TAG: v1 } }";

#[test]
fn mistakes_are_shown_where_they_stand() {
    assert_snapshot!(check("include: { path: part.yaml }", PART), @"
    exit code 2
    --- stderr
    error: unknown key `path` in include
     --> plan.yaml:5:16
      |
    5 |     include: { path: part.yaml }
      |                ^^^^
      |
      = note: include takes: plan, with
    ");
    assert_snapshot!(check("include: { plan: '${{ OUTER }}.yaml' }", PART), @"
    exit code 2
    --- stderr
    error: `plan` is written out: an expression cannot say which plan it is
     --> plan.yaml:5:22
      |
    5 |     include: { plan: '${{ OUTER }}.yaml' }
      |                      ^^^^^^^^^^^^^^^^^^^
      |
      = help: include each of them, each in a step of its own with a `when`
    ");
    assert_snapshot!(check("include: { plan: prat.yaml }", PART), @"
    exit code 2
    --- stderr
    error: file not found: `prat.yaml`
     --> plan.yaml:5:22
      |
    5 |     include: { plan: prat.yaml }
      |                      ^^^^^^^^^
      |
      = note: paths are relative to the plan's folder, [FOLDER]
    ");
    assert_snapshot!(check("include: { plan: . }", PART), @"
    exit code 2
    --- stderr
    error: `.` is no file
     --> plan.yaml:5:22
      |
    5 |     include: { plan: . }
      |                      ^
      |
      = help: name the plan in it
    ");
}

#[test]
fn what_a_plan_takes_is_held_to_what_it_is_given() {
    assert_snapshot!(check("include: { plan: part.yaml }", PART), @"
    exit code 2
    --- stderr
    error: `part.yaml` needs a value for `TAG`
     --> plan.yaml:5:22
      |
    5 |     include: { plan: part.yaml }
      |                      ^^^^^^^^^
      |
      = help: give it one: `with: { TAG: … }`
    ");
    assert_snapshot!(check("include: { plan: part.yaml, with: { TAGS: v1 } }", PART), @"
    exit code 2
    --- stderr
    error: `part.yaml` needs a value for `TAG`
     --> plan.yaml:5:22
      |
    5 |     include: { plan: part.yaml, with: { TAGS: v1 } }
      |                      ^^^^^^^^^
      |
      = help: give it one: `with: { TAG: … }`

    error: `part.yaml` has no input `TAGS`
     --> plan.yaml:5:41
      |
    5 |     include: { plan: part.yaml, with: { TAGS: v1 } }
      |                                         ^^^^ did you mean `TAG`?
      |
      = note: it takes: TAG
    ");
    assert_snapshot!(check("include: { plan: part.yaml, with: { TAG: 'no tag' } }", PART), @"
    exit code 2
    --- stderr
    error: input `TAG`: `no tag` is not a tag: use at most 128 letters, digits, `_`, `.` and `-`, not starting with `.` or `-`
     --> plan.yaml:5:46
      |
    5 |     include: { plan: part.yaml, with: { TAG: 'no tag' } }
      |                                              ^^^^^^^^
    ");
    assert_snapshot!(check("include: { plan: part.yaml, with: { TAG: '${{ OUTR }}' } }", PART), @"
    exit code 2
    --- stderr
    error: no such name `OUTR`
     --> plan.yaml:5:51
      |
    5 |     include: { plan: part.yaml, with: { TAG: '${{ OUTR }}' } }
      |                                                   ^^^^ did you mean `OUTER`?
    ");
    assert_snapshot!(check("include: { plan: part.yaml, with: { TAG: v1 } }\n    timeout: 5m", PART), @"
    exit code 2
    --- stderr
    error: an included plan has no `timeout`
     --> plan.yaml:4:9
      |
    4 |   - id: part
      |         ^^^^
      |
      = help: say it in its steps or in its `defaults`
    ");
}

#[test]
fn names_are_known_on_one_side_alone() {
    // What stands outside is not known inside, and the other way round.
    assert_snapshot!(check(WITH, &PART.replace("{ TAG }", "{ OUTER }")), @"
    exit code 2
    --- stderr
    error: no such name `OUTER`
     --> part.yaml:5:50
      |
    5 |     list_tags: { repository: 'localhost:5000/${{ OUTER }}' }
      |                                                  ^^^^^
      |
      = help: an included plan knows its own names alone: declare it under `inputs` there, and give it a value with `with`
    ");
    assert_snapshot!(check(&format!("{WITH}\n  - id: next\n    assert: {{ that: ['${{{{ steps.part.al == [] }}}}'] }}"), PART), @"
    exit code 2
    --- stderr
    error: step `part` has no output `al`
     --> plan.yaml:7:38
      |
    7 |     assert: { that: ['${{ steps.part.al == [] }}'] }
      |                                      ^^ did you mean `all`?
      |
      = help: `part` includes `part.yaml`; it has: all, outcome, changed
    ");
    assert_snapshot!(check(&format!("{WITH}\n  - id: next\n    assert: {{ that: ['${{{{ steps.tags.tags == [] }}}}'] }}"), PART), @"
    exit code 2
    --- stderr
    error: there is no step `tags`
     --> plan.yaml:7:33
      |
    7 |     assert: { that: ['${{ steps.tags.tags == [] }}'] }
      |                                 ^^^^
    ");
    assert_snapshot!(check(&format!("{WITH}\n  - id: next\n    assert: {{ that: [\"${{{{ steps['part/tags'].tags == [] }}}}\"] }}"), PART), @r#"
    exit code 2
    --- stderr
    error: there is no step `part/tags`
     --> plan.yaml:7:33
      |
    7 |     assert: { that: ["${{ steps['part/tags'].tags == [] }}"] }
      |                                 ^^^^^^^^^^^
    "#);
}

#[test]
fn what_is_wrong_in_an_included_file_is_shown_there() {
    assert_snapshot!(check(WITH, &PART.replace("list_tags", "list_tag")), @"
    exit code 2
    --- stderr
    error: unknown key `list_tag` in a step
     --> part.yaml:5:5
      |
    5 |     list_tag: { repository: 'localhost:5000/${{ TAG }}' }
      |     ^^^^^^^^ did you mean `list_tags`?
      |
      = note: a step takes: id, description, foreach, when, needs, timeout, retry, continue_on_error, assert, attach, attest, copy, delete, discover, exec, image, include, index, inspect, list_tags, pull, push, sign, tag, verify
    ");
    assert_snapshot!(check(WITH, &PART.replace("consign: 1\n", "")), @"
    exit code 2
    --- stderr
    error: the plan has no `consign`
     --> part.yaml:1:1
      |
    1 | inputs: { TAG: { type: tag } }
      | ^
      |
      = help: say which version of the language it is written in: `consign: 1`
    ");
    assert_snapshot!(check(WITH, "consign: [1\n"), @"
    exit code 2
    --- stderr
    error: this `[` is never closed
     --> part.yaml:1:10
      |
    1 | consign: [1
      |          ^
    ");
    assert_snapshot!(check(WITH, &format!("{PART}registries: {{ 'localhost:5000': {{ plain_http: true }} }}\n")), @"
    exit code 2
    --- stderr
    error: an included plan says nothing about registries
     --> part.yaml:7:15
      |
    7 | registries: { 'localhost:5000': { plain_http: true } }
      |               ^^^^^^^^^^^^^^^^
      |
      = help: say it in the plan that runs
    ");
    assert_snapshot!(check(WITH, "consign: 1\nsteps:\n  - id: again\n    include: { plan: ./part.yaml }\n"), @"
    exit code 2
    --- stderr
    error: `part.yaml` has no input `TAG`
     --> plan.yaml:5:41
      |
    5 |     include: { plan: part.yaml, with: { TAG: v1 } }
      |                                         ^^^
      |
      = note: it takes: nothing

    error: `./part.yaml` includes itself
     --> part.yaml:4:22
      |
    4 |     include: { plan: ./part.yaml }
      |                      ^^^^^^^^^^^
      |
      = note: part.yaml → ./part.yaml
    ");
}

#[test]
fn loops_and_finally_do_not_stand_in_loops() {
    let looping = "foreach: [a, b]\n    include: { plan: part.yaml, with: { TAG: v1 } }";
    let within = PART.replace("    list_tags", "    foreach: [1, 2]\n    list_tags");
    assert_snapshot!(check(looping, &within), @"
    exit code 2
    --- stderr
    error: a plan with a `foreach` cannot be included in a `foreach`
     --> part.yaml:4:9
      |
    4 |   - id: tags
      |         ^^^^ this one
      |
      = help: make the items of one `foreach` of both lists
    ");
    assert_snapshot!(check(looping, &format!("{PART}finally:\n  - id: f\n    assert: {{ that: [true] }}\n")), @"
    exit code 2
    --- stderr
    error: a plan with `finally` cannot be included in a `foreach`
     --> part.yaml:8:9
      |
    8 |   - id: f
      |         ^ this runs once, whatever happened
      |
      = help: put it into the `finally` of the plan that includes it
    ");
}
