//! `pg_catalog`, with what the tables of `datafusion-pg-catalog` lack: `pg_description` has the `///` of metrics and
//! sources, `pg_index` columns of their types, and `pg_class` the options of relations.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use arrow::array::{Array, AsArray, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionContext, lit};

use crate::connection::CurrentTables;
use crate::empty_tables::EMPTY;

/// The table whose rows are described: it has an identifier of its own here.
const PG_CLASS: &str = "pg_class";

/// `pg_catalog` of what is served.
#[derive(Debug)]
pub(crate) struct PgCatalog {
    of: Arc<dyn SchemaProvider>,
    current: CurrentTables,
}

impl PgCatalog {
    pub(crate) fn new(of: Arc<dyn SchemaProvider>, current: CurrentTables) -> Self {
        PgCatalog { of, current }
    }

    /// The identifiers of all tables, by the rows of `pg_class`.
    async fn identifiers(&self) -> Result<Vec<(i32, String)>> {
        let Some(classes) = self.of.table("pg_class").await? else { return Ok(Vec::new()) };
        let rows = SessionContext::new().read_table(classes)?.select_columns(&["oid", "relname"])?;
        let mut found = Vec::new();
        for batch in rows.collect().await? {
            let names = batch.column(1).as_string::<i32>();
            let oids = batch.column(0).as_primitive::<Int32Type>();
            found.extend((0..names.len()).map(|row| (oids.value(row), names.value(row).to_owned())));
        }
        Ok(found)
    }

    /// What `///` says of each table, by its identifier.
    pub(crate) async fn texts(&self) -> Result<HashMap<i32, String>> {
        let tables = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        let described = |(oid, name): (i32, String)| Some((oid, tables.doc(&name)?.to_owned()));
        Ok(self.identifiers().await?.into_iter().filter_map(described).collect())
    }

    /// `pg_class` with the options and rights of relations, of which none has any.
    async fn classes(&self) -> Result<Option<Arc<dyn TableProvider>>> {
        let Some(classes) = self.of.table(PG_CLASS).await? else { return Ok(None) };
        let options = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
        let none = lit(ScalarValue::try_new_null(&options)?);
        let classes = SessionContext::new().read_table(classes)?;
        let classes = classes.with_column("reloptions", none.clone())?.with_column("relacl", none)?;
        Ok(Some(classes.into_view()))
    }

    async fn table_of_descriptions(&self) -> Result<MemTable> {
        let rows = self.texts().await?;
        let identifiers = self.identifiers().await?;
        let of_classes = identifiers.iter().find(|(_, name)| name == PG_CLASS).map_or(0, |(oid, _)| *oid);
        let n_rows = rows.len();
        let (oids, texts): (Vec<i32>, Vec<String>) = rows.into_iter().unzip();
        let field = |name: &str, ty: DataType| Field::new(name, ty, false);
        let schema = Arc::new(Schema::new(vec![
            field("objoid", DataType::Int32),
            field("classoid", DataType::Int32),
            field("objsubid", DataType::Int32),
            field("description", DataType::Utf8),
        ]));
        let batch = RecordBatch::try_new(
            schema.clone(),
            vec![
                Arc::new(Int32Array::from(oids)),
                Arc::new(Int32Array::from(vec![of_classes; n_rows])),
                Arc::new(Int32Array::from(vec![0; n_rows])),
                Arc::new(StringArray::from(texts)),
            ],
        )?;
        MemTable::try_new(schema, vec![vec![batch]])
    }
}

/// `pg_index`: tables have no indexes that are theirs.
fn no_indexes() -> Result<MemTable> {
    let oid = |name: &str| Field::new(name, DataType::Int32, false);
    let flag = |name: &str| Field::new(name, DataType::Boolean, false);
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let list = |name: &str, of: DataType| {
        Field::new(name, DataType::List(Arc::new(Field::new_list_field(of, true))), true)
    };
    let small = |name: &str| Field::new(name, DataType::Int16, false);
    let schema = Arc::new(Schema::new(vec![
        oid("indexrelid"),
        oid("indrelid"),
        small("indnatts"),
        small("indnkeyatts"),
        flag("indisunique"),
        flag("indnullsnotdistinct"),
        flag("indisprimary"),
        flag("indisexclusion"),
        flag("indimmediate"),
        flag("indisclustered"),
        flag("indisvalid"),
        flag("indcheckxmin"),
        flag("indisready"),
        flag("indislive"),
        flag("indisreplident"),
        list("indkey", DataType::Int16),
        list("indcollation", DataType::Int32),
        list("indclass", DataType::Int32),
        list("indoption", DataType::Int16),
        text("indexprs"),
        text("indpred"),
    ]));
    MemTable::try_new(schema, vec![Vec::new()])
}

#[async_trait]
impl SchemaProvider for PgCatalog {
    fn table_names(&self) -> Vec<String> {
        self.of.table_names()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        match name {
            "pg_description" => Ok(Some(Arc::new(self.table_of_descriptions().await?))),
            "pg_index" => Ok(Some(Arc::new(no_indexes()?))),
            "pg_class" => self.classes().await,
            // They are empty whatever PostgreSQL has in them: nothing here has a collation, for example.
            _ if EMPTY.contains(&name) => {
                let Some(table) = self.of.table(name).await? else { return Ok(None) };
                Ok(Some(Arc::new(MemTable::try_new(table.schema(), vec![Vec::new()])?)))
            }
            _ => self.of.table(name).await,
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.of.table_exist(name)
    }
}
