//! sd_notify: telling whoever started this process how it gets on, and hearing it from the processes that it started.

use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, bind, sendto, setsockopt, socket, sockopt,
};

use crate::error::{Errno, Failed, failed};
use crate::worker_users::hash;
use crate::{own_folder, socket};

/// The way to whoever started this process, if that wants to know how it gets on.
#[derive(Debug)]
pub struct Superior {
    socket: OwnedFd,
    address: UnixAddr,
    watchdog: Option<Duration>,
    /// What it was told last.
    told: Option<Standing>,
    /// It, or somebody else, asked for a reload of which it was told nothing yet.
    is_asked: bool,
    /// When it is to hear that this process gets on.
    ping_at: Option<u64>,
    /// When it is told what it had no room for.
    retry_at: Option<u64>,
}

/// What whoever started a supervisor is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What it is about.
    pub phase: Phase,
    /// How many children are ready, or done.
    pub ready: usize,
    /// Of how many.
    pub of: usize,
}

/// What a supervisor is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Children start for the first time.
    Starting,
    /// What is to be ready is.
    Running,
    /// It takes up what has changed.
    Reloading,
    /// Everything stops, for at most this long.
    Stopping(Duration),
}

impl Superior {
    /// Finds who is to be told, by the variables `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` of the environment.
    ///
    /// `Ok(None)` where nobody wants to know.
    ///
    /// # Errors
    /// Somebody wants to know by a way that cannot be gone: EAFNOSUPPORT for an address that is neither a path nor
    /// abstract, ENAMETOOLONG, EMFILE.
    pub fn of_this_process() -> Result<Option<Self>, Failed> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let Some(address) = variable("NOTIFY_SOCKET") else { return Ok(None) };
        let number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
        let watched = number("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().into());
        let watchdog = number("WATCHDOG_USEC").filter(|micros| watched && *micros > 0);
        Self::at(&address, watchdog.map(Duration::from_micros)).map(Some)
    }

    fn at(address: &OsStr, watchdog: Option<Duration>) -> Result<Self, Failed> {
        let address = match address.as_bytes() {
            [b'@', name @ ..] => UnixAddr::new_abstract(name),
            [b'/', ..] => UnixAddr::new(address),
            _ => Err(Errno::EAFNOSUPPORT),
        };
        let address = address.map_err(failed("NOTIFY_SOCKET"))?;
        let (told, retry_at) = (None, None);
        let ping_at = watchdog.map(|_| 0);
        Ok(Self { socket: datagrams()?, address, watchdog, told, is_asked: false, ping_at, retry_at })
    }

    /// Returns how often it wants to hear that this process gets on; `None` if it does not watch.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Notes that a reload was asked for. [`Self::report`] tells of it even if it is over by then, since whoever asked
    /// waits for that.
    pub fn note_reload(&mut self) {
        self.is_asked = true;
    }

    /// Tells what has changed since it was last told, and that this process gets on, if it is time.
    pub fn report(&mut self, mut standing: Standing, now_ns: u64) {
        // That it was ready stays said, whatever starts again.
        let was_ready = self.told.is_some_and(|told| told.phase != Phase::Starting);
        standing.phase = match standing.phase {
            Phase::Starting if was_ready => Phase::Running,
            // To be ready again afterwards would say that it is for the first time.
            Phase::Reloading if !was_ready => Phase::Starting,
            phase => phase,
        };
        if std::mem::take(&mut self.is_asked) && was_ready && standing.phase == Phase::Running {
            self.report(Standing { phase: Phase::Reloading, ..standing }, now_ns);
        }
        if self.ping_at.is_some_and(|at| at <= now_ns) {
            // What is lost is said again in time: half of what is allowed has passed then.
            let _ = self.tell("WATCHDOG=1");
            self.ping_at = self.watchdog.map(|every| now_ns.saturating_add(nanos(every / 2)));
        }
        if self.told == Some(standing) || self.retry_at.is_some_and(|at| at > now_ns) {
            return;
        }
        let text = standing.text(self.told.map(|told| told.phase), now_ns);
        self.retry_at = match self.tell(&text) {
            Err(Failed { errno: Errno::EAGAIN | Errno::ENOBUFS, .. }) => {
                Some(now_ns.saturating_add(RETRY_NS))
            }
            // One that is not there will not be told again what it missed.
            Ok(()) | Err(_) => {
                self.told = Some(standing);
                None
            }
        };
    }

    /// Returns when [`Self::report`] is to be called at the latest, in the time of its `now_ns`.
    pub fn deadline(&self) -> Option<u64> {
        self.ping_at.into_iter().chain(self.retry_at).min()
    }

    /// Tells it something, unless that would block.
    ///
    /// # Errors
    /// EAGAIN when it has not read what it was told before: to be told again later. Any other: it is not there.
    pub fn tell(&self, text: &str) -> Result<(), Failed> {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        sendto(self.socket.as_raw_fd(), text.as_bytes(), &self.address, flags)
            .map_err(failed("sendto"))
            .map(drop)
    }
}

impl Standing {
    /// Returns what is told, where `before` was told before.
    fn text(self, before: Option<Phase>, now_ns: u64) -> String {
        let entered = if before == Some(self.phase) { None } else { Some(self.phase) };
        let news = match entered {
            Some(Phase::Running) => "READY=1\n".to_owned(),
            Some(Phase::Reloading) => format!("RELOADING=1\nMONOTONIC_USEC={}\n", now_ns / 1000),
            Some(Phase::Stopping(limit)) => {
                format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={}\n", limit.as_micros())
            }
            Some(Phase::Starting) | None => String::new(),
        };
        format!("{news}STATUS={}/{} ready", self.ready, self.of)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Makes the folder in a state directory, if it is missing, in which `who` is heard and nobody else, so that it can be shown
/// to that worker; the way to it is opened for everybody. Returns its path.
///
/// Where workers share a user, who sees the socket of another can fill it.
pub fn folder(state_dir: &Path, who: &str) -> PathBuf {
    let all = state_dir.join("notify");
    // The path of a socket has no room for every name.
    let path = all.join(format!("{:016x}", hash(who.as_bytes())));
    // Whoever binds a socket there finds what was wrong.
    for folder in [&all, &path] {
        let _is_there = own_folder::make(folder);
    }
    let _is_seen_by_no_other_user = open_way(state_dir).and_then(|()| open_way(&all));
    path
}

/// Returns the path of the socket in the [`folder`] of `who`.
///
/// # Errors
/// EILSEQ when that is no text, which a variable of an environment has to be.
pub fn path(state_dir: &Path, who: &str) -> Result<String, Failed> {
    let path = folder(state_dir, who).join("in").into_os_string();
    path.into_string().map_err(|_| Failed { call: "NOTIFY_SOCKET", errno: Errno::EILSEQ })
}

/// Makes the socket at `path` on which one process is heard, which runs as `uid`: nobody else but root can send to it.
/// What stood at `path` is removed. Its folder is opened for everybody to go through, and not to look into.
///
/// # Errors
/// When the socket cannot be made there.
pub fn listen(path: &Path, uid: u32) -> Result<OwnedFd, Failed> {
    let socket = datagrams()?;
    // Whose number sent a datagram is known from the first one on.
    socket::pass_credentials(std::os::fd::AsFd::as_fd(&socket))?;
    let _nothing_was_there = std::fs::remove_file(path);
    let address = UnixAddr::new(path).map_err(failed("name a socket"))?;
    bind(socket.as_raw_fd(), &address).map_err(failed("bind"))?;
    set_up(path, uid)
        .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
        .map_err(failed("chmod"))?;
    Ok(socket)
}

/// Leaves the socket to one user, and opens the way to it.
fn set_up(path: &Path, uid: u32) -> std::io::Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    chown(path, Some(uid), None)?;
    path.parent().map_or(Ok(()), open_way)
}

fn open_way(folder: &Path) -> std::io::Result<()> {
    let mode = std::fs::metadata(folder)?.permissions().mode();
    std::fs::set_permissions(folder, Permissions::from_mode(mode | 0o011))
}

fn datagrams() -> Result<OwnedFd, Failed> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let made = socket(AddressFamily::Unix, SockType::Datagram, flags, None).map_err(failed("socket"))?;
    // Room enough that a program which tells much in a burst does not wait for a loop that is busy.
    let _less_room = setsockopt(&made, sockopt::RcvBuf, &RECEIVE_BYTES);
    Ok(made)
}

const RECEIVE_BYTES: usize = 256 << 10;

/// How soon it is told again what it had no room for, in nanoseconds.
const RETRY_NS: u64 = 50_000_000;

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::time::Instant;

    use super::*;

    fn heard(socket: &OwnedFd) -> Option<(String, i32)> {
        let mut bytes = [0; 64];
        let packet = socket::receive(socket.as_fd(), &mut bytes).ok()??;
        let sender = packet.credentials.expect("they were asked for").pid;
        Some((String::from_utf8_lossy(&bytes[..packet.bytes]).into_owned(), sender))
    }

    #[test]
    fn what_is_told_by_path_is_heard_with_its_sender() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        std::fs::write(&path, "stale").unwrap();
        let socket = listen(&path, nix::unistd::getuid().as_raw()).unwrap();
        assert_eq!(heard(&socket), None);
        let superior = Superior::at(path.as_os_str(), None).unwrap();
        superior.tell("READY=1").unwrap();
        superior.tell("").unwrap();
        assert_eq!(heard(&socket), Some(("READY=1".into(), nix::unistd::getpid().as_raw())));
        drop(socket);
        // Another test may have forked meanwhile, with a copy that is open for a moment.
        let until = Instant::now() + Duration::from_secs(60);
        while superior.tell("STOPPING=1").map_err(|failed| failed.errno) != Err(Errno::ECONNREFUSED) {
            assert!(Instant::now() < until, "nobody hears it any more");
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_is_told_by_an_abstract_name_is_heard() {
        let name = format!("bailiwick-test-{}", std::process::id());
        let socket = datagrams().unwrap();
        let address = UnixAddr::new_abstract(name.as_bytes()).unwrap();
        bind(socket.as_raw_fd(), &address).unwrap();
        socket::pass_credentials(socket.as_fd()).unwrap();
        let superior = Superior::at(OsStr::new(&format!("@{name}")), None).unwrap();
        superior.tell("READY=1").unwrap();
        assert_eq!(heard(&socket).map(|(text, _)| text).as_deref(), Some("READY=1"));
    }

    #[test]
    fn an_address_that_leads_nowhere_is_refused() {
        for address in ["relative", "vsock:2:9999"] {
            let errno = Superior::at(OsStr::new(address), None).map(drop).map_err(|failed| failed.errno);
            assert_eq!(errno, Err(Errno::EAFNOSUPPORT), "{address}");
        }
        let long = format!("/{}", "x".repeat(200));
        assert!(Superior::at(OsStr::new(&long), None).is_err());
    }

    #[test]
    fn each_change_is_told_once_and_life_at_half_of_the_watchdogs_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = listen(&path, nix::unistd::getuid().as_raw()).unwrap();
        let mut superior = Superior::at(path.as_os_str(), Some(Duration::from_nanos(100))).unwrap();
        let all = || std::iter::from_fn(|| heard(&socket)).map(|(text, _)| text).collect::<Vec<_>>();
        let standing = |phase, ready| Standing { phase, ready, of: 2 };
        superior.report(standing(Phase::Starting, 0), 0);
        assert_eq!(
            (all(), superior.deadline()),
            (vec!["WATCHDOG=1".into(), "STATUS=0/2 ready".into()], Some(50))
        );
        superior.report(standing(Phase::Running, 2), 49);
        superior.report(standing(Phase::Running, 2), 49);
        assert_eq!(all(), ["READY=1\nSTATUS=2/2 ready"]);
        superior.report(standing(Phase::Running, 1), 60);
        assert_eq!(
            (all(), superior.deadline()),
            (vec!["WATCHDOG=1".into(), "STATUS=1/2 ready".into()], Some(110))
        );
        superior.report(standing(Phase::Reloading, 1), 61_000);
        superior.report(standing(Phase::Running, 1), 61_000);
        let reload =
            ["WATCHDOG=1", "RELOADING=1\nMONOTONIC_USEC=61\nSTATUS=1/2 ready", "READY=1\nSTATUS=1/2 ready"];
        assert_eq!(all(), reload);
        superior.note_reload();
        superior.report(standing(Phase::Running, 1), 61_000);
        superior.report(standing(Phase::Running, 1), 61_000);
        assert_eq!(all(), reload[1..], "a reload that is over when it could be told");
        superior.report(standing(Phase::Stopping(Duration::from_secs(1)), 1), 61_001);
        assert_eq!(all(), ["STOPPING=1\nEXTEND_TIMEOUT_USEC=1000000\nSTATUS=1/2 ready"]);
    }

    #[test]
    fn a_reload_before_it_is_ready_is_not_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = listen(&path, nix::unistd::getuid().as_raw()).unwrap();
        let mut superior = Superior::at(path.as_os_str(), None).unwrap();
        superior.note_reload();
        for phase in [Phase::Reloading, Phase::Starting, Phase::Running] {
            superior.report(Standing { phase, ready: 0, of: 1 }, 0);
        }
        let all: Vec<_> = std::iter::from_fn(|| heard(&socket)).map(|(text, _)| text).collect();
        assert_eq!(all, ["STATUS=0/1 ready", "READY=1\nSTATUS=0/1 ready"]);
    }

    #[test]
    fn one_that_does_not_read_blocks_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let _deaf = listen(&path, nix::unistd::getuid().as_raw()).unwrap();
        let superior = Superior::at(path.as_os_str(), None).unwrap();
        let refused = (0..100_000).find_map(|_| superior.tell("STATUS=x").err());
        assert_eq!(refused.map(|failed| failed.errno), Some(Errno::EAGAIN));
    }
}
