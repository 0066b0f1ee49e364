//! A checkpoint: the log up to a version as one Parquet file, so that earlier commits can be deleted.
//!
//! It has a column for each kind of action and a row for each action, null in the columns of the other kinds.
//! This is the classic format, which every reader supports.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int32Array, Int64Array, ListBuilder, MapBuilder, MapFieldNames, RecordBatch,
    StringArray, StringBuilder, StructArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use arrow::error::ArrowError;

use super::actions::{Action, Add, MetaData, Protocol, Remove, Txn};

/// The actions of a checkpoint as its rows.
pub(super) fn rows(actions: &[Action]) -> Result<RecordBatch, ArrowError> {
    RecordBatch::try_from_iter_with_nullable([
        ("txn", txns(actions)?, true),
        ("add", adds(actions)?, true),
        ("remove", removes(actions)?, true),
        ("metaData", meta_datas(actions)?, true),
        ("protocol", protocols(actions)?, true),
    ])
}

/// The actions of a kind, at their rows.
struct Kind<'a, T> {
    at: Vec<Option<&'a T>>,
}

impl<'a, T> Kind<'a, T> {
    fn of(actions: &'a [Action], pick: impl Fn(&'a Action) -> Option<&'a T>) -> Self {
        Kind { at: actions.iter().map(pick).collect() }
    }

    fn texts(&self, field: impl Fn(&'a T) -> &'a str) -> ArrayRef {
        let values: StringArray = self.at.iter().map(|action| action.map(&field)).collect();
        Arc::new(values)
    }

    fn longs(&self, field: impl Fn(&'a T) -> Option<i64>) -> ArrayRef {
        let values: Int64Array = self.at.iter().map(|action| action.and_then(&field)).collect();
        Arc::new(values)
    }

    fn integers(&self, field: impl Fn(&'a T) -> i32) -> ArrayRef {
        let values: Int32Array = self.at.iter().map(|action| action.map(&field)).collect();
        Arc::new(values)
    }

    fn flags(&self, field: impl Fn(&'a T) -> bool) -> ArrayRef {
        let values: BooleanArray = self.at.iter().map(|action| action.map(&field)).collect();
        Arc::new(values)
    }

    /// Maps of strings; all of them are empty.
    fn maps(&self) -> Result<ArrayRef, ArrowError> {
        let names =
            MapFieldNames { entry: "key_value".to_owned(), key: "key".to_owned(), value: "value".to_owned() };
        let mut maps = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
        for action in &self.at {
            maps.append(action.is_some())?;
        }
        Ok(Arc::new(maps.finish()))
    }

    /// Lists of strings; all of them are empty.
    fn lists(&self) -> ArrayRef {
        let element = Field::new("element", DataType::Utf8, true);
        let mut lists = ListBuilder::new(StringBuilder::new()).with_field(element);
        for action in &self.at {
            lists.append(action.is_some());
        }
        Arc::new(lists.finish())
    }

    /// The fields as one column.
    fn column<const N: usize>(&self, fields: [(&str, ArrayRef); N]) -> Result<ArrayRef, ArrowError> {
        let nulls: NullBuffer = self.at.iter().map(Option::is_some).collect();
        let field = |(name, values): &(&str, ArrayRef)| Field::new(*name, values.data_type().clone(), true);
        let schema: Fields = fields.iter().map(field).collect();
        let values = fields.into_iter().map(|(_, values)| values).collect();
        Ok(Arc::new(StructArray::try_new(schema, values, Some(nulls))?))
    }
}

fn txns(actions: &[Action]) -> Result<ArrayRef, ArrowError> {
    let kind: Kind<'_, Txn> = Kind::of(actions, |action| match action {
        Action::Txn(txn) => Some(txn),
        _ => None,
    });
    kind.column([
        ("appId", kind.texts(|txn| &txn.app_id)),
        ("version", kind.longs(|txn| Some(txn.version))),
        ("lastUpdated", kind.longs(|txn| txn.last_updated)),
    ])
}

fn adds(actions: &[Action]) -> Result<ArrayRef, ArrowError> {
    let kind: Kind<'_, Add> = Kind::of(actions, |action| match action {
        Action::Add(add) => Some(add),
        _ => None,
    });
    kind.column([
        ("path", kind.texts(|add| &add.path)),
        ("partitionValues", kind.maps()?),
        ("size", kind.longs(|add| Some(add.size))),
        ("modificationTime", kind.longs(|add| Some(add.modification_time))),
        ("dataChange", kind.flags(|add| add.data_change)),
        ("stats", kind.texts(|add| &add.stats)),
    ])
}

/// A checkpoint has no removed files, but some readers require the column.
fn removes(actions: &[Action]) -> Result<ArrayRef, ArrowError> {
    let kind: Kind<'_, Remove> = Kind::of(actions, |action| match action {
        Action::Remove(remove) => Some(remove),
        _ => None,
    });
    kind.column([
        ("path", kind.texts(|remove| &remove.path)),
        ("deletionTimestamp", kind.longs(|remove| Some(remove.deletion_timestamp))),
        ("dataChange", kind.flags(|remove| remove.data_change)),
    ])
}

fn meta_datas(actions: &[Action]) -> Result<ArrayRef, ArrowError> {
    let kind: Kind<'_, MetaData> = Kind::of(actions, |action| match action {
        Action::MetaData(meta) => Some(meta),
        _ => None,
    });
    let format =
        kind.column([("provider", kind.texts(|meta| &meta.format.provider)), ("options", kind.maps()?)])?;
    kind.column([
        ("id", kind.texts(|meta| &meta.id)),
        ("format", format),
        ("schemaString", kind.texts(|meta| &meta.schema_string)),
        ("partitionColumns", kind.lists()),
        ("configuration", kind.maps()?),
        ("createdTime", kind.longs(|meta| Some(meta.created_time))),
    ])
}

fn protocols(actions: &[Action]) -> Result<ArrayRef, ArrowError> {
    let kind: Kind<'_, Protocol> = Kind::of(actions, |action| match action {
        Action::Protocol(protocol) => Some(protocol),
        _ => None,
    });
    kind.column([
        ("minReaderVersion", kind.integers(|protocol| protocol.min_reader_version)),
        ("minWriterVersion", kind.integers(|protocol| protocol.min_writer_version)),
    ])
}
