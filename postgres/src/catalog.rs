//! The catalogue of a connection: what is served, and `pg_catalog` about it.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int32Type;
use async_trait::async_trait;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList, SchemaProvider,
    TableProvider,
};
use datafusion::common::Result;
use datafusion::execution::SessionState;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_pg_catalog::pg_catalog::{PgCatalogSchemaProvider, PgCatalogStaticTables};
use datafusion_pg_catalog::setup_pg_catalog;
use futures::executor::block_on;
use metricc_sql::{SCHEMA, session_state};

use crate::comparisons::Comparisons;
use crate::connection::CurrentTables;
use crate::functions;
use crate::pg_catalog::PgCatalog;

/// The database of all tables.
pub(crate) const DATABASE: &str = "metricc";

/// What all connections share.
pub(crate) struct ServerState {
    /// Functions, rules and types; no tables.
    state: SessionState,
    static_tables: Arc<PgCatalogStaticTables>,
}

impl ServerState {
    /// # Errors
    /// If what is known of PostgreSQL cannot be read.
    pub(crate) fn new(memory_bytes: usize) -> Result<Self> {
        let config = SessionConfig::new()
            .with_default_catalog_and_schema(DATABASE, SCHEMA)
            .with_information_schema(true)
            .with_target_partitions(1)
            .set_str("datafusion.sql_parser.dialect", "postgresql");
        let pool = Arc::new(FairSpillPool::new(memory_bytes));
        let runtime: RuntimeEnv = RuntimeEnvBuilder::new().with_memory_pool(pool).build()?;
        let state = session_state(config).with_runtime_env(Arc::new(runtime)).build();
        let mut context = SessionContext::new_with_state(state);
        context.register_expr_planner(Arc::new(Comparisons))?;
        // Its functions and types; the schema is one for each connection.
        setup_pg_catalog(&context, DATABASE, EmptyContextProvider).map_err(|error| *error)?;
        functions::all().into_iter().for_each(|function| context.register_udf(function));
        let static_tables = Arc::new(PgCatalogStaticTables::try_new()?);
        context.register_udf(functions::to_regtype(identifiers(static_tables.pg_type.data())));
        Ok(ServerState { state: context.state(), static_tables })
    }
}

/// The identifiers of PostgreSQL's types, by name.
fn identifiers(types: &[RecordBatch]) -> HashMap<String, i32> {
    let mut found = HashMap::new();
    for batch in types {
        let (Some(oids), Some(names)) = (batch.column_by_name("oid"), batch.column_by_name("typname")) else {
            continue;
        };
        if let (Some(oids), Some(names)) =
            (oids.as_primitive_opt::<Int32Type>(), names.as_string_opt::<i32>())
        {
            let named = names.iter().zip(oids).filter_map(|(name, oid)| Some((name?.to_owned(), oid?)));
            found.extend(named);
        }
    }
    found
}

/// The session of a connection.
///
/// # Errors
/// If its catalogue cannot be made.
pub(crate) fn context(server: &ServerState, current: &CurrentTables) -> Result<SessionContext> {
    let catalogs = Arc::new(MemoryCatalogProviderList::new());
    let state = SessionStateBuilder::new_from_existing(server.state.clone())
        .with_session_id(String::new())
        .with_catalog_list(catalogs)
        .build();
    let context = SessionContext::new_with_state(state);
    let served = || Arc::new(Served { current: current.clone() });
    // `pg_catalog` describes itself as well, but not its own descriptions: they are made of what it says.
    let described: Arc<dyn CatalogProviderList> = Arc::new(MemoryCatalogProviderList::new());
    let pg_catalog = PgCatalogSchemaProvider::try_new(
        described.clone(),
        server.static_tables.clone(),
        EmptyContextProvider,
    )?;
    let pg_catalog: Arc<dyn SchemaProvider> = Arc::new(pg_catalog);
    described.register_catalog(DATABASE.to_owned(), catalog(served(), pg_catalog.clone())?);
    let with_descriptions = Arc::new(PgCatalog::new(pg_catalog, current.clone()));
    context.register_catalog(DATABASE, catalog(served(), with_descriptions.clone())?);
    // All that it reads is in memory.
    let described = move || block_on(with_descriptions.texts());
    functions::descriptions(Arc::new(described))
        .into_iter()
        .for_each(|function| context.register_udf(function));
    Ok(context)
}

fn catalog(
    served: Arc<dyn SchemaProvider>,
    pg_catalog: Arc<dyn SchemaProvider>,
) -> Result<Arc<dyn CatalogProvider>> {
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema(SCHEMA, served)?;
    catalog.register_schema("pg_catalog", pg_catalog)?;
    Ok(Arc::new(catalog))
}

/// The tables of the statement.
#[derive(Debug)]
struct Served {
    current: CurrentTables,
}

impl Served {
    fn tables(&self) -> Arc<metricc_sql::Tables> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl SchemaProvider for Served {
    fn table_names(&self) -> Vec<String> {
        self.tables().names().map(str::to_owned).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        Ok(self.tables().find(name))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.tables().find(name).is_some()
    }
}
