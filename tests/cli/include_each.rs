//! Plans that are included for each of several items.

use insta::assert_snapshot;

use super::{Test, include::PUBLISH};

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
    outputs without a value:
      other: `group[x].it` was skipped
    2 created, 1 passed, 13 skipped in [TIME]
    a real run:
      in                  needs       to
      localhost:5000/web  pull, push  create  v1 → sha256:4c4d23960e90
                                      create  sha256:4c4d23960e90
                                      create  sha256:a96b955ccf6c
    ");
}
