use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError, RwLock},
};

use minijinja::value::{Enumerator, Object, Value};

/// The outputs of steps by name, as they end. A step that has not ended well has none, so that `default` may stand in for
/// each of them.
#[derive(Debug, Default)]
pub(super) struct StepOutputs(RwLock<HashMap<Arc<str>, Value>>);

/// What a loop hands on: by key, the outputs of its step, or the steps of its group.
#[derive(Debug)]
pub(super) struct LoopOutputs {
    /// The step whose outputs are meant, where it is not a group.
    pub(super) step: Option<Arc<str>>,
    /// What the ids of the steps of a group begin with, in an included plan.
    pub(super) prefix: Arc<str>,
    /// In the order of the items.
    pub(super) iterations: Vec<(Arc<str>, Arc<StepOutputs>)>,
    pub(super) places: HashMap<Arc<str>, usize>,
}

impl StepOutputs {
    pub(super) fn set(&self, name: &str, outputs: Value) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(name.into(), outputs);
    }

    pub(super) fn get(&self, name: &str) -> Option<Value> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

/// The steps of a group in an included plan.
#[derive(Debug)]
struct StepsOf {
    prefix: Arc<str>,
    steps: Arc<StepOutputs>,
}

impl Object for StepsOf {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        Some(self.steps.get(&format!("{}{key}", self.prefix)).unwrap_or_else(nothing))
    }
}

/// The outputs of a step that has none.
pub(super) fn nothing() -> Value {
    Value::from(BTreeMap::<&str, Value>::new())
}

impl Object for StepOutputs {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        Some(self.get(key).unwrap_or_else(nothing))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let steps = self.0.read().unwrap_or_else(PoisonError::into_inner);
        // Those of included plans are nobody's business.
        let own = steps.keys().filter(|name| !name.contains('/'));
        let mut names: Vec<_> = own.map(|name| Value::from(&**name)).collect();
        names.sort();
        Enumerator::Values(names)
    }
}

impl Object for LoopOutputs {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        // A key may look like a number.
        match key.as_str() {
            Some(key) => self.get_value_by_str(key),
            None => self.get_value_by_str(&key.to_string()),
        }
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let (_, steps) = self.iterations.get(*self.places.get(key)?)?;
        Some(match &self.step {
            Some(step) => steps.get(step).unwrap_or_else(nothing),
            None if self.prefix.is_empty() => Value::from_dyn_object(Arc::clone(steps)),
            None => Value::from_object(StepsOf { prefix: Arc::clone(&self.prefix), steps: Arc::clone(steps) }),
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.iterations.iter().map(|(key, _)| Value::from(&**key)).collect())
    }
}
