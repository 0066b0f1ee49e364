//! CPU time of this process.

use cpu_time::ProcessTime;

use crate::Failure;

/// Rounds, of which the best one counts, since noise only adds time.
const ROUNDS: usize = 5;

/// A run that is timed.
pub(crate) type Run<'a> = &'a dyn Fn() -> Result<(), Failure>;

/// The least CPU-seconds of each run, over all threads, user and system. The runs alternate, so that noise of
/// the machine affects all of them alike.
pub(crate) fn best<const N: usize>(runs: [Run<'_>; N]) -> Result<[f64; N], Failure> {
    let mut best = [f64::INFINITY; N];
    for _ in 0..ROUNDS {
        for (best, run) in best.iter_mut().zip(runs) {
            let start = ProcessTime::try_now()?;
            run()?;
            *best = best.min(start.try_elapsed()?.as_secs_f64());
        }
    }
    Ok(best)
}
