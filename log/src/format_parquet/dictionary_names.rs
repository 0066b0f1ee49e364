//! Whether an enum's column has nothing but its names, as its dictionary tells: a few bytes a row group
//! instead of the whole column.

use std::sync::Arc;

use parquet::basic::Encoding;
use parquet::column::page::{Page, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::serialized_reader::SerializedPageReader;

use crate::field_decoder::{EnumNames, FieldDecoder, ValueFormat};
use crate::open_file::OpenFile;

/// Whether the dictionary of a field's leaf column may tell that no value is rejected, should it be an
/// enum's.
pub(super) fn may_tell(field: &FieldDecoder, chunk: &ColumnChunkMetaData) -> bool {
    let is_enum = matches!(field.value.format, ValueFormat::Enum(_)) && !field.value.rules.has_nulls();
    let is_required = chunk.column_descr().max_def_level() == 0;
    let n_nulls = chunk.statistics().and_then(|statistics| statistics.null_count_opt());
    is_enum && (field.may_be_absent() || is_required || n_nulls == Some(0)) && is_all_codes(chunk)
}

/// Whether every data page is known to have codes of the dictionary instead of values.
fn is_all_codes(chunk: &ColumnChunkMetaData) -> bool {
    let codes = [Encoding::RLE_DICTIONARY, Encoding::PLAIN_DICTIONARY];
    chunk.dictionary_page_offset().is_some()
        && chunk.page_encoding_stats_mask().is_some_and(|mask| codes.iter().any(|code| mask.is_only(*code)))
}

/// Whether all entries of the dictionary of a row group are names of the enum.
///
/// # Errors
/// If the dictionary is not readable.
pub(super) fn are_names(
    file: &OpenFile,
    field: &FieldDecoder,
    group: &RowGroupMetaData,
    leaf: usize,
) -> Result<bool, ParquetError> {
    let (ValueFormat::Enum(names), Some(chunk)) = (&field.value.format, group.columns().get(leaf)) else {
        return Ok(false);
    };
    let n_rows = usize::try_from(group.num_rows())?;
    let mut pages = SerializedPageReader::new(Arc::new(file.clone()), chunk, n_rows, None)?;
    Ok(match pages.get_next_page()? {
        Some(Page::DictionaryPage { buf, num_values, .. }) => all_are_names(&buf, num_values, names),
        _ => false,
    })
}

/// The entries are byte strings, each after its length of four bytes.
fn all_are_names(mut entries: &[u8], n_entries: u32, names: &EnumNames) -> bool {
    (0..n_entries).all(|_| {
        let Some((n_bytes, rest)) = entries.split_first_chunk::<4>() else { return false };
        let n_bytes = usize::try_from(u32::from_le_bytes(*n_bytes)).unwrap_or(usize::MAX);
        let Some((entry, rest)) = rest.split_at_checked(n_bytes) else { return false };
        entries = rest;
        std::str::from_utf8(entry).is_ok_and(|name| names.get(name).is_some())
    })
}
