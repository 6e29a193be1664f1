//! Workers in their sandboxes, seen from outside and from inside.
//!
//! One program in three roles. Run plainly it runs every case in a process of its own, as the current user and, if
//! that is root, once more as an unprivileged user. With `--case` it is the supervisor of one case. Executed by a
//! case as a worker, it obeys what the case tells it over descriptor 3.

mod bench;
mod cases;
mod runner;
mod worker;

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::var_os("BAILIWICK_ROLE").is_some() {
        return worker::main();
    }
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("--case"), Some(name)) => runner::run_case(&name),
        (filter, _) => runner::run_all(filter.filter(|filter| !filter.starts_with('-'))),
    }
}
