//! OTP's side: one run of Erlang over all histories.

use std::io::{self, Write};
use std::process::Command;

use crate::history::History;

/// The script that does it.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/otp.escript");

/// Returns what OTP's supervisor did, a line for each step of each history; `None`, said aloud, without Erlang.
pub(crate) fn run(histories: &[History]) -> Option<Vec<Vec<String>>> {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    for history in histories {
        writeln!(file, "{history}").expect("the temporary file can be written");
    }
    let output = match Command::new("escript").arg(SCRIPT).arg(file.path()).output() {
        Ok(output) => output,
        Err(error) => {
            // Not `eprintln!`, which the runner keeps to itself as long as the test passes.
            let _ = writeln!(io::stderr(), "SKIPPED the comparison with OTP: escript: {error}");
            return None;
        }
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "escript: {}\n{said}", String::from_utf8_lossy(&output.stderr));
    let mut runs = vec![Vec::new()];
    for line in said.lines() {
        match line {
            "." => runs.push(Vec::new()),
            line => runs.last_mut().expect("one was pushed").push(line.to_owned()),
        }
    }
    runs.pop();
    assert_eq!(runs.len(), histories.len(), "one run for each history");
    Some(runs)
}
