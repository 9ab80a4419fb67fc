//! What tests of kinds run in.

use std::{path::Path, sync::Arc};

use tokio::sync::mpsc;

use super::{Mode, Places, Programs, StepContext, Turn};
use crate::{
    event::{Event, Progress, StepId},
    secret::Secrets,
    store::Stores,
};

/// The context of a step `test`, whose registries are in memory and whose folders are `folder`, and what it has to say.
pub(super) fn context(folder: &Path, mode: Mode, secrets: Secrets) -> (StepContext, mpsc::UnboundedReceiver<Event>) {
    let (tx, rx) = mpsc::unbounded_channel();
    let cx = StepContext {
        stores: Arc::new(Stores::rehearsal(None)),
        pins: Arc::default(),
        made: Arc::default(),
        places: Arc::new(Places::new(folder, folder)),
        mode,
        secrets,
        programs: Programs::with_grace(std::time::Duration::from_millis(50)),
        web: None,
        turn: Turn::now(),
        progress: Progress::new(StepId::new(0, "test"), tx),
        epoch: None,
        concurrency: 4,
    };
    (cx, rx)
}
