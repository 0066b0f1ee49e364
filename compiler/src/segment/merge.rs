//! ⊕ of canonical tables.
//!
//! Tables of intervals that follow one another have few groups in common where events come in order of time:
//! the groups of one stand between those of the others, and are copied as they are. Only ranges of groups in
//! which several tables have rows are sorted and merged.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;

use super::{GroupBound, GroupRange};
use crate::{CompileError, StateForm};

/// Rows from which on ranges are looked for: fewer are merged in less time.
const MANY_ROWS: usize = 65_536;

impl StateForm {
    /// Merges canonical tables into one, as [`StateForm::collect`] does tables in any order.
    ///
    /// # Errors
    /// As there.
    pub fn merge(&self, tables: &[RecordBatch]) -> Result<RecordBatch, CompileError> {
        let tables: Vec<&RecordBatch> = tables.iter().filter(|table| table.num_rows() > 0).collect();
        if let [only] = tables[..] {
            return Ok(only.clone());
        }
        let all = || tables.iter().map(|table| (*table).clone()).collect::<Vec<_>>();
        let n_rows: usize = tables.iter().map(|table| table.num_rows()).sum();
        if n_rows < MANY_ROWS {
            return self.collect(&all());
        }
        let ranges = self.ranges(&tables)?;
        let shared = ranges.iter().filter(|parts| parts.len() > 1).flatten();
        if 2 * shared.map(RecordBatch::num_rows).sum::<usize>() > n_rows {
            // Copying what is merged costs more than to merge the rest as well.
            return self.collect(&all());
        }
        let merged = ranges.iter().map(|parts| match &parts[..] {
            [only] => Ok(only.clone()),
            parts => self.collect(parts),
        });
        let merged: Vec<RecordBatch> = merged.collect::<Result<_, _>>()?;
        concat_batches(&self.schema, &merged).map_err(|error| CompileError::engine(&self.place, error))
    }

    /// The rows of the tables by ranges of groups, in order. Ranges begin and end where a table does.
    fn ranges(&self, tables: &[&RecordBatch]) -> Result<Vec<Vec<RecordBatch>>, CompileError> {
        let spans = tables.iter().map(|table| {
            let groups = &table.columns()[..self.n_group_columns];
            let first = self.group_at(groups, 0, usize::MAX)?;
            let last = self.group_at(groups, table.num_rows() - 1, usize::MAX)?;
            Ok(GroupRange { from: Some(first), to: Some(last.next()) })
        });
        let spans: Vec<GroupRange> = spans.collect::<Result<_, CompileError>>()?;
        let mut bounds: Vec<GroupBound> =
            spans.iter().flat_map(|span| span.from.iter().chain(&span.to)).cloned().collect();
        bounds.sort();
        bounds.dedup();
        let ranges = GroupRange::between(&bounds).into_iter().map(|range| {
            let within = tables.iter().zip(&spans).filter(|(_, span)| span.overlaps(&range));
            within.map(|(table, _)| self.within(table, &range)).collect::<Result<Vec<_>, _>>()
        });
        let mut ranges: Vec<Vec<RecordBatch>> = ranges.collect::<Result<_, _>>()?;
        ranges.iter_mut().for_each(|parts| parts.retain(|part| part.num_rows() > 0));
        ranges.retain(|parts| !parts.is_empty());
        Ok(ranges)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array};
    use arrow::datatypes::{DataType, Field};
    use metricc_algebra::monoid;
    use metricc_ir::AggregateOp;

    use super::*;

    fn form() -> StateForm {
        let key = Field::new("key0", DataType::Int64, true);
        StateForm::new("test".to_owned(), vec![key], vec![monoid(&AggregateOp::Count, &[]).unwrap()]).unwrap()
    }

    /// A canonical table of one row for each key, by which it is counted.
    fn table(form: &StateForm, keys: impl Iterator<Item = Option<i64>>) -> RecordBatch {
        let keys: ArrayRef = Arc::new(keys.collect::<Int64Array>());
        let mut counts = form.monoids[0].groups();
        let numbers: Vec<usize> = (0..keys.len()).collect();
        counts.lift(&[], &numbers, None, keys.len()).unwrap();
        let counts = counts.emit(keys.len()).unwrap();
        form.collect(&[RecordBatch::try_new(form.schema.clone(), vec![keys, counts]).unwrap()]).unwrap()
    }

    #[test]
    fn canonical_tables_merge_as_tables_in_any_order_do() {
        let (form, many) = (form(), MANY_ROWS as i64);
        let of = |from: i64, to: i64, step: usize| table(&form, (from..to).step_by(step).map(Some));
        let none = table(&form, [None, Some(-1), Some(5)].into_iter());
        let cases = [
            // One after the other, in either order, with a group in common or a gap.
            vec![of(0, many, 1), of(many, 2 * many, 1)],
            vec![of(many, 2 * many, 1), of(0, many + 1, 1)],
            vec![of(0, many, 1), of(2 * many, 3 * many, 1), of(many - 10, many + 10, 1)],
            // One within another, and a few rows anywhere.
            vec![of(0, 2 * many, 1), of(many, many + 1, 1)],
            vec![of(0, 2 * many, 2), none.clone(), of(-5, 0, 1), of(3 * many, 3 * many + 1, 1)],
            // Each with groups between all of the other's.
            vec![of(0, 2 * many, 2), of(1, 2 * many, 2)],
            vec![of(0, many, 1), of(0, many, 1), none.clone()],
            vec![of(0, 0, 1), of(0, many, 1)],
            vec![of(0, 0, 1), of(0, 0, 1)],
            vec![none.clone(), of(0, 10, 1)],
            vec![],
        ];
        for tables in cases {
            assert_eq!(form.merge(&tables).unwrap(), form.collect(&tables).unwrap());
        }
    }

    #[test]
    fn only_ranges_that_tables_share_are_merged() {
        let (form, many) = (form(), MANY_ROWS as i64);
        let left = table(&form, (0..many).map(Some));
        let right = table(&form, (many - 2..2 * many).map(Some));
        let ranges = form.ranges(&[&right, &left]).unwrap();
        let n_rows: Vec<Vec<usize>> =
            ranges.iter().map(|parts| parts.iter().map(RecordBatch::num_rows).collect()).collect();
        assert_eq!(n_rows, [vec![MANY_ROWS - 2], vec![2, 2], vec![MANY_ROWS]]);
    }
}
