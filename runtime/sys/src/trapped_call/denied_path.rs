//! Calls that name paths: the handler makes them itself, and notes what came of them where a path was denied.
//!
//! No filter sees which path a call names, nor how the kernel answers it. So the second stage traps these calls where the
//! manifest says so; the handler makes each anew, with a mark in the last argument, which none of them uses and by which
//! the filter lets it pass. The mark is no secret: who sets it is not told of, and that is all.

use std::sync::atomic::Ordering;

use libc::c_int;

use super::{NAME_WORDS, Notes, add_one, is_named};
use crate::at_work;
use crate::error::Errno;
use crate::events::coarse_ns;
use crate::path_call::{self, Access, NamedPath, Want};

/// What a filter passes along with a call that names a path: of its failures those are noted by which something is refused.
pub const PATH: u16 = 0x100;
/// The same, where what is not granted is not there: also what is not found is noted.
pub const PATH_IN_VIEW: u16 = 0x101;
/// What stands in the low half of the last argument of a call that the handler makes.
pub const MARK: u32 = 0x6961_6221;

/// The words of one entry in a table of denied paths: the number of the call and one, how often, what came of it, when last,
/// the descriptor of the folder above and one, the length of the path, the name of whoever was at work, and the path.
pub const ENTRY_WORDS: usize = HEAD_WORDS + NAME_WORDS + PATH_WORDS;
/// The words of a path.
const PATH_WORDS: usize = 30;
const HEAD_WORDS: usize = 6;
const PATH_BYTES: usize = PATH_WORDS * size_of::<u64>();

/// Where a path lies, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Unknown = 0,
    /// Beside everything that the process was granted.
    Hidden = 1,
    /// In something that it was granted.
    Granted = 2,
}

/// Makes a trapped call and returns what the kernel answers.
pub(super) fn make(notes: Option<&Notes>, number: c_int, arguments: [u64; 6], in_view: bool) -> i64 {
    let [a, b, c, d, e, _unused] = arguments;
    // SAFETY: the call that the thread has made, with its own arguments; no call that names a path has a sixth.
    let result = unsafe { libc::syscall(number.into(), a, b, c, d, e, u64::from(MARK)) };
    if result >= 0 {
        return result;
    }
    let errno = Errno::last_raw();
    let is_told = match errno {
        libc::EACCES | libc::EPERM | libc::EROFS => true,
        libc::ENOENT => in_view,
        _ => false,
    };
    if let Some(notes) = notes.filter(|_| is_told) {
        for path in path_call::named_by(number.into()) {
            note(notes, path, &arguments, errno, in_view);
        }
    }
    (-errno).into()
}

fn note(notes: &Notes, path: &NamedPath, arguments: &[u64; 6], errno: c_int, in_view: bool) {
    let address = arguments[path.path];
    // The kernel takes the low half of a descriptor.
    let folder = path.folder.map_or(libc::AT_FDCWD, |at| arguments[at] as c_int);
    let found = mount_of(folder, address, libc::AT_SYMLINK_NOFOLLOW);
    if found == Err(libc::EFAULT) {
        // A filter has refused the call before the kernel saw that there is no path.
        return;
    }
    // SAFETY: the kernel has just read a path at this address, which whoever makes the call leaves there until it returns.
    let mut text = unsafe { Text::copy(address) };
    let is_below = !text.is_absolute() && folder != libc::AT_FDCWD;
    if !text.is_absolute() && !is_below {
        text.begin_in_working_directory();
    }
    // What a descriptor was granted for is not hidden, and what is not there is not denied.
    let place = match found {
        _ if is_below || !in_view || !text.is_whole() => Place::Unknown,
        // A link that leads nowhere.
        Ok(_) if errno == libc::ENOENT => Place::Hidden,
        Ok(mount) => place_of(mount),
        Err(_) => place_of(text.nearest_mount()),
    };
    if text.length == 0 || errno == libc::ENOENT && (is_below || place == Place::Granted) {
        return;
    }
    let below = if is_below { u64::from(folder.unsigned_abs()) + 1 } else { 0 };
    let want = want(path, arguments);
    let what = u64::from(errno.unsigned_abs()) | (want as u64) << 16 | (place as u64) << 24;
    put(notes, path.call, [what, below, text.length as u64], &text);
}

/// Counts in the entry that it has, or in a new one. Several threads may do so at once.
fn put(notes: &Notes, call: i64, [what, below, length]: [u64; 3], text: &Text) {
    let name = at_work::name();
    let key = (call.unsigned_abs() + 1).to_le();
    let (entries, rest) = notes.paths.as_chunks::<ENTRY_WORDS>();
    for [found, count, seen, last, folder, bytes, behind @ ..] in entries {
        let (named, path) = behind.split_at(NAME_WORDS);
        let head = [(seen, what), (folder, below), (bytes, length)];
        match found.compare_exchange(0, key, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => {
                head.iter().for_each(|(word, value)| word.store(value.to_le(), Ordering::Relaxed));
                for (to, from) in named.iter().zip(name.into_iter().flatten()) {
                    to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
                }
                path.iter().zip(text.words()).for_each(|(to, word)| to.store(word, Ordering::Relaxed));
            }
            Err(other)
                if other == key
                    && head.iter().all(|(word, value)| word.load(Ordering::Relaxed) == value.to_le())
                    && path
                        .iter()
                        .zip(text.words())
                        .all(|(word, own)| word.load(Ordering::Relaxed) == own)
                    && is_named(named, name) => {}
            Err(_) => continue,
        }
        last.store(coarse_ns().to_le(), Ordering::Relaxed);
        add_one(count);
        return;
    }
    rest.first().into_iter().for_each(add_one);
}

fn want(path: &NamedPath, arguments: &[u64; 6]) -> Want {
    match path.access {
        Access::Looks => Want::Read,
        Access::Writes => Want::Write,
        Access::Names => Want::Name,
        Access::Flags(at) => Want::of_flags(arguments[at]),
        Access::Mode(at) => Want::of_mode(arguments[at]),
        // SAFETY: the kernel has just read this structure, of which the flags come first, and whoever makes the call leaves
        // it there until it returns.
        Access::How(at) => Want::of_flags(unsafe { (arguments[at] as *const u64).read_unaligned() }),
    }
}

/// Returns the mount that a path leads to, if the kernel tells it; its reason if it leads nowhere.
fn mount_of(folder: c_int, path: u64, flags: c_int) -> Result<Option<u64>, c_int> {
    // SAFETY: statx consists of integers, for which zero is a value.
    let mut found: libc::statx = unsafe { std::mem::zeroed() };
    let (flags, mask) = (flags | libc::AT_NO_AUTOMOUNT, libc::STATX_MNT_ID);
    // SAFETY: the kernel reads a path, or says that there is none, and writes one such structure, which outlives the call.
    let result =
        unsafe { libc::syscall(libc::SYS_statx, folder, path, flags, mask, &raw mut found, u64::from(MARK)) };
    if result < 0 {
        return Err(Errno::last_raw());
    }
    Ok((found.stx_mask & mask != 0).then_some(found.stx_mnt_id))
}

/// Says where a mount stands: the root of a view holds nothing but what was granted, each in a mount of its own.
fn place_of(mount: Option<u64>) -> Place {
    match (mount, mount_of(libc::AT_FDCWD, c"/".as_ptr() as u64, 0)) {
        (Some(mount), Ok(Some(root))) if mount == root => Place::Hidden,
        (Some(_), Ok(Some(_))) => Place::Granted,
        _ => Place::Unknown,
    }
}

/// A path, as much of it as there is room for.
struct Text {
    bytes: [u8; PATH_BYTES],
    /// How long it is in full, up to the longest that the kernel takes.
    length: usize,
}

impl Text {
    /// Copies a path.
    ///
    /// # Safety
    /// There is a string at this address, and its end.
    unsafe fn copy(address: u64) -> Self {
        let mut text = Self { bytes: [0; PATH_BYTES], length: 0 };
        let start = address as *const u8;
        while text.length < libc::PATH_MAX as usize {
            // SAFETY: up to its end the string is there, as the caller has made sure.
            let byte = unsafe { start.wrapping_add(text.length).read_volatile() };
            if byte == 0 {
                break;
            }
            if let Some(place) = text.bytes.get_mut(text.length) {
                *place = byte;
            }
            text.length += 1;
        }
        text
    }

    fn is_absolute(&self) -> bool {
        self.bytes[0] == b'/'
    }

    /// Whether all of it is here, and its end.
    fn is_whole(&self) -> bool {
        self.length < PATH_BYTES
    }

    fn words(&self) -> impl Iterator<Item = u64> {
        self.bytes.as_chunks().0.iter().map(|bytes| u64::from_ne_bytes(*bytes))
    }

    /// Puts the working directory in front, if it has a name here and there is room for it.
    fn begin_in_working_directory(&mut self) {
        let mut folder = [0_u8; PATH_BYTES];
        // SAFETY: the kernel writes no more than there is room for.
        let result = unsafe {
            libc::syscall(libc::SYS_getcwd, folder.as_mut_ptr(), folder.len(), 0_u64, 0_u64, 0_u64)
        };
        // With its end. Of one that has no name here it says something that begins in another way.
        let length = usize::try_from(result).unwrap_or(0).saturating_sub(1);
        if folder[0] != b'/' || length == 0 {
            return;
        }
        let begin = if length > 1 { length + 1 } else { length };
        let kept = self.length.min(PATH_BYTES - begin);
        self.bytes.copy_within(..kept, begin);
        self.bytes[..length].copy_from_slice(&folder[..length]);
        self.bytes[begin - 1] = b'/';
        self.length += begin;
    }

    /// Returns the mount of the nearest folder above that is there.
    fn nearest_mount(&self) -> Option<u64> {
        let mut above = self.bytes;
        loop {
            let end = above.iter().rposition(|byte| *byte == b'/')?;
            // The root keeps its name.
            above[end.max(1)..].fill(0);
            match mount_of(libc::AT_FDCWD, above.as_ptr() as u64, 0) {
                Ok(mount) => return mount,
                Err(_) if end == 0 => return None,
                Err(_) => {}
            }
        }
    }
}
