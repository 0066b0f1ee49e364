//! Tables are brought to each version of the view.

use metricc_runtime_serve::IndexedSegment;
use metricc_views::View;

use super::Batch;
use crate::loaded_view::LoadedView;
use crate::tables::{self, ViewOfTables};

impl Batch {
    /// Brings the tables to the state of the view that the node has found, or to that of an empty log. Where
    /// there are events and no view, it is made at once, and the tables with it. Returns whether all hold
    /// what they are to.
    pub(crate) fn start_tables(&self) -> bool {
        let latest = self.source.latest_view();
        if latest.stored.is_some() || !self.schedule.has_tables || self.source.end().n_positions() > 0 {
            return self.write_tables(&latest);
        }
        match tables::empty_segments(&self.source, &self.schedule.options) {
            Ok(segments) => {
                let log = format!("{:032x}", self.source.log.snapshot().id());
                let segments = segments.iter().collect();
                let view = ViewOfTables { version: 0, log: &log, frontier: &latest.frontier, segments };
                self.write_tables_of(&view)
            }
            Err(error) => {
                tracing::warn!(source = self.source.name(), %error, "empty tables could not be written");
                false
            }
        }
    }

    /// Writes the tables of a view, if it is stored.
    pub(super) fn write_tables(&self, loaded: &LoadedView) -> bool {
        let Some(stored) = loaded.stored.as_ref().filter(|_| self.schedule.has_tables) else { return true };
        let segments = loaded.segments.iter().map(IndexedSegment::segment).collect();
        let View { version, frontier, .. } = stored;
        self.write_tables_of(&ViewOfTables { version: *version, log: &stored.log.id, frontier, segments })
    }

    fn write_tables_of(&self, view: &ViewOfTables<'_>) -> bool {
        let (name, derived) = (self.source.name(), self.derived.as_ref());
        let others = derived.map(|derived| derived.kept_beside(name)).unwrap_or_default();
        let is_written = tables::write(&self.runtime, &self.store, &self.source, view, &others);
        derived.is_none_or(|derived| derived.write(&self.runtime, name)) && is_written
    }
}
