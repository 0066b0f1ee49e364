//! Typed rows under construction, record by record: what a record that is rejected has left is removed.

use arrow::array::ArrayRef;

use crate::column_builder::Column;
use crate::decode_value::{Before, Decoded, Notes, Problem, Reject, Slot, absent};
use crate::field_decoder::FieldDecoder;
use crate::none_values::NoneValues;
use crate::record_decoder::RecordDecoder;

/// The columns of a batch under construction: one per field of the source, all of one length
/// between records.
#[derive(Debug)]
pub(crate) struct RowBuilder {
    pub(crate) columns: Vec<Column>,
    n_rows: usize,
    /// Fields whose value is none although something is there: of the record that is not ended yet, and of
    /// the rows.
    pending: Notes,
    none_values: Notes,
}

impl RowBuilder {
    pub(crate) fn new(decoder: &RecordDecoder) -> Self {
        let columns = decoder.fields.iter().map(|field| Column::new(&field.row_type)).collect();
        RowBuilder { columns, n_rows: 0, pending: Vec::new(), none_values: Vec::new() }
    }

    /// Appends what a value decodes to.
    #[inline]
    pub(crate) fn put(
        &mut self,
        index: usize,
        field: &FieldDecoder,
        decoded: Result<Decoded<'_>, Problem>,
    ) -> Result<(), Reject> {
        match decoded {
            Ok(Decoded::Value(scalar)) => {
                self.columns[index].push(scalar);
                Ok(())
            }
            Ok(Decoded::Absent) => self.push_absent(index, field),
            decoded => self.put_by((index, field), |column, notes| {
                decoded.and_then(|decoded| Slot::Field(field).put(column, decoded, notes))
            }),
        }
    }

    /// Counts values of the present record that are none although something is there.
    pub(crate) fn note_all(&mut self, notes: &mut Notes) {
        self.pending.append(notes);
    }

    /// Appends a value of a field that `put` writes.
    pub(crate) fn put_by(
        &mut self,
        (index, field): (usize, &FieldDecoder),
        put: impl FnOnce(&mut Column, &mut Notes) -> Result<(), Problem>,
    ) -> Result<(), Reject> {
        let (column, notes) = (&mut self.columns[index], &mut self.pending);
        let before = Before::of(column, notes);
        let problem = put(column, notes).err();
        let problem = before.settle((index, field), column, notes, problem);
        problem.map_or(Ok(()), |problem| Err(problem.in_field(index)))
    }

    /// The values of the rows that are none although something is there.
    pub(crate) fn take_none_values(&mut self) -> Notes {
        std::mem::take(&mut self.none_values)
    }

    /// Those of the wanted fields, counted.
    pub(crate) fn count_none_values(&mut self, decoder: &RecordDecoder, wanted: &[usize]) -> NoneValues {
        let mut counts = NoneValues::default();
        for (field, reason) in self.take_none_values().into_iter().filter(|(field, _)| wanted.contains(field))
        {
            counts.add_n(&decoder.fields[field].name, reason, 1);
        }
        counts
    }

    /// Fills in the field of a record that does not have it.
    #[inline]
    pub(crate) fn push_absent(&mut self, index: usize, field: &FieldDecoder) -> Result<(), Reject> {
        absent(field, &mut self.columns[index]).map_err(|problem| problem.in_field(index))
    }

    /// Removes what was pushed since the last record.
    pub(crate) fn undo_record(&mut self) {
        self.pending.clear();
        self.columns.iter_mut().for_each(|column| column.truncate(self.n_rows));
    }

    /// Ends a record: keeps what was pushed since the last one, or removes it.
    pub(crate) fn end_record(&mut self, accepted: bool) {
        if accepted {
            self.n_rows += 1;
            self.none_values.append(&mut self.pending);
        } else {
            self.undo_record();
        }
        debug_assert!(self.columns.iter().all(|column| column.len() == self.n_rows));
    }

    /// The wanted columns as arrays, and their number of rows. The rows are empty afterwards.
    pub(crate) fn take(&mut self, wanted: &[usize]) -> (Vec<ArrayRef>, usize) {
        let arrays = wanted.iter().map(|&index| self.columns[index].take()).collect();
        self.columns.iter_mut().for_each(|column| column.truncate(0));
        (arrays, std::mem::take(&mut self.n_rows))
    }
}
