//! The lines of a table's log: the actions of the Delta protocol that are used here, as they are written.
//!
//! Only commits that this module has written are read, and each has a checksum of itself. So a line of any
//! other writer, or a changed one, is an error, and never half understood.

use std::collections::BTreeMap;

use object_store::path::Path;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

/// Version of the format of [`TableState`]; no other is read.
const FORMAT: u32 = 2;

/// A line of a commit, or a row of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Action {
    /// Who committed, and why. Readers only show it.
    CommitInfo(CommitInfo),
    /// The features that readers and writers must support.
    Protocol(Protocol),
    /// The identity of the table, and its columns.
    MetaData(MetaData),
    /// The last version that an application has written.
    Txn(Txn),
    /// The file no longer belongs to the table.
    Remove(Remove),
    /// The file belongs to the table.
    Add(Add),
}

/// Who committed, and the state that the next commit needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CommitInfo {
    pub(super) timestamp: i64,
    pub(super) operation: String,
    pub(super) operation_parameters: BTreeMap<String, String>,
    pub(super) engine_info: String,
    pub(super) is_blind_append: bool,
    /// The caller's information as JSON: the field that readers show in a table's history.
    pub(super) user_metadata: String,
    pub(super) metricc: TableState,
}

/// The state of the table, so that the last commit alone is enough to write the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TableState {
    pub(super) format: u32,
    /// The identity of the table.
    pub(super) table: String,
    /// When it was created.
    pub(super) created: i64,
    /// XXH3-64 of its schema, in hexadecimal.
    pub(super) schema: String,
    /// The last version that each application has written.
    pub(super) apps: BTreeMap<String, i64>,
    /// The checkpoint of this version, if it is to have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) checkpoint: Option<Checkpoint>,
    /// Lines of the commit, this one included.
    pub(super) n_actions: usize,
    /// XXH3-64 of the commit with this field empty, in hexadecimal.
    pub(super) checksum: String,
}

/// The file of a checkpoint, as it is written after the commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Checkpoint {
    pub(super) n_rows: usize,
    /// XXH3-64 of its bytes, in hexadecimal.
    pub(super) hash: String,
}

/// The features that readers and writers must support.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Protocol {
    pub(super) min_reader_version: i32,
    pub(super) min_writer_version: i32,
}

/// The identity of the table, and its columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MetaData {
    pub(super) id: String,
    pub(super) format: Format,
    pub(super) schema_string: String,
    /// Always empty: a table is one file.
    pub(super) partition_columns: Vec<String>,
    /// Always empty.
    pub(super) configuration: BTreeMap<String, String>,
    pub(super) created_time: i64,
}

/// The format of the data files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Format {
    pub(super) provider: String,
    /// Always empty.
    pub(super) options: BTreeMap<String, String>,
}

/// The last version that an application has written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Txn {
    pub(super) app_id: String,
    pub(super) version: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_updated: Option<i64>,
}

/// The file no longer belongs to the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Remove {
    pub(super) path: String,
    pub(super) deletion_timestamp: i64,
    pub(super) data_change: bool,
}

/// The file belongs to the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Add {
    /// Below the root of the table.
    pub(super) path: String,
    /// Always empty.
    pub(super) partition_values: BTreeMap<String, String>,
    pub(super) size: i64,
    pub(super) modification_time: i64,
    pub(super) data_change: bool,
    /// JSON.
    pub(super) stats: String,
}

/// A version of the table, without its rows.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    pub(super) meta: MetaData,
    /// The last version that each application has written.
    pub(super) apps: BTreeMap<String, i64>,
    /// Its file; `None` if it has no rows.
    pub(super) add: Option<Add>,
}

impl Protocol {
    /// Plain tables, which every reader knows.
    pub(super) const PLAIN: Self = Protocol { min_reader_version: 1, min_writer_version: 2 };
}

impl MetaData {
    /// A table of Parquet files.
    pub(super) fn new(id: String, schema_string: String, created_time: i64) -> Self {
        let format = Format { provider: "parquet".to_owned(), options: BTreeMap::new() };
        let (partition_columns, configuration) = (Vec::new(), BTreeMap::new());
        MetaData { id, format, schema_string, partition_columns, configuration, created_time }
    }
}

impl CommitInfo {
    /// All rows were replaced.
    pub(super) fn replaced(timestamp: i64, user_metadata: String, metricc: TableState) -> Self {
        let parameters = [("mode", "Overwrite"), ("partitionBy", "[]")];
        CommitInfo {
            timestamp,
            operation: "WRITE".to_owned(),
            operation_parameters: parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            engine_info: concat!("metricc/", env!("CARGO_PKG_VERSION")).to_owned(),
            is_blind_append: false,
            user_metadata,
            metricc,
        }
    }
}

impl TableState {
    /// The state after a snapshot's commit.
    pub(super) fn of(snapshot: &Snapshot, n_actions: usize, checkpoint: Option<Checkpoint>) -> Self {
        TableState {
            format: FORMAT,
            table: snapshot.meta.id.clone(),
            created: snapshot.meta.created_time,
            schema: schema_hash(&snapshot.meta.schema_string),
            apps: snapshot.apps.clone(),
            checkpoint,
            n_actions,
            checksum: String::new(),
        }
    }
}

impl Snapshot {
    /// The rows of its checkpoint.
    pub(super) fn actions(&self) -> Vec<Action> {
        let txn = |(app_id, version): (&String, &i64)| {
            Action::Txn(Txn { app_id: app_id.clone(), version: *version, last_updated: None })
        };
        // A checkpoint changes nothing, so its file is not a change of data.
        let add = self.add.clone().map(|add| Action::Add(Add { data_change: false, ..add }));
        let head = [Action::Protocol(Protocol::PLAIN), Action::MetaData(self.meta.clone())];
        head.into_iter().chain(self.apps.iter().map(txn)).chain(add).collect()
    }
}

/// A hash of the schema, in hexadecimal.
pub(super) fn schema_hash(schema_string: &str) -> String {
    format!("{:016x}", XxHash3_64::oneshot(schema_string.as_bytes()))
}

/// A UUID (version 8: its bits are a hash) for a new table.
pub(super) fn table_id(root: &Path, created: i64) -> String {
    let text = format!("{root} {created}");
    let half = |seed: u64| XxHash3_64::oneshot_with_seed(seed, text.as_bytes());
    let high = (half(0) & !0xf000) | 0x8000;
    let low = (half(1) >> 2) | (1 << 63);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

/// A commit that was read.
#[derive(Debug)]
pub(super) struct Commit {
    /// The state of the table after it.
    pub(super) state: TableState,
    /// The files that it adds.
    pub(super) paths: Vec<String>,
    /// The caller's information.
    pub(super) info: String,
}

/// The text of a commit, with its checksum.
pub(super) fn commit_text(info: &CommitInfo, rest: &[Action]) -> Result<String, serde_json::Error> {
    let text = |checksum: String| {
        let metricc = TableState { checksum, ..info.metricc.clone() };
        let mut text = String::new();
        for action in [Action::CommitInfo(CommitInfo { metricc, ..info.clone() })].iter().chain(rest) {
            text.push_str(&serde_json::to_string(action)?);
            text.push('\n');
        }
        Ok::<_, serde_json::Error>(text)
    };
    text(format!("{:016x}", XxHash3_64::oneshot(text(String::new())?.as_bytes())))
}

/// Reads a commit, every byte of which is as it was written.
pub(super) fn read_commit(bytes: &[u8]) -> Result<Commit, String> {
    let actions = serde_json::Deserializer::from_slice(bytes).into_iter::<Action>();
    let actions = actions.collect::<Result<Vec<_>, _>>();
    let foreign = |error: serde_json::Error| format!("it is not a commit of metricc: {error}");
    let actions = actions.map_err(foreign)?;
    let Some((Action::CommitInfo(info), rest)) = actions.split_first() else {
        return Err("it has no `commitInfo`".to_owned());
    };
    let state = info.metricc.clone();
    if state.format != FORMAT {
        return Err(format!("it has format {}, not {FORMAT}", state.format));
    }
    if state.n_actions != actions.len() {
        return Err(format!("it has {} lines, and {} were committed", actions.len(), state.n_actions));
    }
    if commit_text(info, rest).map_err(foreign)?.as_bytes() != bytes {
        return Err("checksum mismatch".to_owned());
    }
    let path = |action: &Action| match action {
        Action::Add(add) => Some(add.path.clone()),
        _ => None,
    };
    Ok(Commit { state, paths: rest.iter().filter_map(path).collect(), info: info.user_metadata.clone() })
}
