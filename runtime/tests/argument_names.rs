//! An argument may be called anything, also what the code around it calls its own.

use std::time::Duration;

use bailiwick::prelude::*;

#[protocol]
trait Names {
    fn first(&mut self, cx: &mut Context, actor: u8, message: u8, reply: u8, answer: u8) -> u32;
    #[allow(clippy::too_many_arguments)]
    async fn second(
        &mut self,
        limits: u8,
        out: u8,
        method: u8,
        payload: u8,
        address: u8,
        reference: u8,
    ) -> u32;
}

struct Sum;

impl Names for Sum {
    fn first(&mut self, _cx: &mut Context, actor: u8, message: u8, reply: u8, answer: u8) -> u32 {
        [actor, message, reply, answer].into_iter().map(u32::from).sum()
    }

    #[allow(clippy::too_many_arguments)]
    async fn second(
        &mut self,
        limits: u8,
        out: u8,
        method: u8,
        payload: u8,
        address: u8,
        reference: u8,
    ) -> u32 {
        [limits, out, method, payload, address, reference].into_iter().map(u32::from).sum()
    }
}

#[test]
fn arguments_named_like_the_surroundings_arrive() {
    bailiwick::local(async |mut cx| {
        let sum = cx.spawn(NamesRef::serve(|| Sum)).expect("an actor starts");
        let patience = Duration::from_secs(5);
        assert_eq!(sum.first(1, 2, 3, 4).ask(patience).await, Ok(10));
        assert_eq!(sum.second(1, 2, 3, 4, 5, 6).ask(patience).await, Ok(21));
    });
}
