//! Reports of real runs: `JUnit` by the rules of its schema, and files that cannot be written.

use std::{collections::BTreeMap, fs};

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};
use regex::Regex;

use super::Test;

/// What an element may have: its attributes, with those that it must have, its children, and whether text may stand in it.
///
/// The rules of `junit-10.xsd` of Jenkins's xUnit plugin, those that bear on what can be written here.
struct Rule {
    required: &'static [&'static str],
    optional: &'static [&'static str],
    children: &'static [&'static str],
    has_text: bool,
}

const TIME: &str = r"^(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]{0,3})?$";

fn rules() -> BTreeMap<&'static str, Rule> {
    let message = || Rule { required: &[], optional: &["type", "message"], children: &[], has_text: true };
    let rerun = || Rule {
        required: &["type"],
        optional: &["message"],
        children: &["stackTrace", "system-out", "system-err"],
        has_text: true,
    };
    let text = || Rule { required: &[], optional: &[], children: &[], has_text: true };
    BTreeMap::from([
        (
            "testsuites",
            Rule {
                required: &[],
                optional: &["name", "time", "tests", "failures", "errors"],
                children: &["testsuite"],
                has_text: false,
            },
        ),
        (
            "testsuite",
            Rule {
                required: &["name", "tests", "failures", "errors"],
                optional: &[
                    "group",
                    "time",
                    "skipped",
                    "timestamp",
                    "hostname",
                    "id",
                    "package",
                    "file",
                    "log",
                    "url",
                    "version",
                ],
                children: &["testsuite", "properties", "testcase", "system-out", "system-err"],
                has_text: false,
            },
        ),
        ("properties", Rule { required: &[], optional: &[], children: &["property"], has_text: false }),
        ("property", Rule { required: &["name", "value"], optional: &[], children: &[], has_text: false }),
        (
            "testcase",
            Rule {
                required: &["name"],
                optional: &["time", "classname", "group"],
                children: &[
                    "skipped",
                    "error",
                    "failure",
                    "rerunFailure",
                    "rerunError",
                    "flakyFailure",
                    "flakyError",
                    "system-out",
                    "system-err",
                ],
                has_text: false,
            },
        ),
        ("skipped", message()),
        ("error", message()),
        ("failure", message()),
        ("rerunError", rerun()),
        ("flakyError", rerun()),
        ("system-out", text()),
        ("system-err", text()),
    ])
}

/// What is wrong with a file, and how often each element is in it.
fn check(xml: &str) -> (Vec<String>, BTreeMap<String, usize>) {
    let (rules, time) = (rules(), Regex::new(TIME).unwrap());
    let (mut wrong, mut counts, mut open) = (Vec::new(), BTreeMap::new(), Vec::<String>::new());
    let mut reader = Reader::from_str(xml);
    loop {
        let event = reader.read_event().unwrap();
        match &event {
            Event::Eof => break,
            Event::Start(start) | Event::Empty(start) => {
                let name = start.name().as_ref().to_owned();
                *counts.entry(name.clone()).or_default() += 1;
                match (rules.get(name.as_str()), open.last()) {
                    (None, _) => wrong.push(format!("`{name}` is not known")),
                    (Some(_), Some(parent)) if !rules[parent.as_str()].children.contains(&name.as_str()) => {
                        wrong.push(format!("`{name}` in `{parent}`"));
                    }
                    (Some(_), None) if name != "testsuites" => wrong.push(format!("`{name}` at the top")),
                    (Some(rule), _) => wrong.extend(check_attributes(start, rule, &time)),
                }
                if matches!(event, Event::Start(_)) {
                    open.push(name);
                }
            }
            Event::End(_) => drop(open.pop()),
            Event::Text(text) => {
                let is_text = open.last().is_some_and(|name| rules[name.as_str()].has_text);
                if !is_text && !text.trim().is_empty() {
                    wrong.push(format!("text in {open:?}: {}", &**text));
                }
            }
            Event::Decl(_) | Event::GeneralRef(_) => {}
            other => wrong.push(format!("{other:?}")),
        }
    }
    (wrong, counts)
}

fn check_attributes(start: &BytesStart<'_>, rule: &Rule, time: &Regex) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut names = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.unwrap();
        let name = attribute.key.as_ref().to_owned();
        if !rule.required.contains(&name.as_str()) && !rule.optional.contains(&name.as_str()) {
            wrong.push(format!("attribute `{name}`"));
        }
        if name == "time" && !time.is_match(&attribute.value) {
            wrong.push(format!("time `{}`", attribute.value));
        }
        names.push(name);
    }
    let missing = rule.required.iter().filter(|name| !names.iter().any(|known| known == *name));
    wrong.extend(missing.map(|name| format!("attribute `{name}` is missing")));
    wrong
}

/// A plan in which steps succeed, are tried again, fail, say no, are blocked and skipped.
fn plan() -> Test {
    Test::new(
        "consign: 1
name: \"every <kind> of & end\"
steps:
  - id: app
    push: { to: \"localhost:5000/app:v1\", files: [{ content: app, name: \"<app>.txt\" }] }
  - id: sbom
    attach: { subject: \"localhost:5000/app:v1\", artifact_type: sbom/example, annotations: { a: \"</script>\" } }
  - id: tree
    discover: { subject: \"localhost:5000/app:v1\", print: tree }
  - id: missing
    inspect: { reference: \"localhost:5001/app:v2\" }
  - id: blocked
    inspect: { reference: \"${{ steps.missing.reference }}\" }
  - id: skipped
    inspect: { reference: \"localhost:5000/app:v1\" }
  - id: gate
    discover: { subject: \"localhost:5000/app:v1\", expect: 7 }
outputs:
  digest: ${{ steps.app.digest }}
  kind: a <b> & c
",
    )
}

const RUN: &str = "rehearse plan.yaml --keep-going --skip skipped --fault push:503*1 --progress none";

fn report(format: &str) -> String {
    let test = plan();
    let ran = test.run(&format!("{RUN} --report {format}=report"));
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    fs::read_to_string(test.path("report")).unwrap()
}

#[test]
fn junit_fits_its_schema() {
    let xml = report("junit");
    let (wrong, counts) = check(&xml);
    assert_eq!(wrong, Vec::<String>::new(), "{xml}");
    let expected = [
        ("error", 1),
        ("failure", 1),
        ("flakyError", 1),
        ("properties", 1),
        ("property", 2),
        ("skipped", 2),
        ("system-out", 1),
        ("testcase", 7),
        ("testsuite", 1),
        ("testsuites", 1),
    ];
    assert_eq!(counts, expected.map(|(name, count)| (name.to_owned(), count)).into_iter().collect(), "{xml}");
    let suite = "name=\"every &lt;kind&gt; of &amp; end\" tests=\"7\" failures=\"1\" errors=\"1\" time=";
    assert_eq!(xml.matches(suite).count(), 2, "{xml}");
    assert!(xml.contains("<skipped message=\"missing failed\" type=\"blocked\"/>"), "{xml}");
}

#[test]
fn the_schema_check_finds_what_is_wrong() {
    let xml = report("junit");
    for (from, to, expected) in [
        ("<testcase ", "<testcase file=\"a\" ", "attribute `file`"),
        ("<skipped ", "<ignored ", "`ignored` is not known"),
        ("<testsuite ", "<testcase name=\"a\"/><testsuite ", "`testcase` in `testsuites`"),
        (
            " tests=\"7\" failures=\"1\" errors=\"1\" time=\"",
            " failures=\"1\" errors=\"1\" time=\"1.2345",
            "time `1.2345",
        ),
        ("</testcase>", "text</testcase>", "text in"),
    ] {
        let (wrong, _) = check(&xml.replace(from, to));
        assert!(wrong.iter().any(|wrong| wrong.starts_with(expected)), "{expected}: {wrong:?}");
    }
}

#[test]
fn every_format_at_once() {
    let test = plan();
    let reports = ["junit", "markdown", "json", "html"].map(|format| format!("--report {format}=out.{format}"));
    let ran = test.run(&format!("{RUN} {}", reports.join(" ")));
    assert_eq!((ran.code, ran.stderr.as_str()), (3, ""));
    let read = |format: &str| fs::read_to_string(test.path(&format!("out.{format}"))).unwrap();
    assert!(read("markdown").starts_with("### every \\<kind\\> of \\& end: 2 created, "), "{}", read("markdown"));
    let page = read("html");
    assert!(page.contains("<h1>every &lt;kind&gt; of &amp; end</h1>") && page.contains("&lt;app&gt;.txt"), "{page}");
    assert_eq!((page.matches("<script").count(), page.matches("</html>").count()), (1, 1));
    let result: serde_json::Value = serde_json::from_str(&read("json")).unwrap();
    assert_eq!((&result["exit_code"], &result["outputs"]["kind"]), (&3.into(), &"a <b> & c".into()));
    assert_eq!(result["steps"][0]["retries"][0]["attempt"], 1);
}

#[test]
fn a_report_that_cannot_be_written_is_found_before_the_run() {
    let shown = |report: &str| plan().run(&format!("{RUN} --report {report}")).shown();
    insta::assert_snapshot!(shown("json=nowhere/result.json"), @"
    exit code 2
    --- stderr
    error: cannot write nowhere/result.json: No such file or directory (os error 2)
    ");
    insta::assert_snapshot!(shown("pdf=a"), @"
    exit code 2
    --- stderr
    error: invalid value 'pdf=a' for '--report <FORMAT=FILE>': there is no format `pdf`; there are `dotenv`, `html`, `json`, `junit`, `markdown`

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(shown("html"), @"
    exit code 2
    --- stderr
    error: invalid value 'html' for '--report <FORMAT=FILE>': write `html=FILE`

    For more information, try '--help'.
    ");
}

#[test]
fn gitlab_takes_outputs_of_one_word() {
    let test = plan();
    let ran = test.run(&format!("{RUN} --report dotenv=out.env"));
    insta::assert_snapshot!(ran.shown(), @"
    exit code 3
    --- stdout
    localhost:5000/app:v1
    └── sbom/example
        └── sha256:491f2198df87e8f791c604b68e4fdbcce87ed86d308539e9bc3d98508bc99371
    --- stderr
    error: out.env: left out `kind`: a dotenv report holds no spaces and no line ends; `--outputs FILE` has all outputs
    ");
    insta::assert_snapshot!(fs::read_to_string(test.path("out.env")).unwrap(), @"digest=sha256:384b3d79aa5309448d009c2f983009656d40cdbcf7aa21812329c5521ee7b1eb");
}
