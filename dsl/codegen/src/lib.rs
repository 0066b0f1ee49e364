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
mod event;
mod file;
mod handle;
mod language_text;
mod metric;
mod names;
mod output;
mod own;
mod problem;
mod rust_type;
mod scope;
mod stub;
mod type_check;
mod value;
mod window;

pub use event::{derive_event, event_stage};
pub use file::metrics;
pub use metric::{metric, metric_stage};
pub use own::{derive_state, monoid, scalar};
pub use stub::{stub_module, stub_root};

/// For tests of both doors.
#[doc(hidden)]
pub mod testing {
    use std::sync::Arc;

    use metricc_dsl::ir::{Import, Source};

    use crate::definition::{EventDefinition, ImportDefinition};
    use crate::names::{pascal_case, rust_name};

    /// The package that a `#[metric]` function means over a source of the package `text`, or what is wrong with it.
    ///
    /// # Errors
    /// All findings, one behind the other.
    pub fn package_of(
        source: &Source,
        imports: &[Arc<Import>],
        text: &str,
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
        let imports = imports.iter().map(|import| ImportDefinition {
            ident: if import.is_aggregate {
                rust_name(&pascal_case(&import.name))
            } else {
                rust_name(&import.name)
            },
            name: import.name.clone(),
            is_aggregate: import.is_aggregate,
            text: String::new(),
        });
        crate::metric::package_text(&definition, &imports.collect::<Vec<_>>(), &function)
    }
}
