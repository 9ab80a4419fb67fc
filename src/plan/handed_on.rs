use std::sync::Arc;

use minijinja::value::{Enumerator, Object, Serde, Value};

use super::guessed::Guessed;
use crate::output::Output;

/// What a step hands on, for expressions. Each value is made for them when one looks at it: of most steps of a large plan
/// nobody looks at more than the digest.
#[derive(Debug)]
pub(super) struct HandedOn(Output);

impl HandedOn {
    /// The outputs as one value.
    pub(super) fn mapping(output: Output) -> Value {
        Value::from_object(Self(output))
    }
}

impl Object for HandedOn {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        if let Some((_, guess)) = self.0.guesses().find(|(name, _)| *name == key) {
            return Some(Guessed::mapping(guess));
        }
        self.0.get(key).map(|value| Value::from(Serde(value)))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.iter().map(|(name, _)| Value::from(name)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_a_mapping_in_which_each_has_its_type() {
        let output = Output::default().with("digest", "d").with("size", 3).with_any_key("annotations", "guess");
        let value = HandedOn::mapping(output);
        assert_eq!(value.get_attr("digest").unwrap().as_str(), Some("d"));
        assert_eq!(value.get_attr("size").unwrap(), Value::from(3));
        assert_eq!(value.get_attr("annotations").unwrap().get_attr("x").unwrap().to_string(), "guess-x");
        assert!(value.get_attr("nothing").unwrap().is_undefined());
        let names: Vec<_> = value.try_iter().unwrap().map(|name| name.to_string()).collect();
        assert_eq!(names, ["annotations", "digest", "size"]);
        assert_eq!(
            serde_json::to_value(&value).unwrap(),
            serde_json::json!({ "annotations": {}, "digest": "d", "size": 3 })
        );
    }
}
