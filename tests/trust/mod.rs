//! Runs that a team can trust, with the binary and a registry behind HTTP: what `plan` says is what `run` does, and a run
//! that was killed goes on.

mod copies;
mod include;
mod liar;
mod lies;
mod lock;
mod plan;
mod proxy;
pub(crate) mod registry;
mod resume;
mod secrets;
mod signals;
mod signing;
mod verified_copies;
