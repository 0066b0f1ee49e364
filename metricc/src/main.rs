//! The `metricc` command.

use std::process::ExitCode;

/// Keeps freed pages for the next column. The allocator of the C library returns them to the system each
/// time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    metricc::cli::main()
}
