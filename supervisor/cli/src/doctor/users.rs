//! Whom a supervisor can have workers be, and what they may hold.

use bailiwick_supervisor::sandbox::Machine;
use bailiwick_sys::capability::Capabilities;

use super::finding::Finding;

pub(super) fn all(machine: &Machine) -> [Finding; 3] {
    [users(machine), capabilities(machine), limits(machine)]
}

fn users(machine: &Machine) -> Finding {
    let found = match &machine.worker_uids {
        Some(range) if machine.can_switch_users() => {
            format!("uid {}, may become {:#x} to {:#x}", machine.uid, range.start(), range.end())
        }
        _ => format!("uid {}, cannot change to other users", machine.uid),
    };
    let own = "each worker runs under a user of its own";
    let needed = "`user`, `group`, `uid_range`, and a user of its own for each worker";
    let without = "workers run under this user, held apart by Landlock, system call filters and, where they are \
                   there, user namespaces";
    Finding::there("users", found, needed, own).or_without(
        machine.can_switch_users(),
        without,
        to_do(machine),
    )
}

/// Says what keeps a supervisor from changing to other users.
fn to_do(machine: &Machine) -> String {
    let needed = ["CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"].into_iter();
    let lost: Vec<&str> = needed.filter(|name| !holds(machine, name)).collect();
    match (machine.uid, &machine.worker_uids) {
        (1.., _) => "start the supervisor as root: workers still get users of their own, and no privilege".into(),
        (0, _) if !lost.is_empty() => format!(
            "leave it {} (CapabilityBoundingSet= of a unit, --cap-add of a container)",
            lost.join(", ")
        ),
        (0, _) => "give its user namespace 65536 users and groups (/etc/subuid and /etc/subgid), and leave setgroups \
                   allowed"
            .into(),
    }
}

fn holds(machine: &Machine, name: &str) -> bool {
    Capabilities::named(name).is_some_and(|one| machine.capabilities.contains(one))
}

fn capabilities(machine: &Machine) -> Finding {
    let (held, lost): (Vec<&str>, Vec<&str>) =
        Capabilities::names().iter().partition(|name| holds(machine, name));
    let found = match (held.len(), lost.len()) {
        (0, _) => "none".to_owned(),
        (_, 0) => "all".to_owned(),
        (_, 1..=8) => format!("all but {}", lost.join(", ")),
        (_, _) => held.join(", "),
    };
    let meaning =
        "a worker is given those that its manifest names, and no other; one that is not here is refused";
    Finding::there("capabilities", found, "`capabilities`", meaning).told()
}

fn limits(machine: &Machine) -> Finding {
    let raises = holds(machine, "CAP_SYS_RESOURCE");
    let found = if raises { "may be raised" } else { "may only be lowered" };
    let meaning = match raises {
        true => "limits above those that the supervisor was started with are given",
        false => "limits above those that the supervisor was started with stay as those",
    };
    let needed = "`limit_nofile`, `limit_core` and the other limits of a process";
    Finding::there("limits", found, needed, meaning).told()
}
