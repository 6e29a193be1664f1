//! State has one owner: an actor in a process of its own, and everybody else asks.

use std::process::ExitCode;
use std::time::Duration;

use bailiwick::prelude::*;

/// A number that can be added to.
#[protocol]
pub trait Counter {
    /// Adds `amount`.
    async fn add(&mut self, amount: u64);
    /// Returns what it has become.
    async fn total(&mut self) -> u64;
}

#[derive(Default)]
struct Total(u64);

impl Counter for Total {
    async fn add(&mut self, amount: u64) {
        self.0 += amount;
    }

    async fn total(&mut self) -> u64 {
        self.0
    }
}

async fn front(cx: Context) -> Result<(), ActorError> {
    let counter: CounterRef = cx.peer("counter")?;
    for amount in 1..=100 {
        // A tell says something and goes on; what one actor tells another arrives in the order sent.
        counter.add(amount).tell().await?;
    }
    // An ask waits for the answer, and has a deadline because the other process may be gone.
    let total = counter.total().ask(Duration::from_secs(2)).await?;
    println!("1 + 2 + … + 100 = {total}, counted in another process than {}", std::process::id());
    Ok(())
}

fn main() -> ExitCode {
    Program::new()
        .worker("counter", Sandbox::sealed(), CounterRef::serve(Total::default))
        .main("front", Sandbox::sealed().grant("counter"), front)
        .run()
}
