//! Where ours is not OTP's, and why: each difference shown on both sides.

use bailiwick_core::tree::{Restart, Strategy};

use crate::history::{Group, History, Member, Step};
use crate::{otp, ours};

/// Runs one history through both: ours, and OTP's where there is Erlang.
fn both(group: Group, steps: &[Step]) -> (Vec<String>, Option<Vec<String>>) {
    let history = History { group, steps: steps.to_vec() };
    let theirs = otp::run(std::slice::from_ref(&history)).map(|mut runs| runs.remove(0));
    (ours::run(&history), theirs)
}

fn permanent(names: &[char]) -> Vec<Member> {
    names.iter().map(|name| Member::child(*name, Restart::Permanent)).collect()
}

/// OTP counts whole seconds: with two restarts in one second, crashes 620 ms apart spend its budget, although no
/// window of one second holds three. Ours counts nanoseconds.
#[test]
fn a_window_is_as_long_as_it_says() {
    let group = Group { period_s: 1, ..Group::of(Strategy::OneForOne, 2, permanent(&['a'])) };
    let steps: Vec<_> = (0..6).flat_map(|_| [Step::Crash('a'), Step::Wait(620)]).collect();
    let (ours, theirs) = both(group, &steps);
    assert!(ours[..ours.len() - 1].iter().all(|line| line != "gone"), "{ours:?}");
    if let Some(theirs) = theirs {
        assert!(theirs[..theirs.len() - 1].iter().any(|line| line.contains("gone")), "{theirs:?}");
    }
}

/// OTP starts every child that has a specification when a group starts again, also one that an operator had stopped.
/// With ours it stays stopped: an operator's word outlasts a crash of somebody else.
#[test]
fn who_was_stopped_by_an_operator_stays_stopped() {
    let group = Group::of(Strategy::OneForAll, 9, permanent(&['a', 'b']));
    let (ours, theirs) = both(group, &[Step::Stop('b'), Step::Crash('a')]);
    assert_eq!(ours[2], "+a");
    assert!(theirs.is_none_or(|theirs| theirs[2] == "+a +b"));
}

/// OTP forgets a temporary child that has ended; ours keeps what it is, and an operator can start it.
#[test]
fn who_is_temporary_can_be_started_again() {
    let group = Group::of(Strategy::OneForOne, 9, vec![Member::child('a', Restart::Temporary)]);
    let (ours, theirs) = both(group, &[Step::Crash('a'), Step::Start('a')]);
    assert_eq!(ours[2], "+a");
    assert!(theirs.is_none_or(|theirs| theirs[2].is_empty()));
}

/// In OTP the members of a group stop one after the other, whatever the strategy; ours stop side by side where nothing
/// says that one comes after another.
#[test]
fn who_does_not_depend_on_another_stops_beside_it() {
    let group = Group::of(Strategy::OneForOne, 9, permanent(&['a', 'b', 'c']));
    let (ours, theirs) = both(group, &[]);
    let mut stops: Vec<_> = ours[1].split(' ').filter(|word| *word != "gone").collect();
    stops.sort_unstable();
    assert_eq!(stops, ["-a", "-b", "-c"]);
    assert!(theirs.is_none_or(|theirs| theirs[1] == "-c -b -a gone"));
}

/// In OTP a group whose first child does not start has not started itself, which its parent answers; ours tries that
/// child again within the group's own budget, as it does with any other start.
#[test]
fn a_start_that_fails_within_a_group_is_the_groups_own_affair() {
    let inner = Group::of(Strategy::RestForOne, 2, permanent(&['x', 'y']));
    let members = permanent(&['a']).into_iter().chain([Member::Group('g', inner)]).collect();
    let outer = Group::of(Strategy::RestForOne, 1, members);
    let (ours, theirs) = both(outer, &[Step::Fail('y', 1), Step::Crash('a')]);
    assert_eq!(ours[2], "-y -x +a +x ~y +y");
    assert!(theirs.is_none_or(|theirs| theirs[2] == "-y -x +a +x ~y -x -a gone"));
}
