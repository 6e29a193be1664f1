//! What is known of asks whose peer has died: with which of them its handlers had begun.

use std::time::Duration;

use bailiwick_wire::reason::DownCause;

use super::desk::{BellRef, DeskRef};
use super::worlds::{NUMBER, run};
use crate::prelude::*;

const SOON: Duration = Duration::from_secs(30);
const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn an_ask_that_waited_for_its_turn_was_not_delivered_and_one_that_had_begun_is_unknown() {
    run(None, async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        let bell: BellRef = cx.peer("right/bell").unwrap();
        // Places that were used before, by what was answered.
        for number in 0..3 {
            desk.add(number).ask(SOON).await.unwrap();
        }
        let hanging = tokio::task::spawn_local(desk.hang().ask(HOUR));
        let waiting: Vec<_> =
            (3..6).map(|number| tokio::task::spawn_local(desk.add(number).ask(HOUR))).collect();
        bell.ring().ask(SOON).await.unwrap();
        both.kill_right().await;
        let (cause, generation) = (DownCause::Signalled(9), 1);
        let unknown = Err(AskError::Unknown(Unknown::PeerDown { cause, generation }));
        assert_eq!(hanging.await.unwrap(), unknown);
        for asked in waiting {
            let refused = Err(AskError::NotDelivered(NotDelivered::PeerDown { cause, generation }));
            assert_eq!(asked.await.unwrap(), refused);
        }
    });
}

#[test]
fn a_peer_that_is_parted_from_lives_and_may_begin_with_what_it_has() {
    run(None, async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        let bell: BellRef = cx.peer("right/bell").unwrap();
        let hanging = tokio::task::spawn_local(desk.hang().ask(HOUR));
        let waiting = tokio::task::spawn_local(desk.add(1).ask(HOUR));
        bell.ring().ask(SOON).await.unwrap();
        both.left.peers.part(NUMBER).await;
        for outcome in [hanging.await.unwrap().map(drop), waiting.await.unwrap().map(drop)] {
            assert!(matches!(outcome, Err(AskError::Unknown(Unknown::PeerDown { .. }))), "{outcome:?}");
        }
    });
}

/// What the peer has begun with it denies, or what it has not it claims, and in the page of the other it says the same.
#[test]
fn d1_what_a_peer_forges_in_its_page_changes_nothing_but_what_its_own_asks_came_to() {
    for (said, is_unknown) in [(0, false), (u64::MAX, true)] {
        run(None, async |both, cx| {
            let desk: DeskRef = cx.peer("right/desk").unwrap();
            let bell: BellRef = cx.peer("right/bell").unwrap();
            let hanging = tokio::task::spawn_local(desk.hang().ask(HOUR));
            let waiting = tokio::task::spawn_local(desk.add(1).ask(HOUR));
            bell.ring().ask(SOON).await.unwrap();
            both.right.peers.peer_of(NUMBER).unwrap().turn(|turn| {
                turn.state.transport.as_ref().unwrap().pages.forge(said);
            });
            both.kill_right().await;
            for outcome in [hanging.await.unwrap().map(drop), waiting.await.unwrap().map(drop)] {
                let found = matches!(outcome, Err(AskError::Unknown(Unknown::PeerDown { .. })));
                assert_eq!(found, is_unknown, "{said}: {outcome:?}");
            }
            both.link();
            assert_eq!(desk.add(2).ask(SOON).await, Ok(1), "the next life has a page of its own");
        });
    }
}
