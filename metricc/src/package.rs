//! A `.metric` file as plans, and its sources bound to data.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use metricc_compiler::{CompileError, SourcePlan};
use metricc_dsl::{Checked, Files, NoFiles, SourceText, check_with};
use metricc_ir as ir;
use metricc_ir::AnyMetric;
use metricc_ir::user_defined::Imports;
use metricc_log::{Binding, Format, Log, LogError, Progress};

/// A `.metric` file that was read and checked.
#[derive(Debug)]
pub struct Package {
    /// Its text.
    pub text: SourceText,
    /// What the checker found in it.
    pub checked: Checked,
    /// What the program brings for its imports.
    pub imports: Imports,
}

/// Why a package cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The file could not be read.
    #[error("{}: {error}", .path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// The system's error.
        error: std::io::Error,
    },
    /// A metric or source that is not in the package, or has no data.
    #[error("{problem}{}", help_text(.help))]
    Name {
        /// What is wrong.
        problem: String,
        /// The way out.
        help: Option<String>,
    },
    /// A plan could not be made.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// A log could not be opened.
    #[error("source `{name}`: {error}{}", help_text(&.error.help()))]
    Log {
        /// The source.
        name: String,
        /// The error.
        error: Box<LogError>,
    },
}

fn help_text(help: &Option<String>) -> String {
    help.as_ref().map_or_else(String::new, |help| format!("\n  help: {help}"))
}

/// The files in a folder, which `use` finds there.
struct Folder<'a>(&'a Path);

impl Files for Folder<'_> {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        std::fs::read(self.0.join(name)).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file beside this one".to_owned(),
            _ => error.to_string(),
        })
    }
}

impl Package {
    /// Reads and checks a file, and the files beside it that it uses. Findings of the checker are in
    /// [`Package::checked`].
    pub fn read(path: &Path) -> Result<Self, PackageError> {
        let bytes =
            std::fs::read(path).map_err(|error| PackageError::Read { path: path.to_owned(), error })?;
        let folder = Folder(path.parent().unwrap_or(Path::new("")));
        Ok(Package::from_text_with(SourceText { name: path.display().to_string(), bytes }, &folder))
    }

    /// Checks a text that stands alone.
    pub fn from_text(text: SourceText) -> Self {
        Package::from_text_with(text, &NoFiles)
    }

    /// Checks a text, and the files beside it that it uses.
    pub fn from_text_with(text: SourceText, files: &(impl Files + ?Sized)) -> Self {
        let checked = check_with(&text, files);
        Package { text, checked, imports: Imports::default() }
    }

    /// The same package, with functions and aggregates that the program brings.
    #[must_use]
    pub fn bringing(self, imports: &Imports) -> Self {
        Package { imports: imports.clone(), ..self }
    }

    /// The metrics over events that have to be computed for those of these names, or for all of them if no name is given.
    pub fn metrics(&self, names: &[String]) -> Result<Vec<Arc<ir::Metric>>, PackageError> {
        Ok(self.select(names)?.of_events)
    }

    /// The metrics of these names, in the order of the file; all of them if no name is given.
    pub fn select(&self, names: &[String]) -> Result<Selection, PackageError> {
        let metrics: Vec<AnyMetric> = self.checked.package.all_metrics().collect();
        for name in names {
            if !metrics.iter().any(|metric| metric.name() == name) {
                let known: Vec<&str> = metrics.iter().map(AnyMetric::name).collect();
                let problem = format!("there is no metric `{name}` in {}", self.text.name);
                return Err(PackageError::Name { problem, help: one_of("metric", &known) });
            }
        }
        let is_wanted =
            |metric: &AnyMetric| names.is_empty() || names.iter().any(|name| name == metric.name());
        let wanted: Vec<_> = metrics.into_iter().filter(is_wanted).collect();
        if wanted.is_empty() && self.checked.has_errors() {
            let problem = format!("{} has errors, so that it has no metrics", self.text.name);
            let help = Some("`metricc check` says what they are".to_owned());
            return Err(PackageError::Name { problem, help });
        }
        if wanted.is_empty() {
            let problem = format!("there is no metric in {}", self.text.name);
            let help = Some("write one: `metric events = count() { from SOURCE }`".to_owned());
            return Err(PackageError::Name { problem, help });
        }
        let mut of_events: Vec<Arc<ir::Metric>> = Vec::new();
        for metric in wanted.iter().flat_map(AnyMetric::of_events) {
            if !of_events.iter().any(|known| Arc::ptr_eq(known, metric)) {
                of_events.push(metric.clone());
            }
        }
        Ok(Selection { wanted, of_events })
    }
}

/// What is asked of a package, and what has to be computed for it.
#[derive(Debug, Clone)]
pub struct Selection {
    /// The metrics that are asked for.
    pub wanted: Vec<AnyMetric>,
    /// Those over events among them, and those that others among them are made of; each once.
    pub of_events: Vec<Arc<ir::Metric>>,
}

/// The plan of all chosen metrics over one source, and the log that holds its events.
#[derive(Debug, Clone)]
pub struct Bound {
    /// The plan.
    pub plan: Arc<SourcePlan>,
    /// The log.
    pub log: Log,
}

/// Reads `NAME=PATH`, or `NAME=PATH,format=parquet|ndjson|csv`.
pub fn parse_binding(argument: &str) -> Result<(String, Binding), String> {
    let (name, path) = argument
        .split_once('=')
        .filter(|(name, path)| !name.is_empty() && !path.is_empty())
        .ok_or_else(|| format!("`{argument}` is not of the form NAME=PATH"))?;
    let (path, format) = match path.rsplit_once(",format=") {
        None => (path, None),
        Some((path, "parquet")) => (path, Some(Format::Parquet)),
        Some((path, "ndjson")) => (path, Some(Format::Ndjson)),
        Some((path, "csv")) => (path, Some(Format::Csv)),
        Some((_, other)) => return Err(format!("`{other}` is not a format: parquet, ndjson or csv")),
    };
    Ok((name.to_owned(), Binding { path: path.to_owned(), format }))
}

/// Plans the metrics and opens the log of each source that they read. `progress` is told what was
/// read of a source's files while they are indexed.
pub fn bind(
    package: &Package,
    metrics: &[Arc<ir::Metric>],
    bindings: &[(String, Binding)],
    progress: &dyn Fn(&str, Progress),
) -> Result<Vec<Bound>, PackageError> {
    let sources: Vec<&str> =
        package.checked.package.sources.iter().map(|source| source.name.as_str()).collect();
    for (place, (name, _)) in bindings.iter().enumerate() {
        if !sources.contains(&name.as_str()) {
            let problem = format!("there is no source `{name}` in {}", package.text.name);
            return Err(PackageError::Name { problem, help: one_of("source", &sources) });
        }
        if bindings[..place].iter().any(|(other, _)| other == name) {
            let problem = format!("source `{name}` is given twice");
            let help = Some("to read several files, give a folder or a glob".to_owned());
            return Err(PackageError::Name { problem, help });
        }
    }
    let mut bound = Vec::new();
    for plan in SourcePlan::of_package(metrics, &package.imports)? {
        let name = &plan.source.name;
        let Some((_, binding)) = bindings.iter().find(|(bound, _)| bound == name) else {
            let problem = format!("source `{name}` has no data");
            let help = Some(format!("say where its events are: `--source {name}=PATH`"));
            return Err(PackageError::Name { problem, help });
        };
        let log = Log::open_with_progress(&plan.source, binding, &|done| progress(name, done))
            .map_err(|error| PackageError::Log { name: name.clone(), error: Box::new(error) })?;
        bound.push(Bound { plan: Arc::new(plan), log });
    }
    Ok(bound)
}

fn one_of(what: &str, names: &[&str]) -> Option<String> {
    match names {
        [] => None,
        [only] => Some(format!("the {what} is `{only}`")),
        many => Some(format!("the {what}s are `{}`", many.join("`, `"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics_of(text: &str) -> String {
        let package = Package::from_text(SourceText { name: "a.metric".to_owned(), bytes: text.into() });
        package.metrics(&[]).map_or_else(|error| error.to_string(), |metrics| metrics.len().to_string())
    }

    #[test]
    fn a_package_without_metrics_says_whether_errors_are_the_reason() {
        assert_eq!(metrics_of("source s { at: timestamp time }\nmetric n = count() { from s }"), "1");
        let none = metrics_of("source s { at: timestamp time }");
        assert!(none.starts_with("there is no metric in a.metric"), "{none}");
        let broken = metrics_of("source s { at: timestamp time }\nmetric n = count() { from t }");
        assert!(broken.starts_with("a.metric has errors"), "{broken}");
    }
}
