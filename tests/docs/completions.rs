//! What completes the command line in a shell.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use super::consign;

#[test]
fn every_shell_completes_every_command_and_its_flags() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let said = consign(&["completions", shell]);
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{shell}");
        for word in ["rehearse", "read-through", "completions", "error-format"] {
            assert!(said.stdout.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn a_shell_that_is_not_there_is_answered_with_those_that_are() {
    let said = consign(&["completions", "bush"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""));
    assert!(said.stderr.contains("bash, elvish, fish, powershell, zsh"), "{}", said.stderr);
}

/// What bash itself makes of a script on its stdin.
fn bash(arguments: &[&str], script: &str) -> (bool, String) {
    let mut bash = Command::new("bash");
    bash.args(["--norc", "--noprofile"]).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut bash = bash.spawn().unwrap();
    bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = bash.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn bash_completes_with_it() {
    let script = consign(&["completions", "bash"]).stdout;
    assert_eq!(bash(&["-n"], &script), (true, String::new()));
    let complete = "\nCOMP_WORDS=(consign rehearse --fau); COMP_CWORD=2; _consign consign --fau rehearse; echo \"${COMPREPLY[@]}\"\n";
    assert_eq!(bash(&["-s"], &format!("{script}{complete}")), (true, "--fault\n".to_owned()));
}
