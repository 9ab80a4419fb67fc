use jiff::Timestamp;

/// From when to when a certificate counts, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first moment.
    pub from: Timestamp,
    /// The last moment.
    pub until: Timestamp,
}

impl Validity {
    /// Whether `time` lies within.
    pub fn contains(&self, time: Timestamp) -> bool {
        // A certificate counts in whole seconds: its last second is over when the next begins.
        self.from <= time && time.as_second() <= self.until.as_second()
    }
}
