//! Prints an expansion, for debugging.

use proc_macro2::{Ident, TokenStream};

/// Prints the expansion of the named item to stderr if the attribute has `debug`, or the build has
/// `METRICC_EXPAND=name` in its environment.
#[allow(clippy::print_stderr)]
pub(crate) fn print(is_asked_for: bool, name: &Ident, expansion: &TokenStream) {
    let by_name = std::env::var("METRICC_EXPAND").is_ok_and(|wanted| name == &wanted);
    if is_asked_for || by_name {
        eprintln!("// expansion of `{name}`\n{expansion}\n");
    }
}
