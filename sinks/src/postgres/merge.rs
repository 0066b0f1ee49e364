//! The changes of a version into a table: a copy into a temporary table, and what differs from there.

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures::SinkExt;
use tokio_postgres::Transaction;
use tokio_postgres::error::SqlState;

use super::columns::{KEY, OVERFLOW, Table, quoted};
use super::connection::unreachable;
use super::{TABLE_ID, TABLE_RIGHTS, binary, refused, refused_right};
use crate::{Change, Changes, SinkError, Version, Written};

/// Bytes that are sent at once.
const CHUNK: usize = 256 << 10;

/// Copies the changes, applies them, and sets the frontier of the metric.
pub(super) async fn merge(
    transaction: &Transaction<'_>,
    table: &Table,
    version: &Version,
    changes: &mut dyn Changes,
) -> Result<Written, SinkError> {
    let columns: Vec<String> =
        table.columns.iter().map(|(name, sql)| format!("{} {sql}", quoted(name))).collect();
    let staging = format!(
        "CREATE TEMPORARY TABLE metricc_staging (\"metricc removed\" boolean, \"metricc text\" bytea, {}{}{OVERFLOW} jsonb, \
         {KEY} bytea GENERATED ALWAYS AS (sha256(\"metricc text\")) STORED) ON COMMIT DROP",
        columns.join(", "),
        if columns.is_empty() { "" } else { ", " },
    );
    let created = transaction.batch_execute(&staging).await;
    created.map_err(|error| {
        refused_right(&error, "a temporary table cannot be made", "TEMPORARY on the database")
    })?;
    copy(transaction, table, changes).await?;
    let analyzed = transaction.batch_execute("ANALYZE metricc_staging").await;
    analyzed.map_err(|error| unreachable(&error))?;
    let n_removed = execute(transaction, table, &removal(table, version)).await?;
    let n_written = execute(transaction, table, &upsert(table, version)).await?;
    set_frontier(transaction, table, version).await?;
    Ok(Written { n_rows: n_removed + n_written })
}

async fn execute(transaction: &Transaction<'_>, table: &Table, statement: &str) -> Result<u64, SinkError> {
    let done = transaction.execute(statement, &[]).await;
    let name = table.full_name();
    done.map_err(|error| match error.code() {
        // `ON CONFLICT` finds no key.
        Some(&SqlState::INVALID_COLUMN_REFERENCE) => SinkError::Refused(format!(
            "table {name} has no primary key, and so was not made by metricc: \
             drop it, or add the key with `ALTER TABLE {name} ADD PRIMARY KEY ({KEY})`"
        )),
        _ => refused_right(&error, &format!("table {name} cannot be written"), TABLE_RIGHTS),
    })
}

/// Deletes what is not in the new version.
fn removal(table: &Table, version: &Version) -> String {
    let name = table.full_name();
    if version.is_complete {
        return format!(
            "DELETE FROM {name} AS held WHERE NOT EXISTS (SELECT 1 FROM metricc_staging AS new WHERE new.{KEY} = held.{KEY})"
        );
    }
    format!(
        "DELETE FROM {name} AS held USING metricc_staging AS gone WHERE gone.\"metricc removed\" AND gone.{KEY} = held.{KEY}"
    )
}

/// Inserts what is new, and updates what has other values.
fn upsert(table: &Table, version: &Version) -> String {
    let values: Vec<String> =
        table.columns.iter().map(|(name, _)| quoted(name)).chain([OVERFLOW.to_owned()]).collect();
    let list = values.join(", ");
    let set: Vec<String> = values.iter().map(|name| format!("{name} = excluded.{name}")).collect();
    let of = |row: &str| values.iter().map(|name| format!("{row}.{name}")).collect::<Vec<_>>().join(", ");
    // Equal numbers may have other digits after a change of the definition.
    let differ = match version.is_of_other_hash() {
        true => String::new(),
        false => format!(" WHERE ROW({}) IS DISTINCT FROM ROW({})", of("held"), of("excluded")),
    };
    format!(
        "INSERT INTO {} AS held ({KEY}, {list}) SELECT {KEY}, {list} FROM metricc_staging WHERE NOT \"metricc removed\" \
         ON CONFLICT ({KEY}) DO UPDATE SET {}{differ}",
        table.full_name(),
        set.join(", "),
    )
}

async fn set_frontier(
    transaction: &Transaction<'_>,
    table: &Table,
    version: &Version,
) -> Result<(), SinkError> {
    let update = format!(
        "UPDATE {}.metricc_frontiers SET metric_hash = $3, epoch = $4, frontier = $5, version = $6, version_id = $7, \
         table_id = {TABLE_ID}, written_at = clock_timestamp() WHERE metric = $1",
        quoted(&table.schema)
    );
    let (next, name) = (&version.next, table.full_name());
    let frontier: Vec<i64> = next.frontier.iter().map(|offset| offset.cast_signed()).collect();
    let number = next.version.cast_signed();
    let set = transaction
        .execute(&update, &[&version.metric, &name, &next.hash, &next.epoch, &frontier, &number, &next.id])
        .await;
    set.map(|_| ()).map_err(|error| refused(&error, "`metricc_frontiers` cannot be written"))
}

/// Sends the changes to the temporary table.
async fn copy(
    transaction: &Transaction<'_>,
    table: &Table,
    changes: &mut dyn Changes,
) -> Result<(), SinkError> {
    let names: Vec<String> =
        table.columns.iter().map(|(name, _)| quoted(name)).chain([OVERFLOW.to_owned()]).collect();
    let copy = format!(
        "COPY metricc_staging (\"metricc removed\", \"metricc text\", {}) FROM STDIN (FORMAT binary)",
        names.join(", ")
    );
    let failed = |error: tokio_postgres::Error| {
        refused(&error, &format!("rows of table {} cannot be copied", table.full_name()))
    };
    let sent = transaction.copy_in::<_, Bytes>(&copy).await.map_err(failed)?;
    let mut sent = std::pin::pin!(sent);
    let mut bytes = BytesMut::with_capacity(CHUNK + (CHUNK >> 2));
    binary::header(&mut bytes);
    while let Some(change) = changes.next()? {
        let (rows, is_removed) = match &change {
            Change::Written(rows) => (rows, false),
            Change::Removed(rows) => (rows, true),
        };
        let encoder = binary::Encoder::new(rows, is_removed)?;
        for row in 0..rows.json.len() {
            encoder.write(row, &mut bytes)?;
            if bytes.len() >= CHUNK {
                sent.send(bytes.split().freeze()).await.map_err(failed)?;
            }
        }
    }
    binary::trailer(&mut bytes);
    sent.send(bytes.freeze()).await.map_err(failed)?;
    let finished: Pin<&mut tokio_postgres::CopyInSink<Bytes>> = sent;
    finished.finish().await.map(|_| ()).map_err(failed)
}
