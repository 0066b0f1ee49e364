//! Functions of texts: by bytes where only equality matters, by Unicode characters where parts are cut out,
//! never by locale.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayBuilder, ArrayRef, BooleanArray, Int64Array, ListBuilder, StringArray, StringViewArray,
    StringViewBuilder,
};
use arrow::buffer::{BooleanBuffer, OffsetBuffer};
use arrow::compute::kernels::comparison;
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type};
use arrow::error::ArrowError;
use metricc_ir::{Func, Kind};
use regex::Regex;

use super::operand::{Body, Operand, Result, all_present, bools, one, plain, two};
use crate::CompileError;

/// Arrow's texts of one array have at most this many bytes together.
const MAX_BYTES: usize = i32::MAX as usize;

/// The kernel for a function of texts, or of the names of an enum. `None` if it is not defined on these
/// kinds.
pub(super) fn body(
    func: &Func,
    kinds: &[Kind],
    result: &Kind,
) -> std::result::Result<Option<Body>, CompileError> {
    Ok(match (func, kinds, result) {
        (Func::Lower, [Kind::String], Kind::String) => {
            Some(change_case(str::make_ascii_lowercase, str::to_lowercase))
        }
        (Func::Upper, [Kind::String], Kind::String) => {
            Some(change_case(str::make_ascii_uppercase, str::to_uppercase))
        }
        (Func::Trim, [Kind::String], Kind::String) => Some(Arc::new(|args, n_rows| {
            let texts = one(args)?.strings()?;
            build(args, n_rows, |row, out| out.append(texts.value(row).trim()))
        })),
        (Func::StartsWith, [Kind::String, Kind::String], Kind::Bool) => Some(Arc::new(|args, _| {
            let (text, start) = two(args)?;
            Ok(Arc::new(comparison::starts_with(text, start)?))
        })),
        (Func::EndsWith, [Kind::String, Kind::String], Kind::Bool) => Some(Arc::new(|args, _| {
            let (text, end) = two(args)?;
            Ok(Arc::new(comparison::ends_with(text, end)?))
        })),
        (Func::Matches(pattern), [Kind::String], Kind::Bool) => Some(matches(pattern)?),
        (Func::Substr, [Kind::String, Kind::Int, Kind::Int], Kind::String) => Some(substr()),
        (Func::Split, [Kind::String, Kind::String], Kind::List(element)) if element.kind == Kind::String => {
            Some(split(element.optional))
        }
        (Func::Concat, [_, ..], Kind::String) if kinds.iter().all(|kind| *kind == Kind::String) => {
            Some(concat())
        }
        (Func::Text, [Kind::Enum(names)], Kind::String) => Some(enum_text(names.clone())),
        _ => None,
    })
}

/// Whether one text is in another, byte by byte; false where one is null.
pub(super) fn contains() -> Body {
    Arc::new(|args, _| {
        let (text, part) = two(args)?;
        Ok(bools(plain(&comparison::contains(text, part)?)))
    })
}

/// Length in characters.
pub(super) fn length() -> Body {
    Arc::new(|args, n_rows| {
        let texts = one(args)?.strings()?;
        let lengths = (0..n_rows).map(|row| texts.value(row).chars().count() as i64).collect::<Vec<_>>();
        Ok(Arc::new(Int64Array::try_new(lengths.into(), all_present(args, n_rows))?))
    })
}

/// Changes an ASCII text byte by byte in the output; any other text is converted as a whole.
fn change_case(of_ascii: fn(&mut str), of_text: fn(&str) -> String) -> Body {
    Arc::new(move |args, n_rows| {
        let texts = one(args)?.strings()?;
        build(args, n_rows, |row, out| match texts.value(row) {
            text if text.is_ascii() => {
                out.append(text)?;
                of_ascii(out.last(text.len()));
                Ok(())
            }
            text => out.append(&of_text(text)),
        })
    })
}

fn matches(pattern: &str) -> std::result::Result<Body, CompileError> {
    let regex = Regex::new(pattern).map_err(|error| CompileError::engine("function `matches`", error))?;
    Ok(Arc::new(move |args, n_rows| {
        let texts = one(args)?.strings()?;
        let found = BooleanBuffer::collect_bool(n_rows, |row| regex.is_match(texts.value(row)));
        Ok(Arc::new(BooleanArray::new(found, all_present(args, n_rows))))
    }))
}

fn substr() -> Body {
    Arc::new(|args, n_rows| {
        let [text, start, length] = args else {
            return Err(ArrowError::InvalidArgumentError("`substr` takes three arguments".into()));
        };
        let (texts, starts, lengths) =
            (text.strings()?, start.primitive::<Int64Type>()?, length.primitive::<Int64Type>()?);
        build(args, n_rows, |row, out| {
            out.append(substring(texts.value(row), starts.value(row), lengths.value(row)))
        })
    })
}

/// `length` characters from the one at `start` on; both are clamped to the text.
fn substring(text: &str, start: i64, length: i64) -> &str {
    let clamped = |count: i64| usize::try_from(count.max(0)).unwrap_or(usize::MAX);
    let (start, length) = (clamped(start), clamped(length));
    if text.is_ascii() {
        let start = start.min(text.len());
        return &text[start..start.saturating_add(length).min(text.len())];
    }
    let mut boundaries = text.char_indices().map(|(place, _)| place);
    let from = boundaries.nth(start).unwrap_or(text.len());
    let to = match length {
        0 => from,
        _ => boundaries.nth(length - 1).unwrap_or(text.len()),
    };
    &text[from..to]
}

/// The parts of a text between occurrences of the separator, from left to right; of the empty text
/// one empty part.
fn split(optional: bool) -> Body {
    Arc::new(move |args, n_rows| {
        let (text, separator) = two(args)?;
        let (texts, separators) = (text.strings()?, separator.strings()?);
        let nulls = all_present(args, n_rows);
        let mut lists = ListBuilder::with_capacity(StringViewBuilder::new(), n_rows)
            .with_field(Field::new_list_field(DataType::Utf8View, optional));
        for row in 0..n_rows {
            let is_present = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
            if is_present {
                let (text, separator) = (texts.value(row), separators.value(row));
                let parts = lists.values();
                check_room(parts.len(), text.len() + 1)?;
                if separator.is_empty() {
                    parts.append_value(text);
                } else {
                    text.split(separator).for_each(|part| parts.append_value(part));
                }
            }
            lists.append(is_present);
        }
        Ok(Arc::new(lists.finish()))
    })
}

fn concat() -> Body {
    Arc::new(|args, n_rows| {
        let texts = args.iter().map(Operand::strings).collect::<Result<Vec<_>>>()?;
        build(args, n_rows, |row, out| texts.iter().try_for_each(|text| out.append(text.value(row))))
    })
}

/// The name of an enum's value; null for an index that the enum does not have.
fn enum_text(names: Arc<[String]>) -> Body {
    Arc::new(move |args, n_rows| {
        let places = one(args)?.primitive::<Int32Type>()?;
        let nulls = all_present(args, n_rows);
        let mut out = StringViewBuilder::with_capacity(n_rows);
        for row in 0..n_rows {
            let is_present = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
            let place = usize::try_from(places.value(row)).ok().filter(|_| is_present);
            match place.and_then(|place| names.get(place)) {
                Some(name) => out.append_value(name),
                None => out.append_null(),
            }
        }
        Ok(Arc::new(out.finish()))
    })
}

/// One text under construction, at the end of those of the rows before it.
struct Text<'a> {
    bytes: &'a mut String,
}

impl Text<'_> {
    fn append(&mut self, text: &str) -> Result<()> {
        check_room(self.bytes.len(), text.len())?;
        self.bytes.push_str(text);
        Ok(())
    }

    /// The last bytes that were appended; they start a character.
    fn last(&mut self, n_bytes: usize) -> &mut str {
        let start = self.bytes.len() - n_bytes;
        &mut self.bytes[start..]
    }
}

/// Texts row by row; null where an argument is null.
fn build(
    args: &[Operand],
    n_rows: usize,
    mut append: impl FnMut(usize, &mut Text<'_>) -> Result<()>,
) -> Result<ArrayRef> {
    let nulls = all_present(args, n_rows);
    let mut bytes = String::with_capacity(args.first().map_or(0, |arg| arg.array().len() * 16));
    let mut offsets = Vec::with_capacity(n_rows + 1);
    offsets.push(0);
    for row in 0..n_rows {
        if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
            append(row, &mut Text { bytes: &mut bytes })?;
        }
        offsets.push(bytes.len() as i32);
    }
    let offsets = OffsetBuffer::new(offsets.into());
    let texts = StringArray::try_new(offsets, bytes.into_bytes().into(), nulls)?;
    Ok(Arc::new(StringViewArray::from(&texts)))
}

/// Whether this many more bytes fit one array: the one limit of a batch and not of a row.
fn check_room(n_bytes: usize, n_more: usize) -> Result<()> {
    if n_bytes.saturating_add(n_more) <= MAX_BYTES {
        return Ok(());
    }
    Err(ArrowError::ComputeError("the texts of one batch are larger than 2 GiB together".into()))
}
