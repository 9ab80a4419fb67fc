//! The table of requests that says what the server conforms to, row by row.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, LazyLock},
};

use consign::{
    oci::{Algorithm, Digest},
    serve::ServeOptions,
    store::Host,
};
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use crate::store::server::{Running, layouts, memory};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    content: BTreeMap<String, String>,
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    about: String,
    rows: Vec<Row>,
    referrers: Option<bool>,
    #[serde(default)]
    read_only: bool,
    max_blob_size: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    spec: String,
    request: String,
    #[serde(default)]
    send: BTreeMap<String, String>,
    body: Option<String>,
    fill: Option<Fill>,
    status: u16,
    code: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
    json: Option<Value>,
    text: Option<String>,
    length: Option<usize>,
    #[serde(default)]
    contains: Vec<String>,
    #[serde(default)]
    save: BTreeMap<String, String>,
}

/// A body with spaces behind it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fill {
    with: String,
    to: usize,
}

fn table() -> Table {
    serde_yaml::from_str(include_str!("requests.yaml")).unwrap()
}

/// Replaces `${…}`.
fn fill(text: &str, content: &BTreeMap<String, String>, saved: &BTreeMap<String, String>) -> String {
    static PATTERN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\$\{(?:(sha256|sha512|size) )?(\w+)\}").unwrap());
    let replace = |found: &regex::Captures<'_>| {
        let name = &found[2];
        if let Some(saved) = saved.get(name) {
            return saved.clone();
        }
        let body = fill(content.get(name).map_or("", String::as_str), content, saved);
        let digest = |algorithm| Digest::of(algorithm, body.as_bytes()).to_string();
        match found.get(1).map(|kind| kind.as_str()) {
            Some("sha256") => digest(Algorithm::Sha256),
            Some("sha512") => digest(Algorithm::Sha512),
            Some(_) => body.len().to_string(),
            None => body,
        }
    };
    PATTERN.replace_all(text, replace).into_owned()
}

struct Conversation {
    client: reqwest::Client,
    base: String,
    content: BTreeMap<String, String>,
    saved: BTreeMap<String, String>,
}

impl Conversation {
    fn fill(&self, text: &str) -> String {
        fill(text, &self.content, &self.saved)
    }

    /// Sends the request of a row; what of the answer is not as the row says.
    async fn hold(&mut self, row: &Row) -> Result<(), String> {
        let request = self.fill(&row.request);
        let (method, path) = request.split_once(' ').unwrap();
        let mut sent = self.client.request(method.parse().unwrap(), format!("{}{path}", self.base));
        for (name, value) in &row.send {
            sent = sent.header(name, self.fill(value));
        }
        if let Some(body) = &row.body {
            sent = sent.body(self.fill(body));
        }
        if let Some(Fill { with, to }) = &row.fill {
            let text = self.fill(with);
            let spaces = " ".repeat(to - text.len());
            sent = sent.body(text + &spaces);
        }
        let answer = sent.send().await.map_err(|error| error.to_string())?;
        let mut wrong = String::new();
        let mut differ = |what: &str, found: &dyn std::fmt::Debug, expected: &dyn std::fmt::Debug| {
            writeln!(wrong, "  {what}: {found:?}, not {expected:?}").unwrap();
        };
        if answer.status() != row.status {
            differ("status", &answer.status(), &row.status);
        }
        for (name, expected) in &row.headers {
            let values: Vec<_> = answer.headers().get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
            let found = (!values.is_empty()).then(|| values.join(", "));
            let expected = expected.as_ref().map(|expected| self.fill(expected));
            let pattern = expected.as_deref().and_then(|text| text.strip_prefix("/^")?.strip_suffix('/'));
            let is_right = match (pattern, &found) {
                (Some(pattern), Some(found)) => Regex::new(&format!("^{pattern}")).unwrap().is_match(found),
                _ => found == expected,
            };
            if !is_right {
                differ(name, &found, &expected);
            }
        }
        for (name, header) in &row.save {
            let value = answer.headers().get(header).map_or("", |value| value.to_str().unwrap()).to_owned();
            self.saved.insert("id".to_owned(), value.rsplit('/').next().unwrap().to_owned());
            self.saved.insert(name.clone(), value);
        }
        let text = answer.text().await.map_err(|error| error.to_string())?;
        let json: Value = serde_json::from_str(&text).unwrap_or_default();
        if let Some(code) = &row.code
            && json["errors"][0]["code"] != code.as_str()
        {
            differ("code", &text, code);
        }
        if let Some(expected) = &row.json {
            // A number that is filled in is text in the table.
            let number = Regex::new(r#""(\d+)"(,"artifactType")"#).unwrap();
            let filled = self.fill(&expected.to_string());
            let filled = number.replace_all(&filled, "$1$2");
            let expected: Value = serde_json::from_str(&filled).unwrap();
            if json != expected {
                differ("json", &json, &expected);
            }
        }
        if let Some(expected) = row.text.as_ref().map(|expected| self.fill(expected))
            && text != expected
        {
            differ("text", &text, &expected);
        }
        if row.length.is_some_and(|length| text.len() != length) {
            differ("length", &text.len(), &row.length);
        }
        for part in row.contains.iter().map(|part| self.fill(part)).filter(|part| !text.contains(part)) {
            differ("text", &text, &part);
        }
        if wrong.is_empty() { Ok(()) } else { Err(format!("{request} ({})\n{wrong}", row.spec)) }
    }
}

/// Every row against servers over hosts that `host` makes.
async fn hold_the_table(host: impl Fn() -> Arc<dyn Host>) {
    let Table { content, groups } = table();
    let mut wrong = Vec::new();
    for group in groups {
        let options = ServeOptions {
            referrers: group.referrers.unwrap_or(true),
            read_only: group.read_only,
            max_blob_size: group.max_blob_size.unwrap_or(u64::MAX),
            ..ServeOptions::default()
        };
        let server = Running::start(host(), options).await;
        let mut conversation = Conversation {
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            base: format!("http://{}", server.name),
            content: content.clone(),
            saved: BTreeMap::new(),
        };
        for row in &group.rows {
            if let Err(found) = conversation.hold(row).await {
                wrong.push(format!("{}: {found}", group.about));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_row_holds_in_memory() {
    hold_the_table(memory).await;
}

#[tokio::test]
async fn every_row_holds_on_layouts() {
    let folder = tempfile::tempdir().unwrap();
    let number = std::cell::Cell::new(0);
    hold_the_table(|| {
        number.set(number.get() + 1);
        layouts(&folder.path().join(number.get().to_string()))
    })
    .await;
}

#[test]
fn every_row_names_a_section() {
    let section = Regex::new("^(main |rfc9110 section-)?[a-z0-9.-]+$").unwrap();
    for row in table().groups.iter().flat_map(|group| &group.rows) {
        assert!(section.is_match(&row.spec), "{}: {}", row.spec, row.request);
    }
}
