//! The same actors without a supervisor: in one process, under a debugger, in a test.

use std::time::Duration;

use bailiwick::prelude::*;

/// A tap that lets through only so many.
#[protocol]
pub trait Tap {
    /// Takes up to `wanted`, and returns how many there were.
    async fn take(&mut self, wanted: u32) -> u32;
    /// Fills it up again and stops if it was full.
    async fn refill(&mut self, cx: &mut Context, amount: u32);
}

struct Bucket {
    left: u32,
    capacity: u32,
}

impl Tap for Bucket {
    async fn take(&mut self, wanted: u32) -> u32 {
        let taken = wanted.min(self.left);
        self.left -= taken;
        taken
    }

    async fn refill(&mut self, cx: &mut Context, amount: u32) {
        if self.left == self.capacity {
            cx.stop();
        }
        self.left = (self.left + amount).min(self.capacity);
    }
}

fn main() -> Result<(), ActorError> {
    bailiwick::local(async |mut cx| {
        let tap: TapRef = cx.spawn(TapRef::serve(|| Bucket { left: 3, capacity: 3 }))?;
        let patience = Duration::from_secs(1);
        println!("took {} of 2", tap.take(2).ask(patience).await?);
        println!("took {} of 2", tap.take(2).ask(patience).await?);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // An actor is a struct and its messages are methods, so its test needs neither a mailbox nor a process.
    #[tokio::test]
    async fn an_empty_bucket_gives_nothing_until_it_is_refilled() {
        let mut bucket = Bucket { left: 1, capacity: 5 };
        let mut cx = Context::detached();
        assert_eq!(bucket.take(3).await, 1);
        assert_eq!(bucket.take(3).await, 0);
        bucket.refill(&mut cx, 9).await;
        assert_eq!(bucket.take(9).await, 5);
    }
}
