//! Kinds of steps.
mod effects;
mod thing;
pub use self::{
    effects::{Access, Effects},
    thing::Thing,
};
