//! What passes unread from one life of a worker to the next, by way of memory that the supervisor keeps meanwhile.
//!
//! The life that wrote it may have been taken over, and is no more than its next one: what it says reaches actors of this worker
//! only, by methods that they have, and of other workers only in the names of those whose grant still stands.

use std::os::fd::OwnedFd;

use bailiwick_core::precedence::Priority;
use bailiwick_sys::memory;
use bailiwick_wire::bootstrap::{Actor, Bootstrap, Work};
use bailiwick_wire::control::{HANDOFF_NAME, ToWorker};
use bailiwick_wire::descriptors::Incoming;
use bailiwick_wire::handoff::{self, HANDOFF_BYTES, Unread};
use bailiwick_wire::schema::ProtocolSchema;
use bailiwick_wire::{Limit, Limits};

use super::host::WorkerHost;
use super::line::Order;
use crate::envelope::Envelope;
use crate::handoff::credit_of;
use crate::node::Shared;
use crate::outcome::NotDelivered;
use crate::payload::Payload;
use crate::registry::Registry;
use crate::reply::Reply;

/// Tells whether this worker is one that leaves to its next life what is unread. Not if each life is to see few messages, nor if it
/// ends when its work is done.
pub(super) fn hands_off(bootstrap: &Bootstrap, registry: &Registry) -> bool {
    let any = bootstrap.actors.iter().any(|actor| is_declared(actor, registry));
    any && bootstrap.work == Work::Resident && bootstrap.max_messages == 0
}

fn is_declared(actor: &Actor, registry: &Registry) -> bool {
    actor.handoff || registry.find(&actor.type_name).is_some_and(|hosted| hosted.handoff)
}

/// Takes out of the early orders what an earlier life has left.
pub(super) fn left_before(early: &mut Vec<Order>) -> Option<OwnedFd> {
    let is_left = |order: &ToWorker| matches!(order, ToWorker::Kept { name } if name == HANDOFF_NAME);
    let at = early.iter().position(|Order { order, .. }| is_left(order))?;
    early.remove(at).fd
}

/// Takes over what an earlier life has left, for the actors that this one will have. From here on no other life finds it.
pub(super) fn inherit(left: OwnedFd, bootstrap: &Bootstrap, registry: &Registry, node: &Shared) {
    if !hands_off(bootstrap, registry) {
        return eprintln!("what an earlier life has left unread is not taken: this worker hands nothing off");
    }
    let bytes = match memory::empty(left, HANDOFF_BYTES as u64) {
        Ok(bytes) => bytes,
        Err(error) => return eprintln!("what an earlier life has left unread cannot be taken: {error}"),
    };
    // Some other life has taken it.
    if bytes.is_empty() {
        return;
    }
    let messages = match handoff::read(&bytes) {
        Ok(messages) => messages,
        Err(error) => {
            return eprintln!("what an earlier life has left unread is none of its messages: {error}");
        }
    };
    let (mut taken, mut lost) = (0, 0);
    for unread in messages {
        match envelope(&unread, bootstrap, registry) {
            Ok(envelope) => {
                taken += 1;
                node.handoff.add(unread.actor, envelope);
            }
            Err(reason) => {
                lost += 1;
                let Unread { actor, protocol, method, sender, .. } = unread;
                tracing::debug!(target: "bailiwick::dead_letter", actor, protocol, method, sender, %reason);
                node.dead_letters.count(&reason);
                // Each reason once would need them all; the first says most.
                if lost == 1 {
                    eprintln!("{protocol}::{method} of an earlier life is not handled by {actor}: {reason}");
                }
            }
        }
    }
    eprintln!("{taken} unread messages of an earlier life are handled first, {lost} are dead letters");
}

/// Returns the message as the actor's mailbox is to have it.
fn envelope(
    unread: &Unread<'_>,
    bootstrap: &Bootstrap,
    registry: &Registry,
) -> Result<Box<Envelope>, NotDelivered> {
    let actor = bootstrap.actors.iter().find(|actor| actor.name == unread.actor);
    let actor = actor.ok_or(NotDelivered::NoSuchActor)?;
    // What hands nothing off was left nothing: it is of somebody who would like to have it handled.
    if !is_declared(actor, registry) {
        return Err(NotDelivered::NotGranted);
    }
    let hosted = registry.find(&actor.type_name).ok_or(NotDelivered::NoSuchActor)?;
    let (protocol, method) = method(unread, hosted.protocols())?;
    let limits = match unread.sender {
        None => Limits::LINK,
        Some(sender) => granted(unread, sender, bootstrap).ok_or(NotDelivered::NotGranted)?,
    };
    let (found, max) = (unread.payload.len() as u64, u64::from(limits.frame_bytes));
    if found > max {
        return Err(NotDelivered::TooLarge { limit: Limit::FrameBytes, found, max });
    }
    let has_priority = protocol.methods[usize::from(method)].has_priority;
    let payload = Payload { bytes: unread.payload.to_vec().into(), beside: Incoming::default(), limits };
    Ok(Box::new(Envelope {
        protocol,
        method,
        priority: if has_priority { Priority::High } else { Priority::Ordinary },
        // It is within the limits of a message.
        bytes: found as u32,
        reply: Reply::nobody(),
        deadline: None,
        queued: None,
        chain: None,
        trace: None,
        credit: unread.sender.map(credit_of),
        message: payload,
    }))
}

/// Returns the method, if this executable means by it what the earlier life meant.
fn method(
    unread: &Unread<'_>,
    protocols: &[&'static ProtocolSchema],
) -> Result<(&'static ProtocolSchema, u16), NotDelivered> {
    let named = protocols.iter().find(|protocol| protocol.name == unread.protocol);
    let protocol = named.ok_or_else(|| NotDelivered::NotServed { protocol: unread.protocol.to_owned() })?;
    match protocol.method(unread.method) {
        Some((at, method)) if method.fingerprint == unread.fingerprint => Ok((protocol, at)),
        Some(_) => {
            let detail = format!("`{}` is another than in the life that accepted it", unread.method);
            Err(NotDelivered::SchemaMismatch { detail })
        }
        None => {
            let detail = format!("there is no `{}` any more", unread.method);
            Err(NotDelivered::SchemaMismatch { detail })
        }
    }
}

/// Returns what a message may cost that the sender is granted still; `None` if it is not.
fn granted(unread: &Unread<'_>, sender: &str, bootstrap: &Bootstrap) -> Option<Limits> {
    let peers = bootstrap.peers.iter().filter(|peer| peer.worker == sender);
    let allowing = |method: &String| method == unread.method;
    let mut granting = peers.filter(|peer| {
        peer.exports.iter().any(|slot| {
            slot.actor == unread.actor && slot.methods.as_ref().is_none_or(|all| all.iter().any(allowing))
        })
    });
    granting.next().map(|peer| peer.limits)
}

/// Leaves nothing to the next life, neither what an actor left that ended while the worker started.
pub(super) fn leave_nothing(node: &Shared) {
    let lost = node.handoff.shut();
    (0..lost).for_each(|_| node.dead_letters.count(&NotDelivered::NoSuchActor));
    if lost > 0 {
        eprintln!("{lost} unread messages are lost: their actors ended while this worker started");
    }
}

/// Leaves to the next life what is unread, and says how much that is: nobody knows whether that life comes.
pub(super) fn hand_off(host: &WorkerHost, node: &Shared) {
    let (left, unhosted) = node.handoff.take();
    let mut lost = unhosted.len();
    for (_, envelope) in unhosted {
        node.dead_letters.count(&NotDelivered::NoSuchActor);
        drop(envelope);
    }
    let messages = left.messages();
    if messages > 0 {
        let kept = memory::seal_for_one(&left.into_bytes()).map_err(|error| error.to_string());
        match kept.and_then(|memory| host.hand_off(&memory).map_err(|error| error.to_string())) {
            Ok(()) => eprintln!("{messages} unread messages are left to the next life of this worker"),
            Err(error) => {
                lost += messages;
                (0..messages).for_each(|_| node.dead_letters.count(&NotDelivered::Draining));
                eprintln!("unread messages cannot be left to the next life of this worker: {error}");
            }
        }
    }
    if lost > 0 {
        eprintln!("{lost} messages that were to be handed off are lost with this life");
    }
}

#[cfg(test)]
mod tests;
