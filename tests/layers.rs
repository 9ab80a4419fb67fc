//! The modules are layers: each imports only from those above it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;
use walkdir::WalkDir;

/// The top-level modules. Each may import those above it.
const LAYERS: &[&str] = &[
    "oci", "output", "event", "secret", "text", "tree", "table", "store", "pack", "sign", "plan", "step", "graph",
    "schedule", "program", "journal", "report", "runner", "preview", "lock", "resume", "serve", "cli",
];

fn sources() -> Vec<PathBuf> {
    let files = WalkDir::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).sort_by_file_name();
    let files = files.into_iter().map(|entry| entry.unwrap().into_path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// The top-level module that a file belongs to; none for the roots.
fn module(path: &Path) -> Option<String> {
    let below = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let first = below.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
    (!matches!(first, "lib" | "main")).then(|| first.to_owned())
}

/// The top-level modules that a text names behind `crate::`, tests included.
fn imported(text: &str) -> Vec<String> {
    let name = Regex::new(r"^\w+").unwrap();
    let mut found = Vec::new();
    for (at, matched) in text.match_indices("crate::") {
        let rest = &text[at + matched.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.extend(name.find(rest).map(|name| name.as_str().to_owned()));
            continue;
        };
        let mut depth = 0_usize;
        let mut start = true;
        for (place, letter) in group.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start = true,
                _ if start && !letter.is_whitespace() => {
                    start = false;
                    found.extend(name.find(&group[place..]).map(|name| name.as_str().to_owned()));
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn a_module_imports_only_from_those_above_it() {
    let place = |module: &str| LAYERS.iter().position(|layer| *layer == module);
    let mut wrong = Vec::new();
    for path in sources() {
        let Some(module) = module(&path) else { continue };
        let here = place(&module).unwrap_or_else(|| panic!("`{module}` stands in no layer"));
        for import in imported(&fs::read_to_string(&path).unwrap()) {
            if place(&import).is_some_and(|there| there > here) {
                wrong.push(format!("{} imports `{import}`, which stands below `{module}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_draws_text_needs_no_more_than_values() {
    for path in sources() {
        let Some(module) = module(&path).filter(|module| ["text", "tree", "table"].contains(&module.as_str())) else {
            continue;
        };
        for import in imported(&fs::read_to_string(&path).unwrap()) {
            assert!(["oci", "text", &module].contains(&import.as_str()), "{} imports `{import}`", path.display());
        }
    }
}

#[test]
fn every_layer_is_declared_in_order_and_exists() {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let mut declared: Vec<_> =
        lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    declared.sort_by_key(|module| LAYERS.iter().position(|layer| layer == module));
    assert_eq!(declared, LAYERS);
}

#[test]
fn imports_are_found_however_they_are_written() {
    let text =
        "use crate::oci;\nuse crate::{\n    plan::{Span, yaml::{Node, Key}},\n    text,\n};\ncrate::pack::expand(x)";
    assert_eq!(imported(text), ["oci", "plan", "text", "pack"]);
}

#[test]
fn every_module_says_what_it_is() {
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        let is_module = path.ends_with("mod.rs") || path.parent().is_some_and(|folder| folder.ends_with("src"));
        assert!(!is_module || text.starts_with("//! "), "{} does not begin with `//!`", path.display());
        let lines = text.lines().count();
        assert!(lines <= 500, "{} has {lines} lines", path.display());
    }
}
