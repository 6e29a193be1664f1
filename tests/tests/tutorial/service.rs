//! What systemd would do with the unit that the reader has installed: starts it, hears that it is ready, and stops it.
//!
//! The unit itself is shown to systemd by another test (`deployment`). The services of this machine are left alone.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use bailiwick_tests::harness::{LONGEST, Supervised};
use nix::sys::signal::Signal;

use crate::reader::Reader;

/// Does what `systemctl` is asked for.
pub(crate) fn order(reader: &mut Reader, order: &str) {
    let words: Vec<_> = order.split(' ').collect();
    match words[..] {
        ["daemon-reload"] => {}
        ["enable", "--now", unit] => start(reader, unit),
        ["disable", "--now", _] => {
            reader.running().expect("the service runs").signal(Signal::SIGTERM);
            reader.has_ended();
        }
        _ => panic!("nobody here knows `systemctl {order}`"),
    }
}

/// Starts an instance of a unit, and waits until it says that it is ready.
fn start(reader: &mut Reader, unit: &str) {
    let (template, instance) = unit.split_once('@').expect("it is an instance");
    let file = reader.root.join(format!("etc/systemd/system/{template}@.service"));
    let text = fs::read_to_string(file).expect("it was installed");
    let told = text.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("it starts something");
    let root = reader.root.display().to_string();
    let told = told.replace("%t/bailiwick/%i", &format!("{root}/state")).replace("%i", instance);
    let mut words = told
        .split(' ')
        .map(|word| if word.starts_with(&root) { word.to_owned() } else { below(&root, word) });
    let mut command = Command::new(words.next().expect("a program"));
    let notified = reader.root.join("notified");
    let socket = UnixDatagram::bind(&notified).expect("the folder is ours");
    command.args(words).env("NOTIFY_SOCKET", &notified);
    reader.start(command);
    is_ready(&socket, reader.running().expect("it was started"));
}

/// Returns a path of the system as it is below the reader's folder.
fn below(root: &str, word: &str) -> String {
    if word.starts_with('/') { format!("{root}{word}") } else { word.to_owned() }
}

fn is_ready(socket: &UnixDatagram, running: &Supervised) {
    socket.set_read_timeout(Some(LONGEST)).expect("a socket has one");
    let mut bytes = [0; 4096];
    loop {
        let length =
            socket.recv(&mut bytes).unwrap_or_else(|error| panic!("{error}:\n{}", running.journal()));
        let said = String::from_utf8_lossy(&bytes[..length]);
        if said.lines().any(|line| line == "READY=1") {
            return;
        }
    }
}
