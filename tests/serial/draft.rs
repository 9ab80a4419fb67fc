//! Plans made of numbers: each number chooses among what makes sense where it stands, so that most plans succeed and all
//! of them compile.

mod steps;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write as _},
};

use proptest::prelude::*;

/// What one step is made of, before it is known what stands above it.
#[derive(Debug, Clone)]
struct Seed {
    kind: u8,
    numbers: [u8; 14],
}

/// A plan's text; a counterexample is shown as it is.
#[derive(Clone)]
pub(super) struct Plan(pub(super) String);

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}", self.0)
    }
}

pub(super) fn plans() -> impl Strategy<Value = Plan> {
    let seed = (0..KINDS, prop::array::uniform14(any::<u8>())).prop_map(|(kind, numbers)| Seed { kind, numbers });
    prop::collection::vec(seed, 4..15).prop_map(|seeds| Plan(plan(&seeds)))
}

const KINDS: u8 = 29;
const REPOSITORIES: [&str; 3] = ["localhost:5000/a", "localhost:5000/b/x", "localhost:5000/c"];
/// The same repositories, spelled otherwise.
const ALIASES: [&str; 3] = ["127.0.0.1:5000/a", "127.0.0.1:5000/b/x", "[::1]:5000/c"];
const TAGS: [&str; 3] = ["v1", "v2", "v3"];

/// The text of a plan with one step for each seed.
fn plan(seeds: &[Seed]) -> String {
    let mut draft = Draft::default();
    for (step, seed) in seeds.iter().enumerate() {
        draft.numbers = seed.numbers.iter().copied().rev().collect();
        let _ = writeln!(draft.steps, "  - id: s{step}");
        let before = draft.steps.len();
        let condition = if draft.one_in(6) { draft.condition() } else { None };
        let tolerates = draft.one_in(6);
        draft.step(step, seed.kind);
        let is_gate = ["expect:", "contains:", "assert:"].iter().any(|word| draft.steps[before..].contains(word));
        let is_loop = draft.steps[before..].contains("foreach:");
        if tolerates && !is_gate && !is_loop {
            let _ = writeln!(draft.steps, "    continue_on_error: true");
        }
        if let Some(condition) = condition {
            let _ = writeln!(draft.steps, "    when: \"{condition}\"");
        }
    }
    let vars = if draft.vars.is_empty() { String::new() } else { format!("vars:\n{}", draft.vars) };
    format!("consign: 1\n{vars}steps:\n{}", draft.steps)
}

/// A manifest by what is in it: equal text, equal digest.
type Id = String;

/// The plan so far, and what there is in the registry after it, as far as that can be told.
#[derive(Default)]
struct Draft {
    numbers: Vec<u8>,
    vars: String,
    steps: String,
    world: [World; 3],
    /// Steps with an output `reference`, with the repository and the manifest that it names.
    named: Vec<(usize, usize, Id)>,
    /// Steps with an output `tag`.
    tagged: Vec<usize>,
    /// Steps with an output `count`.
    counted: Vec<usize>,
    /// Steps with an output `tags`, and how many there are at least.
    listed: Vec<(usize, usize)>,
    /// Loops, and the keys of each.
    looped: Vec<(usize, Vec<&'static str>)>,
    /// Var names that were given.
    var_count: usize,
}

#[derive(Default)]
struct World {
    tags: BTreeMap<String, Id>,
    /// Each with its subject.
    manifests: BTreeMap<Id, Option<Id>>,
}

impl World {
    fn referrers(&self, root: &Id) -> BTreeSet<Id> {
        let mut found = BTreeSet::new();
        let mut waiting = vec![root.clone()];
        while let Some(subject) = waiting.pop() {
            for (id, about) in &self.manifests {
                if about.as_ref() == Some(&subject) && found.insert(id.clone()) {
                    waiting.push(id.clone());
                }
            }
        }
        found
    }

    fn remove(&mut self, id: &Id) {
        self.manifests.remove(id);
        self.tags.retain(|_, named| named != id);
    }
}

/// A manifest that is there, as a plan can name it.
struct Named {
    text: String,
    repository: usize,
    id: Id,
    tag: Option<String>,
}

impl Draft {
    fn pick(&mut self, below: usize) -> usize {
        usize::from(self.numbers.pop().unwrap_or(0)) % below.max(1)
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.pick(many) == many - 1
    }

    fn choose<T: Clone>(&mut self, list: &[T]) -> Option<T> {
        let at = self.pick(list.len());
        list.get(at).cloned()
    }

    fn line(&mut self, text: &str) {
        let _ = writeln!(self.steps, "      {text}");
    }

    fn kind(&mut self, kind: &str) {
        let _ = writeln!(self.steps, "    {kind}:");
    }

    /// A var of that value, as an expression.
    fn var(&mut self, value: &str) -> String {
        let name = format!("V{}", self.var_count);
        self.var_count += 1;
        let _ = writeln!(self.vars, "  {name}: \"{value}\"");
        format!("${{{{ {name} }}}}")
    }

    fn repository(&mut self, repository: usize) -> &'static str {
        if self.one_in(8) { ALIASES[repository] } else { REPOSITORIES[repository] }
    }

    /// A condition, which holds more often than not.
    fn condition(&mut self) -> Option<String> {
        let named: Vec<_> = self.named.iter().map(|(step, ..)| *step).collect();
        let counted = self.counted.clone();
        let condition = match self.pick(3) {
            0 => format!("steps.s{}.changed", self.choose(&named)?),
            1 => format!("steps.s{}.count < 3", self.choose(&counted)?),
            _ => format!("steps.s{}.outcome == 'created'", self.choose(&named)?),
        };
        let condition = format!("${{{{ {condition} }}}}");
        Some(if self.one_in(3) { self.var(&condition) } else { condition })
    }

    /// An expression that looks at how other steps ended, and is one of two values.
    fn either(&mut self, one: &str, other: &str) -> String {
        let named: Vec<_> = self.named.iter().map(|(step, ..)| *step).collect();
        let counted = self.counted.clone();
        let condition = match (self.choose(&counted), self.choose(&named)) {
            (Some(step), _) => format!("steps.s{step}.count > 1"),
            (None, Some(step)) => format!("steps.s{step}.changed"),
            (None, None) => return format!("${{{{ {one} }}}}"),
        };
        let expression = format!("${{{{ {one} if {condition} else {other} }}}}");
        if self.one_in(3) { self.var(&expression) } else { expression }
    }

    /// A tag to write, and what it is where that is known.
    fn tag(&mut self) -> (String, Option<String>) {
        let known = TAGS[self.pick(TAGS.len())];
        match self.pick(10) {
            7 if !self.named.is_empty() => {
                let named = self.named.clone();
                let (step, ..) = self.choose(&named).unwrap();
                let output = ["digest", "reference"][self.pick(2)];
                (format!("${{{{ steps.s{step}.{output} | short }}}}"), None)
            }
            8 => (self.either("'v1'", "'v2'"), None),
            9 if !self.tagged.is_empty() => {
                let tagged = self.tagged.clone();
                let step = self.choose(&tagged).unwrap();
                (format!("${{{{ steps.s{step}.tag }}}}"), None)
            }
            6 if !self.named.is_empty() => {
                let discovers = self.counted.clone();
                let named: Vec<_> = self.named.iter().filter(|(step, ..)| !discovers.contains(step)).cloned().collect();
                let Some((step, ..)) = self.choose(&named) else { return (known.to_owned(), Some(known.to_owned())) };
                (format!("${{{{ steps.s{step}.media_type | oci_tag }}}}"), None)
            }
            _ => (known.to_owned(), Some(known.to_owned())),
        }
    }

    /// A manifest that is there, most of the time.
    fn manifest(&mut self) -> Option<Named> {
        let mut tags = Vec::new();
        for (repository, world) in self.world.iter().enumerate() {
            tags.extend(world.tags.iter().map(|(tag, id)| (repository, tag.clone(), id.clone())));
        }
        let named: Vec<_> = self
            .named
            .iter()
            .filter(|(_, repository, id)| self.world[*repository].manifests.contains_key(id))
            .cloned()
            .collect();
        if self.one_in(32) {
            let (repository, tag) = (self.pick(3), TAGS[self.pick(3)].to_owned());
            let text = format!("{}:{tag}", self.repository(repository));
            return Some(Named { text, repository, id: String::new(), tag: Some(tag) });
        }
        if named.is_empty() || self.pick(2) == 0 {
            let (repository, tag, id) = self.choose(&tags)?;
            let text = format!("{}:{tag}", self.repository(repository));
            return Some(Named { text, repository, id, tag: Some(tag) });
        }
        let (step, repository, id) = self.choose(&named)?;
        let name = self.repository(repository);
        let text = match self.pick(7) {
            0 | 1 => format!("${{{{ steps.s{step}.reference }}}}"),
            2 => format!("{name}@${{{{ steps.s{step}.digest }}}}"),
            3 => self.var(&format!("${{{{ steps.s{step}.reference }}}}")),
            4 => {
                let digest = self.var(&format!("${{{{ steps.s{step}.digest }}}}"));
                self.var(&format!("{name}@{digest}"))
            }
            5 => {
                let reference = format!("steps.s{step}.reference");
                self.either(&reference, &reference)
            }
            // The digest of a manifest of another repository, which has the same content.
            _ => {
                let same: Vec<_> = self.named.iter().filter(|(_, _, other)| *other == id).map(|(at, ..)| *at).collect();
                let other = self.choose(&same)?;
                format!("{name}@${{{{ steps.s{other}.digest }}}}")
            }
        };
        Some(Named { text, repository, id, tag: None })
    }

    fn step(&mut self, step: usize, kind: u8) {
        match kind {
            0..6 => self.push(step),
            6..11 => self.attach(step),
            11..13 => self.discover(step),
            13..15 => self.copy(step),
            15 => self.retag(step),
            16 | 17 => self.list_tags(step),
            18 | 19 => self.delete(step),
            20 => self.untag(step),
            21 => self.assert(step),
            22 => self.inspect(step),
            24 | 25 => self.items(step),
            26 => self.index(step),
            27 | 28 => self.mirror(step),
            _ => self.pull(step),
        }
    }

    fn if_exists(&mut self) -> &'static str {
        let word = if self.one_in(4) { "keep" } else { "replace" };
        self.line(&format!("if_exists: {word}"));
        word
    }

    /// Points a tag to a manifest of a repository. What the tag names then comes back.
    fn point(&mut self, repository: usize, tag: Option<String>, id: Id, if_exists: &str) -> Id {
        let Some(tag) = tag else { return id };
        let tags = &mut self.world[repository].tags;
        match tags.get(&tag) {
            Some(there) if if_exists == "keep" => there.clone(),
            _ => {
                tags.insert(tag, id.clone());
                id
            }
        }
    }
}
