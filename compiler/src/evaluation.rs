//! The options, results and errors of both engines.
//!
//! They are the same types for both, so a caller that switches between engines changes nothing else.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use metricc_ir::IntervalError;
use metricc_log::{LogError, ReadStats};

use crate::cpu_times::{CpuTimes, Measure};
use crate::{CompileError, Segment, SegmentError};

/// Which engine evaluates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// DataFusion.
    Batch,
    /// Timely and differential dataflow.
    Stream,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Engine::Batch => "batch",
            Engine::Stream => "stream",
        })
    }
}

/// How an engine runs. No option changes the result.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Worker threads, and splits into which batch divides the log; at least 1.
    pub workers: usize,
    /// Rows of a decoded batch, at least 1; the engine's own default if `None`.
    pub batch_rows: Option<usize>,
    /// Bytes that batch aggregation may hold before it spills to disk.
    pub memory_bytes: usize,
    /// Folder for what batch spills; the system's temporary folder if `None`.
    pub spill_folder: Option<PathBuf>,
    /// Where the processor time of each grouping is noted, if it is.
    pub cpu_times: Option<Arc<CpuTimes>>,
}

impl EngineOptions {
    /// Where the work for a grouping is noted, by its index in the plan.
    pub fn measure(&self, grouping: usize) -> Measure {
        Measure::new(self.cpu_times.as_ref(), grouping)
    }
}

impl Default for EngineOptions {
    fn default() -> Self {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        EngineOptions {
            workers,
            batch_rows: None,
            memory_bytes: 4 << 30,
            spill_folder: None,
            cpu_times: None,
        }
    }
}

/// The segments of an interval, and statistics of the records that were read for them.
#[derive(Debug)]
pub struct Evaluation {
    /// One segment per metric of the plan, in its order.
    pub segments: Vec<Segment>,
    /// Counts of the records read, quarantined and left out as duplicates.
    pub read_stats: ReadStats,
}

/// Why an evaluation gave no result.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A plan could not be rendered, or its states could not be merged.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// Segments of adjacent intervals could not be merged.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The memory limit was reached with nothing left to spill.
    #[error(
        "{metric}: the states do not fit into the memory that batch may use, even after spilling: {problem}"
    )]
    Memory {
        /// The metric, or the metrics of one grouping, whose plan failed.
        metric: String,
        /// The allocation that failed.
        problem: String,
    },
    /// The engine failed otherwise: a full disk, or an evaluation that should not fail.
    #[error("{metric}: {source}")]
    Engine {
        /// The metric, or the metrics of one grouping, whose plan failed.
        metric: String,
        /// The engine's error.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Nobody waits for the result any more.
    #[error("the evaluation was given up")]
    Cancelled,
    /// A stream was fed a batch that does not start where its partition stands.
    #[error("partition {partition} is fed from offset {from}, but {expected}")]
    Order {
        /// The partition.
        partition: u32,
        /// The first offset of the batch.
        from: u64,
        /// The offset that was expected, or that there is no such partition.
        expected: String,
    },
    /// A thread of the engine could not be started, or has died. An engine owns nothing that the log does not
    /// have: evaluate again, or start another stream from the same frontier.
    #[error("{engine} engine: {source}")]
    Thread {
        /// The engine.
        engine: Engine,
        /// What happened to the thread.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl EvaluateError {
    /// A thread of an engine that could not be started, or has died.
    pub fn thread(engine: Engine, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        EvaluateError::Thread { engine, source: source.into() }
    }
}

impl From<IntervalError> for EvaluateError {
    fn from(error: IntervalError) -> Self {
        EvaluateError::Log(error.into())
    }
}
