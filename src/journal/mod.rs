//! The journals of runs, on disk: `.consign/runs/ID/journal.ndjson` under the work folder, for `consign show` and
//! `consign resume`.
//!
//! The first line of a journal is its [`Header`]; the others are the events, as `--events` writes them, and before each
//! `step_finished` of a step that ran a `step_fingerprinted`. A line is written as it happens, so that it is there whatever
//! becomes of the process; that it is on the disk is made sure after every finished step. No secret comes near: events
//! cannot hold one.
//!
//! What is locked is locked by the operating system: whoever is killed leaves no lock behind.

mod error;
mod folder;
mod header;
mod plan_lock;
mod record;
mod run_id;
mod writer;

pub use self::{
    error::JournalError,
    folder::JournalFolder,
    header::Header,
    plan_lock::{Held, PlanLock},
    record::{Ending, Record, RecordedStep},
    run_id::RunId,
    writer::Journal,
};

#[cfg(test)]
mod tests;
