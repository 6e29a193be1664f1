//! H. A worker whose supervisor dies before the worker has said that it wants to die with it.

use std::fs;
use std::process::{Command, Stdio};

use bailiwick_tests::harness::{Births, Ended, Process, needs_root};
use nix::libc;
use nix::sys::signal::Signal;

use crate::support::{Mode, Scene, wait_until};

/// Makes an orphan that wants to die with whoever started it, when that is dead already; it lives on.
fn late_orphan() -> Process {
    let folder = tempfile::tempdir().expect("a folder");
    let gate = folder.path().join("gate");
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).expect("it is our folder");
    let line = "(read go < \"$0\"; exec setpriv --pdeathsig KILL sleep 1000) > /dev/null 2>&1 & echo $!";
    let mut command = Command::new("sh");
    let output = command.args(["-c", line]).arg(&gate).stdin(Stdio::null()).output().expect("a shell");
    let number = String::from_utf8(output.stdout).expect("a number");
    let orphan = Process(number.trim().parse().expect("a number"));
    fs::write(&gate, "go\n").expect("it reads");
    wait_until("the orphan to be armed", || orphan.name().as_deref() == Some("sleep"));
    orphan
}

/// Control: a process that looks at nothing but the signal lives on. Mode: root; without, a worker is born in a PID namespace,
/// which ends with the process that made it. The guardian, which would end it as well, is held.
#[test]
fn h3_a_worker_whose_supervisor_dies_before_it_can_say_so_dies_by_itself() {
    let orphan = late_orphan();
    assert!(orphan.is_alive());
    orphan.signal(Signal::SIGKILL);
    if needs_root("only root looks at how another user's process is born") {
        return;
    }
    let mut scene = Scene::new(Mode::Root, "");
    scene.watch_no_more();
    let build = scene.path().join("bailiwickd");
    let guardians = scene.process().children().into_iter();
    let guardians: Vec<_> = guardians.filter(|child| child.executable().as_ref() == Some(&build)).collect();
    assert!(!guardians.is_empty());
    let births = Births::of(scene.process());
    births.have_orphaned();
    guardians.iter().for_each(|guardian| guardian.signal(Signal::SIGSTOP));
    scene.pid("evil").signal(Signal::SIGKILL);
    let birth = births.next();
    guardians.iter().for_each(|guardian| guardian.signal(Signal::SIGCONT));
    let executed = birth.calls.iter().any(|call| call.number == libc::SYS_execveat);
    assert!(!birth.went && !executed, "{birth:?}");
    assert!(birth.calls.iter().any(|call| call.number == libc::SYS_prctl), "{birth:?}");
    drop(births);
    assert_eq!(scene.wait(), Ended::Signal(9));
    scene.journal().wait_until("everything to be gone", |_| scene.remains().found().is_empty().then_some(()));
}
