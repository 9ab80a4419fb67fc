//! What users get wrong about copies and lists of tags.

use insta::assert_snapshot;

use super::Test;

/// What users write by mistake.
const MISTAKES: &str = "consign: 1
steps:
  - id: platforms
    copy: { from: \"localhost:5000/app:v1\", to: \"localhost:5000/b:v1\", platforms: [arm64] }
  - id: word
    copy: { from: \"localhost:5000/app:v1\", to: \"localhost:5000/c:v1\", referrers: some }
  - id: key
    copy: { from: \"localhost:5000/app:v1\", to: \"localhost:5000/d:v1\", referrers: { includes: [{ artifact_type: a/b }] } }
  - id: empty
    copy: { from: \"localhost:5000/app:v1\", to: \"localhost:5000/e:v1\", referrers: { exclude: [{}], depth: 0 } }
  - id: glob
    copy: { from: \"localhost:5000/app:v1\", to: \"localhost:5000/f:v1\", referrers: { include: [{ artifact_type: \"a/[b\" }] } }
  - id: named
    copy: { from: \"localhost:5000/app:v1\", to: \"localhost:5000/g:v1\", tags: [v2], select: { match: \"*\" } }
  - id: nothing
    copy: { from: localhost:5000/app, to: localhost:5000/h, select: {} }
  - id: range
    copy: { from: localhost:5000/app, to: localhost:5000/i, select: { semver: \">=1.2 <2\", match: \"[a\", newest: 0 } }
  - id: repository
    copy: { from: localhost:5000/app, to: localhost:5000/j }
  - id: list
    list_tags: { repository: localhost:5000/app, semver: latest, match: \"[\" }
  - id: use
    inspect: { reference: \"${{ steps.range.reference }}\" }
  - id: path
    copy: { from: \"oci-archive:\", to: \"localhost:5000/k:v1\" }
";

#[test]
fn mistakes_of_copies_say_what_to_write_instead() {
    assert_snapshot!(Test::new(MISTAKES).run("check plan.yaml").shown(), @r#"
    exit code 2
    --- stderr
    error: `arm64` is not a platform: write `os/architecture` or `os/architecture/variant`, such as `linux/amd64`
     --> plan.yaml:4:83
      |
    4 |     copy: { from: "localhost:5000/app:v1", to: "localhost:5000/b:v1", platforms: [arm64] }
      |                                                                                   ^^^^^

    error: `referrers` takes `all`, `none`, or a mapping of `include`, `exclude` and `depth`, not `some`
     --> plan.yaml:6:82
      |
    6 |     copy: { from: "localhost:5000/app:v1", to: "localhost:5000/c:v1", referrers: some }
      |                                                                                  ^^^^

    error: unknown key `includes` in `referrers`
     --> plan.yaml:8:84
      |
    8 |     copy: { from: "localhost:5000/app:v1", to: "localhost:5000/d:v1", referrers: { includes: [{ artifact_type: a/b }] } }
      |                                                                                    ^^^^^^^^ did you mean `include`?
      |
      = note: referrers takes: include, exclude, depth

    error: a pattern that says nothing fits every referrer
      --> plan.yaml:10:94
       |
    10 |     copy: { from: "localhost:5000/app:v1", to: "localhost:5000/e:v1", referrers: { exclude: [{}], depth: 0 } }
       |                                                                                              ^^ say an `artifact_type` or `annotations`

    error: with `depth: 0` no referrer goes along
      --> plan.yaml:10:106
       |
    10 |     copy: { from: "localhost:5000/app:v1", to: "localhost:5000/e:v1", referrers: { exclude: [{}], depth: 0 } }
       |                                                                                                          ^ write `referrers: none`, or at least 1

    error: `a/[b` is not a glob: unclosed character class; missing ']'
      --> plan.yaml:12:111
       |
    12 |     copy: { from: "localhost:5000/app:v1", to: "localhost:5000/f:v1", referrers: { include: [{ artifact_type: "a/[b" }] } }
       |                                                                                                               ^^^^^^

    error: with `select`, `from` is a repository
      --> plan.yaml:14:19
       |
    14 |     copy: { from: "localhost:5000/app:v1", to: "localhost:5000/g:v1", tags: [v2], select: { match: "*" } }
       |                   ^^^^^^^^^^^^^^^^^^^^^^^ leave `v1` out

    error: with `select`, `to` is a repository
      --> plan.yaml:14:48
       |
    14 |     copy: { from: "localhost:5000/app:v1", to: "localhost:5000/g:v1", tags: [v2], select: { match: "*" } }
       |                                                ^^^^^^^^^^^^^^^^^^^^^ leave `v1` out

    error: with `select`, each tag is copied to the same tag
      --> plan.yaml:14:48
       |
    14 |     copy: { from: "localhost:5000/app:v1", to: "localhost:5000/g:v1", tags: [v2], select: { match: "*" } }
       |                                                ^^^^^^^^^^^^^^^^^^^^^
       |
       = help: leave `tags` out

    error: `select` says nothing
      --> plan.yaml:16:69
       |
    16 |     copy: { from: localhost:5000/app, to: localhost:5000/h, select: {} }
       |                                                                     ^^ write `{ match: "*" }` for all tags

    error: `>=1.2 <2` is not a range of versions: expected comma after minor version number, found '<'
      --> plan.yaml:18:79
       |
    18 |     copy: { from: localhost:5000/app, to: localhost:5000/i, select: { semver: ">=1.2 <2", match: "[a", newest: 0 } }
       |                                                                               ^^^^^^^^^^ write `>=1.2, <2`, `1.4.*` or `^1 || ^2`

    error: `[a` is not a glob: unclosed character class; missing ']'
      --> plan.yaml:18:98
       |
    18 |     copy: { from: localhost:5000/app, to: localhost:5000/i, select: { semver: ">=1.2 <2", match: "[a", newest: 0 } }
       |                                                                                                  ^^^^

    error: `newest: 0` selects nothing
      --> plan.yaml:18:112
       |
    18 |     copy: { from: localhost:5000/app, to: localhost:5000/i, select: { semver: ">=1.2 <2", match: "[a", newest: 0 } }
       |                                                                                                                ^ write at least 1

    error: `localhost:5000/app` names a repository, not a manifest
      --> plan.yaml:20:19
       |
    20 |     copy: { from: localhost:5000/app, to: localhost:5000/j }
       |                   ^^^^^^^^^^^^^^^^^^ add `:tag` or `@digest`
       |
       = help: `select` copies several tags of a repository

    error: `latest` is not a range of versions: unexpected character 'l' while parsing major version number
      --> plan.yaml:22:58
       |
    22 |     list_tags: { repository: localhost:5000/app, semver: latest, match: "[" }
       |                                                          ^^^^^^ write `>=1.2, <2`, `1.4.*` or `^1 || ^2`

    error: `[` is not a glob: unclosed character class; missing ']'
      --> plan.yaml:22:73
       |
    22 |     list_tags: { repository: localhost:5000/app, semver: latest, match: "[" }
       |                                                                         ^^^

    error: step `range` has no output `reference` as it stands
      --> plan.yaml:24:44
       |
    24 |     inspect: { reference: "${{ steps.range.reference }}" }
       |                                            ^^^^^^^^^ use `tags`, or say no `select` in `range`

    error: `oci-archive:` names no path: write `oci-archive:PATH` or `oci-archive:PATH:TAG`
      --> plan.yaml:26:19
       |
    26 |     copy: { from: "oci-archive:", to: "localhost:5000/k:v1" }
       |                   ^^^^^^^^^^^^^^
    "#);
}
