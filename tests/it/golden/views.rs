//! What a view store writes: the files of segments, the text of a version, and the tables for other programs.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;

use super::segments::all_segments;
use super::{
    LogStamp, MetricPlan, Segment, TableStamp, View, ViewStore, assert_golden, digest, files_below, present,
    record_batch,
};

/// Versions of a table: so many that there is a checkpoint.
const N_VERSIONS: u64 = 11;

#[tokio::test]
async fn a_version_and_its_files_keep_their_text_and_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = view_store(folder.path());
    let segments = all_segments();
    let mut view = View {
        version: store.next_version().await.expect("the store is read"),
        log: LogStamp { id: format!("{:032x}", 0xfeed), epoch: format!("{:032x}", 7) },
        frontier: segments[0].1.interval.to().clone(),
        segments: BTreeMap::new(),
    };
    for (plan, segment) in segments.iter().filter(|(plan, _)| plan.metric.source.name == "events") {
        let stored = store.write(plan, segment).await.expect("it is written");
        let read = store.read(plan, &stored).await.expect("it is read");
        assert_eq!(read.states, segment.states);
        if ["daily", "sessions"].contains(&plan.metric.name.as_str()) {
            view.segments.entry(plan.state_hash.to_string()).or_default().push(stored);
        }
    }
    store.commit(&view).await.expect("it is committed");
    let lines = files_below(folder.path()).into_iter().map(|(path, bytes)| {
        let text = if path.ends_with(".json") { text_of(&bytes) } else { digest(&bytes) };
        format!("{path} {} bytes {text}", bytes.len())
    });
    assert_golden("views.txt", &lines.collect::<Vec<_>>());
}

#[tokio::test]
async fn a_table_keeps_its_log_and_its_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = view_store(folder.path());
    let segments = all_segments();
    let named = |name: &str| -> &(Arc<MetricPlan>, Segment) {
        segments.iter().find(|(plan, _)| plan.metric.name == name).expect("the metric is there")
    };
    for version in 0..N_VERSIONS {
        // Another table from version 1 on, so that it changes its columns then.
        let (plan, segment) = named(if version == 0 { "daily" } else { "by_hour" });
        let info =
            [("metric_hash".to_owned(), plan.hash.to_string()), ("frontier".to_owned(), "61".to_owned())];
        let stamp = TableStamp { app: "metricc-feed".to_owned(), version, info: info.into() };
        let rows = record_batch(&present(plan, segment).expect("states present")).expect("rows");
        assert_eq!(store.table("all").replace(&rows, &stamp).await.expect("it is replaced"), version);
    }
    let mut lines = Vec::new();
    for (path, bytes) in files_below(folder.path()) {
        if path.ends_with(".checkpoint.parquet") {
            // It holds the time at which the table was made.
            lines.push(path);
        } else if path.ends_with(".parquet") {
            lines.push(format!("{path} {} bytes {}", bytes.len(), digest(&bytes)));
        } else {
            lines.extend(timeless(&text_of(&bytes)).lines().map(|line| format!("{path} {line}")));
        }
    }
    assert_golden("tables.txt", &lines);
}

fn view_store(folder: &std::path::Path) -> ViewStore {
    let store: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(folder).expect("a store"));
    ViewStore::new(store, "events")
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it is text")
}

/// A commit without its time, that of the table, the identity that is made from it, and checksums of all of
/// these.
fn timeless(commit: &str) -> String {
    let first = commit.lines().next().unwrap_or_default();
    let first: serde_json::Value = serde_json::from_str(first).expect("JSON");
    let info = &first["commitInfo"];
    let Some(id) = info["metricc"]["table"].as_str() else { return commit.to_owned() };
    let (now, created) = (info["timestamp"].to_string(), info["metricc"]["created"].to_string());
    assert_eq!((id.len(), now.len(), created.len()), (36, 13, 13), "{first}");
    let sums = [&info["metricc"]["checksum"], &info["metricc"]["checkpoint"]["hash"]];
    let sums = sums.into_iter().filter_map(serde_json::Value::as_str);
    let commit = sums.fold(commit.to_owned(), |commit, sum| commit.replace(sum, "SUM"));
    commit
        .replace(id, "ID")
        .replace(&now, "NOW")
        .replace(&created, if now == created { "NOW" } else { "CREATED" })
}
