//! What a method of a protocol may not be.

use bailiwick::prelude::*;

#[protocol]
trait Thumbs {
    async fn shared(&self, width: u16) -> u16;
    async fn taken(self, width: u16) -> u16;
    async fn boxed(self: Box<Self>);
    async fn alone(width: u16) -> u16;
    async fn generic<T>(&mut self, value: T);
    async fn opaque(&mut self, value: impl Send);
    async fn borrowed(&mut self, name: &str);
    async fn deep(&mut self, names: Vec<(u8, &'static str)>);
    async fn lends(&mut self) -> &str;
    async fn own(&mut self) -> Self;
    async fn pattern(&mut self, (a, b): (u8, u8));
    async fn ignored(&mut self, _: u8);
    async fn late(&mut self, width: u16, cx: &mut Context);
    async fn with_body(&mut self) -> u8 {
        1
    }
    extern "C" fn foreign(&mut self);
    #[priority(low)]
    async fn low(&mut self);
    #[priority]
    async fn none(&mut self);
    #[priority(high)]
    #[priority(high)]
    async fn twice(&mut self);
}

fn main() {}
