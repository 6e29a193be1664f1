//! H. Births: what happens to a worker, and to its supervisor, before it is complete.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::time::Duration;

use bailiwick_supervisor::control::{Target, Verb};
use bailiwick_tests::harness::{Births, Ended, Fault, Process, needs_root, wait_until};
use nix::libc;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::support::{Mode, Scene, modes};

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
/// Seen to fail without the exit at the end of the pipe that it waits on.
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

/// Control: who is killed by its group before it has one of its own takes along whoever started it.
/// Seen to fail without signals by what names one process for ever: with those to its group.
#[test]
fn h12_who_is_killed_before_it_has_a_session_of_its_own_takes_nobody_along() {
    let mut starter = Command::new("sh");
    starter.args(["-c", "sleep 1000 & echo $!; wait"]).process_group(0).stdout(Stdio::piped());
    let mut starter = starter.spawn().expect("a shell");
    let mut number = String::new();
    let output = starter.stdout.take().expect("it was piped");
    BufReader::new(output).read_line(&mut number).expect("it says so");
    let child = Process(number.trim().parse().expect("a number"));
    let (_, group, _) = child.family().expect("it lives");
    killpg(Pid::from_raw(group.cast_signed()), Signal::SIGKILL).expect("it is ours");
    assert_eq!(starter.wait().expect("it is our child").signal(), Some(9));
    for &mode in modes() {
        let scene = Scene::new(mode, "");
        let began = scene.worker("evil").generation;
        for _ in 0..20 {
            let generation = scene.worker("evil").generation;
            let order = scene.control().order(
                Verb::Restart,
                Target::Worker("evil".to_owned()),
                Duration::from_millis(1),
            );
            drop(order);
            // Whatever life there is now, however young.
            if let Some(pid) = scene.worker("evil").pid {
                Process(pid).signal(Signal::SIGKILL);
            }
            scene.wait_for_worker("evil", "another", |row| (row.generation > generation).then_some(()));
        }
        scene.wait_for_life("evil", began + 20);
        // One that is in the supervisor's session and group when it is found to be without its own, and killed.
        if !needs_root("only root looks at how another user's process is born") {
            let births = match mode {
                Mode::Root => Births::of(scene.process()),
                Mode::Rootless => Births::of_nested(scene.process()),
            };
            let life = scene.worker("evil").generation;
            scene.pid("evil").signal(Signal::SIGKILL);
            let calls = births.next().calls;
            let at = calls.iter().position(|call| call.number == libc::SYS_setsid).expect("it makes one");
            let life = scene.wait_for_life("evil", life + 1).generation;
            births.have_fail(Fault { at, result: 1 });
            scene.pid("evil").signal(Signal::SIGKILL);
            let birth = births.next();
            assert!(birth.failed == Some(at) && !birth.went, "{birth:?}");
            scene.journal().wait_for(0, &format!("evil#{}: its sandbox does not hold", life + 1));
            scene.wait_for_life("evil", life + 2);
        }
        scene.assert_unharmed();
    }
}
