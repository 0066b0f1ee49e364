//! The smallest prefix of a log that still shows a difference.

use metricc_log::{Frontier, Log};

use super::Difference;
use crate::EvaluateError;

/// Bisects the prefixes of the log's order, starting from the difference `seen` over the whole log. A
/// difference in a prefix mostly remains in longer ones, so the shortest prefix found by bisection is taken;
/// it was always seen to differ.
pub(super) fn smallest_prefix(
    log: &Log,
    seen: Difference,
    differs: impl Fn(&Frontier) -> Result<Option<Difference>, EvaluateError>,
) -> Result<(Frontier, Difference), EvaluateError> {
    let mut smallest = (log.end(), seen);
    let mut shortest = 0;
    let mut longest = log.n_positions();
    while shortest < longest {
        let middle = shortest + (longest - shortest) / 2;
        let prefix = log.frontier_at(middle);
        match differs(&prefix)? {
            Some(difference) => {
                smallest = (prefix, difference);
                longest = middle;
            }
            None => shortest = middle + 1,
        }
    }
    Ok(smallest)
}
