//! What `--help` says.

use super::consign;

#[test]
fn help_is_this() {
    insta::assert_snapshot!(consign(&["--help"]).stdout);
}

#[test]
fn help_of_run_is_this() {
    insta::assert_snapshot!(consign(&["run", "--help"]).stdout);
}

#[test]
fn help_of_every_command_lists_its_flags() {
    let values = ["--set", "--vars-file", "--select", "--skip", "--workdir"];
    let running =
        ["--jobs", "--keep-going", "--skip-gates", "--plain-http", "--progress", "--events", "--report", "--outputs"];
    let commands = [
        ("run", [&values[..], &running, &["--wait", "--approved", "--locked"]].concat()),
        ("lock", [&values[..], &["--check", "--jobs", "--plain-http"]].concat()),
        ("resume", [&["--workdir"], &running[..], &["--dry-run", "--redo", "--mark-done", "--wait"]].concat()),
        ("plan", [&values[..], &["--out", "--exit-code", "--jobs", "--plain-http"]].concat()),
        ("rehearse", [&values[..], &running, &["--read-through", "--seed", "--keep", "--fault"]].concat()),
        ("check", values.to_vec()),
        ("graph", [&values[..], &["--format", "--why"]].concat()),
        ("doctor", vec!["--push", "--plain-http", "--ca-file", "--format"]),
        ("show", vec!["--html", "--report", "--output", "--workdir"]),
        (
            "login",
            vec!["--username", "--password-stdin", "--identity-token-stdin", "--authfile", "--ca-file", "--plain-http"],
        ),
        ("logout", vec!["--authfile"]),
        ("keys", vec!["--password-stdin"]),
        (
            "serve",
            vec!["--listen", "--root", "--read-only", "--no-referrers", "--max-blob-size", "--htpasswd", "--tls-cert"],
        ),
        ("gc", vec!["--root", "--dry-run", "--grace", "--keep-untagged"]),
        ("schema", Vec::new()),
        ("kinds", Vec::new()),
    ];
    for (command, flags) in commands {
        let said = consign(&[command, "--help"]);
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{command}");
        for flag in flags.iter().chain(&["--color", "--error-format", "--help"]) {
            assert!(
                said.stdout.contains(&format!("{flag} ")) || said.stdout.contains(&format!("{flag}\n")),
                "{command} {flag}"
            );
        }
    }
}
