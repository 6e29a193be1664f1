//! An ask between its sending and its outcome.

use std::sync::Arc;
use std::task::{Poll, Waker};

use crate::address::Address;
use crate::envelope::Envelope;
use crate::meeting::Abandoned;
use crate::outcome::{AskError, CloseCause, DownCause, NotDelivered, Unknown};
use crate::outlet::Room;
use crate::payload::Replied;
use crate::reply::Reply;
use crate::sent::Sent;
use crate::slot::{Answered, Slot};

/// An ask that was sent and is not yet answered. Dropping it takes the ask back.
pub(crate) struct Asked<R: Replied> {
    address: Address,
    slot: Arc<Slot<R>>,
    sent: Option<Box<Sent>>,
    /// It came back from a member of a pool that failed, and was sent to another.
    went_elsewhere: bool,
}

impl<R: Replied> Asked<R> {
    /// Sends the ask that will be answered in `slot`.
    pub(crate) fn begin(
        address: Address,
        envelope: Box<Envelope>,
        slot: Arc<Slot<R>>,
    ) -> Result<Self, NotDelivered> {
        let sent = Sent::offer(&address, envelope, Room::Wait).map_err(|refused| refused.reason)?;
        Ok(Self { address, slot, sent, went_elsewhere: false })
    }

    /// Ready with the outcome, once.
    pub(crate) fn poll(&mut self, waker: &Waker) -> Poll<Result<R, AskError>> {
        loop {
            let Poll::Ready(answered) = self.slot.poll(waker) else { return Poll::Pending };
            return Poll::Ready(match answered {
                Answered::Value(value) => Ok(value),
                Answered::Bytes(payload) => R::read(payload),
                Answered::Failed(error) => Err(error),
                Answered::Bounced(envelope, reason) => match self.send_again(envelope, reason) {
                    Ok(()) => continue,
                    Err(reason) => Err(reason.into()),
                },
            });
        }
    }

    /// Gives the ask up because its time is over. Returns what is known of it.
    pub(crate) fn expire(&self) -> AskError {
        expired(self.slot.abandon())
    }

    /// Sends a message that came back unhandled once more, if that is of use: to another member of a pool, or to the
    /// next life of one that ends in order. The deadline bounds how often.
    fn send_again(&mut self, mut envelope: Box<Envelope>, reason: NotDelivered) -> Result<(), NotDelivered> {
        let ends_in_order = matches!(
            reason,
            NotDelivered::Draining
                | NotDelivered::LinkClosed(CloseCause::Drained)
                | NotDelivered::PeerDown { cause: DownCause::Stopped, .. }
        );
        let elsewhere = self.sent.as_ref().filter(|sent| sent.has_elsewhere() && !self.went_elsewhere);
        if !ends_in_order && elsewhere.is_none() {
            return Err(reason);
        }
        self.went_elsewhere |= !ends_in_order;
        self.slot = Arc::new(Slot::new());
        envelope.reply = Reply::local(self.slot.clone());
        let sent = match elsewhere.filter(|_| !ends_in_order) {
            Some(sent) => sent.offer_elsewhere(&self.address, envelope),
            None => Sent::offer(&self.address, envelope, Room::Wait),
        };
        self.sent = sent.map_err(|refused| refused.reason)?;
        Ok(())
    }
}

impl<R: Replied> Drop for Asked<R> {
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
