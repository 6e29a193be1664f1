//! An ask between its sending and its outcome.

use std::sync::Arc;
use std::task::{Poll, Waker};

use tokio::time::Instant;

use crate::address::Address;
use crate::chain::Chain;
use crate::envelope::{Body, Envelope};
use crate::meeting::Abandoned;
use crate::outcome::{AskError, NotDelivered, Unknown};
use crate::outlet::Room;
use crate::payload::{self, Portable};
use crate::reply::Reply;
use crate::sent::Sent;
use crate::slot::{Answered, Slot};
use bailiwick_wire::frame::TraceContext;
use bailiwick_wire::schema::ProtocolSchema;

/// An ask that was sent and is not yet answered. Dropping it takes the ask back.
pub(crate) struct Asked<R: Portable> {
    address: Address,
    slot: Arc<Slot<R>>,
    sent: Sent,
    /// What is needed to send the message once more, while that is possible.
    again: Option<Stamp>,
}

/// Everything about a message but itself and its asker.
struct Stamp {
    protocol: &'static ProtocolSchema,
    method: u16,
    deadline: Option<Instant>,
    chain: Option<Arc<Chain>>,
    trace: Option<TraceContext>,
}

impl<R: Portable> Asked<R> {
    /// Sends the ask that will be answered in `slot`.
    pub(crate) fn begin(
        address: Address,
        envelope: Envelope,
        slot: Arc<Slot<R>>,
    ) -> Result<Self, NotDelivered> {
        let Envelope { protocol, method, deadline, trace, .. } = envelope;
        let stamp = Stamp { protocol, method, deadline, chain: envelope.chain.clone(), trace };
        let sent = Sent::offer(&address, envelope, Room::Wait).map_err(|refused| refused.reason)?;
        let again = sent.has_elsewhere().then_some(stamp);
        Ok(Self { address, slot, sent, again })
    }

    /// Ready with the outcome, once.
    pub(crate) fn poll(&mut self, waker: &Waker) -> Poll<Result<R, AskError>> {
        loop {
            let Poll::Ready(answered) = self.slot.poll(waker) else { return Poll::Pending };
            return Poll::Ready(match answered {
                Answered::Value(value) => Ok(value),
                Answered::Bytes(payload) => {
                    payload::decode(payload).map_err(|error| payload::undecodable_reply(&error).into())
                }
                Answered::Failed(error) => Err(error),
                Answered::Bounced(body, reason) => match self.again.take() {
                    Some(stamp) => match self.send_again(stamp, body) {
                        Ok(()) => continue,
                        Err(again) => Err(again.into()),
                    },
                    None => Err(reason.into()),
                },
            });
        }
    }

    /// Gives the ask up because its time is over. Returns what is known of it.
    pub(crate) fn expire(&self) -> AskError {
        expired(self.slot.abandon())
    }

    fn send_again(&mut self, stamp: Stamp, body: Body) -> Result<(), NotDelivered> {
        let Stamp { protocol, method, deadline, chain, trace } = stamp;
        self.slot = Arc::new(Slot::new());
        let reply = Reply::local(self.slot.clone());
        let envelope = Envelope { protocol, method, body, reply, deadline, chain, trace, credit: None };
        self.sent = self.sent.offer_elsewhere(&self.address, envelope).map_err(|refused| refused.reason)?;
        Ok(())
    }
}

impl<R: Portable> Drop for Asked<R> {
    fn drop(&mut self) {
        self.slot.abandon();
    }
}

/// Returns the outcome of an ask whose deadline has passed.
pub(crate) fn expired(how_far: Abandoned) -> AskError {
    match how_far {
        Abandoned::BeforeStart => NotDelivered::Expired.into(),
        Abandoned::AfterStart => Unknown::Expired.into(),
    }
}
