//! Tells to an actor of another worker whose mailbox holds nothing: how each ends when the worker, or the link, does.

use std::time::Duration;

use bailiwick_wire::reason::DownCause;

use super::desk::{BellRef, DeskRef};
use super::worlds::{Both, NUMBER, run};
use crate::outcome::CloseCause;
use crate::prelude::*;

const SOON: Duration = Duration::from_secs(30);
const HOUR: Duration = Duration::from_secs(3600);
const KILLED: DownCause = DownCause::Signalled(9);

/// A tell that goes on by itself.
type Telling = tokio::task::JoinHandle<Result<(), TellError>>;

/// Runs a test while a handler of the booth hangs; given are a tell that stands before it and one that waits behind that.
fn held(test: impl AsyncFn(&mut Both, DeskRef, BellRef, [Telling; 2])) {
    run(None, async |both, cx| {
        let (booth, bell): (DeskRef, BellRef) =
            (cx.peer("right/booth").unwrap(), cx.peer("right/bell").unwrap());
        let hanging = tokio::task::spawn_local(booth.hang().ask(HOUR));
        let telling = [1, 2].map(|number| tokio::task::spawn_local(booth.add(number).tell()));
        bell.ring().ask(SOON).await.unwrap();
        bell.ring().ask(SOON).await.unwrap();
        tokio::time::timeout(SOON, test(both, booth, bell, telling)).await.expect("the test ends");
        hanging.abort();
    });
}

#[test]
fn what_the_dead_did_not_take_is_not_delivered_and_what_was_not_written_waits_for_the_next_life() {
    held(async |both, booth, bell, [first, second]| {
        both.kill_right().await;
        let refused = TellError::NotDelivered(NotDelivered::PeerDown { cause: KILLED, generation: 1 });
        assert_eq!(first.await.unwrap(), Err(refused));
        // It is known by now that nobody keeps messages there: whoever sends to the dead waits for its next life.
        let third = tokio::task::spawn_local(booth.add(3).tell());
        tokio::task::yield_now().await;
        assert!(!second.is_finished() && !third.is_finished());
        both.link();
        assert_eq!((second.await.unwrap(), third.await.unwrap()), (Ok(()), Ok(())));
        assert_eq!(booth.list().ask(SOON).await.unwrap(), [2, 3]);
        assert_eq!(bell.ring().ask(SOON).await, Ok(1), "it is the next life");
    });
}

#[test]
fn what_the_dead_took_is_delivered_even_if_they_could_not_say_so() {
    held(async |both, _, _, [first, second]| {
        let peer = both.right.peers.peer_of(NUMBER).unwrap();
        // As it is when the worker is killed right after its actor has begun: each send is the first use of its index.
        peer.turn(|turn| turn.state.transport.as_ref().unwrap().pages.forge(1));
        both.kill_right().await;
        assert_eq!(first.await.unwrap(), Ok(()));
        second.abort();
    });
}

#[test]
fn of_what_a_peer_had_that_is_parted_from_nobody_knows_whether_it_was_taken() {
    held(async |both, _, _, [first, second]| {
        both.left.peers.part(NUMBER).await;
        let first = first.await.unwrap();
        assert!(
            matches!(first, Err(TellError::Unknown(Unknown::LinkClosed(_) | Unknown::PeerDown { .. }))),
            "{first:?}"
        );
        assert_eq!(second.await.unwrap(), Err(TellError::NotDelivered(NotDelivered::NotGranted)));
    });
}

#[test]
fn a_worker_that_ends_in_order_says_that_it_did_not_take_it() {
    held(async |both, _, _, [first, second]| {
        both.right.peers.refuse();
        both.right.node.stop(crate::node::Stop::Now).await;
        both.right.peers.finish().await;
        let first = first.await.unwrap();
        assert!(
            matches!(
                first,
                Err(TellError::NotDelivered(
                    NotDelivered::Draining
                        | NotDelivered::Ended { .. }
                        | NotDelivered::LinkClosed(CloseCause::Drained)
                ))
            ),
            "{first:?}"
        );
        second.abort();
    });
}
