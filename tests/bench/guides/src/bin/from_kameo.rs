//! What docs/guides/from-kameo.md shows of kameo.

// ANCHOR: guide
use kameo::Actor;
use kameo::actor::Spawn;
use kameo::message::{Context, Message};

#[derive(Actor)]
struct Counter {
    count: i64,
}

struct Inc {
    amount: i64,
}

impl Message<Inc> for Counter {
    type Reply = i64;

    async fn handle(&mut self, msg: Inc, _ctx: &mut Context<Self, Self::Reply>) -> Self::Reply {
        self.count += msg.amount;
        self.count
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let counter = Counter::spawn(Counter { count: 0 });
    let count = counter.ask(Inc { amount: 42 }).await.unwrap();
    assert_eq!(count, 42);
}
// ANCHOR_END: guide
