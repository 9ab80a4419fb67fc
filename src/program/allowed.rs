//! What `allow` says: refused at check where it is known, and before the step asks anything of a registry otherwise.

use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher};

use crate::{
    oci::{RegistryName, Repository, Tag},
    plan::{AllowDeclaration, Diagnostic, yaml::Spanned},
    step::{Access, Places, Step, Thing},
};

/// The lists of a plan that has them.
#[derive(Debug, Clone)]
pub(super) struct Allowed {
    write: Vec<RepositoryGlob>,
    delete: Vec<RepositoryGlob>,
    exec: Arc<[GlobMatcher]>,
    files: Vec<GlobMatcher>,
}

/// A pattern of a repository, or of tags in repositories.
#[derive(Debug, Clone)]
struct RepositoryGlob {
    repository: GlobMatcher,
    tag: Option<GlobMatcher>,
}

/// What a step would do and may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The list that lacks it.
    list: &'static str,
    /// What would have to stand there.
    what: String,
    verb: &'static str,
    /// The step that includes the plan whose list it is.
    plan: Option<String>,
}

impl Refusal {
    /// The same by the list of the plan whose names begin with that.
    pub(super) fn of(self, prefix: &str) -> Self {
        Self { plan: prefix.strip_suffix('/').map(str::to_owned), ..self }
    }

    /// A file outside of the work folder is written.
    pub(super) fn file(path: &std::path::Path) -> Self {
        Self { list: "write", what: format!("file:{}", path.display()), verb: "writes", plan: None }
    }

    pub(super) fn message(&self, step: &str) -> String {
        let of = self.plan.as_ref().map(|plan| format!(" of the plan that `{plan}` includes")).unwrap_or_default();
        format!("`{step}` {} `{}`, which `allow.{}`{of} does not have", self.verb, self.what, self.list)
    }

    pub(super) fn help(&self) -> String {
        format!("add it: `allow: {{ {}: [\"{}\"] }}`, or a pattern that it fits", self.list, self.what)
    }
}

impl Allowed {
    /// Reads the lists, or says what is wrong with them.
    pub(super) fn read(declaration: &AllowDeclaration, places: &Places, diagnostics: &mut Vec<Diagnostic>) -> Self {
        let mut allowed = Self { write: Vec::new(), delete: Vec::new(), exec: Arc::default(), files: Vec::new() };
        for pattern in &declaration.write {
            if let Some(path) = pattern.strip_prefix("file:") {
                let path = places.in_workdir(path).to_string_lossy().into_owned();
                allowed.files.extend(glob(&path, pattern, diagnostics));
            } else {
                allowed.write.extend(RepositoryGlob::read(pattern, diagnostics));
            }
        }
        for pattern in &declaration.delete {
            allowed.delete.extend(RepositoryGlob::read(pattern, diagnostics));
        }
        allowed.exec = declaration.exec.iter().filter_map(|pattern| glob(pattern, pattern, diagnostics)).collect();
        allowed
    }

    /// What may be written outside of the work folder.
    pub(super) fn files(&self) -> &[GlobMatcher] {
        &self.files
    }

    /// Which programs may run.
    pub(super) const fn programs(&self) -> &Arc<[GlobMatcher]> {
        &self.exec
    }

    /// Whether that file may be written, which is outside of the work folder.
    pub(super) fn has_file(&self, path: &std::path::Path) -> bool {
        self.files.iter().any(|glob| glob.is_match(path))
    }

    /// Why a program may not run.
    pub(super) fn refuses_program(&self, program: &str) -> Option<Refusal> {
        let is_allowed = self.exec.iter().any(|glob| glob.is_match(program));
        (!is_allowed).then(|| Refusal { list: "exec", what: program.to_owned(), verb: "runs", plan: None })
    }

    /// The first thing that a step would do and may not, as far as it is known.
    pub(super) fn refuses(&self, step: &dyn Step, places: &Places) -> Option<Refusal> {
        if let Some(refusal) = step.runs().and_then(|program| self.refuses_program(&program)) {
            return Some(refusal);
        }
        if let Some(reference) = step.deletes() {
            let repository = places.repository(&reference.repository).identity();
            let tag = reference.tag.as_ref().filter(|_| reference.digest.is_none());
            let is_allowed = self.delete.iter().any(|glob| glob.matches(&repository, tag.map(Tag::as_str)));
            let what = match tag {
                Some(tag) => format!("{repository}:{tag}"),
                None => repository.to_string(),
            };
            let is_remote = matches!(repository, Repository::Registry { .. });
            return (is_remote && !is_allowed).then_some(Refusal { list: "delete", what, verb: "deletes", plan: None });
        }
        let effects = step.effects(places);
        let written: Vec<&Thing> =
            effects.touches().iter().filter(|(access, _)| *access != Access::Read).map(|(_, thing)| thing).collect();
        written.iter().find_map(|thing| self.refuses_writing(thing, &written))
    }

    fn refuses_writing(&self, thing: &Thing, all: &[&Thing]) -> Option<Refusal> {
        let repository = thing.in_repository().filter(|it| matches!(it, Repository::Registry { .. }))?;
        let allows = |tag: Option<&str>| self.write.iter().any(|glob| glob.matches(&repository, tag));
        let refusal = |what| Some(Refusal { list: "write", what, verb: "writes", plan: None });
        if let Some(tag) = thing.tag_name() {
            return if allows(Some(tag)) { None } else { refusal(format!("{repository}:{tag}")) };
        }
        if allows(None) {
            return None;
        }
        // What comes under a tag that may be written comes with it.
        let mut tags = all.iter().filter(|other| other.in_repository().as_ref() == Some(&repository));
        let comes_with_a_tag = tags.any(|other| other.tag_name().is_some_and(|tag| allows(Some(tag))));
        if comes_with_a_tag { None } else { refusal(repository.to_string()) }
    }
}

impl RepositoryGlob {
    fn read(pattern: &Spanned<String>, diagnostics: &mut Vec<Diagnostic>) -> Option<Self> {
        let after_slash = pattern.rfind('/').map_or(0, |slash| slash + 1);
        let colon = pattern.get(after_slash..)?.find(':').map(|colon| after_slash + colon);
        let (repository, tag) = match colon {
            Some(colon) if after_slash > 0 => (pattern.get(..colon)?, pattern.get(colon + 1..)),
            _ => (pattern.as_str(), None),
        };
        if !repository.contains('/') && !repository.contains("**") {
            let diagnostic = Diagnostic::new(format!("`{}` names no repository", pattern.value)).at(pattern.span);
            diagnostics.push(diagnostic.help(format!("write `{}/**` for all of a registry", pattern.value)));
            return None;
        }
        let tag = match tag {
            Some(tag) => Some(glob(tag, pattern, diagnostics)?),
            None => None,
        };
        Some(Self { repository: glob(&by_its_own_name(repository), pattern, diagnostics)?, tag })
    }

    /// Whether all of the repository is meant, or of a tag in it that tag.
    fn matches(&self, repository: &Repository, tag: Option<&str>) -> bool {
        let matches = self.repository.is_match(repository.to_string());
        matches && self.tag.as_ref().is_none_or(|glob| tag.is_some_and(|tag| glob.is_match(tag)))
    }
}

/// The pattern with the name of its registry as repositories have it, where it has no special characters in it.
fn by_its_own_name(pattern: &str) -> String {
    let Some((host, rest)) = pattern.split_once('/') else { return pattern.to_owned() };
    host.parse::<RegistryName>().map_or_else(|_| pattern.to_owned(), |name| format!("{}/{rest}", name.identity()))
}

fn glob(pattern: &str, written: &Spanned<String>, diagnostics: &mut Vec<Diagnostic>) -> Option<GlobMatcher> {
    let glob = GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build();
    glob.map(|glob| glob.compile_matcher())
        .map_err(|error| {
            let message = format!("`{}` is no pattern: {}", written.value, error.kind());
            diagnostics.push(Diagnostic::new(message).at(written.span));
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{oci::Reference, plan::Span};

    fn allows(pattern: &str, repository: &str, tag: Option<&str>) -> bool {
        let pattern = Spanned::new(pattern.to_owned(), Span::new(0, 0));
        let repository = repository.parse::<Reference>().unwrap().repository;
        RepositoryGlob::read(&pattern, &mut Vec::new()).unwrap().matches(&repository, tag)
    }

    #[test]
    fn a_star_stops_at_a_slash_and_two_do_not() {
        assert!(allows("ghcr.io/org/*", "ghcr.io/org/app", None));
        assert!(!allows("ghcr.io/org/*", "ghcr.io/org/app/x", None));
        assert!(allows("ghcr.io/org/**", "ghcr.io/org/app/x", Some("v1")));
        assert!(!allows("ghcr.io/org/**", "ghcr.io/organisation/app", None));
        assert!(allows("**", "localhost:5000/a/b", Some("v1")));
    }

    #[test]
    fn a_pattern_of_tags_is_of_those_tags_alone() {
        assert!(allows("localhost:5000/app:v*", "localhost:5000/app", Some("v1")));
        assert!(!allows("localhost:5000/app:v*", "localhost:5000/app", Some("latest")));
        assert!(!allows("localhost:5000/app:v*", "localhost:5000/app", None));
        assert!(allows("localhost:5000/app", "localhost:5000/app", Some("latest")));
    }

    #[test]
    fn a_registry_is_the_same_by_each_of_its_names() {
        let identity = "127.0.0.1:5000/app".parse::<Reference>().unwrap().repository.identity().to_string();
        assert!(allows("127.0.0.1:5000/*", &identity, None));
        assert!(allows("GHCR.io/org/app", "ghcr.io/org/app", None));
    }
}
