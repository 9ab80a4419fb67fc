use std::future;

use tokio::sync::watch;

/// When a step may do what others can tell: at once, or for a step that was started ahead, once all that it follows has
/// ended.
#[derive(Debug, Clone)]
pub struct Turn {
    come: watch::Receiver<bool>,
}

impl Turn {
    /// It has come.
    pub fn now() -> Self {
        Self { come: watch::Sender::new(true).subscribe() }
    }

    /// It comes when `true` is sent. Where nothing is sent any more, it never does.
    pub fn later() -> (watch::Sender<bool>, Self) {
        let tx = watch::Sender::new(false);
        let come = tx.subscribe();
        (tx, Self { come })
    }

    /// Whether it has come.
    pub fn has_come(&self) -> bool {
        *self.come.borrow()
    }

    /// Waits for it.
    pub async fn wait(&self) {
        if self.come.clone().wait_for(|come| *come).await.is_err() {
            future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_turn_comes_when_it_is_given_and_never_when_nobody_can_give_it() {
        assert!(Turn::now().wait().now_or_never().is_some());
        let (tx, turn) = Turn::later();
        assert!(!turn.has_come() && turn.wait().now_or_never().is_none());
        tx.send_replace(true);
        assert!(turn.has_come() && turn.wait().now_or_never().is_some());
        let (tx, turn) = Turn::later();
        drop(tx);
        assert!(turn.wait().now_or_never().is_none());
    }
}
