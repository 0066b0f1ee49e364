//! What a table is after many versions, and what becomes of writers that are late, repeat themselves or find
//! it damaged.

mod columns;
mod reader;

use std::path::PathBuf;

use arrow::array::StringArray;
use object_store::local::LocalFileSystem;
use serde_json::json;

use super::*;
use reader::{ROOT, batch, file, kinds, lines, names, rows, seen, stamp, table, totals, values};

fn expected(commits: [u64; 2], checkpoints: &[u64], data: [u64; 2]) -> BTreeSet<String> {
    let commits = (commits[0]..=commits[1]).map(|version| format!("_delta_log/{version:020}.json"));
    let checkpoints =
        checkpoints.iter().map(|version| format!("_delta_log/{version:020}.checkpoint.parquet"));
    let data = (data[0]..=data[1]).map(|version| format!("part-{version:020}"));
    let last = "_delta_log/_last_checkpoint".to_owned();
    commits.chain(checkpoints).chain(data).chain([last]).collect()
}

#[tokio::test]
async fn each_version_is_what_its_rows_are() {
    let table = table();
    assert_eq!(table.replace(&totals(&[1, 2]), &stamp("batch", 7)).await.unwrap(), 0);
    let first = seen(&table).await;
    assert_eq!(values(&table).await, [1, 2]);
    assert_eq!(table.replace(&totals(&[3]), &stamp("batch", 9)).await.unwrap(), 1);
    assert_eq!(values(&table).await, [3]);
    let names = batch("name", Arc::new(StringArray::from(vec![Some("a"), None])));
    assert_eq!(table.replace(&names, &stamp("batch", 10)).await.unwrap(), 2);
    assert_eq!(rows(&table).await.columns(), names.columns());

    let last = seen(&table).await;
    assert_eq!((last.version, last.apps), (2, BTreeMap::from([("batch".to_owned(), 10)])));
    assert_eq!((&last.id, last.id.len()), (&first.id, 36));
    let field =
        |name: &str, kind: &str| json!([{ "name": name, "type": kind, "nullable": true, "metadata": {} }]);
    assert_eq!(first.schema["fields"], field("total", "long"));
    assert_eq!(last.schema["fields"], field("name", "string"));
    assert_eq!(kinds(&table, 0).await, ["commitInfo", "protocol", "metaData", "txn", "add"]);
    assert_eq!(kinds(&table, 1).await, ["commitInfo", "txn", "remove", "add"]);
    assert_eq!(kinds(&table, 2).await, ["commitInfo", "protocol", "metaData", "txn", "remove", "add"]);
    let lines = lines(&table, 1).await.unwrap();
    assert_eq!(lines[0]["commitInfo"]["userMetadata"], r#"{"frontier":"9"}"#);
    assert_eq!(lines[3]["add"]["stats"], r#"{"numRecords":1}"#);
}

#[tokio::test]
async fn doing_it_again_does_nothing() {
    let table = table();
    table.replace(&totals(&[1]), &stamp("left", 5)).await.unwrap();
    assert_eq!(table.replace(&totals(&[2]), &stamp("right", 1)).await.unwrap(), 1);
    let (before, files) = (seen(&table).await, names(&table).await);
    for again in [stamp("left", 5), stamp("left", 4), stamp("right", 1)] {
        assert_eq!(table.replace(&totals(&[3]), &again).await.unwrap(), 1);
    }
    assert_eq!((seen(&table).await, names(&table).await), (before, files));
    for version in 2..=12 {
        table.replace(&totals(&[2]), &stamp("right", version)).await.unwrap();
    }
    assert_eq!(table.replace(&totals(&[3]), &stamp("left", 5)).await.unwrap(), 12);
    let apps = BTreeMap::from([("left".to_owned(), 5), ("right".to_owned(), 12)]);
    assert_eq!(seen(&table).await.apps, apps);
    assert_eq!(table.replace(&totals(&[3]), &stamp("left", 6)).await.unwrap(), 13);
}

#[tokio::test]
async fn who_comes_second_loses_and_deletes_nothing() {
    let table = table();
    table.replace_after(None, &totals(&[1]), &stamp("left", 1)).await.unwrap();
    let lost = table.replace_after(None, &totals(&[2]), &stamp("right", 1)).await;
    assert!(matches!(lost, Err(ViewError::Lost { version: 0 })), "{lost:?}");
    assert_eq!(values(&table).await, [1]);
    let head = table.head().await.unwrap();
    table.replace_after(head.as_ref(), &totals(&[2]), &stamp("left", 2)).await.unwrap();
    let (before, files) = (seen(&table).await, names(&table).await);
    let lost = table.replace_after(head.as_ref(), &totals(&[3]), &stamp("right", 1)).await;
    assert!(matches!(lost, Err(ViewError::Lost { version: 1 })), "{lost:?}");
    assert_eq!((seen(&table).await, names(&table).await), (before, files));
    assert_eq!(values(&table).await, [2]);
    assert_eq!(table.replace(&totals(&[3]), &stamp("right", 1)).await.unwrap(), 2);
}

#[tokio::test]
async fn who_wakes_up_behind_the_log_has_lost() {
    let table = table();
    table.replace(&totals(&[0]), &stamp("batch", 0)).await.unwrap();
    let head = table.head().await.unwrap();
    for version in 1..=30 {
        table.replace(&totals(&[1]), &stamp("batch", version)).await.unwrap();
    }
    let before = seen(&table).await;
    assert_eq!(lines(&table, 1).await, None);
    let lost = table.replace_after(head.as_ref(), &totals(&[2]), &stamp("batch", 99)).await;
    assert!(matches!(lost, Err(ViewError::Lost { version: 1 })), "{lost:?}");
    assert_eq!(seen(&table).await, before);
    for version in 31..=40 {
        assert_eq!(table.replace(&totals(&[1]), &stamp("batch", version)).await.unwrap(), version);
    }
    assert_eq!(names(&table).await, expected([20, 40], &[20, 30, 40], [32, 40]));
}

#[tokio::test]
async fn no_rows_are_a_version_too() {
    let table = table();
    let sizes: [&[i64]; 5] = [&[], &[1], &[], &[], &[2]];
    for (version, given) in (0..).zip(sizes) {
        assert_eq!(table.replace(&totals(given), &stamp("batch", version)).await.unwrap(), version);
        assert_eq!(seen(&table).await.paths.len(), given.len());
    }
    assert_eq!(kinds(&table, 0).await, ["commitInfo", "protocol", "metaData", "txn"]);
    assert_eq!(kinds(&table, 2).await, ["commitInfo", "txn", "remove"]);
    assert_eq!(kinds(&table, 3).await, ["commitInfo", "txn"]);
    assert_eq!(kinds(&table, 4).await, ["commitInfo", "txn", "add"]);
    for version in 5..=10 {
        table.replace(&totals(&[]), &stamp("batch", version)).await.unwrap();
    }
    let last = seen(&table).await;
    assert_eq!((last.version, last.paths, last.apps["batch"]), (10, BTreeSet::new(), 10));
}

#[tokio::test]
async fn after_many_versions_few_files_are_left() {
    let table = table();
    let orphan = Path::from(format!("{ROOT}/part-{:020}-0123456789abcdef.parquet", 3));
    table.store.put(&orphan, PutPayload::from("not committed")).await.unwrap();
    let note = Path::from(format!("{ROOT}/note.txt"));
    table.store.put(&note, PutPayload::from("not ours")).await.unwrap();
    for version in 0..=44 {
        let value = i64::try_from(version).unwrap();
        assert_eq!(table.replace(&totals(&[value]), &stamp("batch", version)).await.unwrap(), version);
        assert_eq!(seen(&table).await.version, version);
        assert_eq!(values(&table).await, [value]);
        let expected = match version {
            24 => expected([0, 24], &[10, 20], [16, 24]),
            29 => expected([0, 29], &[10, 20], [21, 29]),
            30 => expected([10, 30], &[10, 20, 30], [22, 30]),
            39 => expected([10, 39], &[10, 20, 30], [31, 39]),
            44 => expected([20, 44], &[20, 30, 40], [36, 44]),
            _ => continue,
        };
        let mut names = names(&table).await;
        assert!(names.remove("note.txt"));
        assert_eq!(names, expected);
    }
}

#[tokio::test]
async fn a_checkpoint_that_failed_is_made_up_for() {
    let table = table();
    for version in 0..=12 {
        if version == 11 {
            // As if the process had ended between the commit and the checkpoint.
            for name in ["_last_checkpoint", "00000000000000000010.checkpoint.parquet"] {
                table.store.delete(&Path::from(format!("{ROOT}/_delta_log/{name}"))).await.unwrap();
            }
        }
        table.replace(&totals(&[1]), &stamp("batch", version)).await.unwrap();
    }
    assert_eq!(names(&table).await, expected([0, 12], &[11], [4, 12]));
}

#[tokio::test]
async fn a_damaged_log_names_the_file() {
    let table = table();
    for version in 0..=10 {
        table.replace(&totals(&[1]), &stamp("batch", version)).await.unwrap();
    }
    let last = table.commit_path(10);
    let whole = file(&table, "_delta_log/00000000000000000010.json").await.unwrap();
    let text = String::from_utf8(whole.to_vec()).unwrap();
    let short = text.lines().take(3).map(|line| format!("{line}\n")).collect::<String>();
    let theirs = "{\"commitInfo\":{\"timestamp\":1,\"operation\":\"OPTIMIZE\"}}\n".to_owned();
    let headless = text.lines().skip(1).collect::<Vec<_>>().join("\n");
    for damaged in [text[..text.len() / 2].to_owned(), short, theirs, headless, String::new()] {
        table.store.put(&last, PutPayload::from(damaged.clone())).await.unwrap();
        match table.replace(&totals(&[2]), &stamp("batch", 11)).await {
            Err(ViewError::Corrupt { path, .. }) => assert_eq!(path, last.to_string()),
            other => panic!("{damaged}: {other:?}"),
        }
    }
    table.store.delete(&last).await.unwrap();
    match table.replace(&totals(&[2]), &stamp("batch", 11)).await {
        Err(ViewError::Corrupt { path, .. }) => assert_eq!(path, table.checkpoint_path(10).to_string()),
        other => panic!("{other:?}"),
    }
    for meta in table.store.list(None).try_collect::<Vec<_>>().await.unwrap() {
        table.store.delete(&meta.location).await.unwrap();
    }
    assert_eq!(table.replace(&totals(&[2]), &stamp("batch", 11)).await.unwrap(), 0);
    assert_eq!(values(&table).await, [2]);
}

/// `METRICC_TABLE=/tmp/table` keeps the table there, to read it with other programs.
#[tokio::test]
async fn on_a_disk_it_is_the_same() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("METRICC_TABLE").map_or(temporary.path().to_owned(), PathBuf::from);
    std::fs::create_dir_all(&folder).unwrap();
    let store = Arc::new(LocalFileSystem::new_with_prefix(&folder).unwrap());
    let table = Table::new(store, Path::from("revenue"));
    assert!(table.head().await.unwrap().is_none());
    for version in 0..=33 {
        table.replace(&totals(&[1, 2]), &stamp("batch", version)).await.unwrap();
    }
    let head = table.head().await.unwrap();
    assert_eq!(table.replace(&columns::all_types(), &stamp("batch", 34)).await.unwrap(), 34);
    let lost = table.replace_after(head.as_ref(), &totals(&[3]), &stamp("other", 1)).await;
    assert!(matches!(lost, Err(ViewError::Lost { version: 34 })), "{lost:?}");
    let last = seen(&table).await;
    assert_eq!((last.version, last.apps), (34, BTreeMap::from([("batch".to_owned(), 34)])));
    assert_eq!(rows(&table).await.num_rows(), 2);
    assert_eq!(names(&table).await, expected([10, 34], &[10, 20, 30], [26, 34]));
}

#[tokio::test]
async fn f36_a_flipped_bit_in_any_file_that_readers_need_is_found() {
    let table = table();
    for version in 0..=12 {
        table.replace(&totals(&[version, 5]), &stamp("batch", version as u64)).await.unwrap();
    }
    let (rows, stamp) = (totals(&[12, 5]), stamp("batch", 12));
    assert_eq!(table.compare(&rows, &stamp).await.unwrap(), TableContent::Same);
    let needed = names(&table)
        .await
        .into_iter()
        .filter(|name| name.starts_with(LOG) || name.starts_with(&format!("part-{:020}", 12)));
    let all: Vec<_> = table.store.list(None).try_collect().await.unwrap();
    let mut n_files = 0;
    for name in needed {
        let path = all.iter().map(|meta| &meta.location).find(|path| path.as_ref().contains(&name)).unwrap();
        let whole = table.store.get(path).await.unwrap().bytes().await.unwrap();
        for (number, at) in (0..whole.len()).step_by((whole.len() / 50).max(1)).enumerate() {
            let mut damaged = whole.to_vec();
            damaged[at] ^= 1 << (number % 8);
            table.store.put(path, PutPayload::from(damaged)).await.unwrap();
            let found = table.compare(&rows, &stamp).await;
            assert!(matches!(found, Err(ViewError::Corrupt { .. })), "byte {at} of {path}: {found:?}");
        }
        table.store.delete(path).await.unwrap();
        let found = table.compare(&rows, &stamp).await;
        // Readers start from a checkpoint, so a table may lose its oldest commits.
        let is_optional = name.ends_with("_last_checkpoint") || name.ends_with(&format!("{:020}.json", 0));
        assert_eq!(matches!(found, Ok(TableContent::Same)), is_optional, "without {path}: {found:?}");
        table.store.put(path, PutPayload::from(whole)).await.unwrap();
        n_files += 1;
    }
    assert_eq!(n_files, 13 + 2 + 1);
    assert_eq!(table.compare(&rows, &stamp).await.unwrap(), TableContent::Same);
}

#[tokio::test]
async fn a_table_is_compared_with_what_it_is_to_hold() {
    let table = table();
    let empty = totals(&[]);
    assert_eq!(table.compare(&empty, &stamp("batch", 0)).await.unwrap(), TableContent::Behind);
    table.replace(&empty, &stamp("batch", 0)).await.unwrap();
    assert_eq!(table.compare(&empty, &stamp("batch", 0)).await.unwrap(), TableContent::Same);
    table.replace(&totals(&[1]), &stamp("batch", 4)).await.unwrap();
    let named = batch("name", Arc::new(StringArray::from(vec!["a"])));
    for (rows, stamp, content) in [
        (totals(&[1]), stamp("batch", 4), TableContent::Same),
        (totals(&[2]), stamp("batch", 5), TableContent::Behind),
        (totals(&[2]), stamp("other", 0), TableContent::Behind),
        // Versions were numbered from the start again.
        (totals(&[2]), stamp("batch", 4), TableContent::Other),
        (totals(&[1]), stamp("batch", 0), TableContent::Other),
        (named, stamp("batch", 4), TableContent::Other),
    ] {
        assert_eq!(table.compare(&rows, &stamp).await.unwrap(), content, "{stamp:?}");
    }
}
