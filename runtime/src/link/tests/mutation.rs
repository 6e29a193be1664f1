//! B5: everything that a worker writes, with one bit flipped on the way. The receiver may close the link, refuse or
//! misunderstand a message; it never panics, and over the next link everything works.

use std::cell::Cell;
use std::io::IoSlice;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use bailiwick_sys::socket::{Kind, ReceiveError, pair, receive, send};
use tokio::sync::Notify;

use super::desk::{BellRef, DeskRef};
use super::worlds::{Both, NUMBER, run};

const SOON: Duration = Duration::from_secs(30);
/// How long what may come of a flipped bit is awaited.
const PATIENCE: Duration = Duration::from_millis(20);
/// Bits between two that are flipped: a prime, so that every bit of a byte and every field has its turn.
const STEP: usize = 13;

#[test]
fn b5_a_flipped_bit_costs_at_most_the_link() {
    run(None, async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        let bell: BellRef = cx.peer("right/bell").unwrap();
        assert_eq!(bell.ring().ask(SOON).await, Ok(1));
        let bytes = exchange(both, &desk, None).await;
        assert!(bytes * 8 > 1000, "a hello, offers and two asks are more than that");
        for bit in (0..bytes * 8).step_by(STEP) {
            exchange(both, &desk, Some(bit)).await;
            both.link();
            let outcome = bell.ring().ask(SOON).await;
            assert!(outcome.is_ok(), "after bit {bit}: {outcome:?}");
        }
    });
}

/// Links both anew through a relay that may flip a bit, and asks twice; whatever comes of it, it comes. Returns how
/// many bytes went to the right.
async fn exchange(both: &Both, desk: &DeskRef, bit: Option<usize>) -> usize {
    let (left, near) = pair(Kind::SeqPacket).unwrap();
    let (far, right) = pair(Kind::SeqPacket).unwrap();
    both.left.peers.linked(NUMBER, 1, false, left).unwrap();
    both.right.peers.linked(NUMBER, 1, false, right).unwrap();
    let watched = Rc::new(Watched::default());
    let relay = tokio::task::spawn_local(relay(near, far, bit, Rc::clone(&watched)));
    let file = std::fs::File::open("/dev/null").unwrap();
    let asks = async { tokio::join!(desk.contents(file.into()).ask(SOON), desk.add(1).ask(SOON)) };
    let patience = async {
        watched.flipped.notified().await;
        tokio::time::sleep(PATIENCE).await;
    };
    tokio::select! {
        _ = asks => {}
        () = patience => {}
    }
    relay.abort();
    watched.bytes.get()
}

/// What a relay saw.
#[derive(Default)]
struct Watched {
    bytes: Cell<usize>,
    flipped: Notify,
}

/// Passes packets on both ways; of what goes from `near` to `far` one bit is flipped.
async fn relay(near: OwnedFd, far: OwnedFd, bit: Option<usize>, watched: Rc<Watched>) {
    let mut buffer = vec![0; 1 << 17];
    loop {
        for (from, to, flips) in [(&near, &far, true), (&far, &near, false)] {
            let packet = match receive(from.as_fd(), &mut buffer) {
                Ok(Some(packet)) => packet,
                Err(ReceiveError::WouldBlock) => continue,
                Ok(None) | Err(_) => return,
            };
            if flips {
                let before = watched.bytes.replace(watched.bytes.get() + packet.bytes);
                let place = bit.and_then(|bit| Some(((bit / 8).checked_sub(before)?, bit % 8)));
                if let Some((at, bit)) = place
                    && let Some(byte) = buffer[..packet.bytes].get_mut(at)
                {
                    *byte ^= 1 << bit;
                    watched.flipped.notify_one();
                }
            }
            let fds: Vec<_> = packet.fds.iter().map(AsFd::as_fd).collect();
            // Who closed its end is seen at the next turn.
            let _ = send(to.as_fd(), &[IoSlice::new(&buffer[..packet.bytes])], &fds);
        }
        tokio::task::yield_now().await;
    }
}
