//! The macros of `metricc`, implemented in `metricc-codegen`; see the chapter *From Rust* of the book.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use proc_macro::{Span, TokenStream};

/// The call site as a part of a name: the same in every build.
fn place() -> String {
    let (span, mut hasher) = (Span::call_site(), DefaultHasher::new());
    (span.file(), span.line(), span.column()).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Makes a struct the event of a source, or an enum the type of its fields.
///
/// On the type: `#[event(name = "payments")]` names the source (the type's name in snake case otherwise),
/// `crate = path` is the path of `metricc`, `debug` prints the expansion, `null("NA", …)` says which texts
/// are none in all fields.
///
/// On a field: `key`, `time`, `default = …`, `rename = "…"`, `decimal(p, s)`, `zone = "…"`; what its texts
/// look like in logs: `null("NA", …)`, `format("%d.%m.%Y", …)`, `true_as("yes", …)`, `false_as("no", …)`,
/// `thousands = ","`, `point = ","`, `invalid_as_none`. On a variant: `rename = "…"`.
#[proc_macro_derive(Event, attributes(event))]
pub fn derive_event(input: TokenStream) -> TokenStream {
    metricc_codegen::derive_event(input.into(), &place()).into()
}

/// Makes a struct the row of a static table, whose rows are in the file `NAME.csv` beside the file of the
/// struct, or beside the crate's `Cargo.toml`: `.lookup::<Shop>(|p| p.shop_id)`.
///
/// On the type: `#[table(name = "shops")]` names the table (the type's name in snake case otherwise),
/// `file = "…"` its file, `crate = path` is the path of `metricc`, `debug` prints the expansion. On a field:
/// `key`, `rename = "…"`, `decimal(p, s)`, `zone = "…"`, and what its texts look like, as for events.
#[proc_macro_derive(Table, attributes(table))]
pub fn derive_table(input: TokenStream) -> TokenStream {
    let caller = Span::call_site().local_file();
    metricc_codegen::derive_table(input.into(), &place(), caller.as_deref()).into()
}

/// Makes a metric from a function whose body is a chain of calls.
///
/// `#[metric(crate = path)]` says where `metricc` is, `#[metric(debug)]` prints the expansion.
#[proc_macro_attribute]
pub fn metric(arguments: TokenStream, item: TokenStream) -> TokenStream {
    metricc_codegen::metric(&arguments.into(), &item.into(), &place()).into()
}

/// Makes a function available to metrics: `#[metric(import(distance))]`, or `import function` in a file.
///
/// It takes one to six values by name and depends on them alone. `#[scalar(version = 2)]` marks a changed
/// meaning, `crate = path` is the path of `metricc`, `debug` prints the expansion.
#[proc_macro_attribute]
pub fn scalar(arguments: TokenStream, item: TokenStream) -> TokenStream {
    metricc_codegen::scalar(arguments.into(), &item.into(), &place()).into()
}

/// Makes an `impl Monoid` available to metrics: `#[metric(import(GeometricMean))]`, or `import aggregate` in
/// a file.
///
/// `#[monoid(pub)]` lets other crates import it; `crate = path` is the path of `metricc`, `debug` prints the
/// expansion.
#[proc_macro_attribute]
pub fn monoid(arguments: TokenStream, item: TokenStream) -> TokenStream {
    metricc_codegen::monoid(arguments.into(), &item.into(), &place()).into()
}

/// Implements `State` for a struct of states: the product, merged field by field.
///
/// `#[state(crate = path)]` says where `metricc` is.
#[proc_macro_derive(State, attributes(state))]
pub fn derive_state(input: TokenStream) -> TokenStream {
    metricc_codegen::derive_state(input.into()).into()
}

/// The sources and metrics of a `.metric` file: `metrics!("payments.metric")`.
#[proc_macro]
pub fn metrics(input: TokenStream) -> TokenStream {
    let caller = Span::call_site().local_file();
    metricc_codegen::metrics(input.into(), caller.as_deref()).into()
}

#[doc(hidden)]
#[proc_macro]
pub fn event_stage(input: TokenStream) -> TokenStream {
    metricc_codegen::event_stage(input.into(), &place()).into()
}

#[doc(hidden)]
#[proc_macro]
pub fn table_stage(input: TokenStream) -> TokenStream {
    let caller = Span::call_site().local_file();
    metricc_codegen::table_stage(input.into(), &place(), caller.as_deref()).into()
}

#[doc(hidden)]
#[proc_macro]
pub fn metric_stage(input: TokenStream) -> TokenStream {
    metricc_codegen::metric_stage(input.into(), &place()).into()
}
