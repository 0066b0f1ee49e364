//! How fast batch evaluates the log of a source, for estimates of what is to come.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Fewer positions say nothing: starting takes longer than evaluating.
const FEWEST: u64 = 10_000;

/// Positions per second of the last evaluation of many positions; 0 before there was one.
#[derive(Debug, Default)]
pub(crate) struct EvaluationSpeed(Mutex<f64>);

impl EvaluationSpeed {
    /// Notes an evaluation.
    pub(crate) fn took(&self, n_positions: u64, time: Duration) {
        if n_positions >= FEWEST && !time.is_zero() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = n_positions as f64 / time.as_secs_f64();
        }
    }

    /// About how long so many positions take; `None` if none were evaluated yet.
    pub(crate) fn estimate(&self, n_positions: u64) -> Option<Duration> {
        let speed = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Duration::try_from_secs_f64(n_positions as f64 / speed).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_evaluation_of_many_positions_decides() {
        let (speed, second) = (EvaluationSpeed::default(), Duration::from_secs(1));
        assert_eq!(speed.estimate(1000), None);
        speed.took(100_000, second);
        speed.took(10, second);
        assert_eq!(speed.estimate(250_000), Some(Duration::from_millis(2500)));
        speed.took(50_000, second);
        assert_eq!(speed.estimate(250_000), Some(Duration::from_secs(5)));
    }
}
