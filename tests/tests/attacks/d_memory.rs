//! D. Shared memory: the slate that a worker writes and the supervisor reads.

use std::fs;
use std::process::Command;

use bailiwick_tests::harness::{Process, needs_root};
use bailiwick_wire::slate::SLATE_BYTES;
use nix::libc;

use crate::maps::shared;
use crate::orders::Answer;
use crate::support::{Scene, modes};

/// Where the slate stands in a process, and how long it is.
fn slate_of(process: Process) -> (i64, usize) {
    let (_, start) = shared(process, SLATE_BYTES).into_iter().next().expect("it has a slate");
    (start, SLATE_BYTES)
}

/// What stands on a slate, to whoever has a descriptor of it.
fn seen_by(supervisor: Process, bytes: &[u8]) -> bool {
    supervisor.descriptors().iter().filter(|(_, what)| what.contains("memfd:")).any(|(fd, _)| {
        fs::read(format!("/proc/{}/fd/{fd}", supervisor.0)).is_ok_and(|found| found.starts_with(bytes))
    })
}

/// Control: the supervisor's own descriptor shows what evil has written. It writes anything over the slate, makes holes in
/// it and dies, and the supervisor, which reads the polls of the living and the last words of the dead there, takes no
/// harm. Seen to fail without the escape of what is shown.
#[test]
fn d1_d4_anything_at_all_on_the_slate_harms_its_writer_alone() {
    if needs_root("only root sees where the slate is") {
        return;
    }
    let escapes = b"\x1b[2J\r\x07\xe2\x80\xae\xff".repeat(16);
    // A poll that has lasted since the boot, of somebody of that name.
    let name = [&1_u64.to_le_bytes()[..], &1_u64.to_le_bytes(), &escapes[..128], &escapes[..112]].concat();
    let ages: Vec<u8> =
        [1_u64, u64::MAX, u64::MAX / 2, 1 << 63].iter().flat_map(|age| age.to_le_bytes()).collect();
    for &mode in modes() {
        let mut scene = Scene::new(mode, "liveness_timeout = \"0s\"\nstuck_after = \"0s\"\n");
        for (generation, pattern) in (2..).zip([
            vec![0xff; 64],
            vec![0; 64],
            vec![1; 64],
            vec![0x80; 64],
            escapes.clone(),
            ages.clone(),
            name.clone(),
        ]) {
            let (start, length) = slate_of(scene.pid("evil"));
            let whole: Vec<u8> = pattern.iter().copied().cycle().take(length).collect();
            for (number, piece) in whole.chunks(8192).enumerate() {
                scene.evil.poke(start + 8192 * i64::try_from(number).expect("few"), piece);
            }
            // The runtime goes on to write the first page.
            if generation == 2 {
                let beyond = vec![0xff; 1 << 14];
                assert_eq!(scene.evil.peek(start + 0x8000, beyond.len()), beyond);
                assert!(seen_by(scene.process(), &[]), "{mode:?}");
            }
            scene.status();
            assert_eq!(scene.evil.order("die abort"), Answer::Died);
            scene.meet_again(generation);
            if pattern == name {
                let shown = scene.told(&["crashes", "evil"]);
                assert!(shown.contains("\\u{1b}[2J"), "{mode:?}: the name is shown: {shown}");
            }
            for arguments in [&["crashes", "evil"][..], &["status", "evil"], &["status"]] {
                let mut command = Command::new(env!("CARGO_BIN_EXE_bailiwick-under-test"));
                let output = command.args(arguments).arg("--state-dir").arg(scene.state_dir()).output();
                let shown =
                    String::from_utf8(output.expect("it can be run").stdout).expect("what it prints is text");
                assert!(
                    !shown.contains(['\u{1b}', '\r', '\u{7}', '\u{202e}']),
                    "{mode:?} {arguments:?}: {shown}"
                );
            }
        }
        let (start, length) = slate_of(scene.pid("evil"));
        let whole = || [start.into(), crate::orders::Arg::Number(length as i64)];
        for advice in [libc::MADV_REMOVE, libc::MADV_DONTNEED, libc::MADV_FREE] {
            let [at, size] = whole();
            scene.evil.call(libc::SYS_madvise, &[at, size, advice.into()]);
        }
        let [at, size] = whole();
        scene.evil.call(libc::SYS_munmap, &[at, size]);
        scene.status();
        scene.evil.order("die abort");
        scene.meet_again(9);
        scene.assert_unharmed();
    }
}

/// Control: a memory file of its own, without seals, an ordinary process cuts off at will. Seen to fail without the seal
/// against shrinking.
#[test]
fn d3_the_slate_can_be_neither_cut_off_nor_sealed_further() {
    let mut free = crate::support::Free::somebody();
    let own = free.evil.call(libc::SYS_memfd_create, &["own".into(), 2.into()]).number();
    assert!(free.evil.call(libc::SYS_ftruncate, &[own.into(), 0.into()]).did());
    if needs_root("only root sees where the slate is") {
        return;
    }
    for &mode in modes() {
        let mut scene = Scene::new(mode, "");
        let (start, length) = slate_of(scene.pid("evil"));
        // There is no descriptor of it any more, by which it could be cut off.
        let path = format!("/proc/self/map_files/{start:x}-{:x}", start + length as i64);
        assert!(scene.evil.open(&path, libc::O_RDWR).is_refused(&["EACCES", "EPERM", "ENOENT"]), "{mode:?}");
        let held = scene.pid("evil").descriptors();
        assert!(!held.values().any(|what| what.contains("memfd:")), "{mode:?}: {held:?}");
        for (fd, _) in scene.process().descriptors().into_iter().filter(|(_, what)| what.contains("memfd:")) {
            let file = fs::File::options().write(true).open(format!("/proc/{}/fd/{fd}", scene.process().0));
            let Ok(file) = file else { continue };
            let error = file.set_len(0).expect_err("it is sealed, even to root");
            assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{mode:?} {fd}");
        }
        scene.assert_unharmed();
    }
}
