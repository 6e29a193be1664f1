//! A type that cannot travel is named where it is written.

use bailiwick::prelude::*;

struct NotAMessage;

#[protocol]
trait Thumbs {
    async fn shrink(&mut self, picture: NotAMessage) -> u16;
}

fn main() {}
