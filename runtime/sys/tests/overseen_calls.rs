//! A process that has each of its system calls told, and goes on after each.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::process::Command;

use bailiwick_sys::events::{Interest, Poller};
use bailiwick_sys::seccomp::overseer::{go_on, next, tell_of_every_call};
use bailiwick_sys::{identity, socket};
use nix::libc;

/// Where the listener is to be handed on.
const SOCKET: &str = "OVERSEEN_CALLS_TEST";

/// Makes calls that are told, if the environment says to whom; nothing else.
#[test]
fn the_one_that_is_overseen() {
    let Ok(name) = std::env::var(SOCKET) else { return };
    let line = UnixStream::connect_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap();
    identity::set_no_new_privileges().unwrap();
    let listener = tell_of_every_call(line.as_fd()).unwrap();
    socket::send(line.as_fd(), &[IoSlice::new(b"!")], &[listener.as_fd()]).unwrap();
    drop(listener);
    assert_eq!(nix::unistd::getsid(None).unwrap(), nix::unistd::getsid(None).unwrap());
    std::process::exit(7);
}

#[test]
fn each_call_is_told_with_its_arguments_and_goes_on_until_the_process_has_ended() {
    let name = format!("bailiwick-overseen-{}", std::process::id());
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "the_one_that_is_overseen", "--test-threads=1"]).env(SOCKET, &name);
    let mut child = command.spawn().unwrap();
    let (line, _) = listener.accept().unwrap();
    let mut poller = Poller::new(1).unwrap();
    poller.add(&line, 0, Interest::READ).unwrap();
    poller.wait(None).unwrap().for_each(drop);
    let packet = socket::receive(line.as_fd(), &mut [0]).unwrap().unwrap();
    let calls = &packet.fds[0];
    let mut told: BTreeMap<i64, Vec<u64>> = BTreeMap::new();
    while let Some(call) = next(calls.as_fd()).unwrap() {
        told.entry(call.number).or_default().push(call.arguments[0]);
        go_on(calls.as_fd(), call.id).unwrap();
    }
    assert_eq!(child.wait().unwrap().code(), Some(7), "what was told was carried out");
    assert_eq!(told.get(&libc::SYS_getsid), Some(&vec![0, 0]));
    assert_eq!(told.get(&libc::SYS_exit_group), Some(&vec![7]));
    assert_eq!(told.get(&libc::SYS_sendmsg), None, "the one that handed the listener on");
}
