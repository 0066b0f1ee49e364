//! The package of a node: what it computes, as text where it has one.

use metricc_dsl::{Diagnostic, Severity, SourceText, check_with, render};
use metricc_ir::user_defined::Imports;
use metricc_ir::{AnyMetric, Calendar};
use metricc_jobs::PackageText;

/// Width of rendered diagnostics, in columns.
pub(crate) const WIDTH: usize = 100;

/// The metrics of a node.
#[derive(Debug, Clone)]
pub struct NodePackage {
    /// Base metrics, then derived ones.
    pub metrics: Vec<AnyMetric>,
    /// The calendars that a `grain` may name.
    pub calendars: Vec<(String, Calendar)>,
    /// The user-defined functions and aggregates of the program.
    pub imports: Imports,
    /// Its text, with the files that it uses; `None` if the metrics are those of a program. Then no other
    /// package can be deployed.
    pub text: Option<PackageText>,
}

impl NodePackage {
    /// Checks a text, which may use the functions and aggregates of the program.
    ///
    /// # Errors
    /// The diagnostics, as `metricc check` shows them; or that there is no metric.
    pub fn of_text(text: PackageText, imports: &Imports) -> Result<Self, String> {
        let source = SourceText { name: text.name.clone(), bytes: text.text.clone().into_bytes() };
        let checked = check_with(&source, &text);
        let errors = checked.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
        let errors: Vec<Diagnostic> = errors.cloned().collect();
        if !errors.is_empty() {
            return Err(render::full(&errors, &source, false, WIDTH).trim_end().to_owned());
        }
        let metrics: Vec<AnyMetric> = checked.package.all_metrics().collect();
        if metrics.is_empty() {
            return Err(format!("{} has no metrics", text.name));
        }
        let (calendars, imports) = (checked.package.calendars, imports.clone());
        Ok(NodePackage { metrics, calendars, imports, text: Some(text) })
    }
}
