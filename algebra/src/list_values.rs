//! Lists of plain values: as arguments, and presented.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field};

use crate::Checked;
use crate::argument_column::Column;
use crate::scalar::Scalar;
use crate::values::{Value, Values};

/// A column of lists of values of a plain type.
#[derive(Debug)]
pub(crate) struct Lists {
    lists: ListArray,
    elements: Values,
}

/// One list: its elements that are there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListValue<'a> {
    column: &'a Lists,
    row: usize,
}

impl<'a> ListValue<'a> {
    /// The elements that are there.
    pub(crate) fn values(self) -> impl Iterator<Item = Value<'a>> {
        let offsets = self.column.lists.value_offsets();
        let elements = &self.column.elements;
        (offsets[self.row] as usize..offsets[self.row + 1] as usize)
            .filter(|element| elements.array().is_valid(*element))
            .map(|row| elements.item(row))
    }
}

impl Column for Lists {
    type Item<'a> = ListValue<'a>;

    fn open(args: &[ArrayRef]) -> Option<Self> {
        let lists = args.first()?.as_list_opt::<i32>()?.clone();
        let elements = Values::of(lists.values())?;
        Some(Lists { lists, elements })
    }
    fn items(&self) -> impl Iterator<Item = ListValue<'_>> {
        (0..self.lists.len()).map(|row| ListValue { column: self, row })
    }
    fn item(&self, row: usize) -> ListValue<'_> {
        ListValue { column: self, row }
    }
    fn nulls(&self) -> Option<NullBuffer> {
        self.lists.nulls().cloned()
    }
    fn is_proper(&self, _selected: Option<&BooleanBuffer>) -> bool {
        match &self.elements {
            Values::Float(column) => column.iter().flatten().all(|value| value.is_proper()),
            _ => true,
        }
    }
}

/// A column of lists from the number of elements of each, and all of them in a row; none of them is null.
pub(crate) fn lists_of(lengths: &[usize], elements: ArrayRef) -> Checked<ArrayRef> {
    const TOO_LONG: &str = "the lists to present at once have more than 2^31 elements";
    if i32::try_from(elements.len()).is_err() {
        return Err(TOO_LONG);
    }
    let offsets = OffsetBuffer::<i32>::from_lengths(lengths.iter().copied());
    let lists = ListArray::try_new(element_field(elements.data_type()), offsets, elements, None);
    lists.map(|lists| Arc::new(lists) as ArrayRef).map_err(|_| TOO_LONG)
}

/// The field of the elements of a presented list, which are always there.
pub(crate) fn element_field(element: &DataType) -> Arc<Field> {
    Arc::new(Field::new("item", element.clone(), false))
}
