//! System calls that name paths: where a path stands among the arguments, and what is wanted with it.

/// A path that a system call names.
#[derive(Clone, Copy, Debug)]
pub struct NamedPath {
    /// The number of the call.
    pub call: i64,
    /// The argument with the folder where a relative path begins; it begins in the working directory if there is none.
    pub folder: Option<usize>,
    /// The argument with its address.
    pub path: usize,
    /// Where it stands what is wanted with it.
    pub access: Access,
}

/// How a call says what it wants with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It looks something up, whatever its arguments are.
    Looks,
    /// It changes the file.
    Writes,
    /// It makes, moves or removes the name.
    Names,
    /// By the flags of open(2) in this argument.
    Flags(usize),
    /// By such flags behind the address in this argument.
    How(usize),
    /// By the mode of access(2) in this argument.
    Mode(usize),
}

/// What is wanted with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// To read it, or to know of it.
    Read,
    /// To write what is there.
    Write,
    /// To make, move or remove the name, which changes the folder above.
    Name,
}

impl Want {
    /// Returns what somebody wants who opens a file with these flags.
    pub fn of_flags(flags: u64) -> Self {
        let has = |flag: libc::c_int| flags & u64::from(flag.unsigned_abs()) != 0;
        if has(libc::O_CREAT) {
            Self::Name
        } else if has(libc::O_WRONLY | libc::O_RDWR | libc::O_TRUNC) {
            Self::Write
        } else {
            Self::Read
        }
    }

    /// Returns what somebody wants who asks for access by this mode.
    pub fn of_mode(mode: u64) -> Self {
        if mode & u64::from(libc::W_OK.unsigned_abs()) != 0 { Self::Write } else { Self::Read }
    }
}

/// Returns the paths that a call names.
pub fn named_by(call: i64) -> impl Iterator<Item = &'static NamedPath> {
    every_path().filter(move |one| one.call == call)
}

/// Returns every path that a call names.
pub fn every_path() -> impl Iterator<Item = &'static NamedPath> {
    PATHS.iter().chain(NATIVE_PATHS)
}

const fn below(call: i64, folder: usize, access: Access) -> NamedPath {
    NamedPath { call, folder: Some(folder), path: folder + 1, access }
}

const fn at(call: i64, path: usize, access: Access) -> NamedPath {
    NamedPath { call, folder: None, path, access }
}

/// Those that every processor has.
const PATHS: &[NamedPath] = &[
    below(libc::SYS_openat, 0, Access::Flags(2)),
    below(libc::SYS_openat2, 0, Access::How(2)),
    below(libc::SYS_newfstatat, 0, Access::Looks),
    below(libc::SYS_statx, 0, Access::Looks),
    below(libc::SYS_faccessat, 0, Access::Mode(2)),
    below(libc::SYS_faccessat2, 0, Access::Mode(2)),
    below(libc::SYS_readlinkat, 0, Access::Looks),
    at(libc::SYS_truncate, 0, Access::Writes),
    below(libc::SYS_mkdirat, 0, Access::Names),
    below(libc::SYS_unlinkat, 0, Access::Names),
    below(libc::SYS_renameat2, 0, Access::Names),
    below(libc::SYS_renameat2, 2, Access::Names),
    below(libc::SYS_linkat, 0, Access::Looks),
    below(libc::SYS_linkat, 2, Access::Names),
];

/// Those that only this processor has.
#[cfg(target_arch = "x86_64")]
const NATIVE_PATHS: &[NamedPath] = &[
    at(libc::SYS_open, 0, Access::Flags(1)),
    at(libc::SYS_stat, 0, Access::Looks),
    at(libc::SYS_lstat, 0, Access::Looks),
    at(libc::SYS_access, 0, Access::Mode(1)),
    at(libc::SYS_readlink, 0, Access::Looks),
    at(libc::SYS_mkdir, 0, Access::Names),
    at(libc::SYS_rmdir, 0, Access::Names),
    at(libc::SYS_unlink, 0, Access::Names),
    at(libc::SYS_rename, 0, Access::Names),
    at(libc::SYS_rename, 1, Access::Names),
    below(libc::SYS_renameat, 0, Access::Names),
    below(libc::SYS_renameat, 2, Access::Names),
    at(libc::SYS_link, 0, Access::Looks),
    at(libc::SYS_link, 1, Access::Names),
];
/// Those that only this processor has.
#[cfg(not(target_arch = "x86_64"))]
const NATIVE_PATHS: &[NamedPath] = &[];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system_call;

    #[test]
    fn what_is_opened_says_what_is_wanted() {
        let of = |flags: libc::c_int| Want::of_flags(flags as u64);
        assert_eq!(of(libc::O_RDONLY | libc::O_CLOEXEC | libc::O_DIRECTORY), Want::Read);
        assert_eq!((of(libc::O_RDWR), of(libc::O_WRONLY | libc::O_APPEND)), (Want::Write, Want::Write));
        assert_eq!(of(libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC), Want::Name);
        assert_eq!((Want::of_mode(4), Want::of_mode(6)), (Want::Read, Want::Write));
    }

    #[test]
    fn every_call_is_known_by_name_and_has_its_last_argument_free() {
        for path in every_path() {
            assert!(system_call::name(path.call).is_some(), "{path:?}");
            let flags = match path.access {
                Access::Flags(at) | Access::How(at) | Access::Mode(at) => at,
                Access::Looks | Access::Writes | Access::Names => path.path,
            };
            assert!(path.path < 5 && flags < 5, "{path:?}");
        }
        assert_eq!(named_by(libc::SYS_renameat2).count(), 2);
        assert_eq!(named_by(libc::SYS_read).count(), 0);
    }
}
