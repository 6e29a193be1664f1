//! A file system in memory that belongs to one worker: bounded in size and in files, and empty for each of its lives.

use std::ffi::{CStr, CString};
use std::mem::offset_of;
use std::os::fd::OwnedFd;

use crate::error::{Errno, Failed, check};
use crate::identity::Identity;
use crate::mount::{self, Flags};

/// The bounds of a temporary file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes in its files.
    pub bytes: u64,
    /// Files and folders.
    pub files: u32,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { bytes: 64 << 20, files: 4096 }
    }
}

/// One that is to be made, with everything spelt out.
#[derive(Clone, Debug)]
pub(crate) struct Plan([(&'static CStr, CString); 5]);

impl Plan {
    /// Plans one whose root belongs to `owner` alone.
    pub(crate) fn new(bounds: Bounds, owner: Identity) -> Self {
        let text = |number: u64| CString::new(number.to_string()).expect("digits have no zero byte");
        Self([
            (c"size", text(bounds.bytes)),
            (c"nr_inodes", text(bounds.files.into())),
            (c"uid", text(owner.uid.into())),
            (c"gid", text(owner.gid.into())),
            (c"mode", c"0700".to_owned()),
        ])
    }

    /// Makes it; attached nowhere, it goes with its descriptor. Async-signal-safe.
    ///
    /// # Errors
    /// EPERM without CAP_SYS_ADMIN, EINVAL for an owner who does not exist here.
    pub(crate) fn make(&self) -> Result<OwnedFd, Failed> {
        mount::fresh(c"tmpfs", self.0.iter().map(|(key, value)| (*key, value.as_c_str())), Flags::DATA)
    }
}

/// Removes everything in a folder, and opens that to its owner alone, by the calling process's working directory, which it
/// changes. Async-signal-safe. To be called while nobody else makes anything there.
///
/// # Errors
/// The first that cannot be removed, EBUSY for what is mounted there.
pub(crate) fn empty(folder: &CStr) -> Result<(), Failed> {
    enter(folder)?;
    // As it was made, whatever its owner has made of it since.
    // SAFETY: the path is a constant.
    check("chmod", unsafe { libc::chmod(c".".as_ptr(), OWNERS) }.into())?;
    let mut depth = 0_u64;
    loop {
        // Into each folder and back out of it: no path is longer than a name, however deep they lie.
        if clear_here(&mut depth)? {
            if depth == 0 {
                return enter(c"/");
            }
            depth -= 1;
            enter(c"..")?;
        }
    }
}

/// Removes what is in the working directory; returns false when it has gone down into a folder that holds something.
fn clear_here(depth: &mut u64) -> Result<bool, Failed> {
    // SAFETY: the path is a constant.
    let here = unsafe { libc::open(c".".as_ptr(), libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC) };
    check("open", here.into())?;
    let cleared = clear(here, depth);
    // SAFETY: the descriptor was opened above and is used by nobody else.
    unsafe { libc::close(here) };
    cleared
}

fn clear(here: i32, depth: &mut u64) -> Result<bool, Failed> {
    let mut buffer = Entries([0; ENTRIES_BYTES]);
    loop {
        // SAFETY: the kernel writes at most the length that it is told, to a buffer that outlives the call.
        let read = unsafe { libc::syscall(libc::SYS_getdents64, here, buffer.0.as_mut_ptr(), ENTRIES_BYTES) };
        let length = check("getdents64", read)? as usize;
        if length == 0 {
            return Ok(true);
        }
        let mut at = 0;
        while at < length {
            let entry = &buffer.0[at..length];
            let size = offset_of!(libc::dirent64, d_reclen);
            at += usize::from(u16::from_ne_bytes([entry[size], entry[size + 1]]));
            let name = CStr::from_bytes_until_nul(&entry[offset_of!(libc::dirent64, d_name)..]);
            let name = name.map_err(|_| Failed { call: "getdents64", errno: Errno::EIO })?;
            if name == c"." || name == c".." {
                continue;
            }
            match remove(name, 0) {
                Err(Failed { errno: Errno::EISDIR, .. }) => match remove(name, libc::AT_REMOVEDIR) {
                    Err(Failed { errno: Errno::ENOTEMPTY, .. }) => {
                        *depth += 1;
                        return enter(name).map(|()| false);
                    }
                    removed => removed?,
                },
                removed => removed?,
            }
        }
    }
}

fn remove(name: &CStr, flags: libc::c_int) -> Result<(), Failed> {
    // SAFETY: the name ends with a zero and outlives the call.
    check("unlinkat", unsafe { libc::unlinkat(libc::AT_FDCWD, name.as_ptr(), flags) }.into()).map(drop)
}

fn enter(folder: &CStr) -> Result<(), Failed> {
    // SAFETY: the path ends with a zero and outlives the call.
    check("chdir", unsafe { libc::chdir(folder.as_ptr()) }.into()).map(drop)
}

/// Room for entries of a folder, aligned as the kernel writes them.
#[repr(align(8))]
struct Entries([u8; ENTRIES_BYTES]);

const ENTRIES_BYTES: usize = 4096;
/// The mode of the folder itself, which its owner alone may enter.
const OWNERS: libc::mode_t = 0o700;

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn everything_goes_however_deep_it_lies() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for name in 0..700 {
            std::fs::write(root.join(format!("a-file-with-a-long-name-{name}")), "").unwrap();
        }
        std::os::unix::fs::symlink("/etc", root.join("link")).unwrap();
        for side in ["left", "right"] {
            std::fs::create_dir_all(root.join(side).join("deep/er/still")).unwrap();
            std::fs::write(root.join(side).join("deep/er/file"), "").unwrap();
        }
        // In a process of its own, whose working directory nobody else has.
        let path = CString::new(root.as_os_str().as_bytes()).unwrap();
        let said = crate::namespaces::by_process(|report| {
            let errno = empty(&path).map_or_else(|failed| failed.errno as i32, |()| 0);
            crate::namespaces::tell(report, crate::namespaces::Report { at: 0, errno }, &[]);
        });
        assert_eq!(said.unwrap().0.errno, 0);
        assert_eq!(std::fs::read_dir(&root).unwrap().count(), 0);
        assert!(std::path::Path::new("/etc/passwd").exists());
    }
}
