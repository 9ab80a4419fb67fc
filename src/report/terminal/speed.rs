use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How far the average reaches back.
const WINDOW: Duration = Duration::from_secs(5);

/// How fast a counter has moved in the last seconds.
#[derive(Debug, Default)]
pub(super) struct Speed {
    samples: VecDeque<(Instant, u64)>,
}

impl Speed {
    pub(super) fn sample(&mut self, now: Instant, bytes: u64) {
        while let Some((second, _)) = self.samples.get(1)
            && now.saturating_duration_since(*second) >= WINDOW
        {
            self.samples.pop_front();
        }
        self.samples.push_back((now, bytes));
    }

    /// In bytes; unknown until two samples lie apart.
    pub(super) fn per_second(&self) -> Option<u64> {
        let ((start, before), (end, after)) = (self.samples.front()?, self.samples.back()?);
        let millis = end.saturating_duration_since(*start).as_millis();
        let moved = u128::from(after.saturating_sub(*before));
        (moved * 1000).checked_div(millis).and_then(|speed| u64::try_from(speed).ok())
    }

    /// How long `bytes` more take, in whole seconds; unknown while nothing moves.
    pub(super) fn time_for(&self, bytes: u64) -> Option<Duration> {
        let per_second = self.per_second().filter(|speed| *speed > 0)?;
        Some(Duration::from_secs(bytes.div_ceil(per_second)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_average_of_the_last_seconds() {
        let start = Instant::now();
        let mut speed = Speed::default();
        assert_eq!(speed.per_second(), None);
        speed.sample(start, 500);
        assert_eq!((speed.per_second(), speed.time_for(10)), (None, None));
        speed.sample(start + Duration::from_millis(500), 1500);
        assert_eq!((speed.per_second(), speed.time_for(2001)), (Some(2000), Some(Duration::from_secs(2))));
        for second in 1..=10 {
            speed.sample(start + Duration::from_secs(second), 1500);
        }
        assert_eq!((speed.per_second(), speed.time_for(1)), (Some(0), None));
        assert!(speed.samples.len() <= 7, "{}", speed.samples.len());
    }
}
