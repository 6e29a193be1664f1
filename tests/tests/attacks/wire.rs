//! What evil does with its links and with its line to the supervisor, past the runtime that serves them.

use std::collections::BTreeSet;

use nix::libc;

use crate::orders::{Answer, Arg, Evil};
use crate::support::Scene;

/// Its line to the supervisor.
pub(crate) const LINE: i64 = 3;

/// Never waits, and dies of no hang-up.
const FLAGS: i32 = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

impl Evil {
    /// Sends a packet.
    #[track_caller]
    pub(crate) fn send(&mut self, socket: i64, packet: &[u8]) -> Answer {
        let length = Arg::Number(packet.len().try_into().expect("short"));
        self.call(libc::SYS_sendto, &[socket.into(), Arg::Bytes(packet.to_vec()), length, FLAGS.into()])
    }

    /// Sends a packet with descriptors.
    #[track_caller]
    pub(crate) fn send_with(&mut self, socket: i64, packet: &[u8], descriptors: &[i64]) -> Answer {
        let bytes = self.place(packet);
        let vector = self.place(&[bytes.to_le_bytes(), (packet.len() as i64).to_le_bytes()].concat());
        let attached: Vec<u8> = descriptors.iter().flat_map(|fd| (*fd as i32).to_le_bytes()).collect();
        // A control message: its length, SOL_SOCKET, SCM_RIGHTS, and the descriptors.
        let mut control = (16 + attached.len() as i64).to_le_bytes().to_vec();
        control.extend(1_i32.to_le_bytes());
        control.extend(1_i32.to_le_bytes());
        control.extend(attached);
        control.resize(control.len().next_multiple_of(8), 0);
        let length = control.len() as i64;
        let control = self.place(&control);
        let message = [0, 0, vector, 1, control, length, 0].map(i64::to_le_bytes).concat();
        self.call(libc::SYS_sendmsg, &[socket.into(), Arg::Bytes(message), FLAGS.into()])
    }

    /// Returns the inode of a descriptor, if it is open.
    fn inode(&mut self, room: i64, fd: i64) -> Option<Vec<u8>> {
        let did = self.call(libc::SYS_fstat, &[fd.into(), room.into()]).did();
        did.then(|| self.peek(room + 8, 8))
    }

    /// Returns every number of a socket.
    pub(crate) fn copies(&mut self, socket: i64) -> Vec<i64> {
        let room = self.place(&[0; 144]);
        let own = self.inode(room, socket);
        (3..40).filter(|fd| own.is_some() && self.inode(room, *fd) == own).collect()
    }

    /// Returns a descriptor of each of its links: packet sockets, other than its line.
    #[track_caller]
    pub(crate) fn links(&mut self) -> Vec<i64> {
        let (room, kind, length) =
            (self.place(&[0; 144]), self.place(&[0; 4]), self.place(&4_i32.to_le_bytes()));
        let line = self.inode(room, LINE);
        let mut seen = BTreeSet::from_iter(line);
        let mut found = Vec::new();
        for fd in 4..40 {
            let asked =
                [fd.into(), libc::SOL_SOCKET.into(), libc::SO_TYPE.into(), kind.into(), length.into()];
            let is_packets = self.call(libc::SYS_getsockopt, &asked).did()
                && self.peek(kind, 4) == libc::SOCK_SEQPACKET.to_le_bytes();
            if is_packets && self.inode(room, fd).is_some_and(|inode| seen.insert(inode)) {
                found.push(fd);
            }
        }
        found
    }

    /// Makes one descriptor of each kind that there is to be had; what cannot be had is left out.
    pub(crate) fn oddities(&mut self) -> Vec<i64> {
        let pair = self.place(&[0; 8]);
        let mut made = Vec::new();
        for (call, arguments) in [
            (libc::SYS_epoll_create1, vec![0.into()]),
            (libc::SYS_eventfd2, vec![0.into(), 0.into()]),
            (libc::SYS_timerfd_create, vec![1.into(), 0.into()]),
            (libc::SYS_memfd_create, vec!["odd".into(), 0.into()]),
            (libc::SYS_openat, vec![libc::AT_FDCWD.into(), "/".into(), libc::O_PATH.into(), 0.into()]),
            (libc::SYS_dup, vec![LINE.into()]),
            (libc::SYS_dup, vec![0.into()]),
            (libc::SYS_dup, vec![1.into()]),
        ] {
            if let Answer::Did(fd) = self.call(call, &arguments) {
                made.push(fd.parse().expect("a number"));
            }
        }
        for (call, arguments) in [
            (libc::SYS_pipe2, vec![pair.into(), 0.into()]),
            (libc::SYS_socketpair, vec![1.into(), 1.into(), 0.into(), pair.into()]),
            (libc::SYS_socketpair, vec![1.into(), 5.into(), 0.into(), pair.into()]),
        ] {
            if self.call(call, &arguments).did() {
                made.extend(self.pair(pair));
            }
        }
        made
    }

    /// Reads two descriptors.
    pub(crate) fn pair(&mut self, place: i64) -> [i64; 2] {
        let bytes = self.peek(place, 8);
        [0, 4]
            .map(|at| i64::from(i32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])))
    }
}

impl Scene {
    /// Sends a packet over every link; returns the life that did.
    #[track_caller]
    pub(crate) fn over_every_link(&mut self, packet: &[u8], descriptors: &[i64]) -> u32 {
        let generation = self.worker("evil").generation;
        // The link with whoever may accuse may be the first to be seen to.
        for link in self.evil.links() {
            let sent = match descriptors {
                [] => self.evil.send(link, packet),
                some => self.evil.send_with(link, packet, some),
            };
            if sent == Answer::Died {
                break;
            }
        }
        generation
    }
}
