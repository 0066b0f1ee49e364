//! The fields of one event of a log.

use metricc_ir::{Kind, Value, expression_text};
use metricc_log::{Log, LogError, Position, Slice};
use serde_json::Value as Json;

use crate::compare::json;

/// The fields of an event, in the order of its source.
#[derive(Debug, Clone, PartialEq)]
pub struct EventFields(Vec<(String, Kind, Value)>);

impl EventFields {
    /// As a row of a test. Fields that are none are left out.
    pub fn row_text(&self) -> String {
        let cells = self.0.iter().filter(|(_, _, value)| *value != Value::None);
        let cells =
            cells.map(|(name, kind, value)| format!("{name}: {}", expression_text::value(value, kind)));
        format!("{{ {} }}", cells.collect::<Vec<_>>().join(", "))
    }

    /// As a JSON object.
    pub fn json(&self) -> Json {
        self.0.iter().map(|(name, kind, value)| (name.clone(), json(value, kind))).collect()
    }
}

/// The fields of the event at a position; `None` if the record there is no event of this log: it does not
/// decode, or is a duplicate.
///
/// # Errors
/// [`LogError`] if the log is not readable.
pub fn event_fields(log: &Log, position: Position) -> Result<Option<EventFields>, LogError> {
    let source = log.source();
    let columns: Vec<usize> = (0..source.fields.len()).collect();
    let Position { partition, offset } = position;
    let slice = Slice { partition, from: offset, to: offset.saturating_add(1) };
    for batch in log.read(&slice, &columns, 1)? {
        let rows = batch?.rows;
        if rows.num_rows() == 0 {
            continue;
        }
        let fields = source.fields.iter().zip(rows.columns());
        let fields = fields.map(|(field, column)| {
            let kind = field.ty.kind.clone();
            let value = metricc_runtime_serve::value_at(&kind, column, 0);
            (field.name.clone(), kind, value)
        });
        return Ok(Some(EventFields(fields.collect())));
    }
    Ok(None)
}
