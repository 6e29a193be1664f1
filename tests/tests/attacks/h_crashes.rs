//! H. Crashes of very many threads in one moment.

use std::os::unix::process::ExitStatusExt;

use bailiwick_supervisor::control::Cause;

use crate::orders::Answer;
use crate::support::{Free, Scene, modes};

/// Control: the kernel says the same of an ordinary process with as many threads.
/// Seen to fail without the number of the signal by which it ended.
#[test]
fn h13_threads_that_all_crash_at_once_leave_one_report_that_can_be_read() {
    let mut free = Free::somebody();
    assert_eq!(free.evil.order("crash 300 segv").number(), 300);
    assert!(free.ended_by_order("now").signal().is_some());
    for &mode in modes() {
        let mut scene = Scene::new(mode, "sandbox.tasks_max = 400\n");
        for (life, how) in (1..).zip(["segv", "abort", "trap", "overflow", "segv abort trap overflow"]) {
            assert_eq!(scene.evil.order(&format!("crash 300 {how}")).number(), 300, "{mode:?}");
            assert_eq!(scene.evil.order("now"), Answer::Died);
            scene.meet_again(life + 1);
            let cause = scene.worker("evil").last_cause;
            assert!(matches!(cause, Some(Cause::Signal(_))), "{mode:?} {how}: {cause:?}");
            let report = scene.wait_for_crash("evil", life);
            assert!(report.to_bytes().len() <= 44 << 10, "{mode:?} {how}");
            for arguments in [&["crashes", "evil"][..], &["crashes", "evil", "--json"]] {
                let shown = scene.told(arguments);
                assert!(
                    shown.contains("SIG") && !shown.contains(['\u{1b}', '\r', '\u{7}']),
                    "{mode:?} {how}: {shown}"
                );
            }
        }
        scene.assert_unharmed();
    }
}
