//! Group columns as parts of keys, and back.

use std::sync::Arc;

use arrow::array::{Array, ArrayData, ArrayRef, AsArray, BooleanArray, UInt32Array, make_array};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};

use super::texts::{ByteCodes, TextCodes};
use super::words::TooManyKeys;

/// Where a part of a key stands: a word, and the bit of it where the part begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) word: usize,
    pub(crate) shift: u32,
}

/// A group column as parts of keys.
#[derive(Debug)]
pub(crate) struct KeyColumn {
    data_type: DataType,
    part: Part,
    place: Place,
    /// Where 1 stands for a value and 0 for null, if the column may have nulls and its part does not say so.
    validity: Option<Place>,
}

/// What stands for a value.
#[derive(Debug)]
enum Part {
    /// Values of 64 bits, whatever they mean.
    Word,
    /// Values of 32 bits.
    Half,
    Bool,
    Text(TextCodes),
    /// Codes for rows of bytes, of all other types.
    Row(RowConverter, ByteCodes),
}

/// Why groups have no number, or no columns.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// An operation of Arrow failed.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
    /// There are too many.
    #[error(transparent)]
    TooManyKeys(#[from] TooManyKeys),
    /// A column is not what the table was made for.
    #[error("a group column is of another type or length")]
    Column,
}

/// Hands out places of keys: whole words, and halves of them.
#[derive(Debug, Default)]
pub(crate) struct Places {
    pub(crate) n_words: usize,
    free_half: Option<usize>,
}

impl Places {
    fn word(&mut self) -> Place {
        self.n_words += 1;
        Place { word: self.n_words - 1, shift: 0 }
    }

    fn half(&mut self) -> Place {
        match self.free_half.take() {
            Some(word) => Place { word, shift: 32 },
            None => {
                let place = self.word();
                self.free_half = Some(place.word);
                place
            }
        }
    }
}

impl KeyColumn {
    pub(crate) fn new(field: &Field, places: &mut Places) -> Result<Self, ArrowError> {
        let data_type = field.data_type();
        let part = match data_type {
            DataType::Boolean => Part::Bool,
            DataType::Utf8View => Part::Text(TextCodes::default()),
            _ => match data_type.primitive_width() {
                Some(8) => Part::Word,
                Some(4) => Part::Half,
                _ => {
                    let converter = RowConverter::new(vec![SortField::new(data_type.clone())])?;
                    Part::Row(converter, ByteCodes::default())
                }
            },
        };
        let place = if matches!(part, Part::Word) { places.word() } else { places.half() };
        let says_null = matches!(part, Part::Text(_) | Part::Row(..));
        let validity = (field.is_nullable() && !says_null).then(|| places.half());
        Ok(KeyColumn { data_type: data_type.clone(), part, place, validity })
    }

    /// Bytes of codes.
    pub(crate) fn n_bytes(&self) -> usize {
        match &self.part {
            Part::Word | Part::Half | Part::Bool => 0,
            Part::Text(codes) => codes.n_bytes(),
            Part::Row(converter, codes) => converter.size() + codes.n_bytes(),
        }
    }

    /// Puts the values of some rows into their keys, where nothing stands yet in their places.
    pub(crate) fn put<const N: usize>(
        &mut self,
        values: &ArrayRef,
        keys: &mut [[u64; N]],
    ) -> Result<(), Problem> {
        if *values.data_type() != self.data_type || values.len() != keys.len() {
            return Err(Problem::Column);
        }
        let Place { word, shift } = self.place;
        let nulls = values.nulls().filter(|nulls| nulls.null_count() > 0);
        match &mut self.part {
            Part::Word => {
                let data = values.to_data();
                put_each(keys, nulls, word, shift, data.buffer::<u64>(0).iter().copied());
            }
            Part::Half => {
                let data = values.to_data();
                put_each(keys, nulls, word, shift, data.buffer::<u32>(0).iter().map(|half| u64::from(*half)));
            }
            Part::Bool => {
                let bools = values.as_boolean();
                put_each(keys, nulls, word, shift, bools.values().iter().map(u64::from));
            }
            Part::Text(codes) => {
                let mut keys = keys.iter_mut();
                codes.each(values.as_string_view(), |code| {
                    if let Some(key) = keys.next() {
                        key[word] |= u64::from(code) << shift;
                    }
                })?;
            }
            Part::Row(converter, codes) => {
                let rows = converter.convert_columns(std::slice::from_ref(values))?;
                for (key, row) in keys.iter_mut().zip(&rows) {
                    key[word] |= u64::from(codes.number(row.as_ref())?) << shift;
                }
            }
        }
        if let Some(Place { word, shift }) = self.validity {
            put_each(keys, nulls, word, shift, std::iter::repeat(1));
        }
        Ok(())
    }

    /// The column of all keys. Its codes start anew.
    pub(crate) fn take<const N: usize>(&mut self, keys: &[[u64; N]]) -> Result<ArrayRef, Problem> {
        let part = |Place { word, shift }: Place| keys.iter().map(move |key| key[word] >> shift);
        let halves = || part(self.place).map(|half| half as u32);
        let nulls = self.validity.map(|place| NullBuffer::new(part(place).map(|bit| bit & 1 == 1).collect()));
        let primitive = |values: Buffer| {
            let data = ArrayData::builder(self.data_type.clone()).len(keys.len());
            data.add_buffer(values).nulls(nulls.clone()).build().map(make_array)
        };
        Ok(match &mut self.part {
            Part::Word => primitive(part(self.place).collect())?,
            Part::Half => primitive(halves().collect())?,
            Part::Bool => {
                let bools: BooleanBuffer = part(self.place).map(|bit| bit & 1 == 1).collect();
                Arc::new(BooleanArray::new(bools, nulls))
            }
            Part::Text(codes) => take(&codes.take(), &UInt32Array::from_iter_values(halves()), None)?,
            Part::Row(converter, codes) => {
                let codes = std::mem::take(codes);
                let parser = converter.parser();
                let rows = halves().map(|code| parser.parse(codes.get(code as usize)));
                converter.convert_rows(rows)?.pop().ok_or(Problem::Column)?
            }
        })
    }
}

/// Puts values that are not null into a place of the keys.
#[inline]
fn put_each<const N: usize>(
    keys: &mut [[u64; N]],
    nulls: Option<&NullBuffer>,
    word: usize,
    shift: u32,
    values: impl Iterator<Item = u64>,
) {
    match nulls {
        None => keys.iter_mut().zip(values).for_each(|(key, value)| key[word] |= value << shift),
        Some(nulls) => {
            for ((key, value), is_valid) in keys.iter_mut().zip(values).zip(nulls) {
                key[word] |= if is_valid { value << shift } else { 0 };
            }
        }
    }
}
