//! What workers see of the machine: files, network, shared memory, the name of the host.

use bailiwick_supervisor::sandbox::Machine;

use super::finding::{Finding, has};
use super::surroundings::Surroundings;

pub(super) fn all(machine: &Machine, around: &Surroundings) -> [Finding; 4] {
    let commons = &machine.commons;
    let to_do = around.to_make_namespaces(true);
    let is_root = machine.uid == 0;
    let to_do = if is_root { to_do } else { "start the supervisor as root" };
    let common = |name, needed, there: bool, with: &str, without: &str| {
        Finding::there(name, has(there), needed, with).or_without(there, without, to_do)
    };
    [
        view(machine, to_do),
        common(
            "empty network",
            "`private_network`; presets without ports have it where it is there",
            commons.network.is_some(),
            "workers that need no network see none",
            "workers that need no network are held by Landlock and filters alone; private_network refuses to start",
        ),
        common(
            "empty ipc",
            "`private_ipc`; all presets but none have it where it is there",
            commons.ipc.is_some(),
            "workers see nobody's System V memory and message queues",
            "workers of preset exec see System V memory and message queues; private_ipc refuses to start",
        ),
        common(
            "neutral host name",
            "`protect_hostname`; all presets but none have it where it is there",
            commons.hostname.is_some(),
            "workers see the host as localhost",
            "workers see the name of the host; protect_hostname refuses to start",
        ),
    ]
}

fn view(machine: &Machine, to_do: &str) -> Finding {
    let found = machine.views.as_ref().map_or_else(ToString::to_string, |()| has(true).to_owned());
    let needed = "`private_mounts`, `private_tmp`, `inaccessible_paths`; all presets but none have it where it is there";
    let meaning = "workers see the files that they are granted, and no name of another";
    let without = "workers see names, sizes and owners of files that they cannot open; who asks for it in writing does \
                   not start";
    Finding::there("own view of files", found, needed, meaning).or_without(
        machine.views.is_ok(),
        without,
        to_do,
    )
}
