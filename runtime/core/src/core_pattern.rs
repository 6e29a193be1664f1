//! Where the kernel writes a core, as its `core_pattern` says, as far as whoever did not crash can know.

use alloc::format;
use alloc::string::{String, ToString};

/// A process whose core the kernel has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dumped<'a> {
    /// Its number.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// The signal that ended it.
    pub signal: u8,
    /// The folder in which it began.
    pub folder: &'a str,
    /// The name of the machine.
    pub host: &'a str,
}

/// Where a core goes.
#[derive(Clone, Debug, PartialEq, Eq)]
// Exhaustive: the kernel knows no third place that can be told.
pub enum Place {
    /// Into a file, with `*` for what is not known.
    File(String),
    /// To a program.
    Program(String),
}

/// Returns where the core of `of` goes by `pattern`; `None` if nothing can be said. With `uses_pid` the kernel adds the number
/// of the process to a name without one.
///
/// Not known are the name of the thread that crashed (`%e`), its number, the moment, and what a later kernel may add.
///
/// ```
/// use bailiwick_core::core_pattern::{Dumped, Place, place};
///
/// let of = Dumped { pid: 7, uid: 1, gid: 2, signal: 11, folder: "/srv", host: "box" };
/// assert_eq!(place("core", true, of), Some(Place::File("/srv/core.7".into())));
/// assert_eq!(place("/c/%e.%p.%s%%", true, of), Some(Place::File("/c/*.7.11%".into())));
/// ```
pub fn place(pattern: &str, uses_pid: bool, of: Dumped<'_>) -> Option<Place> {
    let pattern = pattern.trim_end_matches('\n');
    if let Some(program) = pattern.strip_prefix('|') {
        let program = program.split_whitespace().next()?;
        return Some(Place::Program(program.to_string()));
    }
    // A socket, of which the kernel tells nobody who reads it.
    if pattern.is_empty() || pattern.starts_with('@') {
        return None;
    }
    let (mut name, mut has_pid) = (String::new(), false);
    let mut rest = pattern.chars();
    while let Some(letter) = rest.next() {
        if letter != '%' {
            name.push(letter);
            continue;
        }
        let Some(what) = rest.next() else { break };
        has_pid |= what == 'p';
        match what {
            '%' => name.push('%'),
            'p' => name += &of.pid.to_string(),
            'u' => name += &of.uid.to_string(),
            'g' => name += &of.gid.to_string(),
            's' => name += &of.signal.to_string(),
            'h' => name += of.host,
            _ => name.push('*'),
        }
    }
    if uses_pid && !has_pid {
        name += &format!(".{}", of.pid);
    }
    let folder = of.folder.trim_end_matches('/');
    Some(Place::File(if name.starts_with('/') { name } else { format!("{folder}/{name}") }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF: Dumped<'_> = Dumped { pid: 70, uid: 1, gid: 2, signal: 6, folder: "/", host: "box" };

    fn file(pattern: &str, uses_pid: bool) -> String {
        match place(pattern, uses_pid, OF) {
            Some(Place::File(path)) => path,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_known_is_filled_in_and_the_rest_is_left_open() {
        assert_eq!(file("core\n", false), "/core");
        assert_eq!(file("%u-%g-%h-%p", true), "/1-2-box-70");
        assert_eq!(file("/x/%E.%t.%P.%i.%Z", false), "/x/*.*.*.*.*");
        assert_eq!(file("core%", false), "/core", "the kernel leaves out a last percent sign");
    }

    #[test]
    fn a_program_is_named_without_its_arguments_and_a_socket_is_not_known() {
        let program = Place::Program("/usr/lib/systemd/systemd-coredump".into());
        assert_eq!(place("|/usr/lib/systemd/systemd-coredump %P %u", true, OF), Some(program));
        for nothing in ["", "\n", "|", "| ", "@/run/cores", "@@/run/cores"] {
            assert_eq!(place(nothing, true, OF), None, "{nothing:?}");
        }
    }
}
