//! A preview, with the registries and the signals of the command line.

use std::sync::Arc;

use tokio::{runtime::Runtime, sync::mpsc};

use super::{access::registries, complain, settings, signals::listen};
use crate::{
    event::Summary,
    preview::{self, Preview},
    program::Program,
    step::Pins,
};

/// What a run would change. Nothing: it cannot be found out, which was said.
pub(super) fn find_out(
    program: &Program,
    plain_http: &[String],
    jobs: u16,
    pins: &Arc<Pins>,
    runtime: &Runtime,
) -> Option<(Preview, Arc<Summary>)> {
    let registries = registries(plain_http, program)?;
    let epoch = settings::epoch().map_err(|message| complain(&message)).ok()?;
    Some(runtime.block_on(async {
        let (tx, rx) = mpsc::unbounded_channel();
        let listening = tokio::spawn(listen(tx));
        let found = preview::preview(program, registries, usize::from(jobs), epoch, pins, rx).await;
        listening.abort();
        found
    }))
}
