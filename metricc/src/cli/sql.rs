//! `metricc sql`.
//!
//! Without the feature `sql`, DataFusion's SQL is not compiled, and this says so.

use std::process::ExitCode;

use metricc_ir::user_defined::Imports;

use super::arguments::SqlArguments;
use super::terminal::Failure;

#[cfg(feature = "sql")]
mod evaluated;
#[cfg(feature = "sql")]
mod rows;

#[cfg(feature = "sql")]
pub(crate) fn run(arguments: &SqlArguments, imports: &Imports) -> Result<ExitCode, Failure> {
    let Some(tables) = evaluated::tables(arguments, imports)? else { return Ok(ExitCode::from(1)) };
    rows::write(&tables, arguments)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(not(feature = "sql"))]
pub(crate) fn run(_: &SqlArguments, _: &Imports) -> Result<ExitCode, Failure> {
    Err(Failure::Message(
        "this `metricc` was built without the feature `sql`\n  help: build it with `cargo build --release --features sql`"
            .to_owned(),
    ))
}
