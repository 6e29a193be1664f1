//! The order of steps from fork to exec. The order is the safety: each line says what would break elsewhere.

use std::os::fd::AsFd;

use bailiwick_sys::capability::Capabilities;
use bailiwick_sys::identity::SecureBits;
use bailiwick_sys::process::Step;

use super::account::Account;
use super::prepared::Prepared;
use crate::spec::Preset;
use bailiwick_sys::cgroup::Cgroup;

impl Prepared {
    /// Returns what the child does between fork and exec.
    pub(crate) fn steps(&self) -> Vec<Step<'_>> {
        let mut steps = vec![
            // Before anything else, so that no death of the supervisor goes unnoticed.
            Step::DieWithParent,
            Step::AwaitGo,
        ];
        // Here and not in the supervisor, which must not wait; before anything counts.
        steps.extend(self.cgroup.iter().flat_map(Cgroup::entries).map(Step::EnterGroup));
        steps.extend([
            Step::ResetSignals,
            // Away from the supervisor's terminal and its signals.
            Step::NewSession,
            // Before the user changes: what is 0 to 3 from here on is the worker's.
            Step::Descriptors,
            // While the system's devices are in sight.
            Step::OwnInput,
            Step::FileMask(self.umask),
        ]);
        steps.push(Step::OomScore(self.oom_score_adjust));
        // As whoever the supervisor is, since users who are nobody else's may have few.
        steps.extend(self.keyring.map(|required| Step::PrivateKeyring { required }));
        // While the child may still do it: a lower nice level takes a capability.
        steps.extend(self.nice.map(Step::Nice));
        // Before the user changes: the way to the folder may be closed to the worker.
        steps.push(Step::Directory(self.directory.as_fd()));
        // Behind what is opened by its path as the supervisor sees it, before the right to join is gone.
        steps.extend(self.surroundings.steps());
        // Behind what opens files: until exec the child holds as many as the supervisor. And behind a user namespace of its
        // own, which takes what its maker may use for the bound of all that is around.
        self.limits.steps(&mut steps);
        self.identity_steps(&mut steps);
        // Again, since the change of user has cleared it; and whoever died in between is noticed by the pipe.
        steps.push(Step::DieWithParent);
        steps.push(Step::StillWanted);
        // Before Landlock and seccomp, which ask for it.
        steps.extend(self.renounces_privileges.then_some(Step::NoNewPrivileges));
        steps.extend((!self.may_make_code).then_some(Step::DenyWriteExecute));
        // Late, since it forbids what steps above do; before seccomp, which could forbid it.
        steps.extend(self.rulesets.iter().map(|rulesets| Step::Landlock(rulesets.before_exec.as_fd())));
        // Last: as close to exec as can be.
        steps.extend(self.filters.iter().map(|filters| Step::Seccomp(&filters.before_exec)));
        // All of its sandbox stands here; of a program of the runtime, that will be said later.
        steps.extend(self.foreign.then_some(Step::AwaitVerdict));
        steps
    }

    fn identity_steps<'a>(&'a self, steps: &mut Vec<Step<'a>>) {
        let identity = self.account.identity();
        let kept = self.capabilities;
        // Full power is uid 0 without a sandbox; capabilities are left to it as they are.
        let full_power = identity.uid == 0 && self.preset == Preset::None;
        // Without the right to change users there is nothing to change; what is held is given up all the same.
        let switches = !matches!(self.account, Account::Inherited(_));
        let change = switches.then_some(Step::Become(identity, &self.groups));
        if full_power {
            steps.extend(change);
            return;
        }
        let lock = Capabilities::named("CAP_SETPCAP").filter(|_| self.can_lock());
        if lock.is_some() {
            // Before the user changes, which takes the right to do it.
            steps.extend([Step::Bound(kept), Step::SecureBits(SecureBits::KeepCapabilities)]);
        }
        steps.extend(change);
        // CAP_SETPCAP stays just long enough to lock the door.
        let own = kept.union(lock.unwrap_or(Capabilities::NONE));
        steps.extend([Step::Hold { own, inheritable: kept }, Step::Ambient(kept)]);
        if lock.is_some() {
            steps.extend([Step::SecureBits(SecureBits::Locked), Step::Hold { own: kept, inheritable: kept }]);
        }
        // After the user changed: the count is the user's, and root is exempt.
        steps.extend(self.limits.task_step());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::{Ground, Machine, Role};
    use crate::spec::{Exec, Preset, Worker};

    fn names(change: impl FnOnce(&mut Worker)) -> Vec<&'static str> {
        let mut worker = Worker::new("probe", Exec::Own);
        change(&mut worker);
        let folder = tempfile::tempdir().unwrap();
        let ground = Ground::new(Machine::probe().without_cgroups(), folder.path(), true).passing();
        let prepared = ground.prepare(&worker, 1, Role::Worker).unwrap();
        prepared.steps().iter().map(|step| step.name()).collect()
    }

    /// Asserts that the steps are there in this order, whatever stands between them.
    fn assert_order(names: &[&str], wanted: &[&str]) {
        let mut rest = names.iter();
        for step in wanted {
            assert!(rest.any(|name| name == step), "{step} is missing or too early in {names:?}");
        }
    }

    #[test]
    fn everything_that_needs_power_comes_before_its_loss_and_the_filters_last() {
        let names = names(|worker| worker.sandbox.nice = Some(1));
        assert_order(
            &names,
            &[
                "parent-death signal",
                "wait for the supervisor",
                "reset signals",
                "setsid",
                "set up descriptors",
                "own input",
                "umask",
                "oom_score_adj",
                "setpriority",
                "change directory",
                "RLIMIT_CORE",
                "RLIMIT_NOFILE",
                "capset",
                "ambient capabilities",
                "parent-death signal",
                "check that the supervisor lives",
                "no_new_privs",
                "landlock",
                "seccomp",
            ],
        );
        assert_eq!(names.last(), Some(&"seccomp"));
    }

    #[test]
    fn a_user_of_its_own_is_entered_between_the_bounds_and_the_second_parent_death_signal() {
        if !Machine::probe().can_switch_users() {
            // Not `eprintln!`, which the runner keeps to itself as long as the test passes.
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED the order of a change of user: only root can change users"
            );
            return;
        }
        assert_order(
            &names(|_| {}),
            &[
                "change directory",
                "drop bounding set",
                "securebits",
                "change of user",
                "capset",
                "ambient capabilities",
                "securebits",
                "capset",
                "RLIMIT_NPROC",
                "parent-death signal",
                "check that the supervisor lives",
                "no_new_privs",
            ],
        );
    }

    #[test]
    fn without_a_sandbox_there_is_still_a_clean_start() {
        let names = names(|worker| {
            worker.sandbox.preset = Preset::None;
            worker.privileged = true;
        });
        assert_order(&names, &["parent-death signal", "setsid", "set up descriptors", "change directory"]);
        for absent in ["no_new_privs", "landlock", "seccomp"] {
            assert!(!names.contains(&absent), "{absent} in {names:?}");
        }
    }
}
