//! D. Memory that is lent to be read.

use bailiwick_tests::fixture::TalkRef;
use bailiwick_wire::frame::Extensions;
use nix::libc::{
    self, F_ADD_SEALS, F_SEAL_FUTURE_WRITE as FUTURE_WRITE, F_SEAL_GROW as GROW, F_SEAL_SEAL as SEAL,
    F_SEAL_SHRINK as SHRINK, F_SEAL_WRITE as WRITE,
};

use crate::orders::{Arg, Attack, Evil};
use crate::support::{Free, Scene, assert_refused, modes};
use crate::voice::{Voice, framed};

/// More than travels in a message.
const LONG: usize = 40_000;

/// A memory file with these seals; and where its maker has it mapped to be written, if it is to.
fn memory(evil: &mut Evil, seals: i32, is_mapped: bool) -> (i64, Option<i64>) {
    let file = evil.call(libc::SYS_memfd_create, &["lent".into(), 2.into()]).number();
    let length = Arg::Number(LONG as i64);
    // Memory of which a page was never written is not taken.
    for at in (0..LONG).step_by(4096) {
        let written = evil.call(libc::SYS_pwrite64, &[file.into(), "x".into(), 1.into(), (at as i64).into()]);
        assert!(written.did(), "{at}: {written:?}");
    }
    assert!(evil.call(libc::SYS_ftruncate, &[file.into(), length.clone()]).did());
    let map = [0.into(), length, 3.into(), libc::MAP_SHARED.into(), file.into(), 0.into()];
    let mapped = is_mapped.then(|| evil.call(libc::SYS_mmap, &map).number());
    let sealed = evil.call(libc::SYS_fcntl, &[file.into(), F_ADD_SEALS.into(), seals.into()]);
    assert!(sealed.did(), "{seals}: {sealed:?}");
    (file, mapped)
}

/// A blob whose bytes, [`LONG`] of them, are in the first descriptor that comes with it.
const IN_MEMORY: [u8; 14] = [1, 0, 0, 0, 0, 0, 0x40, 0x9c, 0, 0, 0, 0, 0, 0];

/// Every way to change memory by its descriptor.
fn changes(file: i64, mapped: i64) -> Vec<Attack> {
    let length = || Arg::Number(LONG as i64);
    let call = |name: &str, number, arguments: &[Arg]| Attack::call(name, number, arguments);
    vec![
        call("write", libc::SYS_write, &[file.into(), "x".into(), 1.into()]),
        call("write at", libc::SYS_pwrite64, &[file.into(), "x".into(), 1.into(), 0.into()]),
        call("cut off", libc::SYS_ftruncate, &[file.into(), 0.into()]),
        call("lengthen", libc::SYS_ftruncate, &[file.into(), 100_000.into()]),
        call("punch a hole", libc::SYS_fallocate, &[file.into(), 3.into(), 0.into(), length()]),
        call(
            "map to be written",
            libc::SYS_mmap,
            &[0.into(), length(), 3.into(), libc::MAP_SHARED.into(), file.into(), 0.into()],
        ),
        call("have it written", libc::SYS_mprotect, &[mapped.into(), length(), 3.into()]),
        call("remove its pages", libc::SYS_madvise, &[mapped.into(), length(), libc::MADV_REMOVE.into()]),
        call("take seals away", libc::SYS_fcntl, &[file.into(), F_ADD_SEALS.into(), FUTURE_WRITE.into()]),
        Attack::open(format!("/proc/self/fd/{file}"), libc::O_RDWR | libc::O_TRUNC),
    ]
}

/// Has evil map a file to be read.
fn mapped(evil: &mut Evil, file: i64) -> i64 {
    let whole =
        [0.into(), Arg::Number(LONG as i64), 1.into(), libc::MAP_SHARED.into(), file.into(), 0.into()];
    evil.call(libc::SYS_mmap, &whole).number()
}

/// Control: memory without seals is changed in most of these ways. Seen to fail without the seal against writing.
#[test]
fn d8_memory_that_was_lent_to_be_read_is_not_changed_by_who_holds_it() {
    let mut free = Free::somebody();
    let (file, _) = memory(&mut free.evil, 0, false);
    let place = mapped(&mut free.evil, file);
    let came = free.evil.each(&changes(file, place));
    assert!(came.iter().filter(|(_, answer)| answer.did()).count() >= 9, "{came:?}");
    for &mode in modes() {
        let mut scene = Scene::with_parrot(mode, "");
        let mut voice = Voice::to::<TalkRef>(&mut scene.evil);
        let (file, _) = memory(&mut scene.evil, SEAL | SHRINK | GROW | WRITE, false);
        let lent = voice.ask_with(&mut scene.evil, "carry", &IN_MEMORY, &[file]).descriptor();
        assert_ne!(lent, file);
        let place = mapped(&mut scene.evil, lent);
        assert_eq!(scene.evil.peek(place, 4), *b"x\0\0\0");
        let again = scene.evil.open(format!("/proc/self/fd/{lent}"), libc::O_RDWR);
        for file in [Some(lent), again.did().then(|| again.number())].into_iter().flatten() {
            let came = scene.each(&changes(file, place));
            assert_refused(mode, &came, &["EPERM", "EACCES", "ENOENT", "EINVAL"]);
        }
        assert_eq!(scene.evil.peek(place, 4), *b"x\0\0\0");
        scene.assert_first_life("evil");
        scene.assert_first_life("parrot");
        scene.assert_unharmed();
    }
}

/// Control: such memory changes under whoever has it, by the hand of who made it. Seen to fail without the seal against
/// writing.
#[test]
fn d8_memory_that_its_sender_can_still_change_is_not_taken() {
    let mut free = Free::somebody();
    let (file, place) = memory(&mut free.evil, SEAL | SHRINK | GROW | FUTURE_WRITE, true);
    let seen = mapped(&mut free.evil, file);
    free.evil.poke(place.expect("it is mapped"), b"changed");
    assert_eq!(free.evil.peek(seen, 7), b"changed");
    for &mode in modes() {
        let mut scene = Scene::with_parrot(mode, "");
        let mut voice = Voice::to::<TalkRef>(&mut scene.evil);
        for seals in [
            0,
            SEAL,
            SHRINK | GROW,
            SEAL | SHRINK | GROW,
            SEAL | SHRINK | GROW | FUTURE_WRITE,
            SHRINK | GROW | WRITE,
            SEAL | GROW | WRITE,
        ] {
            let is_mapped = seals & WRITE == 0;
            let (file, _) = memory(&mut scene.evil, seals, is_mapped);
            let said = voice.ask_with(&mut scene.evil, "carry", &IN_MEMORY, &[file]);
            assert!(said.is_undecodable(), "{mode:?} {seals:#x}: {said:?}");
        }
        let header = voice.header("carry", 0);
        assert!(scene.evil.send(voice.link(), &framed(header, &Extensions::default(), &IN_MEMORY)).did());
        assert!(voice.answer(&mut scene.evil, header.correlation).is_undecodable(), "{mode:?}");
        scene.assert_first_life("parrot");
        scene.assert_unharmed();
    }
}
