//! The test worker.

fn main() -> std::process::ExitCode {
    bailiwick_tests::fixture::main()
}
