//! The `figure-ledger` program as a release to come: `projections/src/next_release.rs` is what differs.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::cli::main()
}
