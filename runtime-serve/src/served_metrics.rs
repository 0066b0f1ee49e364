//! The metrics that are served, by name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metricc_client::{ReadRequest, ServedMetric, ServingError};
use metricc_compiler::{DerivedPlan, MetricPlan};
use metricc_ir::{Calendar, RowType, Window, grain};

/// A metric that is served, with all that a request is checked against.
#[derive(Debug)]
pub(crate) struct CatalogueEntry {
    pub(crate) plan: ServedPlan,
    pub(crate) metric: ServedMetric,
    /// Hash of its definition, which a request may name instead of that of the metric.
    definition_hash: String,
    /// Its rows, as they are defined.
    pub(crate) row_type: RowType,
    /// The names of its sources, in the order in which a frontier has their offsets.
    pub(crate) sources: BTreeSet<String>,
}

/// The plan of a metric.
#[derive(Debug)]
pub(crate) enum ServedPlan {
    Base(Arc<MetricPlan>),
    Derived(Arc<DerivedPlan>),
}

impl ServedPlan {
    /// The base metrics that it is computed from.
    pub(crate) fn base(&self) -> &[Arc<MetricPlan>] {
        match self {
            ServedPlan::Base(plan) => std::slice::from_ref(plan),
            ServedPlan::Derived(plan) => &plan.operands,
        }
    }
}

impl CatalogueEntry {
    fn new(plan: ServedPlan) -> Self {
        let (name, hash, doc, definition_hash, row_type) = match &plan {
            ServedPlan::Base(plan) => {
                let metric = &plan.metric;
                (&metric.name, plan.hash, &metric.doc, metric.definition_hash(), metric.row_type())
            }
            ServedPlan::Derived(plan) => {
                let metric = &plan.derived;
                (&metric.name, plan.hash, &metric.doc, metric.definition_hash(), metric.row_type())
            }
        };
        let (name, hash, doc) = (name.clone(), hash.to_string(), doc.clone());
        let metric = ServedMetric { name, hash, doc, cost: None };
        let sources = plan.base().iter().map(|plan| plan.metric.source.name.clone()).collect();
        CatalogueEntry { plan, metric, definition_hash, row_type, sources }
    }

    pub(crate) fn window(&self) -> &Window {
        &self.row_type.window
    }
}

/// All metrics that are served, and the calendars that requests name.
#[derive(Debug, Clone)]
pub(crate) struct Catalogue {
    base: BTreeMap<String, Arc<CatalogueEntry>>,
    derived: BTreeMap<String, Arc<CatalogueEntry>>,
    calendars: Vec<(String, Calendar)>,
}

impl Catalogue {
    pub(crate) fn new(base: &[Arc<MetricPlan>], derived: &[Arc<DerivedPlan>]) -> Self {
        let by_name = |plan| {
            let entry = CatalogueEntry::new(plan);
            (entry.metric.name.clone(), Arc::new(entry))
        };
        Catalogue {
            base: base.iter().cloned().map(ServedPlan::Base).map(by_name).collect(),
            derived: derived.iter().cloned().map(ServedPlan::Derived).map(by_name).collect(),
            calendars: Vec::new(),
        }
    }

    /// The same metrics, with the calendars of a package.
    pub(crate) fn with_calendars(&self, calendars: &[(String, Calendar)]) -> Self {
        Catalogue { calendars: calendars.to_vec(), ..self.clone() }
    }

    /// The grain that a request asks for.
    ///
    /// # Errors
    /// [`ServingError::Request`] if its text is no window.
    pub(crate) fn grain(
        &self,
        request: &ReadRequest,
        window: &Window,
    ) -> Result<Option<Window>, ServingError> {
        let grain = request.grain.as_ref().map(|text| grain(text, window, &self.calendars)).transpose();
        grain.map_err(|problem| ServingError::Request(format!("`grain`: {problem}")))
    }

    /// Base metrics by name, then derived ones.
    pub(crate) fn metrics(&self) -> impl Iterator<Item = &ServedMetric> {
        self.base.values().chain(self.derived.values()).map(|entry| &entry.metric)
    }

    /// The metric of a request.
    ///
    /// # Errors
    /// [`ServingError::UnknownMetric`], or [`ServingError::OtherDefinition`] if the request is for another
    /// definition.
    pub(crate) fn entry(&self, request: &ReadRequest) -> Result<&Arc<CatalogueEntry>, ServingError> {
        let entry = self.base.get(&request.metric).or_else(|| self.derived.get(&request.metric));
        let entry = entry.ok_or_else(|| ServingError::UnknownMetric {
            name: request.metric.clone(),
            known: self.metrics().map(|metric| metric.name.clone()).collect(),
        })?;
        let served = &entry.metric.hash;
        match &request.hash {
            Some(wanted) if wanted != served && *wanted != entry.definition_hash => {
                let (metric, served) = (request.metric.clone(), served.clone());
                Err(ServingError::OtherDefinition { metric, served, wanted: wanted.clone() })
            }
            _ => Ok(entry),
        }
    }
}
