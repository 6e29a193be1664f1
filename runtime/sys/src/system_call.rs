//! System calls, and the constants that stand in their arguments, by the kernel's names.

/// Returns the number of a system call on this processor, by its name without `SYS_`; `None` if it has no such call.
pub fn number(name: &str) -> Option<i64> {
    let known = CALLS.iter().chain(NATIVE_CALLS);
    known.filter_map(|(known, number)| Some((known.strip_prefix("SYS_")?, *number))).find_map(named(name))
}

/// Returns the name of a system call on this processor, without `SYS_`, by its number; `None` if it is not known here.
pub fn name(number: i64) -> Option<&'static str> {
    let known = CALLS.iter().chain(NATIVE_CALLS);
    known.filter(|(_, known)| *known == number).find_map(|(name, _)| name.strip_prefix("SYS_"))
}

/// Returns the value of a constant that stands in 32 bits of an argument, by the name that the kernel's headers have.
pub fn constant(name: &str) -> Option<u32> {
    CONSTANTS.iter().copied().chain(UNEXPORTED).find_map(named(name))
}

fn named<T>(name: &str) -> impl Fn((&str, T)) -> Option<T> {
    move |(known, value)| (known == name).then_some(value)
}

macro_rules! by_name {
    ($type:ty: $($name:ident)*) => { &[$((stringify!($name), libc::$name as $type)),*] };
}

/// Calls that every processor has.
const CALLS: &[(&str, i64)] = by_name! { i64:
    SYS_accept SYS_accept4 SYS_acct SYS_add_key SYS_adjtimex SYS_bind SYS_bpf SYS_brk SYS_capget SYS_chroot
    SYS_clock_adjtime SYS_clock_getres SYS_clock_gettime SYS_clock_nanosleep SYS_clock_settime SYS_clone
    SYS_clone3 SYS_close SYS_close_range SYS_connect SYS_copy_file_range SYS_delete_module SYS_dup SYS_dup3
    SYS_epoll_create1 SYS_epoll_ctl SYS_epoll_pwait SYS_epoll_pwait2 SYS_eventfd2 SYS_exit SYS_exit_group
    SYS_faccessat SYS_faccessat2 SYS_fadvise64 SYS_fallocate SYS_fanotify_init SYS_fchmod SYS_fchmodat
    SYS_fchown SYS_fchownat SYS_fcntl SYS_fdatasync SYS_finit_module SYS_flock SYS_fsconfig SYS_fsmount
    SYS_fsopen SYS_fspick SYS_fstat SYS_fstatfs SYS_fsync SYS_ftruncate SYS_futex SYS_get_robust_list SYS_getcpu
    SYS_getcwd SYS_getdents64 SYS_getegid SYS_geteuid SYS_getgid SYS_getgroups SYS_getpeername SYS_getpid
    SYS_getppid SYS_getrandom SYS_getresgid SYS_getresuid SYS_getrusage SYS_getsockname SYS_getsockopt
    SYS_gettid SYS_gettimeofday SYS_getuid SYS_init_module SYS_io_uring_enter SYS_io_uring_register
    SYS_io_uring_setup SYS_ioctl SYS_kcmp SYS_kexec_file_load SYS_kexec_load SYS_keyctl SYS_kill SYS_linkat
    SYS_listen SYS_lseek SYS_madvise SYS_membarrier SYS_memfd_create SYS_migrate_pages SYS_mkdirat SYS_mknodat
    SYS_mlock SYS_mlock2 SYS_mlockall SYS_mmap SYS_mount SYS_mount_setattr SYS_move_mount SYS_move_pages
    SYS_mprotect SYS_mremap SYS_munlock SYS_munmap SYS_name_to_handle_at SYS_nanosleep SYS_newfstatat
    SYS_open_by_handle_at SYS_open_tree SYS_openat SYS_openat2 SYS_perf_event_open SYS_personality
    SYS_pidfd_getfd SYS_pidfd_open SYS_pidfd_send_signal SYS_pipe2 SYS_pivot_root SYS_ppoll SYS_prctl
    SYS_pread64 SYS_preadv SYS_preadv2 SYS_prlimit64 SYS_process_madvise SYS_process_vm_readv
    SYS_process_vm_writev SYS_pselect6 SYS_ptrace SYS_pwrite64 SYS_pwritev SYS_pwritev2 SYS_quotactl SYS_read
    SYS_readlinkat SYS_readv SYS_reboot SYS_recvfrom SYS_recvmmsg SYS_recvmsg SYS_renameat SYS_renameat2
    SYS_request_key SYS_restart_syscall SYS_rseq SYS_rt_sigaction SYS_rt_sigprocmask SYS_rt_sigreturn
    SYS_rt_sigtimedwait SYS_sched_getaffinity SYS_sched_setaffinity SYS_sched_setattr SYS_sched_setscheduler
    SYS_sched_yield SYS_sendfile SYS_sendmmsg SYS_sendmsg SYS_sendto SYS_set_robust_list SYS_set_tid_address
    SYS_setdomainname SYS_setgid SYS_setgroups SYS_sethostname SYS_setns SYS_setpriority SYS_setresgid
    SYS_setresuid SYS_setsockopt SYS_settimeofday SYS_setuid SYS_shutdown SYS_sigaltstack SYS_socket
    SYS_socketpair SYS_splice SYS_statx SYS_swapoff SYS_swapon SYS_sync_file_range SYS_sysinfo SYS_syslog
    SYS_tgkill SYS_timerfd_create SYS_timerfd_gettime SYS_timerfd_settime SYS_times SYS_truncate SYS_umask
    SYS_umount2 SYS_uname SYS_unlinkat SYS_unshare SYS_userfaultfd SYS_utimensat SYS_vhangup SYS_write
    SYS_writev
};

/// Calls that only this processor has.
#[cfg(target_arch = "x86_64")]
const NATIVE_CALLS: &[(&str, i64)] = by_name! { i64:
    SYS_access SYS_arch_prctl SYS_chmod SYS_dup2 SYS_epoll_wait SYS_getrlimit SYS_ioperm SYS_iopl SYS_link
    SYS_lstat SYS_mkdir SYS_mknod SYS_modify_ldt SYS_open SYS_pipe SYS_poll SYS_readlink SYS_rename SYS_rmdir
    SYS_select SYS_stat SYS_time SYS_unlink
};
/// Calls that only this processor has.
#[cfg(not(target_arch = "x86_64"))]
const NATIVE_CALLS: &[(&str, i64)] = &[];

const CONSTANTS: &[(&str, u32)] = by_name! { u32:
    AF_ALG AF_INET AF_INET6 AF_PACKET AF_UNIX AF_VSOCK CLONE_NEWCGROUP CLONE_NEWIPC CLONE_NEWNET CLONE_NEWNS
    CLONE_NEWPID CLONE_NEWUSER CLONE_NEWUTS CLONE_THREAD FIOCLEX FIONBIO FIONREAD IPPROTO_MPTCP IPPROTO_SCTP
    IPPROTO_TCP IPPROTO_UDP MSG_FASTOPEN PR_CAPBSET_READ
    PR_GET_DUMPABLE PR_GET_NAME PR_GET_NO_NEW_PRIVS PR_GET_SECCOMP PR_SET_NAME PR_SET_VMA SOCK_DGRAM
    SOCK_SEQPACKET SOCK_STREAM SOL_SOCKET SO_LINGER S_IFBLK S_IFCHR S_IFMT TCGETS TIOCSTI
};
/// Of the kernel, and not in the C library's headers.
const UNEXPORTED: [(&str, u32); 4] =
    [("AF_SMC", 43), ("IPPROTO_SMC", 256), ("SOCK_TYPE_MASK", 0xf), ("TIOCLINUX", 0x541c)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_constants_have_the_numbers_of_the_c_library() {
        assert_eq!((number("read"), number("clone3")), (Some(libc::SYS_read), Some(libc::SYS_clone3)));
        assert_eq!((name(libc::SYS_read), name(i64::MAX)), (Some("read"), None));
        assert_eq!(constant("AF_INET"), Some(libc::AF_INET as u32));
        assert_eq!(constant("SOCK_TYPE_MASK"), Some(0xf));
    }

    #[test]
    fn a_name_that_the_kernel_does_not_have_has_no_number() {
        assert_eq!((number("SYS_read"), number("raed"), constant("AF_NONE")), (None, None, None));
    }
}
