//! What a worker is born with: exactly what was declared, as the kernel shows it.

use bailiwick_sys::capability::Capabilities;
use bailiwick_tests::harness::{Process, needs_root};
use bailiwick_tests::run;
use nix::sys::signal::Signal;

const THREE: &str = r#"
[worker.sealed]
exec = "tw"
environment = { LANG = "C.UTF-8" }
actor.life = { type = "Life", args = {} }
[worker.other]
exec = "tw"
actor.life = { type = "Life", args = {} }
"#;

/// Seen to fail without close-on-exec and the closing of what is no descriptor of its own; close-on-exec of
/// sockets.
#[test]
fn d13_a_worker_has_no_descriptor_that_was_not_declared() {
    if needs_root("a worker shows its descriptors to root only") {
        return;
    }
    let mut supervised = run!(THREE);
    supervised.wait_for_life("sealed", 1);
    let pid = supervised.pid("sealed");
    let found = pid.descriptors();
    assert_eq!(found.get(&0).map(String::as_str), Some("/dev/null"));
    for output in [1, 2] {
        assert!(found.get(&output).is_some_and(|target| target.starts_with("pipe:")), "{found:?}");
    }
    assert!(found.get(&3).is_some_and(|target| target.starts_with("socket:")), "{found:?}");
    let own = ["anon_inode:[eventpoll]", "anon_inode:[eventfd]", "anon_inode:[signalfd]"];
    for (number, target) in found.range(4..) {
        // What the runtime made for itself: its event queue, its alarm; the list of its threads; and the copy of
        // descriptor 3 that it waits for.
        let timer = target.starts_with("anon_inode:[timerfd]");
        // In an instance of /proc that nobody else can reach.
        let threads = *target == format!("/{}/task", pid.0);
        let known = own.contains(&target.as_str()) || timer || threads;
        assert!(known || *target == found[&3], "descriptor {number} is {target}: {found:?}");
    }
    supervised.stop();
}

/// Seen to fail without the closing of what is no descriptor of its own; the reset of signals; the file mask; the
/// working directory; the limit of descriptors.
#[test]
fn a_worker_has_nothing_of_what_its_supervisor_was_started_with() {
    if needs_root("supplementary groups can be set by root only") {
        return;
    }
    let careless =
        "umask 000; trap '' USR1; cd /usr; ulimit -c unlimited; exec 9</etc/passwd; exec \"$0\" \"$@\"";
    let mut supervised = run!(&["setpriv", "--groups", "4,24", "sh", "-c", careless], THREE);
    supervised.wait_for_life("sealed", 1);
    let (careless, sealed) = (supervised.process(), supervised.pid("sealed"));
    let has = |process: Process| {
        let status = process.status();
        let ignored = u64::from_str_radix(&status["SigIgn"], 16).expect("it is a set of signals");
        let umask = status["Umask"].clone();
        let is_open = process.descriptors().values().any(|target| target == "/etc/passwd");
        (status["Groups"].clone(), umask, ignored & 1 << (Signal::SIGUSR1 as u32 - 1) != 0, is_open)
    };
    assert_eq!(has(careless), ("4 24".to_owned(), "0000".to_owned(), true, true));
    assert_eq!(has(sealed), (String::new(), "0077".to_owned(), false, false));
    assert_eq!(careless.directory(), Some("/usr".into()));
    assert_eq!(sealed.directory(), Some("/".into()));
    assert_eq!(sealed.limit("Max core file size").as_deref(), Some("0"));
    assert_eq!(sealed.limit("Max open files").as_deref(), Some("256"));
    supervised.stop();
}

/// Seen to fail without an environment from nothing.
#[test]
fn d14_the_environment_is_built_from_nothing() {
    if needs_root("a worker shows its environment to root only") {
        return;
    }
    let mut supervised = run!(THREE);
    supervised.wait_for_life("sealed", 1);
    let names: Vec<_> = supervised.pid("sealed").environment().into_keys().collect();
    assert_eq!(names, ["BAILIWICK_ROLE", "LANG"]);
    supervised.stop();
}

/// Seen to fail without the system call filters and their verification; the switch of the user and its
/// verification; the bounding set; its not being dumpable; a session of its own.
#[test]
fn d15_a_worker_is_alone_under_its_user_and_can_gain_nothing() {
    if needs_root("only root can switch users") {
        return;
    }
    let mut supervised = run!(THREE);
    let (sealed, other) = (supervised.wait_for_life("sealed", 1), supervised.wait_for_life("other", 1));
    assert_ne!(sealed.uid, other.uid);
    for row in [&sealed, &other] {
        assert!((0x7000_0000..=0x7000_ffff).contains(&row.uid), "{row:?}");
        let process = supervised.pid(&row.name);
        let status = process.status();
        let four = |id: u32| [id; 4].map(|id| id.to_string()).join("\t");
        assert_eq!(status["Uid"], four(row.uid));
        assert_eq!(status["Gid"], four(row.gid));
        assert_eq!(status["Groups"], "", "supplementary groups");
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(status[set], "0000000000000000", "{set}");
        }
        assert_eq!(status["NoNewPrivs"], "1");
        assert_eq!(status["Seccomp"], "2");
        let (parent, group, session) = process.family().expect("it runs");
        assert_eq!((parent, group, session), (supervised.process().0, process.0, process.0));
        assert!(!is_dumpable(process), "others of its user may look into {row:?}");
    }
    supervised.stop();
}

/// Seen to fail without the bounding set; the ambient set; the switch of the user and its verification.
#[test]
fn d15_a_granted_capability_is_kept_over_the_switch_and_no_other() {
    if needs_root("only root can switch users") {
        return;
    }
    let manifest = "[worker.binder]\nexec = \"tw\"\n\
        sandbox = { preset = \"net-server\", tcp_bind = [80], capabilities = [\"CAP_NET_BIND_SERVICE\"] }\n\
        actor.life = { type = \"Life\", args = {} }\n";
    let mut supervised = run!(manifest);
    let row = supervised.wait_for_life("binder", 1);
    assert_ne!(row.uid, 0);
    let bind = Capabilities::named("CAP_NET_BIND_SERVICE").expect("the kernel has it");
    let only = format!("{:016x}", 1u64 << 10);
    assert_eq!(bind.iter().collect::<Vec<_>>(), ["CAP_NET_BIND_SERVICE"]);
    let status = supervised.pid("binder").status();
    assert_eq!(status["Uid"], [row.uid; 4].map(|id| id.to_string()).join("\t"));
    for set in ["CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status[set], only, "{set}");
    }
    assert_eq!(row.capabilities, 1 << 10);
    supervised.stop();
}

/// What is not dumpable belongs to root in /proc.
fn is_dumpable(process: Process) -> bool {
    use std::os::unix::fs::MetadataExt;
    let uid: Option<u32> = process.status().get("Uid").and_then(|ids| ids.split('\t').next()?.parse().ok());
    let owner = std::fs::metadata(format!("/proc/{}/environ", process.0)).map(|found| found.uid()).ok();
    owner == uid
}
