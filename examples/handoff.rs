//! A worker is replaced while messages wait: its next life handles them first, each once, in their order.

use std::process::ExitCode;
use std::time::Duration;

use bailiwick::prelude::*;
use bailiwick::{AskError, NotDelivered, Program, Worker};

/// Prints, page by page.
#[protocol]
pub trait Press {
    /// Prints one page.
    async fn print(&mut self, page: u32);
    /// Returns how many pages this life has printed.
    async fn printed(&mut self) -> u32;
}

#[derive(Default)]
struct Printer(u32);

impl Press for Printer {
    async fn print(&mut self, page: u32) {
        self.0 += 1;
        println!("page {page} is number {} of this life", self.0);
        // If the life ends meanwhile, this page is not printed again: it was begun with.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    async fn printed(&mut self) -> u32 {
        self.0
    }
}

async fn front(cx: Context) -> Result<(), ActorError> {
    let press: PressRef = cx.peer("press")?;
    // One life has no time for so many, and nobody waits for any of them.
    for page in 1..=PAGES {
        press.print(page).tell().await?;
    }
    // An ask is not handed over: who asks hears that it was not handled, and can ask the next life.
    let printed = loop {
        match press.printed().ask(Duration::from_secs(60)).await {
            Err(AskError::NotDelivered(NotDelivered::Ended { .. })) => {}
            answer => break answer?,
        }
    };
    println!("the last life printed {printed} of {PAGES} pages");
    Ok(())
}

fn main() -> ExitCode {
    let press = Worker::new("press", Sandbox::sealed())
        .max_age(Duration::from_secs(2))
        // Otherwise it would first print what waits, as long as that takes.
        .drain_timeout(Duration::ZERO)
        .serve(PressRef::serve(Printer::default).handoff());
    Program::new().add(press).main("front", Sandbox::sealed().grant("press"), front).run()
}

const PAGES: u32 = 40;
