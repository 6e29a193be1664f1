//! One ask, many answers: a worker computes them only as fast as the asker takes them.

use std::process::ExitCode;
use std::time::Duration;

use bailiwick::prelude::*;
use futures::StreamExt;

/// Numbers without end.
#[protocol]
pub trait Primes {
    /// Streams the primes from `first` on.
    async fn from(&mut self, first: u64) -> Replies<u64>;
}

#[derive(Default)]
struct Sieve;

impl Primes for Sieve {
    async fn from(&mut self, first: u64) -> Replies<u64> {
        Replies::from_stream(futures::stream::iter((first..).filter(|number| is_prime(*number))))
    }
}

fn is_prime(number: u64) -> bool {
    number > 1
        && (2..).take_while(|factor| factor * factor <= number).all(|factor| !number.is_multiple_of(factor))
}

async fn front(cx: Context) -> Result<(), ActorError> {
    let primes: PrimesRef = cx.peer("sieve")?;
    let mut stream = primes.from(1_000_000).stream(Duration::from_secs(5)).await?;
    for _ in 0..5 {
        if let Some(prime) = stream.next().await {
            println!("{}", prime?);
        }
    }
    // The stream has no end, so this is it: dropping it tells the worker that nobody takes any more.
    drop(stream);
    Ok(())
}

fn main() -> ExitCode {
    Program::new()
        .worker("sieve", Sandbox::sealed(), PrimesRef::serve(Sieve::default))
        .main("front", Sandbox::sealed().grant("sieve"), front)
        .run()
}
