use async_trait::async_trait;
use futures_util::future::try_join_all;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{
    Declare, Done, EffectInfo, Effects, Guess, Places, Sort, Step, StepContext, StepError,
    effect_info::reads,
    kind::OutputInfo,
    reading::{check_subject, read_effects},
};
use crate::{
    event::Outcome,
    oci::Reference,
    output::Output,
    plan::{Diagnostic, yaml::Spanned},
    text::count,
};

/// Makes sure that something holds; otherwise what follows does not run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Assert {
    /// References that must not be there.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub absent: Vec<Spanned<Reference>>,
    /// References that must be there.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub present: Vec<Spanned<Reference>>,
    /// Values that must all be the same.
    #[serde(default)]
    pub equal: Vec<Value>,
    /// Conditions that must be true, each an expression.
    #[serde(default)]
    #[schemars(with = "Vec<bool>")]
    pub that: Vec<Spanned<bool>>,
}

impl Declare for Assert {
    const NAME: &'static str = "assert";
    const SUMMARY: &'static str = "Makes sure that something holds; otherwise what follows does not run.";
    const EXAMPLE: &'static str = "\
absent: [localhost:5000/net-monitor:v2]
present: [localhost:5000/net-monitor:v1]
";
    const MORE: &'static [&'static str] = &["\
equal: [\"${{ steps.one.digest }}\", \"${{ steps.two.digest }}\"]
that: [\"${{ steps.one.size < 1000000 }}\"]
"];
    const EFFECTS: &'static [EffectInfo] = &[
        reads(Sort::Tag, "in `absent` and `present`, where no digest is"),
        reads(Sort::Graph, "of the repository in `absent` and `present`"),
    ];
    const GATE: Option<&'static str> = Some("always");
    const OUTPUTS: &'static [OutputInfo] = &[];
    const CONTENT: &'static [&'static str] = &["equal", "that"];
}

impl Assert {
    fn references(&self) -> impl Iterator<Item = &Spanned<Reference>> {
        self.absent.iter().chain(&self.present)
    }

    /// Looks at the registry itself, not at what this run remembers: that is what the step is for.
    async fn look(&self, cx: &StepContext, reference: &Reference) -> Result<bool, StepError> {
        let store = cx.open(&reference.repository);
        let Some(target) = reference.target() else {
            return Err(StepError::NoTarget { reference: reference.to_string() });
        };
        let found = store.resolve(&target).await;
        Ok(found.map_err(StepError::store("look for", reference))?.is_some())
    }
}

#[async_trait]
impl Step for Assert {
    fn effects(&self, places: &Places) -> Effects {
        self.references().fold(Effects::default(), |effects, reference| read_effects(effects, reference, places))
    }

    fn is_gate(&self) -> bool {
        true
    }

    fn check(&self, _: &Places) -> Vec<Diagnostic> {
        self.references().filter_map(check_subject).collect()
    }

    fn foresee(&self, guess: &Guess<'_>) -> Output {
        guess.output()
    }

    async fn run(&self, cx: &StepContext) -> Result<Done, StepError> {
        let absent = try_join_all(self.absent.iter().map(|reference| self.look(cx, reference)));
        let present = try_join_all(self.present.iter().map(|reference| self.look(cx, reference)));
        let (absent, present) = futures_util::try_join!(absent, present)?;
        let still_there = self.absent.iter().zip(absent).filter(|(_, is_there)| *is_there);
        let missing = self.present.iter().zip(present).filter(|(_, is_there)| !is_there);
        let mut wrong: Vec<String> =
            still_there.map(|(reference, _)| format!("`{}` is there", reference.value)).collect();
        wrong.extend(missing.map(|(reference, _)| format!("`{}` is not there", reference.value)));
        if self.equal.windows(2).any(|pair| pair.first() != pair.last()) {
            let values: Vec<_> = self.equal.iter().map(ToString::to_string).collect();
            wrong.push(format!("the values are not equal: {}", values.join(", ")));
        }
        let untrue = self.that.iter().enumerate().filter(|(_, condition)| !condition.value);
        wrong.extend(untrue.map(|(place, _)| format!("condition {} does not hold", place + 1)));
        match wrong.as_slice() {
            [] => Ok(Done::new(Outcome::Passed, Output::default())),
            [only] => Err(StepError::Refused { message: only.clone(), found: Vec::new() }),
            several => {
                let message = format!("{} do not hold", count(several.len(), "assertion"));
                Err(StepError::Refused { message, found: wrong })
            }
        }
    }
}
