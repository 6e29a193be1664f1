//! What this machine gives: asked once, at the start, and data from then on.

use std::ops::RangeInclusive;
use std::sync::Arc;

use bailiwick_sys::capability::{self, Capabilities};
use bailiwick_sys::cgroup::Cgroups;
use bailiwick_sys::identity::Identity;
use bailiwick_sys::namespaces::Commons;
use bailiwick_sys::nest::{Choice, Contradiction, Nest, Space, Wanted};
use bailiwick_sys::user_namespace::OneUser;
use bailiwick_sys::view::{View, ViewError};
use bailiwick_sys::{Errno, Failed, guardian, identity, landlock, seccomp, user_namespace};

use crate::spec::{Preset, Worker};

/// What this kernel and this supervisor's own rights make possible.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The supervisor's user.
    pub uid: u32,
    /// The supervisor's group.
    pub gid: u32,
    /// Capabilities that the supervisor holds and may pass on.
    pub capabilities: Capabilities,
    /// Users that can be workers'; none where the user namespace has too few.
    pub worker_uids: Option<RangeInclusive<u32>>,
    /// The version of the kernel's Landlock interface; zero without.
    pub landlock_abi: u32,
    /// Whether system call filters that kill can be installed.
    pub seccomp: bool,
    /// Whether processes can have keyrings of their own.
    pub keyrings: bool,
    /// How memory and tasks are bounded and trees are killed.
    pub cgroups: Cgroups,
    /// Namespaces of network, shared memory and host name with nothing in them, for workers to join.
    pub commons: Arc<Commons>,
    /// Whether each worker can have a view of files of its own, or why not.
    pub views: Result<(), ViewError>,
    /// Whether workers can be born in PID namespaces, and, unless the supervisor is root, in user namespaces around these.
    pub nests: Result<(), Failed>,
    /// What they have in these.
    pub space: Space,
}

impl Machine {
    /// Asks the kernel.
    pub fn probe() -> Self {
        let held = capability::held().map(|held| held.permitted.intersection(held.effective));
        let machine = Self {
            uid: identity::effective_uid(),
            gid: identity::effective_gid(),
            capabilities: held.unwrap_or(Capabilities::NONE).intersection(capability::bounding()),
            worker_uids: guardian::worker_uids(),
            landlock_abi: landlock::abi(),
            seccomp: seccomp::is_available(),
            keyrings: identity::has_keyrings(),
            cgroups: Cgroups::probe(),
            commons: Arc::default(),
            views: Err(View::refused()),
            nests: Ok(()),
            space: Space::default(),
        };
        let nest = Nest::prepare((!machine.can_switch_users()).then(|| OneUser::of(machine.own())));
        let space = nest.as_ref().map(Space::of).unwrap_or_default();
        Self {
            commons: Arc::new(Commons::make(space.realm())),
            views: View::probe(space.realm()),
            nests: nest.map(drop),
            space,
            ..machine
        }
    }

    /// Returns the supervisor's user and group.
    pub(super) fn own(&self) -> Identity {
        Identity { uid: self.uid, gid: self.gid }
    }

    /// Returns this machine as if it had no control groups, as in many containers.
    #[must_use]
    pub fn without_cgroups(self) -> Self {
        Self { cgroups: Cgroups::default(), ..self }
    }

    /// Returns this machine as if it made no namespaces, as in many containers.
    #[must_use]
    pub fn without_namespaces(self) -> Self {
        Self { commons: Arc::default(), views: Err(View::refused()), ..self }
    }

    /// Returns this machine with the users that a manifest sets aside for workers, if it does.
    #[must_use]
    pub fn with_worker_uids(self, range: Option<RangeInclusive<u32>>) -> Self {
        let Some(range) = range else { return self };
        let worker_uids = self.worker_uids.is_some().then_some(range).filter(user_namespace::has);
        Self { worker_uids, ..self }
    }

    /// Returns this machine as if namespaces were forbidden, as in many containers.
    #[must_use]
    pub fn without_nests(self) -> Self {
        Self { nests: Err(Failed { call: "unshare", errno: Errno::EPERM }), ..self }
    }

    /// Returns whether workers can be given users of their own.
    pub fn can_switch_users(&self) -> bool {
        let needed = ["CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"];
        self.uid == 0
            && self.worker_uids.is_some()
            && needed
                .iter()
                .filter_map(|name| Capabilities::named(name))
                .all(|c| self.capabilities.contains(c))
    }

    /// Returns whether the supervisor can lock capabilities away for good.
    pub(super) fn can_lock_capabilities(&self) -> bool {
        Capabilities::named("CAP_SETPCAP").is_some_and(|needed| self.capabilities.contains(needed))
    }

    /// Returns whether everything that a worker starts can be killed even if it runs away from its session.
    ///
    /// Where this is false a worker must not be able to fork, which every preset but `exec` and `none` makes sure.
    pub fn can_kill_trees(&self) -> bool {
        self.cgroups.can_kill() || self.can_switch_users()
    }

    /// Returns what namespaces a worker is to be born in.
    ///
    /// # Errors
    /// When what it declares contradicts what the supervisor, or the worker, is.
    pub fn namespaces_of(&self, worker: &Worker) -> Result<Choice, Contradiction> {
        let sandbox = &worker.sandbox;
        Choice::of(Wanted {
            by_root: self.can_switch_users(),
            is_confined: sandbox.preset != Preset::None,
            may_fork: sandbox.preset == Preset::Exec,
            is_capable: !sandbox.capabilities.is_empty(),
            pids: sandbox.private_pids,
            users: sandbox.private_users,
        })
    }

    /// Returns whether everything that this worker starts can be killed.
    pub fn can_kill_tree_of(&self, worker: &Worker) -> bool {
        let has_pids = || self.namespaces_of(worker).is_ok_and(|choice| choice.pids);
        self.can_kill_trees() || (self.nests.is_ok() && has_pids())
    }
}
