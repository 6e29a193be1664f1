//! Who a worker will be: its user, its group, and the capabilities that it keeps.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use bailiwick_supervisor::check::user_name;
use bailiwick_supervisor::sandbox::Machine;
use bailiwick_supervisor::spec::{KeyringMode, Preset, Worker};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Identity {
    /// A name or number; of a user of the worker's own, where it is taken from.
    pub(super) user: String,
    pub(super) why: &'static str,
    /// Null where it goes with the user.
    pub(super) group: Option<String>,
    pub(super) supplementary_groups: Vec<String>,
    /// Whose keys it finds.
    pub(super) keyring: &'static str,
    /// Whether the user is this worker's alone.
    pub(super) alone: bool,
    pub(super) capabilities: Vec<String>,
    pub(super) no_new_privileges: bool,
    /// Whether others of the same user may read its memory, and the kernel may write its core.
    pub(super) dumpable: bool,
}

/// Decides as the sandbox does, from what the manifest says and who owns what is granted.
pub(super) fn of(worker: &Worker, machine: &Machine) -> Identity {
    let sandbox = &worker.sandbox;
    let (user, why, alone) =
        match (&sandbox.user, machine.worker_uids.clone().filter(|_| machine.can_switch_users())) {
            (Some(user), _) => (user.clone(), "the manifest names it", false),
            (None, None) => (named(machine.uid), "the supervisor's, which cannot change to another", false),
            (None, Some(range)) => match owner_of_grants(worker) {
                Some(uid) => (named(uid), "it owns what the worker is granted", false),
                None => {
                    let range =
                        format!("a user of its own, one from {:#x} to {:#x}", range.start(), range.end());
                    (range, "no other process on this machine has it; the same again after a restart", true)
                }
            },
        };
    Identity {
        user,
        why,
        group: sandbox.group.clone(),
        supplementary_groups: sandbox.supplementary_groups.clone(),
        keyring: match (sandbox.keyring_mode, sandbox.preset, machine.keyrings) {
            (Some(KeyringMode::Private), ..) => "finds no keys but its own, or does not start",
            (Some(KeyringMode::Inherit), ..) => "FINDS THE KEYS of whoever started the supervisor",
            (None, Preset::None, true) => "finds the keys of whoever started the supervisor",
            (None, _, true) => "finds no keys but its own",
            (None, _, false) => "finds no keys but those that this machine leaves to all",
        },
        alone,
        capabilities: sandbox.capabilities.clone(),
        no_new_privileges: sandbox.renounces_privileges(),
        dumpable: sandbox.dumpable.unwrap_or(sandbox.preset == Preset::None || sandbox.limit_core > 0),
    }
}

/// Returns the owner of the first path to write that is not root's, else of the first path to read unless that is root's.
fn owner_of_grants(worker: &Worker) -> Option<u32> {
    let owner = |path: &PathBuf| path.metadata().ok().map(|found| found.uid()).filter(|uid| *uid != 0);
    let sandbox = &worker.sandbox;
    let first = sandbox.read_only_paths.first().or(sandbox.read_write_paths.first());
    sandbox.read_write_paths.iter().find_map(owner).or_else(|| first.and_then(owner))
}

fn named(uid: u32) -> String {
    user_name(uid).map_or_else(|| format!("uid {uid}"), |name| format!("{name} (uid {uid})"))
}
