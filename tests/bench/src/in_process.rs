//! In one process: asks and tells between two actors on one thread.

use std::time::{Duration, Instant};

use bailiwick::prelude::*;

use crate::protocol::{EchoRef, Echoing};
use crate::workload::Note;

/// Returns microseconds per ask and tells per second.
pub fn run() -> (f64, f64) {
    bailiwick::local(async |mut cx| {
        let echo = cx.spawn(EchoRef::serve(Echoing::default)).expect("an actor can be spawned");
        let count = 500_000u64;
        let start = Instant::now();
        for number in 0..count {
            let reply = echo.echo(Note::asking(number)).ask(PATIENCE).await.expect("the actor answers");
            assert_eq!(reply.number, number, "each reply belongs to its ask");
        }
        let ask_us = start.elapsed().as_secs_f64() * 1e6 / count as f64;
        let start = Instant::now();
        for number in 0..count {
            echo.tell(Note::telling(number)).tell().await.expect("the actor lives");
        }
        assert_eq!(
            echo.told().ask(PATIENCE).await.expect("the actor answers"),
            count,
            "every message was counted"
        );
        (ask_us, count as f64 / start.elapsed().as_secs_f64())
    })
}

const PATIENCE: Duration = Duration::from_secs(5);
