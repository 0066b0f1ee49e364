//! Sessions of DataFusion in which metrics and sources are tables.

use std::sync::Arc;

use datafusion::catalog::{
    CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider, TableProvider,
};
use datafusion::common::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::optimizer::Analyzer;
use datafusion::prelude::{SessionConfig, SessionContext};
use metricc_client::ServingError;
use metricc_runtime_serve::ServedSnapshot;

use crate::measure_function::Measure;
use crate::measure_rule::MeasureRule;
use crate::{MetricTable, SourceTable};

/// The schema of all tables, in the catalogue `metricc`.
pub const SCHEMA: &str = "public";
const CATALOG: &str = "metricc";

/// The tables of one moment.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// Metrics.
    pub metrics: Vec<MetricTable>,
    /// Sources; one whose name is that of a metric is not among them.
    pub sources: Vec<SourceTable>,
}

impl Tables {
    /// The tables of all metrics that are served, and of sources. What has columns of equal names is no table, and
    /// is given with the reason.
    pub fn of(served: &ServedSnapshot, sources: Vec<SourceTable>) -> (Self, Vec<(String, ServingError)>) {
        let (mut tables, mut left_out) = (Tables::default(), Vec::new());
        for metric in served.metric_names() {
            match MetricTable::new(served, metric) {
                Ok(table) => tables.metrics.push(table),
                Err(error) => left_out.push((metric.to_owned(), error)),
            }
        }
        let is_metric = |name: &str| served.metric_names().any(|metric| metric == name);
        tables.sources = sources.into_iter().filter(|source| !is_metric(source.name())).collect();
        (tables, left_out)
    }
}

impl Tables {
    /// The names of all tables: metrics, then sources.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let metrics = self.metrics.iter().map(|table| table.row_type().name.as_str());
        metrics.chain(self.sources.iter().map(SourceTable::name))
    }

    /// A table by its name.
    pub fn find(&self, name: &str) -> Option<Arc<dyn TableProvider>> {
        let metric = self.metrics.iter().find(|table| table.row_type().name == name);
        match metric {
            Some(metric) => Some(Arc::new(metric.clone())),
            None => {
                let source = self.sources.iter().find(|source| source.name() == name)?;
                Some(Arc::new(source.clone()))
            }
        }
    }

    /// The `///` text of a table; `None` without one.
    pub fn doc(&self, name: &str) -> Option<&str> {
        let metrics =
            self.metrics.iter().map(|table| (table.row_type().name.as_str(), table.row_type().doc.as_str()));
        let mut all = metrics.chain(self.sources.iter().map(|source| (source.name(), source.doc())));
        all.find(|(known, doc)| *known == name && !doc.is_empty()).map(|(_, doc)| doc)
    }
}

/// What a session needs to know the meaning of measures. Add what else your session needs, then build it; or use
/// [`session`].
pub fn session_state(config: SessionConfig) -> SessionStateBuilder {
    let mut rules = Analyzer::new().rules;
    // Before types are made to fit: outputs have types of their own.
    rules.insert(0, Arc::new(MeasureRule));
    let mut builder =
        SessionStateBuilder::new().with_config(config).with_default_features().with_analyzer_rules(rules);
    builder.aggregate_functions().get_or_insert_default().push(Arc::new(Measure::function()));
    builder
}

/// A session with these tables and no others.
///
/// # Errors
/// If two tables have one name.
pub fn session(tables: &Tables) -> Result<SessionContext> {
    let config = SessionConfig::new()
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(true);
    let context = SessionContext::new_with_state(session_state(config).build());
    let catalog = MemoryCatalogProvider::new();
    let schema: Arc<dyn SchemaProvider> = Arc::new(MemorySchemaProvider::new());
    register(schema.as_ref(), tables)?;
    catalog.register_schema(SCHEMA, schema)?;
    context.register_catalog(CATALOG, Arc::new(catalog));
    Ok(context)
}

/// Adds the tables to a schema of any session that [`session_state`] has made.
///
/// # Errors
/// If two tables have one name.
pub fn register(schema: &dyn SchemaProvider, tables: &Tables) -> Result<()> {
    for table in &tables.metrics {
        schema.register_table(table.row_type().name.clone(), Arc::new(table.clone()))?;
    }
    for table in &tables.sources {
        schema.register_table(table.name().to_owned(), Arc::new(table.clone()))?;
    }
    Ok(())
}
