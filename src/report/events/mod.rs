//! The event stream as NDJSON, for `--events`: one JSON object per line, flushed as it is written.
//!
//! Every object begins with `event`, and then has these members in this order. Members that do not apply are left out.
//! More members and more events may come; what stands here stays as long as `version` is 1.
//!
//! | `event` | members |
//! | --- | --- |
//! | `run_started` | `version` (1), `plan`, `at` (a date and a time, in UTC), `steps`: a list of `{step, kind}` in file order, `edges`: a list of `{from, to, reasons}` |
//! | `step_started` | `step` |
//! | `step_retried` | `step`, `attempt` (how often it was tried, from 1), `wait_ms`, `request` (method and URL), `error` |
//! | `requested` | `step`, `request` (method and URL), `answer` (a status, or what the network did), `elapsed_ms` |
//! | `transfer_started` | `step`, `name`, `digest`, `bytes` (its size) |
//! | `transfer_finished` | `step`, `name`, `digest`, `bytes`, `moved` (less than `bytes` where it broke off) |
//! | `printed` | `step`, `text` |
//! | `program_wrote` | `step`, `stream` (`stdout` or `stderr`), `text` (whole lines) |
//! | `warned` | `step`, `message` |
//! | `step_resumed` | `step`, `taken_over` (whether an earlier run did it, so that it does not run), `because` |
//! | `step_finished` | `step`, `outcome`, `because` (of `skipped`), `by` (of `blocked`: the step that failed), `failure` (of `failed`), `elapsed_ms`, `round_trips` (how many stood one after another, where there were any), `output` (an object, by name), `about` (what it was about, where that is not its `reference`) |
//! | `rehearsed` | `repositories`: a list of `{repository, rights, changes}`, sorted; `faults`: a list of `{spec, wanted, injected}`; `tries` (how many more they cost). Once, in a rehearsal, before the last event |
//! | `run_finished` | `counts` (an object: how many steps, by outcome), `interrupted`, `exit_code`, `outputs` (an object, by name), `unsettled` (a failure after the last step), `elapsed_ms`, `chain` (the steps that waited for each other the longest in round trips, where there were any: a list of `{step, round_trips}`) |
//!
//! Every object ends with `at_ms`: how long after the first event it was heard. An edge leads from a step to one that waits
//! for it; an end that begins with `+` is a join: all that have an edge to it hold back all that have one from it. A reason
//! is `{reason, text}`, the former one of `data`, `effect`, `gate`, `needs` and `finally`.
//! `rights` are a list of `pull`, `push` and `delete`. A change is `{change, tag}` or `{change, manifest}`, of a tag with
//! `before` and `after`, the digests that it named; `change` is `create`, `move`, `delete` or `create and delete`.
//! A `failure` is `{kind, message, help, place}`: `kind` is `step`, `gate`, `temporary`, `tolerated` or `finally`, `help` is a list,
//! `place` is `{file, line, column}`. Events come in the order in which things happened; `printed` is not in file order.

mod line;

use std::{
    io::{self, Write},
    time::Instant,
};

use schemars::generate::{Contract, SchemaSettings};
use serde::Serialize;
use serde_json::Value;

use self::line::{EventLine, Stamped};
use super::{Reporter, json::RehearsedJson};
use crate::{event::Event, text};

/// Writes each event as one line of JSON.
pub struct Events<W> {
    writer: W,
    /// When the first event was heard.
    begun: Option<Instant>,
}

impl<W: Write> Events<W> {
    /// Writes to `writer`.
    pub const fn new(writer: W) -> Self {
        Self { writer, begun: None }
    }

    /// Where it writes to.
    pub const fn writer(&mut self) -> &mut W {
        &mut self.writer
    }

    fn write(&mut self, line: impl Serialize) -> io::Result<()> {
        let at_ms = self.begun.get_or_insert_with(Instant::now).elapsed();
        let line = serde_json::to_string(&Stamped { line, at_ms })?;
        // Where this goes to a terminal, it must not command it; the escapes are JSON's own.
        self.writer.write_all(format!("{}\n", text::safe_line(&line)).as_bytes())?;
        self.writer.flush()
    }
}

/// The JSON Schema of one line.
pub fn event_schema() -> Value {
    let generator =
        SchemaSettings::draft2020_12().with(|settings| settings.contract = Contract::Serialize).into_generator();
    let mut schema = generator.into_root_schema_for::<Stamped<EventLine<'_>>>();
    schema.insert("title".to_owned(), "An event of a consign run".into());
    schema.to_value()
}

impl<W: Write + Send> Reporter for Events<W> {
    fn report(&mut self, event: &Event) -> io::Result<()> {
        if let Event::RunFinished { summary } = event
            && let Some(rehearsed) = &summary.rehearsed
        {
            self.write(EventLine::Rehearsed(RehearsedJson::of(rehearsed)))?;
        }
        EventLine::of(event).map_or(Ok(()), |line| self.write(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    /// Without how long the test took.
    fn timeless(text: &str) -> String {
        regex::Regex::new(r#""at_ms":\d+"#).unwrap().replace_all(text, r#""at_ms":0"#).into_owned()
    }

    #[test]
    fn every_event() {
        let mut events = Events::new(Vec::new());
        testing::tell(&mut events);
        insta::assert_snapshot!(timeless(&String::from_utf8(events.writer).unwrap()), @r#"
        {"event":"run_started","version":1,"plan":"acr-tutorial","at":"2026-01-02T03:04:05Z","steps":[{"step":"image","kind":"image"},{"step":"sbom","kind":"attach"},{"step":"docs","kind":"attach"},{"step":"remove","kind":"delete"},{"step":"tree","kind":"discover"},{"step":"promote","kind":"copy"},{"step":"sign","kind":"sign"},{"step":"push_app","kind":"push"},{"step":"sbom_signature","kind":"attach"}],"edges":[{"from":"image","to":"sbom","reasons":[{"reason":"effect","text":"effect: the first writes tag `<r.io/a:v1>`, the second reads it"}]},{"from":"image","to":"docs","reasons":[{"reason":"effect","text":"effect: the first writes tag `<r.io/a:v1>`, the second reads it"}]},{"from":"image","to":"remove","reasons":[{"reason":"needs","text":"needs: written in the plan"}]},{"from":"sbom","to":"tree","reasons":[{"reason":"effect","text":"effect: the first writes tag `<r.io/a:v1>`, the second reads it"},{"reason":"data","text":"data: it uses `steps.sbom.digest`"}]},{"from":"docs","to":"tree","reasons":[{"reason":"effect","text":"effect: the first writes tag `<r.io/a:v1>`, the second reads it"}]},{"from":"tree","to":"+1","reasons":[{"reason":"gate","text":"gate: the first may say no, and the second changes something"}]},{"from":"remove","to":"+1","reasons":[{"reason":"gate","text":"gate: the first may say no, and the second changes something"}]},{"from":"+1","to":"promote","reasons":[{"reason":"gate","text":"gate: the first may say no, and the second changes something"}]},{"from":"+1","to":"push_app","reasons":[{"reason":"gate","text":"gate: the first may say no, and the second changes something"}]},{"from":"sign","to":"sbom_signature","reasons":[{"reason":"effect","text":"effect: the first writes tag `<r.io/a:v1>`, the second reads it"}]}],"at_ms":0}
        {"event":"step_started","step":"image","at_ms":0}
        {"event":"transfer_started","step":"image","name":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:eed1033d9489566cbc1f6d99953c086c10a3ae3b1c73effdaddb0972f0940cd1","bytes":83886080,"at_ms":0}
        {"event":"step_started","step":"tree","at_ms":0}
        {"event":"step_retried","step":"image","attempt":1,"wait_ms":1500,"request":"GET https://r.io/v2/","error":"503 Service Unavailable","at_ms":0}
        {"event":"requested","step":"tree","request":"GET https://r.io/v2/","answer":"200 OK","elapsed_ms":42,"at_ms":0}
        {"event":"printed","step":"tree","text":"myregistry.azurecr.io/net-monitor:v1\n└── sbom/example\n","at_ms":0}
        {"event":"program_wrote","step":"push_app","stream":"stderr","text":"::error::one\ntwo \u001b[2J\n","at_ms":0}
        {"event":"warned","step":"tree","message":"the registry has no referrers API","at_ms":0}
        {"event":"transfer_finished","step":"image","name":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:eed1033d9489566cbc1f6d99953c086c10a3ae3b1c73effdaddb0972f0940cd1","bytes":83886080,"moved":0,"at_ms":0}
        {"event":"step_resumed","step":"docs","taken_over":true,"because":"it ended well","at_ms":0}
        {"event":"step_resumed","step":"remove","taken_over":false,"because":"it had not ended","at_ms":0}
        {"event":"step_finished","step":"image","outcome":"created","elapsed_ms":120,"round_trips":1,"output":{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","media_type":"application/vnd.oci.image.manifest.v1+json","reference":"myregistry.azurecr.io/net-monitor@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"at_ms":0}
        {"event":"step_finished","step":"sbom","outcome":"updated","elapsed_ms":120,"round_trips":1,"output":{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","media_type":"application/vnd.oci.image.manifest.v1+json","reference":"myregistry.azurecr.io/net-monitor@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"at_ms":0}
        {"event":"step_finished","step":"docs","outcome":"unchanged","elapsed_ms":120,"round_trips":1,"output":{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","media_type":"application/vnd.oci.image.manifest.v1+json","reference":"myregistry.azurecr.io/net-monitor@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"at_ms":0}
        {"event":"step_finished","step":"remove","outcome":"deleted","elapsed_ms":120,"round_trips":1,"output":{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","media_type":"application/vnd.oci.image.manifest.v1+json","reference":"myregistry.azurecr.io/net-monitor@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"at_ms":0}
        {"event":"step_finished","step":"tree","outcome":"passed","elapsed_ms":120,"round_trips":1,"at_ms":0}
        {"event":"step_finished","step":"promote","outcome":"skipped","because":"`when` is false","elapsed_ms":0,"at_ms":0}
        {"event":"step_finished","step":"sign","outcome":"blocked","by":"push_app","elapsed_ms":0,"at_ms":0}
        {"event":"step_finished","step":"push_app","outcome":"failed","failure":{"kind":"step","message":"failed to push to `myregistry.azurecr.io/app:v1`: 403 DENIED: two\nlines and \u001b[2J","help":["log in with `consign login myregistry.azurecr.io`"],"place":{"file":"plans/x.yaml","line":12,"column":5}},"elapsed_ms":120,"round_trips":1,"at_ms":0}
        {"event":"step_finished","step":"sbom_signature","outcome":"cancelled","elapsed_ms":0,"at_ms":0}
        {"event":"rehearsed","repositories":[{"repository":"myregistry.azurecr.io/base","rights":["pull"],"changes":[]},{"repository":"myregistry.azurecr.io/net-monitor","rights":["pull","push","delete"],"changes":[{"change":"move","tag":"latest","before":"sha256:cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4","after":"sha256:ea0890697a77af0a2e054cccec587c8a42feb5cf38e778c6c6e2a96bfb945c0b"},{"change":"create and delete","tag":"passing"},{"change":"delete","tag":"stale","before":"sha256:cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4"},{"change":"create","tag":"v1","after":"sha256:ea0890697a77af0a2e054cccec587c8a42feb5cf38e778c6c6e2a96bfb945c0b"},{"change":"create","manifest":"sha256:ea0890697a77af0a2e054cccec587c8a42feb5cf38e778c6c6e2a96bfb945c0b"}]}],"faults":[{"spec":"copy:503*2","wanted":2,"injected":1}],"tries":1,"at_ms":0}
        {"event":"run_finished","counts":{"blocked":1,"cancelled":1,"created":1,"deleted":1,"failed":1,"passed":1,"skipped":1,"unchanged":1,"updated":1},"interrupted":false,"exit_code":1,"outputs":{"image_digest":"sha256:1b","tags":["v1","<latest>"],"note":"two words"},"elapsed_ms":1234,"chain":[{"step":"image","round_trips":1},{"step":"tree","round_trips":1}],"at_ms":0}
        "#);
    }

    #[test]
    fn a_line_is_one_object_whatever_is_in_it() {
        let text = "two\nlines, \u{1b}[2J, \u{7f}, \u{2028}, \"quoted\"";
        let mut events = Events::new(Vec::new());
        events.report(&Event::Printed { step: testing::step(0), text: text.into() }).unwrap();
        let line = String::from_utf8(events.writer).unwrap();
        assert_eq!(line.matches(|char: char| char.is_control()).collect::<String>(), "\n");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["text"], text);
    }
}
