//! The workers that look into what strangers sent. They have nothing to lose.

use std::fs::File;
use std::hint::black_box;

use bailiwick::prelude::*;

use crate::protocol::Thumbs;
use crate::shrink::{BadPicture, Thumb, rehearse, shrink};

/// What a picture of the gallery takes when it is decoded: 960×600 pixels at three bytes, and a little. Larger ones are
/// shrunk as well, and wait for the rest of their memory.
const ROOM: usize = 2 << 20;

/// Makes pictures smaller. It keeps nothing from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Shrinker;

impl Actor for Shrinker {
    /// Takes the memory for a picture from the kernel, and goes through the code once. Done for the first picture that comes,
    /// it would be done for each, since each has a fresh process; here it is done while nobody waits.
    async fn started(&mut self, _: &mut Context) -> Result<(), ActorError> {
        // What is freed stays with the allocator from the second time on (mallopt(3), `M_MMAP_THRESHOLD`).
        for _ in 0..2 {
            drop(black_box(vec![1_u8; ROOM]));
        }
        rehearse();
        Ok(())
    }
}

impl Thumbs for Shrinker {
    async fn shrink(&mut self, picture: Fd<File>, out: Fd<File>, width: u16) -> Result<Thumb, BadPicture> {
        shrink(picture.into(), out.into(), width)
    }
}
