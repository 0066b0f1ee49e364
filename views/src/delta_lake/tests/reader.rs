//! A reader that knows only the protocol: it starts at the last checkpoint and replays the commits after it.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StructArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{Int32Type, Int64Type};
use bytes::Bytes;
use object_store::memory::InMemory;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use super::super::*;

/// The root of a table in memory.
pub(super) const ROOT: &str = "payments/tables/revenue";

/// What a reader sees of a table, beside the rows.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Seen {
    pub(super) version: u64,
    pub(super) id: String,
    pub(super) schema: Value,
    pub(super) apps: BTreeMap<String, i64>,
    pub(super) paths: BTreeSet<String>,
}

impl Seen {
    fn line(&mut self, line: &Value) {
        if let Some(meta) = line.get("metaData") {
            self.id = meta["id"].as_str().unwrap().to_owned();
            self.schema = serde_json::from_str(meta["schemaString"].as_str().unwrap()).unwrap();
        } else if let Some(txn) = line.get("txn") {
            self.apps.insert(txn["appId"].as_str().unwrap().to_owned(), txn["version"].as_i64().unwrap());
        } else if let Some(add) = line.get("add") {
            assert!(self.paths.insert(add["path"].as_str().unwrap().to_owned()));
        } else if let Some(remove) = line.get("remove") {
            assert!(self.paths.remove(remove["path"].as_str().unwrap()));
        }
    }

    fn checkpoint(&mut self, rows: &RecordBatch) {
        let column = |name: &str| rows.column_by_name(name).unwrap().as_struct();
        let [txn, add, meta, protocol] = ["txn", "add", "metaData", "protocol"].map(column);
        let text = |of: &StructArray, name: &str, row: usize| {
            of.column_by_name(name).unwrap().as_string::<i32>().value(row).to_owned()
        };
        let count = |name: &str| rows.num_rows() - rows.column_by_name(name).unwrap().null_count();
        assert_eq!([count("metaData"), count("protocol"), count("remove")], [1, 1, 0]);
        for row in 0..rows.num_rows() {
            if meta.is_valid(row) {
                self.id = text(meta, "id", row);
                self.schema = serde_json::from_str(&text(meta, "schemaString", row)).unwrap();
            } else if txn.is_valid(row) {
                let version = txn.column_by_name("version").unwrap().as_primitive::<Int64Type>().value(row);
                self.apps.insert(text(txn, "appId", row), version);
            } else if add.is_valid(row) {
                assert!(self.paths.insert(text(add, "path", row)));
            } else {
                let column = protocol.column_by_name("minReaderVersion").unwrap();
                assert_eq!(column.as_primitive::<Int32Type>().value(row), 1);
            }
        }
    }
}

pub(super) fn table() -> Table {
    Table::new(Arc::new(InMemory::new()), Path::from(ROOT))
}

pub(super) fn stamp(app: &str, version: u64) -> TableStamp {
    let info = BTreeMap::from([("frontier".to_owned(), version.to_string())]);
    TableStamp { app: app.to_owned(), version, info }
}

pub(super) fn batch(name: &str, column: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([(name, column, true)]).unwrap()
}

pub(super) fn totals(values: &[i64]) -> RecordBatch {
    batch("total", Arc::new(Int64Array::from(values.to_vec())))
}

/// A file below the root of a table.
pub(super) async fn file(table: &Table, name: &str) -> Option<Bytes> {
    match table.store.get(&Path::from(format!("{}/{name}", table.root))).await {
        Ok(found) => Some(found.bytes().await.unwrap()),
        Err(object_store::Error::NotFound { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

fn from_parquet(bytes: Bytes) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
    let schema = reader.schema().clone();
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(|batch| batch.unwrap()).collect();
    concat_batches(&schema, &batches).unwrap()
}

pub(super) async fn lines(table: &Table, version: u64) -> Option<Vec<Value>> {
    let bytes = file(table, &format!("_delta_log/{version:020}.json")).await?;
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

pub(super) async fn seen(table: &Table) -> Seen {
    let (mut seen, mut next) = (Seen::default(), 0);
    if let Some(last) = file(table, "_delta_log/_last_checkpoint").await {
        let last: Value = serde_json::from_slice(&last).unwrap();
        seen.version = last["version"].as_u64().unwrap();
        let name = format!("_delta_log/{:020}.checkpoint.parquet", seen.version);
        let rows = from_parquet(file(table, &name).await.unwrap());
        assert_eq!(last["size"].as_u64(), Some(rows.num_rows() as u64));
        seen.checkpoint(&rows);
        next = seen.version + 1;
    }
    while let Some(lines) = lines(table, next).await {
        lines.iter().for_each(|line| seen.line(line));
        seen.version = next;
        next += 1;
    }
    seen
}

/// The rows of a table of one file.
pub(super) async fn rows(table: &Table) -> RecordBatch {
    let seen = seen(table).await;
    assert_eq!(seen.paths.len(), 1);
    from_parquet(file(table, seen.paths.first().unwrap()).await.unwrap())
}

/// The rows of [`totals`].
pub(super) async fn values(table: &Table) -> Vec<i64> {
    rows(table).await.column(0).as_primitive::<Int64Type>().values().to_vec()
}

/// What kinds of lines a commit has.
pub(super) async fn kinds(table: &Table, version: u64) -> Vec<String> {
    let lines = lines(table, version).await.unwrap();
    lines.iter().flat_map(|line| line.as_object().unwrap().keys().cloned()).collect()
}

/// All files, below the root, those of data without their checksums.
pub(super) async fn names(table: &Table) -> BTreeSet<String> {
    let found: Vec<_> = table.store.list(None).try_collect().await.unwrap();
    let root = format!("{}/", table.root);
    let name = |path: String| {
        let name = path.strip_prefix(&root).unwrap();
        if name.starts_with("part-") { name[..25].to_owned() } else { name.to_owned() }
    };
    found.into_iter().map(|meta| name(meta.location.into())).collect()
}
