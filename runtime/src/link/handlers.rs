//! Asks of the peer that lie in mailboxes or are being handled: who waits for what of them.

use std::task::Waker;

use bailiwick_core::link::Asked;

/// The asks, by the index of the peer's tickets.
#[derive(Debug, Default)]
pub(super) struct Handlers(Vec<Option<Handler>>);

#[derive(Debug)]
struct Handler {
    asked: Asked,
    waker: Option<Waker>,
}

impl Handlers {
    /// Enters an ask; one that stood there has ended.
    pub(super) fn begin(&mut self, asked: Asked) {
        let index = usize::from(asked.ticket.index());
        if self.0.len() <= index {
            self.0.resize_with(index + 1, || None);
        }
        self.0[index] = Some(Handler { asked, waker: None });
    }

    /// Removes an ask and returns who waits for anything of it.
    pub(super) fn end(&mut self, asked: Asked) -> Option<Waker> {
        self.place(asked)?.take()?.waker
    }

    /// Returns who waits for anything of an ask.
    pub(super) fn waker(&mut self, asked: Asked) -> Option<Waker> {
        self.place(asked)?.as_mut()?.waker.take()
    }

    /// Remembers who waits; false if the ask has ended.
    pub(super) fn wait(&mut self, asked: Asked, waker: &Waker) -> bool {
        let Some(Some(handler)) = self.place(asked) else { return false };
        match &handler.waker {
            Some(known) if known.will_wake(waker) => {}
            Some(_) | None => handler.waker = Some(waker.clone()),
        }
        true
    }

    /// Tells whether the peer still waits for the answer.
    pub(super) fn is_open(&self, asked: Asked) -> bool {
        let place = self.0.get(usize::from(asked.ticket.index()));
        matches!(place, Some(Some(handler)) if handler.asked == asked)
    }

    fn place(&mut self, asked: Asked) -> Option<&mut Option<Handler>> {
        let place = self.0.get_mut(usize::from(asked.ticket.index()))?;
        let open = matches!(place, Some(handler) if handler.asked == asked);
        open.then_some(place)
    }
}
