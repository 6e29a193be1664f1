//! A local actor of which only some methods are granted: what a peer of the same process sees of it.

use std::sync::Arc;

use crate::address::WatchId;
use crate::cell::Cell;
use crate::envelope::Envelope;
use crate::name::ActorName;
use crate::outcome::NotDelivered;
use crate::outlet::{Accepted, Notify, Outlet, Refused, Room};
use crate::ticket::Ticket;

/// An actor behind a grant.
pub(crate) struct Granted {
    cell: Arc<Cell>,
    /// By the method's index.
    methods: Vec<bool>,
}

impl Granted {
    pub(crate) fn new(cell: Arc<Cell>, methods: Vec<bool>) -> Self {
        Self { cell, methods }
    }
}

impl Outlet for Granted {
    fn name(&self) -> ActorName {
        self.cell.name()
    }

    fn id(&self) -> u64 {
        self.cell.id()
    }

    fn offer(&self, envelope: Box<Envelope>, room: Room) -> Result<Accepted, Box<Refused>> {
        if self.methods.get(usize::from(envelope.method)) == Some(&true) {
            self.cell.offer(envelope, room)
        } else {
            Err(Box::new(Refused { envelope, reason: NotDelivered::NotGranted }))
        }
    }

    fn withdraw(&self, ticket: &Ticket) {
        self.cell.withdraw(ticket);
    }

    fn watch(&self, id: WatchId, notify: Notify) {
        self.cell.watch(id, notify);
    }

    fn unwatch(&self, id: WatchId) {
        self.cell.unwatch(id);
    }
}
