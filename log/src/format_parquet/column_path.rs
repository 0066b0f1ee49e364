//! Where the values of a field stand in columns: a column, or a path into structs, maps and lists of one.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, MapArray, UInt32Array, make_array};
use arrow::buffer::NullBuffer;
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, Fields};
use arrow::error::ArrowError;
use metricc_ir::{Path, Step};

use crate::decode_value::Problem;
use crate::field_decoder::{FieldDecoder, ValueFormat};

/// Why a path leads to no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Nowhere {
    /// There is no column or struct field of this name; those that there are.
    Missing(String, Vec<String>),
    /// There are several.
    Repeated(String),
    /// The path goes on where there is one value: the number of steps to there, and its type.
    Barred(usize, DataType),
}

/// The column where a path begins, and the type of the values at its end.
pub(crate) fn type_at<'a>(columns: &'a Fields, path: &Path) -> Result<(usize, &'a DataType), Nowhere> {
    let [Step::Name(name), steps @ ..] = path.steps() else {
        return Err(Nowhere::Missing(String::new(), Vec::new()));
    };
    let (root, column) = child(columns, name)?;
    match type_below(column.data_type(), steps) {
        Ok(found) => Ok((root, found)),
        Err(Nowhere::Barred(n_steps, found)) => Err(Nowhere::Barred(n_steps + 1, found)),
        Err(nowhere) => Err(nowhere),
    }
}

/// The type of the values after some steps into a column.
pub(crate) fn type_below<'a>(column: &'a DataType, steps: &[Step]) -> Result<&'a DataType, Nowhere> {
    let mut found = column;
    for (place, step) in steps.iter().enumerate() {
        let next = match (step, found) {
            (Step::Name(name), DataType::Struct(fields)) => Some(child(fields, name)?.1.data_type()),
            (Step::Name(_), DataType::Map(entries, _)) => match entries.data_type() {
                DataType::Struct(pair) if pair.len() == 2 && is_text(pair[0].data_type()) => {
                    Some(pair[1].data_type())
                }
                _ => None,
            },
            (Step::Index(_), list) => item(list).map(|item| item.data_type()),
            _ => None,
        };
        found = next.ok_or_else(|| Nowhere::Barred(place, found.clone()))?;
    }
    Ok(found)
}

fn is_text(found: &DataType) -> bool {
    match found {
        DataType::Dictionary(_, values) => is_text(values),
        found => matches!(found, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View),
    }
}

/// The elements of a list.
pub(crate) fn item(list: &DataType) -> Option<&Arc<Field>> {
    match list {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => Some(item),
        _ => None,
    }
}

/// The one field of that name.
fn child<'a>(fields: &'a Fields, name: &str) -> Result<(usize, &'a Arc<Field>), Nowhere> {
    let mut found = fields.iter().enumerate().filter(|(_, field)| field.name() == name);
    match (found.next(), found.next()) {
        (Some(found), None) => Ok(found),
        (None, _) => {
            Err(Nowhere::Missing(name.to_owned(), fields.iter().map(|field| field.name().clone()).collect()))
        }
        (Some(_), Some(_)) => Err(Nowhere::Repeated(name.to_owned())),
    }
}

/// The steps of a path up to a number, as the language writes them.
pub(crate) fn start_of(path: &Path, n_steps: usize) -> String {
    Path::new(path.steps().iter().take(n_steps).cloned().collect()).to_string()
}

/// Values found by a path, and the rows where it was not clear.
pub(crate) struct Followed {
    pub(crate) array: ArrayRef,
    pub(crate) rejects: Vec<(usize, Problem)>,
    /// Whether a row has it, be it with null: a map may not have the key.
    pub(crate) seen: bool,
}

/// Follows steps into a column; null where something on the way is.
pub(crate) fn follow(column: &ArrayRef, steps: &[Step]) -> Result<Followed, ArrowError> {
    let (mut array, mut rejects, mut seen) = (Arc::clone(column), Vec::new(), true);
    for step in steps {
        array = match (step, array.data_type()) {
            (Step::Name(name), DataType::Struct(_)) => {
                let records = array.as_struct();
                let found = records.column_by_name(name).ok_or_else(|| no_step(step, &array))?;
                masked(found, records.nulls())?
            }
            (Step::Name(name), DataType::Map(..)) => of_key(array.as_map(), name, &mut rejects, &mut seen)?,
            (Step::Index(index), _) => {
                let lists = plain(&array)?;
                element(&lists, *index).ok_or_else(|| no_step(step, &array))??
            }
            _ => return Err(no_step(step, &array)),
        };
    }
    Ok(Followed { array, rejects, seen })
}

/// The array without dictionaries and without the larger layouts.
pub(super) fn plain(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let list = |item: &Arc<Field>| DataType::List(Arc::clone(item));
    match array.data_type() {
        DataType::Dictionary(_, inner) => plain(&cast(array, inner)?),
        DataType::Utf8 | DataType::LargeUtf8 => cast(array, &DataType::Utf8View),
        DataType::Binary | DataType::LargeBinary => cast(array, &DataType::BinaryView),
        DataType::FixedSizeBinary(_) => cast(&cast(array, &DataType::Binary)?, &DataType::BinaryView),
        DataType::LargeList(item) | DataType::FixedSizeList(item, _) => cast(array, &list(item)),
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            cast(array, &DataType::Decimal128(*precision, *scale))
        }
        _ => Ok(Arc::clone(array)),
    }
}

fn no_step(step: &Step, array: &ArrayRef) -> ArrowError {
    ArrowError::SchemaError(format!("no {step:?} in a column of `{}`", array.data_type()))
}

/// The array with further nulls.
pub(crate) fn masked(array: &ArrayRef, nulls: Option<&NullBuffer>) -> Result<ArrayRef, ArrowError> {
    let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0) else { return Ok(Arc::clone(array)) };
    if *array.data_type() == DataType::Null {
        return Ok(Arc::clone(array));
    }
    let nulls = NullBuffer::union(array.nulls(), Some(nulls));
    Ok(make_array(array.to_data().into_builder().nulls(nulls).build()?))
}

/// The value of a key in each map; null where the map does not have it.
fn of_key(
    maps: &MapArray,
    name: &str,
    rejects: &mut Vec<(usize, Problem)>,
    seen: &mut bool,
) -> Result<ArrayRef, ArrowError> {
    let keys = cast(maps.keys(), &DataType::Utf8View)?;
    let keys = keys.as_string_view();
    let offsets = maps.value_offsets();
    let places = (0..maps.len()).map(|row| {
        let entries = usize::try_from(offsets[row]).ok()?..usize::try_from(offsets[row + 1]).ok()?;
        let mut found =
            entries.filter(|&entry| maps.is_valid(row) && keys.is_valid(entry) && keys.value(entry) == name);
        let first = found.next();
        if found.next().is_some() {
            rejects.push((row, Problem::new("a key occurs twice", name)));
        }
        first.and_then(|entry| u32::try_from(entry).ok())
    });
    let places: UInt32Array = places.collect();
    *seen &= places.null_count() < places.len();
    take(maps.values(), &places, None)
}

/// The different texts of a column.
pub(crate) fn texts(column: &ArrayRef) -> Result<BTreeSet<String>, ArrowError> {
    let texts = cast(column, &DataType::Utf8View)?;
    Ok(texts.as_string_view().iter().flatten().map(str::to_owned).collect())
}

/// The element of each list at an index; null where the list is shorter. `None` if there are no lists.
fn element(lists: &ArrayRef, index: u32) -> Option<Result<ArrayRef, ArrowError>> {
    let lists = lists.as_list_opt::<i32>()?;
    let offsets = lists.value_offsets();
    let place = |row: usize| {
        let place = u32::try_from(offsets[row]).ok()?.checked_add(index)?;
        (lists.is_valid(row) && i64::from(place) < i64::from(offsets[row + 1])).then_some(place)
    };
    let places: UInt32Array = (0..lists.len()).map(place).collect();
    Some(take(lists.values(), &places, None))
}

/// The leaf columns of Parquet that a field is read from; `first` is the first one of the column.
pub(super) fn leaves(column: &DataType, first: usize, field: &FieldDecoder) -> Vec<usize> {
    let mut found = Vec::new();
    let steps = field.path.steps().get(1..).unwrap_or_default();
    add_leaves(column, first, steps, &field.value.format, &mut found);
    found.sort_unstable();
    found.dedup();
    found
}

fn add_leaves(column: &DataType, first: usize, steps: &[Step], format: &ValueFormat, found: &mut Vec<usize>) {
    let whole = first..first + n_leaves(column);
    match (steps, format, column) {
        ([Step::Name(name), rest @ ..], _, DataType::Struct(fields)) => {
            if let Ok((place, field)) = child(fields, name) {
                let before =
                    fields.iter().take(place).map(|field| n_leaves(field.data_type())).sum::<usize>();
                add_leaves(field.data_type(), first + before, rest, format, found);
            }
        }
        ([Step::Index(_), rest @ ..], _, list) if item(list).is_some() => {
            let item = item(list).map_or(&DataType::Null, |item| item.data_type());
            add_leaves(item, first, rest, format, found);
        }
        ([], ValueFormat::List(element), list) if item(list).is_some() => {
            let item = item(list).map_or(&DataType::Null, |item| item.data_type());
            add_leaves(item, first, &[], &element.format, found);
        }
        ([], ValueFormat::Record(parts), DataType::Struct(_)) => {
            let n_before = found.len();
            for part in parts {
                add_leaves(column, first, part.path.steps(), &part.value.format, found);
            }
            if found.len() == n_before {
                // Any leaf tells which records there are.
                found.push(first);
            }
        }
        // Which entry of a map is meant, only its keys tell.
        _ => found.extend(whole),
    }
}

/// How many leaf columns of Parquet a column has.
pub(super) fn n_leaves(column: &DataType) -> usize {
    match column {
        DataType::Struct(fields) => fields.iter().map(|field| n_leaves(field.data_type())).sum(),
        DataType::Map(entries, _) => n_leaves(entries.data_type()),
        column => item(column).map_or(1, |item| n_leaves(item.data_type())),
    }
}
