use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Declare, Done, EffectInfo, Effects, Guess, Places, Step, StepContext, StepError,
    kind::{OutputInfo, output},
};
use crate::{event::Outcome, output::Output};

/// Runs the steps of another plan: it ends when they have, and hands on what that plan does.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Include {
    /// The plan: a path relative to the folder of the plan that includes it, or a reference to one in a registry, by digest
    /// or by a tag that `consign lock` pins. It is an artifact with one layer, `application/vnd.consign.plan.v1+yaml`.
    pub plan: String,
    /// What its inputs and secrets are worth. It sees nothing else of the plan that includes it.
    #[serde(default)]
    pub with: Map<String, Value>,
    /// What it hands on. Nobody writes that: it is what stands under `outputs` in the other plan.
    #[serde(default)]
    #[schemars(skip)]
    pub outputs: Map<String, Value>,
}

impl Declare for Include {
    const NAME: &'static str = "include";
    const SUMMARY: &'static str = "Runs the steps of another plan.";
    const EXAMPLE: &'static str = "\
plan: parts/publish.yaml
with:
  IMAGE: localhost:5000/net-monitor:v1
";
    const MORE: &'static [&'static str] = &[];
    const EFFECTS: &'static [EffectInfo] = &[];
    const OUTPUTS: &'static [OutputInfo] =
        &[output("outputs", "what the other plan hands on; each is also an output of the step by its own name")];
}

#[async_trait]
impl Step for Include {
    fn effects(&self, _: &Places) -> Effects {
        Effects::default()
    }

    fn foresee(&self, guess: &Guess<'_>) -> Output {
        guess.output().with("outputs", self.outputs.clone())
    }

    async fn run(&self, _: &StepContext) -> Result<Done, StepError> {
        Ok(Done::new(Outcome::Passed, Output::default().with("outputs", self.outputs.clone())))
    }
}
