//! A worker dies, whoever watches is told once and why, and the same address reaches its next life.

use std::process::ExitCode;
use std::time::Duration;

use bailiwick::prelude::*;

/// Work that can go wrong.
#[protocol]
pub trait Fragile {
    /// Counts the calls of this life.
    async fn work(&mut self) -> u32;
    /// Ends the whole process, as a fault in C code would.
    async fn crash(&mut self);
}

#[derive(Default)]
struct Glass {
    calls: u32,
}

impl Fragile for Glass {
    async fn work(&mut self) -> u32 {
        self.calls += 1;
        self.calls
    }

    async fn crash(&mut self) {
        std::process::abort();
    }
}

async fn front(mut cx: Context) -> Result<(), ActorError> {
    let glass: FragileRef = cx.peer("glass")?;
    let patience = Duration::from_secs(5);
    for _ in 0..3 {
        println!("worked {} times in this life", glass.work().ask(patience).await?);
    }
    cx.watch(&glass);
    glass.crash().tell().await?;
    println!("down: {}", cx.next_down().await.cause);
    // The supervisor has started it again. What it knew is gone, and its address is as good as before.
    println!("worked {} times in its next life", glass.work().ask(patience).await?);
    Ok(())
}

fn main() -> ExitCode {
    Program::new()
        .worker("glass", Sandbox::sealed(), FragileRef::serve(Glass::default))
        .main("front", Sandbox::sealed().grant("glass"), front)
        .run()
}
