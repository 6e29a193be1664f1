//! SHA-256 of what workers execute: computed from the descriptors that are held open, by processes beside the loop.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, BorrowedFd};

use bailiwick_core::berth::Berth;
use bailiwick_sys::findings::Findings;
use sha2::Sha256;

use crate::spec::{DIGEST_BYTES, Digest};

/// The digests of all executables.
pub type Digests = Findings<Berth, DIGEST_BYTES>;

/// What is read of a file at a time.
const BLOCK_BYTES: usize = 256 << 10;

/// Computes the digest of a file that is open for nothing but its execution.
pub fn digest(executable: BorrowedFd<'_>) -> Option<Digest> {
    // Its name among our descriptors opens the same file for reading, whatever its path leads to by now.
    let mut file = File::open(format!("/proc/self/fd/{}", executable.as_raw_fd())).ok()?;
    let mut sum = <Sha256 as sha2::Digest>::new();
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        match file.read(&mut block).ok()? {
            0 => return Some(sha2::Digest::finalize(sum).into()),
            read => sha2::Digest::update(&mut sum, &block[..read]),
        }
    }
}
