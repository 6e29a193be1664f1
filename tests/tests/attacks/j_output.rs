//! J. Tricks with the output itself, and with names.

use std::time::{Duration, Instant};

use nix::libc;

use crate::orders::{Answer, Arg, hex};
use crate::support::{Free, Scene, modes};

/// Makes packets of what is written to a pipe, of which no reader gets two at once.
fn packets(scene: &mut Scene) {
    let came = scene.evil.call(libc::SYS_fcntl, &[1.into(), libc::F_SETFL.into(), libc::O_DIRECT.into()]);
    assert!(came.did(), "{came:?}");
}

/// Control: the same is done by an ordinary process to its own output.
/// Seen to fail without the end of the watch over a pipe that has ended.
#[test]
fn j6_an_output_in_packets_or_of_another_size_or_none_at_all_holds_nobody_up() {
    let (mut free, _output) = Free::heard();
    let grown = [1.into(), libc::F_SETPIPE_SZ.into(), (1 << 20).into()];
    assert!(free.evil.call(libc::SYS_fcntl, &grown).did());
    for &mode in modes() {
        let mut scene = Scene::new(mode, "");
        packets(&mut scene);
        scene.evil.call(libc::SYS_fcntl, &grown);
        // A byte a packet, without an end of a line and with nothing but ends of lines.
        scene.evil.order("print 42 20000");
        scene.evil.order("print 0a 20000");
        scene.evil.order(&format!("print {} 1", hex(b"it goes on\n")));
        scene.journal().wait_for(0, "evil | it goes on");
        // A buffer that cannot be read, so that the kernel begins a packet and has nothing to put into it.
        for _ in 0..100 {
            let came = scene.evil.call(libc::SYS_write, &[1.into(), Arg::Number(8), 100.into()]);
            assert!(came.is_refused(&["EFAULT"]), "{came:?}");
        }
        scene.evil.order(&format!("print {} 1", hex(b"and on\n")));
        scene.journal().wait_for(0, "evil | and on");
        // Whoever reads and writes 0 to 2 later finds others there, or nobody.
        for number in 0..3 {
            assert!(scene.evil.call(libc::SYS_dup3, &[3.into(), number.into(), 0.into()]).did());
        }
        scene.evil.order(&format!("print {} 1", hex(b"not a word")));
        scene.meet_again(2);
        for number in 0..3 {
            assert!(scene.evil.call(libc::SYS_close, &[number.into()]).did());
        }
        // Who waits for more of it waits, and does not look again and again.
        let (began, cpu) = (Instant::now(), scene.process().cpu());
        scene.journal().wait_until("a second", |_| (began.elapsed() > Duration::from_secs(1)).then_some(()));
        let share = (scene.process().cpu() - cpu).as_secs_f64() / began.elapsed().as_secs_f64();
        // The questions of this test take a few hundredths; whoever looks again and again takes seven tenths.
        assert!(share < 0.25, "{mode:?}: {share:.3} of a core");
        assert_eq!(scene.evil.order("die abort"), Answer::Died);
        scene.meet_again(3);
        scene.assert_unharmed();
    }
}

/// Control: a process that is called by text is told of.
/// Seen to fail without the reading of names as bytes.
#[test]
fn j7_who_calls_itself_by_no_text_is_told_of_as_others_are() {
    let told = |scene: &Scene| {
        let status: serde_json::Value =
            serde_json::from_str(&scene.told(&["status", "--json"])).expect("it is JSON");
        let workers = status["workers"].as_array().expect("a list").clone();
        let evil = workers.into_iter().find(|worker| worker["name"] == "evil").expect("it is there");
        evil["memory_bytes"].as_u64()
    };
    for &mode in modes() {
        let mut scene = Scene::new(mode, "");
        assert!(told(&scene).is_some_and(|bytes| bytes > 0), "{mode:?}");
        let own = scene.evil.call(libc::SYS_getpid, &[]).number();
        let name = scene.evil.call(libc::SYS_gettid, &[]).number();
        assert_ne!(own, name, "the name is that of a thread");
        // The first thread's, by which the process is called.
        let name = hex(b"\xff) R 1 1\n\xfe\0");
        scene.evil.order(&format!("name {name}"));
        let comm = std::fs::read(format!("/proc/{}/comm", scene.pid("evil").0)).expect("it lives");
        assert!(comm.starts_with(b"\xff)"), "{comm:?}");
        assert!(told(&scene).is_some_and(|bytes| bytes > 0), "{mode:?}");
        scene.assert_unharmed();
    }
}
