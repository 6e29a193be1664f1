//! What is printed where standard output and standard error are the journal's: a socket stands in for it, in a place of its own.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use bailiwick_supervisor::control::Target;
use bailiwick_tests::harness::{Supervised, needs_program, needs_root, wait_until};
use nix::sys::signal::Signal;

use crate::logs::remembered;
use crate::support::{foreign, worker};

/// Has the socket stand where the journal listens, for this process alone, and says that both streams are the journal's, or not.
fn wrapper(socket: &str, inode: &str) -> String {
    format!(
        "mount -t tmpfs none /run && mkdir -p /run/systemd/journal && touch /run/systemd/journal/socket \
         && mount --bind {socket} /run/systemd/journal/socket && exec 2>&1 \
         && JOURNAL_STREAM=$(stat -Lc '{inode}' /proc/self/fd/2) exec \"$0\" \"$@\""
    )
}

fn start(socket: &str, inode: &str, manifest: &str) -> Supervised {
    let script = wrapper(socket, inode);
    let around = ["unshare", "--mount", "sh", "-c", &script];
    Supervised::wrapped(
        &around,
        env!("CARGO_BIN_EXE_bailiwickd-under-test"),
        env!("CARGO_BIN_EXE_tw"),
        manifest,
    )
}

/// The fields of entries, up to the one with this message.
fn entries(listens: &UnixDatagram, last: &str) -> Vec<Vec<String>> {
    let mut entries: Vec<Vec<String>> = Vec::new();
    let mut bytes = vec![0; 64 << 10];
    loop {
        let length = listens.recv(&mut bytes).unwrap_or_else(|error| panic!("{error} after {entries:#?}"));
        let text = std::str::from_utf8(&bytes[..length]).expect("it is text");
        let entry = text.strip_suffix("\n\n").expect("an entry has its end");
        let entry: Vec<_> = entry.lines().map(str::to_owned).collect();
        let is_last = entry[0] == format!("MESSAGE={last}");
        entries.push(entry);
        if is_last {
            return entries;
        }
    }
}

fn found<'e>(entries: &'e [Vec<String>], message: &str) -> &'e [String] {
    let whole = format!("MESSAGE={message}");
    entries.iter().find(|entry| entry[0] == whole).unwrap_or_else(|| panic!("{message} in {entries:#?}"))
}

/// Seen to fail where the variable names another inode.
#[test]
fn what_is_printed_goes_to_the_journal_with_its_fields_and_nobody_waits_for_it() {
    if needs_root("only root can put a socket into the place of the journal's")
        || needs_program("unshare", "util-linux")
    {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket");
    let listens = UnixDatagram::bind(&path).expect("it is free");
    listens.set_read_timeout(Some(Duration::from_secs(120))).expect("it is no zero");
    let socket = path.to_str().expect("it is plain");
    let says = worker("web", "", "event = \"odd\", settled = true");
    let shouts = foreign(
        "db",
        "",
        &["ignore=SIGUSR1", "say=<3>broken", "until=SIGUSR1", "flood=3000", "say=flooded", "wait"],
    );
    let mut supervised = start(socket, "%d:%i", &[says, shouts].concat());
    let mut told = entries(&listens, "INFO life#1: settled: odd bytes=3");
    if !told.iter().any(|entry| entry[0] == "MESSAGE=broken") {
        told.extend(entries(&listens, "broken"));
    }
    let event = found(&told, "INFO life#1: settled: odd bytes=3");
    let expected = [
        "PRIORITY=6",
        "SYSLOG_IDENTIFIER=web",
        "BAILIWICK_WORKER=web",
        "BAILIWICK_INSTANCE=1",
        "BAILIWICK_GENERATION=1",
        "BAILIWICK_ACTOR=life#1",
    ];
    assert_eq!(event[1..7], expected.map(str::to_owned));
    assert!(event.contains(&"F_BYTES=3".to_owned()), "{event:?}");
    assert!(
        event.iter().any(|field| field.starts_with("CODE_FILE=") && field.ends_with("life.rs")),
        "{event:?}"
    );
    assert_eq!(found(&told, "broken")[1], "PRIORITY=3");
    // Nobody reads: what there is no room for is missed, and nothing else.
    supervised.pid("db").signal(Signal::SIGUSR1);
    let of_db = Target::Worker("db".into());
    let has_flooded = || remembered(&supervised, &of_db).iter().any(|line| line.said.text == "flooded");
    wait_until("everything is printed", has_flooded);
    drop(listens);
    assert!(supervised.journal().since(0).is_empty(), "{}", supervised.journal());
    supervised.stop();
    std::fs::remove_file(&path).expect("it is ours");
    let listens = UnixDatagram::bind(&path).expect("it is free");
    let mut supervised = start(socket, "%d:1%i", &foreign("calm", "", &["say=hello", "wait"]));
    supervised.journal().wait_for(0, "calm | hello");
    listens.set_nonblocking(true).expect("ours");
    assert!(listens.recv(&mut [0; 16]).is_err(), "the streams are somebody else's");
    supervised.stop();
}
