//! Raw addresses as names: done here, outside of the supervisor, since it reads large files in a difficult format.
//!
//! A dead worker's word names the files, and a hostile one names any. So only the executable is opened, which the
//! operator's own manifest names, and only if it is the build that the addresses belong to.

use std::fs::File;
use std::path::{Path, PathBuf};

use addr2line::{Loader, demangle_auto};
use bailiwick_wire::backtraces::{Backtraces, Frame, Object, Thread};
use object::{Object as _, ReadCache};
use serde::Serialize;

/// The stack of one thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stack {
    /// The thread's number.
    pub thread: u32,
    /// Its name.
    pub name: String,
    /// The calls under way, the innermost first.
    pub calls: Vec<Call>,
}

/// One call under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Call {
    /// The function; where it is not known, the file's name and the address in it.
    pub function: String,
    /// `file:line`; empty if not known.
    pub place: String,
}

/// Returns the stacks of a dead worker that executed `executable`, without what its signal handler did. Functions are
/// named where the file is still of the same build; elsewhere there are addresses, and `None` beside the stacks says that
/// nothing is wrong, a text why there are no names.
pub fn stacks(backtraces: &Backtraces, executable: &Path) -> (Vec<Stack>, Option<String>) {
    let build = backtraces.objects.first().map_or("", |object| object.build_id.as_str());
    let (loader, problem) = match open(executable, build) {
        Ok(loader) => (Some(loader), None),
        Err(problem) => (None, Some(format!("no names: {}: {problem}", executable.display()))),
    };
    let stack = |thread: &Thread| Stack {
        thread: thread.id,
        name: thread.name.clone(),
        calls: without_handler(
            thread.frames.iter().map(|frame| calls(*frame, &backtraces.objects, loader.as_ref())).collect(),
        ),
    };
    (backtraces.threads.iter().map(stack).collect(), problem)
}

fn open(executable: &Path, build: &str) -> Result<Loader, String> {
    let found = build_id(executable)?;
    if build.is_empty() || found != build {
        return Err(format!("its build id is {found:?}, that of the dead worker was {build:?}"));
    }
    // One that was stripped has its names in a file beside all executables.
    let split = split_file(Path::new(SPLIT), build);
    let named = if build_id(&split).is_ok_and(|id| id == build) { &split } else { executable };
    Loader::new(named).map_err(|error| error.to_string())
}

/// Returns where packages put the names that they took out of the executable of this build id.
fn split_file(root: &Path, build: &str) -> PathBuf {
    let (folder, rest) = build.split_at_checked(2).unwrap_or_default();
    root.join(folder).join(format!("{rest}.debug"))
}

/// Where packages put them on this machine.
const SPLIT: &str = "/usr/lib/debug/.build-id";

/// Returns the number that the linker gave an executable, in hexadecimal digits; empty if it gave none.
pub(crate) fn build_id(executable: &Path) -> Result<String, String> {
    let cache = ReadCache::new(File::open(executable).map_err(|error| error.to_string())?);
    let file = object::File::parse(&cache).map_err(|error| error.to_string())?;
    let id = file.build_id().map_err(|error| error.to_string())?.unwrap_or_default();
    Ok(id.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Returns the calls at one address, of which all but the last were inlined.
fn calls(frame: Frame, objects: &[Object], loader: Option<&Loader>) -> Vec<Call> {
    let named = loader.filter(|_| frame.object == Some(0)).map(|loader| named(frame.address, loader));
    named.filter(|calls| !calls.is_empty()).unwrap_or_else(|| {
        let file =
            frame.object.and_then(|at| objects.get(at)).and_then(|object| object.path.rsplit('/').next());
        let function =
            format!("{}+{:#x}", file.filter(|name| !name.is_empty()).unwrap_or("?"), frame.address);
        vec![Call { function, place: String::new() }]
    })
}

fn named(address: u64, loader: &Loader) -> Vec<Call> {
    let mut calls = Vec::new();
    if let Ok(mut frames) = loader.find_frames(address) {
        while let Ok(Some(frame)) = frames.next() {
            let function =
                frame.function.as_ref().and_then(|name| name.demangle().ok().map(|name| name.into_owned()));
            let place =
                frame.location.and_then(|place| Some(format!("{}:{}", place.file?, place.line.unwrap_or(0))));
            calls.extend(function.map(|function| Call { function, place: place.unwrap_or_default() }));
        }
    }
    if calls.is_empty() {
        let symbol = loader.find_symbol(address).map(|name| demangle_auto(name.into(), None).into_owned());
        calls.extend(symbol.map(|function| Call { function, place: String::new() }));
    }
    calls
}

/// Leaves out what the handler itself did, and the kernel's frame through which it was called.
fn without_handler(frames: Vec<Vec<Call>>) -> Vec<Call> {
    let is_handler = |calls: &Vec<Call>| calls.iter().any(|call| call.function.contains(HANDLER));
    let first = frames.iter().rposition(is_handler).map_or(0, |last| last + 2);
    frames.into_iter().skip(first).flatten().collect()
}

/// In the names of all functions of the handler.
const HANDLER: &str = "bailiwick_sys::backtrace::";

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> std::path::PathBuf {
        std::env::current_exe().unwrap()
    }

    /// The backtrace of a thread in a function of this executable, as its file counts.
    fn backtraces(build_id: String) -> Backtraces {
        let map = std::fs::read_to_string("/proc/self/maps").unwrap();
        let base = u64::from_str_radix(map.split('-').next().unwrap(), 16).unwrap();
        let here = a_function_of_this_executable_is_named_with_its_place as fn() as usize as u64;
        let object = Object { build_id, path: "/etc/passwd".into() };
        let frames =
            vec![Frame { object: Some(0), address: here - base }, Frame { object: None, address: 7 }];
        let thread = Thread { id: 1, name: "main".into(), frames };
        Backtraces { objects: vec![object], threads: vec![thread], ..Backtraces::default() }
    }

    #[test]
    fn a_function_of_this_executable_is_named_with_its_place() {
        let (stacks, problem) = stacks(&backtraces(build_id(&own()).unwrap()), &own());
        assert_eq!(problem, None);
        let call = &stacks[0].calls[0];
        assert!(call.function.ends_with("a_function_of_this_executable_is_named_with_its_place"), "{call:?}");
        assert!(call.place.contains("symbols.rs:"), "{call:?}");
        assert_eq!(stacks[0].calls[1].function, "?+0x7");
    }

    #[test]
    fn names_that_were_split_off_are_found_by_build_id() {
        let root = Path::new("/d");
        assert_eq!(split_file(root, "ab12cd"), Path::new("/d/ab/12cd.debug"));
        // No file has such a name.
        assert_eq!(split_file(root, "a"), Path::new("/d/.debug"));
    }

    #[test]
    fn of_another_build_there_are_addresses_and_the_reason() {
        for (build, executable, reason) in [
            ("ab12".to_owned(), own(), "its build id is"),
            (String::new(), own(), "its build id is"),
            (String::new(), "/nowhere/at/all".into(), "No such file"),
            (String::new(), "/etc/passwd".into(), ""),
        ] {
            let (stacks, problem) = stacks(&backtraces(build), &executable);
            assert!(problem.unwrap().contains(reason));
            assert!(stacks[0].calls[0].function.starts_with("passwd+0x"), "{stacks:?}");
        }
    }

    #[test]
    fn what_the_handler_did_is_left_out() {
        let call = |function: &str| vec![Call { function: function.into(), place: String::new() }];
        let handler =
            [call("bailiwick_sys::backtrace::walk::each_frame"), call("bailiwick_sys::backtrace::fatal")];
        let frames = [&handler[..], &[call("libc.so.6+0x3c050"), call("user::spin"), call("main")]].concat();
        let left: Vec<_> = without_handler(frames).into_iter().map(|call| call.function).collect();
        assert_eq!(left, ["user::spin", "main"]);
        assert_eq!(without_handler(vec![call("main")]).len(), 1);
    }
}
