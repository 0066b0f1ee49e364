//! Rust tokens ↔ the metric language: what stands behind `#[derive(Event)]`, `#[metric]` and `metrics!`, and
//! the Rust items that are generated of a typed metric.
//!
//! The second door checks nothing itself. Tokens become text of the language (`language_text`), the same
//! `metricc-dsl` checks it, and its findings go back to the tokens; so both doors give the same typed metric.
//!
//! Invariants: pure but for reading the file that `metrics!` names; never panics, whatever the tokens are; a
//! finding is on the smallest token; generated paths are absolute.
//!
//! A library of its own, and no `proc-macro` crate, so that expansions can be tested.

mod attributes;
mod call;
mod chain;
mod debug;
mod definition;
mod derived;
mod event;
mod file;
mod handle;
mod item_text;
mod language_text;
mod lookup;
mod metric;
mod names;
mod output;
mod own;
mod parameters;
mod problem;
mod rust_type;
mod scope;
mod stub;
mod table;
mod type_check;
mod value;
mod window;

pub use event::{derive_event, event_stage};
pub use file::metrics;
pub use metric::{metric, metric_stage};
pub use own::{derive_state, monoid, scalar};
pub use stub::{stub_module, stub_root};
pub use table::{derive_table, table_stage};

/// For tests of both doors.
#[doc(hidden)]
pub mod testing {
    use metricc_dsl::Files;
    use metricc_ir::{Package, Source};

    use crate::definition::{EventDefinition, ImportDefinition, TableDefinition};
    use crate::names::{pascal_case, rust_name};

    /// The package that a `#[metric]` function over metrics means, each of which is a file beside it.
    ///
    /// # Errors
    /// All findings, one behind the other.
    pub fn package_of_metrics(function: &str) -> Result<String, String> {
        let function = syn::parse_str(function).map_err(|error| format!("{error}: {function}"))?;
        crate::derived::package_text(&function)
    }

    /// The package that a `#[metric]` function means over a source of a package with this `text` and these `files`, or
    /// what is wrong with it.
    ///
    /// # Errors
    /// All findings, one behind the other.
    pub fn package_of(
        source: &Source,
        package: &Package,
        (text, files): (&str, &dyn Files),
        function: &str,
    ) -> Result<String, String> {
        let fields = source.fields.iter().map(|field| (rust_name(&field.name), field.name.clone()));
        let definition = EventDefinition {
            ident: rust_name("Event"),
            name: source.name.clone(),
            text: format!("{text}\n"),
            fields: fields.collect(),
            enums: Vec::new(),
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
