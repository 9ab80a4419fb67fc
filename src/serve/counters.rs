//! What a server has done so far, in numbers.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// The methods that are counted by name; whatever else a client says is one.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"];

/// Counts since the server began.
#[derive(Debug, Default)]
pub(super) struct Counters {
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
    received: AtomicU64,
    sent: AtomicU64,
}

impl Counters {
    pub(super) fn received(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn answered(&self, method: &str, status: u16, sent: u64) {
        let method = METHODS.into_iter().find(|known| *known == method).unwrap_or("OTHER");
        *self.requests.lock().unwrap_or_else(PoisonError::into_inner).entry((method, status)).or_default() += 1;
        self.sent.fetch_add(sent, Ordering::Relaxed);
    }

    /// In the text format of Prometheus.
    ///
    /// <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>
    pub(super) fn text(&self, uploads: usize) -> String {
        let mut text = String::from("# TYPE consign_requests_total counter\n");
        // Writing to a string cannot fail.
        for ((method, status), count) in self.requests.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = writeln!(text, r#"consign_requests_total{{method="{method}",status="{status}"}} {count}"#);
        }
        let mut one = |name: &str, kind: &str, value: u64| {
            let _ = writeln!(text, "# TYPE {name} {kind}\n{name} {value}");
        };
        one("consign_blob_bytes_received_total", "counter", self.received.load(Ordering::Relaxed));
        one("consign_bytes_sent_total", "counter", self.sent.load(Ordering::Relaxed));
        one("consign_uploads_open", "gauge", uploads as u64);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_written_for_prometheus() {
        let counters = Counters::default();
        counters.answered("GET", 200, 10);
        counters.answered("GET", 200, 5);
        counters.answered("BREW", 405, 0);
        counters.received(7);
        assert_eq!(
            counters.text(2),
            "# TYPE consign_requests_total counter\n\
             consign_requests_total{method=\"GET\",status=\"200\"} 2\n\
             consign_requests_total{method=\"OTHER\",status=\"405\"} 1\n\
             # TYPE consign_blob_bytes_received_total counter\nconsign_blob_bytes_received_total 7\n\
             # TYPE consign_bytes_sent_total counter\nconsign_bytes_sent_total 15\n\
             # TYPE consign_uploads_open gauge\nconsign_uploads_open 2\n"
        );
    }
}
