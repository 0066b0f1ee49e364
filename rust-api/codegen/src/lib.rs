//! The Rust front end: implements `#[derive(Event)]`, `#[metric]`, `metrics!` and the other macros, and
//! generates the Rust items of a typed metric.
//!
//! This crate checks nothing itself. It writes Rust tokens as text of the metric language (`writer`),
//! `metricc-dsl` checks the text, and `language_text` maps the errors back to the tokens. So both front ends,
//! `.metric` text and the Rust API, give the same typed metric.
//!
//! Invariants: the only effect is reading the files that the macros name; no input makes it panic; an error
//! is reported on the smallest token; generated paths are absolute.
//!
//! It is an ordinary library, not a `proc-macro` crate, so that expansions can be tested.

mod attributes;
mod debug;
mod definition;
mod definition_tokens;
mod derive;
mod derived_metric;
mod event_impls;
mod field_names;
mod field_types;
mod item_text;
mod language_text;
mod metric;
mod metric_items;
mod metrics_file;
mod names;
mod parameters;
mod problem;
mod record_impls;
mod rust_syntax;
mod scope;
mod serving_stub;
mod struct_field;
mod table;
mod type_check;
mod user_defined;
mod writer;

pub use derive::{derive_event, derive_table, event_stage, table_stage};
pub use metric::{metric, metric_stage};
pub use metrics_file::metrics;
pub use serving_stub::{stub_module, stub_root};
pub use user_defined::{derive_state, monoid, scalar};

/// For tests that compare both front ends.
#[doc(hidden)]
pub mod testing {
    use metricc_dsl::Files;
    use metricc_ir::{Package, Source};

    use crate::definition::{EventDefinition, ImportDefinition, TableDefinition};
    use crate::names::{pascal_case, rust_name};

    /// The package of a `#[metric]` function over metrics; each of those is a file that the package uses.
    ///
    /// # Errors
    /// All errors, as one text.
    pub fn package_of_metrics(function: &str) -> Result<String, String> {
        let function = syn::parse_str(function).map_err(|error| format!("{error}: {function}"))?;
        crate::derived_metric::package_text(&function)
    }

    /// The package of a `#[metric]` function over a source of another package, which has this `text` and
    /// these `files`.
    ///
    /// # Errors
    /// All errors, as one text.
    pub fn package_of(
        source: &Source,
        package: &Package,
        (text, files): (&str, &dyn Files),
        function: &str,
    ) -> Result<String, String> {
        let fields = source.fields.iter().map(|field| crate::field_names::FieldName {
            ident: rust_name(&field.name),
            name: field.name.clone(),
            record: None,
        });
        let definition = EventDefinition {
            ident: rust_name("Event"),
            name: source.name.clone(),
            text: format!("{text}\n"),
            fields: fields.collect(),
            enums: Vec::new(),
            records: Vec::new(),
        };
        let function = syn::parse_str(function).map_err(|error| format!("{error}: {function}"))?;
        // The text has the import items themselves.
        let imports = package.imports.iter().map(|import| ImportDefinition {
            ident: if import.is_aggregate {
                rust_name(&pascal_case(&import.name))
            } else {
                rust_name(&import.name)
            },
            name: import.name.clone(),
            is_aggregate: import.is_aggregate,
            text: String::new(),
        });
        let tables = package.tables.iter().map(|table| {
            let fields = table.columns.iter().map(|column| (rust_name(&column.name), column.name.clone()));
            TableDefinition {
                ident: rust_name(&pascal_case(&table.name)),
                name: table.name.clone(),
                text: String::new(),
                path: String::new(),
                fields: fields.collect(),
                enums: Vec::new(),
            }
        });
        let (imports, tables): (Vec<_>, Vec<_>) = (imports.collect(), tables.collect());
        crate::metric::package_text(&definition, &imports, &tables, &function, files)
    }
}
