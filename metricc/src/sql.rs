//! Metrics and sources as tables of DataFusion, with the feature `sql`.
//!
//! ```no_run
//! use metricc::sql::{EvaluatedLog, SourceTable, Tables, message, rows, session};
//! use metricc::{Engine, EngineOptions, Frontier, Package, bind, evaluate, parse_binding, serve_evaluated};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let package = Package::read("payments.metric".as_ref())?;
//! let binding = parse_binding("payments=payments.ndjson")?;
//! let bound = bind(&package, &package.metrics(&[])?, &[binding], &|_, _| ())?.remove(0);
//! let options = EngineOptions::default();
//! let evaluated = evaluate(&bound, Some(Engine::Batch), &Frontier::default(), &options, &|_| ())?;
//! let serving = serve_evaluated(&package, &[(&bound, evaluated.segments)])?;
//! let events = SourceTable::new(bound.log.source(), EvaluatedLog::whole(&bound.log)?)?;
//! let (tables, _) = Tables::of(&serving.snapshot(), vec![events]);
//! let context = session(&tables)?;
//! let statement = "SELECT country, MEASURE(value) FROM revenue GROUP BY country";
//! let batches = context.sql(statement).await?.collect().await?;
//! # Ok(())
//! # }
//! ```
//!
//! A session of your own is made with [`session_state`], which gives `MEASURE` its meaning, and gets the tables by
//! [`register`].

use std::sync::Arc;

use metricc_client::ServingError;
use metricc_log::{Interval, Log, LogError};

pub use metricc_sql::*;

/// A log that is open, as a whole.
#[derive(Debug)]
pub struct EvaluatedLog {
    log: Log,
    interval: Interval,
}

impl EvaluatedLog {
    /// # Errors
    /// [`LogError`] if the log ends before it starts.
    pub fn whole(log: &Log) -> Result<Arc<Self>, LogError> {
        let interval = Interval::new(log.start(), log.end())?;
        Ok(Arc::new(EvaluatedLog { log: log.clone(), interval }))
    }
}

impl SourceLog for EvaluatedLog {
    fn open(&self) -> Result<(Log, Interval), ServingError> {
        Ok((self.log.clone(), self.interval.clone()))
    }
}
