//! The `metricc` command.

use std::process::ExitCode;

/// Keeps the pages of columns that come and go, which the C library gives back to the system each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    metricc::cli::main()
}
