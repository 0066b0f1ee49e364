//! Cases from public bug reports. `tests/cases` has the data and the right rows of each, worked out by hand
//! or with other programs; each is computed by batch, by the stream and merged at cuts.

mod weeks_and_ranges;

use std::path::{Path, PathBuf};

use metricc::jiff::Timestamp;
use metricc::{Engine, Evaluated, Package, bind, evaluate};
use metricc_ir::user_defined::Imports;
use metricc_log::Binding;
use metricc_runtime_serve::{ReadOptions, ServeError, json_lines};
use serde_json::Value;

use crate::layers::{options, package};

/// The folder of a case.
pub(crate) fn folder(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases").join(case)
}

/// A file of a case.
pub(crate) fn file(case: &str, name: &str) -> String {
    let path = folder(case).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A package of a case, and the log of its only source.
pub(crate) struct Case {
    pub(crate) package: Package,
    name: &'static str,
    log: &'static str,
}

impl Case {
    pub(crate) fn new(name: &'static str, metrics: &str, log: &'static str) -> Self {
        Case { package: package(&file(name, metrics)), name, log }
    }

    /// The rows of a metric as JSON lines, if it has such rows: the same from all engines, to the byte.
    pub(crate) fn lines(&self, metric: &str, reading: &ReadOptions) -> Result<Vec<String>, ServeError> {
        let selection = self.package.select(&[metric.to_owned()]).expect("the metric");
        let source = selection.base[0].source.name.clone();
        let binding = (source, Binding::new(folder(self.name).join(self.log).to_string_lossy()));
        let bound = bind(&self.package, &selection.base, &[binding], &|_, _| ()).expect("the log opens");
        let read = |engine: Option<Engine>, share: f64| {
            let mut evaluated = Evaluated::default();
            for bound in &bound {
                let cut = bound.log.frontier_at((bound.log.n_positions() as f64 * share) as u64);
                let evaluation = evaluate(bound, engine, &cut, &options(2, 100), &|_| ());
                evaluated.add(&bound.plan, evaluation.expect("it evaluates").segments);
            }
            let presented = evaluated.read(&selection.wanted[0], &Imports::new(), reading)?;
            Ok(json_lines(&presented).collect::<Vec<String>>())
        };
        let batch = read(Some(Engine::Batch), 0.0);
        for other in [read(Some(Engine::Stream), 0.0), read(None, 0.3), read(None, 0.7)] {
            assert_eq!(batch.as_ref().ok(), other.as_ref().ok(), "{metric}");
        }
        batch
    }

    /// Asserts the rows of a metric: those of an expected file, with instants in any zone.
    pub(crate) fn assert_rows(&self, metric: &str, reading: &ReadOptions, expected: &str) {
        let lines = self.lines(metric, reading).expect("it has such rows");
        let found = lines.iter().map(|line| serde_json::from_str(line).expect("JSON"));
        let expected: Vec<Value> = serde_json::from_str(&file(self.name, expected)).expect("JSON");
        let expected = expected.into_iter().filter(|row| row["metric"] == metric);
        assert_eq!(sorted(found), sorted(expected), "{}: {metric}", self.name);
    }
}

/// Rows with their instants in UTC, in the order of their text.
fn sorted(rows: impl Iterator<Item = Value>) -> Vec<String> {
    let in_utc = |mut row: Value| {
        for end in ["start", "end"] {
            if let Some(text) = row["window"][end].as_str() {
                let instant: Timestamp = text.parse().expect("an instant");
                row["window"][end] = instant.to_string().into();
            }
        }
        // Expected rows leave out what a metric does not have.
        for (part, nothing) in [("key", serde_json::json!({})), ("window", Value::Null)] {
            if row.get(part).is_none() {
                row[part] = nothing;
            }
        }
        row.to_string()
    };
    let mut rows: Vec<String> = rows.map(in_utc).collect();
    rows.sort();
    rows
}
