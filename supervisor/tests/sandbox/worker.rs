//! The worker: does what it is told over descriptor 3 and says what came of it.

use std::fs::{File, Permissions};
use std::io::{IoSlice, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use bailiwick_sys::confine::StageB;
use bailiwick_sys::seccomp::Filter;
use bailiwick_sys::{Errno, capability, files, identity, socket};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::socket::{setsockopt, sockopt};
use nix::time::{ClockId, clock_gettime};

pub(crate) fn main() -> ExitCode {
    let control = files::take_inherited(3).expect("descriptor 3");
    assert!(files::take_inherited(3).is_none(), "an inherited descriptor is taken once");
    say(&control, "up");
    while let Some((order, mut fds)) = hear(&control) {
        let order = String::from_utf8(order).expect("orders are text");
        let answer = match order.strip_prefix("confine") {
            Some(more) => {
                confine(&control, more == " dumpable");
                "confined".to_owned()
            }
            None if order == "filter-threads" => {
                filter_threads(&control);
                "filtered".to_owned()
            }
            None => obey(&order, fds.pop()),
        };
        say(&control, &answer);
    }
    ExitCode::SUCCESS
}

fn confine(control: &OwnedFd, dumpable: bool) {
    let (filter, fds) = hear(control).expect("the second stage");
    let filter = (!filter.is_empty()).then(|| Filter::from_bytes(&filter).expect("a filter"));
    let ruleset = fds.first().map(AsFd::as_fd);
    StageB { dumpable, ruleset, filter: filter.as_ref() }.enter().expect("the second stage");
}

/// Connects to a socket of packets, and returns the first.
pub(crate) fn first_word(path: &str) -> std::io::Result<String> {
    let ours = connect_to(path)?;
    let mut bytes = [0; 64];
    let length = nix::unistd::read(&ours, &mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
}

/// Connects to a socket of packets.
pub(crate) fn connect_to(path: &str) -> std::io::Result<OwnedFd> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
    let ours = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
    connect(std::os::fd::AsRawFd::as_raw_fd(&ours), &UnixAddr::new(path)?)?;
    Ok(ours)
}

/// Enters a filter while there is another thread, which lives on.
fn filter_threads(control: &OwnedFd) {
    let (bytes, _) = hear(control).expect("a filter");
    let filter = Filter::from_bytes(&bytes).expect("a filter");
    let (started, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        started.send(()).expect("the other thread waits");
        std::thread::park();
    });
    wait.recv().expect("the other thread runs");
    nix::sys::prctl::set_no_new_privs().expect("every kernel can");
    filter.install_on_all_threads().expect("a filter on all threads");
}

fn obey(order: &str, fd: Option<OwnedFd>) -> String {
    let (verb, argument) = order.split_once(' ').unwrap_or((order, ""));
    match verb {
        "read" => outcome(std::fs::read(argument)),
        "write" => outcome(std::fs::write(argument, "written")),
        "list" => outcome(std::fs::read_dir(argument)),
        "read-beneath" => {
            let folder = fd.expect("a folder comes along");
            let found = files::open_beneath(folder.as_fd(), Path::new(argument));
            outcome(found.map_err(|failed| failed.errno.into()).map(File::from))
        }
        "stat" => outcome(std::fs::symlink_metadata(argument)),
        "stat-beneath" => {
            let folder = fd.expect("a folder comes along");
            let found = nix::sys::stat::fstatat(folder, argument, nix::fcntl::AtFlags::empty());
            outcome(found.map_err(std::io::Error::from))
        }
        "abstract" => {
            let address = SocketAddr::from_abstract_name(argument).expect("a short name");
            outcome(UnixStream::connect_addr(&address))
        }
        // Returns what is said to whoever connects.
        "heard" => first_word(argument).unwrap_or_else(|error| refusal(&error)),
        "fill" => {
            let mut file = File::create(argument).expect("a file");
            let block = vec![1; 1 << 20];
            let error = std::iter::repeat_with(|| file.write_all(&block)).take(1024).find_map(Result::err);
            format!(
                "{} at {:?} MiB",
                refusal(&error.expect("a limit")),
                file.metadata().map(|found| found.len() >> 20).ok()
            )
        }
        "breed" => {
            let born =
                |number| File::create(format!("{argument}/{number}")).err().map(|error| (number, error));
            let (number, error) = (0..100_000).find_map(born).expect("a limit");
            format!("{} at {number}", refusal(&error))
        }
        "bind" => outcome(TcpListener::bind(format!("127.0.0.1:{argument}"))),
        "connect" => outcome(std::net::TcpStream::connect(format!("127.0.0.1:{argument}"))),
        "udp" => outcome(std::net::UdpSocket::bind("127.0.0.1:0")),
        "linger" => {
            let (socket, _) = UnixStream::pair().expect("a pair");
            let linger = nix::libc::linger { l_onoff: 1, l_linger: 60 };
            outcome(setsockopt(&socket, sockopt::Linger, &linger).map_err(std::io::Error::from))
        }
        "run" => match Command::new("/bin/sh").args(["-c", argument]).status() {
            Ok(status) => status.to_string(),
            Err(error) => refusal(&error),
        },
        "thread" => outcome(std::thread::Builder::new().spawn(|| ()).map(|thread| thread.join().is_ok())),
        "signal" => {
            let pid = nix::unistd::Pid::from_raw(argument.parse().expect("a process id"));
            outcome(nix::sys::signal::kill(pid, None).map_err(std::io::Error::from))
        }
        "assault" => {
            let (pid, address) = argument.split_once(' ').expect("a process id and an address");
            assault(pid.parse().expect("a number"), address.parse().expect("a number"))
        }
        "pid" => std::process::id().to_string(),
        "abort" => std::process::abort(),
        "nest" => {
            outcome(nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER).map_err(std::io::Error::from))
        }
        "hostname" => outcome(nix::unistd::sethostname(argument).map_err(std::io::Error::from)),
        "allocate" => {
            let bytes = vec![1_u8; argument.parse().expect("a size")];
            format!("holds {}", bytes.iter().map(|byte| usize::from(*byte)).sum::<usize>())
        }
        "facts" => format!(
            "pdeathsig {} dumpable {} ambient {} bounding {} securebits {:#x} umask {:o}",
            identity::parent_death_signal().expect("every kernel answers"),
            identity::is_dumpable(),
            capability::ambient(),
            capability::bounding(),
            identity::secure_bits(),
            nix::sys::stat::umask(nix::sys::stat::Mode::empty()),
        ),
        "limit" => limit(argument),
        "grow" => {
            let bytes = vec![1; argument.parse().expect("a size")];
            outcome(File::from(fd.expect("a file comes along")).write_all(&bytes))
        }
        "reserve" => {
            let reserved = Vec::<u8>::new().try_reserve_exact(argument.parse().expect("a size"));
            reserved.map_or_else(|_| "no memory".to_owned(), |()| "ok".to_owned())
        }
        "fill-memory-file" => {
            let file = memfd_create(
                c"filled",
                MFdFlags::from_bits_retain(nix::libc::MFD_CLOEXEC | nix::libc::MFD_NOEXEC_SEAL),
            )
            .expect("a memory file");
            let bytes = vec![1; argument.parse().expect("a size")];
            outcome(File::from(file).write_all(&bytes))
        }
        "keyring" => format!("{:?}", identity::session_keyring()),
        "lock-memory" => outcome(mlockall(MlockAllFlags::MCL_FUTURE).map_err(std::io::Error::from)),
        "burn" => {
            let start = cpu_time();
            while cpu_time() - start < Duration::from_millis(argument.parse().expect("milliseconds")) {}
            "burnt".to_owned()
        }
        "unlock" => outcome(nix::sys::mman::munlockall().map_err(std::io::Error::from)),
        "usage" => {
            let own = nix::sys::resource::UsageWho::RUSAGE_SELF;
            outcome(nix::sys::resource::getrusage(own).map_err(std::io::Error::from))
        }
        "pair" => outcome(UnixStream::pair()),
        "socket" => outcome(std::os::unix::net::UnixDatagram::unbound()),
        "unshare" => {
            let flag = nix::sched::CloneFlags::CLONE_NEWUSER;
            outcome(nix::sched::unshare(flag).map_err(std::io::Error::from))
        }
        "memfd" => {
            let flags = nix::sys::memfd::MFdFlags::MFD_CLOEXEC;
            outcome(nix::sys::memfd::memfd_create(c"probe", flags).map_err(std::io::Error::from))
        }
        "mode" => {
            let (mode, path) = argument.split_once(' ').expect("a mode and a path");
            let mode = u32::from_str_radix(mode, 8).expect("an octal number");
            outcome(File::open(path).and_then(|file| file.set_permissions(Permissions::from_mode(mode))))
        }
        "make" => {
            let (mode, path) = argument.split_once(' ').expect("a mode and a path");
            let mode = u32::from_str_radix(mode, 8).expect("an octal number");
            outcome(File::options().write(true).create_new(true).mode(mode).open(path))
        }
        "mdwe" => identity::denies_write_execute().to_string(),
        "exit" => std::process::exit(argument.parse().expect("an exit code")),
        _ => panic!("no such order: {order}"),
    }
}

/// Returns a limit of this process, soft and hard.
fn limit(name: &str) -> String {
    let resource = match name {
        "core" => nix::sys::resource::Resource::RLIMIT_CORE,
        "nofile" => nix::sys::resource::Resource::RLIMIT_NOFILE,
        "nproc" => nix::sys::resource::Resource::RLIMIT_NPROC,
        "fsize" => nix::sys::resource::Resource::RLIMIT_FSIZE,
        "as" => nix::sys::resource::Resource::RLIMIT_AS,
        "stack" => nix::sys::resource::Resource::RLIMIT_STACK,
        "memlock" => nix::sys::resource::Resource::RLIMIT_MEMLOCK,
        "cpu" => nix::sys::resource::Resource::RLIMIT_CPU,
        "msgqueue" => nix::sys::resource::Resource::RLIMIT_MSGQUEUE,
        "sigpending" => nix::sys::resource::Resource::RLIMIT_SIGPENDING,
        "rtprio" => nix::sys::resource::Resource::RLIMIT_RTPRIO,
        "nice" => nix::sys::resource::Resource::RLIMIT_NICE,
        _ => panic!("no such limit: {name}"),
    };
    format!("{:?}", nix::sys::resource::getrlimit(resource).expect("every kernel answers"))
}

/// Returns how long this process has computed.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("every kernel has it").into()
}

/// Tries everything that reaches into another process, and says what came of each.
fn assault(pid: i32, address: usize) -> String {
    let target = nix::unistd::Pid::from_raw(pid);
    let ok = |result: nix::Result<()>| outcome(result.map_err(std::io::Error::from));
    let mut word = [0_u8; 8];
    let mut local = [std::io::IoSliceMut::new(&mut word)];
    let remote = nix::sys::uio::RemoteIoVec { base: address, len: 8 };
    let set = nix::sched::sched_getaffinity(nix::unistd::Pid::this()).expect("every kernel answers");
    [
        ("kill", ok(nix::sys::signal::kill(target, None))),
        ("kill all", ok(nix::sys::signal::kill(nix::unistd::Pid::from_raw(-1), None))),
        (
            "pidfd_open",
            outcome(bailiwick_sys::process::open_pidfd(pid).map_err(|failed| failed.errno.into())),
        ),
        ("process_vm_readv", ok(nix::sys::uio::process_vm_readv(target, &mut local, &[remote]).map(drop))),
        ("affinity", ok(nix::sched::sched_setaffinity(target, &set))),
        ("ptrace", ok(nix::sys::ptrace::seize(target, nix::sys::ptrace::Options::empty()))),
    ]
    .map(|(what, came)| format!("{what} {came}"))
    .join(", ")
}

fn outcome<T>(result: std::io::Result<T>) -> String {
    result.map_or_else(|error| refusal(&error), |_| "ok".to_owned())
}

fn refusal(error: &std::io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |number| format!("{:?}", Errno::from_raw(number)))
}

fn say(control: &OwnedFd, text: &str) {
    socket::send(control.as_fd(), &[IoSlice::new(text.as_bytes())], &[]).expect("the supervisor listens");
    std::io::stdout().flush().expect("a log");
}

fn hear(control: &OwnedFd) -> Option<(Vec<u8>, Vec<OwnedFd>)> {
    // By a call that needs no descriptor, since the cases count them.
    let mut wanted = [PollFd::new(control.as_fd(), PollFlags::POLLIN)];
    poll(&mut wanted, PollTimeout::NONE).expect("a wait");
    let mut buffer = vec![0; 65_536];
    let packet = socket::receive(control.as_fd(), &mut buffer).expect("an order or the end")?;
    buffer.truncate(packet.bytes);
    Some((buffer, packet.fds))
}
