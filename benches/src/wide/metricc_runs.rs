//! The questions as metrics, from opening the files to presented rows.

use std::path::Path;

use metricc::{Engine, EngineOptions, Evaluated, Package, bind, evaluate_interval};
use metricc_dsl::SourceText;
use metricc_log::{Binding, Interval};
use metricc_runtime_serve::ReadOptions;

use crate::Failure;
use crate::data::FileKind;
use crate::questions::{Question, SOURCE};

/// What the runs of one table have in common.
pub(crate) struct MetriccRuns<'a> {
    pub(crate) kind: FileKind,
    /// The folder of the files.
    pub(crate) files: &'a Path,
    pub(crate) millions: f64,
}

impl MetriccRuns<'_> {
    pub(crate) fn run(&self, engine: Engine, questions: &[&Question]) -> Result<(), Failure> {
        let mut text = SOURCE.to_owned();
        for question in questions {
            text.push_str(&format!("metric {} = {}\n", question.name.to_lowercase(), question.metric));
        }
        let package = Package::from_text(SourceText { name: "wide.metric".to_owned(), bytes: text.into() });
        let binding = ("payments".to_owned(), Binding::new(self.files.to_string_lossy()));
        let metrics = package.metrics(&[])?;
        let bound = bind(&package, &metrics, &[binding], &|_, _| ())?.pop().ok_or("no plan")?;
        let interval = Interval::new(bound.log.start(), bound.log.end())?;
        let evaluation = evaluate_interval(&bound, engine, &interval, &EngineOptions::default(), &|_| ())?;
        if evaluation.read_stats.n_quarantined > 0 {
            return Err("the generator writes records that do not decode".into());
        }
        let mut evaluated = Evaluated::default();
        evaluated.add(&bound.plan, evaluation.segments);
        for metric in package.select(&[])?.wanted {
            evaluated.read(&metric, &package.imports, &ReadOptions::default())?;
        }
        Ok(())
    }
}
