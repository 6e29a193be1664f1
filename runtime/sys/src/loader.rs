//! Which program the kernel starts to load an executable.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// Reads from its header which program loads an executable, if one does; `None` if it is none of this machine.
pub fn loader(file: &File) -> Option<Option<PathBuf>> {
    let header: [u8; ELF_HEADER_BYTES] = read(file, 0)?;
    if !header.starts_with(&ELF_64_LITTLE) {
        return None;
    }
    let mut at = u64::from_le_bytes(header[0x20..0x28].try_into().ok()?);
    let count = u16::from_le_bytes([header[0x38], header[0x39]]);
    for _ in 0..count.min(PROGRAM_HEADERS_MAX) {
        let entry: [u8; PROGRAM_HEADER_BYTES] = read(file, at)?;
        if entry.starts_with(&PT_INTERP) {
            let offset = u64::from_le_bytes(entry[0x08..0x10].try_into().ok()?);
            let length = u64::from_le_bytes(entry[0x20..0x28].try_into().ok()?).min(PATH_BYTES_MAX);
            let mut name = vec![0; usize::try_from(length).ok()?];
            file.read_exact_at(&mut name, offset).ok()?;
            let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
            return Some(Some(OsStr::from_bytes(name).into()));
        }
        at = at.checked_add(PROGRAM_HEADER_BYTES as u64)?;
    }
    Some(None)
}

fn read<const N: usize>(file: &File, at: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact_at(&mut bytes, at).ok().map(|()| bytes)
}

const ELF_HEADER_BYTES: usize = 64;
const ELF_64_LITTLE: [u8; 6] = [0x7f, b'E', b'L', b'F', 2, 1];
const PROGRAM_HEADER_BYTES: usize = 56;
const PROGRAM_HEADERS_MAX: u16 = 64;
const PT_INTERP: [u8; 4] = [3, 0, 0, 0];
const PATH_BYTES_MAX: u64 = 4096;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn the_loader_of_a_running_program_is_there() {
        let own = loader(&File::open("/proc/self/exe").unwrap()).expect("it runs on this machine");
        assert!(own.is_none_or(|loader| loader.exists()));
    }

    #[test]
    fn what_is_no_program_of_this_machine_is_told_apart_and_lies_are_bounded() {
        assert!(loader(&file(b"#!/bin/sh\n")).is_none());
        let mut header = vec![0; ELF_HEADER_BYTES];
        header[..6].copy_from_slice(&ELF_64_LITTLE);
        assert_eq!(loader(&file(&header)), Some(None), "linked statically");
        // Program headers that lie beyond the end, and nearly beyond all numbers.
        header[0x38] = 0xff;
        for at in [1_u64 << 40, u64::MAX - 8] {
            header[0x20..0x28].copy_from_slice(&at.to_le_bytes());
            assert!(loader(&file(&header)).is_none());
        }
    }

    #[test]
    fn a_name_is_read_up_to_its_end() {
        let mut bytes = vec![0; ELF_HEADER_BYTES + PROGRAM_HEADER_BYTES];
        bytes[..6].copy_from_slice(&ELF_64_LITTLE);
        (bytes[0x20], bytes[0x38]) = (ELF_HEADER_BYTES as u8, 1);
        let entry = &mut bytes[ELF_HEADER_BYTES..];
        entry[..4].copy_from_slice(&PT_INTERP);
        (entry[0x08], entry[0x20]) = (120, 9);
        bytes.extend(b"/lib/ld\0more");
        assert_eq!(loader(&file(&bytes)), Some(Some("/lib/ld".into())));
    }
}
