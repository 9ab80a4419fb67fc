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
    assert_snapshot!(test.run("rehearse plan.yaml --jobs 1 --outputs -").shown(), @"");
    assert_snapshot!(test.run("graph plan.yaml").shown(), @"");
    assert_snapshot!(test.run("graph plan.yaml --why base app/note").shown(), @"");
    assert_snapshot!(test.run("graph plan.yaml --why app/push stable").shown(), @"");
    // It runs alone as well.
    assert_eq!(test.run("rehearse parts/publish.yaml --set TO=localhost:5000/x:v1").code, 0);
}

#[test]
fn all_of_it_is_selected_or_skipped_by_its_name() {
    let test = release();
    assert_snapshot!(test.run("rehearse plan.yaml --jobs 1 --select +app").shown(), @"");
    assert_snapshot!(test.run("rehearse plan.yaml --jobs 1 --select base,app/push").shown(), @"");
    assert_snapshot!(test.run("rehearse plan.yaml --jobs 1 --skip app").shown(), @"");
}

#[test]
fn it_is_included_for_each_item() {
    let plan = "\
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
    let test = Test::new(plan).file("parts/publish.yaml", PUBLISH).file("parts/a", "a").file("parts/b", "b");
    assert_snapshot!(test.run("rehearse plan.yaml --jobs 1 --outputs -").shown(), @"");
    assert_snapshot!(test.run("rehearse plan.yaml --jobs 1 --select services[web]").shown(), @"");
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
    assert_snapshot!(test.run("rehearse plan.yaml --jobs 1").shown(), @"");
    let never = plan.replace("1 == 1", "1 == 2");
    assert_snapshot!(Test::new(&never).file("part.yaml", part).run("rehearse plan.yaml --jobs 1").shown(), @"");
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
    assert_snapshot!(test.run("run plan.yaml").shown(), @"");
    let lacks = plan.replace(", with: { KEY: '${{ MINE }}' }", "");
    assert_snapshot!(Test::new(&lacks).file("part.yaml", part).run("check plan.yaml").shown(), @"");
    let text = plan.replace("${{ MINE }}", "text");
    assert_snapshot!(Test::new(&text).file("part.yaml", part).run("check plan.yaml").shown(), @"");
    let part = part.replace("secrets: { KEY: { command: [never, asked] } }", "inputs: { KEY: {} }");
    assert_snapshot!(Test::new(plan).file("part.yaml", &part).run("check plan.yaml").shown(), @"");
}

#[test]
fn nobody_may_do_more_than_who_includes_it() {
    let allow = |list: &str| format!("{PLAN}allow: {{ write: [{list}] }}\n");
    let check = |plan: &str, part: &str| {
        let test = Test::new(plan).file("parts/publish.yaml", part).file("parts/app.txt", "app");
        test.run("check plan.yaml").shown()
    };
    assert_snapshot!(check(&allow("'localhost:5000/app:base'"), PUBLISH), @"");
    assert_snapshot!(check(&allow("'localhost:5000/**'"), PUBLISH), @"");
    let own = format!("{PUBLISH}allow: {{ write: ['localhost:5000/other/**'] }}\n");
    assert_snapshot!(check(&allow("'localhost:5000/**'"), &own), @"");
    let own = format!("{PUBLISH}allow: {{ write: ['${{{{ TO }}}}'] }}\n");
    assert_snapshot!(check(PLAN, &own), @"");
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
    assert_snapshot!(test.run("run plan.yaml --jobs 1").shown(), @"");
    let base = part.replace("'${{ TO }}'", "'oci-layout:base:v1'").replace("inputs: { TO: { type: reference } }\n", "");
    let test = test.file("parts/base.yaml", &base);
    assert_eq!(test.run("run parts/base.yaml").code, 0);
    assert_snapshot!(test.run("resume --dry-run").shown(), @"");
    assert_snapshot!(test.run("resume --jobs 1").shown(), @"");
    assert_snapshot!(test.run("plan plan.yaml").shown(), @"");
}

#[test]
fn mistakes_are_shown_where_they_stand() {
    let check = |include: &str, part: &str| {
        let plan = format!("consign: 1\ninputs: {{ OUTER: {{ default: x }} }}\nsteps:\n  - id: part\n    {include}\n");
        Test::new(&plan).file("part.yaml", part).run("check plan.yaml").shown()
    };
    let part = "consign: 1\ninputs: { TAG: { type: tag } }\nsteps:\n  - id: tags\n    list_tags: { repository: 'localhost:5000/${{ TAG }}' }\noutputs: { all: '${{ steps.tags.tags }}' }\n";
    assert_snapshot!(check("include: { path: part.yaml }", part), @"");
    assert_snapshot!(check("include: { plan: '${{ OUTER }}.yaml' }", part), @"");
    assert_snapshot!(check("include: { plan: prat.yaml }", part), @"");
    assert_snapshot!(check("include: { plan: . }", part), @"");
    assert_snapshot!(check("include: { plan: part.yaml }", part), @"");
    assert_snapshot!(check("include: { plan: part.yaml, with: { TAGS: v1 } }", part), @"");
    assert_snapshot!(check("include: { plan: part.yaml, with: { TAG: 'no tag' } }", part), @"");
    assert_snapshot!(check("include: { plan: part.yaml, with: { TAG: '${{ OUTR }}' } }", part), @"");
    assert_snapshot!(check("include: { plan: part.yaml, with: { TAG: v1 } }\n    timeout: 5m", part), @"");
    let with = "include: { plan: part.yaml, with: { TAG: v1 } }";
    // What stands outside is not known inside, and the other way round.
    assert_snapshot!(check(with, &part.replace("{ TAG }", "{ OUTER }")), @"");
    assert_snapshot!(check(&format!("{with}\n  - id: next\n    assert: {{ that: ['${{{{ steps.part.al == [] }}}}'] }}"), part), @"");
    assert_snapshot!(check(&format!("{with}\n  - id: next\n    assert: {{ that: ['${{{{ steps.tags.tags == [] }}}}'] }}"), part), @"");
    assert_snapshot!(check(&format!("{with}\n  - id: next\n    assert: {{ that: [\"${{{{ steps['part/tags'].tags == [] }}}}\"] }}"), part), @"");
    // In the file that is included.
    assert_snapshot!(check(with, &part.replace("list_tags", "list_tag")), @"");
    assert_snapshot!(check(with, &part.replace("consign: 1\n", "")), @"");
    assert_snapshot!(check(with, "consign: [1\n"), @"");
    assert_snapshot!(check(with, &format!("{part}registries: {{ 'localhost:5000': {{ plain_http: true }} }}\n")), @"");
    assert_snapshot!(check(with, "consign: 1\nsteps:\n  - id: again\n    include: { plan: ./part.yaml }\n"), @"");
    let looping = "foreach: [a, b]\n    include: { plan: part.yaml, with: { TAG: v1 } }";
    let within = part.replace("    list_tags", "    foreach: [1, 2]\n    list_tags");
    assert_snapshot!(check(looping, &within), @"");
    assert_snapshot!(check(looping, &format!("{part}finally:\n  - id: f\n    assert: {{ that: [true] }}\n")), @"");
}
