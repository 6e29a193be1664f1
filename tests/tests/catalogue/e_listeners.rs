//! E. Listeners of the supervisor: passed to it, or bound to a path.

use std::io::Read;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use bailiwick_tests::harness::LONGEST;
use bailiwick_tests::run;

use crate::support::{SERVES, foreign, kill};

/// Reads what the server at a TCP address says, which is its process number.
pub(crate) fn answer_at(address: &str) -> u32 {
    let stream = TcpStream::connect(address).expect("somebody listens");
    stream.set_read_timeout(Some(LONGEST)).expect("a socket");
    answer(stream)
}

/// Reads what a server says. Where the backlog outlives the server, whoever connects to it would wait for ever.
fn answer(mut stream: impl Read) -> u32 {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it is answered");
    text.parse().expect("a process number")
}

/// Seen to fail without the taking of LISTEN_FDS; the keeping of them for later lives.
#[test]
fn e13_a_listener_that_was_passed_is_used_and_outlives_the_worker() {
    // Nothing but what is passed can be meant: it has no address of its own.
    let manifest = ["[[listen]]\nname = \"http\"\n", &foreign("a", SERVES, &["serve"])].concat();
    let mut supervised = run!(&[env!("CARGO_BIN_EXE_tw"), "pass", "http"], &manifest);
    let line = supervised.journal().wait_for(0, "passes http at ").text;
    let at = line.rsplit(' ').next().expect("an address");
    for generation in [1, 2] {
        let pid = supervised.wait_for_life("a", generation).pid;
        assert_eq!(Some(answer_at(at)), pid);
        if generation == 1 {
            kill(&supervised, "a");
        }
    }
    supervised.stop();
}

/// Seen to fail without the closing of strays; the word about them.
#[test]
fn e13_what_was_passed_under_a_name_that_nobody_has_is_closed_and_said() {
    let manifest = foreign("a", "", &["wait"]);
    let mut supervised = run!(&[env!("CARGO_BIN_EXE_tw"), "pass", "stray"], &manifest);
    let line = supervised.journal().wait_for(0, "passes stray at ").text;
    supervised.journal().wait_for(0, "descriptor stray was passed, and no [[listen]] has its name: closed");
    assert!(TcpStream::connect(line.rsplit(' ').next().expect("an address")).is_err());
    supervised.stop();
}

/// Seen to fail without the descriptors that are kept; the keeping of them for later lives.
#[test]
fn e13_a_listener_with_a_path_outlives_the_worker_that_serves_it() {
    let listen = "[[listen]]\nname = \"http\"\nunix = \"FOLDER/http.sock\"\n";
    let manifest = [listen, &foreign("a", SERVES, &["serve-unix"])].concat();
    let mut supervised = run!(&manifest);
    let path = supervised.path().join("http.sock");
    for generation in [1, 2] {
        let pid = supervised.wait_for_life("a", generation).pid;
        let stream = UnixStream::connect(&path).expect("somebody listens");
        stream.set_read_timeout(Some(LONGEST)).expect("a socket");
        assert_eq!(Some(answer(stream)), pid);
        if generation == 1 {
            kill(&supervised, "a");
        }
    }
    supervised.stop();
}
