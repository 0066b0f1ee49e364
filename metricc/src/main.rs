//! The `metricc` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    metricc::cli::main()
}
