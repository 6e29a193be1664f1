//! Unix sockets that carry descriptors: what a link and a worker's control descriptor stand on.
//!
//! Never blocks, never raises SIGPIPE, never leaks: every received descriptor is owned and close-on-exec before
//! anything about it is checked. A packet that did not fit, descriptors beyond the limit and a full descriptor
//! table are told apart, because the first two are the sender's fault and the third is nobody's.

use std::io::{IoSlice, IoSliceMut};
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, getsockopt, setsockopt, socketpair, sockopt};

use crate::error::{Errno, Failed, check, failed};

/// Descriptors that one packet may carry.
pub const MAX_FDS: usize = 16;

/// How a socket keeps what is written to it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Packets arrive whole or not at all.
    SeqPacket,
    /// Bytes without boundaries.
    Stream,
}

/// What arrived in one receive.
#[derive(Debug)]
pub struct Packet {
    /// Bytes written to the buffer.
    pub bytes: usize,
    /// Descriptors in the sender's order; at most [`MAX_FDS`] unless `lost` says otherwise.
    pub fds: Vec<OwnedFd>,
    /// The packet was longer than the buffer; the rest is gone.
    pub truncated: bool,
    /// Why the descriptors are not what the sender attached.
    pub lost: Option<LostFds>,
    /// Who sent it, if the socket was told to ask the kernel (see [`pass_credentials`]).
    pub credentials: Option<Credentials>,
}

/// Why descriptors of a packet are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostFds {
    /// More than [`MAX_FDS`] were attached: the sender's fault.
    Excess,
    /// This process's descriptor table is full: nobody's fault, the sender may try again.
    TableFull,
}

/// A process as the kernel vouches for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The process id; only meaningful while the process is known to live.
    pub pid: i32,
    /// The effective user id.
    pub uid: u32,
    /// The effective group id.
    pub gid: u32,
}

/// Why a packet was not sent. Nothing of it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The socket's buffer is full; wait until it is writable.
    #[error("the socket's buffer is full")]
    WouldBlock,
    /// For now the kernel will not carry more descriptors or bytes for this user; try again later.
    #[error("the kernel has no room for more descriptors or bytes in flight: {0}")]
    NoRoom(Errno),
    /// The receiver is gone.
    #[error("the receiving end is closed")]
    Closed,
    /// The receiver's socket takes no descriptors.
    #[error("the receiving end takes no descriptors")]
    FdsRefused,
    /// More descriptors than a packet may carry.
    #[error("{found} descriptors in one packet, the limit is {MAX_FDS}")]
    TooManyFds {
        /// How many were given.
        found: usize,
    },
    /// The packet is larger than the socket's buffer can ever hold.
    #[error("the packet is larger than the socket's buffer")]
    TooLarge,
    /// Anything else.
    #[error("sendmsg failed: {0}")]
    Failed(Errno),
}

/// Why nothing was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// Nothing is there; wait until the socket is readable.
    #[error("nothing to receive")]
    WouldBlock,
    /// The sender vanished with data of ours unread.
    #[error("the sending end was reset")]
    Reset,
    /// Anything else.
    #[error("recvmsg failed: {0}")]
    Failed(Errno),
}

/// Makes two connected sockets, close-on-exec and non-blocking.
///
/// # Errors
/// When the descriptor table is full or the kernel is out of memory.
pub fn pair(kind: Kind) -> Result<(OwnedFd, OwnedFd), Failed> {
    let kind = match kind {
        Kind::SeqPacket => SockType::SeqPacket,
        Kind::Stream => SockType::Stream,
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socketpair(AddressFamily::Unix, kind, None, flags).map_err(failed("socketpair"))
}

/// Sends one packet (for a stream: some bytes) with descriptors attached, and returns the bytes taken.
///
/// On a stream socket fewer bytes than given may be taken; the descriptors then went with the first of them.
/// On a stream at least one byte must be given for descriptors to travel.
///
/// # Errors
/// See [`SendError`]; nothing was sent, and the descriptors are still the caller's alone.
pub fn send(
    socket: BorrowedFd<'_>,
    data: &[IoSlice<'_>],
    fds: &[BorrowedFd<'_>],
) -> Result<usize, SendError> {
    if fds.len() > MAX_FDS {
        return Err(SendError::TooManyFds { found: fds.len() });
    }
    let mut control = Control::new();
    let control_bytes = control.put_rights(fds);
    let mut message = empty_message();
    // The kernel does not write through the pointer in sendmsg; the field is mutable for recvmsg's sake.
    message.msg_iov = data.as_ptr().cast::<libc::iovec>().cast_mut();
    message.msg_iovlen = data.len() as _;
    if control_bytes > 0 {
        message.msg_control = control.bytes.as_mut_ptr().cast();
        message.msg_controllen = control_bytes as _;
    }
    loop {
        // SAFETY: `message` points to `data` (IoSlice has the layout of iovec) and to `control`, both of which
        // outlive the call, with their true lengths.
        let sent =
            unsafe { libc::sendmsg(socket.as_raw_fd(), &message, libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT) };
        if sent >= 0 {
            return Ok(sent.unsigned_abs());
        }
        match Errno::last() {
            Errno::EINTR => {}
            errno => return Err(send_error(errno)),
        }
    }
}

fn send_error(errno: Errno) -> SendError {
    match errno {
        Errno::EAGAIN => SendError::WouldBlock,
        Errno::ETOOMANYREFS | Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM => {
            SendError::NoRoom(errno)
        }
        Errno::EPIPE | Errno::ECONNRESET | Errno::ENOTCONN => SendError::Closed,
        Errno::EPERM => SendError::FdsRefused,
        Errno::EMSGSIZE => SendError::TooLarge,
        errno => SendError::Failed(errno),
    }
}

/// Receives one packet (for a stream: some bytes) into `buffer`; `None` means that the sender closed.
///
/// A packet of no bytes and no descriptors is returned as such while the sender is there.
///
/// # Errors
/// See [`ReceiveError`].
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<Option<Packet>, ReceiveError> {
    receive_vectored(socket, &mut [IoSliceMut::new(buffer)])
}

/// Receives like [`receive`], into several buffers in turn.
///
/// # Errors
/// See [`ReceiveError`].
pub fn receive_vectored(
    socket: BorrowedFd<'_>,
    buffers: &mut [IoSliceMut<'_>],
) -> Result<Option<Packet>, ReceiveError> {
    let mut control = Control::new();
    let mut message = empty_message();
    message.msg_iov = buffers.as_mut_ptr().cast();
    message.msg_iovlen = buffers.len() as _;
    message.msg_control = control.bytes.as_mut_ptr().cast();
    message.msg_controllen = control.bytes.len() as _;
    let flags = libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT;
    let bytes = loop {
        // SAFETY: `message` points to `buffers` (IoSliceMut has the layout of iovec) and to `control`, both of
        // which are borrowed mutably for the call, with their true lengths.
        let received = unsafe { libc::recvmsg(socket.as_raw_fd(), &mut message, flags) };
        if received >= 0 {
            break received.unsigned_abs();
        }
        match Errno::last() {
            Errno::EINTR => {}
            Errno::EAGAIN => return Err(ReceiveError::WouldBlock),
            Errno::ECONNRESET => return Err(ReceiveError::Reset),
            errno => return Err(ReceiveError::Failed(errno)),
        }
    };
    let (fds, credentials) = control.take(message.msg_controllen);
    let room = buffers.iter().any(|buffer| !buffer.is_empty());
    if bytes == 0 && room && fds.is_empty() && credentials.is_none_or(|c| c.pid == 0) && is_closed(socket) {
        return Ok(None);
    }
    let cut = message.msg_flags & libc::MSG_CTRUNC != 0;
    let lost = match (fds.len(), cut) {
        (found, _) if found > MAX_FDS => Some(LostFds::Excess),
        // The buffer has room for more than the limit, so a cut below it comes from the descriptor table.
        (_, true) => Some(LostFds::TableFull),
        (_, false) => None,
    };
    Ok(Some(Packet { bytes, fds, truncated: message.msg_flags & libc::MSG_TRUNC != 0, lost, credentials }))
}

/// Returns whether the other end will send no more; tells an empty packet from the end.
fn is_closed(socket: BorrowedFd<'_>) -> bool {
    let over = libc::POLLRDHUP | libc::POLLHUP | libc::POLLERR;
    let mut wanted = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLRDHUP, revents: 0 };
    // SAFETY: one pollfd is read and written, which outlives the call.
    (unsafe { libc::poll(&raw mut wanted, 1, 0) }) > 0 && wanted.revents & over != 0
}

/// Has the kernel attach the sender's credentials to every packet that `socket` receives.
///
/// # Errors
/// When `socket` is not a Unix socket.
pub fn pass_credentials(socket: BorrowedFd<'_>) -> Result<(), Failed> {
    setsockopt(&socket, sockopt::PassCred, &true).map_err(failed("setsockopt(SO_PASSCRED)"))
}

/// Returns who made or connected the other end.
///
/// # Errors
/// When `socket` is not a connected Unix socket.
pub fn peer_credentials(socket: BorrowedFd<'_>) -> Result<Credentials, Failed> {
    let found = getsockopt(&socket, sockopt::PeerCredentials).map_err(failed("getsockopt(SO_PEERCRED)"))?;
    Ok(Credentials { pid: found.pid(), uid: found.uid(), gid: found.gid() })
}

/// Makes `socket` refuse descriptors: whoever attaches one gets [`SendError::FdsRefused`].
///
/// Returns false where the kernel cannot (before 6.16); the receiver must then treat them as a violation.
///
/// # Errors
/// When `socket` is not a Unix socket.
pub fn refuse_fds(socket: BorrowedFd<'_>) -> Result<bool, Failed> {
    let off: libc::c_int = 0;
    // SAFETY: the option's value is a c_int that outlives the call, with its true size.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_PASSRIGHTS,
            (&raw const off).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    match check("setsockopt(SO_PASSRIGHTS)", result.into()) {
        Ok(_) => Ok(true),
        Err(Failed { errno: Errno::ENOPROTOOPT, .. }) => Ok(false),
        Err(failed) => Err(failed),
    }
}

/// Makes an end that a worker is given refuse descriptors unless it takes some, and have the kernel say who sends if that is
/// `asked`. Returns whether it will say so. What the kernel cannot do, the worker has to find by itself.
pub fn restrict(socket: BorrowedFd<'_>, takes_fds: bool, asked: bool) -> bool {
    if !takes_fds {
        let _ = refuse_fds(socket);
    }
    asked && pass_credentials(socket).is_ok()
}

/// Asks the kernel for a send buffer of `bytes` (it may give less) and returns what it gave.
///
/// # Errors
/// When `socket` is not a socket.
pub fn set_send_buffer(socket: BorrowedFd<'_>, bytes: usize) -> Result<usize, Failed> {
    setsockopt(&socket, sockopt::SndBuf, &bytes).map_err(failed("setsockopt(SO_SNDBUF)"))?;
    getsockopt(&socket, sockopt::SndBuf).map_err(failed("getsockopt(SO_SNDBUF)"))
}

fn empty_message() -> libc::msghdr {
    // SAFETY: msghdr consists of integers and pointers, for which all-zero bytes are a value.
    unsafe { std::mem::zeroed() }
}

/// Room for one control message with descriptors and one with credentials, as the kernel lays them out.
#[repr(C, align(8))]
struct Control {
    bytes: [u8; CONTROL_BYTES],
}

impl Control {
    fn new() -> Self {
        Self { bytes: [0; CONTROL_BYTES] }
    }

    /// Writes the message that carries `fds` and returns its length.
    fn put_rights(&mut self, fds: &[BorrowedFd<'_>]) -> usize {
        if fds.is_empty() {
            return 0;
        }
        let payload = fds.len() * size_of::<RawFd>();
        self.bytes[0..8].copy_from_slice(&(HEADER_BYTES + payload).to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&libc::SOL_SOCKET.to_ne_bytes());
        self.bytes[12..16].copy_from_slice(&libc::SCM_RIGHTS.to_ne_bytes());
        for (n, fd) in fds.iter().enumerate() {
            let at = HEADER_BYTES + n * size_of::<RawFd>();
            self.bytes[at..at + 4].copy_from_slice(&fd.as_raw_fd().to_ne_bytes());
        }
        align(HEADER_BYTES + payload)
    }

    /// Takes everything out of the first `length` bytes, which the kernel wrote.
    fn take(&self, length: usize) -> (Vec<OwnedFd>, Option<Credentials>) {
        let mut fds = Vec::new();
        let mut credentials = None;
        let mut rest = &self.bytes[..length.min(CONTROL_BYTES)];
        while rest.len() >= HEADER_BYTES {
            let size = usize::from_ne_bytes(rest[0..8].try_into().expect("eight bytes")).min(rest.len());
            let Some(payload) = rest.get(HEADER_BYTES..size) else { break };
            match (int(rest, 8), int(rest, 12)) {
                (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                    for at in 0..payload.len() / size_of::<RawFd>() {
                        // SAFETY: the kernel has just made this descriptor for us and nobody else knows it.
                        fds.push(unsafe { OwnedFd::from_raw_fd(int(payload, at * size_of::<RawFd>())) });
                    }
                }
                (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) if payload.len() >= size_of::<libc::ucred>() => {
                    let (pid, uid, gid) = (int(payload, 0), int(payload, 4), int(payload, 8));
                    credentials =
                        Some(Credentials { pid, uid: uid.cast_unsigned(), gid: gid.cast_unsigned() });
                }
                _ => {}
            }
            rest = &rest[align(size).min(rest.len())..];
        }
        (fds, credentials)
    }
}

fn int(bytes: &[u8], at: usize) -> i32 {
    i32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

const fn align(bytes: usize) -> usize {
    bytes.next_multiple_of(size_of::<usize>())
}

const HEADER_BYTES: usize = size_of::<libc::cmsghdr>();
/// Two beyond the limit, so that excess shows as a number and not only as a cut.
const RIGHTS_BYTES: usize = align(HEADER_BYTES + (MAX_FDS + 2) * size_of::<RawFd>());
/// Descriptors come before or after credentials, so each has room of its own.
const CONTROL_BYTES: usize = RIGHTS_BYTES + align(HEADER_BYTES + size_of::<libc::ucred>());
/// From the kernel's asm-generic/socket.h since 6.16; libc does not name it yet.
const SO_PASSRIGHTS: libc::c_int = 83;

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;

    use super::*;
    use crate::hangup::wait_for_hangup;

    fn seqpacket() -> (OwnedFd, OwnedFd) {
        pair(Kind::SeqPacket).unwrap()
    }

    fn send_bytes(socket: &OwnedFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<usize, SendError> {
        send(socket.as_fd(), &[IoSlice::new(bytes)], fds)
    }

    fn receive_bytes(socket: &OwnedFd) -> Result<Option<Packet>, ReceiveError> {
        receive(socket.as_fd(), &mut [0; 64])
    }

    #[test]
    fn a_packet_arrives_whole_with_its_descriptors_in_order() {
        let (a, b) = seqpacket();
        let (reader, writer) = nix::unistd::pipe().unwrap();
        send(a.as_fd(), &[IoSlice::new(b"one "), IoSlice::new(b"packet")], &[reader.as_fd(), writer.as_fd()])
            .unwrap();
        let mut buffer = [0; 64];
        let packet = receive(b.as_fd(), &mut buffer).unwrap().unwrap();
        assert_eq!(&buffer[..packet.bytes], b"one packet");
        let [reader, writer] = &packet.fds[..] else { panic!("two descriptors, found {}", packet.fds.len()) };
        nix::unistd::write(writer, b"!").unwrap();
        let mut byte = [0];
        nix::unistd::read(reader, &mut byte).unwrap();
        assert_eq!((byte, packet.truncated, packet.lost), (*b"!", false, None));
        let flags = nix::fcntl::fcntl(reader, nix::fcntl::FcntlArg::F_GETFD).unwrap();
        assert_eq!(flags, libc::FD_CLOEXEC);
    }

    #[test]
    fn an_empty_packet_is_not_the_end() {
        let (a, b) = seqpacket();
        send_bytes(&a, b"", &[]).unwrap();
        assert_eq!(receive_bytes(&b).unwrap().unwrap().bytes, 0);
        assert_eq!(receive_bytes(&b).unwrap_err(), ReceiveError::WouldBlock);
        drop(a);
        wait_for_hangup(b.as_fd());
        assert!(receive_bytes(&b).unwrap().is_none());
    }

    #[test]
    fn the_end_is_the_end_with_credentials_too() {
        let (a, b) = seqpacket();
        pass_credentials(b.as_fd()).unwrap();
        drop(a);
        wait_for_hangup(b.as_fd());
        assert!(receive_bytes(&b).unwrap().is_none());
    }

    #[test]
    fn a_packet_longer_than_the_buffer_shows_as_truncated() {
        let (a, b) = seqpacket();
        send_bytes(&a, &[7; 65], &[]).unwrap();
        assert!(receive_bytes(&b).unwrap().unwrap().truncated);
    }

    #[test]
    fn the_limit_of_descriptors_passes_and_one_more_is_refused_at_the_sender() {
        let (a, b) = seqpacket();
        let fds = vec![a.as_fd(); MAX_FDS + 1];
        assert_eq!(send_bytes(&a, b"x", &fds), Err(SendError::TooManyFds { found: MAX_FDS + 1 }));
        send_bytes(&a, b"x", &fds[1..]).unwrap();
        let packet = receive_bytes(&b).unwrap().unwrap();
        assert_eq!((packet.fds.len(), packet.lost), (MAX_FDS, None));
    }

    #[test]
    fn a_hostile_sender_with_too_many_descriptors_shows_as_excess() {
        for count in [MAX_FDS + 1, 253] {
            let (a, b) = seqpacket();
            let raw = vec![a.as_raw_fd(); count];
            let rights = [nix::sys::socket::ControlMessage::ScmRights(&raw)];
            let flags = nix::sys::socket::MsgFlags::empty();
            nix::sys::socket::sendmsg::<()>(a.as_raw_fd(), &[IoSlice::new(b"x")], &rights, flags, None)
                .unwrap();
            assert_eq!(receive_bytes(&b).unwrap().unwrap().lost, Some(LostFds::Excess), "{count}");
        }
    }

    #[test]
    fn credentials_are_the_kernels() {
        let (a, b) = seqpacket();
        pass_credentials(b.as_fd()).unwrap();
        send_bytes(&a, b"x", &[a.as_fd()]).unwrap();
        let packet = receive_bytes(&b).unwrap().unwrap();
        let wanted = Credentials {
            pid: std::process::id().cast_signed(),
            uid: crate::identity::effective_uid(),
            gid: crate::identity::effective_gid(),
        };
        assert_eq!((packet.credentials, packet.fds.len()), (Some(wanted), 1));
        assert_eq!(peer_credentials(b.as_fd()), Ok(wanted));
    }

    #[test]
    fn a_socket_that_refuses_descriptors_tells_the_sender() {
        let (a, b) = seqpacket();
        if !refuse_fds(b.as_fd()).unwrap() {
            // Not `eprintln!`, which the runner keeps to itself as long as the test passes.
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED a refusal of descriptors: this kernel has no SO_PASSRIGHTS"
            );
            return;
        }
        assert_eq!(send_bytes(&a, b"x", &[a.as_fd()]), Err(SendError::FdsRefused));
        send_bytes(&a, b"x", &[]).unwrap();
    }

    #[test]
    fn a_full_socket_and_a_closed_one_are_told_apart() {
        let (a, b) = seqpacket();
        let full = loop {
            if let Err(error) = send_bytes(&a, &[0; 4096], &[]) {
                break error;
            }
        };
        assert_eq!(full, SendError::WouldBlock);
        drop(b);
        wait_for_hangup(a.as_fd());
        assert_eq!(send_bytes(&a, b"x", &[]), Err(SendError::Closed));
    }

    #[test]
    fn a_packet_beyond_the_buffer_is_too_large_for_ever() {
        let (a, _b) = seqpacket();
        assert_eq!(send_bytes(&a, &vec![0; 1 << 22], &[]), Err(SendError::TooLarge));
    }
}
