//! What docs/guides/from-actix.md shows of actix.

// ANCHOR: guide
use actix::prelude::*;

#[derive(Message)]
#[rtype(usize)]
struct Sum(usize, usize);

struct Calculator;

impl Actor for Calculator {
    type Context = Context<Self>;
}

impl Handler<Sum> for Calculator {
    type Result = usize;

    fn handle(&mut self, msg: Sum, _ctx: &mut Context<Self>) -> Self::Result {
        msg.0 + msg.1
    }
}

#[actix::main]
async fn main() {
    let addr = Calculator.start();
    assert_eq!(addr.send(Sum(10, 5)).await.unwrap(), 15);
}
// ANCHOR_END: guide
