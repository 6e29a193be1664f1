//! Which system calls are refused, and which are allowed: one line a call, one reason a line.
//!
//! Stage A is entered before exec and names what is refused, because loaders differ. Stage B is entered by the
//! worker's runtime before user code runs and names what is allowed; everything else fails with EPERM.

use nix::libc;

/// What happens to a call that stage A stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    /// The process is killed: no sound program makes this call.
    Kill,
    /// The call fails with EPERM: sound programs may try it.
    Refuse,
    /// The call fails with ENOSYS, so that the C library takes an older one that can be inspected.
    Absent,
}

/// A call that stage A stops.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopped {
    pub(super) call: i64,
    /// With the prefix `SYS_`.
    pub(super) name: &'static str,
    pub(super) action: Action,
    /// The call passes if this is granted.
    pub(super) unless: Option<&'static str>,
    pub(super) only: Only,
    pub(super) reason: &'static str,
}

/// A call that stage B allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowed {
    pub(super) call: i64,
    /// With the prefix `SYS_`.
    pub(super) name: &'static str,
    pub(super) when: When,
    pub(super) only: Only,
    pub(super) reason: &'static str,
}

/// For whom a call is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// Every worker.
    Always,
    /// Workers that may write to paths.
    Write,
    /// Workers that may bind TCP ports.
    Bind,
    /// Workers that may connect out.
    Connect,
    /// Workers that hold a capability.
    Holds(&'static str),
}

/// Which arguments a line speaks of: all of these must hold.
pub(super) type Only = &'static [Test];

/// A test of one argument.
#[derive(Clone, Copy, Debug)]
pub(super) enum Test {
    /// The low 32 bits of argument n are this.
    Is(u8, u32),
    /// The low 32 bits of argument n are something else.
    IsNot(u8, u32),
    /// All 64 bits of argument n are zero.
    IsNull(u8),
    /// Under the mask, the low 32 bits of argument n are this.
    Has(u8, u32, u32),
}

use Action::{Absent, Kill, Refuse};
use Test::{Has, Is, IsNot, IsNull};
use When::{Always, Bind, Connect, Holds, Write};

macro_rules! stop {
    ($($action:ident $call:ident $(unless $cap:literal)? $(if $only:expr)? => $reason:literal;)*) => {
        &[$(Stopped {
            call: libc::$call,
            name: stringify!($call),
            action: $action,
            unless: stop!(@unless $($cap)?),
            only: stop!(@only $($only)?),
            reason: $reason,
        }),*]
    };
    (@unless) => { None };
    (@unless $cap:literal) => { Some($cap) };
    (@only) => { &[] };
    (@only $only:expr) => { &$only };
}

macro_rules! allow {
    ($($call:ident $when:expr $(, $only:expr)? => $reason:literal;)*) => {
        &[$(Allowed {
            call: libc::$call,
            name: stringify!($call),
            when: $when,
            only: stop!(@only $($only)?),
            reason: $reason,
        }),*]
    };
}

/// What no sandboxed worker may do, nor what it executes.
pub(super) const STAGE_A: &[Stopped] = stop! {
    Kill SYS_kexec_load unless "CAP_SYS_BOOT" => "replaces the kernel";
    Kill SYS_kexec_file_load unless "CAP_SYS_BOOT" => "replaces the kernel";
    Kill SYS_reboot unless "CAP_SYS_BOOT" => "stops the machine";
    Kill SYS_init_module unless "CAP_SYS_MODULE" => "loads code into the kernel";
    Kill SYS_finit_module unless "CAP_SYS_MODULE" => "loads code into the kernel";
    Kill SYS_delete_module unless "CAP_SYS_MODULE" => "takes code out of the kernel";
    Kill SYS_swapon unless "CAP_SYS_ADMIN" => "has the kernel write memory to a chosen file";
    Kill SYS_swapoff unless "CAP_SYS_ADMIN" => "reads all swapped memory in";
    Kill SYS_pivot_root unless "CAP_SYS_ADMIN" => "changes the root of everybody in the namespace";
    Kill SYS_acct unless "CAP_SYS_PACCT" => "has the kernel write to a chosen file";
    Kill SYS_open_by_handle_at unless "CAP_DAC_READ_SEARCH" => "opens files by number, past every path check";
    Kill SYS_settimeofday unless "CAP_SYS_TIME" => "changes everybody's time";
    Kill SYS_clock_settime unless "CAP_SYS_TIME" => "changes everybody's time";
    Kill SYS_sethostname unless "CAP_SYS_ADMIN" => "changes everybody's host name";
    Kill SYS_setdomainname unless "CAP_SYS_ADMIN" => "changes everybody's domain name";
    Refuse SYS_adjtimex unless "CAP_SYS_TIME" => "steers everybody's clock; some only ask with it";
    Refuse SYS_clock_adjtime unless "CAP_SYS_TIME" => "steers everybody's clock; some only ask with it";
    Refuse SYS_mount unless "CAP_SYS_ADMIN" => "hides and shows files at will";
    Refuse SYS_umount2 unless "CAP_SYS_ADMIN" => "uncovers what a mount hides";
    Refuse SYS_fsopen unless "CAP_SYS_ADMIN" => "mounts by another door";
    Refuse SYS_fsconfig unless "CAP_SYS_ADMIN" => "mounts by another door";
    Refuse SYS_fsmount unless "CAP_SYS_ADMIN" => "mounts by another door";
    Refuse SYS_fspick unless "CAP_SYS_ADMIN" => "mounts by another door";
    Refuse SYS_move_mount unless "CAP_SYS_ADMIN" => "mounts by another door";
    Refuse SYS_open_tree unless "CAP_SYS_ADMIN" => "copies mounts";
    Refuse SYS_mount_setattr unless "CAP_SYS_ADMIN" => "makes read-only mounts writable";
    Refuse SYS_chroot unless "CAP_SYS_CHROOT" => "confuses programs that trust their root";
    Refuse SYS_quotactl unless "CAP_SYS_ADMIN" => "reaches into file systems";
    Refuse SYS_mknodat unless "CAP_MKNOD" if [Has(2, libc::S_IFMT, libc::S_IFBLK)] => "makes a door to a disk";
    Refuse SYS_mknodat unless "CAP_MKNOD" if [Has(2, libc::S_IFMT, libc::S_IFCHR)] => "makes a door to a device";
    Refuse SYS_ptrace unless "CAP_SYS_PTRACE" => "takes over processes of the same user";
    Refuse SYS_process_vm_readv unless "CAP_SYS_PTRACE" => "reads memory of processes of the same user";
    Refuse SYS_process_vm_writev unless "CAP_SYS_PTRACE" => "writes memory of processes of the same user";
    Refuse SYS_pidfd_getfd unless "CAP_SYS_PTRACE" => "takes descriptors of processes of the same user";
    Refuse SYS_kcmp unless "CAP_SYS_PTRACE" => "tells how the kernel's memory is laid out";
    Refuse SYS_process_madvise unless "CAP_SYS_PTRACE" => "acts on the memory of other processes";
    Refuse SYS_bpf unless "CAP_BPF" => "runs programs in the kernel; its checker was wrong before";
    Refuse SYS_perf_event_open unless "CAP_PERFMON" => "watches other processes; a rich source of kernel faults";
    Refuse SYS_userfaultfd unless "CAP_SYS_PTRACE" => "holds the kernel still in the middle of a copy";
    Refuse SYS_io_uring_setup => "makes system calls that no filter sees";
    Refuse SYS_io_uring_enter => "makes system calls that no filter sees";
    Refuse SYS_io_uring_register => "makes system calls that no filter sees";
    Refuse SYS_keyctl => "keys are shared by user, across sandboxes";
    Refuse SYS_add_key => "keys are shared by user, across sandboxes";
    Refuse SYS_request_key => "starts a program outside the sandbox";
    Refuse SYS_setns unless "CAP_SYS_ADMIN" => "enters other namespaces";
    Refuse SYS_unshare if [Has(0, USER, USER)] => "gives every capability over the kernel's less tested parts";
    Refuse SYS_unshare unless "CAP_SYS_ADMIN" if [Has(0, MOUNTS, MOUNTS)] => "makes a file view of its own";
    Refuse SYS_unshare unless "CAP_SYS_ADMIN" if [Has(0, NET, NET)] => "makes a network of its own";
    Refuse SYS_unshare unless "CAP_SYS_ADMIN" if [Has(0, PIDS, PIDS)] => "hides processes";
    Refuse SYS_unshare unless "CAP_SYS_ADMIN" if [Has(0, IPC, IPC)] => "makes a namespace of its own";
    Refuse SYS_unshare unless "CAP_SYS_ADMIN" if [Has(0, UTS, UTS)] => "makes a namespace of its own";
    Refuse SYS_unshare unless "CAP_SYS_ADMIN" if [Has(0, CGROUPS, CGROUPS)] => "makes a namespace of its own";
    Refuse SYS_clone if [Has(0, USER, USER)] => "gives every capability over the kernel's less tested parts";
    Refuse SYS_clone unless "CAP_SYS_ADMIN" if [Has(0, MOUNTS, MOUNTS)] => "makes a file view of its own";
    Refuse SYS_clone unless "CAP_SYS_ADMIN" if [Has(0, NET, NET)] => "makes a network of its own";
    Refuse SYS_clone unless "CAP_SYS_ADMIN" if [Has(0, PIDS, PIDS)] => "hides processes";
    Refuse SYS_clone unless "CAP_SYS_ADMIN" if [Has(0, IPC, IPC)] => "makes a namespace of its own";
    Refuse SYS_clone unless "CAP_SYS_ADMIN" if [Has(0, UTS, UTS)] => "makes a namespace of its own";
    Refuse SYS_clone unless "CAP_SYS_ADMIN" if [Has(0, CGROUPS, CGROUPS)] => "makes a namespace of its own";
    Absent SYS_clone3 => "hides its flags in memory, where no filter can look; clone does the same";
    Refuse SYS_personality if [IsNot(0, 0), IsNot(0, u32::MAX)] => "turns protections off; zero and asking are harmless";
    Refuse SYS_syslog unless "CAP_SYSLOG" => "tells addresses of the kernel";
    Refuse SYS_vhangup unless "CAP_SYS_TTY_CONFIG" => "takes a terminal away";
    Refuse SYS_fanotify_init unless "CAP_SYS_ADMIN" => "watches everybody's files";
    Refuse SYS_name_to_handle_at unless "CAP_DAC_READ_SEARCH" => "names files past every path check";
    Refuse SYS_move_pages unless "CAP_SYS_NICE" => "acts on the memory of other processes";
    Refuse SYS_migrate_pages unless "CAP_SYS_NICE" => "acts on the memory of other processes";
    Refuse SYS_ioctl if [Is(1, libc::TIOCSTI as u32)] => "types into the terminal of whoever started us";
    Refuse SYS_ioctl if [Is(1, TIOCLINUX)] => "types into the console by pasting";
    Refuse SYS_sched_setscheduler unless "CAP_SYS_NICE" if [IsNot(1, 0), IsNot(1, 3), IsNot(1, 5)] => "starves everybody else";
    Refuse SYS_sched_setattr unless "CAP_SYS_NICE" => "starves everybody else; hides the policy in memory";
    Refuse SYS_socket if [Is(0, libc::AF_ALG as u32)] => "the kernel's ciphers, a rich source of faults";
    Refuse SYS_socket if [Is(0, libc::AF_VSOCK as u32)] => "leads out of a virtual machine past its network";
    Refuse SYS_socket unless "CAP_NET_RAW" if [Is(0, libc::AF_PACKET as u32)] => "reads and forges packets";
};

/// As [`STAGE_A`], for calls that only this processor has.
#[cfg(target_arch = "x86_64")]
pub(super) const STAGE_A_NATIVE: &[Stopped] = stop! {
    Kill SYS_iopl unless "CAP_SYS_RAWIO" => "reaches the hardware";
    Kill SYS_ioperm unless "CAP_SYS_RAWIO" => "reaches the hardware";
    Refuse SYS_modify_ldt => "16-bit segments, a rich source of kernel faults";
    Refuse SYS_mknod unless "CAP_MKNOD" if [Has(1, libc::S_IFMT, libc::S_IFBLK)] => "makes a door to a disk";
    Refuse SYS_mknod unless "CAP_MKNOD" if [Has(1, libc::S_IFMT, libc::S_IFCHR)] => "makes a door to a device";
};
/// As [`STAGE_A`], for calls that only this processor has.
#[cfg(not(target_arch = "x86_64"))]
pub(super) const STAGE_A_NATIVE: &[Stopped] = &[];

/// What a running worker may do: the executor, the standard library, the C library, and what presets add.
pub(super) const STAGE_B: &[Allowed] = allow! {
    SYS_read Always => "on descriptors that it holds";
    SYS_write Always => "on descriptors that it holds";
    SYS_readv Always => "on descriptors that it holds";
    SYS_writev Always => "on descriptors that it holds";
    SYS_pread64 Always => "files that are read out of order";
    SYS_pwrite64 Always => "files that are written out of order";
    SYS_preadv Always => "files that are read out of order";
    SYS_pwritev Always => "files that are written out of order";
    SYS_preadv2 Always => "files that are read out of order";
    SYS_pwritev2 Always => "files that are written out of order";
    SYS_lseek Always => "files that are read out of order";
    SYS_close Always => "ends a descriptor";
    SYS_close_range Always => "ends descriptors";
    SYS_dup Always => "try_clone of the standard library";
    SYS_dup3 Always => "moves a descriptor";
    SYS_fcntl Always => "close-on-exec, non-blocking, seals, locks";
    SYS_ioctl Always, [Is(1, libc::FIONBIO as u32)] => "set_nonblocking of the standard library";
    SYS_ioctl Always, [Is(1, libc::FIOCLEX as u32)] => "close-on-exec of the standard library";
    SYS_ioctl Always, [Is(1, libc::FIONREAD as u32)] => "how much can be read";
    SYS_ioctl Always, [Is(1, libc::TCGETS as u32)] => "is this a terminal";
    SYS_fstat Always => "on descriptors that it holds";
    SYS_newfstatat Always => "asks for files; Landlock leaves this open anyway";
    SYS_statx Always => "asks for files; Landlock leaves this open anyway";
    SYS_fstatfs Always => "on descriptors that it holds";
    SYS_faccessat Always => "asks for files; Landlock leaves this open anyway";
    SYS_faccessat2 Always => "asks for files; Landlock leaves this open anyway";
    SYS_readlinkat Always => "asks for links; current_exe of the standard library";
    SYS_openat Always => "Landlock decides which files";
    SYS_openat2 Always => "Landlock decides which files";
    SYS_getdents64 Always => "lists a folder that it could open";
    SYS_fadvise64 Always => "reads ahead";
    SYS_ftruncate Always => "sizes a memory file, or a file that it may write";
    SYS_fallocate Always => "sizes a memory file, or a file that it may write";
    SYS_fsync Always => "keeps what was written";
    SYS_fdatasync Always => "keeps what was written";
    SYS_flock Always => "locks a file that it could open";
    SYS_sendfile Always => "io::copy of the standard library";
    SYS_splice Always => "io::copy of the standard library";
    SYS_copy_file_range Always => "io::copy of the standard library";
    SYS_getcwd Always => "where relative paths start";
    SYS_umask Always => "the mask for new files";
    SYS_mmap Always => "memory";
    SYS_munmap Always => "memory";
    SYS_mremap Always => "memory";
    SYS_mprotect Always => "guard pages of thread stacks";
    SYS_madvise Always => "returns memory";
    SYS_brk Always => "the heap of the C library";
    SYS_membarrier Always => "lock-free structures";
    SYS_memfd_create Always => "large messages travel as sealed memory";
    SYS_futex Always => "locks and waits";
    SYS_get_robust_list Always => "locks of the C library";
    SYS_set_robust_list Always => "start of a thread";
    SYS_rseq Always => "start of a thread";
    SYS_set_tid_address Always => "start of a thread";
    SYS_clone Always, [Has(0, THREAD, THREAD)] => "threads; a new process would lack this flag";
    SYS_clone3 Always => "stage A answers that it is absent; refused here, the C library would not try clone";
    SYS_exit Always => "end of a thread";
    SYS_exit_group Always => "end of the process";
    SYS_gettid Always => "names a thread";
    SYS_getpid Always => "names itself";
    SYS_getppid Always => "asks who started it";
    SYS_tgkill Always => "abort and raise; Landlock keeps signals inside";
    SYS_rt_sigaction Always => "handlers of the standard library and of the executor";
    SYS_rt_sigprocmask Always => "start of a thread";
    SYS_rt_sigreturn Always => "end of a handler";
    SYS_rt_sigtimedwait Always => "waits for a signal";
    SYS_sigaltstack Always => "the stack overflow handler";
    SYS_restart_syscall Always => "the kernel goes on after a stop";
    SYS_sched_yield Always => "spinning locks";
    SYS_sched_getaffinity Always => "available_parallelism of the standard library";
    SYS_getcpu Always => "sharded structures";
    SYS_clock_gettime Always => "time, where the kernel's page for it is missing";
    SYS_clock_getres Always => "how fine the clock is";
    SYS_clock_nanosleep Always => "thread::sleep of the standard library";
    SYS_nanosleep Always => "sleep of the C library";
    SYS_gettimeofday Always => "time, where the kernel's page for it is missing";
    SYS_times Always => "time used";
    SYS_getrusage Always => "time and memory used";
    SYS_sysinfo Always => "how much memory there is";
    SYS_uname Always => "which kernel this is";
    SYS_getrandom Always => "seeds of hash tables";
    SYS_getuid Always => "who it is";
    SYS_geteuid Always => "who it is";
    SYS_getgid Always => "who it is";
    SYS_getegid Always => "who it is";
    SYS_getresuid Always => "who it is";
    SYS_getresgid Always => "who it is";
    SYS_getgroups Always => "who it is";
    SYS_capget Always => "what it may do";
    SYS_prctl Always, [Is(0, libc::PR_SET_NAME as u32)] => "names a thread";
    SYS_prctl Always, [Is(0, libc::PR_GET_NAME as u32)] => "names a thread";
    SYS_prctl Always, [Is(0, libc::PR_SET_VMA as u32)] => "names memory, for the allocator";
    SYS_prctl Always, [Is(0, libc::PR_GET_DUMPABLE as u32)] => "what holds for it";
    SYS_prctl Always, [Is(0, libc::PR_GET_NO_NEW_PRIVS as u32)] => "what holds for it";
    SYS_prctl Always, [Is(0, libc::PR_GET_SECCOMP as u32)] => "what holds for it";
    SYS_prctl Always, [Is(0, libc::PR_CAPBSET_READ as u32)] => "what holds for it";
    SYS_prlimit64 Always, [Is(0, 0), IsNull(2)] => "asks for its own limits: the stack size of a thread";
    SYS_epoll_create1 Always => "the executor";
    SYS_epoll_ctl Always => "the executor";
    SYS_epoll_pwait Always => "the executor";
    SYS_epoll_pwait2 Always => "the executor";
    SYS_eventfd2 Always => "wakes the executor";
    SYS_timerfd_create Always => "timers as descriptors";
    SYS_timerfd_settime Always => "timers as descriptors";
    SYS_timerfd_gettime Always => "timers as descriptors";
    SYS_pipe2 Always => "between its own threads";
    SYS_ppoll Always => "waits";
    SYS_pselect6 Always => "waits";
    SYS_socketpair Always, [Is(0, LOCAL), Has(1, SOCKET_KIND, libc::SOCK_STREAM as u32)] => "between its own threads; a datagram socket could reach paths";
    SYS_socketpair Always, [Is(0, LOCAL), Has(1, SOCKET_KIND, libc::SOCK_SEQPACKET as u32)] => "between its own threads";
    SYS_sendmsg Always => "links, and connections that it was handed";
    SYS_recvmsg Always => "links, and connections that it was handed";
    SYS_sendmmsg Always => "links, and connections that it was handed";
    SYS_recvmmsg Always => "links, and connections that it was handed";
    SYS_sendto Always => "connections that it was handed";
    SYS_recvfrom Always => "connections that it was handed";
    SYS_accept Always => "listeners that it was handed";
    SYS_accept4 Always => "listeners that it was handed";
    SYS_shutdown Always => "ends a connection";
    SYS_getsockopt Always => "kinds and errors of sockets that it was handed";
    SYS_setsockopt Always => "options of sockets that it was handed";
    SYS_getsockname Always => "addresses of sockets that it was handed";
    SYS_getpeername Always => "addresses of sockets that it was handed";

    SYS_socket Bind, [Is(0, INET), Has(1, SOCKET_KIND, STREAM)] => "makes a listener";
    SYS_socket Bind, [Is(0, INET6), Has(1, SOCKET_KIND, STREAM)] => "makes a listener";
    SYS_bind Bind => "Landlock decides which TCP ports";
    SYS_listen Bind => "makes a listener";
    SYS_socket Connect, [Is(0, INET), Has(1, SOCKET_KIND, STREAM)] => "makes a connection";
    SYS_socket Connect, [Is(0, INET6), Has(1, SOCKET_KIND, STREAM)] => "makes a connection";
    SYS_socket Connect, [Is(0, INET), Has(1, SOCKET_KIND, DATAGRAM)] => "asks a name server";
    SYS_socket Connect, [Is(0, INET6), Has(1, SOCKET_KIND, DATAGRAM)] => "asks a name server";
    SYS_connect Connect => "Landlock decides which TCP ports";

    SYS_mkdirat Write => "Landlock decides where";
    SYS_unlinkat Write => "Landlock decides where";
    SYS_renameat Write => "Landlock decides where";
    SYS_renameat2 Write => "Landlock decides where";
    SYS_linkat Write => "Landlock decides where";
    SYS_truncate Write => "Landlock decides where";
    SYS_fchmod Write => "on files that it made";
    SYS_fchmodat Write => "on files that it made";
    SYS_utimensat Write => "on files that it made";
    SYS_sync_file_range Write => "keeps what was written";

    SYS_clock_settime Holds("CAP_SYS_TIME") => "what the capability is for";
    SYS_settimeofday Holds("CAP_SYS_TIME") => "what the capability is for";
    SYS_adjtimex Holds("CAP_SYS_TIME") => "what the capability is for";
    SYS_clock_adjtime Holds("CAP_SYS_TIME") => "what the capability is for";
    SYS_fchown Holds("CAP_CHOWN") => "what the capability is for";
    SYS_fchownat Holds("CAP_CHOWN") => "what the capability is for";
    SYS_kill Holds("CAP_KILL") => "what the capability is for";
    SYS_pidfd_open Holds("CAP_KILL") => "signals without mistaking whom";
    SYS_pidfd_send_signal Holds("CAP_KILL") => "signals without mistaking whom";
    SYS_setpriority Holds("CAP_SYS_NICE") => "what the capability is for";
    SYS_sched_setscheduler Holds("CAP_SYS_NICE") => "what the capability is for";
    SYS_sched_setaffinity Holds("CAP_SYS_NICE") => "what the capability is for";
    SYS_mlock Holds("CAP_IPC_LOCK") => "what the capability is for";
    SYS_mlock2 Holds("CAP_IPC_LOCK") => "what the capability is for";
    SYS_mlockall Holds("CAP_IPC_LOCK") => "what the capability is for";
    SYS_munlock Holds("CAP_IPC_LOCK") => "what the capability is for";
    SYS_socket Holds("CAP_NET_RAW") => "what the capability is for";
    SYS_bind Holds("CAP_NET_RAW") => "what the capability is for";
    SYS_socket Holds("CAP_NET_ADMIN") => "the kernel is asked over netlink";
    SYS_bind Holds("CAP_NET_ADMIN") => "the kernel is asked over netlink";
    SYS_ioctl Holds("CAP_NET_ADMIN") => "interfaces are set up by it";
    SYS_setresuid Holds("CAP_SETUID") => "what the capability is for";
    SYS_setuid Holds("CAP_SETUID") => "what the capability is for";
    SYS_setresgid Holds("CAP_SETGID") => "what the capability is for";
    SYS_setgid Holds("CAP_SETGID") => "what the capability is for";
    SYS_setgroups Holds("CAP_SETGID") => "what the capability is for";
};

/// As [`STAGE_B`], for the older forms that only this processor has and that the C library still takes.
#[cfg(target_arch = "x86_64")]
pub(super) const STAGE_B_NATIVE: &[Allowed] = allow! {
    SYS_open Always => "Landlock decides which files";
    SYS_stat Always => "asks for files; Landlock leaves this open anyway";
    SYS_lstat Always => "asks for files; Landlock leaves this open anyway";
    SYS_access Always => "asks for files; Landlock leaves this open anyway";
    SYS_readlink Always => "asks for links";
    SYS_dup2 Always => "moves a descriptor";
    SYS_pipe Always => "between its own threads";
    SYS_poll Always => "waits";
    SYS_select Always => "waits";
    SYS_epoll_wait Always => "the executor";
    SYS_getrlimit Always => "asks for its own limits";
    SYS_time Always => "time, where the kernel's page for it is missing";
    SYS_arch_prctl Always => "start of a thread";
    SYS_mkdir Write => "Landlock decides where";
    SYS_unlink Write => "Landlock decides where";
    SYS_rmdir Write => "Landlock decides where";
    SYS_rename Write => "Landlock decides where";
    SYS_link Write => "Landlock decides where";
    SYS_chmod Write => "on files that it made";
};
/// As [`STAGE_B`], for the older forms that only this processor has and that the C library still takes.
#[cfg(not(target_arch = "x86_64"))]
pub(super) const STAGE_B_NATIVE: &[Allowed] = &[];

const USER: u32 = libc::CLONE_NEWUSER as u32;
const MOUNTS: u32 = libc::CLONE_NEWNS as u32;
const NET: u32 = libc::CLONE_NEWNET as u32;
const PIDS: u32 = libc::CLONE_NEWPID as u32;
const IPC: u32 = libc::CLONE_NEWIPC as u32;
const UTS: u32 = libc::CLONE_NEWUTS as u32;
const CGROUPS: u32 = libc::CLONE_NEWCGROUP as u32;
const THREAD: u32 = libc::CLONE_THREAD as u32;
const TIOCLINUX: u32 = 0x541c;
const LOCAL: u32 = libc::AF_UNIX as u32;
const INET: u32 = libc::AF_INET as u32;
const INET6: u32 = libc::AF_INET6 as u32;
/// The part of a socket's type that is no flag.
const SOCKET_KIND: u32 = 0xf;
const STREAM: u32 = libc::SOCK_STREAM as u32;
const DATAGRAM: u32 = libc::SOCK_DGRAM as u32;
