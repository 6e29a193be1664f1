//! What the compiler says to who uses a protocol wrongly.

use bailiwick::prelude::*;
use std::time::Duration;

#[protocol]
trait Thumbs {
    async fn shrink(&mut self, width: u16) -> u16;
    async fn sizes(&mut self) -> Replies<u16>;
}

struct Idle;

struct Sized(u16);

impl Thumbs for Sized {
    async fn shrink(&mut self, width: u16) -> u16 {
        width.min(self.0)
    }
    async fn sizes(&mut self) -> Replies<u16> {
        Replies::from_stream(futures::stream::iter([self.0]))
    }
}

#[deny(unused_must_use)]
fn unsent(thumbs: &ThumbsRef) {
    thumbs.shrink(3);
}

async fn asks_a_stream(thumbs: &ThumbsRef) {
    let _ = thumbs.sizes().ask(Duration::from_secs(1)).await;
}

fn serves_what_it_does_not_implement() {
    let _ = ThumbsRef::serve(|| Idle);
}

fn forgets_where_arguments_come_from(cx: &mut Context) {
    let _ = cx.spawn(ThumbsRef::serve(Sized));
}

fn main() {}
