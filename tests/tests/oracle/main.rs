//! The same histories through OTP's supervisor and through ours.
//!
//! Where we say that we equal it, the order of starts and stops and the moment at which a budget is spent must be the
//! same, step by step; where we say that we differ, the difference must be the one that `docs/supervision.md` names.
//! Without Erlang the comparison is passed over aloud.

mod differences;
mod histories;
mod history;
mod otp;
mod ours;

use history::History;

/// Runs histories through both and fails where they part.
fn assert_equal(histories: &[History]) {
    let Some(theirs) = otp::run(histories) else { return };
    for (history, theirs) in histories.iter().zip(theirs) {
        let ours = ours::run(history);
        let line = |lines: &[String], at: usize| history.compared(lines.get(at).map_or("", String::as_str));
        for at in 0..ours.len().max(theirs.len()) {
            assert_eq!(
                line(&ours, at),
                line(&theirs, at),
                "ours and OTP's part at step {at} of {history:?}\n ours: {ours:#?}\n OTP: {theirs:#?}"
            );
        }
    }
}
