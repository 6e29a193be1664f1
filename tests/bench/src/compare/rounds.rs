//! Rounds: every column measures every task once in each, in processes and a folder of their own, in changing order.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::column::Column;
use super::options::Options;
use super::results::Results;
use super::task::{Measured, Task};
use super::{MEASURED, child};
use crate::folder::Folder;

/// What no measurement takes unless it hangs.
const PATIENCE: Duration = Duration::from_secs(180);
/// Lines of what a failed measurement said that are shown.
const LAST_LINES: usize = 12;
/// Keeps the folders apart.
static NUMBERS: AtomicU32 = AtomicU32::new(0);

/// Measures everything that was asked for.
pub fn run(options: &Options) -> Results {
    let mut results = Results::new(&options.columns, options.rounds, options.millis);
    let began = Instant::now();
    for round in 0..options.rounds {
        for (workload, x) in &options.tasks {
            let task = Task { workload: *workload, x: *x, millis: options.millis };
            let (name, columns) = (workload.describe().name, &options.columns);
            let seconds = began.elapsed().as_secs();
            eprintln!("round {} of {}, {name} {x} ({seconds} s)", round + 1, options.rounds);
            for turn in 0..columns.len() {
                // Each is the first once in so many rounds.
                let column = columns[(round + turn) % columns.len()];
                if column.can(*workload, *x) && !results.is_out(&task, column.name()) {
                    results.add(&task, column.name(), measure(column, &task));
                }
            }
        }
    }
    results
}

/// Measures one column in a process of its own; `Err` says why that failed.
fn measure(column: &dyn Column, task: &Task) -> Result<Option<Measured>, String> {
    let folder = Folder::new("compare", &NUMBERS);
    let said = File::create(folder.path().join("said")).expect("the folder is ours");
    let said_too = said.try_clone().expect("a descriptor is to be had");
    let order = serde_json::to_string(task).expect("a task is plain");
    let mut command = child::command("measure", &[column.name(), &order]);
    // Of a failure the last lines are shown, which should say what it was.
    command.env("RUST_BACKTRACE", "0");
    // A group of its own, so that all of it can be ended.
    command.current_dir(folder.path()).stdout(said).stderr(said_too).stdin(Stdio::null()).process_group(0);
    let mut group = Group(command.spawn().expect("we can execute ourselves"));
    let ended = group.wait();
    drop(group);
    column.clean_up();
    match fs::read_to_string(folder.path().join(MEASURED)) {
        Ok(json) if ended => serde_json::from_str(&json).map_err(|error| error.to_string()),
        _ => {
            let said = fs::read(folder.path().join("said")).unwrap_or_default();
            let said = String::from_utf8_lossy(&said);
            let lines: Vec<_> = said.lines().collect();
            let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n  ");
            let how = if ended { "ended" } else { "hung" };
            Err(format!("{}, {task:?}: {how}, and said:\n  {last}", column.name()))
        }
    }
}

/// A measuring process and what it started. Dropping it kills them all.
struct Group(Child);

impl Group {
    /// Waits for its end; false if it takes too long.
    fn wait(&mut self) -> bool {
        let pidfd = pidfd_open(self.pid(), PidfdFlags::empty()).expect("it is our child, and not reaped");
        let patience = Timespec { tv_sec: PATIENCE.as_secs().cast_signed(), tv_nsec: 0 };
        let mut ended = [PollFd::new(&pidfd, PollFlags::IN)];
        poll(&mut ended, Some(&patience)).is_ok_and(|count| count > 0)
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.0.id().cast_signed()).expect("a number")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Before its leader is reaped, so that the number cannot be somebody else's.
        let _none_left = kill_process_group(self.pid(), Signal::KILL);
        let _ended = self.0.wait();
    }
}
