//! The manual pages.

use std::fs;

use regex::Regex;
use tempfile::TempDir;

use super::consign;

/// The commands that `--help` lists.
fn commands() -> Vec<String> {
    let help = consign(&["--help"]).stdout;
    let listed = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0.to_owned();
    // A summary that is broken goes on further to the right.
    let command = Regex::new(r"(?m)^  ([a-z]+) ").unwrap();
    command.captures_iter(&listed).map(|found| found[1].to_owned()).collect()
}

/// What a page says, without what only `man` reads.
fn plain(page: &str) -> String {
    page.replace("\\-", "-").replace("\\fB", "").replace("\\fI", "").replace("\\fR", "")
}

#[test]
fn the_page_of_consign_lists_its_commands_and_exit_codes() {
    let said = consign(&["man"]);
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    let page = plain(&said.stdout);
    assert!(page.contains(".TH consign 1"), "{page}");
    for part in [".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH OPTIONS", ".SH SUBCOMMANDS", "130  interrupted"] {
        assert!(page.contains(part), "{part}");
    }
    for command in commands() {
        assert!(page.contains(&format!("consign-{command}(1)")), "{command}");
    }
}

#[test]
fn every_command_has_a_page_with_its_flags() {
    let folder = TempDir::new().unwrap();
    let pages = folder.path().join("man/man1");
    let said = consign(&["man", pages.to_str().unwrap()]);
    assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (Some(0), "", ""));
    assert_eq!(fs::read_dir(&pages).unwrap().count(), commands().len() + 1);
    let flag = Regex::new(r"--[a-z-]+").unwrap();
    for command in commands() {
        let page = plain(&fs::read_to_string(pages.join(format!("consign-{command}.1"))).unwrap());
        for flag in flag.find_iter(&consign(&[&command, "--help"]).stdout) {
            assert!(page.contains(flag.as_str()), "{command}: {}", flag.as_str());
        }
        // Lines that begin with a dot are requests: only those that every `man` knows.
        for request in page.lines().filter(|line| line.starts_with('.')) {
            let known = [".ie", ".el", ".TH", ".SH", ".TP", ".SS", ".PP", ".RS", ".RE", ".IP", ".br"];
            assert!(known.iter().any(|known| request.starts_with(known)), "{command}: {request}");
        }
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_said() {
    let said = consign(&["man", "Cargo.toml/man1"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""));
    assert_eq!(
        said.stderr,
        "error: the manual pages cannot be written to `Cargo.toml/man1`: Not a directory (os error 20)\n"
    );
}
