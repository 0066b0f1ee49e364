//! What answers may take: how many rows, how much memory, and whose turn it is.
//!
//! An answer of few rows is computed at once. Others are computed in turns on threads of their own, so that
//! neither they nor anything else waits for a large one. Rows that are in memory as a whole (coarser windows,
//! sessions, derived metrics) count against one budget; rows that are merged or assembled piece by piece need
//! none.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use metricc_client::ServingError;
use metricc_runtime_serve::{FEW_ROWS, OpenAnswer, Published, Query, RowEstimate, Turns};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::thread_priority::{Pool, Priority};

/// How long an answer waits for the memory that others hold.
const ROOM_WITHIN: Duration = Duration::from_secs(20);

/// Rows of a permit of the budget.
const ROWS_OF_PERMIT: u64 = 1024;

/// Most groups and rows that are computed as a whole in one turn.
const SHORT_TURN: usize = 30_000;

/// How long a version is kept for the next page of an answer, and how many of them.
pub(crate) const KEPT_FOR: Duration = Duration::from_secs(60);
const MOST_KEPT: usize = 16;

/// Budgets and threads of all answers; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Answering(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    max_rows: u64,
    /// Threads of pieces, and of answers whose rows are computed as a whole.
    pieces: Pool,
    wholes: Pool,
    /// Rows that are in memory as a whole, in permits.
    room: Arc<Semaphore>,
    kept: KeptVersions,
}

impl Answering {
    /// # Errors
    /// If no thread can be started.
    pub(crate) fn start(max_rows: u64) -> std::io::Result<Self> {
        let n_cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        // Half of the processors stay for all else.
        let pieces = Pool::start("metricc-answer", n_cores.div_ceil(2), Priority::Answer)?;
        let wholes = Pool::start("metricc-whole", 1, Priority::Tail)?;
        let room = Arc::new(Semaphore::new(permits(max_rows) as usize));
        Ok(Answering(Arc::new(Inner { max_rows, pieces, wholes, room, kept: KeptVersions::default() })))
    }

    /// Without limits and threads of its own.
    #[cfg(test)]
    pub(crate) fn in_place() -> Self {
        let (max_rows, room) = (u64::MAX, Arc::new(Semaphore::new(permits(u64::MAX) as usize)));
        let kept = KeptVersions::default();
        Answering(Arc::new(Inner { max_rows, pieces: Pool::none(), wholes: Pool::none(), room, kept }))
    }

    /// Where pieces of answers are computed.
    pub(crate) fn turns(&self) -> Turns {
        self.0.pieces.turns()
    }

    /// Most rows that an answer may have in memory.
    pub(crate) fn max_rows(&self) -> u64 {
        self.0.max_rows
    }

    pub(crate) fn kept(&self) -> &KeptVersions {
        &self.0.kept
    }

    /// Opens an answer from a version, within the limits.
    pub(crate) async fn open(
        &self,
        query: &Arc<Query>,
        published: &Arc<Published>,
    ) -> Result<OpenAnswer, ServingError> {
        let estimate = self.checked(query, published).await?;
        let answer = if query.is_merged(published) || is_small(query, published, estimate) {
            query.open(published)?
        } else {
            let room = match estimate.is_whole {
                true => Some(self.room(estimate.n_rows).await?),
                false => None,
            };
            let threads = self.threads(query, published, estimate);
            let (query, published) = (query.clone(), published.clone());
            let mut answer = threads.take(move || query.open(&published)).await??;
            answer.rows.hold(room);
            answer
        };
        if estimate.is_whole {
            // What could only be guessed is known now.
            let n_rows = answer.rows.n_left() as u64;
            query.check_rows(RowEstimate { n_rows, ..estimate }, self.0.max_rows)?;
        }
        if query.is_page() {
            self.0.kept.keep(published);
        }
        Ok(answer)
    }

    /// Computes something else from the states of an answer: beside others if that takes long.
    pub(crate) async fn compute<T: Send + 'static>(
        &self,
        query: &Arc<Query>,
        published: &Arc<Published>,
        compute: fn(&Arc<Query>, &Published) -> Result<T, ServingError>,
    ) -> Result<T, ServingError> {
        let estimate = self.checked(query, published).await?;
        if is_small(query, published, estimate) {
            return compute(query, published);
        }
        let room = self.room(estimate.n_rows).await?;
        let threads = self.threads(query, published, estimate);
        let (query, published) = (query.clone(), published.clone());
        let computed = move || {
            let _room = room;
            compute(&query, &published)
        };
        threads.take(computed).await?
    }

    /// What an answer would take, if that is not more than it may.
    async fn checked(
        &self,
        query: &Arc<Query>,
        published: &Arc<Published>,
    ) -> Result<RowEstimate, ServingError> {
        let is_known = query.is_merged(published) && !query.is_filtered();
        let estimate = if is_known || query.n_groups(published) <= FEW_ROWS {
            query.estimate(published)?
        } else {
            let (query, published) = (query.clone(), published.clone());
            self.0.wholes.turns().take(move || query.estimate(&published)).await??
        };
        query.check_rows(estimate, self.0.max_rows)?;
        Ok(estimate)
    }

    /// Where rows are computed as a whole: in one turn if that is short, else beside all turns.
    fn threads(&self, query: &Query, published: &Published, estimate: RowEstimate) -> Turns {
        let is_short = query.n_groups(published) <= SHORT_TURN && estimate.n_rows <= SHORT_TURN as u64;
        if is_short { self.0.pieces.turns() } else { self.0.wholes.turns() }
    }

    /// Room for rows that are in memory as a whole.
    async fn room(&self, n_rows: u64) -> Result<OwnedSemaphorePermit, ServingError> {
        let wanted = self.0.room.clone().acquire_many_owned(permits(n_rows).min(permits(self.0.max_rows)));
        match tokio::time::timeout(ROOM_WITHIN, wanted).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(error)) => Err(ServingError::Failed(error.into())),
            Err(_) => {
                let problem = "other answers hold all rows that the node keeps in memory at a time (`max_rows`); try \
                               again, or ask for fewer rows";
                Err(ServingError::Busy(problem.to_owned()))
            }
        }
    }
}

/// Whether an answer takes less time than another thread would.
fn is_small(query: &Query, published: &Published, estimate: RowEstimate) -> bool {
    query.n_groups(published) <= FEW_ROWS && estimate.n_rows <= FEW_ROWS as u64
}

fn permits(n_rows: u64) -> u32 {
    let most = u64::from(u32::MAX).min(Semaphore::MAX_PERMITS as u64);
    u32::try_from(n_rows.div_ceil(ROWS_OF_PERMIT).clamp(1, most)).unwrap_or(u32::MAX)
}

/// A version, and when its last page was read.
type Kept = (Arc<Published>, Instant);

/// Versions of which readers have cursors.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeptVersions(Arc<Mutex<VecDeque<Kept>>>);

impl KeptVersions {
    /// Keeps a version for the next page.
    pub(crate) fn keep(&self, published: &Arc<Published>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(known, _)| !Arc::ptr_eq(known, published));
        kept.push_back((published.clone(), Instant::now()));
        if kept.len() > MOST_KEPT {
            kept.pop_front();
        }
        drop(kept);
        let own = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(KEPT_FOR).await;
            own.forget();
        });
    }

    /// The version of the frontier of a query, with the states that it reads.
    pub(crate) fn find(&self, query: &Query) -> Option<Arc<Published>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = |published: &&Arc<Published>| query.is_at(published) && query.has_states(published);
        kept.iter().rev().map(|(published, _)| published).find(answers).cloned()
    }

    fn forget(&self) {
        let is_kept = |since: &Instant| since.elapsed() < KEPT_FOR;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(_, since)| is_kept(since));
    }
}
