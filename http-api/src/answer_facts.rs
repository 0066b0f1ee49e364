//! What an answer says of itself beside its body, for logs of the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The metrics of an answer, and how many rows have been written of them. It is among the extensions of a
/// response.
#[derive(Debug, Clone, Default)]
pub struct AnswerFacts {
    /// Each metric with the frontier of its rows.
    pub frontiers: Vec<(String, Vec<u64>)>,
    rows: Vec<Arc<AtomicU64>>,
}

impl AnswerFacts {
    /// The rows so far.
    pub fn n_rows(&self) -> u64 {
        self.rows.iter().map(|rows| rows.load(Ordering::Relaxed)).sum()
    }

    /// An answer whose rows are counted while they are written.
    pub(crate) fn add(&mut self, metric: &str, frontier: &[u64], rows: Arc<AtomicU64>) {
        self.frontiers.push((metric.to_owned(), frontier.to_vec()));
        self.rows.push(rows);
    }
}
