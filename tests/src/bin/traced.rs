//! Workers whose messages are traced for OpenTelemetry.

fn main() -> std::process::ExitCode {
    bailiwick_tests::fixture::traced::main()
}
