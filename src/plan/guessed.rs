use std::{fmt, sync::Arc};

use minijinja::value::{Enumerator, Object, ObjectRepr, Value};

/// Stands, while a plan is checked, for a mapping whose keys only the run will know: it has every key.
#[derive(Debug)]
pub(super) struct Guessed {
    seed: String,
    is_root: bool,
}

impl Guessed {
    /// The mapping itself. `seed` tells one guess from another.
    pub(super) fn mapping(seed: &str) -> Value {
        Value::from_object(Self { seed: seed.to_owned(), is_root: true })
    }
}

impl Object for Guessed {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        // The whole is a mapping; what is in it may be anything and is shown as text.
        if self.is_root { ObjectRepr::Map } else { ObjectRepr::Plain }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(Value::from_object(Self { seed: format!("{}-{key}", self.seed), is_root: false }))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        if self.is_root { Enumerator::Empty } else { Enumerator::NonEnumerable }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.seed)
    }
}
