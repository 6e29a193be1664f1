//! Systems side by side: the same workloads, in rounds that take turns, each measurement in processes of its own.
//!
//! `compare` measures and prints tables; `--save` keeps what was measured, from which `page` writes the results page and
//! draws its pictures. Every reply is checked and every one-way message is counted by its receiver. Only what was measured
//! in one run can be compared, as ratios.

pub mod child;
mod client;
mod column;
pub mod columns;
mod frames;
pub mod goals;
mod lives;
mod options;
pub mod payload;
mod pipe;
mod results;
mod rounds;
pub mod tables;
mod task;
mod workloads;

use std::fs;
use std::process::ExitCode;

pub use column::{Column, Kind};
pub use results::Results;
pub use task::{Measured, QUANTILES, Span, Task};
pub use workloads::{Place, Workload};

use options::Options;

/// Where the measuring process writes what it measured, seen from the folder that it starts in.
const MEASURED: &str = "measured.json";

/// Measures, and prints tables; fails if a measurement did.
pub fn run(arguments: &[String]) -> ExitCode {
    let options = match Options::parse(arguments) {
        Ok(options) => options,
        Err(wrong) => {
            eprintln!("{wrong}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    let results = rounds::run(&options);
    let mut text = String::new();
    tables::write(&results, &results, &mut text);
    println!("{text}");
    if let Some(path) = &options.save {
        let json = serde_json::to_string(&results).expect("results are plain");
        fs::write(path, json + "\n").unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    for failure in results.failures() {
        eprintln!("FAILED: {}", failure.lines().next().unwrap_or_default());
    }
    if results.failures().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Is the process that measures one column: `arguments` are its parent, the column and the task.
pub fn measure(arguments: &[String]) {
    let (column, task) = told(arguments);
    let measured = column.measure(&task);
    fs::write(MEASURED, serde_json::to_string(&measured).expect("figures are plain"))
        .expect("the folder is ours");
}

/// Is the other process of a column: `arguments` are its parent, the column, the task, and what the column adds.
pub fn answer(arguments: &[String]) {
    let (column, task) = told(arguments);
    column.answer(&task);
}

/// Returns what a column told its other process besides the task.
#[cfg_attr(
    not(any(feature = "iceoryx2", feature = "ipc-channel")),
    expect(dead_code, reason = "some peers meet by a name")
)]
pub fn told_besides() -> Vec<String> {
    std::env::args().skip(5).collect()
}

fn told(arguments: &[String]) -> (&'static dyn Column, Task) {
    let [parent, column, task, ..] = arguments else { panic!("{arguments:?} say too little") };
    child::end_with(parent);
    let column = columns::all().into_iter().find(|known| known.name() == column);
    (column.expect("a column of this name"), serde_json::from_str(task).expect("a task"))
}
