//! What docs/guides/from-ractor.md shows of ractor.

// ANCHOR: guide
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, call_t, cast};

struct Counter;

enum CounterMessage {
    Add(u64),
    Total(RpcReplyPort<u64>),
}

impl Actor for Counter {
    type Msg = CounterMessage;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, _: ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            CounterMessage::Add(amount) => *state += amount,
            CounterMessage::Total(reply) => reply.send(*state)?,
        }
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ActorProcessingErr> {
    let (counter, handle) = Actor::spawn(None, Counter, ()).await?;
    cast!(counter, CounterMessage::Add(5))?;
    let total = call_t!(counter, CounterMessage::Total, 1000)?;
    assert_eq!(total, 5);
    counter.stop(None);
    Ok(handle.await?)
}
// ANCHOR_END: guide
