//! Rows as columns that can be compared: presented rows of a metric, or the rows of a file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, StringViewArray};
use arrow::compute::filter;
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};
use metricc_ir::calendar::{ZoneRules, date_text, instant_text};
use metricc_ir::{Kind, RowType, Value, Window};
use metricc_runtime_serve::{Overflow, Presented, value_at};
use serde_json::{Map, Value as Json, json as object};

use super::cell::{json, plain_text};

/// Microseconds of a day.
const DAY: i64 = metricc_ir::calendar::MICROS_PER_DAY;

/// Rows of a metric.
#[derive(Debug, Clone)]
pub struct RowSet {
    /// How many.
    pub n_rows: usize,
    /// Where each row's window is; `None` for rows of all time.
    pub windows: Option<Windows>,
    /// The keys, in the order in which they are shown.
    pub keys: Vec<Column>,
    /// The values.
    pub outputs: Vec<Column>,
}

/// A key or a value of all rows.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name; `value` is a plain value.
    pub name: String,
    /// What its values are.
    pub kind: Kind,
    /// The values, of the kind's Arrow type.
    pub values: ArrayRef,
    /// The rows that depend on what could not be computed.
    pub lost: Option<Overflow>,
}

/// The windows of rows, µs.
#[derive(Debug, Clone)]
pub struct Windows {
    /// Where they start.
    pub starts: Vec<i64>,
    /// Where they end, if that tells windows apart.
    pub ends: Option<Vec<i64>>,
    /// What the starts are.
    pub clock: Clock,
}

/// What times of windows are.
#[derive(Debug, Clone)]
pub enum Clock {
    /// Instants, shown in a zone; `None` is UTC.
    Instants(Option<ZoneRules>),
    /// What a clock on the wall shows, in a zone that the rows do not say.
    Local,
}

impl Clock {
    /// A time as the clock shows it.
    pub fn text(&self, micros: i64) -> String {
        match self {
            Clock::Instants(zone) => instant_text(micros, zone.as_ref()),
            Clock::Local if micros.rem_euclid(DAY) == 0 => date_text(micros.div_euclid(DAY)),
            Clock::Local => instant_text(micros, None).trim_end_matches('Z').to_owned(),
        }
    }
}

impl Windows {
    fn filtered(&self, kept: &BooleanArray) -> Self {
        let of = |times: &Vec<i64>| {
            let pairs = times.iter().zip(kept.values());
            pairs.filter(|(_, is_kept)| *is_kept).map(|(time, _)| *time).collect()
        };
        Windows { starts: of(&self.starts), ends: self.ends.as_ref().map(of), clock: self.clock.clone() }
    }
}

impl Column {
    fn filtered(&self, kept: &BooleanArray) -> Result<Self, ArrowError> {
        let lost = self.lost.as_ref().map(|lost| filter(lost, kept)).transpose()?;
        let lost = lost.map(|lost| lost.as_primitive::<Int64Type>().clone());
        let (name, kind) = (self.name.clone(), self.kind.clone());
        Ok(Column { name, kind, values: filter(&self.values, kept)?, lost })
    }

    /// The value of a row.
    pub fn value(&self, row: usize) -> Value {
        value_at(&self.kind, &self.values, row)
    }

    /// Whether the value of a row could not be computed.
    pub fn is_lost(&self, row: usize) -> bool {
        use arrow::array::Array as _;
        self.lost.as_ref().is_some_and(|lost| lost.is_valid(row))
    }

    /// The text of a row's value, `None` if it is none.
    pub fn text(&self, row: usize) -> Option<String> {
        if self.is_lost(row) {
            return Some("not computable".to_owned());
        }
        plain_text(&self.value(row), &self.kind)
    }

    /// Whether values of another column can be keys of the same groups.
    pub fn is_alike(&self, other: &Column) -> bool {
        let plain = |kind: &Kind| if matches!(kind, Kind::Enum(_)) { Kind::String } else { kind.clone() };
        self.name == other.name && plain(&self.kind) == plain(&other.kind)
    }

    /// The values in a form that two versions of the type share: names of an enum as text.
    fn comparable(&self) -> ArrayRef {
        if !matches!(self.kind, Kind::Enum(_)) {
            return self.values.clone();
        }
        let names = (0..self.values.len()).map(|row| plain_text(&self.value(row), &self.kind));
        Arc::new(names.collect::<StringViewArray>())
    }
}

impl RowSet {
    /// Presented rows.
    pub fn of(presented: &Presented) -> Self {
        let row_type: &RowType = &presented.row_type;
        let windows = presented.windows.as_ref().map(|windows| Windows {
            starts: windows.iter().map(|window| window.0).collect(),
            ends: Some(windows.iter().map(|window| window.1).collect()),
            clock: Clock::Instants(zone_of(&row_type.window)),
        });
        let keys = row_type.keys.iter().zip(&presented.keys).map(|(key, values)| Column {
            name: key.name.clone(),
            kind: key.ty.kind.clone(),
            values: values.clone(),
            lost: None,
        });
        let outputs = row_type.outputs.iter().zip(row_type.output_names());
        let outputs = outputs.zip(presented.outputs.iter().zip(&presented.overflow));
        let outputs = outputs.map(|((output, name), (values, lost))| Column {
            name: name.to_owned(),
            kind: output.ty.kind.clone(),
            values: values.clone(),
            lost: lost.clone(),
        });
        RowSet { n_rows: presented.n_rows, windows, keys: keys.collect(), outputs: outputs.collect() }
    }

    /// Some of the rows.
    ///
    /// # Errors
    /// If a column cannot be filtered.
    pub fn filtered(&self, kept: &BooleanArray) -> Result<Self, ArrowError> {
        let of = |columns: &[Column]| -> Result<Vec<Column>, ArrowError> {
            columns.iter().map(|column| column.filtered(kept)).collect()
        };
        Ok(RowSet {
            n_rows: kept.true_count(),
            windows: self.windows.as_ref().map(|windows| windows.filtered(kept)),
            keys: of(&self.keys)?,
            outputs: of(&self.outputs)?,
        })
    }

    /// The group of each row as bytes: equal for rows of one group, also those of another set of rows with
    /// these keys. `order` gives the keys in the order of that set.
    pub(super) fn groups(&self, order: &[usize]) -> Result<Rows, ArrowError> {
        // The constant gives rows without keys and windows a group.
        let mut columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![0; self.n_rows]))];
        if let Some(windows) = &self.windows {
            columns.push(Arc::new(Int64Array::from(windows.starts.clone())));
            columns.extend(
                windows.ends.iter().map(|ends| -> ArrayRef { Arc::new(Int64Array::from(ends.clone())) }),
            );
        }
        columns.extend(order.iter().map(|key| self.keys[*key].comparable()));
        let fields = columns.iter().map(|column| SortField::new(column.data_type().clone()));
        RowConverter::new(fields.collect())?.convert_columns(&columns)
    }

    /// Whether one of some groups has a row.
    ///
    /// # Errors
    /// If keys cannot be compared.
    pub fn has_one_of(&self, groups: &BTreeSet<Box<[u8]>>) -> Result<bool, ArrowError> {
        let own = self.groups(&(0..self.keys.len()).collect::<Vec<_>>())?;
        Ok(own.iter().any(|group| groups.contains(group.data())))
    }

    /// Two rows of one group; `None` if each group has one row.
    ///
    /// # Errors
    /// If keys cannot be compared.
    pub fn repeated(&self) -> Result<Option<(usize, usize)>, ArrowError> {
        let groups = self.groups(&(0..self.keys.len()).collect::<Vec<_>>())?;
        let mut seen = BTreeMap::new();
        for (row, group) in groups.iter().enumerate() {
            if let Some(first) = seen.insert(group.data(), row) {
                return Ok(Some((first, row)));
            }
        }
        Ok(None)
    }

    /// Names of the columns of a row's group.
    pub fn group_header(&self) -> Vec<String> {
        let starts = self.windows.iter().map(|_| "window_start".to_owned());
        starts.chain(self.keys.iter().map(|key| key.name.clone())).collect()
    }

    /// Window and keys of a row.
    pub fn group_cells(&self, row: usize) -> Vec<Option<String>> {
        let starts = self.windows.iter().map(|windows| Some(windows.clock.text(windows.starts[row])));
        starts.chain(self.keys.iter().map(|key| key.text(row))).collect()
    }

    /// Window and keys of a row on one line; empty if it has neither.
    pub fn group_text(&self, row: usize) -> String {
        let cells = self.group_header().into_iter().zip(self.group_cells(row));
        let cells = cells.map(|(name, cell)| format!("{name}={}", cell.as_deref().unwrap_or("none")));
        cells.collect::<Vec<_>>().join(", ")
    }

    /// The values of a row on one line.
    pub fn output_text(&self, row: usize) -> String {
        let is_bare = matches!(&self.outputs[..], [only] if only.name == "value");
        let cells = self.outputs.iter().map(|output| {
            let cell = output.text(row);
            let cell = cell.as_deref().unwrap_or("none");
            if is_bare { cell.to_owned() } else { format!("{}={cell}", output.name) }
        });
        cells.collect::<Vec<_>>().join(", ")
    }

    /// The keys of a row as JSON.
    pub fn key_json(&self, row: usize) -> Json {
        self.keys.iter().map(|key| (key.name.clone(), json(&key.value(row), &key.kind))).collect()
    }

    /// The window of a row as JSON.
    pub fn window_json(&self, row: usize) -> Json {
        let Some(windows) = &self.windows else { return Json::Null };
        let mut members = Map::new();
        members.insert("start".to_owned(), object!(windows.clock.text(windows.starts[row])));
        if let Some(ends) = &windows.ends {
            members.insert("end".to_owned(), object!(windows.clock.text(ends[row])));
        }
        Json::Object(members)
    }

    /// The values of a row as JSON: an object by their names.
    pub fn output_json(&self, row: usize) -> Json {
        self.outputs
            .iter()
            .map(|output| (output.name.clone(), json(&output.value(row), &output.kind)))
            .collect()
    }
}

/// The zone of windows of a calendar.
fn zone_of(window: &Window) -> Option<ZoneRules> {
    match window {
        Window::Calendar(_, calendar) => ZoneRules::named(&calendar.zone),
        _ => None,
    }
}
