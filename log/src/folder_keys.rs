//! The keys of Hive-style folders: `country=DE/day=2026-01-01/part-0.parquet`. Spark, Athena, DuckDB and
//! others write a column by which they divide a table into the names of folders, and leave it out of the
//! files.
//!
//! The value of such a key is that of the field of this name in every record of the file that has none: what
//! the file itself says goes first.

use std::path::{Component, Path};
use std::sync::Arc;

use metricc_ir::{Kind, Value};

use crate::LogError;
use crate::column_builder::Scalar;
use crate::decode_value::{Decoded, NOT_FINITE, Raw, scalar};
use crate::field_decoder::FieldDecoder;
use crate::record_decoder::{RecordDecoder, SharedDecoder};

/// What Hive writes for none.
const NONE: &str = "__HIVE_DEFAULT_PARTITION__";

/// A key, and its value; `None` is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FolderKey {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
}

impl FolderKey {
    fn parse(folder: &str) -> Option<Self> {
        let (name, value) = folder.split_once('=').filter(|(name, _)| !name.is_empty())?;
        // What is no text when it is decoded stays as it is written: as none, it would be in a group that
        // means nothing.
        let decoded = |text: &str| percent_decoded(text).unwrap_or_else(|| text.to_owned());
        let (name, value) = (decoded(name), decoded(value));
        Some(FolderKey { name, value: (value != NONE).then_some(value) })
    }
}

/// The keys of the folders of a path, the outermost first.
pub(crate) fn of_path(path: &Path) -> Vec<FolderKey> {
    let folders = path.parent().into_iter().flat_map(Path::components);
    let names = folders.filter_map(|folder| match folder {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    names.filter_map(FolderKey::parse).collect()
}

/// A text without its `%20`; `None` if that is no text.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

/// The decoder of the records of a file: those that do not have a field of the keys have its value.
///
/// # Errors
/// [`LogError::FolderKey`] if a value is not one of the field.
pub(crate) fn decoder(
    decoder: &SharedDecoder,
    keys: &[FolderKey],
    path: &str,
) -> Result<SharedDecoder, LogError> {
    let index = |key: &FolderKey| decoder.fields.iter().position(|field| field.path.header() == key.name);
    let found: Vec<(usize, &FolderKey)> =
        keys.iter().filter_map(|key| index(key).map(|index| (index, key))).collect();
    if found.is_empty() {
        return Ok(SharedDecoder::clone(decoder));
    }
    let mut own = RecordDecoder::clone(decoder);
    for (index, key) in found {
        let field = &mut own.fields[index];
        let value = value_of(field, key).map_err(|problem| LogError::FolderKey {
            path: path.to_owned(),
            key: key.name.clone(),
            value: key.value.clone().unwrap_or_else(|| NONE.to_owned()),
            problem,
        })?;
        field.default = value.or(field.default.take());
        field.is_in_folder = true;
    }
    own.count_defaults();
    Ok(Arc::new(own))
}

fn value_of(field: &FieldDecoder, key: &FolderKey) -> Result<Option<Value>, String> {
    let Some(text) = &key.value else {
        let problem = format!("it says none, and `{}` is not optional", field.value.ty);
        return if field.may_be_absent() { Ok(None) } else { Err(problem) };
    };
    let scalar = match scalar(Raw::Cell(text), &field.value).map_err(|problem| problem.text.into_owned())? {
        Decoded::Value(scalar) => scalar,
        Decoded::Absent if field.may_be_absent() => return Ok(None),
        Decoded::Absent => return Err(format!("it says none, and `{}` is not optional", field.value.ty)),
        Decoded::NotFinite => return Err(NOT_FINITE.to_owned()),
    };
    let kind = &field.value.ty.kind;
    let value = match (scalar, kind) {
        (Scalar::Bool(value), _) => Value::Bool(value),
        (Scalar::Long(value), Kind::Timestamp) => Value::Timestamp(value),
        (Scalar::Long(value), Kind::Duration) => Value::Duration(value),
        (Scalar::Long(value), _) => Value::Int(value),
        (Scalar::Short(value), Kind::Date) => Value::Date(value),
        (Scalar::Short(value), _) => Value::Enum(u32::try_from(value).unwrap_or(u32::MAX)),
        (Scalar::Wide(value), _) => Value::Decimal(value),
        (Scalar::Float(value), _) => Value::Float(value),
        (Scalar::Text(text), _) => Value::String(text.to_owned()),
    };
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(path: &str) -> Vec<(String, Option<String>)> {
        of_path(Path::new(path)).into_iter().map(|key| (key.name, key.value)).collect()
    }

    #[test]
    fn keys_are_read_from_folders_and_not_from_the_file() {
        let key = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
        assert_eq!(
            keys("/data/country=DE/day=2026-01-01/a=b.csv"),
            [key("country", Some("DE")), key("day", Some("2026-01-01"))]
        );
        assert_eq!(keys("c=New%20York%2Fx/a.csv"), [key("c", Some("New York/x"))]);
        assert_eq!(keys("c=__HIVE_DEFAULT_PARTITION__/d=/a.csv"), [key("c", None), key("d", Some(""))]);
        assert_eq!(keys("c=a=b/=x/plain/a.csv"), [key("c", Some("a=b"))]);
        assert_eq!(keys("c=100%/a.csv"), [key("c", Some("100%"))]);
        // Two such folders are two groups, and none of them is lost.
        assert_eq!(keys("c=%ff/c=%E9/a.csv"), [key("c", Some("%ff")), key("c", Some("%E9"))]);
    }
}
