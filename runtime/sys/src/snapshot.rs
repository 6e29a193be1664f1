//! What the kernel tells of a process that does not get on, read by a process beside the loop: some of these files wait
//! for locks that a sick process may hold for ever.

use std::fmt::Write;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{alarm, getpid, getppid};

use crate::error::failed;
use crate::guardian::{Forked, close_all_but, fork};
use crate::process::SpawnError;
use crate::{identity, wait};

/// The most that is kept of all files together.
pub const SNAPSHOT_BYTES: usize = 16 << 10;
/// How long the reading may take, in seconds; what was read until then is kept.
pub const DEADLINE_S: u32 = 1;

/// The most that is kept of one file.
const FILE_BYTES: u64 = 2 << 10;
/// Threads that are looked at.
const THREADS: usize = 32;

/// A process that reads the files of another one below /proc: text, each file behind its name. It ends with its parent,
/// and after [`DEADLINE_S`], unless the kernel itself holds it.
#[derive(Debug)]
pub struct Snapshot {
    process: Forked,
    text: OwnedFd,
}

impl Snapshot {
    /// Starts to read what can be read of `pid`, a child that was not waited for.
    ///
    /// # Errors
    /// When there is no process, or the calling process has more than one thread.
    pub fn start(pid: i32) -> Result<Self, SpawnError> {
        let flags = OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let (text, delivery) = nix::unistd::pipe2(flags).map_err(failed("pipe2"))?;
        let parent = getpid();
        let process = fork(|| {
            let tied = identity::die_with_parent();
            if tied.is_err() || getppid() != parent {
                return 1;
            }
            close_all_but([delivery.as_fd()]);
            // Its default meaning ends also who waits for a lock in the kernel.
            let _blocked_without = SigSet::from(Signal::SIGALRM).thread_unblock();
            alarm::set(DEADLINE_S);
            // A panic must not unwind into the code of the parent, of which this process is a copy.
            let read = catch_unwind(AssertUnwindSafe(|| read_all(pid, delivery.as_fd())));
            i32::from(read.is_err())
        })?;
        Ok(Self { process, text })
    }

    /// Returns what was read until now.
    pub fn text(&self) -> Vec<u8> {
        let (mut text, mut rest) = (vec![0; SNAPSHOT_BYTES], 0);
        while let Ok(read @ 1..) = nix::unistd::read(&self.text, &mut text[rest..]) {
            rest += read;
        }
        text.truncate(rest);
        text
    }
}

impl AsFd for Snapshot {
    /// Returns what becomes readable when everything was read, or the time is over.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.process.pidfd.as_fd()
    }
}

impl Drop for Snapshot {
    /// Ends the process, and does not wait for one that the kernel holds: its end is that of an orphan.
    fn drop(&mut self) {
        let _ended_already = wait::send_signal(self.process.pidfd.as_fd(), Signal::SIGKILL);
        let _taken_later = wait::take_change(self.process.pidfd.as_fd());
    }
}

/// Reads first what waits for nobody, and last what waits for whoever executes.
fn read_all(pid: i32, delivery: BorrowedFd<'_>) {
    let process = Path::new("/proc").join(pid.to_string());
    let mut left = SNAPSHOT_BYTES;
    let mut deliver = |name: &str| {
        let mut section = String::new();
        let _never_fails = write!(section, "[{name}]\n{}\n", read(&process.join(name)).trim_end());
        let fits = section.floor_char_boundary(left);
        left -= fits;
        // Whoever reads it gets what there is.
        let _full = nix::unistd::write(delivery, &section.as_bytes()[..fits]);
    };
    deliver("wchan");
    deliver("status");
    let mut threads: Vec<String> = fs::read_dir(process.join("task"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|thread| thread.file_name().into_string().ok())
        .collect();
    threads.truncate(THREADS);
    for thread in &threads {
        for file in ["comm", "wchan", "stat"] {
            deliver(&format!("task/{thread}/{file}"));
        }
    }
    deliver("syscall");
    deliver("stack");
}

fn read(path: &Path) -> String {
    let mut bytes = Vec::new();
    let found = File::open(path).and_then(|file| file.take(FILE_BYTES).read_to_end(&mut bytes));
    match found {
        Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => format!("({error})"),
    }
}
