//! The sources of a log and how they are declared: when it is opened, and while it is open.
//!
//! Invariant: rows that are flushed together were decoded by one declaration. So a file has the fields with
//! which its rows were decoded, and every declaration reads the same from it as from the journal.

use std::sync::Arc;

use metricc_ir::Source;
use metricc_log::{Interval, LogError, RecordDecoder};

use crate::dedup_index::DedupWindow;
use crate::error::DurableError;
use crate::frame_payload::{Entry, SourceEntry, SourceState};
use crate::log::{DurableLog, OpenSource};
use crate::options::SourceOptions;
use crate::orphans;
use crate::schema_check::RowFields;
use crate::snapshot::no_source;

impl DurableLog {
    /// Takes the events of one more source from here on, as if the log had been opened with it. What is known of it
    /// is written with its first events.
    ///
    /// # Errors
    /// [`DurableError`] if the log has events of it that were declared otherwise, or there are flushed files with
    /// events that the log does not know. The log then takes the same sources as before.
    pub fn take_source(&mut self, options: &SourceOptions) -> Result<(), DurableError> {
        let name = &options.source.name;
        if self.sources.get(name).is_some_and(|open| *open.decoder.source() == options.source) {
            return Ok(());
        }
        // Files of sources that the journal knows were looked at when it was opened.
        if !self.replay.state.sources.contains_key(name) {
            orphans::set_aside_of(&self.disk, name)?;
        }
        let taken = self.open_source(options);
        match &taken {
            Ok(()) => self.publish(),
            Err(_) => self.leave_source(name),
        }
        taken
    }

    /// Takes no events of a source any more. What the log has of it stays.
    pub fn leave_source(&mut self, name: &str) {
        self.sources.remove(name);
        let is_of_it = |entry: &Entry| matches!(entry, Entry::Source(source) if source.name == name);
        self.pending.retain(|entry| !is_of_it(entry));
        self.publish();
    }

    pub(crate) fn open_source(&mut self, options: &SourceOptions) -> Result<(), DurableError> {
        let (window, name) = (options.window, options.source.name.clone());
        let n_partitions = options.n_partitions.max(1);
        let known = self.replay.state.sources.get(&name);
        let known_rows = known.filter(|known| known.partitions.iter().any(|partition| partition.end > 0));
        let is_current = |source: &&Arc<Source>| known_rows.is_some_and(|known| is_declared(known, source));
        let declarations = std::iter::once(&options.source).chain(&options.others);
        let source = declarations.clone().find(is_current).unwrap_or(&options.source);
        let decoder = RecordDecoder::new(source)?;
        let before = RowFields::of(known);
        if let Some(known) = known {
            let n_known = known.partitions.len();
            let problem = if n_known == n_partitions as usize {
                // Also where the log goes on as before: it is about to be declared so.
                before.check(source).and_then(|()| before.check(&options.source)).err()
            } else {
                let plural = if n_known == 1 { "" } else { "s" };
                Some(format!("it has {n_known} partition{plural}, and {n_partitions} are configured"))
            };
            if let Some(problem) = problem {
                return Err(DurableError::Declaration { origin: name, problem });
            }
        }
        let is_known = known.is_some_and(|known| known.window == window && is_declared(known, source));
        let rows = Arc::new(before.declared(source));
        if !is_known {
            self.pending.push(source_entry(&name, n_partitions, window, &rows));
        }
        let empty = || vec![Default::default(); n_partitions as usize];
        self.replay.chunks.entry(name.clone()).or_insert_with(empty);
        let open = OpenSource { decoder: decoder.clone(), rows, window, dedup: Vec::new(), n_requests: 0 };
        self.sources.insert(name.clone(), open);
        let dedup = self.dedup_indices(&decoder, n_partitions, window)?;
        self.sources.entry(name).and_modify(|open| open.dedup = dedup);
        Ok(())
    }

    /// Decodes the events of a source as another declaration says, from here on. What is not flushed yet is
    /// flushed first, as it was declared: so the rows of a file are of one declaration, and their fields those
    /// with which they were decoded, whoever reads them.
    ///
    /// # Errors
    /// [`DurableError::Declaration`] if the log cannot be read so; another one if it could not be made durable.
    /// The source is declared as before then.
    pub fn declare(&mut self, source: &Arc<Source>) -> Result<(), DurableError> {
        let name = &source.name;
        let open = self.sources.get(name).ok_or_else(|| no_source(name))?;
        if open.decoder.source() == source {
            return Ok(());
        }
        let decoder = RecordDecoder::new(source)?;
        let declared = self.snapshot().check_declared(source, source);
        declared.map_err(|problem| DurableError::Declaration { origin: name.clone(), problem })?;
        let flushed = self.flush_all(name).and_then(|()| self.declare_flushed(source, decoder));
        self.publish();
        flushed
    }

    fn flush_all(&mut self, source: &str) -> Result<(), DurableError> {
        let snapshot = self.snapshot();
        let left =
            Interval::new(snapshot.flushed_to(source), snapshot.end(source)).map_err(LogError::from)?;
        for slice in left.slices() {
            let flush = snapshot.write_flush(&self.disk.clone(), source, &slice)?;
            self.commit_flush_unpublished(&flush)?;
        }
        Ok(())
    }

    fn declare_flushed(
        &mut self,
        source: &Arc<Source>,
        decoder: Arc<RecordDecoder>,
    ) -> Result<(), DurableError> {
        let name = &source.name;
        let rows = Arc::new(RowFields::of(self.replay.state.sources.get(name)).declared(source));
        let open = self.sources.get(name).ok_or_else(|| no_source(name))?;
        let (n_partitions, window) = (open.dedup.len() as u32, open.window);
        // What is a conflict depends on all fields of an event.
        let dedup = self.dedup_indices(&decoder, n_partitions, window)?;
        let mut payload = self.new_payload();
        payload.push(source_entry(name, n_partitions, window, &rows));
        self.write(payload)?;
        if let Some(open) = self.sources.get_mut(name) {
            (open.decoder, open.rows, open.dedup) = (decoder, rows, dedup);
        }
        Ok(())
    }
}

/// Whether rows come in as a source declares them.
fn is_declared(known: &SourceState, source: &Source) -> bool {
    let RowFields { fields, identity } = RowFields::of(Some(known)).declared(source);
    known.identity == identity && fields.iter().all(|(name, field)| known.fields.get(name) == Some(field))
}

fn source_entry(name: &str, n_partitions: u32, window: DedupWindow, rows: &RowFields) -> Entry {
    let RowFields { fields, identity } = rows.clone();
    Entry::Source(SourceEntry { name: name.to_owned(), n_partitions, window, fields, identity })
}
