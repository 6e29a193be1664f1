//! J. Logs.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use bailiwick_tests::harness::{Journal, Process};
use nix::libc;
use nix::sys::signal::Signal;

use crate::orders::{Answer, hex};
use crate::support::{Free, Scene, modes};

/// What a terminal obeys, what reorders text, what passes for the end of a line or of a text, and a line that pretends to be
/// another's.
const TRICKS: &[&[u8]] = &[
    b"MARK \x1b[2J\x1b]0;owned\x07\x1b[31mred",
    b"MARK over\rwritten \x08\x08\x7f",
    b"MARK \xc2\x9b31m \x9b31m \x90q \x9c",
    b"MARK \0 \x01 \x0b \x0c",
    b"MARK \xe2\x80\xae desrever \xe2\x81\xa6 \xe2\x80\xa8 line \xe2\x80\xa9 \xd8\x9c",
    b"MARK \xff\xfe\xc0\xaf \xed\xa0\x80",
    b"victim | MARK nothing happened",
    b"supervisor: MARK victim#1 ended",
    b"\x1ebw1\x1fE\x1fvictim | t\x1fvictim/a\x1f\x1f\x1f\x1f0\x1fMARK \x1b[2J\x1fk\x1b[31m\x1f\xe2\x80\xae\r\xff",
    b"\x1ebw1\x1fI\x1fvictim\x1fMARK \x1b[2J\x1f{\"worker\":\"victim\"}",
];

/// Tells whether a character of a line does anything but be seen. Bytes that were none show as the replacement character.
fn is_trick(character: char) -> bool {
    let reorders = matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}');
    let ends = matches!(character, '\u{2028}' | '\u{2029}' | '\u{fffd}');
    reorders || ends || (character.is_control() && character != '\t')
}

/// Control: what an ordinary process prints arrives as it is. Seen to fail without the escape of what is shown.
#[test]
fn j1_nothing_that_a_worker_prints_moves_a_cursor_or_passes_for_anothers_line() {
    let mut child =
        Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it is everywhere");
    let loose = Journal::default();
    loose.follow(child.stdout.take().expect("it was piped"));
    let mut stdin = child.stdin.take().expect("it was piped");
    std::io::Write::write_all(&mut stdin, &TRICKS.join(&b'\n')).expect("it reads");
    drop(stdin);
    loose.wait_for_end();
    child.wait().expect("it is our child");
    assert!(loose.since(0).iter().filter(|line| line.text.chars().any(is_trick)).count() >= 6);
    for &mode in modes() {
        let mut scene = Scene::new(mode, "");
        for trick in TRICKS {
            scene.evil.order(&format!("print {}0a", hex(trick)));
        }
        // Its name as well, which reports of a hang or a crash could show.
        let name = [15.into(), crate::orders::Arg::from("\u{1b}[2J\rx")];
        assert!(scene.evil.call(libc::SYS_prctl, &name).did());
        assert_eq!(scene.evil.order("die abort"), Answer::Died);
        scene.meet_again(2);
        let marked = scene.journal().wait_until("every line", |lines| {
            let marked: Vec<_> = lines.iter().filter(|line| line.text.contains("MARK")).cloned().collect();
            (marked.len() >= TRICKS.len()).then_some(marked)
        });
        let prefix =
            marked[0].text.split_once("MARK").map(|(prefix, _)| prefix.to_owned()).unwrap_or_default();
        assert!(prefix.contains("evil"), "{prefix}");
        for line in scene.journal().since(0) {
            assert!(!line.text.chars().any(is_trick), "{mode:?}: {:?}", line.text);
            assert!(
                !line.text.contains("MARK") || line.text.starts_with(&prefix),
                "{mode:?}: {:?}",
                line.text
            );
        }
        for arguments in [
            &["status", "evil"][..],
            &["crashes", "evil"],
            &["crashes", "evil", "--json"],
            &["events"],
            &["logs", "evil", "-n", "all"],
            &["logs", "-n", "all", "--json"],
            &["status", "--json"],
        ] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_bailiwick-under-test"));
            command.args(arguments).arg("--state-dir").arg(scene.state_dir());
            let output = command.output().expect("it can be run");
            let shown = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(shown.contains("evil"), "{arguments:?}: {shown}");
            let trick = shown.chars().find(|character| *character != '\n' && is_trick(*character));
            assert_eq!(trick, None, "{mode:?} {arguments:?}: {shown}");
        }
        scene.assert_unharmed();
    }
}

/// Control: whoever waits for the end of a pipe waits for everybody who holds it.
/// Seen to fail without the quota of what is read in one turn.
#[test]
fn j4_an_output_that_never_ends_and_one_that_is_never_read_hold_nobody_up() {
    let mut shell = Command::new("sh");
    // It holds nothing else, lest whoever reads what the tests say waits for it too.
    shell.args(["-c", "sleep 1000 2> /dev/null & echo $!"]).stdout(Stdio::piped());
    let mut child = shell.spawn().expect("a shell");
    let mut stdout = BufReader::new(child.stdout.take().expect("it was piped"));
    let mut number = String::new();
    stdout.read_line(&mut number).expect("it says so");
    let holder = Process(number.trim().parse().expect("a number"));
    child.wait().expect("it is our child");
    let pipe = stdout.get_ref();
    nix::fcntl::fcntl(pipe, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK)).expect("ours");
    let open = std::io::Read::read(&mut stdout, &mut [0; 1]);
    holder.signal(Signal::SIGKILL);
    assert_eq!(open.expect_err("somebody else still holds it").kind(), std::io::ErrorKind::WouldBlock);
    for &mode in modes() {
        let mut scene = Scene::new(mode, "");
        // A line without an end, and lines for ever, while it dies in between.
        scene.evil.order(&format!("print {} 100", "42".repeat(4096)));
        scene.evil.order(&format!("aside print {} 1000000000", "430a".repeat(2048)));
        scene.journal().wait_for(0, "evil | C");
        assert_eq!(scene.evil.order("die exit 1"), Answer::Died);
        scene.meet_again(2);
        scene.assert_unharmed();
        drop(Free::somebody());
    }
}

/// Control: an ordinary process that names them is told of by nobody. Seen to fail without the escape of what is shown; without
/// the bound of what is told.
#[test]
fn j5_a_flood_of_denied_paths_is_bounded_and_moves_no_cursor() {
    let name = |evil: &mut crate::orders::Evil, number: usize| {
        let path = [b"/", TRICKS[number % TRICKS.len()], b" ", number.to_string().as_bytes()].concat();
        let path: Vec<u8> = path.into_iter().filter(|byte| *byte != 0).chain([0]).collect();
        let arguments = [nix::libc::AT_FDCWD.into(), crate::orders::Arg::Bytes(path), 0.into()];
        assert!(evil.call(libc::SYS_openat, &arguments).is_refused(&["ENOENT"]), "{number}");
    };
    name(&mut Free::somebody().evil, 0);
    for &mode in modes() {
        let mut scene = Scene::new(mode, "sandbox.log_denied_paths = true\n");
        (0..100).for_each(|number| name(&mut scene.evil, number));
        let told = scene.told(&["denials", "evil"]);
        let lines = told.lines().filter(|line| line.contains("evil#1") && line.contains("MARK")).count();
        assert_eq!(lines, 16, "{mode:?}: {told}");
        assert!(told.ends_with(" more, for which there was no room\n"), "{mode:?}: {told}");
        // Bytes that are no text show as the mark for that.
        let is_shown = |character: char| ['\n', char::REPLACEMENT_CHARACTER].contains(&character);
        let trick = told.chars().find(|character| !is_shown(*character) && is_trick(*character));
        assert_eq!(trick, None, "{mode:?}: {told}");
        scene.assert_unharmed();
    }
}

/// Control: to an ordinary process the call is open. Seen to fail without the line of keys in the list of calls.
#[test]
fn j5_a_hundred_thousand_denied_calls_are_counted_and_hide_nothing() {
    let denied = format!(
        "often 100000 {}",
        crate::orders::call(libc::SYS_keyctl, &[0.into(), crate::orders::Arg::Number(-2), 1.into()])
    );
    assert!(Free::somebody().evil.order(&denied).did());
    for &mode in modes() {
        let mut scene = Scene::new(mode, "");
        let seen = scene.journal().len();
        assert!(scene.evil.order(&denied).is_refused(&["EPERM"]), "{mode:?}");
        let told = scene.told(&["denials"]);
        assert!(
            told.lines().any(|line| line.contains("evil#1") && line.contains("keyctl")),
            "{mode:?}: {told}"
        );
        let lines = scene.journal().since(seen);
        let about_evil = lines.iter().filter(|line| line.text.contains("evil")).count();
        assert!(about_evil < 100, "{mode:?}: {about_evil} lines");
        // What happens afterwards is remembered: its end, and why.
        assert_eq!(scene.evil.order("die abort"), Answer::Died);
        scene.meet_again(2);
        assert!(scene.told(&["crashes", "evil"]).contains("SIGABRT"), "{mode:?}");
        scene.assert_unharmed();
    }
}
