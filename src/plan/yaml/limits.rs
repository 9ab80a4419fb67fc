//! How much a plan may hold. Each limit is far above what people write, and far below what hurts.

use crate::plan::Diagnostic;

/// Of the text, in bytes: 8 MiB.
pub const BYTES: usize = 8 << 20;
/// Lists and mappings in each other.
pub(super) const DEPTH: usize = 64;
/// Keys and values, what aliases stand for counted too.
pub(super) const NODES: usize = 2_000_000;
/// Keys and values that come through aliases.
pub(super) const ALIASED: usize = 100_000;

/// Mistakes after which reading ends.
pub(super) const MISTAKES: usize = 200;

pub(super) fn bytes() -> Diagnostic {
    Diagnostic::new("a plan has at most 8 MiB")
}

pub(super) fn depth() -> Diagnostic {
    Diagnostic::new(format!("lists and mappings nest at most {DEPTH} deep"))
}

pub(super) fn nodes() -> Diagnostic {
    Diagnostic::new("a plan has at most 2,000,000 keys and values")
}

pub(super) fn aliased() -> Diagnostic {
    Diagnostic::new("aliases stand for at most 100,000 keys and values in all")
}

pub(super) fn mistakes() -> Diagnostic {
    Diagnostic::new(format!("there are {MISTAKES} mistakes above this line; what stands below was not read"))
}
