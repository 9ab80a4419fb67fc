use std::sync::atomic::{AtomicU32, Ordering};

/// How many round trips have stood one after another. Each stands behind every answer that was there when it began;
/// those that are out at the same time count once.
#[derive(Debug, Default)]
pub struct RoundTrips {
    answered: AtomicU32,
}

/// One round trip on its way. Dropped without an answer, it has not been one.
#[derive(Debug)]
pub struct RoundTrip<'a> {
    trips: &'a RoundTrips,
    place: u32,
}

impl RoundTrips {
    /// A request goes out.
    pub fn begin(&self) -> RoundTrip<'_> {
        RoundTrip { trips: self, place: self.count().saturating_add(1) }
    }

    /// The longest row of them so far.
    pub fn count(&self) -> u32 {
        self.answered.load(Ordering::Relaxed)
    }
}

impl RoundTrip<'_> {
    /// Its answer is here.
    pub fn end(self) {
        self.trips.answered.fetch_max(self.place, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_waits_for_an_answer_counts() {
        let trips = RoundTrips::default();
        let (one, two) = (trips.begin(), trips.begin());
        two.end();
        let three = trips.begin();
        one.end();
        assert_eq!(trips.count(), 1);
        let _ = trips.begin();
        three.end();
        assert_eq!(trips.count(), 2);
    }
}
