//! A status as a supervisor would report it, for the tests of what is made of it.

use std::time::Duration;

use bailiwick_supervisor::control::{Cause, Head, MemoryMechanism, Row, State, Status};

use crate::documents::status::{Seen, Usage};

/// What is seen of a status whose one process has computed for 1.2 s and has 12 MiB.
pub fn seen(found: &Status) -> Vec<Seen<'_>> {
    let usage = Usage { cpu: Duration::from_millis(1200), memory_bytes: 12 << 20 };
    found.workers.iter().map(|row| Seen { row, usage: row.pid.map(|_| usage) }).collect()
}

/// A status as a supervisor would report it, for the tests of what is made of it.
pub fn sample() -> Status {
    let supervisor = Head {
        name: "shop".into(),
        pid: 100,
        uptime: Duration::from_secs(3700),
        manifest: Some([0x0c; 32]),
        ..Head::default()
    };
    let ready = Row {
        name: "web".into(),
        instance: 1,
        numbered: true,
        state: State::Ready,
        pid: Some(101),
        generation: 1,
        uptime: Some(Duration::from_millis(1500)),
        uid: 0x7000_0000,
        gid: 0x7000_0000,
        memory_max: Some(256 << 20),
        memory: MemoryMechanism::CgroupV1,
        budget_left: 1,
        budget_max: 5,
        budget_period: Duration::from_secs(30),
        links: 1,
        executable: Some([0xab; 32]),
        ..Row::default()
    };
    let backoff = Row {
        instance: 2,
        state: State::Backoff,
        pid: None,
        uptime: None,
        generation: 4,
        restarts: 3,
        next_start: Some(Duration::from_millis(3200)),
        last_cause: Some(Cause::Exit(1)),
        ..ready.clone()
    };
    let done = Row {
        name: "binder".into(),
        numbered: false,
        state: State::Done,
        pid: None,
        memory_max: None,
        executable: None,
        ..ready.clone()
    };
    Status {
        supervisor,
        manifest: Some("/etc/shop.toml".into()),
        admin: Some("127.0.0.1:9464".into()),
        admin_token: None,
        workers: vec![done, ready, backoff],
    }
}

/// What the workers of the sample say of themselves; the second instance does not answer.
#[cfg(test)]
pub(crate) fn said() -> Vec<crate::survey::Said> {
    use bailiwick::introspect::{ActorState, LinkState, Snapshot, TypeCounts};

    let counts = TypeCounts {
        type_name: "Front".into(),
        spawned: 2,
        waiting: 7,
        waiting_max: 7,
        ..TypeCounts::default()
    };
    let actor = |path: &str, waiting, capacity| ActorState {
        path: path.into(),
        type_name: "Front".into(),
        generation: 1,
        waiting,
        capacity,
        ..ActorState::default()
    };
    let link = |peer: &str, frames| LinkState {
        peer: peer.into(),
        is_up: true,
        links: 1,
        frames,
        ..LinkState::default()
    };
    let snapshot = Snapshot {
        cpu: Duration::from_millis(1200),
        memory_peak: 12 << 20,
        descriptors: 17,
        descriptors_max: 256,
        types: vec![counts],
        actors: vec![actor("idle", 0, u32::MAX), actor("front", 7, 7)],
        actors_total: 2,
        links: vec![link("binder", [100, 40]), link("admin", [3, 3])],
        dead_letters: vec![("mailbox_full".into(), 3)],
        ask_failures: vec![("expired".into(), 2)],
    };
    let of = |instance, generation, answer| crate::survey::Said {
        worker: "web".into(),
        instance,
        generation,
        answer,
    };
    vec![of(1, 1, Ok(snapshot)), of(2, 4, Err("it computes without end".to_owned()))]
}
