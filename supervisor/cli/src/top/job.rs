//! Whether there is anybody who would let this program continue if it stopped: a shell, most of the time.
//!
//! The kernel has a name for a group of processes without such a parent, an orphaned one, and does not stop it for a key. A program that
//! stops itself has to ask.

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgid, getpid, getppid, getsid};

/// How many parents are looked at: each of them is in the group of the one before.
const PARENTS_MAX: usize = 64;

/// What a process is to those that wait for it.
#[derive(Clone, Copy, Debug)]
struct Kin {
    parent: Pid,
    group: Pid,
    session: Pid,
}

/// Tells whether somebody would let this program continue if it stopped.
pub(super) fn is_waited_for_here() -> bool {
    is_waited_for(getpid(), kin)
}

/// Stops this program and everybody in its group, until somebody lets them continue.
///
/// Whoever waits for the group learns of it only if all of it has stopped: a script that runs this program is in it as well.
///
/// # Errors
/// The kernel refuses.
pub(super) fn stop() -> Result<(), Errno> {
    kill(Pid::from_raw(0), Signal::SIGSTOP)
}

/// Tells whether a parent of a process, or of one of its parents in the same group, is in another group of the same session.
fn is_waited_for(process: Pid, kin: impl Fn(Pid) -> Option<Kin>) -> bool {
    let Some(own) = kin(process) else { return false };
    let mut parent = own.parent;
    for _ in 0..PARENTS_MAX {
        match kin(parent) {
            Some(found) if found.session != own.session => return false,
            Some(found) if found.group != own.group => return true,
            Some(found) => parent = found.parent,
            None => return false,
        }
    }
    false
}

fn kin(process: Pid) -> Option<Kin> {
    // Who asks about process 0 would be told of itself.
    if process.as_raw() <= 0 {
        return None;
    }
    let parent = if process == getpid() { getppid() } else { parent(process)? };
    Some(Kin { parent, group: getpgid(Some(process)).ok()?, session: getsid(Some(process)).ok()? })
}

fn parent(process: Pid) -> Option<Pid> {
    // A process may call itself by bytes that are no text, and with brackets in them.
    let stat = std::fs::read(format!("/proc/{process}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat).into_owned();
    let number = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
    Some(Pid::from_raw(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Processes as (number, parent, group, session).
    fn among(all: &[[i32; 4]]) -> impl Fn(Pid) -> Option<Kin> {
        move |wanted| {
            let found = all.iter().find(|process| process[0] == wanted.as_raw())?;
            let [_, parent, group, session] = found.map(Pid::from_raw);
            Some(Kin { parent, group, session })
        }
    }

    #[test]
    fn who_is_in_the_foreground_of_a_shell_is_waited_for_and_who_leads_a_session_is_not() {
        let is = |all: &[[i32; 4]]| is_waited_for(Pid::from_raw(9), among(all));
        assert!(is(&[[9, 5, 9, 5], [5, 1, 5, 5]]), "a job of a shell");
        assert!(is(&[[9, 8, 8, 5], [8, 5, 8, 5], [5, 1, 5, 5]]), "in a script that is a job of a shell");
        assert!(!is(&[[9, 5, 9, 9], [5, 1, 5, 5]]), "it leads a session of its own");
        assert!(!is(&[[9, 8, 8, 8], [8, 5, 8, 8], [5, 1, 5, 5]]), "in a script that leads a session");
        assert!(!is(&[[9, 1, 9, 5], [1, 0, 1, 1]]), "its shell is gone");
        assert!(!is(&[[9, 0, 9, 9]]), "the first process of a container");
        assert!(!is(&[[9, 8, 8, 5], [8, 9, 8, 5]]), "whatever is told, it ends");
        assert!(!is(&[]));
    }

    #[test]
    fn of_a_process_that_is_there_its_kin_is_known() {
        let own = kin(getpid()).expect("it is there");
        assert_eq!((own.parent, own.group), (getppid(), getpgid(None).expect("it has one")));
        assert_eq!(parent(getpid()), Some(own.parent));
        assert!(kin(Pid::from_raw(0)).is_none() && kin(Pid::from_raw(i32::MAX)).is_none());
    }
}
