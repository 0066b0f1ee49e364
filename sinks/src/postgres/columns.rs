//! The table of a metric: its columns, and whether one that is there has them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use arrow::datatypes::{DataType, Field};
use tokio_postgres::Transaction;
use tokio_postgres::error::SqlState;

use super::connection::text;
use super::{refused, refused_right};
use crate::{SinkError, Version};

/// Most bytes of a name; PostgreSQL would cut off the rest silently.
pub(super) const MOST_NAME: usize = 63;
/// What tells rows apart: SHA-256 of their key, since keys may be null and of any length.
pub(super) const KEY: &str = "metricc_key";
/// What could not be computed.
pub(super) const OVERFLOW: &str = "metricc_overflow";
/// Columns that every table has, and that no table can have twice.
const OF_SYSTEM: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// A name as it stands in a statement.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The name of the table of a metric as it stands in a statement.
pub(super) fn full_name(schema: &str, metric: &str) -> String {
    format!("{}.{}", quoted(schema), quoted(metric))
}

/// The name of the primary key, and so of its index, which lies among the tables. It has a space, and so is
/// not the name of a metric.
fn key_name(metric: &str) -> String {
    let name = format!("{metric} key");
    if name.len() <= MOST_NAME {
        return name;
    }
    let mut hasher = DefaultHasher::new();
    metric.hash(&mut hasher);
    format!("metricc key {:016x}", hasher.finish())
}

/// The type of a column.
pub(super) fn sql_type(data_type: &DataType) -> Result<&'static str, String> {
    Ok(match data_type {
        DataType::Boolean => "boolean",
        // Durations are in µs, as in JSON.
        DataType::Int64 | DataType::Duration(_) => "bigint",
        DataType::Float64 => "double precision",
        DataType::Decimal128(..) => "numeric",
        DataType::Utf8 | DataType::Utf8View => "text",
        DataType::Date32 => "date",
        DataType::Timestamp(..) => "timestamp with time zone",
        DataType::List(_) | DataType::Struct(_) => "jsonb",
        other => return Err(format!("values of type `{other}` have no type in PostgreSQL")),
    })
}

/// The table of a metric.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) schema: String,
    pub(super) name: String,
    /// Name and type of each column of the rows, in order.
    pub(super) columns: Vec<(String, &'static str)>,
}

impl Table {
    /// # Errors
    /// [`SinkError::Refused`] if a name is too long, taken, or a type has no place.
    pub(super) fn of(schema: &str, version: &Version) -> Result<Self, SinkError> {
        let column = |field: &Field| Ok((field.name().clone(), sql_type(field.data_type())?));
        let fields = version.schema.fields().iter().map(|field| column(field));
        let columns: Vec<(String, &'static str)> =
            fields.collect::<Result<_, String>>().map_err(SinkError::Refused)?;
        let names = || columns.iter().map(|(name, _)| name).chain([&version.metric]);
        if let Some(name) = names().find(|name| name.len() > MOST_NAME) {
            let problem = "is longer than the 63 bytes that PostgreSQL has for a name: give it a shorter one";
            return Err(SinkError::Refused(format!("`{name}` {problem}")));
        }
        if let Some(name) = names().find(|name| [KEY, OVERFLOW, "metricc_frontiers"].contains(&name.as_str()))
        {
            return Err(SinkError::Refused(format!(
                "`{name}` is a name of metricc's own: choose another one"
            )));
        }
        if let Some((name, _)) = columns.iter().find(|(name, _)| OF_SYSTEM.contains(&name.as_str())) {
            let problem = "is a column that PostgreSQL has in every table: \
                           give the key or the output another name, or leave the metric out of `metrics`";
            return Err(SinkError::Refused(format!("`{name}` {problem}")));
        }
        Ok(Table { schema: schema.to_owned(), name: version.metric.clone(), columns })
    }

    /// Its name in statements.
    pub(super) fn full_name(&self) -> String {
        full_name(&self.schema, &self.name)
    }

    /// Name and type of all columns.
    fn all(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let rows = self.columns.iter().map(|(name, sql)| (name.as_str(), *sql));
        [(KEY, "bytea")].into_iter().chain(rows).chain([(OVERFLOW, "jsonb")])
    }

    /// Creates the table, or checks the one that is there. A table of another definition of the metric gets
    /// the new columns, and keeps rights and indexes.
    pub(super) async fn prepare(
        &self,
        transaction: &Transaction<'_>,
        version: &Version,
    ) -> Result<(), SinkError> {
        let found = self.found(transaction).await?;
        let wanted: BTreeMap<&str, &str> = self.all().collect();
        let name = self.full_name();
        let changes = if found.is_empty() && !version.is_complete {
            return Err(SinkError::NotComparable(format!("table {name} is gone")));
        } else if found.is_empty() {
            let columns = self.all().map(|(column, sql)| format!("{} {sql}", quoted(column)));
            let columns = columns.collect::<Vec<_>>().join(", ");
            format!(
                "CREATE TABLE {name} ({columns}, CONSTRAINT {} PRIMARY KEY ({KEY}))",
                quoted(&key_name(&self.name))
            )
        } else if found.iter().map(|(column, sql)| (column.as_str(), sql.as_str())).eq(wanted.clone()) {
            return Ok(());
        } else if version.is_of_other_hash() && found.contains_key(KEY) {
            let gone =
                found.iter().filter(|(column, sql)| wanted.get(column.as_str()) != Some(&sql.as_str()));
            let gone = gone.map(|(column, _)| format!("DROP COLUMN {}", quoted(column)));
            let new =
                wanted.iter().filter(|(column, sql)| found.get(**column).map(String::as_str) != Some(sql));
            let new = new.map(|(column, sql)| format!("ADD COLUMN {} {sql}", quoted(column)));
            format!("ALTER TABLE {name} {}", gone.chain(new).collect::<Vec<_>>().join(", "))
        } else {
            return Err(self.has_other_columns(&found));
        };
        let changed = transaction.batch_execute(&changes).await;
        changed.map_err(|error| match error.code() {
            Some(&SqlState::DEPENDENT_OBJECTS_STILL_EXIST) => SinkError::Refused(format!(
                "the metric has other columns now, and a view reads the old ones of table {name}: drop the view, and the \
                 table is written again ({})",
                text(&error)
            )),
            _ if found.is_empty() => {
                let grant = format!("USAGE and CREATE on schema {}", quoted(&self.schema));
                refused_right(&error, &format!("table {name} cannot be created"), &grant)
            }
            _ => {
                let grant = "the role that owns the table";
                refused_right(&error, &format!("the columns of table {name} cannot be changed"), grant)
            }
        })
    }

    /// Name and type of the columns of the table in the database.
    async fn found(&self, transaction: &Transaction<'_>) -> Result<BTreeMap<String, String>, SinkError> {
        let query = "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = to_regclass($1) \
                     AND attnum > 0 AND NOT attisdropped";
        let failed = |error: tokio_postgres::Error| refused(&error, "the columns of a table cannot be read");
        let rows = transaction.query(query, &[&self.full_name()]).await.map_err(failed)?;
        let columns = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        columns.collect::<Result<_, _>>().map_err(failed)
    }

    fn has_other_columns(&self, found: &BTreeMap<String, String>) -> SinkError {
        let list = |columns: Vec<(&str, &str)>| {
            let columns: Vec<String> = columns.iter().map(|(name, sql)| format!("{name} {sql}")).collect();
            columns.join(", ")
        };
        let found = found.iter().map(|(name, sql)| (name.as_str(), sql.as_str())).collect();
        let wanted: BTreeMap<&str, &str> = self.all().collect();
        SinkError::Refused(format!(
            "table {} has other columns ({}) than the metric ({}): rename or drop the table, or set another `schema`",
            self.full_name(),
            list(found),
            list(wanted.into_iter().collect()),
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::Schema;

    use super::*;
    use crate::Stored;

    #[test]
    fn columns_of_the_system_are_refused() {
        for (name, is_refused) in [("ctid", true), ("xmin", true), ("oid", false)] {
            let next = Stored {
                hash: "h".to_owned(),
                epoch: "e".to_owned(),
                frontier: vec![1],
                version: 1,
                id: "i".to_owned(),
            };
            let schema = Arc::new(Schema::new(vec![Field::new(name, DataType::Int64, true)]));
            let metric = "m".to_owned();
            let version = Version { metric, base: None, next, is_complete: true, schema, n_keys: 1 };
            let problem = Table::of("s", &version).err().map(|error| error.to_string()).unwrap_or_default();
            assert_eq!(problem.contains("has in every table") && problem.contains(name), is_refused);
        }
    }

    #[test]
    fn no_metric_has_the_name_of_the_primary_key_of_another() {
        assert_eq!(key_name("ctid"), "ctid key");
        let (long, longer) = ("m".repeat(62), "m".repeat(63));
        assert!(key_name(&long).len() <= MOST_NAME && key_name(&long).contains(' '));
        assert_ne!(key_name(&long), key_name(&longer));
    }
}
