//! Processes of this executable that end with whoever started them.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use super::task::Task;

/// The other process of a measurement. Dropping it kills it and waits for its end.
pub struct Other(Child);

impl Other {
    /// Waits until it ends by itself.
    pub fn wait(mut self) {
        let ended = self.0.wait().expect("it is our child");
        assert!(ended.success(), "the answering process ended with {ended}");
    }

    fn end(&mut self) {
        // It may have ended by itself.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.end();
    }
}

/// Returns the command that runs this executable in a role: `role`, its parent, and what else it is told.
pub fn command(role: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("we know ourselves"));
    command.arg(role).arg(std::process::id().to_string()).args(arguments);
    command
}

/// Starts the process that answers for a column, with one end of a socket pair as its standard input; returns the other.
#[cfg_attr(
    not(any(feature = "kameo-remote", feature = "ractor", feature = "tarpc")),
    expect(dead_code, reason = "floors make their sockets themselves")
)]
pub fn start(column: &str, task: &Task) -> (Other, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("a socket pair can be made");
    (start_on(column, task, theirs.into()), ours)
}

/// Starts the process that answers for a column, with a socket as its standard input.
pub fn start_on(column: &str, task: &Task, socket: OwnedFd) -> Other {
    spawn(column, task, Stdio::from(socket), &[])
}

/// Starts the process that answers for a column and is told `arguments`.
#[cfg_attr(
    not(any(feature = "iceoryx2", feature = "ipc-channel")),
    expect(dead_code, reason = "some peers meet by a name")
)]
pub fn start_with(column: &str, task: &Task, arguments: &[&str]) -> Other {
    spawn(column, task, Stdio::null(), arguments)
}

fn spawn(column: &str, task: &Task, input: Stdio, arguments: &[&str]) -> Other {
    let task = serde_json::to_string(task).expect("a task is plain");
    let mut command = command("answer", &[column, &task]);
    // Whoever starts it may be a worker, whose role is not the child's.
    command.args(arguments).env_clear().stdin(input);
    Other(command.spawn().expect("we can execute ourselves"))
}

/// Returns the socket that [`start`] or [`start_on`] gave to this process.
pub fn given() -> UnixStream {
    let stdin = std::io::stdin();
    UnixStream::from(stdin.as_fd().try_clone_to_owned().expect("standard input is open"))
}

/// Has the kernel kill this process when its parent ends, however that ends.
pub fn end_with(parent: &str) {
    set_parent_process_death_signal(Some(Signal::KILL)).expect("this kernel can");
    let parent = parent.parse().ok().and_then(Pid::from_raw);
    // It may have ended before.
    if getppid() != parent {
        std::process::exit(1);
    }
}
