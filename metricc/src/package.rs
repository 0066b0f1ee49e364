//! A checked `.metric` file, its plans, and the logs of its sources.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use metricc_compiler::{CompileError, SourcePlan};
use metricc_dsl::{Checked, Files, NoFiles, SourceText, check_with};
use metricc_ir as ir;
use metricc_ir::AnyMetric;
use metricc_ir::plain_file;
use metricc_ir::user_defined::Imports;
use metricc_log::{Binding, FileOptions, Log, LogError, Progress};

/// A `.metric` file that was read and checked.
#[derive(Debug)]
pub struct Package {
    /// Its text.
    pub text: SourceText,
    /// The typed metrics and the diagnostics.
    pub checked: Checked,
    /// The user-defined functions and aggregates of the program.
    pub imports: Imports,
}

/// Why a package cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The file could not be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A metric or source is not in the package, or has no data.
    #[error("{problem}")]
    Name {
        /// The problem.
        problem: String,
        /// How to solve it, if known.
        help: Option<String>,
    },
    /// A metric could not be planned.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// A log could not be opened.
    #[error("source `{name}`")]
    Log {
        /// The name of the source.
        name: String,
        /// The reason.
        source: Box<LogError>,
    },
}

impl PackageError {
    /// How to solve the problem, if known.
    pub fn help(&self) -> Option<String> {
        match self {
            PackageError::Name { help, .. } => help.clone(),
            PackageError::Log { source, .. } => source.help(),
            PackageError::Read { .. } | PackageError::Compile(_) => None,
        }
    }
}

/// The folder in which `use` finds files.
pub(crate) struct Folder<'a>(pub(crate) &'a Path);

impl Files for Folder<'_> {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        plain_file::read(&self.0.join(name), plain_file::MOST_TABLE).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file in this folder".to_owned(),
            _ => error.to_string(),
        })
    }
}

impl Package {
    /// Reads and checks a file and the files that it uses. The diagnostics are in [`Package::checked`].
    ///
    /// # Errors
    /// [`PackageError::Read`].
    pub fn read(path: &Path) -> Result<Self, PackageError> {
        let bytes = plain_file::read(path, plain_file::MOST_TEXT)
            .map_err(|source| PackageError::Read { path: path.to_owned(), source })?;
        let folder = Folder(path.parent().unwrap_or(Path::new("")));
        Ok(Package::from_text_with(SourceText { name: path.display().to_string(), bytes }, &folder))
    }

    /// Checks a text that uses no files.
    pub fn from_text(text: SourceText) -> Self {
        Package::from_text_with(text, &NoFiles)
    }

    /// Checks a text and the files that it uses.
    pub fn from_text_with(text: SourceText, files: &(impl Files + ?Sized)) -> Self {
        let checked = check_with(&text, files);
        Package { text, checked, imports: Imports::default() }
    }

    /// The same package with user-defined functions and aggregates.
    #[must_use]
    pub fn with_imports(self, imports: &Imports) -> Self {
        Package { imports: imports.clone(), ..self }
    }

    /// The base metrics that must be computed for the metrics of these names, or for all metrics if there are
    /// no names.
    ///
    /// # Errors
    /// As [`Package::select`].
    pub fn metrics(&self, names: &[String]) -> Result<Vec<Arc<ir::Metric>>, PackageError> {
        Ok(self.select(names)?.base)
    }

    /// The metrics of these names in the order of the file, or all metrics if there are no names.
    ///
    /// # Errors
    /// [`PackageError::Name`] if a name is unknown, or the package has no metrics.
    pub fn select(&self, names: &[String]) -> Result<Selection, PackageError> {
        let metrics: Vec<AnyMetric> = self.checked.package.all_metrics().collect();
        for name in names {
            if !metrics.iter().any(|metric| metric.name() == name) {
                let known: Vec<&str> = metrics.iter().map(AnyMetric::name).collect();
                let problem = format!("{} has no metric `{name}`", self.text.name);
                return Err(PackageError::Name { problem, help: one_of("metric", &known) });
            }
        }
        let is_wanted =
            |metric: &AnyMetric| names.is_empty() || names.iter().any(|name| name == metric.name());
        let wanted: Vec<_> = metrics.into_iter().filter(is_wanted).collect();
        if wanted.is_empty() && self.checked.has_errors() {
            let problem = format!("{} has no metrics because of its errors", self.text.name);
            let help = Some("`metricc check` shows them".to_owned());
            return Err(PackageError::Name { problem, help });
        }
        if wanted.is_empty() {
            let problem = format!("{} has no metrics", self.text.name);
            let help = Some("write one: `metric events = count() { from SOURCE }`".to_owned());
            return Err(PackageError::Name { problem, help });
        }
        let base = ir::base_metrics(&wanted);
        Ok(Selection { wanted, base })
    }
}

/// Metrics of a package, and the base metrics to compute for them.
#[derive(Debug, Clone)]
pub struct Selection {
    /// The requested metrics.
    pub wanted: Vec<AnyMetric>,
    /// The base metrics among them, and the base metrics that derived metrics among them read; each once.
    pub base: Vec<Arc<ir::Metric>>,
}

/// The plan of the selected metrics over one source, and the log of its events.
#[derive(Debug, Clone)]
pub struct Bound {
    /// The plan.
    pub plan: Arc<SourcePlan>,
    /// The log.
    pub log: Log,
}

/// What begins the address of a topic of Kafka.
pub(crate) const TOPIC: &str = "kafka://";
/// Options that may follow the address of a topic; those of files are [`FileOptions::NAMES`].
const OF_TOPICS: [&str; 5] = ["format", "delimiter", "columns", "schema", "message"];

/// Parses `NAME=PATH`, with options such as `,format=…` after it.
///
/// # Errors
/// A message, if the argument has another form.
pub fn parse_binding(argument: &str) -> Result<(String, Binding), String> {
    let (name, path) = argument
        .split_once('=')
        .filter(|(name, path)| !name.is_empty() && !path.is_empty())
        .ok_or_else(|| {
        format!(
            "`{argument}` does not have the form NAME=PATH: write `SOURCE={argument}`, with the source's name"
        )
    })?;
    let (mut path, mut options) = (path, Vec::new());
    // A path may have commas; what follows it are options alone.
    let is_topic = path.starts_with(TOPIC);
    let known: &[&'static str] = if is_topic { &OF_TOPICS } else { &FileOptions::NAMES };
    while let Some((before, option, value)) = last_option(path, known) {
        if options.iter().any(|(given, _)| *given == option) {
            return Err(format!("`{option}=` is given more than once in `{argument}`"));
        }
        options.push((option, value));
        path = before;
    }
    let mut binding = Binding::new(path);
    for (option, value) in options.into_iter().rev() {
        if is_topic {
            binding.record_options.push((option.to_owned(), value.to_owned()));
        } else {
            binding.options.set(option, value)?;
        }
    }
    Ok((name.to_owned(), binding))
}

/// The path, the name and the value of the last option.
fn last_option<'p>(path: &'p str, known: &[&'static str]) -> Option<(&'p str, &'static str, &'p str)> {
    let found = known.iter().filter_map(|name| {
        let at = path.rfind(&format!(",{name}="))?;
        Some((at, *name))
    });
    let (at, name) = found.max()?;
    Some((&path[..at], name, &path[at + name.len() + 2..]))
}

/// Opens the log of a source that is bound to something. Calls the function with how far it has come.
pub type OpenLog<'a> = dyn Fn(&Arc<ir::Source>, &Binding, &dyn Fn(Progress)) -> Result<Log, LogError> + 'a;

/// Plans the metrics and opens the log of each source that they read. Calls `progress` with the source and
/// the bytes read so far while its files are indexed.
///
/// # Errors
/// [`PackageError`] if a name is unknown, a source has no data, or a log cannot be opened.
pub fn bind(
    package: &Package,
    metrics: &[Arc<ir::Metric>],
    bindings: &[(String, Binding)],
    progress: &dyn Fn(&str, Progress),
) -> Result<Vec<Bound>, PackageError> {
    bind_with(package, metrics, bindings, progress, &Log::open_with_progress)
}

/// As [`bind`]; `open` opens the logs, which need not be files.
///
/// # Errors
/// As [`bind`].
pub fn bind_with(
    package: &Package,
    metrics: &[Arc<ir::Metric>],
    bindings: &[(String, Binding)],
    progress: &dyn Fn(&str, Progress),
    open: &OpenLog<'_>,
) -> Result<Vec<Bound>, PackageError> {
    let sources: Vec<&str> =
        package.checked.package.sources.iter().map(|source| source.name.as_str()).collect();
    for (index, (name, _)) in bindings.iter().enumerate() {
        if !sources.contains(&name.as_str()) {
            let problem = format!("{} has no source `{name}`", package.text.name);
            return Err(PackageError::Name { problem, help: one_of("source", &sources) });
        }
        if bindings[..index].iter().any(|(_, other)| other.path == "-" && bindings[index].1.path == "-") {
            let problem = format!("source `{name}` cannot be read from `-` as well");
            let help = Some("standard input has the events of one source".to_owned());
            return Err(PackageError::Name { problem, help });
        }
        if bindings[..index].iter().any(|(other, _)| other == name) {
            let problem = format!("source `{name}` is given more than once");
            let help = Some("to read several files, give a folder or a glob".to_owned());
            return Err(PackageError::Name { problem, help });
        }
    }
    let mut bound = Vec::new();
    for plan in SourcePlan::of_package(metrics, &package.imports)? {
        let name = &plan.source.name;
        let Some((_, binding)) = bindings.iter().find(|(bound, _)| bound == name) else {
            let problem = format!("source `{name}` has no data");
            let help = Some(format!("give the path of its events: `--source {name}=PATH`"));
            return Err(PackageError::Name { problem, help });
        };
        let log = open(&plan.source, binding, &|done| progress(name, done))
            .map_err(|error| PackageError::Log { name: name.clone(), source: Box::new(error) })?;
        bound.push(Bound { plan: Arc::new(plan), log });
    }
    Ok(bound)
}

fn one_of(noun: &str, names: &[&str]) -> Option<String> {
    match names {
        [] => None,
        [only] => Some(format!("the {noun} is `{only}`")),
        many => Some(format!("the {noun}s are `{}`", many.join("`, `"))),
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
    fn options_of_a_binding_follow_its_path() {
        let parsed = |argument: &str| {
            parse_binding(argument)
                .map(|(_, binding)| (binding.path, binding.options.format, binding.options.delimiter))
        };
        let csv = Some(metricc_log::Format::Csv);
        assert_eq!(parsed("s=a,b.csv"), Ok(("a,b.csv".to_owned(), None, None)));
        assert_eq!(parsed("s=a.txt,format=csv"), Ok(("a.txt".to_owned(), csv, None)));
        assert_eq!(parsed("s=a.txt,delimiter=;,format=csv"), Ok(("a.txt".to_owned(), csv, Some(b';'))));
        assert_eq!(parsed("s=-,format=csv,delimiter=,"), Ok(("-".to_owned(), csv, Some(b','))));
        assert_eq!(parsed("s=k=v/a.csv,delimiter=tab"), Ok(("k=v/a.csv".to_owned(), None, Some(b'\t'))));
        assert!(parsed("s=a,format=xml").unwrap_err().contains("parquet, ndjson, jsonl, json, csv, tsv"));
        assert!(parsed("s").is_err() && parsed("s=").is_err());
        assert!(parsed("s=a,format=avro").unwrap_err().contains("records of topics alone"));
        let topic = parse_binding("s=kafka://a,b/t,format=csv,columns=x,y,delimiter=;").unwrap().1;
        let options: Vec<_> = topic.record_options.iter().map(|(name, value)| (&**name, &**value)).collect();
        let wanted = [("format", "csv"), ("columns", "x,y"), ("delimiter", ";")];
        assert_eq!((topic.path.as_str(), options), ("kafka://a,b/t", wanted.to_vec()));
    }

    #[test]
    fn a_package_without_metrics_reports_whether_errors_are_the_reason() {
        assert_eq!(metrics_of("source s { at: timestamp time }\nmetric n = count() { from s }"), "1");
        let none = metrics_of("source s { at: timestamp time }");
        assert!(none.starts_with("a.metric has no metrics"), "{none}");
        let broken = metrics_of("source s { at: timestamp time }\nmetric n = count() { from t }");
        assert!(broken.starts_with("a.metric has no metrics because of its errors"), "{broken}");
    }
}
