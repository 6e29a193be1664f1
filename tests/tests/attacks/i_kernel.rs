//! I. The kernel's surface.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use bailiwick_tests::harness::{Supervised, needs_root};
use nix::libc;
use tempfile::TempDir;

use crate::orders::{AT_FDCWD, Answer, Arg, Attack, Evil};
use crate::support::{Free, Mode, Scene, assert_refused, modes, own_address};

const EXEC: &str = "sandbox.preset = \"exec\"\n";

/// What the policy of system calls says.
const NO: &[&str] = &["EPERM", "ENOSYS"];

/// Opens a file by a ring of orders that the kernel carries out by itself, which no filter sees.
fn open_by_ring(evil: &mut Evil, path: &Path) -> Answer {
    let parameters = evil.place(&[0; 120]);
    let ring = evil.call(libc::SYS_io_uring_setup, &[4.into(), parameters.into()]);
    let Answer::Did(ring) = &ring else { return ring };
    let ring: i64 = ring.parse().expect("a number");
    let told = evil.peek(parameters, 120);
    let offset =
        |at: usize| i64::from(u32::from_le_bytes([told[at], told[at + 1], told[at + 2], told[at + 3]]));
    let mut map = |offset: i64| {
        let flags = libc::MAP_SHARED | libc::MAP_POPULATE;
        let whole = [0.into(), 16_384.into(), 3.into(), flags.into(), ring.into(), Arg::Number(offset)];
        evil.call(libc::SYS_mmap, &whole).number()
    };
    let (submitted, completed, entries) = (map(0), map(0x800_0000), map(0x1000_0000));
    let name = evil.place(&[path.to_str().expect("text").as_bytes(), b"\0"].concat());
    let mut entry = vec![0; 64];
    entry[0] = 18;
    entry[4..8].copy_from_slice(&libc::AT_FDCWD.to_le_bytes());
    entry[16..24].copy_from_slice(&name.to_le_bytes());
    evil.poke(entries, &entry);
    evil.poke(submitted + offset(40 + 24), &0_u32.to_le_bytes());
    evil.poke(submitted + offset(40 + 4), &1_u32.to_le_bytes());
    let enter = [ring.into(), 1.into(), 1.into(), 1.into(), 0.into(), 0.into()];
    assert!(evil.call(libc::SYS_io_uring_enter, &enter).did());
    let result = evil.peek(completed + offset(80 + 20) + 8, 4);
    match i32::from_le_bytes([result[0], result[1], result[2], result[3]]) {
        opened @ 0.. => Answer::Did(opened.to_string()),
        error => Answer::Refused(error.to_string()),
    }
}

/// Control: an ordinary process opens a file so.
/// Mode: root and rootless, sealed and exec. Seen to fail without the lines of rings in the list of calls.
#[test]
fn i1_a_ring_of_orders_is_no_way_past_the_filter() {
    let opened = open_by_ring(&mut Free::somebody().evil, Path::new("/etc/passwd"));
    assert!(opened.did(), "{opened:?}");
    for &mode in modes() {
        for keys in ["", EXEC] {
            let mut scene = Scene::new(mode, keys);
            let came = open_by_ring(&mut scene.evil, Path::new("/etc/passwd"));
            assert!(came.is_refused(NO), "{mode:?} {keys}: {came:?}");
            // Nor by a ring that it were handed: the other two calls.
            for call in [libc::SYS_io_uring_enter, libc::SYS_io_uring_register] {
                assert!(scene.evil.call(call, &[3.into(), 0.into(), 0.into(), 0.into()]).is_refused(NO));
            }
            scene.assert_unharmed();
        }
    }
}

/// Calls whose flags stand in memory, where no filter can look, and the mounts of the newer kind.
fn hidden_flags() -> Vec<Attack> {
    let with = |flags: u64| Arg::Bytes([flags.to_le_bytes().to_vec(), vec![0; 80]].concat());
    // What a new process, and a process in other namespaces, ask for. The end signal stands fifth.
    let mut fork = vec![0; 88];
    fork[32] = 17;
    let root = || Arg::from("/");
    vec![
        Attack::call("a process", libc::SYS_clone3, &[Arg::Bytes(fork), 88.into()]),
        Attack::call("clone3 without a thread", libc::SYS_clone3, &[with(0x1000_0000), 88.into()]),
        Attack::call("open a file system", libc::SYS_fsopen, &["tmpfs".into(), 0.into()]),
        Attack::call("pick a file system", libc::SYS_fspick, &[AT_FDCWD, root(), 0.into()]),
        Attack::call("copy a mount", libc::SYS_open_tree, &[AT_FDCWD, root(), 1.into()]),
        Attack::call(
            "change a mount",
            libc::SYS_mount_setattr,
            &[AT_FDCWD, root(), 0.into(), Arg::Bytes(vec![0; 32]), 32.into()],
        ),
        Attack::call("move a mount", libc::SYS_move_mount, &[AT_FDCWD, root(), AT_FDCWD, root(), 0.into()]),
        Attack::call(
            "copy and change a mount",
            467,
            &[AT_FDCWD, root(), 1.into(), Arg::Bytes(vec![0; 32]), 32.into()],
        ),
    ]
}

/// Control: outside, clone3 makes a process and root makes mounts of the newer kind.
/// Mode: root and rootless, sealed and exec. Seen to fail without the line of clone3 in the list of calls.
#[test]
fn i3_calls_whose_flags_stand_in_memory_are_absent() {
    if needs_root("only root mounts") {
        return;
    }
    for attack in &hidden_flags()[2..5] {
        let answer = Free::root().evil.attempt(attack);
        assert!(answer.did(), "{}: {answer:?}", attack.name());
    }
    let clones = hidden_flags().remove(0).by_a_child();
    assert!(Free::somebody().evil.attempt(&clones).did());
    for &mode in modes() {
        for keys in ["", EXEC] {
            let mut scene = Scene::new(mode, keys);
            let came = scene.each(&hidden_flags());
            assert_refused(mode, &came, NO);
            assert!(came[..2].iter().all(|(_, answer)| answer.is_refused(&["ENOSYS"])), "{came:?}");
            scene.assert_unharmed();
        }
    }
}

/// Families of sockets, with what the kernel may know of each.
const SOCKETS: &[(&str, i32, i32, i32)] = &[
    ("TCP", libc::AF_INET, libc::SOCK_STREAM, 0),
    ("TCP 6", libc::AF_INET6, libc::SOCK_STREAM, 0),
    ("UDP", libc::AF_INET, libc::SOCK_DGRAM, 0),
    ("UDP 6", libc::AF_INET6, libc::SOCK_DGRAM, 0),
    ("multipath TCP", libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_MPTCP),
    ("SMC", libc::AF_INET, libc::SOCK_STREAM, 256),
    ("SCTP", libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_SCTP),
    ("ping", libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP),
    ("UDP lite", libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_UDPLITE),
    ("raw", libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_RAW),
    ("netlink", libc::AF_NETLINK, libc::SOCK_RAW, 0),
    ("netfilter", libc::AF_NETLINK, libc::SOCK_RAW, 12),
    ("audit", libc::AF_NETLINK, libc::SOCK_RAW, 9),
    ("events of devices", libc::AF_NETLINK, libc::SOCK_DGRAM, 15),
    ("packet", libc::AF_PACKET, libc::SOCK_RAW, 0x0300),
    ("vsock", libc::AF_VSOCK, libc::SOCK_STREAM, 0),
    ("ciphers", libc::AF_ALG, libc::SOCK_SEQPACKET, 0),
    ("bluetooth", libc::AF_BLUETOOTH, libc::SOCK_RAW, 1),
    ("CAN", libc::AF_CAN, libc::SOCK_RAW, 1),
    ("TIPC", libc::AF_TIPC, libc::SOCK_STREAM, 0),
    ("XDP", libc::AF_XDP, libc::SOCK_RAW, 0),
    ("keys of IPsec", libc::AF_KEY, libc::SOCK_RAW, 2),
    ("RDS", libc::AF_RDS, libc::SOCK_SEQPACKET, 0),
    ("Unix", libc::AF_UNIX, libc::SOCK_STREAM, 0),
    ("Unix datagrams", libc::AF_UNIX, libc::SOCK_DGRAM, 0),
];

fn sockets() -> impl Iterator<Item = Attack> {
    SOCKETS.iter().map(|(name, family, kind, protocol)| {
        Attack::call(*name, libc::SYS_socket, &[(*family).into(), (*kind).into(), (*protocol).into()])
    })
}

/// Control: an ordinary process has those that the kernel gives to anybody. Seen to fail without the conditions of sockets
/// in the list of calls.
#[test]
fn i5_a_worker_has_no_sockets_but_those_that_its_keys_name() {
    let mut free = Free::somebody();
    let came = free.evil.each(&sockets().collect::<Vec<_>>());
    for name in ["TCP", "TCP 6", "UDP", "netlink", "Unix", "Unix datagrams"] {
        assert!(came.iter().any(|(other, answer)| name == other && answer.did()), "{name}: {came:?}");
    }
    for &mode in modes() {
        let mut scene = Scene::new(mode, "");
        let came = scene.each(&sockets().collect::<Vec<_>>());
        assert_refused(mode, &came, NO);
        // A pair that is joined to nobody else, of the kind that could be joined to others later.
        let pair = [libc::AF_UNIX.into(), libc::SOCK_DGRAM.into(), 0.into(), Arg::Room(8)];
        assert!(scene.evil.call(libc::SYS_socketpair, &pair).is_refused(NO));
        scene.assert_unharmed();
        let mut client = Scene::new(mode, "sandbox.preset = \"net-client\"\nsandbox.tcp_connect = [1]\n");
        let came = client.each(&sockets().skip(4).collect::<Vec<_>>());
        assert_refused(mode, &came, NO);
        client.assert_unharmed();
    }
}

/// The bytes of an IPv4 address with a port.
fn at(address: Ipv4Addr, port: u16) -> Vec<u8> {
    [&2_u16.to_le_bytes()[..], &port.to_be_bytes(), &address.octets(), &[0; 8]].concat()
}

/// The bytes of the usual address of this machine with a port.
fn loopback(port: u16) -> Vec<u8> {
    at(Ipv4Addr::LOCALHOST, port)
}

/// Makes a socket of this protocol, and connects it.
fn connect(evil: &mut Evil, protocol: i32, port: u16) -> Answer {
    let socket =
        evil.call(libc::SYS_socket, &[libc::AF_INET.into(), libc::SOCK_STREAM.into(), protocol.into()]);
    let Answer::Did(socket) = &socket else { return socket };
    let socket: i64 = socket.parse().expect("a number");
    evil.call(libc::SYS_connect, &[socket.into(), Arg::Bytes(loopback(port)), 16.into()])
}

/// The same with the first bytes instead of a connection: TCP fast open.
fn connect_by_sending(evil: &mut Evil, port: u16) -> Vec<(String, Answer)> {
    let mut came = Vec::new();
    for way in ["sendto", "sendmsg", "sendmmsg"] {
        let socket = evil.call(libc::SYS_socket, &[libc::AF_INET.into(), libc::SOCK_STREAM.into(), 0.into()]);
        let Answer::Did(socket) = &socket else {
            came.push((way.to_owned(), socket));
            continue;
        };
        let socket = || Arg::Number(socket.parse().expect("a number"));
        let fast = || Arg::from(libc::MSG_FASTOPEN);
        let (address, text) = (evil.place(&loopback(port)), evil.place(b"hello"));
        let vector = evil.place(&[text.to_le_bytes(), 5_i64.to_le_bytes()].concat());
        let message = [address, 16, vector, 1, 0, 0, 0, 0].map(i64::to_le_bytes).concat();
        came.push((
            way.to_owned(),
            match way {
                "sendto" => evil.call(
                    libc::SYS_sendto,
                    &[socket(), text.into(), 5.into(), fast(), address.into(), 16.into()],
                ),
                "sendmsg" => evil.call(libc::SYS_sendmsg, &[socket(), Arg::Bytes(message), fast()]),
                _ => evil.call(libc::SYS_sendmmsg, &[socket(), Arg::Bytes(message), 1.into(), fast()]),
            },
        ));
    }
    came
}

/// Control: an ordinary process binds, connects, and connects by sending.
/// Seen to fail without the ports in the rules of Landlock; the lines of fast open in the list of calls.
#[test]
fn i6_no_port_is_bound_or_connected_to_beyond_the_granted_ones() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let granted = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = |listener: &TcpListener| listener.local_addr().expect("it is bound").port();
    let (beyond, granted) = (port(&listener), port(&granted));
    let mut free = Free::somebody();
    assert!(connect(&mut free.evil, 0, beyond).did());
    assert!(connect_by_sending(&mut free.evil, beyond).iter().all(|(_, answer)| answer.did()));
    let multipath = connect(&mut free.evil, libc::IPPROTO_MPTCP, beyond).did();
    for &mode in modes() {
        let keys = format!("sandbox.preset = \"net-client\"\nsandbox.tcp_connect = [{granted}]\n");
        let mut scene = Scene::new(mode, &keys);
        assert!(connect(&mut scene.evil, 0, granted).did(), "what is granted");
        let mut came = vec![("connect".to_owned(), connect(&mut scene.evil, 0, beyond))];
        came.extend(connect_by_sending(&mut scene.evil, beyond));
        for (name, protocol) in
            [("multipath TCP", libc::IPPROTO_MPTCP), ("SMC", 256), ("SCTP", libc::IPPROTO_SCTP)]
        {
            came.push((name.to_owned(), connect(&mut scene.evil, protocol, beyond)));
        }
        let socket =
            scene.evil.call(libc::SYS_socket, &[libc::AF_INET.into(), libc::SOCK_STREAM.into(), 0.into()]);
        let socket = || Arg::Number(socket.number());
        came.push((
            "bind".to_owned(),
            scene.evil.call(libc::SYS_bind, &[socket(), Arg::Bytes(loopback(45_999)), 16.into()]),
        ));
        came.push(("listen".to_owned(), scene.evil.call(libc::SYS_listen, &[socket(), 1.into()])));
        assert_refused(mode, &came, &["EPERM", "EACCES"]);
        assert!(multipath || came.iter().any(|(name, _)| name == "multipath TCP"));
        scene.assert_unharmed();
    }
}

/// What the kernel gives to a socket that listens without having been bound, which Landlock does not see, is of the range for
/// that. Without a port of its own a worker cannot even listen: see the test above.
/// Control: an ordinary process binds the same port.
/// Seen to fail without the ports in the rules of Landlock.
#[test]
fn i6_who_may_bind_a_port_binds_no_other_one() {
    let bind = |evil: &mut Evil, port| {
        let tcp = [libc::AF_INET.into(), libc::SOCK_STREAM.into(), 0.into()];
        let socket = evil.call(libc::SYS_socket, &tcp).number();
        // At the usual address a port may be somebody else's: of those that are given to whoever asks for any.
        let address = Arg::Bytes(at(own_address(), port));
        (socket, evil.call(libc::SYS_bind, &[socket.into(), address, 16.into()]))
    };
    let beyond = 46_000;
    assert!(bind(&mut Free::somebody().evil, beyond).1.did());
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").expect("every kernel says so");
    let range: Vec<u16> = range.split_whitespace().map(|port| port.parse().expect("a number")).collect();
    for &mode in modes() {
        let mut scene = Scene::new(mode, "sandbox.tcp_bind = [45999]\n");
        for port in [beyond, 0, 80] {
            assert!(bind(&mut scene.evil, port).1.is_refused(&["EACCES"]), "{mode:?} {port}");
        }
        let (socket, bound) = bind(&mut scene.evil, 45_999);
        assert!(bound.did(), "{mode:?}: {bound:?}");
        let (unbound, _) = bind(&mut scene.evil, 80);
        assert!(scene.evil.call(libc::SYS_listen, &[socket.into(), 1.into()]).did());
        if scene.evil.call(libc::SYS_listen, &[unbound.into(), 1.into()]).did() {
            let (address, size) = (scene.evil.place(&[0; 16]), scene.evil.place(&16_u32.to_le_bytes()));
            let asks = [unbound.into(), address.into(), size.into()];
            assert!(scene.evil.call(libc::SYS_getsockname, &asks).did());
            let told = scene.evil.peek(address, 4);
            let port = u16::from_be_bytes([told[2], told[3]]);
            assert!((range[0]..=range[1]).contains(&port), "{mode:?}: {port}");
        }
        scene.assert_unharmed();
    }
}

/// Calls for the mighty; as root none of them is refused, and none of them does anything with these arguments.
fn mighty() -> Vec<Attack> {
    let minus = || Arg::Number(-1);
    let nowhere = || Arg::from("/nowhere");
    let call = |name: &str, number, arguments: &[Arg]| Attack::call(name, number, arguments);
    vec![
        call("mount", libc::SYS_mount, &["none".into(), "/".into(), "nosuchfs".into(), 0.into(), 0.into()]),
        call("umount2", libc::SYS_umount2, &["/usr".into(), 0.into()]),
        call("pivot_root", libc::SYS_pivot_root, &[nowhere(), nowhere()]),
        call("chroot", libc::SYS_chroot, &["/".into()]),
        call("ptrace", libc::SYS_ptrace, &[16.into(), 99_999_999.into(), 0.into(), 0.into()]),
        call("bpf", libc::SYS_bpf, &[5.into(), Arg::Room(128), 128.into()]),
        call("perf_event_open", libc::SYS_perf_event_open, &[0.into(), 0.into(), minus(), minus(), 0.into()]),
        call("userfaultfd", libc::SYS_userfaultfd, &[0xff00.into()]),
        call("kexec_load", libc::SYS_kexec_load, &[0.into(), 0.into(), 0.into(), 0x00ff_0000.into()]),
        call(
            "kexec_file_load",
            libc::SYS_kexec_file_load,
            &[minus(), minus(), 0.into(), 0.into(), 0xff00.into()],
        ),
        call("reboot", libc::SYS_reboot, &[1.into(), 2.into(), 3.into(), 0.into()]),
        call("init_module", libc::SYS_init_module, &[0.into(), 0.into(), 0.into()]),
        call("finit_module", libc::SYS_finit_module, &[minus(), "".into(), 0xff00.into()]),
        call("delete_module", libc::SYS_delete_module, &["nosuchmodule".into(), 0x800.into()]),
        call("swapon", libc::SYS_swapon, &[nowhere(), 0.into()]),
        call("swapoff", libc::SYS_swapoff, &[nowhere()]),
        call("acct", libc::SYS_acct, &[nowhere()]),
        call("clock_settime", libc::SYS_clock_settime, &[99.into(), Arg::Room(16)]),
        call("sethostname", libc::SYS_sethostname, &[Arg::Room(8), 100_000.into()]),
        call("setdomainname", libc::SYS_setdomainname, &[Arg::Room(8), 100_000.into()]),
        call("open_by_handle_at", libc::SYS_open_by_handle_at, &[minus(), 0.into(), 0.into()]),
        call(
            "name_to_handle_at",
            libc::SYS_name_to_handle_at,
            &[minus(), 0.into(), 0.into(), 0.into(), 0.into()],
        ),
        call("keyctl", libc::SYS_keyctl, &[0.into(), Arg::Number(-2), 1.into()]),
        call(
            "add_key",
            libc::SYS_add_key,
            &["user".into(), "bailiwick".into(), Arg::Bytes(vec![1]), 1.into(), Arg::Number(-2)],
        ),
        call(
            "request_key",
            libc::SYS_request_key,
            &["user".into(), "bailiwick-none".into(), 0.into(), 0.into()],
        ),
        call("personality", libc::SYS_personality, &[0x0040_0000.into()]),
        call("syslog", libc::SYS_syslog, &[10.into(), 0.into(), 0.into()]),
        call("fanotify_init", libc::SYS_fanotify_init, &[0xff_0000.into(), 0.into()]),
        call("quotactl", libc::SYS_quotactl, &[minus(), 0.into(), 0.into(), 0.into()]),
        call(
            "process_madvise",
            libc::SYS_process_madvise,
            &[minus(), 0.into(), 0.into(), 0.into(), 0.into()],
        ),
        call(
            "move_pages",
            libc::SYS_move_pages,
            &[0.into(), 0.into(), 0.into(), 0.into(), 0.into(), 0xff00.into()],
        ),
        call("adjtimex", libc::SYS_adjtimex, &[0.into()]),
        call("realtime", libc::SYS_sched_setscheduler, &[0.into(), 1.into(), Arg::Bytes(vec![1, 0, 0, 0])]),
        call(
            "realtime by attributes",
            libc::SYS_sched_setattr,
            &[0.into(), Arg::Bytes(vec![0; 48]), 0xff.into()],
        ),
        call("type into the terminal", libc::SYS_ioctl, &[1.into(), 0x5412.into(), Arg::Bytes(vec![b'x'])]),
        call("paste into the console", libc::SYS_ioctl, &[1.into(), 0x541c.into(), Arg::Bytes(vec![3])]),
        call("setuid", libc::SYS_setuid, &[0.into()]),
        call("setgroups", libc::SYS_setgroups, &[1.into(), Arg::Bytes(vec![0; 4])]),
        call("chown", libc::SYS_fchownat, &[AT_FDCWD, nowhere(), 0.into(), 0.into(), 0.into()]),
    ]
}

#[cfg(target_arch = "x86_64")]
fn mighty_here() -> Vec<Attack> {
    vec![
        Attack::call("iopl", libc::SYS_iopl, &[0.into()]),
        Attack::call("ioperm", libc::SYS_ioperm, &[0.into(), 1.into(), 0.into()]),
        Attack::call("modify_ldt", libc::SYS_modify_ldt, &[0.into(), Arg::Room(64), 64.into()]),
    ]
}

#[cfg(not(target_arch = "x86_64"))]
fn mighty_here() -> Vec<Attack> {
    Vec::new()
}

/// Control: to root no call is refused: it does what it is for, or says what else is wrong.
/// Seen to fail without the system-call filters.
#[test]
fn i7_calls_that_are_for_the_mighty_are_refused_or_deadly() {
    if needs_root("only root is mighty") {
        return;
    }
    let attacks = || mighty().into_iter().chain(mighty_here());
    let mut free = Free::root();
    for attack in attacks() {
        let answer = free.evil.attempt(&attack.clone().by_a_child());
        let is_refused = answer.is_refused(&["EPERM", "EACCES"]);
        assert!(!is_refused && answer != Answer::Died, "{}: {answer:?}", attack.name());
    }
    for &mode in modes() {
        let mut scene = Scene::new(mode, "");
        let came = scene.each(&attacks().collect::<Vec<_>>());
        assert_refused(mode, &came, NO);
        let deadly: Vec<_> =
            came.iter().filter(|(_, answer)| *answer == Answer::Died).map(|(name, _)| name).collect();
        assert!(deadly.iter().any(|name| *name == "reboot") && deadly.len() > 10, "{deadly:?}");
        scene.assert_unharmed();
    }
}

/// Control: an ordinary process makes calls by the other table.
/// Mode: root and rootless, sealed and exec.
/// Seen to fail without the system-call filters.
#[cfg(target_arch = "x86_64")]
#[test]
fn i7_the_other_tables_of_calls_of_the_same_processor_are_deadly() {
    // 20 is getpid of the 32-bit table; 5 is open, 102 is socketcall.
    let orders = [
        "call32 20".to_owned(),
        format!("call32 5 b{} n0 n0", "2f6574632f70617373776400"),
        "call32 102 n1 r16".to_owned(),
    ];
    let mut free = Free::somebody();
    assert!(free.evil.order(&orders[0]).did(), "programs of 32 bits run here");
    for &mode in modes() {
        for keys in ["", EXEC] {
            let mut scene = Scene::new(mode, keys);
            let x32 = format!("call {} n0", 0x4000_0000 + libc::SYS_getpid);
            for (life, order) in orders.iter().chain([&x32]).enumerate() {
                assert_eq!(scene.evil.order(order), Answer::Died, "{mode:?} {keys} {order}");
                scene.meet_again(u32::try_from(life).expect("few") + 2);
            }
            scene.assert_unharmed();
        }
    }
}

/// Three folders that are open to everybody: one to read, one to write, one that nobody is granted.
struct Folders {
    _folder: TempDir,
    root: PathBuf,
}

impl Folders {
    /// Makes them; they belong to `user`, if they are to be somebody's.
    fn new(user: Option<u32>) -> Self {
        let folder = Supervised::folder(env!("CARGO_BIN_EXE_tw"));
        let root = folder.path().canonicalize().expect("it is there");
        for name in ["read", "write", "beyond"] {
            let own = root.join(name);
            fs::create_dir(&own).expect("a folder");
            fs::write(own.join("file"), name).expect("a file");
            for (path, mode) in [(own.join("file"), 0o666), (own, 0o777)] {
                fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("it is ours");
                if user.is_some() {
                    chown(&path, user, user).expect("root may");
                }
            }
        }
        Self { _folder: folder, root }
    }

    /// The keys that grant them.
    fn keys(&self) -> String {
        let root = self.root.display();
        format!(
            "sandbox.read_only_paths = [\"{root}/read\"]\nsandbox.read_write_paths = [\"{root}/write\"]\n"
        )
    }

    fn at(&self, path: &str) -> Arg {
        Arg::from(self.root.join(path).as_path())
    }

    /// Every way to change, or to read, what is not granted.
    fn attacks(&self, evil: &mut Evil) -> Vec<Attack> {
        let beyond = self.root.join("beyond/file");
        let mut attacks = Vec::new();
        for path in ["beyond/file", "write/../beyond/file", "read/../beyond/file"] {
            attacks.push(Attack::open(self.root.join(path), libc::O_RDONLY));
            attacks.push(Attack::open(self.root.join(path), libc::O_WRONLY | libc::O_APPEND));
        }
        for around in ["/proc/self/root", "/proc/self/cwd/../../../../../../../.."] {
            attacks.push(Attack::open(format!("{around}{}", beyond.display()), libc::O_RDONLY));
        }
        for path in ["beyond/new", "read/new", "new"] {
            attacks.push(Attack::open(self.root.join(path), libc::O_CREAT | libc::O_WRONLY));
            attacks.push(Attack::call(
                format!("mkdir {path}"),
                libc::SYS_mkdirat,
                &[AT_FDCWD, self.at(path), 0o777.into()],
            ));
        }
        attacks.push(Attack::open(self.root.join("beyond"), libc::O_TMPFILE | libc::O_RDWR));
        for path in ["beyond/file", "read/file"] {
            attacks.push(Attack::open(self.root.join(path), libc::O_RDWR));
            attacks.push(Attack::call(
                format!("truncate {path}"),
                libc::SYS_truncate,
                &[self.at(path), 0.into()],
            ));
        }
        for (from, to) in
            [("beyond/file", "write/taken"), ("write/file", "beyond/put"), ("read/file", "write/taken")]
        {
            let pair = || [AT_FDCWD, self.at(from), AT_FDCWD, self.at(to), 0.into()];
            attacks.push(Attack::call(format!("link {from} to {to}"), libc::SYS_linkat, &pair()));
            attacks.push(Attack::call(format!("rename {from} to {to}"), libc::SYS_renameat2, &pair()));
            let mut exchange = pair();
            exchange[4] = 2.into();
            attacks.push(Attack::call(format!("exchange {from} and {to}"), libc::SYS_renameat2, &exchange));
        }
        for path in ["beyond/file", "read/file"] {
            attacks.push(Attack::call(
                format!("remove {path}"),
                libc::SYS_unlinkat,
                &[AT_FDCWD, self.at(path), 0.into()],
            ));
        }
        let link = [self.at("beyond/file"), AT_FDCWD, self.at("write/link")];
        attacks.push(Attack::call("a symbolic link", libc::SYS_symlinkat, &link));
        attacks.push(Attack::open(self.root.join("write/link"), libc::O_RDONLY));
        attacks.push(Attack::call(
            "a device",
            libc::SYS_mknodat,
            &[AT_FDCWD, self.at("write/device"), 0o020_666.into(), 0x103.into()],
        ));
        // By descriptors of folders: one that names the way only.
        if let Answer::Did(folder) = evil.open(self.root.join("beyond"), libc::O_PATH | libc::O_DIRECTORY) {
            let folder: i64 = folder.parse().expect("a number");
            let file = [folder.into(), "file".into(), 0.into(), 0.into()];
            attacks.push(Attack::call("open below a path's descriptor", libc::SYS_openat, &file));
            attacks.push(Attack::call("start from there", libc::SYS_fchdir, &[folder.into()]));
        }
        // A file without a name, which gets one elsewhere.
        if let Answer::Did(file) = evil.open(self.root.join("write"), libc::O_TMPFILE | libc::O_RDWR) {
            let way = format!("/proc/self/fd/{file}");
            let file: i64 = file.parse().expect("a number");
            let empty =
                [file.into(), "".into(), AT_FDCWD, self.at("beyond/named"), libc::AT_EMPTY_PATH.into()];
            attacks.push(Attack::call("name what has no name", libc::SYS_linkat, &empty));
            let by_way = [
                AT_FDCWD,
                way.as_str().into(),
                AT_FDCWD,
                self.at("beyond/named"),
                libc::AT_SYMLINK_FOLLOW.into(),
            ];
            attacks.push(Attack::call("name it by its way", libc::SYS_linkat, &by_way));
        }
        attacks
    }
}

/// Control: to an ordinary process the same is open.
/// Seen to fail without the view of files and Landlock together.
#[test]
fn i9_nothing_is_read_or_written_beyond_the_granted_paths() {
    let folders = Folders::new(None);
    let mut free = Free::somebody();
    let attacks = folders.attacks(&mut free.evil);
    let came = free.evil.each(&attacks);
    let did = came.iter().filter(|(_, answer)| answer.did()).count();
    assert!(did > came.len() / 2, "{came:?}");
    for &mode in modes() {
        let folders = Folders::new(None);
        let mut scene = Scene::new(mode, &folders.keys());
        assert!(scene.evil.open(folders.root.join("write/file"), libc::O_RDWR).did(), "what is granted");
        assert!(scene.evil.open(folders.root.join("read/file"), libc::O_RDONLY).did(), "what is granted");
        let attacks = folders.attacks(&mut scene.evil);
        let came = scene.each(&attacks);
        assert_refused(mode, &came, &["EPERM", "EACCES", "EXDEV", "EROFS", "ENOENT", "ELOOP", "ENOSYS"]);
        for path in ["beyond/file", "read/file"] {
            let text = fs::read_to_string(folders.root.join(path)).expect("it is still there");
            assert!(path.starts_with(&text), "{path}: {text}");
        }
        assert_eq!(fs::read_dir(folders.root.join("beyond")).expect("ours").count(), 1);
        scene.assert_unharmed();
    }
}

/// Mode, times and owner, by path and beyond what is granted: a worker that runs as the owner of both.
fn marks(folders: &Folders, path: &str) -> Vec<Attack> {
    vec![
        Attack::call("chmod", libc::SYS_fchmodat, &[AT_FDCWD, folders.at(path), 0.into()]),
        Attack::call("chmod of the newer kind", 452, &[AT_FDCWD, folders.at(path), 0.into(), 0.into()]),
        Attack::call(
            "set its times",
            libc::SYS_utimensat,
            &[AT_FDCWD, folders.at(path), Arg::Bytes(vec![0; 32]), 0.into()],
        ),
        Attack::call(
            "give it an attribute",
            libc::SYS_setxattr,
            &[folders.at(path), "user.x".into(), "y".into(), 1.into(), 0.into()],
        ),
        Attack::call(
            "change its owner",
            libc::SYS_fchownat,
            &[AT_FDCWD, folders.at(path), Arg::Number(-1), Arg::Number(-1), 0.into()],
        ),
    ]
}

/// Control: the owner does so outside. Mode: root, where a worker may run as the owner of what it is granted.
/// Seen to fail without the view of files and the system-call filters together.
#[test]
fn i9_mode_and_times_of_what_is_not_granted_stay_also_where_it_belongs_to_the_same_user() {
    if needs_root("only root makes files of other users") {
        return;
    }
    let mut free = Free::somebody();
    let folders = Folders::new(Some(free.user()));
    for (name, answer) in free.evil.each(&marks(&folders, "beyond/file")[..1]) {
        assert!(answer.did(), "{name}: {answer:?}");
    }
    let folders = Folders::new(Some(free.user()));
    let mut scene = Scene::new(Mode::Root, &folders.keys());
    for path in ["beyond/file", "read/file", "beyond", ""] {
        let came = scene.each(&marks(&folders, path));
        assert_refused(Mode::Root, &came, &["EPERM", "EACCES", "ENOENT", "EROFS", "ENOSYS"]);
    }
    // What it may only read it does not change by a descriptor either.
    let file = scene.evil.open(folders.root.join("read/file"), libc::O_RDONLY).number();
    let by_descriptor = [
        Attack::call("chmod", libc::SYS_fchmod, &[file.into(), 0.into()]),
        Attack::call(
            "set its times",
            libc::SYS_utimensat,
            &[file.into(), 0.into(), Arg::Bytes(vec![0; 32]), 0.into()],
        ),
    ];
    assert_refused(Mode::Root, &scene.each(&by_descriptor), &["EPERM", "EACCES", "EROFS"]);
    scene.assert_unharmed();
}
