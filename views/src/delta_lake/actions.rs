//! The lines of a table's log: the actions of the Delta protocol that are used here, as they are written.
//!
//! Only the last commit is ever read, and this module has written it. So a line of any other writer is an
//! error, and never half understood.

use std::collections::BTreeMap;

use object_store::path::Path;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

/// Version of the format of [`TableState`]; no other is read.
const FORMAT: u32 = 1;

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
    /// Lines of the commit, this one included.
    pub(super) n_actions: usize,
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
    pub(super) fn of(snapshot: &Snapshot, n_actions: usize) -> Self {
        TableState {
            format: FORMAT,
            table: snapshot.meta.id.clone(),
            created: snapshot.meta.created_time,
            schema: schema_hash(&snapshot.meta.schema_string),
            apps: snapshot.apps.clone(),
            n_actions,
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

/// The state of the table after a commit, and the files that the commit adds.
pub(super) fn read_commit(bytes: &[u8]) -> Result<(TableState, Vec<String>), String> {
    let actions = serde_json::Deserializer::from_slice(bytes).into_iter::<Action>();
    let actions = actions.collect::<Result<Vec<_>, _>>();
    let actions = actions.map_err(|error| format!("it is not a commit of metricc: {error}"))?;
    let n_actions = actions.len();
    let (mut state, mut paths) = (None, Vec::new());
    for action in actions {
        match action {
            Action::CommitInfo(info) => state = Some(info.metricc),
            Action::Add(add) => paths.push(add.path),
            Action::Protocol(_) | Action::MetaData(_) | Action::Txn(_) | Action::Remove(_) => {}
        }
    }
    match state {
        Some(state) if state.format != FORMAT => Err(format!("it has format {}, not {FORMAT}", state.format)),
        Some(state) if state.n_actions != n_actions => {
            Err(format!("it has {n_actions} lines, and {} were committed", state.n_actions))
        }
        Some(state) => Ok((state, paths)),
        None => Err("it has no `commitInfo`".to_owned()),
    }
}
