//! B5: everything that a worker writes, with one bit flipped on the way. The receiver may close the link, refuse or
//! misunderstand a message; it never panics, and over the next link everything works.

use std::cell::Cell;
use std::io::IoSlice;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use bailiwick_sys::socket::{Kind, ReceiveError, pair, receive, send};

use super::desk::{BellRef, DeskRef};
use super::worlds::{NUMBER, run};

const SOON: Duration = Duration::from_secs(30);
/// Bits between two that are flipped: a prime, so that every bit of a byte and every field has its turn.
const STEP: usize = 13;

#[test]
fn b5_a_flipped_bit_costs_at_most_the_link() {
    run(None, async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        let bell: BellRef = cx.peer("right/bell").unwrap();
        assert_eq!(bell.ring().ask(SOON).await, Ok(1));
        let mut bit = 0;
        loop {
            let (left, near) = pair(Kind::SeqPacket).unwrap();
            let (far, right) = pair(Kind::SeqPacket).unwrap();
            both.left.peers.linked(NUMBER, 1, left).unwrap();
            both.right.peers.linked(NUMBER, 1, right).unwrap();
            let seen = Rc::new(Cell::new(0));
            let relay = tokio::task::spawn_local(relay(near, far, bit, Rc::clone(&seen)));
            let file = std::fs::File::open("/dev/null").unwrap();
            let shown = desk.contents(file.into()).ask(Duration::from_millis(20));
            let added = desk.add(1).ask(Duration::from_millis(20));
            // Whatever comes of these, it comes.
            let _ = tokio::join!(shown, added);
            relay.abort();
            both.link();
            assert!(bell.ring().ask(SOON).await.is_ok(), "after bit {bit}");
            if bit > seen.get() * 8 {
                break;
            }
            bit += STEP;
        }
        assert!(bit > 1000, "a hello, offers and two asks are more than that");
    });
}

/// Passes packets on both ways; of what goes from `near` to `far` one bit is flipped.
async fn relay(near: OwnedFd, far: OwnedFd, bit: usize, seen: Rc<Cell<usize>>) {
    let mut buffer = vec![0; 1 << 17];
    loop {
        for (from, to, flips) in [(&near, &far, true), (&far, &near, false)] {
            let packet = match receive(from.as_fd(), &mut buffer) {
                Ok(Some(packet)) => packet,
                Err(ReceiveError::WouldBlock) => continue,
                Ok(None) | Err(_) => return,
            };
            if flips {
                let at = (bit / 8).checked_sub(seen.get());
                if let Some(byte) = at.and_then(|at| buffer[..packet.bytes].get_mut(at)) {
                    *byte ^= 1 << (bit % 8);
                }
                seen.set(seen.get() + packet.bytes);
            }
            let fds: Vec<_> = packet.fds.iter().map(AsFd::as_fd).collect();
            // Who closed its end is seen at the next turn.
            let _ = send(to.as_fd(), &[IoSlice::new(&buffer[..packet.bytes])], &fds);
        }
        tokio::task::yield_now().await;
    }
}
