use std::collections::BTreeMap;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{
    Declare, Done, EffectInfo, Effects, Guess, IfExists, Places, Sort, Step, StepContext, StepError,
    effect_info::{adds, changes, reads},
    kind::{DIGEST, MEDIA_TYPE, OutputInfo, REFERENCE, SIZE, output},
    publish::target_effects,
    reading::{check_changed, read_effects},
};
use crate::{
    event::Outcome,
    oci::{Reference, Repository, Tag},
    output::Output,
    plan::{Diagnostic, yaml::Spanned},
};

/// Points tags to a manifest that is there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Tag")]
pub struct TagStep {
    /// The manifest, by tag or digest.
    #[schemars(with = "String")]
    pub from: Spanned<Reference>,
    /// The tags, in the same repository.
    #[schemars(with = "Vec<String>")]
    pub tags: Vec<Tag>,
    /// What to do where a tag points elsewhere: `fail` by default.
    #[serde(default)]
    pub if_exists: IfExists,
}

impl Declare for TagStep {
    const NAME: &'static str = "tag";
    const SUMMARY: &'static str = "Points tags to a manifest that is there.";
    const EXAMPLE: &'static str = "\
from: localhost:5000/net-monitor:v1
tags: [stable, latest]
if_exists: replace
";
    const MORE: &'static [&'static str] = &[];
    const EFFECTS: &'static [EffectInfo] = &[
        reads(Sort::Tag, "in `from`, where no digest is"),
        reads(Sort::Graph, "of the repository in `from`"),
        adds(Sort::Graph, "of that repository"),
        adds(Sort::TagList, "of that repository"),
        changes(Sort::Tag, "each of `tags`"),
    ];
    const OUTPUTS: &'static [OutputInfo] =
        &[REFERENCE, DIGEST, MEDIA_TYPE, SIZE, output("previous", "the digests that the tags had before, by tag")];
}

#[async_trait]
impl Step for TagStep {
    fn effects(&self, places: &Places) -> Effects {
        let to = Reference { repository: self.from.repository.clone(), tag: None, digest: None };
        target_effects(read_effects(Effects::default(), &self.from, places), &to, &self.tags, places)
    }

    fn check(&self, _: &Places) -> Vec<Diagnostic> {
        check_changed(&self.from).into_iter().collect()
    }

    fn moves(&self) -> Vec<(&Repository, &Tag, IfExists)> {
        self.tags.iter().map(|tag| (&self.from.repository, tag, self.if_exists)).collect()
    }

    fn foresee(&self, guess: &Guess<'_>) -> Output {
        guess.manifest(&self.from.repository).with_any_key("previous", guess.text("previous"))
    }

    async fn run(&self, cx: &StepContext) -> Result<Done, StepError> {
        let store = cx.open(&self.from.repository);
        let manifest = cx.manifest(&self.from).await?;
        let descriptor = manifest.descriptor();
        let fail = || StepError::store("tag", &self.from.value);
        let there = try_join_all(self.tags.iter().map(|tag| cx.pins.resolve(&*store, tag))).await.map_err(fail())?;
        let mut previous = BTreeMap::new();
        let mut moving = Vec::new();
        for (tag, found) in self.tags.iter().zip(there) {
            let Some(found) = found else {
                moving.push(tag);
                continue;
            };
            previous.insert(tag.as_str(), found.digest.to_string());
            match self.if_exists {
                _ if found.digest == descriptor.digest => {}
                IfExists::Keep => {}
                IfExists::Replace => moving.push(tag),
                IfExists::Fail => {
                    return Err(StepError::TagElsewhere {
                        reference: Reference::by_tag(self.from.repository.clone(), tag.clone()).to_string(),
                        there: found.digest.to_string(),
                        here: descriptor.digest.to_string(),
                    });
                }
            }
        }
        try_join_all(moving.iter().map(|tag| store.push_manifest(&manifest, Some(tag)))).await.map_err(fail())?;
        let outcome = if moving.is_empty() {
            Outcome::Unchanged
        } else if moving.iter().any(|tag| previous.contains_key(tag.as_str())) {
            Outcome::Updated
        } else {
            Outcome::Created
        };
        for tag in moving {
            cx.pins.set(store.repository(), tag, &descriptor).await;
        }
        store.flush().await.map_err(fail())?;
        let output = Output::of_manifest(&self.from.repository, &descriptor).with("previous", json!(previous));
        Ok(Done::new(outcome, output))
    }
}
