//! Printing an expansion for whoever wants to see it.

use proc_macro2::{Ident, TokenStream};

/// Prints the expansion of the named item to stderr, if it is asked for: by `debug` in the attribute, or by
/// `METRICC_EXPAND=name` in the environment of the build.
#[allow(clippy::print_stderr)]
pub(crate) fn print(is_asked_for: bool, name: &Ident, expansion: &TokenStream) {
    let by_name = std::env::var("METRICC_EXPAND").is_ok_and(|wanted| name == &wanted);
    if is_asked_for || by_name {
        eprintln!("// expansion of `{name}`\n{expansion}\n");
    }
}
