//! Checks imports of a metric against the user-defined functions and aggregates of the program.

use metricc_ir::Import;

use crate::CompileError;

/// The program lacks a function or an aggregate that a metric imports.
pub(crate) fn not_brought(import: &Import) -> CompileError {
    let what = if import.is_aggregate { "aggregate" } else { "function" };
    CompileError::form(
        format!("`{}`", import.name),
        format!(
            "this program does not bring the imported {what}; run the metric from the crate that defines it \
             (`#[metric]` or `metrics!`), or build a command that brings it with `metricc::cli::main_with`"
        ),
    )
}

/// Fails unless the user-defined function has the declared version and types.
pub(crate) fn check_signature(
    import: &Import,
    version: u32,
    arguments: &[&str],
    result: &str,
) -> Result<(), CompileError> {
    let wrong = |problem: String| Err(CompileError::form(format!("`{}`", import.name), problem));
    if version != import.version {
        return wrong(format!(
            "imported is version {}, the program brings version {version}",
            import.version
        ));
    }
    let declared: Vec<String> = import.arguments.iter().map(ToString::to_string).collect();
    let (declared, brought) = (
        format!("({}): {}", declared.join(", "), import.result),
        format!("({}): {result}", arguments.join(", ")),
    );
    if declared == brought {
        Ok(())
    } else {
        wrong(format!("declared is `{declared}`, the program brings `{brought}`"))
    }
}
