//! What the README and the pages in `docs/` show is what the program says.

use std::fs;

use consign::{
    event::ExitCode,
    plan::{SourceFile, yaml as front_end},
    step::KINDS,
};
use regex::Regex;
use tempfile::TempDir;

use super::{consign, consign_in, read, root};

fn readme() -> String {
    read("README.md")
}

/// The README and the pages in `docs/`: path and text.
fn pages() -> Vec<(String, String)> {
    let folder = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = folder.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let pages = pages.map(|path| format!("docs/{}", path.file_name().unwrap().display()));
    let pages: Vec<_> = pages.chain(["README.md".to_owned()]).map(|path| (path.clone(), read(&path))).collect();
    assert!(pages.len() > 4, "{pages:?}");
    pages
}

/// The blocks of that language on all pages, with their page.
fn blocks(language: &str) -> Vec<(String, String)> {
    let pattern = Regex::new(&format!("(?ms)^```{language}\n(.*?)^```$")).unwrap();
    let on = |(path, text): &(String, String)| -> Vec<_> {
        pattern.captures_iter(text).map(|found| (path.clone(), found[1].to_owned())).collect()
    };
    pages().iter().flat_map(on).collect()
}

/// The block under `<!-- mark -->`.
fn marked(mark: &str) -> String {
    let pattern = Regex::new(&format!("(?ms)^<!-- {mark} -->\n```text\n(.*?)^```$")).unwrap();
    pattern.captures(&readme()).unwrap()[1].to_owned()
}

/// The cells of the table with that header, without the backticks around them.
fn table(header: &str) -> Vec<Vec<String>> {
    let readme = readme();
    let lines = readme.lines().skip_while(|line| !line.starts_with(header)).skip(2);
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    lines.take_while(|line| line.starts_with('|')).map(cells).collect()
}

/// Without how long it took.
fn timeless(text: &str) -> String {
    Regex::new(r"in [0-9.]+ m?s\b").unwrap().replace_all(text, "in TIME").into_owned()
}

#[test]
fn the_tutorial_prints_what_the_readme_shows() {
    let said = consign(&["rehearse", "plans/acr-tutorial.yaml"]);
    assert_eq!(said.stdout, marked("rehearse: stdout"));
    let summary = said.stderr.find("changed:\n").and_then(|start| said.stderr.get(start..)).unwrap();
    assert_eq!(timeless(summary), timeless(&marked("rehearse: summary")));
}

#[test]
fn the_diagnostics_of_the_readme_are_real() {
    let folder = TempDir::new().unwrap();
    for entry in walkdir::WalkDir::new(root().join("plans")).into_iter().map(Result::unwrap) {
        let to = folder.path().join(entry.path().strip_prefix(root()).unwrap());
        if entry.file_type().is_dir() {
            fs::create_dir_all(to).unwrap();
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
    let plan = read("plans/release.yaml").replace("steps.has_sbom.digest", "steps.has_sbm.digest");
    fs::write(folder.path().join("plans/release.yaml"), plan.replace("expect: one", "expects: one")).unwrap();
    let said = consign_in(folder.path(), &["check", "plans/release.yaml"]);
    assert_eq!((said.code, said.stderr), (Some(2), marked("check: stderr")));
}

/// What the plans on the pages speak of.
const FILES: &[(&str, &str)] = &[
    ("dist/amd64/app", "app"),
    ("dist/arm64/app", "app"),
    ("app.spdx.json", "{}"),
    (
        "provenance.json",
        "{ \"buildDefinition\": { \"buildType\": \"https://example.com/release/v1\", \"externalParameters\": {} }, \"runDetails\": { \"builder\": { \"id\": \"https://example.com/builder\" } } }",
    ),
    ("smoke-test", "#!/bin/sh\n"),
];

#[test]
fn every_plan_on_the_pages_is_right() {
    let folder = TempDir::new().unwrap();
    for (name, text) in FILES {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let mut whole = 0;
    for (page, block) in blocks("yaml") {
        let source = SourceFile::new(&page, block.clone());
        assert!(front_end::parse(&source).is_ok(), "{page}: {block}");
        if block.starts_with("consign:") {
            whole += 1;
            fs::write(folder.path().join("plan.yaml"), &block).unwrap();
            let said = consign_in(folder.path(), &["rehearse", "plan.yaml"]);
            assert_eq!(said.code, Some(0), "{}", said.stderr);
        }
    }
    assert!(whole >= 2, "{whole}");
}

#[test]
fn the_table_of_kinds_is_the_list_of_kinds() {
    let rows: Vec<_> = KINDS
        .iter()
        .map(|kind| {
            let outputs: Vec<_> = kind.outputs.iter().map(|output| format!("`{}`", output.name)).collect();
            vec![format!("`{}`", kind.name), kind.summary.to_owned(), outputs.join(", ")]
        })
        .collect();
    assert_eq!(table("| kind | what it does"), rows);
}

#[test]
fn the_table_of_commands_is_what_help_lists() {
    let help = consign(&["--help"]).stdout;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let listed: Vec<_> = listed
        .map(|line| line.trim().split_once(' ').map(|(name, text)| (name.to_owned(), text.trim().to_owned())).unwrap())
        .collect();
    let name = |cell: &str| cell.trim_matches('`').split(' ').nth(1).unwrap().to_owned();
    let told: Vec<_> = table("| command |").iter().map(|row| (name(&row[0]), row[1].clone())).collect();
    assert_eq!(told, listed);
}

#[test]
fn the_table_of_exit_codes_is_what_the_shell_hears() {
    let all = [
        ExitCode::Success,
        ExitCode::Failed,
        ExitCode::Invalid,
        ExitCode::Gate,
        ExitCode::Drift,
        ExitCode::Temporary,
        ExitCode::Interrupted,
    ];
    for code in all {
        match code {
            // A new code is an error here until it stands in the list above, and so in the README.
            ExitCode::Success
            | ExitCode::Failed
            | ExitCode::Invalid
            | ExitCode::Gate
            | ExitCode::Drift
            | ExitCode::Temporary
            | ExitCode::Interrupted => {}
        }
    }
    let told: Vec<_> = table("| exit code |").iter().map(|row| row[0].clone()).collect();
    assert_eq!(told, all.map(|code| (code as u8).to_string()));
    let help = consign(&["--help"]).stdout;
    for code in told {
        assert!(help.lines().any(|line| line.starts_with(&format!("  {code} "))), "{code}");
    }
}

#[test]
fn every_file_that_the_pages_name_is_there() {
    let pattern = Regex::new(r"\]\(([^):]+)\)").unwrap();
    let mut links = 0;
    for (page, text) in pages() {
        for link in pattern.captures_iter(&text) {
            let (path, heading) = link[1].split_once('#').unwrap_or((&link[1], ""));
            let path =
                if path.is_empty() { root().join(&page) } else { root().join(&page).parent().unwrap().join(path) };
            assert!(path.exists(), "{page}: {}", &link[0]);
            links += 1;
            let slug = |line: &str| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
            let is_there = || {
                fs::read_to_string(&path).unwrap().lines().any(|line| line.starts_with('#') && slug(line) == heading)
            };
            assert!(heading.is_empty() || is_there(), "{page}: {}", &link[0]);
        }
    }
    assert!(links > 12, "{links}");
    for path in [".ci/run", "tests/interop/run", "benches/tutorial", "benches/large"] {
        assert!(root().join(path).exists(), "{path}");
    }
}
