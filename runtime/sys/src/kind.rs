//! What a descriptor that somebody passed really is. Asks the kernel, never reads from the descriptor.

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::fcntl::{FcntlArg, OFlag, SealFlag, fcntl};
use nix::sys::stat::{SFlag, fstat};
use nix::sys::statfs::{self, FsType, fstatfs};

use crate::error::{Failed, check, failed};

/// What a descriptor was observed to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DescriptorKind {
    /// A regular file on a file system that stores files.
    File,
    /// A directory, or a path opened with `O_PATH`.
    Directory,
    /// A listening TCP socket.
    TcpListener,
    /// A TCP socket that does not listen.
    TcpStream,
    /// A UDP socket.
    UdpSocket,
    /// A Unix stream socket that does not listen.
    UnixStream,
    /// A listening Unix stream socket.
    UnixListener,
    /// The end of a pipe that can only be read.
    PipeReader,
    /// The end of a pipe that can only be written.
    PipeWriter,
    /// A memfd that nobody can change any more.
    SealedMemory,
    /// Anything else: devices, other sockets, files by which the kernel speaks, memfds that can still change.
    Other,
}

/// The seals of memory that nobody can change any more.
pub(crate) const SEALED: SealFlag = SealFlag::F_SEAL_SHRINK
    .union(SealFlag::F_SEAL_GROW)
    .union(SealFlag::F_SEAL_WRITE)
    .union(SealFlag::F_SEAL_SEAL);

/// File systems whose regular files are conversations with the kernel.
const KERNEL_FILES: [FsType; 11] = [
    statfs::PROC_SUPER_MAGIC,
    statfs::SYSFS_MAGIC,
    statfs::DEBUGFS_MAGIC,
    statfs::TRACEFS_MAGIC,
    statfs::SECURITYFS_MAGIC,
    statfs::SELINUX_MAGIC,
    statfs::SMACK_MAGIC,
    statfs::BPF_FS_MAGIC,
    statfs::CGROUP_SUPER_MAGIC,
    statfs::CGROUP2_SUPER_MAGIC,
    statfs::NSFS_MAGIC,
];

/// Returns what the descriptor is.
///
/// A file on a file system that another process serves (FUSE) counts as a file, since shared folders of containers
/// and virtual machines are such; reading it may wait for that process, as reading any file may wait for a disk.
///
/// # Errors
/// Why the kernel does not tell.
pub fn descriptor_kind(fd: BorrowedFd<'_>) -> Result<DescriptorKind, Failed> {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL).map_err(failed("fcntl(F_GETFL)"))?);
    if flags.contains(OFlag::O_PATH) {
        return Ok(DescriptorKind::Directory);
    }
    let mode = fstat(fd).map_err(failed("fstat"))?.st_mode;
    Ok(match SFlag::from_bits_truncate(mode) & SFlag::S_IFMT {
        SFlag::S_IFREG => regular(fd)?,
        SFlag::S_IFDIR => DescriptorKind::Directory,
        SFlag::S_IFIFO => match flags & OFlag::O_ACCMODE {
            OFlag::O_RDONLY => DescriptorKind::PipeReader,
            OFlag::O_WRONLY => DescriptorKind::PipeWriter,
            _ => DescriptorKind::Other,
        },
        SFlag::S_IFSOCK => socket(fd)?,
        _ => DescriptorKind::Other,
    })
}

fn regular(fd: BorrowedFd<'_>) -> Result<DescriptorKind, Failed> {
    if let Ok(seals) = fcntl(fd, FcntlArg::F_GET_SEALS).map(SealFlag::from_bits_retain) {
        if seals.contains(SEALED) {
            return Ok(DescriptorKind::SealedMemory);
        }
        // A file on a tmpfs has the seal against sealing; a memfd that is not sealed may change or shrink.
        if seals != SealFlag::F_SEAL_SEAL {
            return Ok(DescriptorKind::Other);
        }
    }
    let found = fstatfs(fd).map_err(failed("fstatfs"))?.filesystem_type();
    Ok(if KERNEL_FILES.contains(&found) { DescriptorKind::Other } else { DescriptorKind::File })
}

fn socket(fd: BorrowedFd<'_>) -> Result<DescriptorKind, Failed> {
    let option = |name| socket_option(fd, name);
    let (domain, kind, protocol) =
        (option(libc::SO_DOMAIN)?, option(libc::SO_TYPE)?, option(libc::SO_PROTOCOL)?);
    let listens = option(libc::SO_ACCEPTCONN)? != 0;
    let internet = domain == libc::AF_INET || domain == libc::AF_INET6;
    let tcp =
        internet && kind == libc::SOCK_STREAM && matches!(protocol, libc::IPPROTO_TCP | libc::IPPROTO_MPTCP);
    let unix = domain == libc::AF_UNIX && kind == libc::SOCK_STREAM;
    Ok(match (tcp, unix, listens) {
        (true, _, true) => DescriptorKind::TcpListener,
        (true, _, false) => DescriptorKind::TcpStream,
        (_, true, true) => DescriptorKind::UnixListener,
        (_, true, false) => DescriptorKind::UnixStream,
        (false, false, _) if internet && kind == libc::SOCK_DGRAM && protocol == libc::IPPROTO_UDP => {
            DescriptorKind::UdpSocket
        }
        (false, false, _) => DescriptorKind::Other,
    })
}

/// Returns an option of the socket that is one number.
fn socket_option(fd: BorrowedFd<'_>, name: libc::c_int) -> Result<libc::c_int, Failed> {
    let mut value: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `value`, which is that large, and to `length`.
    let result = unsafe {
        libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, name, (&raw mut value).cast(), &raw mut length)
    };
    check("getsockopt", result.into()).map(|_| value)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::fd::AsFd;
    use std::os::unix::fs::OpenOptionsExt;
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

    use super::*;

    fn kind(fd: &impl AsFd) -> DescriptorKind {
        descriptor_kind(fd.as_fd()).unwrap()
    }

    #[test]
    fn files_directories_and_what_looks_like_them_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert_eq!(kind(&File::create(&path).unwrap()), DescriptorKind::File);
        assert_eq!(kind(&File::open(folder.path()).unwrap()), DescriptorKind::Directory);
        let place = File::options().read(true).custom_flags(libc::O_PATH).open(&path).unwrap();
        assert_eq!(kind(&place), DescriptorKind::Directory);
        assert_eq!(kind(&File::open("/dev/null").unwrap()), DescriptorKind::Other);
        assert_eq!(kind(&File::open("/proc/self/status").unwrap()), DescriptorKind::Other);
    }

    #[test]
    fn the_ends_of_a_pipe_are_told_apart() {
        let (reader, writer) = std::io::pipe().unwrap();
        assert_eq!(kind(&reader), DescriptorKind::PipeReader);
        assert_eq!(kind(&writer), DescriptorKind::PipeWriter);
    }

    #[test]
    fn sockets_are_told_apart_by_family_type_and_whether_they_listen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert_eq!(kind(&listener), DescriptorKind::TcpListener);
        assert_eq!(kind(&stream), DescriptorKind::TcpStream);
        assert_eq!(kind(&UdpSocket::bind("127.0.0.1:0").unwrap()), DescriptorKind::UdpSocket);
        let (unix, _other) = UnixStream::pair().unwrap();
        assert_eq!(kind(&unix), DescriptorKind::UnixStream);
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        assert_eq!(kind(&listener), DescriptorKind::UnixListener);
        let (datagram, _other) = UnixDatagram::pair().unwrap();
        assert_eq!(kind(&datagram), DescriptorKind::Other);
    }
}
