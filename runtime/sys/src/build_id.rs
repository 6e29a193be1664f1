//! The build id of the running program: what its linker wrote into it, the same for the same build.

use std::ffi::{c_int, c_void};

/// Returns the build id of this process's program; empty if its linker wrote none. Async-signal-unsafe.
pub fn of_this_program() -> Vec<u8> {
    let mut found: Vec<u8> = Vec::new();
    // SAFETY: the callback has the type that is asked for, and `found` outlives the call, which ends before this returns.
    unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut found).cast()) };
    found
}

/// Notes the build id of the first object, which is the program, and stops.
///
/// # Safety
/// `info` must be what `dl_iterate_phdr` passes, and `found` point to a vector that nobody else uses meanwhile.
unsafe extern "C" fn look(info: *mut libc::dl_phdr_info, _bytes: usize, found: *mut c_void) -> c_int {
    // SAFETY: the loader passes a valid description, which lives as long as this call.
    let info = unsafe { &*info };
    // SAFETY: it is what the loader passes, and what is returned is copied before this returns.
    let id = unsafe { of_object(info) };
    // SAFETY: the caller passes a vector of this type that nobody else uses.
    unsafe { &mut *found.cast::<Vec<u8>>() }.extend_from_slice(id.unwrap_or_default());
    1
}

/// Returns the build id of a loaded object; `None` if its linker wrote none.
///
/// # Safety
/// `info` must be what `dl_iterate_phdr` passes, and the object stay loaded as long as what is returned is used.
pub(crate) unsafe fn of_object(info: &libc::dl_phdr_info) -> Option<&[u8]> {
    // SAFETY: the loader's table of program headers has so many entries and lives as long as the object.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    headers.iter().filter(|header| header.p_type == libc::PT_NOTE).find_map(|header| {
        let start = (info.dlpi_addr + header.p_vaddr) as *const u8;
        // SAFETY: a segment of notes is mapped for reading where its header says, for the whole life of the object.
        build_id(unsafe { std::slice::from_raw_parts(start, header.p_memsz as usize) })
    })
}

/// Finds the build id among notes: 4 bytes length of the name, 4 of the content, 4 kind, then both, filled up to 4.
fn build_id(mut notes: &[u8]) -> Option<&[u8]> {
    while let Some((head, rest)) = notes.split_first_chunk::<12>() {
        let [a, b, c, d, e, f, g, h, kind @ ..] = *head;
        let name_bytes = u32::from_ne_bytes([a, b, c, d]) as usize;
        let content_bytes = u32::from_ne_bytes([e, f, g, h]) as usize;
        let name = rest.get(..name_bytes)?;
        let rest = rest.get(name_bytes.next_multiple_of(4)..)?;
        let content = rest.get(..content_bytes)?;
        if name == b"GNU\0" && u32::from_ne_bytes(kind) == NT_GNU_BUILD_ID {
            return Some(content);
        }
        notes = rest.get(content_bytes.next_multiple_of(4)..)?;
    }
    None
}

const NT_GNU_BUILD_ID: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn note(name: &[u8], kind: u32, content: &[u8]) -> Vec<u8> {
        let mut note = Vec::new();
        note.extend((name.len() as u32).to_ne_bytes());
        note.extend((content.len() as u32).to_ne_bytes());
        note.extend(kind.to_ne_bytes());
        for part in [name, content] {
            note.extend(part);
            note.resize(note.len().next_multiple_of(4), 0);
        }
        note
    }

    #[test]
    fn the_build_id_is_found_among_other_notes() {
        let notes = [note(b"GNU\0", 1, b"abi"), note(b"Go\0", 3, b"x"), note(b"GNU\0", 3, &[7; 20])].concat();
        assert_eq!(build_id(&notes), Some(&[7; 20][..]));
        for end in 0..notes.len() {
            assert_eq!(build_id(&notes[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn notes_without_one_and_lengths_out_of_bounds_have_none() {
        assert_eq!(build_id(&note(b"GNU\0", 1, b"abi")), None);
        for at in [0, 4] {
            let mut notes = note(b"GNU\0", 3, b"id");
            notes[at..at + 4].copy_from_slice(&u32::MAX.to_ne_bytes());
            assert_eq!(build_id(&notes), None);
        }
    }

    #[test]
    fn notes_that_are_cut_have_no_build_id() {
        let note = [&[4, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0][..], b"GNU\0", &[7, 8, 9, 0]].concat();
        let other = [&[4, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0][..], b"GNU\0", &[1, 1, 0, 0]].concat();
        assert_eq!(build_id(&[other, note.clone()].concat()), Some(&[7, 8, 9][..]));
        for end in 0..19 {
            assert_eq!(build_id(&note[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn it_is_the_one_that_stands_in_the_file() {
        let id = of_this_program();
        let file = std::fs::read("/proc/self/exe").unwrap();
        assert!(id.is_empty() || file.windows(id.len()).any(|bytes| bytes == id));
    }
}
