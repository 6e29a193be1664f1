//! What a protocol may not be or have.

use bailiwick::prelude::*;

#[protocol]
trait Generic<T> {
    async fn set(&mut self, value: T);
}

#[protocol]
trait Bounded: Send {
    async fn set(&mut self, value: u8);
}

#[protocol]
trait Items {
    type Size;
    const WIDTH: u16;
    async fn set(&mut self, value: u8);
}

#[protocol]
trait Twice {
    async fn set(&mut self, value: u8);
    async fn set(&mut self, value: u16);
}

#[protocol]
trait Alike {
    async fn set_all(&mut self);
    async fn setAll(&mut self);
}

#[protocol(version = 2)]
trait Attribute {
    async fn set(&mut self, value: u8);
}

#[protocol]
struct NoTrait;

fn main() {}
