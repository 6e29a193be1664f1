//! A user namespace of one user that holds namespaces of other kinds, for who has no power to make these otherwise.
//!
//! It is made once, and outlives its maker as a descriptor. Whoever is to start in what was made in it moves into it, and so
//! has every right over these namespaces and over nothing else; once it stands among them it moves on into a user namespace
//! of its own within, from where none of them can be changed or left.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::child::exit;
use crate::error::{Errno, Failed, check};
use crate::identity::Identity;
use crate::namespaces::{Report, by_process, own_namespace, tell};
use crate::user_namespace::{OneUser, hold_proc};
use crate::{process, wait};

/// A user namespace that others are made in.
#[derive(Debug)]
pub struct Realm {
    namespace: OwnedFd,
    user: OneUser,
}

impl Realm {
    /// Makes one for a user.
    ///
    /// # Errors
    /// What the kernel, or what is around, refuses.
    pub fn make(user: OneUser) -> Result<Self, Failed> {
        let (report, made) = by_process(|report| {
            let entered = hold_proc().and_then(|proc| user.enter(proc.as_raw_fd()));
            match entered.and_then(|()| own_namespace(c"/proc/self/ns/user")) {
                Ok(namespace) => tell(report, Report { at: 0, errno: 0 }, &[namespace.as_fd()]),
                Err(failed) => {
                    let call = OneUser::CALLS.iter().position(|call| *call == failed.call).unwrap_or(0);
                    tell(report, Report { at: call as u32, errno: failed.errno as i32 }, &[]);
                }
            }
        })?;
        let call = OneUser::CALLS[report.at as usize % OneUser::CALLS.len()];
        let namespace = made.into_iter().next();
        let refused = Failed { call, errno: Errno::from_raw(report.errno) };
        namespace.map(|namespace| Self { namespace, user }).ok_or(refused)
    }

    /// Moves the calling process, which has one thread, into it. Async-signal-safe.
    pub(crate) fn join(&self) -> Result<(), Failed> {
        // SAFETY: takes numbers.
        check(JOIN, unsafe { libc::setns(self.namespace.as_raw_fd(), libc::CLONE_NEWUSER) }.into()).map(drop)
    }

    /// Returns whether the kernel counts the tasks of a user namespace within apart from all others of its user, and refuses
    /// who would be one too many: not before Linux 5.14, and never to root.
    pub(crate) fn counts_tasks(&self) -> bool {
        let user = self.user();
        let said = by_process(|report| {
            let entered = self.join().and_then(|()| hold_proc());
            let entered = entered.and_then(|proc| user.enter_last(proc.as_raw_fd()));
            // This process is one, and those around are more than two with its child.
            let counts = entered.is_ok() && !forks_among(1) && forks_among(2);
            tell(report, Report { at: u32::from(counts), errno: 0 }, &[]);
        });
        said.is_ok_and(|(report, _)| report.at == 1)
    }

    /// Returns what a user and group of those around it are called in it; who is not its own stays who it is, and nobody.
    pub(crate) fn name_of(&self, outside: Identity) -> Identity {
        if outside == self.user.outside() { self.user.inside() } else { outside }
    }

    /// Returns its user as one who is in it finds it.
    pub fn user(&self) -> OneUser {
        OneUser::of(self.user.inside())
    }
}

/// Tries to fork where a user may have so many tasks, two at most. Async-signal-safe.
fn forks_among(tasks: u64) -> bool {
    let limit = libc::rlimit { rlim_cur: tasks, rlim_max: 2 };
    // SAFETY: one rlimit is read, which outlives the call.
    let set = check("setrlimit", unsafe { libc::setrlimit(libc::RLIMIT_NPROC, &raw const limit) }.into());
    match set.and_then(|_| process::clone(0, None)) {
        Ok(None) => exit(0),
        Ok(Some((_, child))) => wait::wait_for_end(child.as_fd()).is_ok(),
        Err(_) => false,
    }
}

/// What is refused where it cannot be joined.
pub(crate) const JOIN: &str = "setns(CLONE_NEWUSER)";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{effective_gid, effective_uid};

    #[test]
    fn who_joins_a_realm_has_power_over_what_is_made_in_it() {
        let own = Identity { uid: effective_uid(), gid: effective_gid() };
        // Some machines give such namespaces to nobody.
        let Ok(realm) = Realm::make(OneUser::of(own)) else { return };
        let errno = |result: Result<(), Failed>| result.map_or_else(|failed| failed.errno as i32, |()| 0);
        let said = by_process(|report| {
            let made = realm.join().and_then(|()| crate::namespaces::Namespace::Network.enter_fresh());
            tell(report, Report { at: 0, errno: errno(made) }, &[]);
        });
        assert_eq!(said.unwrap().0.errno, 0);
        let said = by_process(|report| {
            let entered = realm.join().and_then(|()| hold_proc()).and_then(|proc| {
                realm.user().enter_last(proc.as_raw_fd())?;
                realm.user().enter(proc.as_raw_fd())
            });
            tell(report, Report { at: 0, errno: errno(entered) }, &[]);
        });
        assert_eq!(said.unwrap().0.errno, Errno::ENOSPC as i32, "the own one is the last");
    }
}
