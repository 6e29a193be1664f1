//! A program that is its own supervisor.

fn main() -> std::process::ExitCode {
    bailiwick_tests::fixture::shop::main()
}
