//! The macros of `metricc`; see the chapter *From Rust* of its documentation. What they do is in `metricc-codegen`.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use proc_macro::{Span, TokenStream};

/// Where the macro is called, as a part of a name: the same in every build.
fn place() -> String {
    let (span, mut hasher) = (Span::call_site(), DefaultHasher::new());
    (span.file(), span.line(), span.column()).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Makes a struct the event of a source, or an enum the type of its fields.
///
/// On the type: `#[event(name = "payments")]` names the source (the type's name in snake case otherwise),
/// `crate = path` says where `metricc` is, `debug` prints the expansion.
///
/// On a field: `key`, `time`, `default = …`, `rename = "…"`, `decimal(p, s)`, `zone = "…"`; on a variant: `rename = "…"`.
#[proc_macro_derive(Event, attributes(event))]
pub fn derive_event(input: TokenStream) -> TokenStream {
    metricc_codegen::derive_event(input.into(), &place()).into()
}

/// Makes a function whose body is a chain a metric.
///
/// `#[metric(crate = path)]` says where `metricc` is, `#[metric(debug)]` prints the expansion.
#[proc_macro_attribute]
pub fn metric(arguments: TokenStream, item: TokenStream) -> TokenStream {
    metricc_codegen::metric(&arguments.into(), &item.into()).into()
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
pub fn metric_stage(input: TokenStream) -> TokenStream {
    metricc_codegen::metric_stage(input.into()).into()
}
