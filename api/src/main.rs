//! The `figure-ledger` program.

use std::process::ExitCode;

// A command makes and frees some hundred small things; a sixth of its time went there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    api::cli::main()
}
