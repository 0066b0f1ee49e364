//! Checkpoints of a Delta table's log: Parquet files with the actions that led to a version.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StructArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{Action, Add, Metadata, Protocol, Remove, Table};
use crate::open_file::OpenFile;

type Failure = Box<dyn Error>;

/// The columns of a checkpoint that tell which files are rows.
const COLUMNS: [&str; 4] = ["add", "remove", "metaData", "protocol"];

/// Applies the actions of a checkpoint.
pub(super) fn read(file: OpenFile, table: &mut Table) -> Result<(), Failure> {
    // The Parquet library may panic on a corrupt file.
    let read = catch_unwind(AssertUnwindSafe(|| read_unguarded(file, table)));
    read.unwrap_or_else(|_| Err("the Parquet reader broke off on its contents".into()))
}

fn read_unguarded(file: OpenFile, table: &mut Table) -> Result<(), Failure> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
    let columns = builder.schema().fields().iter().enumerate();
    let roots: Vec<usize> =
        columns.filter(|(_, field)| COLUMNS.contains(&field.name().as_str())).map(|(root, _)| root).collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    for batch in builder.with_projection(mask).build()? {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            table.apply(Action {
                add: at(&batch, "add", row, add)?,
                remove: at(&batch, "remove", row, remove)?,
                metadata: at(&batch, "metaData", row, metadata)?,
                protocol: at(&batch, "protocol", row, protocol)?,
            });
        }
    }
    Ok(())
}

/// The action of a row, if it is of this kind.
fn at<T>(
    batch: &RecordBatch,
    kind: &str,
    row: usize,
    parse: fn(&StructArray) -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    let Some(column) = batch.column_by_name(kind) else { return Ok(None) };
    let column = column.as_struct_opt().ok_or_else(|| format!("`{kind}` is no record"))?;
    if column.is_null(row) { Ok(None) } else { parse(&column.slice(row, 1)).map(Some) }
}

fn add(action: &StructArray) -> Result<Add, Failure> {
    let vector = action.column_by_name("deletionVector").filter(|vector| vector.is_valid(0));
    Ok(Add {
        path: text(action, "path")?.ok_or("a file without a path")?,
        partition_values: pairs(action, "partitionValues")?,
        size: text(action, "size")?.and_then(|size| size.parse().ok()),
        deletion_vector: vector.map(|_| serde_json::Value::Bool(true)),
    })
}

fn remove(action: &StructArray) -> Result<Remove, Failure> {
    let data_change = text(action, "dataChange")?.is_none_or(|changes| changes != "false");
    Ok(Remove { path: text(action, "path")?.ok_or("a removed file without a path")?, data_change })
}

fn metadata(action: &StructArray) -> Result<Metadata, Failure> {
    Ok(Metadata { configuration: pairs(action, "configuration")? })
}

fn protocol(action: &StructArray) -> Result<Protocol, Failure> {
    let version = text(action, "minReaderVersion")?.and_then(|version| version.parse().ok());
    let features = action.column_by_name("readerFeatures").filter(|features| features.is_valid(0));
    let features = features.map(|features| {
        let names = features.as_list_opt::<i32>().ok_or("`readerFeatures` is no list")?.value(0);
        texts(&names).map(|names| names.into_iter().flatten().collect())
    });
    Ok(Protocol { min_reader_version: version.unwrap_or(0), reader_features: features.transpose()? })
}

fn texts(column: &ArrayRef) -> Result<Vec<Option<String>>, Failure> {
    let column = cast(column, &DataType::Utf8)?;
    let texts = column.as_string_opt::<i32>().ok_or("no text")?;
    Ok(texts.iter().map(|text| text.map(str::to_owned)).collect())
}

fn text(action: &StructArray, name: &str) -> Result<Option<String>, Failure> {
    let Some(column) = action.column_by_name(name) else { return Ok(None) };
    Ok(texts(column)?.into_iter().next().flatten())
}

fn pairs(
    action: &StructArray,
    name: &str,
) -> Result<std::collections::BTreeMap<String, Option<String>>, Failure> {
    let Some(column) = action.column_by_name(name).filter(|column| column.is_valid(0)) else {
        return Ok(Default::default());
    };
    let entries = column.as_map_opt().ok_or_else(|| format!("`{name}` is no map"))?.value(0);
    let (keys, values) = (texts(entries.column(0))?, texts(entries.column(1))?);
    Ok(keys.into_iter().flatten().zip(values).collect())
}
