//! Patterns for files: `*`, `?`, `[…]`, `{…,…}` and `**`, as shells have them.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use globset::{Glob, GlobMatcher};

use super::PackError;

/// How many alternatives the braces of one pattern may have.
const ALTERNATIVES: usize = 1000;

/// The files and directories that `pattern` names, relative to `root` where the pattern is, sorted.
///
/// A text that names something as it is written is that and no pattern. `*` does not cross a `/`; names that begin with
/// a dot match only where the pattern writes the dot; with `**`, which goes down directories but no symbolic links,
/// only files match. Nothing at all is an error.
pub fn expand(root: &Path, pattern: &str) -> Result<Vec<PathBuf>, PackError> {
    if pattern.is_empty() {
        return Err(PackError::Pattern { pattern: pattern.to_owned(), message: "it is empty".to_owned() });
    }
    if root.join(pattern).exists() {
        return Ok(vec![PathBuf::from(pattern)]);
    }
    if !pattern.contains(['*', '?', '[', ']', '{', '}']) {
        return Err(PackError::NotFound { path: PathBuf::from(pattern) });
    }
    let fail = |message: String| PackError::Pattern { pattern: pattern.to_owned(), message };
    let mut alternatives = Vec::new();
    alternate(pattern, &mut alternatives).map_err(|message| fail(message.to_owned()))?;
    let mut found = BTreeSet::new();
    for alternative in alternatives {
        let parts = parse(&alternative).map_err(|error| fail(error.kind().to_string()))?;
        let base = if alternative.starts_with('/') { PathBuf::from("/") } else { PathBuf::new() };
        let files_only = parts.iter().any(|part| matches!(part, Part::Deep));
        Search { root, files_only, found: &mut found }.go(&base, &parts)?;
    }
    if found.is_empty() {
        return Err(PackError::NoMatch { pattern: pattern.to_owned() });
    }
    Ok(found.into_iter().collect())
}

/// One part of a pattern, between slashes.
enum Part {
    Literal(String),
    Glob { matcher: GlobMatcher, dot: bool },
    Deep,
}

fn parse(pattern: &str) -> Result<Vec<Part>, globset::Error> {
    let mut parts = Vec::new();
    for part in pattern.split('/').filter(|part| !part.is_empty() && *part != ".") {
        parts.push(match part {
            // Twice in a row says no more than once, and takes longer.
            "**" if matches!(parts.last(), Some(Part::Deep)) => continue,
            "**" => Part::Deep,
            _ if part.contains(['*', '?', '[', ']', '\\']) => {
                Part::Glob { matcher: Glob::new(part)?.compile_matcher(), dot: part.starts_with('.') }
            }
            _ => Part::Literal(part.to_owned()),
        });
    }
    Ok(parts)
}

/// Writes out the first braces of a pattern, and so on for what comes of it.
fn alternate(pattern: &str, alternatives: &mut Vec<String>) -> Result<(), &'static str> {
    let (mut depth, mut start, mut cuts, mut in_class, mut escaped) = (0_usize, 0, Vec::new(), false, false);
    for (index, letter) in pattern.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ']' => in_class = false,
            _ if in_class => {}
            '[' => in_class = true,
            '{' => {
                depth += 1;
                if depth == 1 {
                    start = index;
                    cuts.push(index);
                }
            }
            ',' if depth == 1 => cuts.push(index),
            '}' if depth == 0 => return Err("a `}` has no `{` before it"),
            '}' if depth == 1 => {
                cuts.push(index);
                let (before, after) = (&pattern[..start], &pattern[index + 1..]);
                for pair in cuts.windows(2) {
                    if let [from, to] = pair {
                        alternate(&format!("{before}{}{after}", &pattern[from + 1..*to]), alternatives)?;
                    }
                }
                return Ok(());
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    if depth > 0 {
        return Err("a `{` has no `}` behind it");
    }
    if alternatives.len() == ALTERNATIVES {
        return Err("its braces have more than 1000 alternatives");
    }
    alternatives.push(pattern.to_owned());
    Ok(())
}

struct Search<'a> {
    root: &'a Path,
    files_only: bool,
    found: &'a mut BTreeSet<PathBuf>,
}

impl Search<'_> {
    /// What matches `parts` below `base`.
    fn go(&mut self, base: &Path, parts: &[Part]) -> Result<(), PackError> {
        let Some((part, rest)) = parts.split_first() else {
            // A link to nothing is nothing.
            let is_wanted = |found: fs::Metadata| found.is_file() || !self.files_only;
            if fs::metadata(self.root.join(base)).is_ok_and(is_wanted) {
                self.found.insert(base.to_owned());
            }
            return Ok(());
        };
        match part {
            Part::Literal(name) => {
                let path = base.join(name);
                if fs::symlink_metadata(self.root.join(&path)).is_ok() { self.go(&path, rest) } else { Ok(()) }
            }
            Part::Glob { matcher, dot } => {
                for (name, _) in self.names(base)? {
                    if (*dot || !name.starts_with('.')) && matcher.is_match(&name) {
                        self.go(&base.join(name), rest)?;
                    }
                }
                Ok(())
            }
            Part::Deep => {
                if !rest.is_empty() {
                    self.go(base, rest)?;
                }
                for (name, is_directory) in self.names(base)? {
                    if name.starts_with('.') {
                        continue;
                    }
                    if is_directory {
                        self.go(&base.join(name), parts)?;
                    } else if rest.is_empty() {
                        self.go(&base.join(name), rest)?;
                    }
                }
                Ok(())
            }
        }
    }

    /// The names in a directory, and whether each is a directory itself. None where it is no directory.
    fn names(&self, directory: &Path) -> Result<Vec<(String, bool)>, PackError> {
        let full = self.root.join(directory);
        let entries = match fs::read_dir(&full) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(Vec::new());
            }
            Err(error) => return Err(PackError::io(full)(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(PackError::io(&full))?;
            let is_directory = entry.file_type().map_err(PackError::io(entry.path()))?.is_dir();
            let name = entry.file_name().into_string();
            names.push((name.map_err(|_| PackError::NotUnicode { path: entry.path() })?, is_directory));
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for path in ["a.txt", "b.txt", "c.md", ".env", "[x].txt", "sub/d.txt", "sub/.git/e.txt", "sub/deep/f.txt"] {
            let path = folder.path().join("root").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        fs::write(folder.path().join("outside.txt"), "").unwrap();
        folder
    }

    #[test]
    fn patterns_match_as_in_a_shell() {
        let folder = folder();
        let root = folder.path().join("root");
        for (pattern, found) in [
            ("a.txt", "a.txt"),
            ("sub", "sub"),
            ("./a.txt", "./a.txt"),
            ("[x].txt", "[x].txt"),
            ("*.txt", "[x].txt a.txt b.txt"),
            ("[ab].txt", "a.txt b.txt"),
            ("[!ab].*", "c.md"),
            ("?.md", "c.md"),
            ("{b,a}.{txt,md}", "a.txt b.txt"),
            ("{a.txt,sub/{d,deep/f}.txt}", "a.txt sub/d.txt sub/deep/f.txt"),
            ("*", "[x].txt a.txt b.txt c.md sub"),
            (".*", ".env"),
            ("{.env,c*}", ".env c.md"),
            ("*/*.txt", "sub/d.txt"),
            ("**/*.txt", "[x].txt a.txt b.txt sub/d.txt sub/deep/f.txt"),
            ("sub/**", "sub/d.txt sub/deep/f.txt"),
            ("**/**/f.txt", "sub/deep/f.txt"),
            ("**/.git/*", "sub/.git/e.txt"),
            ("../*.txt", "../outside.txt"),
            ("\\[x\\]*", "[x].txt"),
        ] {
            let paths = expand(&root, pattern).unwrap();
            let paths: Vec<_> = paths.iter().map(|path| path.to_str().unwrap()).collect();
            assert_eq!(paths.join(" "), found, "{pattern}");
        }
        let absolute = format!("{}/?.md", root.display());
        assert_eq!(expand(Path::new("elsewhere"), &absolute).unwrap(), [root.join("c.md")]);
    }

    #[test]
    fn a_pattern_that_matches_nothing_is_an_error() {
        let folder = folder();
        let root = folder.path().join("root");
        assert_eq!(expand(&root, "*.rs").unwrap_err().to_string(), "nothing matches `*.rs`");
        assert_eq!(expand(&root, "none.txt").unwrap_err().to_string(), "`none.txt` does not exist");
        for pattern in ["", "{a", "a}", "[a", "{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}"] {
            assert!(matches!(expand(&root, pattern), Err(PackError::Pattern { .. })), "{pattern}");
        }
    }
}
