use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{
    Access, Declare, Done, EffectInfo, Effects, Globs, Guess, Places, Sort, Step, StepContext, StepError, Thing,
    effect_info::reads,
    kind::{OutputInfo, output},
    reading::{check_repository, on_disk},
    tag_selection::TagSelection,
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
    /// Only tags that one of these globs matches; one that begins with `!` takes away what it matches.
    #[serde(rename = "match")]
    #[schemars(with = "Option<Globs>")]
    pub globs: Option<Spanned<Globs>>,
    /// Only versions within a range, such as `>=1.2, <2` or `^1 || ^2`, from the lowest to the highest.
    #[schemars(with = "Option<String>")]
    pub semver: Option<Spanned<String>>,
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
match: [\"v*\", \"!*-debug\"]
semver: \"^1 || ^2\"
print: true
"];
    const EFFECTS: &'static [EffectInfo] = &[reads(Sort::TagList, "of `repository`")];
    const GATE: Option<&'static str> = Some("with `contains`");
    const LISTS: bool = true;
    const OUTPUTS: &'static [OutputInfo] = &[output(
        "tags",
        "a list, sorted by name, with `semver` by version, without those of the referrers tag schema",
    )];
}

impl ListTags {
    const fn selection(&self) -> TagSelection<'_> {
        TagSelection { globs: self.globs.as_ref(), semver: self.semver.as_ref(), newest: None }
    }
}

#[async_trait]
impl Step for ListTags {
    fn effects(&self, places: &Places) -> Effects {
        let repository = places.repository(&self.repository.repository);
        on_disk(Effects::default(), Access::Read, &repository).read(Thing::tag_list(&repository))
    }

    fn is_gate(&self) -> bool {
        !self.contains.is_empty()
    }

    fn check(&self, _: &Places) -> Vec<Diagnostic> {
        check_repository(&self.repository).into_iter().chain(self.selection().check()).collect()
    }

    fn foresee(&self, guess: &Guess<'_>) -> Output {
        guess.output().with("tags", json!([guess.text("tags")]))
    }

    async fn run(&self, cx: &StepContext) -> Result<Done, StepError> {
        let store = cx.open(&self.repository.repository);
        let tags = store.tags().await.map_err(StepError::store("list the tags of", &self.repository.value))?;
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
        let selected = self.selection().choose(all);
        let selected: Vec<_> = selected.iter().map(Tag::as_str).collect();
        if self.print {
            cx.progress.print(selected.iter().flat_map(|tag| [*tag, "\n"]).collect::<String>());
        }
        Ok(Done::new(Outcome::Passed, Output::default().with("tags", json!(selected))))
    }
}
