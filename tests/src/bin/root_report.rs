//! Prints every crate and line that is linked into the process that may run as root.

fn main() {
    print!("{}", bailiwick_tests::root_process::report());
}
