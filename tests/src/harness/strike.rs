//! Kills a process at a chosen one of the moments at which it has changed something outside of itself.
//!
//! The moments are the returns from system calls that make, name or remove a file, a folder or a process. By trying
//! one after the other a test covers every state in which a death can find the machine.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::Process;

/// The system calls after which there is something new, or less.
const MOMENTS: [libc::c_long; 10] = [
    libc::SYS_mkdir,
    libc::SYS_mkdirat,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_openat2,
    libc::SYS_bind,
    libc::SYS_flock,
    libc::SYS_clone3,
];

/// Runs `command` and kills it at the moment number `moment`, from 0. Returns its process and how it ended; if that is
/// not by SIGKILL, it has not so many moments.
///
/// # Panics
/// If it cannot be run or traced.
pub fn strike(command: &Command, moment: usize) -> (Process, ExitStatus) {
    let process = stopped(command);
    let pid = Pid::from_raw(process.0.cast_signed());
    ptrace::attach(pid).expect("a child of ours may be traced");
    waitpid(pid, Some(WaitPidFlag::__WALL)).expect("it is our child");
    let options = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL | Options::PTRACE_O_TRACEEXEC;
    ptrace::setoptions(pid, options).expect("it is traced");
    kill(pid, Signal::SIGCONT).expect("it is stopped");
    let (mut signal, mut returns, mut seen) = (None, false, 0);
    loop {
        // Fails when it was killed just now, which the wait tells.
        let _killed_already = ptrace::syscall(pid, signal.take());
        match waitpid(pid, Some(WaitPidFlag::__WALL)).expect("it is our child") {
            WaitStatus::PtraceSyscall(_) => {
                if returns && is_moment(pid) {
                    if seen == moment {
                        kill(pid, Signal::SIGKILL).expect("it is stopped");
                    }
                    seen += 1;
                }
                returns = !returns;
            }
            WaitStatus::Stopped(_, Signal::SIGSTOP) | WaitStatus::PtraceEvent(..) => {}
            WaitStatus::Stopped(_, other) => signal = Some(other),
            WaitStatus::Exited(_, code) => return (process, ExitStatus::from_raw(code << 8)),
            WaitStatus::Signaled(_, signal, _) => return (process, ExitStatus::from_raw(signal as i32)),
            other => panic!("{other:?}"),
        }
    }
}

/// Starts a shell that becomes `command` when it is continued, and waits until it has stopped.
#[expect(clippy::zombie_processes, reason = "the tracer waits for it by its number")]
fn stopped(command: &Command) -> Process {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "kill -STOP $$; exec \"$@\"", "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.current_dir(command.get_current_dir().unwrap_or(Path::new(".")));
    shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = shell.spawn().expect("a shell");
    let pid = Pid::from_raw(child.id().cast_signed());
    let stopped = waitpid(pid, Some(WaitPidFlag::WUNTRACED)).expect("it is our child");
    assert!(matches!(stopped, WaitStatus::Stopped(..)), "{stopped:?}");
    Process(child.id())
}

/// Returns whether the system call that a stopped process returns from is a moment.
fn is_moment(pid: Pid) -> bool {
    let text = fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    let number = text.split(' ').next().and_then(|number| number.parse().ok());
    number.is_some_and(|number: libc::c_long| MOMENTS.contains(&number))
}
