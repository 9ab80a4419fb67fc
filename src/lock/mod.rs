//! `PLAN.lock`: what a plan only reads, pinned to digests, and the digests of what its steps make.
//!
//! It is found out as [`preview`](crate::preview) finds out what would change: without writing. It stands beside the plan, is
//! checked in, and every run goes by it.

mod difference;
mod file;
mod find;

pub use self::{
    difference::Difference,
    file::{Lock, LockError},
    find::find,
};
