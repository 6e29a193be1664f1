//! Links: how the actors of one worker reach those of another.
//!
//! A [`Peers`](peers::Peers) has one [`Peer`](peer::Peer) for each instance of another worker that a grant names.
//! A peer has the pure link machine of `bailiwick-core`, which decides everything, and the tables of what the
//! machine only numbers: payloads, askers, mailboxes, watchers. Its transport is what the supervisor
//! hands over, a socket or a ring beside one; a task moves the bytes. From the inside out:
//!
//! | file | what it owns |
//! | --- | --- |
//! | `frames` | what a frame says, to bytes and back |
//! | `outbox`, `inbox` | packets on their way out and in |
//! | `short` | the frames that are most of a packet, without a way around |
//! | `mover` | the task of one transport |
//! | `transport` | what moves packets: one interface, two kinds |
//! | `socket`, `ring` | the kinds |
//! | `pages` | which asks were begun with, for who outlives the other |
//! | `peer` | the lock, the machine, one turn |
//! | `sides` | the two lives that a peer may have at a time |
//! | `perform` | what the machine orders |
//! | `sends` | messages of this side until they end |
//! | `effect` | what concerns others, after the lock |
//! | `exports`, `imports` | the two tables of actors; an address resolves to an import |
//! | `answer`, `handlers` | the way back to askers over there |
//! | `peers` | names, and what the supervisor says |
//!
//! Within one process workers reach each other without any of this: see [`neighbourhood`](crate::neighbourhood).

mod answer;
mod effect;
mod exports;
mod frames;
mod handlers;
mod imports;
mod inbox;
mod mover;
mod outbox;
mod pages;
pub(crate) mod peer;
pub(crate) mod peers;
mod perform;
mod reasons;
mod ring;
mod sends;
mod short;
mod sides;
mod socket;
mod transport;

#[cfg(test)]
mod tests;
