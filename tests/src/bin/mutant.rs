//! The test worker, and between it and the kernel what changes its packets.

fn main() -> std::process::ExitCode {
    bailiwick_tests::fixture::main()
}
