//! What the check remembers of the steps above the one that it looks at.

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
};

use crate::{
    oci::{Repository, Tag},
    pack::{self, PackError},
    plan::{Diagnostic, Span, yaml::Spanned},
    step::{Access, Effects, IfExists, Leaves, Mode, Places, Step, Thing},
};

/// Stands for a value that cannot be worked out: where a reference is wanted, it is one.
pub(super) const STAND_IN: &str = "localhost/unknown:unknown";

/// Built up step by step, in file order.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Steps that could not be worked out; what uses their outputs cannot be either.
    pub(super) broken: BTreeSet<usize>,
    /// Steps that may do something else than the guesses say; what they hand on may be something else too.
    pub(super) opaque: BTreeSet<usize>,
    /// The outputs that steps do not have, with what would give them.
    lacks: HashMap<usize, &'static [(&'static str, &'static str)]>,
    /// What each step touches.
    touched: HashMap<usize, Effects>,
    /// The last step that changes each thing.
    changed: HashMap<Thing, usize>,
    /// The folders and files that steps write.
    written: Vec<Thing>,
    /// Those that a step of that name would write if it ran in this mode.
    unsaid: Vec<(Thing, String)>,
    /// Who moves a tag, and what it does where the tag points elsewhere.
    moved: HashMap<(Repository, Tag), (String, IfExists)>,
}

impl Known {
    /// Remembers what the step leaves behind.
    pub(super) fn remember(
        &mut self,
        at: usize,
        id: &str,
        step: &dyn Step,
        effects: &Effects,
        places: &Places,
        mode: Mode,
    ) {
        if !step.lacks(mode).is_empty() {
            self.lacks.insert(at, step.lacks(mode));
        }
        self.touched.insert(at, effects.clone());
        for (_, thing) in effects.touches().iter().filter(|(access, _)| *access == Access::Write) {
            self.changed.insert(thing.clone(), at);
        }
        match step.leaves(mode, places) {
            None => self.remember_written(effects),
            Some(Leaves { written, unsaid }) => {
                self.written.extend(written);
                self.unsaid.extend(unsaid.into_iter().map(|thing| (thing, id.to_owned())));
            }
        }
    }

    /// Remembers the files that a step leaves behind.
    pub(super) fn remember_written(&mut self, effects: &Effects) {
        let files = Thing::path(Path::new(""));
        let writes = effects.touches().iter().filter(|(access, _)| *access != Access::Read);
        self.written.extend(writes.map(|(_, thing)| thing).filter(|thing| files.contains(thing)).cloned());
    }

    /// Whether what the step finds in `thing` or leaves there is there still: it has to do with it, and no step since
    /// then may have removed anything.
    pub(super) fn knows(&self, step: usize, thing: &Thing) -> bool {
        let touches = self.touched.get(&step).is_some_and(|touched| touched.touch(thing));
        let changed = thing.containers().filter_map(|container| self.changed.get(&container)).max();
        touches && changed.is_none_or(|changed| *changed <= step)
    }

    /// Says that a step could not be worked out that may write any file.
    pub(super) fn may_write_anything(&mut self) {
        self.written.push(Thing::path(Path::new("")));
    }

    /// What is wrong with naming these outputs: a step of their kind has them, this one does not.
    pub(super) fn check_outputs(&self, named: &[(usize, String, Span)], ids: &[String]) -> Vec<Diagnostic> {
        let lack = |(step, output, span): &(usize, String, Span)| {
            let (_, remedy) = self.lacks.get(step)?.iter().find(|(name, _)| name == output)?;
            let id = ids.get(*step).map_or("", String::as_str);
            let diagnostic = Diagnostic::new(format!("step `{id}` has no output `{output}` as it stands")).at(*span);
            Some(diagnostic.label(format!("{remedy} in `{id}`")))
        };
        named.iter().filter_map(lack).collect()
    }

    /// Whether every file that the step reads is there, or is written by a step before it.
    pub(super) fn check_sources(&self, step: &dyn Step, places: &Places) -> Vec<Diagnostic> {
        let sources = step.sources().into_iter().filter(|source| source.value != STAND_IN);
        sources.filter_map(|source| self.check_source(source, places)).collect()
    }

    fn check_source(&self, source: &Spanned<String>, places: &Places) -> Option<Diagnostic> {
        let thing = places.read_thing(source);
        if self.written.iter().any(|written| written.contains(&thing)) {
            return None;
        }
        let unsaid = self.unsaid.iter().rfind(|(unsaid, _)| unsaid.contains(&thing));
        let is_made = thing.as_path().is_some_and(|path| path == places.work(source) && !path.exists());
        let found = pack::expand(places.source_root(source), source);
        if let Some((_, step)) = unsaid.filter(|_| is_made || found.is_err()) {
            if self.written.iter().any(|written| thing.contains(written)) {
                return None;
            }
            let message = format!("`{}` is written by `{step}`, which does not run in this rehearsal", source.value);
            let help =
                format!("rehearse with --exec, or say `rehearse: {{ files: {{ {}: … }} }}` in `{step}`", source.value);
            return Some(Diagnostic::new(message).at(source.span).help(help));
        }
        let diagnostic = match found.err()? {
            PackError::NotFound { .. } => Diagnostic::new(format!("file not found: `{}`", source.value)),
            other => Diagnostic::new(other.to_string()),
        };
        let folder = places.plan_folder.display();
        Some(diagnostic.at(source.span).note(format!("paths are relative to the plan's folder, {folder}")))
    }

    /// Two steps that move one tag must both say what happens then: otherwise the second would fail.
    pub(super) fn check_moves(&mut self, id: &str, step: &dyn Step, places: &Places, span: Span) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        for (repository, tag, if_exists) in step.moves() {
            let key = (places.repository(repository).identity(), tag.clone());
            if let Some((earlier, before)) = self.moved.get(&key)
                && (*before == IfExists::Fail || if_exists == IfExists::Fail)
            {
                let message = format!("`{earlier}` and `{id}` both move the tag `{repository}:{tag}`");
                let diagnostic = Diagnostic::new(message).at(span);
                diagnostics.push(diagnostic.help("say `if_exists: replace` or `if_exists: keep` in both"));
            }
            self.moved.insert(key, (id.to_owned(), if_exists));
        }
        diagnostics
    }
}
