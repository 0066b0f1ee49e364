//! What batch does to the journal: it moves rows and requests to files, brings the log to the declaration that is
//! wanted, and copies what is flushed.

use std::sync::Arc;
use std::time::Instant;

use metricc_durable_log::{Flush, WrittenRequests};
use metricc_ir::Source;
use metricc_log::{Interval, LogError};

use super::{Batch, PAUSE, StepError, Timing};
use crate::writer::{Ingest, IngestError};

impl Batch {
    /// Moves rows and requests out of the journal. That this fails does not keep the next view from being made.
    pub(super) fn flush_due(&self, timing: &mut Timing, ingest: &Ingest) {
        if Instant::now() >= timing.next_flush {
            timing.next_flush = Instant::now() + PAUSE;
            let kept = self.keep_requests(&|written| ingest.commit_requests(written));
            match kept.and_then(|()| self.flush(&|flush| ingest.commit_flush(flush))) {
                Ok(()) => timing.next_flush = Instant::now(),
                // The node is shutting down; the rows stay in the journal.
                Err(StepError::Commit(IngestError::Closing)) => {}
                Err(error) => {
                    tracing::error!(source = self.source.name(), %error, "sealing the journal failed, and is tried again");
                }
            }
        }
    }

    /// Has events decoded as the live version declares its source.
    pub(super) fn declare_due(&self, timing: &mut Timing, ingest: &Ingest) {
        if Instant::now() < timing.next_declaration {
            return;
        }
        timing.next_declaration = Instant::now() + PAUSE;
        match self.declare(&|flush| ingest.commit_flush(flush), &|source| ingest.declare(source)) {
            Ok(()) => timing.next_declaration = Instant::now(),
            Err(StepError::Commit(IngestError::Closing)) => {}
            Err(error) => {
                tracing::error!(source = self.source.name(), %error, "the source is declared as before; this is tried again");
            }
        }
    }

    /// Copies what is flushed to the object store. A store that is down holds nothing back.
    pub(super) fn archive(&self, timing: &mut Timing, ingest: &Ingest) {
        let Some(archive) = self.archive.as_ref().filter(|_| Instant::now() >= timing.next_archive) else {
            return;
        };
        timing.next_archive = match archive.step(&self.source, &self.disk, ingest) {
            Ok(()) => Instant::now(),
            Err(()) => Instant::now() + PAUSE,
        };
    }

    /// Writes remembered requests to files, so that the journal need not repeat them. One source does it for
    /// all.
    pub(crate) fn keep_requests(
        &self,
        commit: &dyn Fn(WrittenRequests) -> Result<(), IngestError>,
    ) -> Result<(), StepError> {
        while self.keeps_requests && self.source.log.snapshot().has_requests_to_write() {
            commit(self.source.log.snapshot().write_requests(&self.disk)?)?;
        }
        Ok(())
    }

    /// Moves rows from the journal to Parquet when there are many. `commit` hands a flush to the writer of
    /// the log.
    pub(crate) fn flush(&self, commit: &dyn Fn(Flush) -> Result<(), IngestError>) -> Result<(), StepError> {
        self.flush_from(self.schedule.flush_events, commit)
    }

    /// Brings the log to the declaration that is wanted, if nothing speaks against it. `declare` hands it to the
    /// writer of the log, which flushes what has come in meanwhile.
    pub(crate) fn declare(
        &self,
        commit: &dyn Fn(Flush) -> Result<(), IngestError>,
        declare: &dyn Fn(Arc<Source>) -> Result<(), IngestError>,
    ) -> Result<(), StepError> {
        let Some(source) = self.source.due_declaration() else { return Ok(()) };
        self.flush_from(1, commit)?;
        declare(source)?;
        let (name, from) = (self.source.name(), self.source.log.snapshot().flushed_to(self.source.name()));
        tracing::info!(source = name, %from, "events are decoded as the live version declares the source");
        self.source.changed.notify();
        Ok(())
    }

    fn flush_from(
        &self,
        n_events: u64,
        commit: &dyn Fn(Flush) -> Result<(), IngestError>,
    ) -> Result<(), StepError> {
        let name = self.source.name();
        let snapshot = self.source.log.snapshot();
        let (from, to) = (snapshot.flushed_to(name), snapshot.end(name));
        if to.n_positions() - from.n_positions() < n_events {
            return Ok(());
        }
        for slice in Interval::new(from, to).map_err(LogError::from)?.slices() {
            commit(snapshot.write_flush(&self.disk, name, &slice)?)?;
        }
        Ok(())
    }
}
