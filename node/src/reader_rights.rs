//! What the readers of a configuration may read of a version of the package.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metricc_compiler::MetricPlan;
use metricc_dsl::{SourceText, check_condition, render};
use metricc_runtime_serve::{Readable, RowFilter, ServedVersion};

use crate::config::ReaderConfig;

/// Width of rendered diagnostics, in columns.
const WIDTH: usize = 100;

/// The readers of a node, by name.
pub(crate) type Readers = BTreeMap<String, ReaderConfig>;

/// What each reader may read of a version. A metric whose rows cannot be told by the keys that it has is not
/// readable, and a problem.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReaderRights {
    pub(crate) readers: Arc<BTreeMap<String, Readable>>,
    pub(crate) problems: Vec<String>,
}

impl ReaderRights {
    pub(crate) fn new(readers: &Readers, version: &ServedVersion) -> Self {
        let mut problems = Vec::new();
        let of_reader = |(name, reader): (&String, &ReaderConfig)| {
            (name.clone(), readable(name, reader, version, &mut problems))
        };
        let readers = readers.iter().map(of_reader).collect();
        ReaderRights { readers: Arc::new(readers), problems }
    }
}

/// The names of all metrics of a version, each with the base metrics that it is computed from.
fn metrics(version: &ServedVersion) -> impl Iterator<Item = (&str, &[Arc<MetricPlan>])> {
    let base = version.base.iter().map(|plan| (plan.metric.name.as_str(), std::slice::from_ref(plan)));
    base.chain(version.derived.iter().map(|plan| (plan.derived.name.as_str(), &plan.operands[..])))
}

fn readable(
    name: &str,
    reader: &ReaderConfig,
    version: &ServedVersion,
    problems: &mut Vec<String>,
) -> Readable {
    let mut readable = Readable::new();
    for (metric, base) in metrics(version) {
        let Some(entry) = reader.entry(metric) else { continue };
        let Some(text) = reader.filter_of(entry) else {
            readable.insert(metric.to_owned(), None);
            continue;
        };
        match filter(name, metric, base, text) {
            Ok(filter) => {
                readable.insert(metric.to_owned(), Some(Arc::new(filter)));
            }
            Err(problem) => problems.push(problem),
        }
    }
    readable
}

/// The filter of a metric, checked against the keys of each base metric that it is computed from.
fn filter(reader: &str, metric: &str, base: &[Arc<MetricPlan>], text: &str) -> Result<RowFilter, String> {
    let source = SourceText { name: format!("readers.{reader}"), bytes: text.as_bytes().to_vec() };
    let (mut seen, mut checked) = (BTreeSet::new(), Vec::new());
    for plan in base.iter().filter(|plan| seen.insert(plan.metric.name.as_str())) {
        let row_type = plan.metric.row_type();
        let condition = check_condition(&source, &row_type.name, &row_type.keys).map_err(|diagnostics| {
            let of = match plan.metric.name == metric {
                true => String::new(),
                false => format!(", which is computed from `{}`", plan.metric.name),
            };
            let help = format!(
                "give it a condition of its own, `{{ name = \"{metric}\", where = \"…\" }}`, or take it out of \
                 `readers.{reader}.metrics`"
            );
            let rendered = render::full(&diagnostics, &source, false, WIDTH);
            let problem = "does not fit metric";
            format!("`where` of `readers.{reader}` {problem} `{metric}`{of}; {help}\n{}", rendered.trim_end())
        })?;
        checked.push((&**plan, condition));
    }
    RowFilter::new(text, &checked).map_err(|error| error.to_string())
}

/// Says which metrics of a configuration the version that is live does not have: perhaps they are misspelled.
pub(crate) fn warn_of_unknown(readers: &Readers, version: &ServedVersion) {
    for (name, reader) in readers {
        let is_known = |entry: &str| metrics(version).any(|(metric, _)| metric == entry);
        let unknown = reader.metrics.iter().map(|entry| entry.name.as_str());
        for entry in unknown.filter(|entry| !entry.contains('*') && !is_known(entry)) {
            tracing::warn!("`readers.{name}.metrics` names `{entry}`, and the package has no such metric");
        }
    }
}
