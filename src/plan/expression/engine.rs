//! The one minijinja environment: strict, with fuel, with pure filters only.

use std::sync::LazyLock;

use minijinja::{Environment, UndefinedBehavior};

use super::filters;

/// The filters whose value holds the text that they are given, or a part of it that does not depend on its meaning.
pub(super) const TEXT_FILTERS: &[&str] = &[
    "hex",
    "lower",
    "oci_tag",
    "pluck",
    "registry",
    "repository",
    "short",
    "string",
    "tag_of",
    "digest_of",
    "trim",
    "upper",
];

/// Every test that may follow `is`.
pub const TESTS: &[&str] = &[
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "even",
    "false",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "int",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sameas",
    "sequence",
    "startingwith",
    "string",
    "true",
    "undefined",
    "upper",
];

/// How much one expression may compute; far above what any plan needs.
const FUEL: u64 = 100_000;

pub(super) static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    for function in ["range", "dict", "debug", "namespace"] {
        environment.remove_global(function);
    }
    filters::add(&mut environment);
    environment
});
