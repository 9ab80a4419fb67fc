//! The schema accepts what consign accepts, refuses what editors can see, and explains every field.

use std::fs;

use consign::step::KINDS;
use jsonschema::Validator;
use serde_json::{Value, json};

use super::{consign, consign_in, plans, read, yaml};

fn schema() -> Value {
    serde_json::from_str(&consign(&["schema"]).stdout).unwrap()
}

fn validator() -> Validator {
    jsonschema::validator_for(&schema()).unwrap()
}

#[track_caller]
fn accepts(validator: &Validator, plan: &Value) {
    let errors: Vec<_> =
        validator.iter_errors(plan).map(|error| format!("{error} at {}", error.instance_path())).collect();
    assert_eq!(errors, Vec::<String>::new(), "{plan:#}");
}

/// A plan of one step.
fn plan_of(step: &str) -> Value {
    json!({ "consign": 1, "steps": [yaml(step)] })
}

#[test]
fn the_schema_files_are_what_the_program_prints() {
    assert_eq!(read("schemas/plan-1.schema.json"), consign(&["schema"]).stdout);
    assert_eq!(read("schemas/plan-1.schema.json"), consign(&["schema", "plan"]).stdout);
    assert_eq!(read("schemas/event-1.schema.json"), consign(&["schema", "event"]).stdout);
    assert_eq!(read("schemas/result-1.schema.json"), consign(&["schema", "result"]).stdout);
}

/// The schema in that file, which is one.
fn in_file(name: &str) -> Validator {
    let schema = serde_json::from_str(&read(&format!("schemas/{name}-1.schema.json"))).unwrap();
    assert!(jsonschema::meta::is_valid(&schema), "{name}");
    jsonschema::validator_for(&schema).unwrap()
}

/// Runs that succeed, fail, and meet faults.
fn runs() -> Vec<Vec<String>> {
    let faults = ["503*2", "cut:upload", "503*100"].map(|fault| format!("--fault={fault}"));
    let extra = [&[String::new()], &faults[..], &["--keep-going".to_owned()]].concat();
    let run = |plan: &String, extra: &String| {
        let arguments = ["rehearse", plan, extra].into_iter().filter(|argument| !argument.is_empty());
        arguments.map(str::to_owned).collect()
    };
    plans().iter().flat_map(|plan| extra.iter().map(move |extra| run(plan, extra))).collect()
}

#[test]
fn events_and_results_of_real_runs_fit_their_schemas() {
    let (validator, of_result) = (in_file("event"), in_file("result"));
    let folder = tempfile::tempdir().unwrap();
    let result = folder.path().join("result.json");
    let report = format!("--report=json={}", result.to_str().unwrap());
    for run in runs() {
        let arguments: Vec<_> = run.iter().map(String::as_str).chain(["--events", "-", &report]).collect();
        let said = consign(&arguments);
        let result: Value = serde_json::from_str(&std::fs::read_to_string(&result).unwrap()).unwrap();
        assert_eq!(result["exit_code"], said.code.unwrap());
        accepts(&of_result, &result);
        assert!(said.stdout.lines().count() > 2, "{run:?}: {}", said.stderr);
        for line in said.stdout.lines() {
            accepts(&validator, &serde_json::from_str(line).unwrap());
        }
    }
    for wrong in [json!({}), json!({ "event": "step_started", "at_ms": 1 }), json!({ "event": "else", "at_ms": 1 })] {
        assert!(!validator.is_valid(&wrong), "{wrong}");
    }
}

#[test]
fn the_schema_is_a_schema() {
    assert!(jsonschema::meta::is_valid(&schema()));
}

#[test]
fn every_plan_fits_the_schema() {
    let validator = validator();
    for plan in plans() {
        accepts(&validator, &yaml(&read(&plan)));
    }
}

#[test]
fn every_example_fits_the_schema() {
    let validator = validator();
    for kind in KINDS {
        accepts(&validator, &json!({ "consign": 1, "steps": [{ "id": "example", kind.name: yaml(kind.example) }] }));
    }
}

#[test]
fn text_may_look_like_a_number() {
    let step = "{ id: a, push: { to: 'localhost:5000/x', annotations: { a: 1, b: true }, tags: [1, 1.10], files: [{ name: a, content: 12 }] } }";
    accepts(&validator(), &plan_of(step));
}

#[test]
fn registries_and_secrets_fit_the_schema() {
    let plan = yaml(
        "{ consign: 1, steps: [], secrets: { A: { env: A }, B: { command: [a, b] } }, registries: { '${{ HOST }}': \
         { ca_file: ca.pem, mirrors: [a.io/b], concurrency: 4, rate: 1/s, username: me, password: '${{ A }}', \
         referrers: api }, 'a:1': { plain_http: true } } }",
    );
    accepts(&validator(), &plan);
}

#[test]
fn mistakes_do_not_fit_the_schema() {
    let validator = validator();
    let mistakes = [
        ("an unknown key", "{ id: a, inspect: { reference: 'localhost:5000/x:1', prnt: manifest } }"),
        ("an unknown kind", "{ id: a, pusch: { to: 'localhost:5000/x' } }"),
        (
            "two kinds",
            "{ id: a, inspect: { reference: 'localhost:5000/x:1' }, delete: { reference: 'localhost:5000/x:1' } }",
        ),
        ("no kind", "{ id: a }"),
        ("no id", "{ inspect: { reference: 'localhost:5000/x:1' } }"),
        ("a hyphen in an id", "{ id: a-b, inspect: { reference: 'localhost:5000/x:1' } }"),
        ("a missing field", "{ id: a, push: { to: 'localhost:5000/x' } }"),
        ("an empty value", "{ id: a, inspect: { reference: } }"),
        ("a value that is not one of those", "{ id: a, inspect: { reference: 'localhost:5000/x:1', print: tree } }"),
        ("text for a boolean", "{ id: a, delete: { reference: 'localhost:5000/x:1', graph: sure } }"),
        ("one for a list", "{ id: a, tag: { from: 'localhost:5000/x:1', tags: v1 } }"),
        ("a file of two things", "{ id: a, push: { to: 'localhost:5000/x', files: [{ path: a, content: b }] } }"),
        ("content without a name", "{ id: a, push: { to: 'localhost:5000/x', files: [{ content: b }] } }"),
        ("an artifact that says nothing", "{ id: a, attach: { subject: 'localhost:5000/x:1', artifact_type: a/b } }"),
    ];
    for (what, step) in mistakes {
        assert!(!validator.is_valid(&plan_of(step)), "{what} fits");
    }
    let retry = json!({ "retry": { "max": 3, "budget": "1m30s" } });
    accepts(&validator, &json!({ "consign": 1, "steps": [], "defaults": retry }));
    for (what, plan) in [
        ("no tries", json!({ "consign": 1, "steps": [], "defaults": { "retry": { "max": 0 } } })),
        ("a time without a unit", json!({ "consign": 1, "steps": [], "defaults": { "retry": { "budget": 5 } } })),
        ("an empty time", json!({ "consign": 1, "steps": [], "defaults": { "retry": { "budget": "" } } })),
        ("no version", json!({ "steps": [] })),
        ("another version", json!({ "consign": 2, "steps": [] })),
        ("no steps", json!({ "consign": 1 })),
        ("an unknown key", json!({ "consign": 1, "steps": [], "outptus": {} })),
        (
            "a password that is no secret",
            json!({ "consign": 1, "steps": [], "registries": { "a": { "password": "x" } } }),
        ),
        ("a secret itself", json!({ "consign": 1, "steps": [], "secrets": { "A": "hunter2" } })),
        ("an unknown type", json!({ "consign": 1, "steps": [], "inputs": { "A": { "type": "number" } } })),
    ] {
        assert!(!validator.is_valid(&plan), "{what} fits");
    }
}

/// The definitions that the kinds of steps are made of, and the fields of each.
fn fields(schema: &Value) -> Vec<(String, String, Value)> {
    let definitions = schema["$defs"].as_object().unwrap();
    let own = definitions.iter().filter(|(name, _)| name.starts_with(|first: char| first.is_uppercase()));
    let fields = own.flat_map(|(name, definition)| {
        let fields = definition["properties"].as_object().into_iter().flatten();
        fields.map(|(field, schema)| (name.clone(), field.clone(), schema.clone())).collect::<Vec<_>>()
    });
    fields.collect()
}

#[test]
fn an_expression_may_stand_wherever_a_value_may() {
    let schema = schema();
    assert!(fields(&schema).len() > 50);
    for (definition, field, _) in fields(&schema) {
        let part = json!({
            "$ref": format!("#/$defs/{definition}/properties/{field}"),
            "$defs": schema["$defs"],
        });
        let validator = jsonschema::validator_for(&part).unwrap();
        assert!(validator.is_valid(&json!("${{ X }}")), "{definition}.{field}");
        let takes_anything = ["json", "stdout"].contains(&field.as_str());
        assert!(takes_anything || !validator.is_valid(&Value::Null), "{definition}.{field}");
    }
    let that = plan_of("{ id: a, assert: { that: ['${{ steps.x.count == 3 }}', true] } }");
    accepts(&validator(), &that);
}

#[test]
fn every_field_and_definition_is_described() {
    let schema = schema();
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        assert!(definition["description"].is_string(), "{name}");
    }
    let step = schema["$defs"]["step"]["properties"].as_object().unwrap().clone();
    let input = schema["$defs"]["input"]["properties"].as_object().unwrap().clone();
    let top = schema["properties"].as_object().unwrap().clone();
    let base = [("step", step), ("input", input), ("plan", top)];
    let base = base
        .into_iter()
        .flat_map(|(of, fields)| fields.into_iter().map(move |(name, field)| (of.to_owned(), name, field)));
    for (of, name, field) in base.chain(fields(&schema)) {
        assert!(field["description"].as_str().is_some_and(|text| text.ends_with(['.', '`'])), "{of}.{name}");
    }
}

#[test]
fn no_description_shows_what_it_is_written_in() {
    let text = consign(&["schema"]).stdout;
    let kinds: String = KINDS.iter().map(|kind| consign(&["kinds", kind.name]).stdout).collect();
    for rust in ["::", "[`", "`]", "Option<", "Vec<", "Spanned", "Some(", "uint", "Self", "&str"] {
        assert!(!text.contains(rust) && !kinds.contains(rust), "{rust}");
    }
}

/// Every key that the schema lists, anywhere: where it stands, and what is said of it.
fn keys(at: &str, schema: &Value, found: &mut Vec<(String, Value)>) {
    for (name, key) in schema["properties"].as_object().into_iter().flatten() {
        found.push((format!("{at}/properties/{name}"), key.clone()));
    }
    match schema {
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| !["examples", "enum", "const", "default"].contains(&name.as_str()))
            .for_each(|(name, member)| keys(&format!("{at}/{name}"), member, found)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(place, item)| keys(&format!("{at}/{place}"), item, found));
        }
        _ => {}
    }
}

#[test]
fn every_key_is_described_and_its_examples_fit() {
    let schema = schema();
    let mut found = Vec::new();
    keys("", &schema, &mut found);
    assert!(found.len() > 150);
    for (at, key) in found {
        assert!(key["description"].as_str().is_some_and(|text| text.ends_with(['.', '`'])), "{at}");
        let examples = key["examples"].as_array();
        // The fields of `verify` stand in `copy` too, which shows them there.
        assert!(examples.is_some_and(|examples| !examples.is_empty()) || at.ends_with("/consign"), "{at}");
        let part = part(&schema, &at);
        let validator = jsonschema::validator_for(&part).unwrap();
        for example in examples.into_iter().flatten() {
            assert!(validator.is_valid(example), "{at}: {example}");
        }
    }
}

#[test]
fn the_plan_that_the_examples_are_from_is_right() {
    let plan = read("src/cli/schema_examples/plan.yaml");
    accepts(&validator(), &yaml(&plan));
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("plan.yaml", &plan);
    write("languages.json", "[\"de\", \"en\"]");
    write("keys/password", "x");
    write("upstream/oci-layout", "{ \"imageLayoutVersion\": \"1.0.0\" }");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    write("certificates/house.pem", &made.cert.pem());
    write("certificates/client.pem", &made.cert.pem());
    write("certificates/client.key", &made.signing_key.serialize_pem());
    let said = consign_in(folder.path(), &["check", "plan.yaml"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(0), ""), "{}", said.stderr);
}

/// The schema of what stands at that place.
fn part(schema: &Value, at: &str) -> Value {
    let mut part = json!({ "$ref": format!("#{at}"), "$defs": schema["$defs"] });
    // Where nothing leads there, the top level is no part of it.
    if at.starts_with("/properties") {
        part["properties"] = schema["properties"].clone();
    }
    part
}

/// The places that take no expression: what is read before there are values, and what has keys of its own.
const LITERAL: &[&str] = &[
    "/properties/consign",
    "/properties/inputs",
    "/properties/vars",
    "/properties/secrets",
    "/properties/allow",
    "/properties/rehearse",
    "/properties/registries",
    "/properties/defaults",
    "/properties/steps",
    "/properties/finally",
    "/properties/outputs",
    "/properties/defaults/properties/retry",
    "/properties/defaults/properties/timeout",
    "/$defs/input/properties/type",
    "/$defs/input/properties/enum",
    "/$defs/step/properties/id",
    "/$defs/step/properties/timeout",
    "/$defs/step/properties/continue_on_error",
    "/$defs/step/properties/needs",
    "/$defs/step/properties/retry",
    "/$defs/step/properties/steps",
    "/$defs/retry/properties/max",
    "/$defs/retry/properties/budget",
    "/$defs/foreach/anyOf/2/properties/as",
    "/$defs/foreach/anyOf/2/properties/max_parallel",
];

#[test]
fn what_takes_no_expression_is_what_is_read_before_there_are_values() {
    let schema = schema();
    let mut found = Vec::new();
    keys("", &schema, &mut found);
    let is_kind = |at: &str| KINDS.iter().any(|kind| at == format!("/$defs/step/properties/{}", kind.name));
    let refuses = |at: &str| {
        let part = part(&schema, at);
        !jsonschema::validator_for(&part).unwrap().is_valid(&json!("${{ X }}"))
    };
    let literal: Vec<_> = found.iter().map(|(at, _)| at.as_str()).filter(|at| refuses(at) && !is_kind(at)).collect();
    assert_eq!(literal, LITERAL);
}

#[test]
fn the_program_takes_no_expression_there_either() {
    let folder = tempfile::tempdir().unwrap();
    let plan = |more: &str, of_step: &str, foreach: &str| {
        let foreach = if foreach.is_empty() { String::new() } else { format!(", foreach: {{ in: [a], {foreach} }}") };
        format!(
            "consign: 1\ninputs: {{ X: {{ default: '1' }} }}\n{more}\nsteps:\n  - {{ id: one, tag: {{ from: a.io/b:c, \
             tags: [d] }} }}\n  - {{ id: two, tag: {{ from: a.io/b:c, tags: [e] }}{of_step}{foreach} }}\n"
        )
    };
    let check = |plan: &str| {
        fs::write(folder.path().join("plan.yaml"), plan).unwrap();
        consign_in(folder.path(), &["check", "plan.yaml"])
    };
    let right = check(&plan("", "", "as: b"));
    assert_eq!(right.code, Some(0), "{}", right.stderr);
    let x = "'${{ X }}'";
    for (more, of_step, foreach) in [
        (format!("defaults: {{ timeout: {x} }}"), String::new(), String::new()),
        (format!("defaults: {{ retry: {{ max: {x} }} }}"), String::new(), String::new()),
        (String::new(), format!(", timeout: {x}"), String::new()),
        (String::new(), format!(", continue_on_error: {x}"), String::new()),
        (String::new(), format!(", needs: [{x}]"), String::new()),
        (String::new(), format!(", retry: {{ budget: {x} }}"), String::new()),
        (String::new(), String::new(), format!("as: {x}")),
        (String::new(), String::new(), format!("max_parallel: {x}")),
        (String::new(), ", steps: '${{ X }}'".to_owned(), String::new()),
    ] {
        let said = check(&plan(&more, &of_step, &foreach));
        assert_eq!(said.code, Some(2), "{more}{of_step}{foreach}");
    }
}

#[test]
fn mistakes_are_refused_where_they_stand() {
    let validator = validator();
    let plan = "{ consign: 1, inputs: { A: { typ: tag } }, registries: { a.io: { concurency: 3 } }, steps: [{ id: a, push: \
        { to: a.io/b:c, files: [{ path: a, media_tpye: b }] } }, { id: b, copy: { from: a.io/b:c, to: a.io/d:c, if_exists: \
        overwrite } }, { id: c, discover: { subject: a.io/b:c, expect: [1] } }] }";
    let at: Vec<_> = validator.iter_errors(&yaml(plan)).map(|error| error.instance_path().to_string()).collect();
    let expected =
        ["/inputs/A", "/registries/a.io", "/steps/0/push/files", "/steps/1/copy/if_exists", "/steps/2/discover/expect"];
    assert_eq!(at, expected);
}
