use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::error::ExecError;

/// What becomes of stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Capture {
    /// It is one text, without the newline at its end.
    Text,
    /// It is JSON.
    Json,
    /// It is a list, one text for each line.
    Lines,
}

/// How much of stdout is captured, in bytes.
pub(super) const LIMIT: usize = 1024 * 1024;

impl Capture {
    /// The value of what `program` wrote.
    pub(super) fn value(self, program: &str, bytes: Vec<u8>) -> Result<Value, ExecError> {
        let text = String::from_utf8(bytes).map_err(|_| ExecError::NotText { program: program.to_owned() })?;
        match self {
            Self::Text => {
                let line = text.strip_suffix('\n').unwrap_or(&text);
                Ok(line.strip_suffix('\r').unwrap_or(line).into())
            }
            Self::Lines => Ok(text.lines().map(Value::from).collect()),
            Self::Json => serde_json::from_str(&text)
                .map_err(|error| ExecError::NotJson { program: program.to_owned(), message: error.to_string() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn stdout_becomes_a_value() {
        let value = |capture: Capture, text: &str| capture.value("x", text.into()).map_err(|error| error.to_string());
        assert_eq!(value(Capture::Text, " a\nb \n"), Ok(json!(" a\nb ")));
        assert_eq!(value(Capture::Text, "a\r\n"), Ok(json!("a")));
        assert_eq!(value(Capture::Text, ""), Ok(json!("")));
        assert_eq!(value(Capture::Lines, "a\n\nb\r\n"), Ok(json!(["a", "", "b"])));
        assert_eq!(value(Capture::Json, "{\"a\": [1]}\n"), Ok(json!({ "a": [1] })));
        let message = "what `x` wrote to stdout is not JSON: key must be a string at line 1 column 2";
        assert_eq!(value(Capture::Json, "{a"), Err(message.to_owned()));
        assert!(Capture::Text.value("x", vec![0xff]).is_err());
    }
}
