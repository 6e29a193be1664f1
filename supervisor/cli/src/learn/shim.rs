//! The process that becomes the worker: it puts itself under a filter that tells, hands the listener on, and executes.

use std::ffi::CString;
use std::io::IoSlice;
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::{SocketAddr, UnixStream};
use std::process::ExitCode;

use bailiwick_sys::events::{Interest, Poller};
use bailiwick_sys::seccomp::overseer::tell_of_every_call;
use bailiwick_sys::{identity, socket};
use nix::unistd::fexecve;

use super::VARIABLE;

/// The exit code of who could not become the worker.
const FAILED: u8 = 69;

/// Becomes the worker that is learned from, if the environment says that this process is to.
pub(crate) fn shim() -> Option<ExitCode> {
    let name = std::env::var_os(VARIABLE)?;
    Some(match become_worker(name.as_bytes()) {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("bailiwick learn: {error}");
            ExitCode::from(FAILED)
        }
    })
}

fn become_worker(name: &[u8]) -> Result<std::convert::Infallible, Box<dyn std::error::Error>> {
    let line = UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?)?;
    let mut poller = Poller::new(1)?;
    poller.add(&line, 0, Interest::READ)?;
    poller.wait(None)?.for_each(drop);
    let packet = socket::receive(line.as_fd(), &mut [0])?.ok_or("whoever learns has gone")?;
    let executable = packet.fds.into_iter().next().ok_or("there is nothing to execute")?;
    let arguments: Vec<CString> =
        std::env::args_os().map(|text| CString::new(text.into_vec())).collect::<Result<_, _>>()?;
    let variables = std::env::vars_os().filter(|(name, _)| name != VARIABLE);
    let variables = variables.map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat());
    let variables: Vec<CString> = variables.map(CString::new).collect::<Result<_, _>>()?;
    identity::set_no_new_privileges()?;
    let listener = tell_of_every_call(line.as_fd())?;
    // The one call that does not wait for whoever is handed the listener by it. It takes no memory.
    socket::send(line.as_fd(), &[IoSlice::new(b"!")], &[listener.as_fd()])?;
    // Both ends of a filter in one process would let it answer for itself.
    drop(listener);
    Ok(fexecve(executable, &arguments, &variables)?)
}
