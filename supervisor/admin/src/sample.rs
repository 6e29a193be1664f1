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
    Status { supervisor, manifest: Some("/etc/shop.toml".into()), workers: vec![done, ready, backoff] }
}
