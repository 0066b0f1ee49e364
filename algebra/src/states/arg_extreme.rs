//! The first row by a value, then event time, then position in the log, with another value that it carries.
//!
//! No two rows have the same position in the log, so the choice is one row in every order; where the same row
//! comes twice nothing changes.

use super::{HeapValue, NOT_CANONICAL, Reader, put_varint};
use crate::Checked;
use crate::values::{Shape, Value};

/// The first, or the last, row so far, if there is any.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArgExtreme {
    least: bool,
    by: Option<Shape>,
    shape: Shape,
    row: Option<ExtremeRow>,
}

/// Its fields are in the order that decides.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct ExtremeRow {
    /// Bytes of the value that decides; none for event time alone.
    by: Vec<u8>,
    /// Event time, µs.
    time: i64,
    /// Place in the log.
    position: i128,
    /// Bytes of the value that is carried.
    value: Vec<u8>,
}

/// A row by event time (µs) and position in the log.
pub(crate) type Moment = (i64, i128);

impl ArgExtreme {
    pub(crate) fn new(least: bool, by: Option<Shape>, shape: Shape) -> Self {
        ArgExtreme { least, by, shape, row: None }
    }

    /// Takes a row into account.
    #[inline]
    pub(crate) fn add(&mut self, value: Value<'_>, by: Option<Value<'_>>, moment: Moment) {
        match by {
            None => self.add_by(value, &[], moment),
            Some(by) => by.with_bytes(|by| self.add_by(value, by, moment)),
        }
    }

    fn add_by(&mut self, value: Value<'_>, by: &[u8], (time, position): Moment) {
        let row = match &mut self.row {
            None => self.row.insert(ExtremeRow::default()),
            Some(row) => {
                // At equal places the rows are one event's, and the carried value decides.
                let order = (by, time, position).cmp(&(row.by.as_slice(), row.time, row.position));
                let order = order.then_with(|| value.with_bytes(|value| value.cmp(&row.value)));
                if order != (if self.least { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater })
                {
                    return;
                }
                row
            }
        };
        row.by.clear();
        row.by.extend(by);
        (row.time, row.position) = (time, position);
        row.value.clear();
        value.with_bytes(|value| row.value.extend(value));
    }

    /// The bytes of the carried value; none without rows.
    pub(crate) fn value(&self) -> Option<&[u8]> {
        self.row.as_ref().map(|row| row.value.as_slice())
    }

    /// Identifies the monoid of the state: least or greatest, and the shapes of the deciding and the carried
    /// value.
    pub(crate) fn head(&self) -> (bool, Option<Shape>, Shape) {
        (self.least, self.by, self.shape)
    }

    /// Reads canonical bytes: nothing for no rows, else event time (8 bytes) and position (16 bytes),
    /// little-endian, the deciding value after its length (LEB128), and the carried value.
    pub(crate) fn decode(least: bool, by: Option<Shape>, shape: Shape, bytes: &[u8]) -> Checked<Self> {
        let mut extreme = ArgExtreme::new(least, by, shape);
        if bytes.is_empty() {
            return Ok(extreme);
        }
        let mut reader = Reader::new(bytes);
        let time = i64::from_le_bytes(reader.array()?);
        let position = i128::from_le_bytes(reader.array()?);
        let n_bytes = usize::try_from(reader.varint()?).map_err(|_| NOT_CANONICAL)?;
        let decides = reader.slice(n_bytes)?;
        match by {
            Some(by) => by.check(decides)?,
            None if decides.is_empty() => {}
            None => return Err(NOT_CANONICAL),
        }
        let value = reader.rest();
        shape.check(value)?;
        extreme.row = Some(ExtremeRow { by: decides.to_vec(), time, position, value: value.to_vec() });
        Ok(extreme)
    }
}

impl HeapValue for ArgExtreme {
    fn merge(&mut self, other: &Self) -> Checked<()> {
        if self.head() != other.head() {
            return Err("states of different extremes do not merge");
        }
        if let Some(other) = &other.row {
            let is_better = match &self.row {
                None => true,
                Some(own) if self.least => other < own,
                Some(own) => other > own,
            };
            if is_better {
                self.row = Some(other.clone());
            }
        }
        Ok(())
    }

    fn encode(&self, out: &mut Vec<u8>) {
        if let Some(row) = &self.row {
            out.extend(row.time.to_le_bytes());
            out.extend(row.position.to_le_bytes());
            put_varint(row.by.len() as u64, out);
            out.extend(&row.by);
            out.extend(&row.value);
        }
    }

    #[inline]
    fn heap_size(&self) -> usize {
        self.row.as_ref().map_or(0, |row| row.by.capacity() + row.value.capacity())
    }
}
