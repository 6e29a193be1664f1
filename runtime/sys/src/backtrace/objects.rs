//! The executable and the libraries of this process: where each lies in memory, and which build it is.

use std::ffi::{CStr, c_int, c_void};
use std::fmt::Write;

use crate::build_id::of_object;

/// The longest path that is told, in bytes.
const PATH_BYTES: usize = 256;
/// The longest build id that is believed, in bytes.
const BUILD_ID_BYTES: usize = 32;

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
    // SAFETY: it is the loader's own, and what is returned is copied before this returns.
    let build_id = unsafe { of_object(info) }.unwrap_or_default();
    found.push(Object {
        base,
        start: base + loaded().map(|header| header.p_vaddr).min().unwrap_or(0),
        end: base + loaded().map(|header| header.p_vaddr + header.p_memsz).max().unwrap_or(0),
        build_id: build_id[..build_id.len().min(BUILD_ID_BYTES)].to_vec(),
        path,
    });
    0
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
}
