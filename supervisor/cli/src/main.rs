//! The command line of Bailiwick.

fn main() -> std::process::ExitCode {
    bailiwick_cli::main()
}
