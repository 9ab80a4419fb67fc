//! What `consign doctor` says of what is no registry, and of mistakes on its command line.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    thread,
};

use super::Test;

/// Serves something that answers 404 to everything, until the tests end. Its address.
fn web_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let lines = BufReader::new(connection.try_clone().unwrap()).lines().map(Result::unwrap);
            assert!(lines.take_while(|line| !line.is_empty()).count() > 0);
            let answer = "HTTP/1.1 404 Not Found\r\nserver: web\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            connection.write_all(answer.as_bytes()).unwrap();
        }
    });
    address
}

#[test]
fn what_is_no_registry_is_said_to_be_none() {
    let (test, server) = (Test::new(""), web_server());
    let ran = test.run_with(&format!("doctor {server}/a"), "");
    insta::assert_snapshot!(ran.shown().replace(&server, "SERVER"), @"
    exit code 1
    --- stdout
    SERVER/a

    distribution API  no       over plain HTTP: 404 Not Found to `/v2/`
    rate limits       unknown  none was seen in the answers
    ");
    let ran = test.run_with(&format!("doctor {server} --format json"), "");
    insta::assert_snapshot!(ran.shown().replace(&server, "SERVER"), @r#"
    exit code 1
    --- stdout
    {
      "registry": "SERVER",
      "repository": null,
      "findings": [
        {
          "ability": "api",
          "verdict": "no",
          "detail": "over plain HTTP: 404 Not Found to `/v2/`"
        },
        {
          "ability": "rate_limits",
          "verdict": "unknown",
          "detail": "none was seen in the answers"
        }
      ],
      "left_behind": []
    }
    "#);
}

#[test]
fn a_place_that_cannot_be_is_a_mistake() {
    let test = Test::new("");
    insta::assert_snapshot!(test.run_with("doctor localhost:5000/UPPER", "").shown(), @"
    exit code 2
    --- stderr
    error: the repository `UPPER` must be in lower case: write `upper`
    ");
    insta::assert_snapshot!(test.run_with("doctor ubuntu:x", "").shown(), @"
    exit code 2
    --- stderr
    error: `ubuntu:x` is not a registry: write `host` or `host:port`
    ");
}
