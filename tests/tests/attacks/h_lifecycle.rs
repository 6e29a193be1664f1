//! H. Lifecycle.

use std::thread;
use std::time::{Duration, Instant};

use bailiwick_supervisor::control::{Cause, Outcome, Row, State, Target, Verb};
use bailiwick_tests::harness::{Ended, Stopwatch, wait_until};
use nix::libc;
use nix::sys::signal::Signal;

use crate::orders::{Answer, Attack};
use crate::support::{Free, Scene, modes};

const EXEC: &str = "sandbox.preset = \"exec\"\n";

/// Whether anything of this supervisor still lives but itself.
fn is_empty(scene: &Scene) -> bool {
    scene.workers().is_empty()
}

/// Control: a process that ignores everything outlives whoever started it.
/// Seen to fail without guardian and parent-death signal together.
#[test]
fn h1_a_worker_does_not_outlive_a_killed_supervisor_whatever_it_ignores() {
    let mut free = Free::somebody();
    free.evil.order("forks 1");
    let child = free.process().children();
    free.process().signal(Signal::SIGKILL);
    wait_until("its parent to be gone", || !free.process().is_alive());
    assert!(child[0].is_alive());
    child[0].signal(Signal::SIGKILL);
    for &mode in modes() {
        let mut scene = Scene::new(mode, "");
        let unarmed = Attack::call(
            "forget its parent",
            libc::SYS_prctl,
            &[1.into(), 0.into(), 0.into(), 0.into(), 0.into()],
        );
        let came = scene.evil.attempt(&unarmed);
        assert!(came.is_refused(&["EPERM"]), "{mode:?}: {came:?}");
        scene.evil.order("ignore");
        // Its runtime, which would end it, does not learn of the hang-up.
        scene.evil.deafen();
        scene.killed();
    }
}

/// Control: descendants of a process that nobody supervises stay.
/// Seen to fail without guardian and PID namespace together.
#[test]
fn h2_descendants_in_sessions_of_their_own_do_not_outlive_a_killed_supervisor() {
    let mut free = Free::somebody();
    assert_eq!(free.evil.order("forks 5").number(), 5);
    let children = free.process().children();
    free.process().signal(Signal::SIGKILL);
    wait_until("their parent to be gone", || !free.process().is_alive());
    assert!(children.iter().all(|child| child.is_alive()));
    children.iter().for_each(|child| child.signal(Signal::SIGKILL));
    for &mode in modes() {
        let mut scene = Scene::new(mode, EXEC);
        scene.evil.order("ignore");
        // Nobody is told of the supervisor's death any more.
        let forget = Attack::call(
            "forget its parent",
            libc::SYS_prctl,
            &[1.into(), 0.into(), 0.into(), 0.into(), 0.into()],
        );
        assert!(scene.evil.attempt(&forget).did());
        assert_eq!(scene.evil.order("child forks 4").number(), 4);
        assert_eq!(scene.evil.order("forks 4").number(), 4);
        scene.killed();
    }
}

impl Scene {
    /// Kills the supervisor; everything else is gone within a second.
    #[track_caller]
    fn killed(mut self) {
        self.watch_no_more();
        let stopwatch = Stopwatch::start();
        self.signal(Signal::SIGKILL);
        assert_eq!(self.wait(), Ended::Signal(9));
        self.journal().wait_until("workers and descendants to be gone", |_| is_empty(&self).then_some(()));
        stopwatch.assert_within(Duration::from_secs(1), "the end of workers and descendants");
        // The guardian is the last to go.
        self.journal()
            .wait_until("everything to be gone", |_| self.remains().found().is_empty().then_some(()));
    }
}

/// A worker beside the others that exits as soon as it is there.
fn storm(keys: &str) -> String {
    format!(
        "[group.storm]\nmax_restarts = 10000\nperiod = \"10s\"\n[worker.storm]\nexec = \"tw\"\ngroup = \"storm\"\n{keys}\n\
         actor.life = {{ type = \"Life\", args = {{ exit_early = 1 }} }}\n"
    )
}

/// Control: without pauses there are many times as many lives.
/// Seen to fail without pauses that grow.
#[test]
fn h6_a_worker_that_exits_at_once_and_for_ever_costs_the_supervisor_little() {
    const MANY: u32 = 60;
    let scene = |keys: &str| Scene::with(modes()[0], "", &storm(keys), &[]);
    let lives = |scene: &Scene| scene.worker("storm").generation;
    let without = scene("backoff = { base = \"1ms\", cap = \"1ms\" }");
    let (before, began) = (lives(&without), Instant::now());
    for some in (10..=MANY).step_by(10) {
        let enough = |row: &Row| (row.generation >= before + some).then_some(());
        without.wait_for_worker("storm", "started again and again", enough);
    }
    // However busy this machine is: as long as it took.
    let time = began.elapsed().max(Duration::from_secs(3));
    drop(without);
    let with = scene("");
    let (before, began, cpu) = (lives(&with), Instant::now(), with.process().cpu());
    while let Some(left) = time.checked_sub(began.elapsed()) {
        thread::park_timeout(left);
    }
    let (many, took, used) = (lives(&with) - before, began.elapsed(), with.process().cpu() - cpu);
    assert!(many * 3 < MANY, "{many} lives in {time:?}, without pauses {MANY}");
    // The questions of this test are most of it, four hundredths of a core here.
    let share = used.as_secs_f64() / took.as_secs_f64();
    assert!(share < 0.4, "{share:.3} of a core");
    with.assert_unharmed();
}

/// Control: a worker with a larger budget is tried again.
/// Seen to fail without the budget of restarts.
#[test]
fn h7_who_crashes_again_and_again_to_try_once_more_is_given_up() {
    for &mode in modes() {
        for (budget, goes_on) in [(10, true), (3, false)] {
            let group =
                format!("[group.few]\nmax_restarts = {budget}\nperiod = \"60s\"\non_exhausted = \"fail\"\n");
            let mut scene = Scene::grouped(mode, &group);
            for generation in 2..5 {
                assert_eq!(scene.evil.order("die segv"), Answer::Died);
                scene.meet_again(generation);
            }
            assert_eq!(scene.evil.order("die segv"), Answer::Died);
            if goes_on {
                scene.meet_again(5);
            } else {
                scene.wait_for_worker("evil", "given up", |row| (row.state == State::Failed).then_some(()));
                assert_eq!(scene.worker("evil").generation, 4, "{mode:?}");
            }
            scene.assert_unharmed();
        }
    }
}

/// Control: a process that ignores the wish that it ends stays.
/// Seen to fail without the SIGKILL at the end of its time.
#[test]
fn h8_who_refuses_to_stop_is_killed_in_time() {
    let mut free = Free::somebody();
    free.evil.order("ignore");
    free.process().signal(Signal::SIGTERM);
    assert!(free.evil.order("where").did());
    for &mode in modes() {
        let mut scene = Scene::new(mode, "drain_timeout = \"100ms\"\nstop_timeout = \"200ms\"\n");
        scene.evil.order("ignore");
        // Nor does its runtime hear the order, or take the signal from its queue.
        scene.evil.deafen();
        scene.evil.order("spin 2");
        let stopwatch = Stopwatch::start();
        let told =
            scene.control().order(Verb::Stop, Target::Worker("evil".to_owned()), Duration::from_secs(20));
        assert!(matches!(told, Ok(Outcome::Done)), "{mode:?}: {told:?}");
        stopwatch.assert_within(Duration::from_millis(400), "the stop of evil");
        assert!(!scene.pid("victim").children().iter().any(|child| child.is_alive()));
        scene.assert_unharmed();
    }
}

/// Control: somebody who closes a socket leaves the process as it is.
/// Seen to fail without the SIGKILL at the end of its time.
#[test]
fn h8_who_has_hung_up_on_its_supervisor_is_stopped_all_the_same() {
    let mut free = Free::somebody();
    assert!(free.evil.call(libc::SYS_close, &[0.into()]).did());
    assert!(free.evil.order("where").did());
    for &mode in modes() {
        let mut scene = Scene::new(mode, "drain_timeout = \"100ms\"\nstop_timeout = \"200ms\"\n");
        for fd in scene.line_and_copies() {
            let both = scene.evil.call(libc::SYS_shutdown, &[fd.into(), libc::SHUT_RDWR.into()]);
            assert!(!both.did(), "the list lets it end no more than what it says");
            scene.evil.call(libc::SYS_shutdown, &[fd.into(), libc::SHUT_WR.into()]);
        }
        scene.restart_who_refuses(2);
        for fd in scene.line_and_copies() {
            scene.evil.call(libc::SYS_close, &[fd.into()]);
        }
        scene.restart_who_refuses(3);
        scene.assert_unharmed();
    }
}

impl Scene {
    /// Has evil hear nothing and ignore what can be ignored, and restarts it all the same.
    fn restart_who_refuses(&mut self, life: u32) {
        self.evil.order("ignore");
        self.evil.deafen();
        let stopwatch = Stopwatch::start();
        self.order(Verb::Restart, "evil");
        stopwatch.assert_within(Duration::from_secs(1), "the restart of evil");
        self.meet_again(life);
    }

    /// The numbers of evil's line to its supervisor: 3, and others that are the same socket.
    fn line_and_copies(&mut self) -> Vec<i32> {
        let room = self.evil.place(&[0; 144]);
        let inode = |evil: &mut crate::orders::Evil, fd: i32| {
            let did = evil.call(libc::SYS_fstat, &[fd.into(), room.into()]).did();
            did.then(|| evil.peek(room + 8, 8))
        };
        let own = inode(&mut self.evil, 3).expect("it has a line");
        // The first one last: whoever has lost it may not live to close the others.
        (3..40).rev().filter(|fd| inode(&mut self.evil, *fd).as_ref() == Some(&own)).collect()
    }
}

/// Somebody who is to be told of the end of evil.
const WATCHER: &str = r#"
[worker.watcher]
exec = "tw"
actor.sender = { type = "Sender", args = { target = "evil", watch = true } }
[[grant]]
from = "watcher"
to = "evil"
"#;

/// Control: whoever starts a process and waits for it believes the same lie, and reads all of the same text. Seen to fail
/// without the quota of output.
#[test]
fn h10_an_end_that_looks_clean_is_no_excuse_and_much_text_is_cut() {
    let text: String = "41".repeat(32 << 10);
    let (mut free, mut output) = Free::heard();
    let reading = thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
    free.evil.order(&format!("print {text} 640"));
    assert!(free.ended("exit 0").success());
    assert_eq!(reading.join().expect("it reads").expect("a pipe"), 20 << 20);
    for &mode in modes() {
        let mut scene = Scene::with(mode, "", WATCHER, &[]);
        scene.wait_for_life("watcher", 1);
        // 100 MiB.
        scene.evil.order(&format!("print {text} 3200"));
        assert_eq!(scene.evil.order("die exit 0"), Answer::Died);
        scene.meet_again(2);
        assert_eq!(scene.worker("evil").last_cause, Some(Cause::Exit(0)), "{mode:?}");
        scene.journal().wait_for(0, "watcher | down: ");
        let shown: usize = scene
            .journal()
            .since(0)
            .iter()
            .filter(|line| line.text.contains("AAAA"))
            .map(|line| line.text.len())
            .sum();
        // So much more than the two MiB of the quota here because it has them by the second; without it all hundred are shown.
        assert!(shown < 50 << 20, "{mode:?}: {shown} bytes were shown");
        scene.assert_unharmed();
    }
}
