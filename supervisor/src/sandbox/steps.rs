//! The order of steps from fork to exec. The order is the safety: each line says what would break elsewhere.

use std::ffi::CStr;
use std::os::fd::AsFd;

use bailiwick_sys::capability::Capabilities;
use bailiwick_sys::identity::SecureBits;
use bailiwick_sys::process::Step;

use super::account::Account;
use super::prepared::Prepared;
use crate::spec::Preset;

impl Prepared {
    /// Returns what the child does between fork and exec.
    pub(crate) fn steps(&self) -> Vec<Step<'_>> {
        let mut steps = vec![
            // Before anything else, so that no death of the supervisor goes unnoticed.
            Step::DieWithParent,
            // Until the supervisor has put the child into its groups.
            Step::AwaitGo,
            Step::ResetSignals,
            // Away from the supervisor's terminal and its signals.
            Step::NewSession,
            // Before the user changes: what is 0 to 3 from here on is the worker's.
            Step::Descriptors,
            Step::FileMask(0o077),
        ];
        self.limits.steps(&mut steps);
        // While the child may still do it: raising the score needs nothing, a lower nice level a capability.
        steps.push(Step::Note(OOM_SCORE_ADJUST, &self.oom_score_adjust));
        steps.extend(self.nice.map(Step::Nice));
        // Before the user changes: the way to the folder may be closed to the worker.
        steps.push(Step::Directory(self.directory.as_fd()));
        self.identity_steps(&mut steps);
        // Again, since the change of user has cleared it; and whoever died in between is noticed by the pipe.
        steps.push(Step::DieWithParent);
        steps.push(Step::StillWanted);
        if self.preset != Preset::None {
            // Before Landlock and seccomp, which ask for it.
            steps.push(Step::NoNewPrivileges);
        }
        // Late, since it forbids what steps above do; before seccomp, which could forbid it.
        steps.extend(self.rulesets.iter().map(|rulesets| Step::Landlock(rulesets.before_exec.as_fd())));
        // Last: as close to exec as can be.
        steps.extend(self.filters.iter().flat_map(|filters| &filters.before_exec).map(Step::Seccomp));
        steps
    }

    fn identity_steps<'a>(&'a self, steps: &mut Vec<Step<'a>>) {
        let identity = self.account.identity();
        let kept = self.capabilities;
        // Full power is uid 0 without a sandbox; capabilities are left to it as they are.
        let full_power = identity.uid == 0 && self.preset == Preset::None;
        match &self.account {
            // Without the right to change users there is nothing to drop either; what is held is given up.
            Account::Inherited(_) => {
                steps.extend([Step::Ambient(Capabilities::NONE), Step::Hold { own: kept, inheritable: kept }])
            }
            Account::Own(_) | Account::Shared(_) if full_power => steps.push(Step::Become(identity)),
            Account::Own(_) | Account::Shared(_) => {
                let lock = Capabilities::named("CAP_SETPCAP").expect("the name is the kernel's");
                steps.extend([
                    // Needs CAP_SETPCAP, hence before the user changes.
                    Step::Bound(kept),
                    Step::SecureBits(SecureBits::KeepCapabilities),
                    Step::Become(identity),
                    // CAP_SETPCAP stays just long enough to lock the door.
                    Step::Hold { own: kept.union(lock), inheritable: kept },
                    Step::Ambient(kept),
                    Step::SecureBits(SecureBits::Locked),
                    Step::Hold { own: kept, inheritable: kept },
                ]);
            }
        }
        // After the user changed: the count is the user's, and root is exempt.
        steps.extend(self.limits.task_step());
    }
}

const OOM_SCORE_ADJUST: &CStr = c"/proc/self/oom_score_adj";
