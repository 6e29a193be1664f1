//! The executable and the libraries of this process: where each lies in memory, and which build it is.

use std::ffi::{CStr, c_int, c_void};
use std::fmt::Write;

/// The longest path that is told, in bytes.
const PATH_BYTES: usize = 256;
/// The longest build id that is believed, in bytes.
const BUILD_ID_BYTES: usize = 32;
/// The kind of a note that holds a build id.
const NT_GNU_BUILD_ID: u32 = 3;

/// One of them.
pub(super) struct Object {
    /// What is added to the addresses in its file.
    pub(super) base: u64,
    start: u64,
    end: u64,
    build_id: Vec<u8>,
    path: String,
}

/// Returns those that are loaded at present, the executable first.
pub(super) fn of_this_process() -> Vec<Object> {
    let mut found: Vec<Object> = Vec::new();
    // SAFETY: the callback has the type that is asked for, and `found` outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(add), (&raw mut found).cast()) };
    let own = std::env::current_exe().unwrap_or_default();
    if let Some(executable) = found.first_mut() {
        executable.path = own.display().to_string();
    }
    found
}

impl Object {
    pub(super) fn holds(&self, address: u64) -> bool {
        (self.start..self.end).contains(&address)
    }

    /// Returns its line.
    pub(super) fn describe(&self, number: usize) -> String {
        let mut line = format!("object {number} ");
        for byte in &self.build_id {
            let _never_fails = write!(line, "{byte:02x}");
        }
        let plain = |c: char| if c.is_control() { '?' } else { c };
        let path: String = self.path.chars().map(plain).collect();
        let path = &path[..path.floor_char_boundary(PATH_BYTES)];
        format!("{line}{} {path}\n", if self.build_id.is_empty() { "-" } else { "" })
    }
}

/// Adds one object to the vector that is passed along.
unsafe extern "C" fn add(info: *mut libc::dl_phdr_info, _bytes: usize, found: *mut c_void) -> c_int {
    // SAFETY: it is the vector of `of_this_process`, which nobody else uses meanwhile.
    let found = unsafe { &mut *found.cast::<Vec<Object>>() };
    // SAFETY: the loader passes a valid description, which lives as long as this call.
    let info = unsafe { &*info };
    // SAFETY: the loader's table of program headers has so many entries and lives as long as the object.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    let loaded = || headers.iter().filter(|header| header.p_type == libc::PT_LOAD);
    let base = info.dlpi_addr;
    let path = match info.dlpi_name.is_null() {
        true => String::new(),
        // SAFETY: the loader keeps a text with its end as long as the object.
        false => unsafe { CStr::from_ptr(info.dlpi_name) }.to_string_lossy().into_owned(),
    };
    let notes = headers.iter().filter(|header| header.p_type == libc::PT_NOTE);
    let build_id = notes.filter_map(|header| {
        let start = (base + header.p_vaddr) as *const u8;
        // SAFETY: a segment of notes lies within a segment that is loaded for reading, for the life of the object.
        build_id(unsafe { std::slice::from_raw_parts(start, header.p_memsz as usize) })
    });
    found.push(Object {
        base,
        start: base + loaded().map(|header| header.p_vaddr).min().unwrap_or(0),
        end: base + loaded().map(|header| header.p_vaddr + header.p_memsz).max().unwrap_or(0),
        build_id: build_id.into_iter().next().unwrap_or_default(),
        path,
    });
    0
}

/// Finds the build id among notes: each has the lengths of name and content, a kind, and both, filled up to four bytes.
fn build_id(mut notes: &[u8]) -> Option<Vec<u8>> {
    loop {
        let (head, rest) = notes.split_at_checked(12)?;
        let number = |at: usize| u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (name_bytes, content_bytes) = (number(0) as usize, number(4) as usize);
        let name = rest.get(..name_bytes)?;
        let rest = rest.get(name_bytes.next_multiple_of(4)..)?;
        if number(8) == NT_GNU_BUILD_ID && name == b"GNU\0" {
            return rest.get(..content_bytes.min(BUILD_ID_BYTES)).map(<[u8]>::to_vec);
        }
        notes = rest.get(content_bytes.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_executable_comes_first_and_holds_its_functions() {
        let found = of_this_process();
        assert_eq!(found[0].path, std::env::current_exe().unwrap().display().to_string());
        let here = this_executable_comes_first_and_holds_its_functions as fn() as usize as u64;
        assert!(found[0].holds(here) && !found[1].holds(here));
        assert!(found.iter().any(|object| object.path.contains("libc.so")), "the C library is among them");
    }

    #[test]
    fn notes_that_are_cut_have_no_build_id() {
        let note = [&[4, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0][..], b"GNU\0", &[7, 8, 9, 0]].concat();
        let other = [&[4, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0][..], b"GNU\0", &[1, 1, 0, 0]].concat();
        assert_eq!(build_id(&[other, note.clone()].concat()), Some(vec![7, 8, 9]));
        for end in 0..19 {
            assert_eq!(build_id(&note[..end]), None, "cut at {end}");
        }
    }
}
