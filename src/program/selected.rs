//! What `--select` and its like are about in a program that is there already.

use std::collections::BTreeSet;

use petgraph::Direction;

use super::{Program, selection::reached};
use crate::{plan::nearest, step::KINDS};

impl Program {
    /// The steps that the terms of a flag are about, by their place in the file, or what is wrong with one: `id` (of a loop,
    /// an item of it or an included plan: all of it), `kind:KIND`, and with `+` before or behind also what it depends on or
    /// what depends on it.
    pub fn selected(&self, flag: &str, terms: &[String]) -> Result<BTreeSet<usize>, String> {
        let mut found = BTreeSet::new();
        for term in terms {
            let (before, rest) = term.strip_prefix('+').map_or((false, term.as_str()), |rest| (true, rest));
            let (after, pattern) = rest.strip_suffix('+').map_or((false, rest), |rest| (true, rest));
            let named = self.named(pattern).map_err(|message| format!("{flag}: {message}"))?;
            if before {
                found.extend(reached(&self.graph, &named, Direction::Incoming));
            }
            if after {
                found.extend(reached(&self.graph, &named, Direction::Outgoing));
            }
            found.extend(named);
        }
        Ok(found)
    }

    fn named(&self, pattern: &str) -> Result<BTreeSet<usize>, String> {
        let names = || self.steps.iter().map(|step| step.id.name());
        let kind = pattern.strip_prefix("kind:");
        if let Some(kind) = kind.filter(|kind| KINDS.iter().all(|known| known.name != *kind)) {
            return Err(match nearest(kind, KINDS.iter().map(|known| known.name)) {
                Some(near) => format!("there is no kind `{kind}`: did you mean `{near}`?"),
                None => format!("there is no kind `{kind}`"),
            });
        }
        let is_meant = |name: &str| {
            name.strip_prefix(pattern).is_some_and(|rest| rest.is_empty() || rest.starts_with(['[', '.', '/']))
        };
        let found: BTreeSet<usize> = match kind {
            Some(kind) => (0..).zip(&self.steps).filter(|(_, step)| step.kind.name == kind).map(|(at, _)| at).collect(),
            None => (0..).zip(names()).filter(|(_, name)| is_meant(name)).map(|(at, _)| at).collect(),
        };
        if !found.is_empty() {
            return Ok(found);
        }
        Err(match (kind, nearest(pattern, names())) {
            (Some(kind), _) => format!("no step is of the kind `{kind}`"),
            (None, Some(near)) => format!("there is no step `{pattern}`: did you mean `{near}`?"),
            (None, None) => format!("there is no step `{pattern}`"),
        })
    }
}
