//! Dense numbers for groups: the table of groups of an engine.
//!
//! The group columns of a row become one key of a few words. Values of fixed width stand there as they are,
//! texts and everything else as codes of 32 bits, so a lookup compares words and never values. This is where
//! an engine spends its time if there are many rows: DataFusion's table hashes each column of a row, looks
//! the row up, and compares column by column, which took two to four times as long.

mod columns;
mod texts;
mod words;

use arrow::array::ArrayRef;
use arrow::datatypes::Field;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};

use crate::CompileError;
use columns::{KeyColumn, Places, Problem};
use texts::ByteCodes;
use words::WordTable;

/// Rows whose keys are made at a time: these stay in the innermost cache.
const CHUNK_ROWS: usize = 1024;

/// Groups, each once, numbered from 0 in the order in which they came.
#[derive(Debug)]
pub struct GroupTable {
    /// The metrics, for errors.
    place: String,
    table: Box<dyn Table>,
}

impl GroupTable {
    /// An empty table for groups of these columns.
    ///
    /// # Errors
    /// If a column is of a type that cannot be compared.
    pub fn new(place: &str, fields: &[Field]) -> Result<Self, CompileError> {
        let table = table_of(fields).map_err(|error| CompileError::engine(place, error))?;
        Ok(GroupTable { place: place.to_owned(), table })
    }

    /// Number of groups.
    pub fn n_groups(&self) -> usize {
        self.table.n_groups()
    }

    /// Bytes in use.
    pub fn n_bytes(&self) -> usize {
        self.table.n_bytes()
    }

    /// The number of the group of each row; new groups get the next ones.
    ///
    /// # Errors
    /// If a column is not of its type, or there are more than 2³² groups.
    pub fn number(&mut self, groups: &[ArrayRef], numbers: &mut Vec<usize>) -> Result<(), CompileError> {
        numbers.clear();
        self.table.number(groups, numbers).map_err(|error| CompileError::engine(&self.place, error))
    }

    /// Takes all groups out, as columns in the order of their numbers; the table is empty afterwards.
    ///
    /// # Errors
    /// Never for groups that the table has numbered.
    pub fn take(&mut self) -> Result<Vec<ArrayRef>, CompileError> {
        self.table.take().map_err(|error| CompileError::engine(&self.place, error))
    }
}

/// A table for keys of some width.
trait Table: std::fmt::Debug + Send {
    fn n_groups(&self) -> usize;
    fn n_bytes(&self) -> usize;
    fn number(&mut self, groups: &[ArrayRef], numbers: &mut Vec<usize>) -> Result<(), Problem>;
    fn take(&mut self) -> Result<Vec<ArrayRef>, Problem>;
}

fn table_of(fields: &[Field]) -> Result<Box<dyn Table>, ArrowError> {
    let mut places = Places::default();
    let columns = fields.iter().map(|field| KeyColumn::new(field, &mut places));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    Ok(match places.n_words {
        0 | 1 => Box::new(Packed::<1>::new(columns)),
        2 => Box::new(Packed::<2>::new(columns)),
        3 => Box::new(Packed::<3>::new(columns)),
        4 => Box::new(Packed::<4>::new(columns)),
        _ => Box::new(Unpacked::new(fields)?),
    })
}

/// Groups as keys of `N` words.
#[derive(Debug)]
struct Packed<const N: usize> {
    columns: Vec<KeyColumn>,
    table: WordTable<N>,
    keys: Vec<[u64; N]>,
}

impl<const N: usize> Packed<N> {
    fn new(columns: Vec<KeyColumn>) -> Self {
        Packed { columns, table: WordTable::default(), keys: Vec::new() }
    }
}

impl<const N: usize> Table for Packed<N> {
    fn n_groups(&self) -> usize {
        self.table.len()
    }

    fn n_bytes(&self) -> usize {
        self.table.n_bytes() + self.columns.iter().map(KeyColumn::n_bytes).sum::<usize>()
    }

    fn number(&mut self, groups: &[ArrayRef], numbers: &mut Vec<usize>) -> Result<(), Problem> {
        let n_rows = groups.first().map_or(0, |column| column.len());
        if groups.len() != self.columns.len() {
            return Err(Problem::Column);
        }
        for first in (0..n_rows).step_by(CHUNK_ROWS) {
            let n_keys = CHUNK_ROWS.min(n_rows - first);
            self.keys.clear();
            self.keys.resize(n_keys, [0; N]);
            for (column, values) in self.columns.iter_mut().zip(groups) {
                column.put(&values.slice(first, n_keys), &mut self.keys)?;
            }
            self.table.intern(&self.keys, numbers)?;
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Vec<ArrayRef>, Problem> {
        let keys = self.table.take();
        self.columns.iter_mut().map(|column| column.take(&keys)).collect()
    }
}

/// Groups of many columns: codes of rows of bytes.
#[derive(Debug)]
struct Unpacked {
    converter: RowConverter,
    codes: ByteCodes,
}

impl Unpacked {
    fn new(fields: &[Field]) -> Result<Self, ArrowError> {
        let fields = fields.iter().map(|field| SortField::new(field.data_type().clone())).collect();
        Ok(Unpacked { converter: RowConverter::new(fields)?, codes: ByteCodes::default() })
    }
}

impl Table for Unpacked {
    fn n_groups(&self) -> usize {
        self.codes.len()
    }

    fn n_bytes(&self) -> usize {
        self.converter.size() + self.codes.n_bytes()
    }

    fn number(&mut self, groups: &[ArrayRef], numbers: &mut Vec<usize>) -> Result<(), Problem> {
        for row in &self.converter.convert_columns(groups)? {
            numbers.push(self.codes.number(row.as_ref())? as usize);
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Vec<ArrayRef>, Problem> {
        let codes = std::mem::take(&mut self.codes);
        let parser = self.converter.parser();
        let rows = (0..codes.len()).map(|number| parser.parse(codes.get(number)));
        Ok(self.converter.convert_rows(rows)?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        BooleanArray, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringViewArray,
        TimestampMicrosecondArray, UInt64Array,
    };
    use arrow::compute::take_record_batch;
    use arrow::datatypes::{DataType, Schema, TimeUnit};

    use super::*;
    use crate::GroupRows;

    #[allow(clippy::too_many_lines, reason = "a column of each type")]
    fn columns(seed: u64, n_rows: usize) -> (Vec<Field>, Vec<ArrayRef>) {
        // A small generator, so that values repeat in every combination.
        let draw = |column: u64, row: usize, below: u64| {
            let mixed = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (row as u64 * 31 + column);
            (mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33) % below
        };
        let texts =
            ["", "a", "twelve bytes", "thirteen byte", "thirteen byta", "a text of more than any view holds"];
        let text = |column, row| draw(column, row, 7).checked_sub(1).map(|text| texts[text as usize]);
        let rows = 0..n_rows;
        let columns: Vec<(DataType, bool, ArrayRef)> = vec![
            (
                DataType::Timestamp(TimeUnit::Microsecond, None),
                false,
                Arc::new(TimestampMicrosecondArray::from_iter_values(
                    rows.clone().map(|row| draw(0, row, 3) as i64 - 1),
                )),
            ),
            (
                DataType::Utf8View,
                true,
                Arc::new(rows.clone().map(|row| text(1, row)).collect::<StringViewArray>()),
            ),
            (
                DataType::Int64,
                true,
                Arc::new(
                    rows.clone()
                        .map(|row| draw(2, row, 3).checked_sub(1).map(|int| int as i64 - 1))
                        .collect::<Int64Array>(),
                ),
            ),
            (
                DataType::Boolean,
                true,
                Arc::new(
                    rows.clone()
                        .map(|row| draw(3, row, 3).checked_sub(1).map(|bit| bit == 1))
                        .collect::<BooleanArray>(),
                ),
            ),
            (
                DataType::Int32,
                false,
                Arc::new(Int32Array::from_iter_values(rows.clone().map(|row| draw(4, row, 2) as i32 - 1))),
            ),
            (
                DataType::Decimal128(38, 2),
                true,
                Arc::new(
                    rows.clone()
                        .map(|row| draw(5, row, 3).checked_sub(1).map(|units| i128::from(units) - 1))
                        .collect::<Decimal128Array>()
                        .with_precision_and_scale(38, 2)
                        .unwrap(),
                ),
            ),
            (
                DataType::Utf8View,
                false,
                Arc::new(rows.map(|row| text(6, row).or(Some("none"))).collect::<StringViewArray>()),
            ),
        ];
        let fields = columns.iter().enumerate();
        let fields =
            fields.map(|(index, (ty, nullable, _))| Field::new(format!("c{index}"), ty.clone(), *nullable));
        (fields.collect(), columns.iter().map(|(.., column)| column.clone()).collect())
    }

    /// Numbers two batches, and checks them against rows of bytes.
    fn check(chosen: &[usize]) {
        let mut table: Option<GroupTable> = None;
        let mut seen: Vec<Vec<u8>> = Vec::new();
        let mut all: Vec<RecordBatch> = Vec::new();
        for seed in 0..2 {
            let (fields, columns) = columns(seed, 3000);
            let fields: Vec<Field> = chosen.iter().map(|index| fields[*index].clone()).collect();
            let columns: Vec<ArrayRef> = chosen.iter().map(|index| columns[*index].clone()).collect();
            let table = table.get_or_insert_with(|| GroupTable::new("test", &fields).unwrap());
            let rows = GroupRows::new(&fields).unwrap().rows(&columns).unwrap();
            let mut numbers = Vec::new();
            table.number(&columns, &mut numbers).unwrap();
            let mut firsts = Vec::new();
            for (row, number) in numbers.iter().enumerate() {
                let bytes = rows.row(row).data().to_vec();
                if *number == seen.len() {
                    seen.push(bytes);
                    firsts.push(row as u64);
                } else {
                    assert_eq!(seen[*number], bytes);
                }
            }
            assert_eq!(table.n_groups(), seen.len());
            let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
            all.push(take_record_batch(&batch, &UInt64Array::from(firsts)).unwrap());
        }
        let schema = all[0].schema();
        let table = table.as_mut().unwrap();
        let taken = RecordBatch::try_new(schema.clone(), table.take().unwrap()).unwrap();
        assert_eq!(taken, arrow::compute::concat_batches(&schema, &all).unwrap());
        assert_eq!(table.n_groups(), 0);
        // An emptied table numbers from 0 again.
        let mut numbers = Vec::new();
        table.number(all[1].columns(), &mut numbers).unwrap();
        assert_eq!(numbers.first(), (!numbers.is_empty()).then_some(&0));
    }

    #[test]
    fn groups_of_any_columns_are_numbered_by_their_values() {
        for chosen in [
            &[0][..],
            &[1],
            &[2],
            &[3],
            &[4],
            &[5],
            &[6],
            &[0, 1],
            &[1, 6],
            &[0, 2],
            &[3, 4],
            &[0, 1, 2],
            &[2, 3, 4],
            &[0, 1, 2, 4],
            &[0, 1, 2, 3, 5],
            &[0, 1, 2, 3, 4, 5, 6],
            &[0, 2, 0, 2, 0, 2],
        ] {
            check(chosen);
        }
    }

    #[test]
    fn other_columns_are_refused() {
        let (fields, columns) = columns(0, 10);
        let mut table = GroupTable::new("test", &fields[..2]).unwrap();
        assert!(table.number(&columns[1..3], &mut Vec::new()).is_err());
        assert!(table.number(&columns[..1], &mut Vec::new()).is_err());
    }
}
