//! Where asynchronous work runs, and what stops it.

use std::io;

use tokio::{runtime::Runtime, sync::mpsc};

/// One thread for each processor.
pub(super) fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// Turns signals into wishes to stop, until nobody wants them.
pub(super) async fn listen(tx: mpsc::UnboundedSender<()>) {
    #[cfg(unix)]
    let mut terminate = {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(terminate) => terminate,
            Err(_) => return,
        }
    };
    loop {
        #[cfg(unix)]
        let heard = tokio::select! {
            heard = tokio::signal::ctrl_c() => heard.is_ok(),
            heard = terminate.recv() => heard.is_some(),
        };
        #[cfg(not(unix))]
        let heard = tokio::signal::ctrl_c().await.is_ok();
        if !heard || tx.send(()).is_err() {
            return;
        }
    }
}
