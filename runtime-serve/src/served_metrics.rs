//! The metrics that are served, by name: those of the version that is live, and those of other versions, which
//! readers may ask for by hash.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::{Access, Readable, RowFilter};
use metricc_client::{ReadRequest, ServedMetric, ServingError};
use metricc_compiler::{DerivedPlan, MetricPlan};
use metricc_ir::{Calendar, RowType, Window, grain};

use crate::{DeclaredAggregate, Mergeable};

/// Fewest digits of a hash by which a request may name it.
const FEWEST_DIGITS: usize = 8;

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

    /// Which of its rows may be merged, and for each output the aggregate of SQL that means it.
    pub(crate) fn measures(&self) -> (Mergeable, Vec<Option<DeclaredAggregate>>) {
        match &self.plan {
            ServedPlan::Base(plan) => (Mergeable::of_base(plan), DeclaredAggregate::of_base(plan)),
            ServedPlan::Derived(plan) => (Mergeable::of_derived(plan), DeclaredAggregate::of_derived(plan)),
        }
    }

    /// Whether a request names it by its hash, by that of its definition, or by the start of one of them.
    fn is_meant_by(&self, wanted: &str) -> bool {
        means(wanted, &self.metric.hash) || means(wanted, &self.definition_hash)
    }
}

/// Whether a hash is given by its digits, or by the first ones.
fn means(wanted: &str, hash: &str) -> bool {
    hash == wanted || (wanted.len() >= FEWEST_DIGITS && hash.starts_with(wanted))
}

/// Refuses the start of a hash that is the start of several. These are those that it may mean.
fn check_one(metric: &str, wanted: &str, hashes: &BTreeSet<&str>) -> Result<(), ServingError> {
    if hashes.len() < 2 {
        return Ok(());
    }
    let hashes: Vec<&str> = hashes.iter().copied().collect();
    Err(ServingError::Request(format!(
        "`hash`: `{wanted}` is the start of several hashes of `{metric}`, `{}`: give more digits",
        hashes.join("`, `")
    )))
}

/// The metrics of one version of a package, and its calendars, which a `grain` may name.
#[derive(Debug, Clone, Default)]
pub struct ServedVersion {
    /// Its number among the versions of a package, if it has one.
    pub number: Option<u64>,
    /// Base metrics, each once.
    pub base: Vec<Arc<MetricPlan>>,
    /// Metrics derived from them.
    pub derived: Vec<Arc<DerivedPlan>>,
    /// Calendars, by name.
    pub calendars: Vec<(String, Calendar)>,
    /// What restricted readers may read, by their names. One that is not there may read nothing.
    pub readers: Arc<BTreeMap<String, Readable>>,
}

impl ServedVersion {
    /// The plans of all base metrics that it needs, those of operands among them; some may occur twice.
    pub fn plans(&self) -> impl Iterator<Item = &Arc<MetricPlan>> {
        self.base.iter().chain(self.derived.iter().flat_map(|derived| &derived.operands))
    }
}

/// All versions that are served. A request is resolved by one of them, so no answer mixes two.
#[derive(Debug)]
pub(crate) struct ServedVersions {
    pub(crate) live: Catalogue,
    /// In the order in which they are asked for a hash.
    others: Vec<Catalogue>,
}

impl ServedVersions {
    pub(crate) fn new(live: ServedVersion, others: &[ServedVersion]) -> Self {
        let others = others.iter().cloned().map(Catalogue::new).collect();
        ServedVersions { live: Catalogue::new(live), others }
    }

    /// The version that answers requests as a whole: the live one, unless they name hashes of definitions that
    /// only another one has.
    ///
    /// # Errors
    /// As [`Catalogue::entry`] of the live version, for the first request that it does not answer.
    pub(crate) fn of_requests(
        &self,
        requests: &[ReadRequest],
        access: &Access,
    ) -> Result<&Catalogue, ServingError> {
        requests.iter().try_for_each(|request| self.check_hash(request, access))?;
        let first_error = |catalogue: &Catalogue| {
            requests.iter().find_map(|request| catalogue.entry(request, access).err())
        };
        let Some(error) = first_error(&self.live) else { return Ok(&self.live) };
        let names_hash = requests.iter().any(|request| request.hash.is_some());
        let other = self.others.iter().find(|other| names_hash && first_error(other).is_none());
        other.ok_or_else(|| self.with_versions(error, access))
    }

    /// Refuses a hash that may mean several definitions of the metric, in all versions.
    fn check_hash(&self, request: &ReadRequest, access: &Access) -> Result<(), ServingError> {
        let Some(wanted) = &request.hash else { return Ok(()) };
        let all = std::iter::once(&self.live).chain(&self.others);
        let named = all.filter_map(|version| version.named(&request.metric, access));
        let named: Vec<_> = named.filter(|entry| entry.is_meant_by(wanted)).collect();
        let is_whole =
            |entry: &&Arc<CatalogueEntry>| [&entry.metric.hash, &entry.definition_hash].contains(&wanted);
        match named.iter().any(is_whole) {
            true => Ok(()),
            false => {
                let hashes = named.iter().map(|entry| entry.metric.hash.as_str());
                check_one(&request.metric, wanted, &hashes.collect())
            }
        }
    }

    /// Says which other versions have a metric that is not served.
    fn with_versions(&self, error: ServingError, access: &Access) -> ServingError {
        let ServingError::UnknownMetric { name, known, .. } = error else { return error };
        let version = |other: &Catalogue| {
            let (number, entry) = (other.version.number?, other.named(&name, access)?);
            Some(format!("{number}@{}", entry.metric.hash))
        };
        let versions = self.others.iter().filter_map(version).collect();
        ServingError::UnknownMetric { name, known, versions }
    }
}

/// The metrics of one version, by name, and the calendars that requests name.
#[derive(Debug)]
pub(crate) struct Catalogue {
    version: ServedVersion,
    base: BTreeMap<String, Arc<CatalogueEntry>>,
    derived: BTreeMap<String, Arc<CatalogueEntry>>,
}

impl Catalogue {
    fn new(version: ServedVersion) -> Self {
        let by_name = |plan| {
            let entry = CatalogueEntry::new(plan);
            (entry.metric.name.clone(), Arc::new(entry))
        };
        Catalogue {
            base: version.base.iter().cloned().map(ServedPlan::Base).map(by_name).collect(),
            derived: version.derived.iter().cloned().map(ServedPlan::Derived).map(by_name).collect(),
            version,
        }
    }

    /// What it was made of.
    pub(crate) fn version(&self) -> &ServedVersion {
        &self.version
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
        let grain =
            request.grain.as_ref().map(|text| grain(text, window, &self.version.calendars)).transpose();
        grain.map_err(|problem| ServingError::Request(format!("`grain`: {problem}")))
    }

    /// Base metrics by name, then derived ones: those that may be read.
    pub(crate) fn metrics<'a>(&'a self, access: &'a Access) -> impl Iterator<Item = &'a ServedMetric> {
        let all = self.base.values().chain(self.derived.values()).map(|entry| &entry.metric);
        all.filter(|metric| self.may_read(access, &metric.name))
    }

    /// What a restricted reader may read; `None` for a reader without restrictions.
    fn readable(&self, access: &Access) -> Option<Option<&Readable>> {
        access.reader().map(|reader| self.version.readers.get(reader))
    }

    fn may_read(&self, access: &Access, metric: &str) -> bool {
        self.readable(access).is_none_or(|readable| readable.is_some_and(|known| known.contains_key(metric)))
    }

    /// The rows of a metric that a reader may read; `None` if those are all.
    pub(crate) fn filter(&self, access: &Access, metric: &str) -> Option<Arc<RowFilter>> {
        self.readable(access).flatten()?.get(metric)?.clone()
    }

    fn named(&self, name: &str, access: &Access) -> Option<&Arc<CatalogueEntry>> {
        let named = self.base.get(name).or_else(|| self.derived.get(name));
        named.filter(|_| self.may_read(access, name))
    }

    /// The metric of a request.
    ///
    /// # Errors
    /// [`ServingError::UnknownMetric`], or [`ServingError::OtherDefinition`] if the request is for another
    /// definition.
    pub(crate) fn entry(
        &self,
        request: &ReadRequest,
        access: &Access,
    ) -> Result<&Arc<CatalogueEntry>, ServingError> {
        let entry = self.named(&request.metric, access).ok_or_else(|| ServingError::UnknownMetric {
            name: request.metric.clone(),
            known: self.metrics(access).map(|metric| metric.name.clone()).collect(),
            versions: Vec::new(),
        })?;
        let served = &entry.metric.hash;
        match &request.hash {
            Some(wanted) if !entry.is_meant_by(wanted) => {
                let (metric, served) = (request.metric.clone(), served.clone());
                Err(ServingError::OtherDefinition { metric, served, wanted: wanted.clone() })
            }
            _ => Ok(entry),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_given_by_its_first_digits_if_they_are_those_of_one() {
        let (one, other) = ("0123456789abcdef", "0123456789ffffff");
        assert!(means("01234567", one) && means(one, one));
        assert!(!means("0123456", one) && !means("", one) && !means("01234568", one));
        let check = |wanted: &str, hashes: &[&str]| check_one("m", wanted, &hashes.iter().copied().collect());
        assert!(check("0123456789", &[one]).is_ok());
        let problem = check("0123456789", &[one, other]).expect_err("two").to_string();
        assert!(problem.contains(one) && problem.contains(other), "{problem}");
    }
}
