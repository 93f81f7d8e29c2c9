//! The program: parses arguments and runs.

use std::process::ExitCode;

fn main() -> ExitCode {
    registrycheck::cli::main()
}
