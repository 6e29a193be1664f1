//! What is lent is read in place, and by nobody but its maker written.

use std::fs::File;
use std::os::unix::fs::FileExt;

use nix::unistd::ftruncate;

use super::*;

const LIMIT: u64 = 1 << 20;
const ROOM: usize = 10_000;

fn filled(byte: u8) -> Segment {
    let mut segment = Segment::make(ROOM).unwrap();
    segment.fill(byte);
    segment
}

#[test]
fn what_is_written_is_read_through_the_same_mapping_each_time() {
    let mut segment = filled(1);
    let lender = Lender::map(segment.as_fd(), LIMIT).unwrap();
    assert!(lender.len() == ROOM && lender.iter().all(|byte| *byte == 1));
    segment[ROOM - 1] = 2;
    assert_eq!(lender.last(), Some(&2));
}

#[test]
fn what_is_read_outlives_its_maker() {
    let segment = filled(7);
    let lender = Lender::map(segment.as_fd(), LIMIT).unwrap();
    drop(segment);
    assert!(lender.iter().all(|byte| *byte == 7));
}

#[test]
fn d3_d4_who_has_the_descriptor_can_neither_write_nor_resize_nor_empty_it() {
    let segment = filled(7);
    let file = File::from(segment.as_fd().try_clone_to_owned().unwrap());
    let refused = Some(libc::EPERM);
    assert_eq!(file.write_at(b"x", 0).unwrap_err().raw_os_error(), refused);
    let punch = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    assert_eq!(fallocate(&file, punch, 0, 4096), Err(Errno::EPERM));
    assert_eq!(ftruncate(&file, 0), Err(Errno::EPERM));
    assert_eq!(fcntl(&file, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_WRITE)), Err(Errno::EPERM));
    let writable = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    assert_eq!(Mapping::new(file.as_fd(), ROOM, writable).unwrap_err().errno, Errno::EPERM);
    assert!(segment.iter().all(|byte| *byte == 7));
}

#[test]
fn its_memory_is_there_before_it_is_written() {
    let segment = Segment::make(1 << 20).unwrap();
    assert_eq!(fstat(&segment).unwrap().st_blocks * 512, 1 << 20);
}

#[test]
fn another_file_is_told_from_it() {
    let (one, other) = (filled(1), filled(1));
    let lender = Lender::map(one.as_fd(), LIMIT).unwrap();
    assert!(lender.is_of(one.as_fd()) && !lender.is_of(other.as_fd()));
    assert!(lender.is_of(one.as_fd().try_clone_to_owned().unwrap().as_fd()));
}

#[test]
fn d4_memory_of_another_kind_is_not_mapped() {
    let plain = tempfile::tempfile().unwrap();
    let (sealed, words) =
        (crate::memory::seal(&[7; 8192]).unwrap(), crate::shared_words::make(8192).unwrap());
    for fd in [plain.as_fd(), sealed.as_fd(), words.as_fd()] {
        assert!(matches!(Lender::map(fd, LIMIT), Err(MemoryError::NotSealed { .. })));
    }
}

#[test]
fn d4_memory_that_is_too_long_or_empty_or_has_holes_is_not_mapped() {
    let segment = filled(7);
    assert!(Lender::map(segment.as_fd(), ROOM as u64).is_ok());
    let (bytes, limit) = (ROOM as u64, ROOM as u64 - 1);
    assert_eq!(Lender::map(segment.as_fd(), limit).unwrap_err(), MemoryError::TooLong { bytes, limit });
    for bytes in [0, 8192] {
        let hollow = create().unwrap();
        ftruncate(&hollow, bytes).unwrap();
        fcntl(&hollow, FcntlArg::F_ADD_SEALS(ONE_WRITER)).unwrap();
        assert!(matches!(Lender::map(hollow.as_fd(), LIMIT), Err(MemoryError::Sparse { .. })), "{bytes}");
    }
    let behind = create().unwrap();
    ftruncate(&behind, 8192).unwrap();
    fallocate(&behind, FallocateFlags::FALLOC_FL_KEEP_SIZE, 8192, 8192).unwrap();
    fcntl(&behind, FcntlArg::F_ADD_SEALS(ONE_WRITER)).unwrap();
    let sparse = MemoryError::Sparse { bytes: 8192, held: 0 };
    assert_eq!(Lender::map(behind.as_fd(), LIMIT).unwrap_err(), sparse);
}

#[test]
fn one_of_no_bytes_or_too_many_is_not_made() {
    assert!(Segment::make(0).is_err());
    for bytes in [BYTES_MAX + 1, usize::MAX] {
        assert_eq!(Segment::make(bytes).unwrap_err().errno, Errno::EFBIG);
    }
    assert_eq!(Segment::make(BYTES_MAX).unwrap().len(), BYTES_MAX);
}
