//! An actor that says that it has failed.

use std::io;
use std::time::Duration;

use bailiwick::prelude::*;

#[protocol]
trait Fallible {
    async fn give_up(&mut self, cx: &mut Context) -> u8;
}

struct Once;

impl Fallible for Once {
    async fn give_up(&mut self, cx: &mut Context) -> u8 {
        cx.fail(io::Error::other("the disk is gone"));
        7
    }
}

#[test]
fn a_failure_is_told_to_watchers_after_the_answer() {
    bailiwick::local(async |mut cx| {
        let actor = cx.spawn(FallibleRef::serve(|| Once).temporary()).expect("an actor starts");
        cx.watch(&actor);
        assert_eq!(actor.give_up().ask(Duration::from_secs(5)).await, Ok(7));
        assert_eq!(cx.next_down().await.cause, Cause::Failed { error: "the disk is gone".to_owned() });
    });
}
