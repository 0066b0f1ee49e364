//! The processor time that an engine takes for each grouping of a plan.
//!
//! Measured is what an engine does for one grouping alone. Reading and decoding the log is for all of them,
//! and is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metricc_log::thread_time;

use crate::SourcePlan;

/// The times of all groupings of a plan, of all threads.
#[derive(Debug, Default)]
pub struct CpuTimes(Vec<AtomicU64>);

impl CpuTimes {
    /// For the groupings of a plan.
    pub fn of(plan: &SourcePlan) -> Self {
        CpuTimes(plan.groupings.iter().map(|_| AtomicU64::new(0)).collect())
    }

    /// The time of a grouping, by its index in the plan.
    pub fn get(&self, grouping: usize) -> Duration {
        let nanos = self.0.get(grouping).map_or(0, |nanos| nanos.load(Ordering::Relaxed));
        Duration::from_nanos(nanos)
    }
}

/// Where the work for a grouping is noted, if it is.
#[derive(Debug, Clone, Default)]
pub struct Measure(Option<(Arc<CpuTimes>, usize)>);

impl Measure {
    pub(crate) fn new(times: Option<&Arc<CpuTimes>>, grouping: usize) -> Self {
        Measure(times.map(|times| (times.clone(), grouping)))
    }

    /// Whether it is noted.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Does some work on this thread.
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        let Some((times, grouping)) = &self.0 else { return work() };
        let before = thread_time();
        let done = work();
        let nanos = u64::try_from(thread_time().saturating_sub(before).as_nanos()).unwrap_or(u64::MAX);
        if let Some(time) = times.0.get(*grouping) {
            time.fetch_add(nanos, Ordering::Relaxed);
        }
        done
    }
}
