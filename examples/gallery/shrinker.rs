//! The workers that look into what strangers sent. They have nothing to lose.

use std::fs::File;

use bailiwick::prelude::*;

use crate::protocol::Thumbs;
use crate::shrink::{BadPicture, Thumb, shrink};

/// Makes pictures smaller. It keeps nothing from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Shrinker;

impl Thumbs for Shrinker {
    async fn shrink(&mut self, picture: Fd<File>, out: Fd<File>, width: u16) -> Result<Thumb, BadPicture> {
        shrink(picture.into(), out.into(), width)
    }
}
