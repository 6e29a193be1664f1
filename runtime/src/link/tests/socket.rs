//! What only a link between processes can show: death, restart, hostile bytes.

use std::io::IoSlice;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task;
use std::time::Duration;

use bailiwick_sys::identity::effective_uid;
use bailiwick_sys::socket::{Kind, pair, pass_credentials, send};
use bailiwick_wire::FdKind;
use bailiwick_wire::audit::Evidence;
use bailiwick_wire::bootstrap::Slot;
use bailiwick_wire::control::ToSupervisor;
use bailiwick_wire::fault::Fault;
use bailiwick_wire::reason::DownCause;

use super::super::mover::Mover;
use super::super::socket::{join, receive_all};
use super::super::transport::Joined;
use super::desk::{BellRef, DeskRef};
use super::worlds::{Both, Carried, NUMBER, run, run_with, slot};
use crate::CloseCause;
use crate::prelude::*;

const SOON: Duration = Duration::from_secs(30);

#[test]
fn the_death_of_a_peer_ends_its_asks_at_once() {
    run(None, async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        let bell: BellRef = cx.peer("right/bell").unwrap();
        let mut cx = cx;
        cx.watch(&desk);
        let hanging = tokio::task::spawn_local(desk.hang().ask(Duration::from_secs(3600)));
        bell.ring().ask(SOON).await.unwrap();
        both.kill_right().await;
        let outcome = hanging.await.unwrap();
        let cause = DownCause::Signalled(9);
        assert_eq!(outcome, Err(AskError::Unknown(Unknown::PeerDown { cause, generation: 1 })));
        let down = cx.next_down().await;
        assert_eq!((down.cause, down.generation), (Cause::Elsewhere(cause), 1));
    });
}

#[test]
fn what_is_sent_while_a_peer_is_down_waits_for_its_next_incarnation() {
    run(None, async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        assert_eq!(desk.add(1).ask(SOON).await, Ok(1));
        both.kill_right().await;
        let asked = tokio::task::spawn_local(desk.add(2).ask(SOON));
        tokio::task::yield_now().await;
        both.link();
        assert_eq!(asked.await.unwrap(), Ok(1), "a fresh incarnation, the same address");
        assert_eq!(desk.address().name().generation(), Some(2));
    });
}

#[test]
fn a_peer_that_stays_down_takes_a_thousand_messages_and_no_more() {
    run(None, async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        both.kill_right().await;
        for number in 0..1000 {
            desk.add(number).try_tell().unwrap();
        }
        let refused = desk.add(1000).try_tell();
        assert!(matches!(refused, Err(NotDelivered::PeerDown { .. })), "{refused:?}");
    });
}

#[test]
fn garbage_closes_the_link_and_is_told_by_who_may_accuse() {
    run(None, async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        assert_eq!(desk.add(1).ask(SOON).await, Ok(1));
        let (hostile, ours) = Carried::Socket.ends();
        both.left.peers.linked(NUMBER, (1, false), ours, None).unwrap();
        send(hostile.as_fd(), &[IoSlice::new(&[0xff; 100])], &[]).unwrap();
        let mut ready = tokio::time::interval(Duration::from_millis(1));
        while both.left.reports.lock().unwrap().is_empty() {
            ready.tick().await;
        }
        let (peer, fault) = (NUMBER, Fault::Frame as u32);
        let evidence = Evidence::of(&[0xff; 100], &[0xff; 100]);
        let accusation = ToSupervisor::Accuse { peer, generation: 1, fault, evidence };
        assert_eq!(*both.left.reports.lock().unwrap(), [accusation]);
        both.link();
        assert_eq!(desk.add(2).ask(SOON).await, Ok(2));
    });
}

#[test]
fn a_packet_of_another_user_is_no_packet_of_the_peer() {
    run_with(Both::new(None, Carried::Socket), async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        assert_eq!(desk.add(1).ask(SOON).await, Ok(1));
        let own = effective_uid();
        for (uid, told) in [(own, 0), (own + 1, 1)] {
            let (theirs, ours) = Carried::Socket.ends();
            pass_credentials(ours.as_fd()).unwrap();
            both.left.peers.linked(NUMBER, (1, false), ours, Some(uid)).unwrap();
            both.right.peers.linked(NUMBER, (1, false), theirs, None).unwrap();
            let answer = desk.add(2).ask(SOON).await;
            assert_eq!(answer.is_ok(), told == 0, "{answer:?}");
            assert_eq!(both.left.reports.lock().unwrap().len(), told);
        }
        let reports = both.left.reports.lock().unwrap();
        let [ToSupervisor::Accuse { fault, .. }] = reports[..] else { panic!("{reports:?}") };
        assert_eq!(fault, Fault::Credentials as u32);
    });
}

#[test]
fn what_is_sent_right_before_a_close_leaves_and_is_not_called_undelivered() {
    run(None, async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        assert_eq!(desk.add(1).ask(SOON).await, Ok(1));
        desk.add(2).tell().await.unwrap();
        let mut asked = Box::pin(desk.list().ask(SOON));
        assert!(futures::poll!(&mut asked).is_pending());
        both.left.peers.close();
        let outcome = asked.await;
        assert_eq!(outcome, Err(AskError::Unknown(Unknown::LinkClosed(CloseCause::Drained))));
        while both.right.desk().list().ask(SOON).await != Ok(vec![1, 2]) {
            tokio::task::yield_now().await;
        }
        assert_eq!(both.left.node.shared.dead_letters.total(), 0);
    });
}

#[test]
fn what_waits_for_a_peer_that_never_greets_ends_as_dead_letters() {
    run(None, async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        assert_eq!(desk.add(1).ask(SOON).await, Ok(1));
        let (_silent, ours) = Carried::Socket.ends();
        both.left.peers.linked(NUMBER, (1, false), ours, None).unwrap();
        for number in 0..100 {
            desk.add(number).try_tell().unwrap();
        }
        both.left.peers.finish().await;
        assert_eq!(both.left.node.shared.dead_letters.counts()["link_closed"], 100);
    });
}

#[test]
fn a_payload_beyond_the_limit_is_refused_at_the_sender() {
    run(None, async |_, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        let outcome = desk.reverse(vec![0; 2 << 20]).ask(SOON).await;
        assert!(matches!(outcome, Err(AskError::NotDelivered(NotDelivered::TooLarge { .. }))), "{outcome:?}");
        assert_eq!(desk.add(1).ask(SOON).await, Ok(1));
    });
}

/// The desk, with messages that may carry `send` and replies that may carry `receive`.
fn desk_slot(send: &[FdKind], receive: &[FdKind]) -> Slot {
    Slot { fds_send: Some(send.to_vec()), fds_receive: Some(receive.to_vec()), ..slot("desk", None) }
}

const FILE: &[FdKind] = &[FdKind::File];

fn file() -> std::fs::File {
    tempfile::tempfile().expect("a file can be made")
}

#[test]
fn descriptors_that_the_grant_names_travel_both_ways() {
    let granted = desk_slot(FILE, FILE);
    run_with(Both::with_desk(granted.clone(), granted), async |_, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        assert_eq!(desk.contents(file().into()).ask(SOON).await, Ok(String::new()));
        let path = std::env::current_exe().unwrap().to_string_lossy().into_owned();
        assert!(desk.open(path).ask(SOON).await.is_ok());
    });
}

#[test]
fn a_descriptor_that_the_grant_does_not_name_is_refused_at_the_sender() {
    let granted = desk_slot(&[FdKind::TcpListener], FILE);
    run_with(Both::with_desk(granted.clone(), granted), async |_, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        let outcome = desk.contents(file().into()).ask(SOON).await;
        assert_eq!(outcome, Err(AskError::NotDelivered(NotDelivered::NotGranted)));
    });
}

#[test]
fn c2_a_sender_that_knows_no_grant_is_refused_by_the_receiver() {
    // The left worker is hostile: it sends as if everything were granted.
    run_with(Both::with_desk(slot("desk", None), desk_slot(&[], FILE)), async |_, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        let outcome = desk.contents(file().into()).ask(SOON).await;
        assert_eq!(outcome, Err(AskError::NotDelivered(NotDelivered::NotGranted)));
        assert_eq!(desk.add(1).ask(SOON).await, Ok(1), "what needs no descriptor is handled");
    });
}

#[test]
fn c2_a_reply_with_a_descriptor_that_the_grant_does_not_name_is_refused_by_the_asker() {
    // The right worker is hostile: it answers as if everything were granted.
    run_with(Both::with_desk(desk_slot(FILE, &[]), slot("desk", None)), async |_, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        let path = std::env::current_exe().unwrap().to_string_lossy().into_owned();
        let outcome = desk.open(path).ask(SOON).await.map(drop);
        let Err(AskError::Unknown(Unknown::ReplyUndecodable { detail })) = &outcome else {
            panic!("{outcome:?}")
        };
        assert!(detail.contains("no grant permits descriptors of kind file"), "{detail}");
    });
}

#[test]
fn a_task_whose_transport_was_replaced_takes_no_wake_up_of_its_successor() {
    run(None, async |both, _cx| {
        let peer = both.left.peers.peer_of(NUMBER).unwrap();
        let [(_old_end, mut replaced), (_end, mut present)] = [2, 3].map(|generation| {
            let (near, far) = Carried::Socket.ends();
            let Joined { source, sink, pages } = join(near).unwrap();
            let serial = peer.turn(|turn| turn.begin_transport(generation, sink, pages));
            (far, Box::pin(Mover::new(Arc::clone(&peer), serial, source, None).run()))
        });
        let woken = Arc::new(Woken::default());
        // The executor may well come to the older one last.
        assert!(
            present.as_mut().poll(&mut task::Context::from_waker(&Arc::clone(&woken).into())).is_pending()
        );
        assert!(replaced.as_mut().poll(&mut task::Context::from_waker(task::Waker::noop())).is_ready());
        woken.0.store(false, Ordering::Relaxed);
        peer.writer.wake();
        assert!(
            woken.0.load(Ordering::Relaxed),
            "who serves the link is told that there is something to write"
        );
    });
}

#[test]
fn what_a_peer_wrote_before_it_died_is_read_although_it_left_something_unread() {
    let (near, far) = pair(Kind::SeqPacket).unwrap();
    send(far.as_fd(), &[IoSlice::new(b"an answer")], &[]).unwrap();
    send(near.as_fd(), &[IoSlice::new(b"a question")], &[]).unwrap();
    drop(far);
    let mut buffer = [0; 64];
    let last = receive_all(near.as_fd(), &mut buffer).unwrap().expect("the answer is there");
    assert_eq!(&buffer[..last.bytes], b"an answer");
    assert!(receive_all(near.as_fd(), &mut buffer).unwrap().is_none(), "and then the end");
}

/// Whether a task was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl task::Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The desk as a worker knows it that was built from other sources.
mod elsewhere {
    use crate::prelude::*;

    #[protocol]
    pub(crate) trait Desk {
        async fn list(&mut self) -> Vec<u32>;
        async fn add(&mut self, number: u64) -> usize;
    }
}

#[test]
fn a_method_with_another_shape_is_refused_with_both_shapes_and_the_others_go_on() {
    run(None, async |_, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        assert_eq!(desk.add(1).ask(SOON).await, Ok(1));
        let other: elsewhere::DeskRef = cx.peer("right/desk").unwrap();
        let outcome = other.add(2).ask(SOON).await;
        let Err(AskError::NotDelivered(NotDelivered::SchemaMismatch { detail })) = outcome else {
            panic!("{outcome:?}")
        };
        assert!(detail.contains("add(number: u64)") && detail.contains("add(number: u32)"), "{detail}");
        assert_eq!(other.list().ask(SOON).await, Ok(vec![1]), "another index, the same method");
        assert_eq!(desk.list().ask(SOON).await, Ok(vec![1]));
    });
}
