use async_trait::async_trait;
use globset::Glob;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{
    Declare, Done, EffectInfo, Effects, Guess, Places, Sort, Step, StepContext, StepError, Thing,
    effect_info::reads,
    kind::{OutputInfo, output},
};
use crate::{
    event::Outcome,
    oci::{Reference, Tag},
    output::Output,
    plan::{Diagnostic, yaml::Spanned},
};

/// Lists the tags of a repository.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListTags {
    /// The repository, without a tag.
    #[schemars(with = "String")]
    pub repository: Spanned<Reference>,
    /// Tags that must be among them; otherwise the step says no, and what follows does not run.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub contains: Vec<Tag>,
    /// Only tags that this glob matches.
    #[serde(rename = "match")]
    #[schemars(with = "Option<String>")]
    pub pattern: Option<Spanned<String>>,
    /// Prints one tag a line.
    #[serde(default)]
    pub print: bool,
}

impl Declare for ListTags {
    const NAME: &'static str = "list_tags";
    const SUMMARY: &'static str = "Lists the tags of a repository.";
    const EXAMPLE: &'static str = "\
repository: localhost:5000/net-monitor
contains: [v1]
";
    const MORE: &'static [&'static str] = &["\
repository: localhost:5000/net-monitor
match: \"v1.*\"
print: true
"];
    const EFFECTS: &'static [EffectInfo] = &[reads(Sort::TagList, "of `repository`")];
    const GATE: Option<&'static str> = Some("with `contains`");
    const LISTS: bool = true;
    const OUTPUTS: &'static [OutputInfo] =
        &[output("tags", "a list, sorted, without those of the referrers tag schema")];
}

#[async_trait]
impl Step for ListTags {
    fn effects(&self, places: &Places) -> Effects {
        Effects::default().read(Thing::tag_list(&places.repository(&self.repository.repository)))
    }

    fn is_gate(&self) -> bool {
        !self.contains.is_empty()
    }

    fn check(&self, _: &Places) -> Vec<Diagnostic> {
        let target = self.repository.target().map(|target| {
            let message = format!("`{}` names a manifest, not a repository", self.repository.value);
            Diagnostic::new(message).at(self.repository.span).label(format!("leave `{target}` out"))
        });
        let pattern = self.pattern.as_ref().and_then(|pattern| {
            let error = Glob::new(pattern).err()?;
            Some(Diagnostic::new(format!("`{}` is not a glob: {}", pattern.value, error.kind())).at(pattern.span))
        });
        target.into_iter().chain(pattern).collect()
    }

    fn foresee(&self, guess: &Guess<'_>) -> Output {
        guess.output().with("tags", json!([guess.text("tags")]))
    }

    async fn run(&self, cx: &StepContext) -> Result<Done, StepError> {
        let store = cx.open(&self.repository.repository);
        let tags = store.tags().await.map_err(StepError::store("list the tags of", &self.repository.value))?;
        let glob = self.pattern.as_ref().and_then(|pattern| Glob::new(pattern).ok()).map(|glob| glob.compile_matcher());
        let all: Vec<_> = tags.into_iter().filter(|tag| !tag.is_of_referrers()).collect();
        let missing: Vec<_> = self.contains.iter().filter(|tag| !all.contains(tag)).map(Tag::as_str).collect();
        if !missing.is_empty() {
            let found = if all.is_empty() {
                vec!["there are no tags".to_owned()]
            } else {
                vec![format!("there are: {}", all.iter().map(Tag::as_str).collect::<Vec<_>>().join(", "))]
            };
            let message = format!("{} has no tag `{}`", self.repository.value, missing.join("`, `"));
            return Err(StepError::Refused { message, found });
        }
        let selected: Vec<_> =
            all.iter().map(Tag::as_str).filter(|tag| glob.as_ref().is_none_or(|glob| glob.is_match(tag))).collect();
        if self.print {
            cx.progress.print(selected.iter().flat_map(|tag| [*tag, "\n"]).collect::<String>());
        }
        Ok(Done::new(Outcome::Passed, Output::default().with("tags", json!(selected))))
    }
}
