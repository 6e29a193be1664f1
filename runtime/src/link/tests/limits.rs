//! What one message may cost: the sender holds to it, and the receiver does not take its word for that.

use std::time::Duration;

use bailiwick_wire::{Limit, Limits};

use super::desk::DeskRef;
use super::worlds::{Both, NUMBER, peer, run_with, slot};
use crate::prelude::*;

const SOON: Duration = Duration::from_secs(30);

const DEPTHS: Limits = Limits { depth: 0, ..Limits::LINK };
const FEW: Limits = Limits { elements: 2, ..Limits::LINK };
const SHORT: Limits = Limits { frame_bytes: 1024, ..Limits::LINK };
const LEAN: Limits = Limits { produced_bytes: 1024, ..Limits::LINK };

fn refused_by<T>(outcome: Result<T, AskError>) -> Option<Limit> {
    match outcome {
        Err(AskError::NotDelivered(NotDelivered::TooLarge { limit, .. })) => Some(limit),
        Err(AskError::Unknown(Unknown::ReplyTooLarge { limit, .. })) => Some(limit),
        _ => None,
    }
}

#[test]
fn a_message_over_a_limit_is_refused_at_the_sender_and_harms_nobody() {
    for (limits, limit) in [(SHORT, Limit::FrameBytes), (LEAN, Limit::ProducedBytes)] {
        run_with(Both::with_limits(limits, limits), async |both, cx| {
            let desk: DeskRef = cx.peer("right/desk").unwrap();
            assert_eq!(refused_by(desk.reverse(vec![0; 1200]).ask(SOON).await), Some(limit));
            assert_eq!(desk.reverse(vec![1, 2]).ask(SOON).await, Ok(vec![2, 1]));
            assert!(
                both.left.reports.lock().unwrap().is_empty() && both.right.reports.lock().unwrap().is_empty()
            );
        });
    }
}

#[test]
fn a_reply_over_a_limit_is_refused_at_who_replies() {
    for (limits, limit) in [(FEW, Limit::Elements), (DEPTHS, Limit::Depth)] {
        run_with(Both::with_limits(limits, limits), async |_, cx| {
            let desk: DeskRef = cx.peer("right/desk").unwrap();
            for number in 0..3 {
                let _too_deep_already = desk.add(number).ask(SOON).await;
            }
            assert_eq!(refused_by(desk.list().ask(SOON).await), Some(limit));
        });
    }
}

#[test]
fn the_limits_are_asked_of_what_arrives_whatever_its_sender_holds_to() {
    // How long payloads may be is also said by the two ends to each other.
    for (narrow, limit) in [(LEAN, Limit::ProducedBytes), (SHORT, Limit::FrameBytes)] {
        run_with(Both::with_limits(Limits::LINK, narrow), async |_, cx| {
            let desk: DeskRef = cx.peer("right/desk").unwrap();
            assert_eq!(refused_by(desk.reverse(vec![0; 1200]).ask(SOON).await), Some(limit));
            assert_eq!(desk.add(1).ask(SOON).await, Ok(1));
        });
    }
}

#[test]
fn other_limits_hold_from_the_next_message_on() {
    run_with(Both::with_limits(Limits::LINK, Limits::LINK), async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        assert!(desk.reverse(vec![0; 1200]).ask(SOON).await.is_ok());
        let told = bootstrap_peer(LEAN);
        both.left.peers.regrant(&[told]);
        assert_eq!(refused_by(desk.reverse(vec![0; 1200]).ask(SOON).await), Some(Limit::ProducedBytes));
        both.left.peers.regrant(&[bootstrap_peer(Limits::LINK)]);
        assert!(desk.reverse(vec![0; 1200]).ask(SOON).await.is_ok());
    });
}

fn bootstrap_peer(limits: Limits) -> bailiwick_wire::bootstrap::Peer {
    bailiwick_wire::bootstrap::Peer {
        limits,
        imports: vec![slot("desk", None)],
        ..peer(NUMBER, "right", 1, 1)
    }
}
