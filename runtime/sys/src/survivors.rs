//! Processes that outlive their supervisor: how they are named in a file, and how its successor ends them.

use std::fs::{read, read_to_string};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::error::{Failed, check};
use crate::events::Signal;
use crate::guardian::{kill_user, user_is_idle};
use crate::wait;
use crate::worker_users::lock_this;

/// How long the kernel may take to end one process that was killed.
const PATIENCE: Duration = Duration::from_secs(1);

/// Returns the number of this boot of the machine, which no other boot has; zeros where nothing tells it.
pub fn boot_id() -> [u8; 16] {
    let text = read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    u128::from_str_radix(&text.trim().replace('-', ""), 16).unwrap_or_default().to_be_bytes()
}

/// Returns when a process was started, in the kernel's ticks since the boot; `None` if there is none.
pub fn born(pid: u32) -> Option<u64> {
    let stat = read(format!("/proc/{pid}/stat")).ok()?;
    // The name before the bracket may hold anything, also brackets, and bytes that are no text.
    String::from_utf8_lossy(&stat).rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// Kills the process of this number if it was born then, and waits for its end for at most a second.
/// Returns whether there was such a one.
///
/// # Errors
/// When it cannot be reached.
pub fn end_process(pid: u32, when: u64) -> Result<bool, Failed> {
    // SAFETY: takes numbers and touches no memory of ours.
    let opened = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let Ok(number) = check("pidfd_open", opened) else { return Ok(false) };
    // SAFETY: the kernel has just given us this descriptor, and a descriptor's number fits.
    let pidfd = unsafe { OwnedFd::from_raw_fd(number as i32) };
    // Asked after the descriptor was opened: from here on the number cannot become somebody else's unnoticed.
    if born(pid) != Some(when) {
        return Ok(false);
    }
    wait::send_signal(pidfd.as_fd(), Signal::SIGKILL)?;
    let timeout = PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::NONE);
    let _not_in_time = poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], timeout);
    Ok(true)
}

/// Kills everything that runs as `uid`, which was a worker's own, unless it is another worker's by now. Waits for the
/// end of it for at most two seconds. Returns whether there was somebody.
pub fn end_user(uid: u32) -> bool {
    if user_is_idle(uid) {
        return false;
    }
    // Whoever uses the number holds the lock; while it is ours, nobody who may live has it.
    let Some(_lock) = lock_this(uid) else { return false };
    kill_user(uid).is_ok_and(|killer| wait::wait_for_end(killer.pidfd.as_fd()).is_ok())
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn only_the_process_that_was_born_then_is_ended() {
        let mut sleeper =
            Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().expect("it can be started");
        let when = born(sleeper.id()).expect("it lives");
        assert_eq!(end_process(sleeper.id(), when + 1), Ok(false));
        assert_eq!(sleeper.try_wait().unwrap(), None);
        assert_eq!(end_process(sleeper.id(), when), Ok(true));
        assert!(sleeper.wait().is_ok_and(|status| !status.success()));
        assert_eq!(end_process(sleeper.id(), when), Ok(false));
    }

    /// Seen to fail where what the kernel tells is read as text.
    #[test]
    fn who_calls_itself_by_no_text_is_known_all_the_same() {
        let line = r"printf '\377)' > /proc/$$/comm; echo; read end";
        let mut named = Command::new("sh");
        let named = named.args(["-c", line]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut named = named.spawn().expect("it can be started");
        let output = named.stdout.as_mut().expect("it was piped");
        std::io::Read::read_exact(output, &mut [0]).expect("it says so");
        assert!(read_to_string(format!("/proc/{}/stat", named.id())).is_err(), "its name is no text");
        let when = born(named.id()).expect("it lives");
        assert_eq!(end_process(named.id(), when), Ok(true));
        assert!(named.wait().is_ok_and(|status| !status.success()));
    }

    #[test]
    fn a_boot_has_a_number_that_stays() {
        assert_ne!(boot_id(), [0; 16]);
        assert_eq!(boot_id(), boot_id());
    }
}
