//! Logging in and out, on a registry that knows one user.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    thread,
};

use super::Test;

/// Serves a registry that takes `me` with the password `hunter2`, until the tests end. Its address.
fn registry() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let lines = BufReader::new(connection.try_clone().unwrap()).lines().map(Result::unwrap);
            let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
            // me:hunter2
            let is_known = head.iter().any(|line| line.eq_ignore_ascii_case("authorization: Basic bWU6aHVudGVyMg=="));
            let answer = match (head.first().map(String::as_str), is_known) {
                (Some("GET /v2/ HTTP/1.1"), true) => "200 OK\r\ncontent-length: 2\r\n\r\n{}",
                (Some("GET /v2/a/tags/list?n=1000 HTTP/1.1"), true) => {
                    "403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                }
                (_, true) => "404 Not Found\r\ncontent-length: 0\r\n\r\n",
                (_, false) => "401 Unauthorized\r\nwww-authenticate: Basic realm=\"x\"\r\ncontent-length: 0\r\n\r\n",
            };
            let answer = answer.replace("content-length", "connection: close\r\ncontent-length");
            connection.write_all(format!("HTTP/1.1 {answer}").as_bytes()).unwrap();
        }
    });
    address
}

/// A folder that nobody has logged in from.
fn test() -> Test {
    Test::new("")
}

/// What the program did, with the registry's address made a name.
fn shown(test: &Test, registry: &str, arguments: &str, stdin: &str) -> String {
    let shown = test.run_with(&arguments.replace("REGISTRY", registry), stdin).shown();
    assert!(!shown.contains("hunter2"), "{shown}");
    shown.replace(registry, "REGISTRY")
}

/// A text file of the folder, with the registry's address made a name.
fn read(test: &Test, registry: &str, name: &str) -> String {
    fs::read_to_string(test.path(name)).unwrap().replace(registry, "REGISTRY")
}

/// A helper that keeps what it is told in the folder, one file for all.
fn with_helper(test: Test) -> Test {
    let script = "#!/bin/sh\nread -r line\necho \"$1 $line\" >>\"$HOME/helper.log\"\ncase $1 in\n\
        store) printf '%s' \"$line\" >\"$HOME/kept\" ;;\n\
        erase) rm -f \"$HOME/kept\" ;;\n\
        get) cat \"$HOME/kept\" 2>/dev/null || { echo 'credentials not found in native keychain'; exit 1; } ;;\nesac\n";
    let test = test.file("bin/docker-credential-test", script);
    let helper = test.path("bin/docker-credential-test");
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", test.path("bin").display());
    test.environment("PATH", &path)
}

#[test]
fn a_login_is_stored_for_its_owner_alone_and_removed_again() {
    let (test, registry) = (test(), registry());
    insta::assert_snapshot!(shown(&test, &registry, "login REGISTRY -u me --password-stdin", "hunter2\n"), @r"
    exit code 0
    --- stderr
    warning: the login is stored unencrypted; a credential helper avoids that: https://docs.docker.com/go/credential-store/
    logged in to `REGISTRY`; the login is stored in `[FOLDER]/.docker/config.json`, entry `REGISTRY`
    ");
    let expected = "{\n\t\"auths\": {\n\t\t\"REGISTRY\": {\n\t\t\t\"auth\": \"bWU6aHVudGVyMg==\"\n\t\t}\n\t}\n}\n";
    assert_eq!(read(&test, &registry, ".docker/config.json"), expected);
    let mode = |name: &str| fs::metadata(test.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(".docker/config.json"), mode(".docker")), (0o600, 0o700));
    insta::assert_snapshot!(shown(&test, &registry, "logout REGISTRY", ""), @r"
    exit code 0
    --- stderr
    logged out of `REGISTRY`: removed `[FOLDER]/.docker/config.json`, entry `REGISTRY`
    ");
    insta::assert_snapshot!(shown(&test, &registry, "logout REGISTRY", ""), @r"
    exit code 0
    --- stderr
    there is no login for `REGISTRY` in `[FOLDER]/.docker/config.json`
    ");
    assert_eq!(read(&test, &registry, ".docker/config.json"), "{\n\t\"auths\": {}\n}\n");
}

#[test]
fn a_login_that_the_registry_does_not_take_is_not_stored() {
    let (test, registry) = (test(), registry());
    insta::assert_snapshot!(shown(&test, &registry, "login REGISTRY -u me --password-stdin", "wrong\n"), @r"
    exit code 1
    --- stderr
    error: `REGISTRY` does not take this login, so it is not stored: GET http://REGISTRY/v2/: 401 Unauthorized
    ");
    insta::assert_snapshot!(shown(&test, &registry, "login REGISTRY --identity-token-stdin", "hunter2"), @r"
    exit code 1
    --- stderr
    error: `REGISTRY` does not take this login, so it is not stored: GET http://REGISTRY/v2/: 401 Unauthorized
    ");
    assert!(!test.path(".docker").exists());
}

#[test]
fn what_cannot_be_a_login_is_said_before_anybody_is_asked() {
    let (test, registry) = (test(), "127.0.0.1:1");
    for (arguments, stdin, expected) in [
        ("login REGISTRY --password-stdin", "x", "whose login is it? Say `--username USER`"),
        ("login REGISTRY -u me --password-stdin", "", "there is no password on stdin"),
        (
            "login REGISTRY -u me --password-stdin --ca-file plan.yaml",
            "x",
            "`plan.yaml` holds no certificate: it takes one or more in PEM, each beginning with `-----BEGIN CERTIFICATE-----`",
        ),
        ("login REGISTRY -u me --password-stdin", "\n", "there is no password on stdin"),
        (
            "login REGISTRY -u me",
            "x",
            "there is no terminal to ask for the password: pipe it in, with `--password-stdin`",
        ),
        (
            "login REGISTRY -u me:x --password-stdin",
            "x",
            "`me:x` is no user name: it has at least one character, and no `:`",
        ),
    ] {
        let shown = shown(&test, registry, arguments, stdin);
        assert_eq!(shown, format!("exit code 2\n--- stderr\nerror: {expected}\n"), "{arguments}");
    }
    let shown = shown(&test, registry, "login https://r.io -u me --password-stdin", "x");
    assert!(shown.starts_with("exit code 2\n--- stderr\nerror: ") && shown.contains("`https://r.io`"), "{shown}");
}

#[test]
fn a_registry_that_is_not_there_is_no_wrong_login() {
    let (test, registry) = (test(), "127.0.0.77:1");
    let shown = shown(&test, registry, "login REGISTRY -u me --password-stdin", "hunter2");
    assert!(
        shown.starts_with("exit code 75\n--- stderr\nerror: the login could not be checked, so it is not stored: "),
        "{shown}"
    );
}

#[test]
fn the_places_of_docker_and_podman_are_honoured() {
    let registry = registry();
    let login = "login REGISTRY -u me --password-stdin";
    for (name, value, expected) in [
        ("DOCKER_CONFIG", "docker", "docker/config.json"),
        ("REGISTRY_AUTH_FILE", "podman/auth.json", "podman/auth.json"),
    ] {
        let test = test();
        let value = test.path(value).display().to_string();
        let test = test.environment(name, &value);
        let shown = shown(&test, &registry, login, "hunter2");
        assert!(shown.contains(&format!("stored in `[FOLDER]/{expected}`")), "{shown}");
        assert!(read(&test, &registry, expected).contains("REGISTRY"));
    }
    let literal = format!(r#"{{"auths":{{"{registry}":{{"auth":"b3RoZXI6eA=="}}}}}}"#);
    let test = test().environment("DOCKER_AUTH_CONFIG", &literal);
    insta::assert_snapshot!(shown(&test, &registry, &format!("{login} --authfile auth.json"), "hunter2"), @r"
    exit code 0
    --- stderr
    warning: the login is stored unencrypted; a credential helper avoids that: https://docs.docker.com/go/credential-store/
    logged in to `REGISTRY`; the login is stored in `auth.json`, entry `REGISTRY`
    to use it set `REGISTRY_AUTH_FILE` to `auth.json`
    ");
    insta::assert_snapshot!(shown(&test, &registry, login, "hunter2"), @r"
    exit code 0
    --- stderr
    warning: the login is stored unencrypted; a credential helper avoids that: https://docs.docker.com/go/credential-store/
    logged in to `REGISTRY`; the login is stored in `[FOLDER]/.docker/config.json`, entry `REGISTRY`
    warning: `DOCKER_AUTH_CONFIG`, entry `REGISTRY`, comes before it and is what counts
    ");
    insta::assert_snapshot!(shown(&test, &registry, "logout REGISTRY", ""), @r"
    exit code 0
    --- stderr
    logged out of `REGISTRY`: removed `[FOLDER]/.docker/config.json`, entry `REGISTRY`
    warning: there is still a login for `REGISTRY`: `DOCKER_AUTH_CONFIG`, entry `REGISTRY`
    ");
}

#[test]
fn a_helper_that_the_file_names_keeps_the_login() {
    let registry = registry();
    let config = format!(
        r#"{{"auths":{{"{registry}":{{"auth":"b2xkOm9sZA=="}}}},"credsStore":"other","credHelpers":{{"{registry}":"test"}}}}"#
    );
    let test = with_helper(test()).file(".docker/config.json", config);
    insta::assert_snapshot!(shown(&test, &registry, "login REGISTRY -u me --password-stdin", "hunter2"), @r"
    exit code 0
    --- stderr
    logged in to `REGISTRY`; the login is stored in `docker-credential-test`, entry `REGISTRY`
    ");
    let expected =
        "{\n\t\"auths\": {},\n\t\"credsStore\": \"other\",\n\t\"credHelpers\": {\n\t\t\"REGISTRY\": \"test\"\n\t}\n}\n";
    assert_eq!(read(&test, &registry, ".docker/config.json"), expected);
    insta::assert_snapshot!(shown(&test, &registry, "logout REGISTRY", ""), @r"
    exit code 0
    --- stderr
    logged out of `REGISTRY`: removed `docker-credential-test`, entry `REGISTRY`
    ");
    insta::assert_snapshot!(read(&test, &registry, "helper.log"), @r#"
    store {"ServerURL":"REGISTRY","Username":"me","Secret":"hunter2"}
    get REGISTRY
    erase REGISTRY
    get REGISTRY
    "#);
}

#[test]
fn a_run_that_is_refused_says_whose_login_it_was_and_tells_nobody_the_password() {
    let registry = registry();
    let plan =
        format!("consign: 1\nname: refused\nsteps:\n  - id: tags\n    list_tags: {{ repository: {registry}/a }}\n");
    let config = format!(r#"{{"auths":{{"{registry}":{{"auth":"bWU6aHVudGVyMg=="}}}}}}"#);
    let test = Test::new(&plan).file(".docker/config.json", config);
    let shown = shown(&test, &registry, "run plan.yaml --events events.ndjson", "");
    for line in [
        "403 Forbidden",
        "the login comes from `[FOLDER]/.docker/config.json`, entry `REGISTRY`",
        "this user may not pull from `REGISTRY/a`: ask for the permission, or log in as somebody who may",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    let events = read(&test, &registry, "events.ndjson");
    assert!(events.contains("the login comes from"), "{events}");
    for secret in ["hunter2", "bWU6aHVudGVyMg"] {
        assert!(!events.contains(secret) && !shown.contains(secret));
    }
}
