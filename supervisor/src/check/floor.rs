//! What sandboxes stand on: one table of the mechanisms that a machine gives or lacks.
//!
//! The start of a worker, `check`, `doctor` and the manual read it, so that each says the same. A mechanism is floor for who
//! cannot do without it, whose start is refused where it is not there, and an extra for who has it where it is, and is told
//! where it is not. What control groups share out is in a table of its own: [`Shares`](crate::spec::Shares).

use bailiwick_sys::user_namespace;

use crate::sandbox::{Aspect, Machine};
use crate::spec::{Preset, Worker};

/// A mechanism of sandboxes.
#[derive(Debug)]
pub struct Pillar {
    /// What it is called.
    pub name: &'static str,
    /// Whose floor it is, and whose extra, as the manual says it.
    pub whose: &'static str,
    /// What it takes.
    pub needs: &'static str,
    /// What a worker without it could do.
    pub without: &'static str,
    /// Of what it is a part.
    pub aspect: Aspect,
    is_there: fn(&Machine) -> bool,
    role: fn(&Worker) -> Role,
}

/// What a mechanism is to one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// It cannot do without, because of this key.
    Floor(&'static str),
    /// It has it where it is there.
    Extra,
    /// It has no use for it.
    Unused,
}

impl Pillar {
    /// Returns whether a machine gives it.
    pub fn is_given_by(&self, machine: &Machine) -> bool {
        (self.is_there)(machine)
    }
}

/// Returns what a worker cannot do without and the machine lacks, each with the key that asks for it.
pub fn lacking(worker: &Worker, machine: &Machine) -> Vec<(&'static Pillar, &'static str)> {
    let key = |pillar: &'static Pillar| match (pillar.role)(worker) {
        Role::Floor(key) => Some((pillar, key)),
        Role::Extra | Role::Unused => None,
    };
    absent(worker, machine).filter_map(key).collect()
}

/// Returns what a worker would have if the machine gave it.
pub fn extras_lacking(worker: &Worker, machine: &Machine) -> Vec<&'static Pillar> {
    absent(worker, machine).filter(|pillar| (pillar.role)(worker) == Role::Extra).collect()
}

fn absent(worker: &Worker, machine: &Machine) -> impl Iterator<Item = &'static Pillar> {
    let is_there = |pillar: &Pillar| match pillar.aspect {
        // Some workers have a way of their own.
        Aspect::Descendants => machine.can_kill_tree_of(worker),
        // Without root that of the system is nothing to show.
        Aspect::Proc if machine.space.realm.is_some() => {
            pillar.is_given_by(machine) && machine.namespaces_of(worker).is_ok_and(|choice| choice.pids)
        }
        _ => pillar.is_given_by(machine),
    };
    PILLARS.iter().filter(move |pillar| !is_there(pillar))
}

/// Every mechanism.
pub const PILLARS: &[Pillar] = &[
    Pillar {
        name: "Landlock",
        whose: "floor of all presets but `none`",
        needs: "it takes Linux 5.13 with Landlock turned on",
        without: "reach every file that its user may",
        aspect: Aspect::Files,
        is_there: |machine| machine.landlock_abi > 0,
        role: |worker| if_sandboxed(worker, Role::Floor("sandbox")),
    },
    Pillar {
        name: "seccomp",
        whose: "floor of all presets but `none`",
        needs: "it takes a kernel with system call filters",
        without: "make every system call",
        aspect: Aspect::SystemCalls,
        is_there: |machine| machine.seccomp,
        role: |worker| if_sandboxed(worker, Role::Floor("sandbox")),
    },
    Pillar {
        name: "another user than root",
        whose: "floor of who is not `privileged`, in all presets but `none`",
        needs: "the supervisor is root, and cannot change to other users",
        without: "own the files of root",
        aspect: Aspect::User,
        is_there: |machine| {
            machine.uid != 0 || machine.can_switch_users() || user_namespace::is_root_only_here()
        },
        role: |worker| {
            if worker.privileged { Role::Unused } else { if_sandboxed(worker, Role::Floor("sandbox")) }
        },
    },
    Pillar {
        name: "bounds on TCP ports",
        whose: "floor of who has `tcp_bind` or `tcp_connect`, an extra of others but `none`",
        needs: "it takes Linux 6.7, whose Landlock knows ports",
        without: "bind and connect to every TCP port, as far as its system calls go",
        aspect: Aspect::Tcp,
        is_there: |machine| machine.landlock_abi >= TCP_ABI,
        role: |worker| {
            let sandbox = &worker.sandbox;
            let role = match (sandbox.tcp_bind.is_empty(), sandbox.tcp_connect.is_empty()) {
                (true, true) => Role::Extra,
                (false, _) => Role::Floor("sandbox.tcp_bind"),
                (true, false) => Role::Floor("sandbox.tcp_connect"),
            };
            if_sandboxed(worker, role)
        },
    },
    Pillar {
        name: "bounds on signals",
        whose: "floor of who names some in `landlock.scope`, an extra of others but `none`",
        needs: "it takes Linux 6.12, whose Landlock bounds signals and abstract sockets",
        without: "signal other processes of its user and reach abstract sockets, as far as its system calls go",
        aspect: Aspect::Scope,
        is_there: |machine| machine.landlock_abi >= SCOPE_ABI,
        role: |worker| {
            let role = match worker.sandbox.landlock_scope.as_deref() {
                None => Role::Extra,
                Some([]) => Role::Unused,
                Some(_) => Role::Floor("sandbox.landlock.scope"),
            };
            if_sandboxed(worker, role)
        },
    },
    Pillar {
        name: "an end of all that it starts",
        whose: "floor of the presets `exec` and `none`",
        needs: "it takes a control group with cgroup.kill, a PID namespace, or a supervisor that is root",
        without: "leave processes that outlive it and the supervisor",
        aspect: Aspect::Descendants,
        is_there: Machine::can_kill_trees,
        role: |worker| match worker.sandbox.preset {
            Preset::Exec | Preset::None => Role::Floor("sandbox.preset"),
            Preset::Sealed | Preset::NetClient | Preset::NetServer | Preset::FsRo => Role::Unused,
        },
    },
    Pillar {
        name: "a bound on all its memory together",
        whose: "floor of who has `memory_max` and may start programs (`exec` and `none`)",
        needs: "it takes a control group for memory; without one, each process has that much address space",
        without: "use that much memory with each of its processes, and more in memory files",
        aspect: Aspect::Memory,
        is_there: |machine| machine.cgroups.memory().is_some(),
        role: |worker| match worker.sandbox.memory_max.is_some() && worker.sandbox.starts_programs() {
            true => Role::Floor("sandbox.memory_max"),
            false => Role::Unused,
        },
    },
    Pillar {
        name: "a `/proc` of its own",
        whose: "floor of who has `protect_proc` or `proc_subset`, an extra of the preset `exec`",
        needs: "it takes a PID namespace of its own, and a kernel that shows it there, which it refuses to who is not root \
                where part of the system's is covered, as in containers",
        without: "not look at its own processes in /proc, as programs do",
        aspect: Aspect::Proc,
        is_there: |machine| machine.views.is_ok() && machine.space.own_proc,
        role: |worker| {
            let (sandbox, keys) = (&worker.sandbox, &worker.sandbox.view);
            match (keys.protect_proc, keys.proc_subset) {
                _ if sandbox.preset != Preset::Exec || !sandbox.has_private_mounts() => Role::Unused,
                (Some(_), _) => Role::Floor("sandbox.protect_proc"),
                (None, Some(_)) => Role::Floor("sandbox.proc_subset"),
                (None, None) => Role::Extra,
            }
        },
    },
    Pillar {
        name: "a keyring of its own",
        whose: "floor of who has `keyring_mode = \"private\"`, an extra of others but `none`",
        needs: "the kernel has no keyrings, or something around forbids them",
        without: "find the keys of whoever started the supervisor",
        aspect: Aspect::Key("keyring_mode"),
        is_there: |machine| machine.keyrings,
        role: |worker| match worker.sandbox.keyring() {
            Some(true) => Role::Floor("sandbox.keyring_mode"),
            Some(false) => Role::Extra,
            None => Role::Unused,
        },
    },
    Pillar {
        name: "groups",
        whose: "floor of who has `supplementary_groups`",
        needs: "only a supervisor that is root, and of more than one user, gives groups",
        without: "use what the groups of the supervisor's user may",
        aspect: Aspect::Key("supplementary_groups"),
        is_there: Machine::can_switch_users,
        role: |worker| match worker.sandbox.supplementary_groups.is_empty() {
            true => Role::Unused,
            false => Role::Floor("sandbox.supplementary_groups"),
        },
    },
];

fn if_sandboxed(worker: &Worker, role: Role) -> Role {
    if worker.sandbox.preset == Preset::None { Role::Unused } else { role }
}

/// The version of Landlock's interface that knows TCP ports.
const TCP_ABI: u32 = 4;
/// The version of Landlock's interface that bounds signals and abstract sockets.
const SCOPE_ABI: u32 = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Exec, KeyringMode, Scoped};

    /// Returns the names of what is floor and what is extra where the machine has nothing.
    fn roles(change: impl FnOnce(&mut Worker)) -> (Vec<&'static str>, Vec<&'static str>) {
        let mut worker = Worker::new("w", Exec::Own);
        change(&mut worker);
        let nothing = Machine {
            uid: 0,
            worker_uids: None,
            landlock_abi: 0,
            seccomp: false,
            keyrings: false,
            ..Machine::probe().without_cgroups().without_nests()
        };
        let floor = lacking(&worker, &nothing).into_iter().map(|(pillar, _)| pillar.name).collect();
        (floor, extras_lacking(&worker, &nothing).into_iter().map(|pillar| pillar.name).collect())
    }

    const SEALED: [&str; 3] = ["Landlock", "seccomp", "another user than root"];

    #[test]
    fn a_sealed_worker_stands_on_little_and_takes_the_rest_where_it_is() {
        let (floor, extras) = roles(|_| {});
        assert_eq!(floor, SEALED);
        assert_eq!(extras, ["bounds on TCP ports", "bounds on signals", "a keyring of its own"]);
    }

    #[test]
    fn what_a_key_asks_for_is_floor() {
        let (floor, extras) = roles(|worker| {
            worker.sandbox.tcp_connect = vec![443];
            worker.sandbox.keyring_mode = Some(KeyringMode::Private);
            worker.sandbox.supplementary_groups = vec!["7".into()];
            worker.sandbox.preset = Preset::Exec;
        });
        let asked = ["bounds on TCP ports", "an end of all that it starts", "a keyring of its own", "groups"];
        assert_eq!(floor, [&SEALED[..], &asked].concat());
        assert_eq!(extras, ["bounds on signals"]);
        let (floor, _) = roles(|worker| worker.sandbox.landlock_scope = Some(vec![Scoped::Signals]));
        assert!(floor.contains(&"bounds on signals"), "{floor:?}");
        let (floor, extras) = roles(|worker| worker.sandbox.landlock_scope = Some(Vec::new()));
        assert!(![floor, extras].concat().contains(&"bounds on signals"));
    }

    #[test]
    fn who_has_no_sandbox_needs_an_end_and_nothing_else() {
        let (floor, extras) = roles(|worker| worker.sandbox.preset = Preset::None);
        assert_eq!((&floor[..], extras.len()), (&["an end of all that it starts"][..], 0));
    }
}
