use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::Exec;
use crate::{
    plan::Diagnostic,
    step::{Done, Places, StepContext, StepError, exec::error::ExecError},
};

/// What stands in for a program in a rehearsal that does not run it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecRehearsal {
    /// What it would write to stdout: text as it is, any other value as JSON.
    pub stdout: Option<Value>,
    /// The files that it would write, by their paths: text as it is, any other value as JSON.
    #[serde(default)]
    pub files: BTreeMap<String, Value>,
}

/// Text as it is, any other value as JSON.
fn bytes(value: &Value) -> Vec<u8> {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned).into_bytes()
}

impl Exec {
    /// Does what the plan says that the program would do.
    pub(super) async fn stand_in(&self, cx: &StepContext) -> Result<Done, StepError> {
        let rehearse = self.rehearse.as_ref().map(|rehearse| &rehearse.value);
        for (name, value) in rehearse.into_iter().flat_map(|rehearse| &rehearse.files) {
            let path = cx.places.target(name)?;
            let fail = |error: std::io::Error| StepError::Unwritable { path: name.clone(), message: error.to_string() };
            if let Some(folder) = path.parent() {
                tokio::fs::create_dir_all(folder).await.map_err(fail)?;
            }
            tokio::fs::write(&path, bytes(value)).await.map_err(fail)?;
        }
        let stdout = rehearse.and_then(|rehearse| rehearse.stdout.as_ref());
        let stdout = match (self.capture, stdout) {
            (Some(capture), Some(stdout)) => Some(capture.value(self.program(), bytes(stdout))?),
            _ => None,
        };
        let done = self.done(stdout);
        Ok(Done { output: done.output.about(format!("{}, not run", self.program())), ..done })
    }

    /// What is wrong with `rehearse`.
    pub(super) fn check_rehearsal(&self, places: &Places) -> Vec<Diagnostic> {
        let Some(rehearse) = &self.rehearse else { return Vec::new() };
        let here = |message: String| Diagnostic::new(message).at(rehearse.span);
        let mut diagnostics = Vec::new();
        if rehearse.stdout.is_some() && self.capture.is_none() {
            let diagnostic = here("`stdout` is not captured: nothing can use it".to_owned());
            diagnostics.push(diagnostic.help("say `capture: text`, `json` or `lines` too"));
        }
        for name in rehearse.files.keys() {
            let Ok(path) = places.target(name) else {
                let message = format!("`{name}` leads out of the work folder");
                diagnostics.push(here(message).help("it names a file that the program writes"));
                continue;
            };
            let is_written = |written: &String| places.target(written).is_ok_and(|written| path.starts_with(written));
            if let Some(writes) = &self.writes
                && !writes.iter().any(|written| is_written(&written.value))
            {
                let diagnostic = here(format!("`{name}` is not among what the program writes"));
                diagnostics.push(diagnostic.help(format!("name it, or its folder, under `writes`: [{name}]")));
            }
        }
        diagnostics
    }
}

/// That `ExecError` is one of a step's errors.
impl From<ExecError> for StepError {
    fn from(error: ExecError) -> Self {
        Self::Exec(error)
    }
}
