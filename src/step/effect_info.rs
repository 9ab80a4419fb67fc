use super::{Access, Sort};

/// What steps of a kind do to one sort of things, in words. A test holds it to what they do.
#[derive(Debug, Clone, Copy)]
pub struct EffectInfo {
    /// How it is touched.
    pub access: Access,
    /// What it is.
    pub sort: Sort,
    /// Which one, in a few words.
    pub which: &'static str,
}

/// Looking at it.
pub(super) const fn reads(sort: Sort, which: &'static str) -> EffectInfo {
    EffectInfo { access: Access::Read, sort, which }
}

/// Adding to it.
pub(super) const fn adds(sort: Sort, which: &'static str) -> EffectInfo {
    EffectInfo { access: Access::Append, sort, which }
}

/// Changing or removing it.
pub(super) const fn changes(sort: Sort, which: &'static str) -> EffectInfo {
    EffectInfo { access: Access::Write, sort, which }
}
