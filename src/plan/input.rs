use std::collections::BTreeMap;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::{
    Diagnostic, InputType,
    yaml::{Key, Node, Spanned},
};

/// A value that can be set from outside, as the plan declares it.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its name and where it stands.
    pub key: Key,
    /// What it takes.
    pub declaration: InputDeclaration,
    /// The plan that it stands in: see [`Document::included`](super::Document::included).
    pub module: usize,
    /// What the including plan gives it.
    pub bound: Option<Bound>,
}

/// A value that a plan gives to an input of a plan that it includes.
#[derive(Debug, Clone)]
pub struct Bound {
    /// With expressions in it.
    pub value: Node,
    /// The plan whose names it uses.
    pub module: usize,
    /// The first step of the included plan, by its place among all steps: it may look at steps above that.
    pub step: usize,
}

/// The fields of an input.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputDeclaration {
    /// What values it takes.
    #[serde(rename = "type", default)]
    pub kind: InputType,
    /// Its value where nobody gives one; may use inputs above it.
    #[serde(default)]
    pub default: Option<Node>,
    /// The environment variable that gives it a value.
    #[serde(default)]
    pub env: Option<String>,
    /// A regular expression that the whole value must match.
    #[serde(default)]
    pub pattern: Option<Spanned<String>>,
    /// The values that it may have.
    #[serde(default, rename = "enum")]
    pub options: Option<Vec<String>>,
    /// What it is, for people.
    #[serde(default)]
    pub description: Option<String>,
}

/// What was given from outside. Precedence, highest first: `set`, `files` (the last one wins), the environment.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// `--set NAME=VALUE`; the last one wins.
    pub set: Vec<(String, String)>,
    /// `--vars-file FILE`: the file's name and what stands in it.
    pub files: Vec<(String, BTreeMap<String, String>)>,
    /// The environment; a variable that is empty counts as not set.
    pub environment: BTreeMap<String, String>,
}

impl Given {
    /// The text given for `input`, and from where.
    pub fn value(&self, input: &Input) -> Option<(&str, String)> {
        let name = &*input.key.text;
        let from_set = || {
            let given = self.set.iter().rev().find(|(given, _)| given == name);
            given.map(|(_, value)| (value.as_str(), "given with --set".to_owned()))
        };
        let from_files = || {
            let given = self.files.iter().rev().find_map(|(file, values)| Some((file, values.get(name)?)));
            given.map(|(file, value)| (value.as_str(), format!("given in {file}")))
        };
        let from_environment = || {
            let variable = input.declaration.env.as_ref()?;
            let value = self.environment.get(variable).filter(|value| !value.is_empty())?;
            Some((value.as_str(), format!("from the environment variable `{variable}`")))
        };
        from_set().or_else(from_files).or_else(from_environment)
    }

    /// Every name that was given on purpose, with where: to find those that are no inputs.
    pub fn names(&self) -> impl Iterator<Item = (&str, String)> {
        let set = self.set.iter().map(|(name, _)| (name.as_str(), format!("--set {name}")));
        let files = self
            .files
            .iter()
            .flat_map(|(file, values)| values.keys().map(move |name| (name.as_str(), format!("`{name}` in {file}"))));
        set.chain(files)
    }
}

/// `pattern` as it matches: the whole value.
fn whole(pattern: &str) -> Result<Regex, regex::Error> {
    // By itself first: what closes the group that is put around it would be no mistake otherwise.
    Regex::new(pattern)?;
    Regex::new(&format!("^(?:{pattern})$"))
}

impl Input {
    /// What is wrong with the declaration itself, whatever the value.
    pub fn check(&self) -> Option<Diagnostic> {
        let pattern = self.declaration.pattern.as_ref()?;
        whole(pattern).err()?;
        let message = format!("`{}` is not a regular expression", pattern.value);
        Some(Diagnostic::new(message).at(pattern.span))
    }

    /// Checks a value that has a type already.
    pub fn take(&self, value: &Value, origin: &str) -> Result<Value, Diagnostic> {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            Value::Array(_) | Value::Object(_) | Value::Null => {
                let what = if value.is_array() { "a list" } else { "a mapping" };
                let message = format!("input `{}`: {what} is no value of an input", self.own_name());
                return Err(Diagnostic::new(message));
            }
        };
        self.read(&text, origin)
    }

    /// Its name as it is written, without what it begins with in an included plan.
    pub fn own_name(&self) -> &str {
        self.key.text.rsplit('/').next().unwrap_or_default()
    }

    /// Checks `text` against type, pattern and enum. `origin` says where it came from.
    pub fn read(&self, text: &str, origin: &str) -> Result<Value, Diagnostic> {
        let name = self.own_name();
        let refuse = |why: String| Diagnostic::new(format!("input `{name}`: {why}")).at(self.key.span).label(origin);
        let value = self.declaration.kind.read(text).map_err(refuse)?;
        if let Some(pattern) = &self.declaration.pattern {
            // One that cannot be read is reported where it stands.
            if whole(pattern).is_ok_and(|whole| !whole.is_match(text)) {
                return Err(refuse(format!("`{text}` does not match `{}`", pattern.value)));
            }
        }
        match &self.declaration.options {
            Some(options) if !options.iter().any(|option| option == text) => {
                Err(refuse(format!("`{text}` is not one of `{}`", options.join("`, `"))))
            }
            _ => Ok(value),
        }
    }
}
