//! G. Waits by the thousand: whoever reads what evil sends wakes all that waits for its end, and does the work of that.

use std::time::{Duration, Instant};

use bailiwick_wire::control::ToSupervisor;
use nix::libc;

use crate::orders::{Arg, Evil};
use crate::support::{Free, Scene, modes};
use crate::wire::LINE;

/// Has as much wait for a descriptor as can be had; returns how often.
#[track_caller]
fn crowd(evil: &mut Evil, around: &str, fd: i64) -> i64 {
    evil.order(&format!("{around}crowd {fd} 100")).number()
}

/// How long it takes to read so many packets of its own.
#[track_caller]
fn reads(evil: &mut Evil, [one, other]: [i64; 2], packets: u32) -> Duration {
    for _ in 0..packets {
        assert!(evil.send(one, b"x").did());
    }
    let began = Instant::now();
    let read = [other.into(), Arg::Room(64), 64.into(), libc::MSG_DONTWAIT.into(), 0.into(), 0.into()];
    let order = crate::orders::call(libc::SYS_recvfrom, &read);
    assert!(evil.order(&format!("often {packets} {order}")).did());
    began.elapsed() / packets
}

/// Has as many words said to the supervisor as it hears, and as much printed in packets of a byte.
fn clamour(evil: &mut Evil) {
    let word = ToSupervisor::Settled.to_bytes();
    let place = evil.place(&word);
    let say = format!("call {} n{LINE} n{place} n{} n{}", libc::SYS_sendto, word.len(), libc::MSG_NOSIGNAL);
    evil.order(&format!("aside often 1000000000 {say}"));
    evil.call(libc::SYS_fcntl, &[1.into(), libc::F_SETFL.into(), libc::O_DIRECT.into()]);
    evil.order("aside print 42 1000000000");
}

/// What of a core the supervisor may take for all that evil makes it do, and for the questions of the test. It takes about a
/// tenth, what may be taken at once by far the most of it; without the charge it takes half.
const SHARE: f64 = 0.25;

/// Control: an ordinary process reads its own packets many times as slowly.
/// Mode: root and rootless, sealed and exec.
/// Seen to fail without the charge for what a word takes.
#[test]
fn g19_thousands_of_waits_for_what_evil_sends_hold_up_nobody() {
    let mut free = Free::somebody();
    // As many numbers as a worker has. With ten times as many it takes a second a packet.
    let few = Arg::Bytes([256_u64.to_le_bytes(), 256_u64.to_le_bytes()].concat());
    assert!(
        free.evil.call(libc::SYS_prlimit64, &[0.into(), libc::RLIMIT_NOFILE.into(), few, 0.into()]).did()
    );
    let place = free.evil.place(&[0; 8]);
    assert!(free.evil.call(libc::SYS_socketpair, &[1.into(), 5.into(), 0.into(), place.into()]).did());
    let pair = free.evil.pair(place);
    let before = reads(&mut free.evil, pair, 50);
    let waits = crowd(&mut free.evil, "", pair[0]);
    let after = reads(&mut free.evil, pair, 50);
    println!("{waits} waits: {before:?} -> {after:?} a packet");
    assert!(after > before * 10, "{waits} waits: {before:?} and {after:?}");
    for &mode in modes() {
        for (keys, helpers) in [("", 0), ("sandbox.preset = \"exec\"\n", 30)] {
            let mut scene = Scene::new(mode, keys);
            let mut waits = crowd(&mut scene.evil, "", LINE);
            for number in 0..helpers {
                waits += crowd(&mut scene.evil, "stay ", if number % 2 == 0 { LINE } else { 1 });
            }
            clamour(&mut scene.evil);
            let (began, cpu) = (Instant::now(), scene.process().cpu());
            scene
                .journal()
                .wait_until("four seconds", |_| (began.elapsed() > Duration::from_secs(4)).then_some(()));
            let share = (scene.process().cpu() - cpu).as_secs_f64() / began.elapsed().as_secs_f64();
            println!("{mode:?} {keys:?}: {waits} waits, {share:.3} of a core");
            assert!(share < SHARE, "{mode:?} {keys:?}: {waits} waits, {share:.3} of a core");
            scene.assert_first_life("evil");
            scene.assert_unharmed();
        }
    }
}
