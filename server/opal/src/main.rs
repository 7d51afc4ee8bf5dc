//! `opal`: the server on stdio, one shot in the terminal, and a demo.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
