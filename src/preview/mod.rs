//! What a run would change, found out without writing: `consign plan`, and what `run --approved` compares with.
//!
//! The plan runs over the real registries with every write kept in memory, as a rehearsal with `--read-through` does.
//! Outputs are content addresses, so that digests come out as the run will have them, also of what is attached to
//! manifests that do not exist yet. What cannot be known is not run and is shown as unknown, with the reason.

mod approval;
mod compute;
mod draw;
mod saved;
mod unknown;

pub use self::{
    approval::exceeds,
    compute::preview,
    draw::draw,
    saved::{Moved, Preview, PreviewError, RepositoryPreview, StepPreview, Verdict},
};
