//! One job at a time: a worker that keeps no queue, so that what is not begun stays with whoever has it.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use bailiwick::prelude::*;

/// Does jobs that take a while.
#[protocol]
pub trait Smith {
    /// Does the job of this number.
    async fn forge(&mut self, job: u32);
    /// Returns how many it has done.
    async fn forged(&mut self) -> u32;
}

#[derive(Default)]
struct Hammer(u32);

impl Smith for Hammer {
    async fn forge(&mut self, _job: u32) {
        tokio::time::sleep(JOB).await;
        self.0 += 1;
    }

    async fn forged(&mut self) -> u32 {
        self.0
    }
}

async fn front(cx: Context) -> Result<(), ActorError> {
    let smith: SmithRef = cx.peer("smith")?;
    let start = Instant::now();
    for job in 1..=5 {
        // Ends when the smith takes the job, not when it is done: that is when it is ready for the next.
        smith.forge(job).tell().await?;
        println!("job {job} was taken after {} ms", start.elapsed().as_millis());
    }
    // The smith is at the fifth job. This one is taken back before it gets to it, and so never done.
    let patience = tokio::time::timeout(JOB / 4, smith.forge(6).tell()).await;
    println!("job 6 was {}", if patience.is_ok() { "taken" } else { "taken back" });
    println!("{} jobs were done", smith.forged().ask(Duration::from_secs(2)).await?);
    Ok(())
}

fn main() -> ExitCode {
    Program::new()
        .worker("smith", Sandbox::sealed(), SmithRef::serve(Hammer::default).mailbox(Mailbox::rendezvous()))
        .main("front", Sandbox::sealed().grant("smith"), front)
        .run()
}

const JOB: Duration = Duration::from_millis(200);
