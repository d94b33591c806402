//! Durations, and what they come to.

use std::time::Duration;

use super::Figure;

/// Durations measured one by one.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample(Vec<Duration>);

impl Sample {
    /// Adds one.
    pub(super) fn push(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    /// Its 95th percentile in milliseconds, with the median and the 99th beside it.
    pub(super) fn figure(&mut self, name: impl Into<String>) -> Figure {
        let spread = (self.percentile_ms(50), self.percentile_ms(99));
        Figure::new(name, self.percentile_ms(95), "ms").within(spread)
    }

    /// The duration that a share of `percent` does not exceed, in milliseconds; 0 without any.
    pub(super) fn percentile_ms(&mut self, percent: usize) -> f64 {
        self.0.sort_unstable();
        let last = self.0.len().saturating_sub(1);
        let rank = (self.0.len() * percent).div_ceil(100).saturating_sub(1).min(last);
        self.0.get(rank).map_or(0.0, |duration| duration.as_secs_f64() * 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let mut sample = Sample::default();
        assert!(sample.percentile_ms(50).abs() < f64::EPSILON);
        for ms in [40, 10, 30, 20] {
            sample.push(Duration::from_millis(ms));
        }
        assert!((sample.percentile_ms(50) - 20.0).abs() < 1e-9);
        assert!((sample.percentile_ms(99) - 40.0).abs() < 1e-9);
    }
}
