//! The plan's outputs as GitLab takes them from a job: `artifacts: reports: dotenv:`.
//!
//! There is no quoting: names are letters, digits and `_`, values have neither spaces nor line ends.
//! <https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsdotenv>

use serde_json::{Map, Value};

/// `NAME=value`, a line each, and the names of those whose values cannot be written like this.
pub(super) fn draw(outputs: &Map<String, Value>) -> (String, Vec<&str>) {
    let mut lines = String::new();
    let mut left_out = Vec::new();
    for (name, value) in outputs {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if value.contains(|char: char| char.is_whitespace() || char.is_control()) {
            left_out.push(name.as_str());
        } else {
            lines.extend([name, "=", &value, "\n"]);
        }
    }
    (lines, left_out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_for_each_output_that_fits_into_one() {
        let outputs =
            json!({ "digest": "sha256:1b", "tags": ["v1"], "count": 2, "text": "two words", "lines": "a\nB=c" });
        let (drawn, left_out) = draw(outputs.as_object().unwrap());
        assert_eq!(drawn, "digest=sha256:1b\ntags=[\"v1\"]\ncount=2\n");
        assert_eq!(left_out, ["text", "lines"]);
    }
}
