//! Reading the logs of Delta tables.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Int32Array, MapBuilder, RecordBatch, StringArray, StringBuilder, StructArray,
};
use arrow::datatypes::{DataType, Field};
use parquet::arrow::ArrowWriter;

use super::*;

const PROTOCOL: &str = r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#;

/// A table, and how it is read.
struct TestTable(tempfile::TempDir, FileOptions);

impl TestTable {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(DELTA_LOG)).unwrap();
        TestTable(folder, FileOptions { snapshot: true, ..FileOptions::default() })
    }

    fn commit(&self, version: u64, actions: &[&str]) {
        let path = self.0.path().join(format!("{DELTA_LOG}/{version:020}.json"));
        fs::write(path, actions.join("\n")).unwrap();
    }

    /// A checkpoint with files of one partition value each.
    fn checkpoint(&self, name: &str, paths: &[&str]) {
        let mut values = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        for _ in paths {
            values.keys().append_value("day");
            values.values().append_value("2026-01-01");
            values.append(true).unwrap();
        }
        let paths: ArrayRef = Arc::new(StringArray::from(paths.to_vec()));
        let values: ArrayRef = Arc::new(values.finish());
        let add = StructArray::from(vec![
            (Arc::new(Field::new("path", DataType::Utf8, true)), paths),
            (Arc::new(Field::new("partitionValues", values.data_type().clone(), true)), values),
        ]);
        let versions: ArrayRef = Arc::new(Int32Array::from(vec![1; Array::len(&add)]));
        let version = Arc::new(Field::new("minReaderVersion", DataType::Int32, true));
        let protocol = StructArray::from(vec![(version, versions)]);
        let columns: [(&str, ArrayRef); 2] = [("add", Arc::new(add)), ("protocol", Arc::new(protocol))];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let file = File::create(self.0.path().join(DELTA_LOG).join(name)).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }

    fn files(&self) -> Result<Vec<String>, String> {
        let files = active_files(Lake::Delta, self.0.path(), &self.1).map_err(|error| error.to_string())?;
        Ok(files.into_iter().map(|file| file.path).collect())
    }
}

fn add(path: &str) -> String {
    format!(r#"{{"add":{{"path":"{path}","partitionValues":{{}},"size":1,"dataChange":true}}}}"#)
}

fn remove(path: &str) -> String {
    format!(r#"{{"remove":{{"path":"{path}","deletionTimestamp":0}}}}"#)
}

#[test]
fn commits_add_and_remove_files() {
    let table = TestTable::new();
    table.commit(0, &[PROTOCOL, &add("a.parquet"), &add("b%20c.parquet")]);
    assert_eq!(table.files().unwrap(), ["a.parquet", "b c.parquet"]);
    table.commit(1, &[&remove("a.parquet"), &add("d.parquet")]);
    assert_eq!(table.files().unwrap(), ["b c.parquet", "d.parquet"]);
}

#[test]
fn a_version_is_a_frontier_of_a_table_that_only_grows() {
    let mut table = TestTable::new();
    table.1.snapshot = false;
    table.commit(0, &[PROTOCOL, &add("a.parquet")]);
    table.commit(1, &[&add("b.parquet")]);
    // Another file has the same rows.
    let compacted = r#"{"remove":{"path":"a.parquet","dataChange":false}}"#;
    table.commit(2, &[compacted, &add("c.parquet")]);
    assert_eq!(table.files().unwrap(), ["b.parquet", "c.parquet"]);
    table.commit(3, &[&remove("b.parquet")]);
    let error = table.files().unwrap_err();
    assert!(error.contains("`b.parquet`") && error.contains("`snapshot=true`"), "{error}");
    for (version, files) in
        [(0, &["a.parquet"][..]), (1, &["a.parquet", "b.parquet"]), (2, &["b.parquet", "c.parquet"])]
    {
        table.1.version = Some(version);
        assert_eq!(table.files().unwrap(), files);
    }
    table.1.version = Some(4);
    assert!(table.files().unwrap_err().contains("no version 4: 3 is its last one"));
    (table.1.version, table.1.snapshot) = (None, true);
    assert_eq!(table.files().unwrap(), ["c.parquet"]);
}

#[test]
fn commits_go_on_from_the_newest_whole_checkpoint() {
    let table = TestTable::new();
    table.checkpoint("00000000000000000007.checkpoint.parquet", &["a.parquet", "b.parquet"]);
    assert_eq!(table.files().unwrap(), ["a.parquet", "b.parquet"]);
    let files = active_files(Lake::Delta, table.0.path(), &table.1).unwrap();
    let day = FolderKey { name: "day".into(), value: Some("2026-01-01".into()) };
    assert_eq!(files[0].keys, [day]);
    // Commits that the checkpoint holds may be there still.
    table.commit(7, &[&add("z.parquet")]);
    table.commit(8, &[&remove("a.parquet"), &add("c.parquet")]);
    assert_eq!(table.files().unwrap(), ["b.parquet", "c.parquet"]);
    let part = |part: u64| format!("00000000000000000009.checkpoint.{part:010}.0000000002.parquet");
    table.commit(9, &[&add("d.parquet")]);
    table.checkpoint(&part(2), &["f.parquet"]);
    assert_eq!(table.files().unwrap(), ["b.parquet", "c.parquet", "d.parquet"]);
    table.checkpoint(&part(1), &["e.parquet"]);
    assert_eq!(table.files().unwrap(), ["e.parquet", "f.parquet"]);
}

#[test]
fn what_cannot_be_told_is_refused_by_name() {
    for (actions, problem) in [
        (
            vec![r#"{"add":{"path":"a.parquet","partitionValues":{},"deletionVector":{"storageType":"u"}}}"#],
            "rows of `a.parquet` are deleted by a deletion vector",
        ),
        (
            vec![r#"{"metaData":{"configuration":{"delta.columnMapping.mode":"name"}}}"#],
            "it maps its columns by `name`",
        ),
        (
            vec![r#"{"protocol":{"minReaderVersion":3,"readerFeatures":["typeWidening","timestampNtz"]}}"#],
            "it uses `typeWidening`",
        ),
        (vec![r#"{"add":{"path":"s3://b/a.parquet","partitionValues":{}}}"#], "lies elsewhere"),
        (vec![r#"{"add":{"path":"../a.parquet","partitionValues":{}}}"#], "lies elsewhere"),
        (vec!["{"], "EOF while parsing"),
    ] {
        let table = TestTable::new();
        table.commit(0, &actions);
        let error = table.files().unwrap_err();
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn a_log_with_a_gap_is_refused() {
    let table = TestTable::new();
    assert!(table.files().unwrap_err().contains("neither a first commit nor a checkpoint"));
    table.commit(1, &[&add("a.parquet")]);
    assert!(table.files().unwrap_err().contains("neither a first commit nor a checkpoint"));
    table.commit(0, &[&add("b.parquet")]);
    table.commit(3, &[&add("c.parquet")]);
    assert!(table.files().unwrap_err().contains("version 2 of its log is not there, and 3 is"));
    let table = TestTable::new();
    table.commit(0, &[&add("a.parquet")]);
    table.checkpoint("00000000000000000004.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.parquet", &[]);
    assert!(table.files().unwrap_err().contains("version 1 of its log is not there, and 4 is"));
}

#[test]
fn other_tables_are_known_and_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Lake::of_folder(folder.path()), None);
    fs::create_dir(folder.path().join("metadata")).unwrap();
    assert_eq!(Lake::of_folder(folder.path()), None);
    fs::write(folder.path().join("metadata/v3.metadata.json"), "{}").unwrap();
    assert_eq!(Lake::of_folder(folder.path()), Some(Lake::Iceberg));
    let error = active_files(Lake::Iceberg, folder.path(), &FileOptions::default()).unwrap_err();
    assert!(error.to_string().contains("Apache Iceberg") && error.help().is_some(), "{error}");
    let hudi = tempfile::tempdir().unwrap();
    fs::create_dir(hudi.path().join(".hoodie")).unwrap();
    assert_eq!(Lake::of_folder(hudi.path()), Some(Lake::Hudi));
}
