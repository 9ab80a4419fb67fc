use schemars::JsonSchema;
use serde::Deserialize;

/// What to do where the subject is signed with that key already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum IfSigned {
    /// Nothing, where a signature verifies that has not expired and says at least what this one would.
    #[default]
    Keep,
    /// Sign once more.
    Add,
    /// Sign once more, then remove the earlier signatures of that key.
    Replace,
}
