//! PostgreSQL: a table for each metric, and the table `metricc_frontiers` that says which frontier each is
//! of.
//!
//! A write is one transaction: the changes are copied into a temporary table, what differs is inserted,
//! updated and deleted, and the row of the metric in `metricc_frontiers` is set. The table and that row are
//! locked first, and compared with what the write starts from. So two nodes that write to one table cannot
//! mix, and a table that somebody empties or replaces at the same moment is seen.
//!
//! The row says which table it is about. Another table in its place, as after `TRUNCATE` or a restore, may
//! have lost rows; whose they were and how often they were written, the row still says.

mod binary;
mod columns;
mod connection;
mod merge;

use async_trait::async_trait;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Transaction};

pub use connection::PostgresSettings;
use connection::unreachable;

use crate::{Changes, Held, Sink, SinkError, Stored, Version, Written};

/// Tables of presented values in a PostgreSQL database.
#[derive(Debug)]
pub struct PostgresSink {
    settings: PostgresSettings,
    connector: connection::Connector,
    client: Option<Client>,
}

impl PostgresSink {
    /// Checks the settings; does not connect.
    ///
    /// # Errors
    /// What is wrong with a setting, without what stands there.
    pub fn new(settings: PostgresSettings) -> Result<Self, String> {
        let connector = connection::Connector::new(&settings)?;
        Ok(PostgresSink { settings, connector, client: None })
    }

    /// The connection, with the schema and the table of frontiers in the database.
    async fn client(&mut self) -> Result<&mut Client, SinkError> {
        if self.client.as_ref().is_none_or(Client::is_closed) {
            self.client = None;
            let client = self.connector.connect().await?;
            prepare(&client, &self.settings.schema).await?;
            self.client = Some(client);
        }
        self.client.as_mut().ok_or_else(|| SinkError::Unreachable("there is no connection".to_owned()))
    }
}

/// Creates the schema and the table of frontiers, unless they are there.
async fn prepare(client: &Client, schema: &str) -> Result<(), SinkError> {
    let name = columns::quoted(schema);
    let found = client.query_opt("SELECT 1 FROM pg_namespace WHERE nspname = $1", &[&schema]).await;
    if found.map_err(|error| unreachable(&error))?.is_none() {
        // Only now: a user without the right to create schemas can use one that is there.
        let created = client.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS {name}")).await;
        let grant = "CREATE on the database, or create the schema and grant USAGE and CREATE on it";
        created.map_err(|error| refused_right(&error, &format!("schema {name} cannot be created"), grant))?;
    }
    let frontiers = format!("{name}.metricc_frontiers");
    let exists = client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&frontiers]).await;
    let exists: bool = exists.and_then(|row| row.try_get(0)).map_err(|error| unreachable(&error))?;
    if exists {
        return Ok(());
    }
    let table = format!(
        "CREATE TABLE IF NOT EXISTS {name}.metricc_frontiers (metric text PRIMARY KEY, metric_hash text, epoch text, \
         frontier bigint[], version bigint, version_id text, table_id text, written_at timestamptz)"
    );
    let created = client.batch_execute(&table).await;
    let grant = format!("USAGE and CREATE on schema {name}");
    created.map_err(|error| refused_right(&error, "table `metricc_frontiers` cannot be created", &grant))
}

/// As [`refused`]; if a right is missing, the message says which one to grant.
fn refused_right(error: &tokio_postgres::Error, what: &str, grant: &str) -> SinkError {
    match error.code() {
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => SinkError::Refused(format!(
            "{what}: {}: grant the user of `url` {grant}",
            connection::text(error)
        )),
        _ => refused(error, what),
    }
}

/// An error of the server about one statement.
fn refused(error: &tokio_postgres::Error, what: &str) -> SinkError {
    match error.as_db_error() {
        Some(_) if connection::is_of_dropped(error) => {
            SinkError::Moved(format!("{what}: {}", connection::text(error)))
        }
        Some(_) if !connection::is_passing(error) => {
            SinkError::Refused(format!("{what}: {}", connection::text(error)))
        }
        _ => unreachable(error),
    }
}

/// Names the table of `$2` as it is now: it has another name when it was dropped and created, or emptied by
/// `TRUNCATE`. Then the rows that were written are gone. `VACUUM FULL`, `CLUSTER` and a restore change the
/// name as well, which cannot be told apart from here.
const TABLE_ID: &str = "(SELECT c.oid::text || ':' || pg_relation_filenode(c.oid)::text FROM pg_class c WHERE c.oid = to_regclass($2))";

/// What the rights of a table have to be.
const TABLE_RIGHTS: &str = "SELECT, INSERT, UPDATE and DELETE on it";

/// The query of what the schema holds of the metric `$1`, whose table is `$2`.
fn select_stored(schema: &str) -> String {
    format!(
        "SELECT metric_hash, epoch, frontier, version, version_id, table_id IS DISTINCT FROM {TABLE_ID} FROM \
         {}.metricc_frontiers WHERE metric = $1",
        columns::quoted(schema)
    )
}

/// What a row of `metricc_frontiers` says, and whether it is about another table than the one that is there.
fn stored(row: &tokio_postgres::Row) -> Result<(Option<Stored>, bool), tokio_postgres::Error> {
    let (hash, epoch): (Option<String>, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
    let (frontier, version): (Option<Vec<i64>>, Option<i64>) = (row.try_get(2)?, row.try_get(3)?);
    let (id, is_lost): (Option<String>, bool) = (row.try_get(4)?, row.try_get(5)?);
    let all = hash.zip(epoch).zip(frontier).zip(version).zip(id);
    let stored = all.map(|((((hash, epoch), frontier), version), id)| Stored {
        hash,
        epoch,
        frontier: frontier.into_iter().map(i64::cast_unsigned).collect(),
        version: version.cast_unsigned(),
        id,
    });
    Ok((stored, is_lost))
}

#[async_trait]
impl Sink for PostgresSink {
    async fn held(&mut self, metric: &str) -> Result<Held, SinkError> {
        let query = select_stored(&self.settings.schema);
        let table = columns::full_name(&self.settings.schema, metric);
        let row = self.client().await?.query_opt(&query, &[&metric, &table]).await;
        let frontiers = format!("{}.metricc_frontiers", columns::quoted(&self.settings.schema));
        let row = row.map_err(|error| {
            self.client = None;
            let what = format!("table {frontiers} cannot be read");
            refused_right(&error, &what, "SELECT, INSERT and UPDATE on it")
        })?;
        let found = row.as_ref().map(stored).transpose().map_err(|error| {
            SinkError::Refused(format!(
                "table {frontiers} is not as this version of metricc made it: {error}: \
                 rename or drop it, and all rows are written"
            ))
        })?;
        let (stored, is_lost) = found.unwrap_or_default();
        let removable = format!("the row of `{metric}` in {frontiers}");
        Ok(Held::Known { stored, is_lost, epoch: None, removable })
    }

    async fn write(&mut self, version: &Version, changes: &mut dyn Changes) -> Result<Written, SinkError> {
        let schema = self.settings.schema.clone();
        let client = self.client().await?;
        let transaction = client.transaction().await.map_err(|error| unreachable(&error))?;
        let result = write(&transaction, &schema, version, changes).await;
        match result {
            Ok(written) => {
                // Whether it was committed, if this fails, is seen in what the sink holds.
                transaction.commit().await.map_err(|error| unreachable(&error))?;
                Ok(written)
            }
            Err(error) => {
                // The error says more than that of rolling back.
                let _ = transaction.rollback().await;
                if matches!(error, SinkError::Moved(_)) {
                    // The schema may be gone: a new connection begins with it.
                    self.client = None;
                }
                Err(error)
            }
        }
    }
}

async fn write(
    transaction: &Transaction<'_>,
    schema: &str,
    version: &Version,
    changes: &mut dyn Changes,
) -> Result<Written, SinkError> {
    let set = transaction.batch_execute("SET LOCAL lock_timeout = '5s'").await;
    set.map_err(|error| unreachable(&error))?;
    lock_table(transaction, &columns::full_name(schema, &version.metric)).await?;
    let (held, is_lost) = locked(transaction, schema, version).await?;
    if held != version.base {
        let problem = "another node has written to it since; give each node a schema of its own";
        return Err(SinkError::Moved(format!("table `{}`: {problem}", version.metric)));
    }
    if is_lost && !version.is_complete {
        let problem = "it was emptied or replaced, and all rows are written again";
        return Err(SinkError::Moved(format!("table `{}`: {problem}", version.metric)));
    }
    let table = columns::Table::of(schema, version)?;
    table.prepare(transaction, version).await?;
    merge::merge(transaction, &table, version, changes).await
}

/// Keeps the table, if it is there, from being emptied or replaced before the end of this transaction. What a
/// transaction did to it that was first is seen by all that comes after.
async fn lock_table(transaction: &Transaction<'_>, table: &str) -> Result<(), SinkError> {
    let failed = |error: tokio_postgres::Error| match error.code() {
        // An index, for example: its names are among those of tables.
        Some(&SqlState::WRONG_OBJECT_TYPE) => SinkError::Refused(format!(
            "{table} is there, and is no table: rename it, or set another `schema` ({})",
            connection::text(&error)
        )),
        _ => refused_right(&error, &format!("table {table} cannot be locked"), TABLE_RIGHTS),
    };
    let found = transaction.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table]).await;
    let is_there: bool = found.and_then(|row| row.try_get(0)).map_err(failed)?;
    if is_there {
        let lock = format!("LOCK TABLE ONLY {table} IN ROW EXCLUSIVE MODE");
        transaction.batch_execute(&lock).await.map_err(failed)?;
    }
    Ok(())
}

/// Locks the row of the metric for this transaction. Returns what it says, as [`stored`].
async fn locked(
    transaction: &Transaction<'_>,
    schema: &str,
    version: &Version,
) -> Result<(Option<Stored>, bool), SinkError> {
    let frontiers = format!("{}.metricc_frontiers", columns::quoted(schema));
    let insert = format!("INSERT INTO {frontiers} (metric) VALUES ($1) ON CONFLICT DO NOTHING");
    let lock = format!("SELECT 1 FROM {frontiers} WHERE metric = $1 FOR UPDATE");
    let table = columns::full_name(schema, &version.metric);
    let failed = |error: tokio_postgres::Error| {
        let what = format!("table {frontiers} cannot be written");
        refused_right(&error, &what, "SELECT, INSERT and UPDATE on it")
    };
    transaction.execute(&insert, &[&version.metric]).await.map_err(failed)?;
    transaction.query_one(&lock, &[&version.metric]).await.map_err(failed)?;
    let row =
        transaction.query_opt(&select_stored(schema), &[&version.metric, &table]).await.map_err(failed)?;
    let held = row.as_ref().map(stored).transpose().map_err(failed)?;
    Ok(held.unwrap_or_default())
}
