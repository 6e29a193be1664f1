//! A gate before which a handler waits, so that its actor takes nothing until a test opens it.

use bailiwick::prelude::*;

#[protocol]
pub(crate) trait Gate {
    async fn pass(&mut self) -> Later<()>;
    /// Answered when somebody wants to pass.
    async fn arrival(&mut self) -> Later<()>;
    async fn open(&mut self);
}

#[derive(Default)]
pub(crate) struct Door {
    waiting: Vec<Answer<()>>,
    expecting: Option<Answer<()>>,
}

impl Gate for Door {
    async fn pass(&mut self) -> Later<()> {
        let (later, answer) = Later::pair();
        self.waiting.push(answer);
        if let Some(expecting) = self.expecting.take() {
            expecting.send(());
        }
        later
    }
    async fn arrival(&mut self) -> Later<()> {
        let (later, answer) = Later::pair();
        self.expecting = Some(answer);
        later
    }
    async fn open(&mut self) {
        self.waiting.drain(..).for_each(|answer| answer.send(()));
    }
}
