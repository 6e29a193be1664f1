//! What a worker does to the kernel, collected while it runs: one thread for each of its lives.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::{IoSlice, Result};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use bailiwick_sys::events::{Interest, Poller};
use bailiwick_sys::path_call::{self, Access, NamedPath, Want};
use bailiwick_sys::seccomp::overseer::{Told, go_on, next};
use bailiwick_sys::{socket, system_call};
use nix::libc;

/// Everything that was seen of the worker, from its first word to its supervisor on: what is before belongs to its start,
/// which the sandbox lets pass.
#[derive(Clone, Debug, Default)]
pub(super) struct Learned {
    /// Processes of it.
    pub(super) lives: u32,
    /// Calls, by number, with the arguments of the first of each of several kinds, and how often.
    pub(super) calls: BTreeMap<(i64, [u64; 6]), u64>,
    pub(super) reads: BTreeSet<PathBuf>,
    pub(super) writes: BTreeSet<PathBuf>,
    pub(super) binds: BTreeSet<u16>,
    pub(super) connects: BTreeSet<u16>,
}

/// Listens until everybody has ended.
pub(super) struct Collector {
    learned: Arc<Mutex<Learned>>,
    lives: Arc<Mutex<Vec<thread::JoinHandle<()>>>>,
}

impl Collector {
    /// Has lives of the worker come to `listener`, where each is handed its executable.
    pub(super) fn start(listener: UnixListener, executable: OwnedFd) -> Self {
        let this = Self { learned: Arc::default(), lives: Arc::default() };
        let (learned, lives) = (Arc::clone(&this.learned), Arc::clone(&this.lives));
        // It ends with this process: nobody comes once the system has ended.
        thread::spawn(move || {
            for line in listener.incoming().flatten() {
                let Ok(calls) = welcome(&line, &executable) else { continue };
                let learned = Arc::clone(&learned);
                let life = thread::spawn(move || listen(&calls, &learned));
                lives.lock().unwrap_or_else(PoisonError::into_inner).push(life);
            }
        });
        this
    }

    /// Waits for the end of all lives and returns what was seen of them.
    pub(super) fn finish(self) -> Learned {
        let lives = std::mem::take(&mut *self.lives.lock().unwrap_or_else(PoisonError::into_inner));
        for life in lives {
            let _panicked = life.join();
        }
        self.learned.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Hands a process what it is to execute and takes the listener of its calls.
fn welcome(line: &UnixStream, executable: &OwnedFd) -> Result<OwnedFd> {
    let failed = |_| std::io::Error::other("the process that was to be the worker has gone");
    socket::send(line.as_fd(), &[IoSlice::new(b"!")], &[executable.as_fd()]).map_err(|_| failed(()))?;
    let mut poller = Poller::new(1).map_err(|_| failed(()))?;
    poller.add(line, 0, Interest::READ).map_err(|_| failed(()))?;
    poller.wait(None).map_err(|_| failed(()))?.for_each(drop);
    let packet = socket::receive(line.as_fd(), &mut [0]).map_err(|_| failed(()))?;
    packet.and_then(|packet| packet.fds.into_iter().next()).ok_or_else(|| failed(()))
}

fn listen(calls: &OwnedFd, learned: &Mutex<Learned>) {
    let learn = || learned.lock().unwrap_or_else(PoisonError::into_inner);
    learn().lives += 1;
    let mut has_spoken = false;
    while let Ok(Some(told)) = next(calls.as_fd()) {
        if has_spoken {
            learn().take(&told);
        }
        has_spoken |= told.number == libc::SYS_sendmsg && told.arguments[0] == SUPERVISOR;
        if go_on(calls.as_fd(), told.id).is_err() {
            return;
        }
    }
}

impl Learned {
    fn take(&mut self, told: &Told) {
        let kind = (told.number, distinguishing(told));
        *self.calls.entry(kind).or_default() += 1;
        let name = system_call::name(told.number).unwrap_or_default();
        for named in path_call::named_by(told.number) {
            let (Some(want), Some(path)) = (want(told, named), path_of(told, named)) else { continue };
            match (want, path.symlink_metadata()) {
                (Want::Write | Want::Name, _) => drop(self.writes.insert(path)),
                (Want::Read, Ok(_)) => drop(self.reads.insert(path)),
                // What is not there is missed with a sandbox as it is without.
                (Want::Read, Err(_)) => {}
            }
        }
        match name {
            "bind" => self.binds.extend(port(told)),
            "connect" => self.connects.extend(port(told)),
            _ => {}
        }
    }
}

/// Returns the arguments of a call that a policy looks at: small numbers. Addresses and sizes differ from call to call.
fn distinguishing(told: &Told) -> [u64; 6] {
    let looked_at: &[usize] = match system_call::name(told.number).unwrap_or_default() {
        "socket" | "socketpair" => &[0, 1],
        "ioctl" | "setsockopt" => &[1, 2],
        "prctl" | "clone" | "unshare" | "personality" | "rt_sigaction" => &[0],
        "prlimit64" => &[0, 2],
        "sched_setscheduler" => &[1],
        _ => &[],
    };
    std::array::from_fn(|at| if looked_at.contains(&at) { told.arguments[at] } else { 0 })
}

/// Returns what is wanted with a path that a call names; `None` if it is only looked up, which Landlock leaves open.
fn want(told: &Told, path: &NamedPath) -> Option<Want> {
    match path.access {
        Access::Looks | Access::Mode(_) => None,
        Access::Writes => Some(Want::Write),
        Access::Names => Some(Want::Name),
        Access::Flags(at) => Some(Want::of_flags(told.arguments[at])),
        Access::How(at) => number(told.thread, told.arguments[at]).map(Want::of_flags),
    }
}

/// Returns the path that a call names, from the root on.
fn path_of(told: &Told, path: &NamedPath) -> Option<PathBuf> {
    let mut bytes = vec![0; libc::PATH_MAX as usize];
    let length = read(told.thread, told.arguments[path.path], &mut bytes)?;
    let end = bytes[..length].iter().position(|byte| *byte == 0)?;
    bytes.truncate(end);
    let named = PathBuf::from(OsString::from_vec(bytes));
    let process = Path::new("/proc").join(told.thread.to_string());
    let dir = path.folder.map(|at| told.arguments[at] as i32).filter(|dir| *dir != libc::AT_FDCWD);
    let folder = match dir {
        _ if named.is_absolute() => PathBuf::new(),
        Some(dir) => std::fs::read_link(process.join("fd").join(dir.to_string())).ok()?,
        None => std::fs::read_link(process.join("cwd")).ok()?,
    };
    Some(folder.join(named).components().collect())
}

/// Returns the port of the address that a call names, if it is one of TCP or UDP.
fn port(told: &Told) -> Option<u16> {
    let mut address = [0; 4];
    read(told.thread, told.arguments[1], &mut address).filter(|length| *length == address.len())?;
    let family = i32::from(u16::from_ne_bytes([address[0], address[1]]));
    let is_inet = family == libc::AF_INET || family == libc::AF_INET6;
    is_inet.then(|| u16::from_be_bytes([address[2], address[3]]))
}

fn number(thread: u32, at: u64) -> Option<u64> {
    let mut bytes = [0; 8];
    (read(thread, at, &mut bytes)? == bytes.len()).then(|| u64::from_ne_bytes(bytes))
}

/// Copies memory of a thread that waits; returns how much there was.
fn read(thread: u32, at: u64, to: &mut [u8]) -> Option<usize> {
    let memory = File::open(format!("/proc/{thread}/mem")).ok()?;
    memory.read_at(to, at).ok()
}

/// The descriptor of the line to the supervisor.
const SUPERVISOR: u64 = 3;
