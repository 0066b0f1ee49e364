//! `pg_description`: the `///` of metrics and sources, as comments of tables.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use arrow::array::{Array, AsArray, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;

use crate::connection::CurrentTables;

/// The table whose rows are described: it has an identifier of its own here.
const PG_CLASS: &str = "pg_class";

/// `pg_catalog`, with the descriptions of what is served.
#[derive(Debug)]
pub(crate) struct Descriptions {
    of: Arc<dyn SchemaProvider>,
    current: CurrentTables,
}

impl Descriptions {
    pub(crate) fn new(of: Arc<dyn SchemaProvider>, current: CurrentTables) -> Self {
        Descriptions { of, current }
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

#[async_trait]
impl SchemaProvider for Descriptions {
    fn table_names(&self) -> Vec<String> {
        self.of.table_names()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        match name.eq_ignore_ascii_case("pg_description") {
            true => Ok(Some(Arc::new(self.table_of_descriptions().await?))),
            false => self.of.table(name).await,
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.of.table_exist(name)
    }
}
