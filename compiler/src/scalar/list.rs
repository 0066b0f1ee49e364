//! Functions of lists.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array};
use arrow::buffer::BooleanBuffer;
use metricc_ir::Kind;

use super::operand::{Body, Operand, Result, all_present, bools, one, two};
use super::{compare, data_type};

/// Number of elements.
pub(super) fn length() -> Body {
    Arc::new(|args, n_rows| {
        let lists = one(args)?.lists()?;
        let lengths = lists.offsets().lengths().map(|length| length as i64).collect::<Vec<_>>();
        Ok(Arc::new(Int64Array::try_new(lengths.into(), all_present(args, n_rows))?))
    })
}

/// Whether a list has an element equal to a value, where null equals null. False if the list is null.
pub(super) fn contains(element: &Kind) -> Body {
    let element = element.clone();
    Arc::new(move |args, n_rows| {
        let (list, value) = two(args)?;
        let found = if value.is_scalar() && !list.is_scalar() {
            contains_constant(list, value, &element, n_rows)?
        } else {
            contains_value(list, value, &element, n_rows)?
        };
        Ok(bools(match list.nulls(n_rows) {
            None => found,
            Some(nulls) => &found & nulls.inner(),
        }))
    })
}

/// Compares all elements with the value at once, then looks for a match within each list.
fn contains_constant(list: &Operand, value: &Operand, kind: &Kind, n_rows: usize) -> Result<BooleanBuffer> {
    let lists = list.lists()?;
    let offsets = lists.value_offsets();
    let first = offsets.first().map_or(0, |first| *first as usize);
    let end = offsets.last().map_or(0, |end| *end as usize);
    let elements = Operand::column(lists.values().slice(first, end - first));
    let equal = compare::equal(&elements, value, kind, end - first)?;
    Ok(BooleanBuffer::collect_bool(n_rows, |row| {
        let (from, to) = (offsets[row] as usize - first, offsets[row + 1] as usize - first);
        (from..to).any(|index| equal.value(index))
    }))
}

fn contains_value(list: &Operand, value: &Operand, kind: &Kind, n_rows: usize) -> Result<BooleanBuffer> {
    let lists = list.lists()?;
    let offsets = lists.value_offsets();
    let wanted = data_type(kind);
    let elements: ArrayRef = lists.values().clone();
    let (elements, value) = (Operand::column(elements).conformed(&wanted)?, value.conformed(&wanted)?);
    let comparator = compare::comparator(&elements, &value)?;
    Ok(BooleanBuffer::collect_bool(n_rows, |row| {
        let list = list.index(row);
        let mut indices = offsets[list] as usize..offsets[list + 1] as usize;
        indices.any(|index| comparator(index, value.index(row)).is_eq())
    }))
}
