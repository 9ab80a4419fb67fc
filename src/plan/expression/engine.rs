//! The one minijinja environment: strict, with fuel, with pure filters only.

use std::sync::LazyLock;

use minijinja::{Environment, UndefinedBehavior};

use super::filters;

/// Every filter that an expression may use.
pub(super) const FILTERS: &[&str] = &[
    "abs",
    "attr",
    "basename",
    "batch",
    "bool",
    "capitalize",
    "chain",
    "count",
    "d",
    "default",
    "dictsort",
    "digest_of",
    "first",
    "float",
    "format",
    "groupby",
    "hex",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "oci_tag",
    "pluck",
    "registry",
    "reject",
    "rejectattr",
    "replace",
    "repository",
    "reverse",
    "round",
    "select",
    "selectattr",
    "semver_major",
    "semver_minor",
    "short",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "tag_of",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
    "urlencode",
    "zip",
];

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
pub(super) const TESTS: &[&str] = &[
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
