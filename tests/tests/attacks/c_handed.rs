//! C. Descriptors that were handed over: folders, and what is left of them when they are no longer granted.

use bailiwick_supervisor::control::{Outcome, ReloadMode, Verb};
use bailiwick_tests::fixture::{TalkRef, WardenRef};
use bailiwick_wire::reason::{Failure, NotDelivered};
use nix::libc;
use nix::sys::signal::Signal;

use crate::deputies::Shelf;
use crate::orders::{AT_FDCWD, Attack};
use crate::support::{Free, Scene, assert_refused, modes};
use crate::voice::{Said, Voice, encoded};

/// Ways from a folder to the file beside it, and to everything else.
fn climbs(folder: i64) -> Vec<Attack> {
    let mut attacks = Vec::new();
    for path in ["../secret", "link", "up/secret", "..", "../..", "../../../../etc/passwd", "open", "."] {
        let below = [folder.into(), path.into(), 0.into(), 0.into()];
        attacks.push(Attack::call(format!("open {path} below it"), libc::SYS_openat, &below));
        let around = format!("/proc/self/fd/{folder}/{path}");
        attacks.push(Attack::open(around, libc::O_RDONLY));
    }
    let into = [folder.into(), "new".into(), (libc::O_CREAT | libc::O_WRONLY).into(), 0o600.into()];
    attacks.push(Attack::call("make a file in it", libc::SYS_openat, &into));
    let tried = [
        ("start from it", libc::SYS_fchdir, vec![folder.into()]),
        ("have it be the root", libc::SYS_chroot, vec!["/".into()]),
        ("rename in it", libc::SYS_renameat2, {
            vec![folder.into(), "open".into(), folder.into(), "other".into(), 0.into()]
        }),
        ("link out of it", libc::SYS_linkat, {
            vec![folder.into(), "../secret".into(), folder.into(), "taken".into(), 0.into()]
        }),
        ("mount it", libc::SYS_open_tree, vec![folder.into(), "".into(), 0x1001.into()]),
    ];
    attacks.extend(tried.into_iter().map(|(name, call, arguments)| Attack::call(name, call, &arguments)));
    attacks
}

/// Control: in an ordinary process the same folder is a way to everything. Seen to fail without the difference of a folder
/// from a file.
#[test]
fn c7_a_folder_in_the_wrong_hands_opens_nothing_and_does_not_pass_for_a_file() {
    let shelf = Shelf::new();
    let mut free = Free::somebody();
    let folder = shelf.secret().with_file_name("shelf");
    let held = free.evil.open(&folder, libc::O_DIRECTORY).number();
    for (name, answer) in free.evil.each(&climbs(held)[..8]) {
        assert!(answer.did(), "{name}: {answer:?}");
    }
    for &mode in modes() {
        let more = [shelf.deputies().as_str(), crate::deputies::PARROT].concat();
        let mut scene = Scene::with(mode, "", &more, &[]);
        for worker in ["careful", "careless", "parrot"] {
            scene.wait_for_life(worker, 1);
        }
        let mut careful = Voice::to::<WardenRef>(&mut scene.evil);
        let folder = careful.ask(&mut scene.evil, "folder", &[]).descriptor();
        let came = scene.each(&climbs(folder));
        assert_refused(mode, &came, &["EPERM", "EACCES", "EROFS", "ENOENT", "ENOSYS"]);
        let root = [AT_FDCWD, "/".into(), (libc::O_PATH | libc::O_DIRECTORY).into(), 0.into()];
        let named = scene.evil.call(libc::SYS_openat, &root);
        let mut parrot = Voice::to::<TalkRef>(&mut scene.evil);
        for fd in [Some(folder), named.did().then(|| named.number())].into_iter().flatten() {
            let said = parrot.ask_with(&mut scene.evil, "read", &encoded(&0_u16), &[fd]);
            assert!(said.is_undecodable(), "{mode:?} {fd}: {said:?}");
        }
        scene.assert_first_life("parrot");
        scene.assert_first_life("careful");
        scene.assert_unharmed();
    }
}

/// Control: as long as it is granted a descriptor is lent, and as long as its holder lives it is held: what was handed over
/// cannot be called back. Seen to fail without the refusal of what a reload has taken away.
#[test]
fn c10_what_was_lent_is_lent_no_more_once_it_is_not_granted_and_ends_with_its_holder() {
    let shelf = Shelf::new();
    let (granted, not_granted) = (encoded(&true), encoded(&false));
    for &mode in modes() {
        let mut scene = Scene::with_deputies(mode, &shelf);
        let mut voice = Voice::to::<WardenRef>(&mut scene.evil);
        voice.ask(&mut scene.evil, "lend", &[]).descriptor();
        assert_eq!(voice.ask(&mut scene.evil, "is_held", &[]).reply(), granted, "{mode:?}");
        let to = "to = \"careful\"\n";
        let narrow = shelf.deputies().replace(to, &[to, "methods = [\"is_held\"]\n"].concat());
        let narrowed = scene.reload(Verb::Reload(ReloadMode::Narrow), &Scene::manifest(&narrow, ""));
        assert_eq!(narrowed.1, Outcome::Done, "{mode:?}: {}", narrowed.0);
        let said = voice.ask(&mut scene.evil, "lend", &[]);
        assert_eq!(said, Said::Failure(Failure::NotDelivered(NotDelivered::NotGranted)), "{mode:?}");
        assert_eq!(voice.ask(&mut scene.evil, "is_held", &[]).reply(), granted, "{mode:?}");
        scene.pid("evil").signal(Signal::SIGKILL);
        scene.meet_again(2);
        let mut voice = Voice::to::<WardenRef>(&mut scene.evil);
        assert_eq!(voice.ask(&mut scene.evil, "is_held", &[]).reply(), not_granted, "{mode:?}");
        scene.assert_first_life("careful");
        scene.assert_unharmed();
    }
}
