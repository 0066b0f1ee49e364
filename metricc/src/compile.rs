//! Generates the files of `metricc compile`: a client crate in Rust, an OpenAPI document, schemas of states
//! and rows, and the plans.
//!
//! Pure: returns paths and contents. The same package gives the same bytes.

mod openapi;
mod schema;

use std::path::PathBuf;
use std::sync::Arc;

use metricc_codegen::{stub_module, stub_root};
use metricc_compiler::{CompileError, DerivedPlan, MetricPlan, SourcePlan, explain};
use metricc_ir as ir;
use metricc_ir::explain_typed::explain_derived;
use metricc_ir::user_defined::Imports;
use metricc_ir::{AnyMetric, RowType};
use proc_macro2::TokenStream;

use crate::{Package, PackageError, Selection};

/// Splits of the log for which batch plans are written: the plans are the same on every machine.
const N_SPLITS: usize = 2;

/// A generated file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFile {
    /// Path relative to the output folder.
    pub path: PathBuf,
    /// Content.
    pub content: String,
}

/// The dependency of the generated crate on `metricc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StubDependency {
    /// A version in the registry.
    Version(String),
    /// A path.
    Path(String),
}

/// A metric of the package, with its plan.
enum Planned<'a> {
    Base(&'a SourcePlan, &'a MetricPlan),
    Derived(DerivedPlan),
}

impl Planned<'_> {
    fn row_type(&self) -> RowType {
        match self {
            Planned::Base(_, plan) => plan.metric.row_type(),
            Planned::Derived(plan) => plan.derived.row_type(),
        }
    }

    /// The metric hash.
    fn hash(&self) -> String {
        match self {
            Planned::Base(_, plan) => plan.hash.to_string(),
            Planned::Derived(plan) => plan.hash.to_string(),
        }
    }

    /// The plans, and the schema of the states.
    fn plans(&self) -> Result<Vec<OutputFile>, CompileError> {
        let plan_file = |name: &str, kind: &str, text: String| file(format!("plans/{name}.{kind}"), text);
        match self {
            Planned::Base(source, plan) => {
                let name = plan.metric.name.as_str();
                let batch = metricc_runtime_batch::explain(source, plan, N_SPLITS)?;
                let stream = metricc_runtime_stream::explain(source, plan)?;
                Ok(vec![
                    file(format!("schemas/{name}.state.json"), json(&schema::state(plan))),
                    plan_file(name, "batch.txt", batch.to_text()),
                    plan_file(name, "stream.txt", stream.to_text()),
                    plan_file(name, "stream.dot", stream.to_dot()),
                    plan_file(name, "serve.txt", explain::serve(plan).to_text()),
                ])
            }
            // A derived metric has no states or engine plans of its own.
            Planned::Derived(plan) => {
                let text = explain_derived(&plan.derived).to_text();
                Ok(vec![plan_file(&plan.derived.name, "derived.txt", text)])
            }
        }
    }
}

/// Generates all files of a package. `origin` is the name of its file, `name` the name of the generated
/// crate.
///
/// # Errors
/// If the package has no metrics, or a metric cannot be planned.
pub fn compile(
    package: &Package,
    origin: &str,
    name: &str,
    dependency: &StubDependency,
) -> Result<Vec<OutputFile>, PackageError> {
    let Selection { wanted, base } = package.select(&[])?;
    let sources = SourcePlan::of_package(&base, &package.imports)?;
    let mut metrics = planned(&sources, &wanted, &package.imports)?;
    metrics.sort_by_key(|metric| metric.row_type().name);
    let (text, used) = (String::from_utf8_lossy(&package.text.bytes), &package.checked.used);
    let rows: Vec<(RowType, String)> =
        metrics.iter().map(|metric| (metric.row_type(), metric.hash())).collect();
    let mut events: Vec<&ir::Source> = sources.iter().map(|plan| plan.source.as_ref()).collect();
    events.sort_by_key(|source| &source.name);
    let names: Vec<&str> = rows.iter().map(|(row, _)| row.name.as_str()).collect();
    let mut files = vec![
        file("rust/Cargo.toml", manifest(name, origin, dependency)),
        file("rust/src/lib.rs", rust(stub_root(&names, origin))),
        file("rust/src/package.metric", text.clone().into_owned()),
        file("openapi.json", json(&openapi::document(&rows, &events, origin))),
    ];
    files.extend(used.iter().map(|used| {
        file(format!("rust/src/used/{}", used.name), String::from_utf8_lossy(&used.bytes).into_owned())
    }));
    for (metric, (row, hash)) in metrics.iter().zip(&rows) {
        let module = stub_module(row, hash, &text, used, origin);
        files.push(file(format!("rust/src/metrics/{}.rs", row.name), rust(module)));
        files.push(file(format!("schemas/{}.result.json", row.name), json(&schema::result(row, hash))));
        files.extend(metric.plans()?);
    }
    Ok(files)
}

fn planned<'a>(
    sources: &'a [SourcePlan],
    wanted: &[AnyMetric],
    imports: &Imports,
) -> Result<Vec<Planned<'a>>, CompileError> {
    let plans: Vec<&Arc<MetricPlan>> = sources.iter().flat_map(|source| &source.metrics).collect();
    let base = |metric: &Arc<ir::Metric>| {
        let with_source =
            sources.iter().flat_map(|source| source.metrics.iter().map(move |plan| (source, plan)));
        let mut found = with_source.filter(|(_, plan)| plan.metric == *metric);
        let (source, plan) = found.next().ok_or_else(|| CompileError::form(&metric.name, "has no plan"))?;
        Ok(Planned::Base(source, plan))
    };
    let one = |metric: &AnyMetric| match metric {
        AnyMetric::Base(metric) => base(metric),
        AnyMetric::Derived(derived) => DerivedPlan::new(derived, &plans, imports).map(Planned::Derived),
    };
    wanted.iter().map(one).collect()
}

fn file(path: impl Into<PathBuf>, content: String) -> OutputFile {
    OutputFile { path: path.into(), content }
}

fn json(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

/// Formats source, with a blank line between items. Tokens that do not parse (a bug of the generator) are
/// written unformatted, so that the bug is visible.
fn rust(tokens: TokenStream) -> String {
    let text = tokens.to_string();
    let Ok(mut file) = syn::parse2::<syn::File>(tokens) else { return text };
    let items = std::mem::take(&mut file.items);
    let is_line = |item: &syn::Item| match item {
        syn::Item::Use(_) => true,
        syn::Item::Mod(module) => module.content.is_none(),
        _ => false,
    };
    let mut source = prettyplease::unparse(&file);
    let mut was_line = false;
    for item in items {
        if !(was_line && is_line(&item)) {
            source.push('\n');
        }
        was_line = is_line(&item);
        source.push_str(&prettyplease::unparse(&syn::File {
            shebang: None,
            attrs: Vec::new(),
            items: vec![item],
        }));
    }
    source
}

fn manifest(name: &str, origin: &str, dependency: &StubDependency) -> String {
    let found = match dependency {
        StubDependency::Version(version) => format!("version = {version:?}"),
        StubDependency::Path(path) => format!("path = {path:?}"),
    };
    format!(
        "# Generated by `metricc compile` from `{origin}`. Do not edit: change the package and generate again.\n\
         [package]\nname = {name:?}\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\n\n\
         # Only the HTTP client; the engines are not built.\n\
         [dependencies]\nmetricc = {{ {found}, default-features = false, features = [\"http\"] }}\n"
    )
}
