//! What a run shows of a registry that cannot at the moment, and how it ends.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    thread,
};

use insta::assert_snapshot;

use super::Test;

/// Runs a plan with a registry that gives this answer to everything, and shows the run without its port.
fn run(answer: &'static str, retry: &str, arguments: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = listener.local_addr().unwrap().to_string();
    // It ends with the test.
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = BufReader::new(connection.unwrap());
            let mut line = String::new();
            while connection.read_line(&mut line).is_ok_and(|length| length > 2) {
                line.clear();
            }
            let _ =
                connection.get_mut().write_all(format!("HTTP/1.1 {answer}\r\nConnection: close\r\n\r\n").as_bytes());
        }
    });
    let plan = format!(
        "consign: 1\ndefaults: {{ retry: {{ max: 3, budget: 10s }} }}\nsteps:\n  - id: tags\n    retry: {retry}\n    list_tags: {{ repository: {name}/app }}\n"
    );
    Test::new(&plan).run(&format!("run plan.yaml --progress plain {arguments}")).shown().replace(&name, "[REGISTRY]")
}

const BUSY: &str = "503 Service Unavailable\r\nContent-Length: 0";
const THROTTLED: &str = "429 Too Many Requests\r\nRetry-After: 3600\r\nContent-Length: 0";

#[test]
fn a_registry_that_cannot_at_the_moment_is_tried_again_and_the_run_may_be_too() {
    assert_snapshot!(run(BUSY, "{ max: 2 }", ""), @"
    exit code 75
    --- stderr
    plan: 1 step
    retrying  tags  in [TIME], after attempt 1: GET http://[REGISTRY]/v2/app/tags/list: 503 Service Unavailable
    failed    tags  failed to list the tags of [REGISTRY]/app: GET http://[REGISTRY]/v2/app/tags/list: 503 Service Unavailable (tried 2 times over [TIME])
      --> plan.yaml:4:9
      help: run again later; `retry: { max: … }` of the step or of `defaults` says how often it is tried
    failed:
      tags: failed to list the tags of [REGISTRY]/app: GET http://[REGISTRY]/v2/app/tags/list: 503 Service Unavailable (tried 2 times over [TIME])
    1 failed in [TIME]
    every failure was temporary; run it again later: what succeeded is found unchanged
    go on with `consign resume`: what ended well is taken over
    ");
}

#[test]
fn what_takes_longer_than_the_plan_allows_is_said_at_once() {
    assert_snapshot!(run(THROTTLED, "{}", ""), @"
    exit code 75
    --- stderr
    plan: 1 step
    failed    tags  failed to list the tags of [REGISTRY]/app: GET http://[REGISTRY]/v2/app/tags/list: 429 Too Many Requests (tried once; the next try is 1 h 00 m away, and a step waits no longer than [TIME] in all)
      --> plan.yaml:4:9
      help: run again later, or give it more time: `retry: { budget: … }` of the step or of `defaults`
    failed:
      tags: failed to list the tags of [REGISTRY]/app: GET http://[REGISTRY]/v2/app/tags/list: 429 Too Many Requests (tried once; the next try is 1 h 00 m away, and a step waits no longer than [TIME] in all)
    1 failed in [TIME]
    every failure was temporary; run it again later: what succeeded is found unchanged
    go on with `consign resume`: what ended well is taken over
    ");
}

#[test]
fn every_try_is_an_event() {
    let shown = run(BUSY, "{}", "--events -");
    let events: Vec<serde_json::Value> = shown.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let retried: Vec<_> = events.iter().filter(|event| event["event"] == "step_retried").collect();
    assert_eq!(retried.len(), 2);
    for (event, attempt) in retried.iter().zip(1..) {
        assert_eq!((event["attempt"].as_u64(), event["step"].as_str()), (Some(attempt), Some("tags")));
        assert_eq!(event["request"], "GET http://[REGISTRY]/v2/app/tags/list");
        assert_eq!(event["error"], "503 Service Unavailable");
        assert!(event["wait_ms"].as_u64().is_some_and(|wait| wait <= 500), "{event}");
    }
}
