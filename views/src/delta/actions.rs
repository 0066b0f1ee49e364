//! What a line of a table's log says: the actions of the Delta protocol that are used here, as they are written.
//!
//! Nothing is read but the last commit, and that was written here. So what other writers may say is not known: a line of
//! theirs is an error, and never half understood.

use std::collections::BTreeMap;

use object_store::path::Path;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

/// Version of the form of [`Own`]; others are not read.
const FORMAT: u32 = 1;

/// A line of a commit, or a row of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Action {
    /// Who has committed, and why. Readers show it and do nothing with it.
    CommitInfo(CommitInfo),
    /// What a reader and a writer have to know.
    Protocol(Protocol),
    /// The identity of the table, and its columns.
    MetaData(MetaData),
    /// How far an application has come.
    Txn(Txn),
    /// The file is not of the table any more.
    Remove(Remove),
    /// The file is of the table.
    Add(Add),
}

/// Who has committed, and what the next commit has to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CommitInfo {
    pub(super) timestamp: i64,
    pub(super) operation: String,
    pub(super) operation_parameters: BTreeMap<String, String>,
    pub(super) engine_info: String,
    pub(super) is_blind_append: bool,
    /// What the caller says, as JSON: the field that readers show in a table's history.
    pub(super) user_metadata: String,
    pub(super) metricc: Own,
}

/// What makes the last commit enough to write the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Own {
    pub(super) format: u32,
    /// The identity of the table.
    pub(super) table: String,
    /// When it was made.
    pub(super) created: i64,
    /// XXH3-64 of its schema, in hexadecimal.
    pub(super) schema: String,
    /// How far each application has come.
    pub(super) apps: BTreeMap<String, i64>,
    /// Lines of the commit, this one included.
    pub(super) n_actions: usize,
}

/// What a reader and a writer have to know.
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

/// The form of the data files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Format {
    pub(super) provider: String,
    /// Always empty.
    pub(super) options: BTreeMap<String, String>,
}

/// How far an application has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Txn {
    pub(super) app_id: String,
    pub(super) version: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_updated: Option<i64>,
}

/// The file is not of the table any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Remove {
    pub(super) path: String,
    pub(super) deletion_timestamp: i64,
    pub(super) data_change: bool,
}

/// The file is of the table.
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

/// All that a table is at a version, without its rows.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    pub(super) meta: MetaData,
    /// How far each application has come.
    pub(super) apps: BTreeMap<String, i64>,
    /// Its file; none if it has no rows.
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
    pub(super) fn replaced(timestamp: i64, user_metadata: String, metricc: Own) -> Self {
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

impl Own {
    /// What the commit of a snapshot says of it.
    pub(super) fn of(snapshot: &Snapshot, n_actions: usize) -> Self {
        Own {
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
        // A checkpoint is no change, so the file is not data that came with it.
        let add = self.add.clone().map(|add| Action::Add(Add { data_change: false, ..add }));
        let head = [Action::Protocol(Protocol::PLAIN), Action::MetaData(self.meta.clone())];
        head.into_iter().chain(self.apps.iter().map(txn)).chain(add).collect()
    }
}

/// What tells a schema from others.
pub(super) fn schema_hash(schema_string: &str) -> String {
    format!("{:016x}", XxHash3_64::oneshot(schema_string.as_bytes()))
}

/// A UUID (version 8: its bits are a hash) for a table made now.
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

/// What a commit says, and the files that it adds.
pub(super) fn read_commit(bytes: &[u8]) -> Result<(Own, Vec<String>), String> {
    let actions = serde_json::Deserializer::from_slice(bytes).into_iter::<Action>();
    let actions = actions.collect::<Result<Vec<_>, _>>();
    let actions = actions.map_err(|error| format!("it is no commit of metricc: {error}"))?;
    let n_actions = actions.len();
    let (mut own, mut paths) = (None, Vec::new());
    for action in actions {
        match action {
            Action::CommitInfo(info) => own = Some(info.metricc),
            Action::Add(add) => paths.push(add.path),
            Action::Protocol(_) | Action::MetaData(_) | Action::Txn(_) | Action::Remove(_) => {}
        }
    }
    match own {
        Some(own) if own.format != FORMAT => Err(format!("it has form {}, not {FORMAT}", own.format)),
        Some(own) if own.n_actions != n_actions => {
            Err(format!("it has {n_actions} lines, and {} were committed", own.n_actions))
        }
        Some(own) => Ok((own, paths)),
        None => Err("it does not say who has committed it".to_owned()),
    }
}
