//! Everything that is tested from outside the crate, in one program: one link, one run.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, which is what it is for")]

mod cli;
mod conformance;
mod docs;
mod front_end;
mod layers;
mod serial;
mod serve;
mod store;
mod trust;
