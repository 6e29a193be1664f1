//! A socket with a name in a folder, to which only its owner may connect.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{AtFlags, renameat};
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::error::{Failed, failed};

/// The longest path that a socket can have, in bytes.
pub const PATH_BYTES: usize = 107;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 8;

/// Listens for packets at `name` in `folder`, whose path is `path`, on a socket that does not block.
///
/// Under its name the socket appears only when it can be connected to, and takes the place of what was there.
///
/// # Errors
/// The step that the kernel refused; ENAMETOOLONG where the path has more than [`PATH_BYTES`].
pub fn listen_in(folder: BorrowedFd<'_>, path: &Path, name: &str) -> Result<OwnedFd, Failed> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let listener = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None).map_err(failed("socket"))?;
    let new = Path::new(name).with_extension("new");
    let _ = unlinkat(folder, &new, UnlinkatFlags::NoRemoveDir);
    let address = UnixAddr::new(&path.join(&new)).map_err(failed("name a socket"))?;
    bind(listener.as_raw_fd(), &address).map_err(failed("bind"))?;
    fchmodat(folder, &new, Mode::S_IRUSR | Mode::S_IWUSR, FchmodatFlags::FollowSymlink)
        .map_err(failed("fchmodat"))?;
    let backlog = Backlog::new(BACKLOG).map_err(failed("listen"))?;
    listen(&listener, backlog).map_err(failed("listen"))?;
    renameat(folder, &new, folder, name).map_err(failed("renameat"))?;
    Ok(listener)
}

/// Removes the socket `name` in `folder` if it is the one with this inode, see [`inode`]; another is left alone.
pub fn remove(folder: BorrowedFd<'_>, name: &str, own: (u64, u64)) {
    if inode(folder, name) == Some(own) {
        let _is_gone = unlinkat(folder, name, UnlinkatFlags::NoRemoveDir);
    }
}

/// Returns device and inode of what is at `name` in `folder` now.
pub fn inode(folder: impl AsFd, name: &str) -> Option<(u64, u64)> {
    let found = fstatat(folder, name, AtFlags::AT_SYMLINK_NOFOLLOW).ok()?;
    Some((found.st_dev, found.st_ino))
}
