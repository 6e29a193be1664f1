//! What the end of a life means, before any budget is asked: a total function of the terms and the end.

use crate::child::{Aim, Ended};
use crate::exit::{Cause, GivenUp};
use crate::tree::{ChildConfig, Kind, Outcome, Reaction, Restart};

/// What follows from the end of a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was to stay stopped.
    Stop,
    /// It was to start again.
    Again,
    /// It was stopped with its group and starts again with it.
    Rejoin,
    /// It ended as planned, and a fresh life takes its place.
    Replace,
    /// It ended as planned, or as it should, and starts when somebody sends to it.
    Sleep,
    /// It ended as it should.
    Done,
    /// It did not end as it should, and is not started again.
    LetGo,
    /// It ended as it should, and everything ends with it.
    EndAll(Outcome),
    /// A restart is no use or not wanted.
    GiveUp(GivenUp),
    /// It failed and is restarted, if the budget covers that or is not asked.
    Failure { charged: bool },
}

/// Judges the end of a life. The first rule that applies decides.
pub(crate) fn judge(config: &ChildConfig, ended: &Ended) -> Verdict {
    match ended.aim {
        Aim::Stay => return Verdict::Stop,
        Aim::Again => return Verdict::Again,
        Aim::Rejoin => return Verdict::Rejoin,
        Aim::Finish if ended.cause == Cause::Stopped => return Verdict::Done,
        Aim::Finish => return Verdict::LetGo,
        Aim::Replace => return Verdict::Replace,
        Aim::Sleep => return Verdict::Sleep,
        Aim::Judge => {}
    }
    let code = match ended.cause {
        Cause::Exited(code) => Some(code),
        Cause::SpawnFailed { .. }
        | Cause::Violation
        | Cause::StartTimeout
        | Cause::StopTimeout
        | Cause::Hung
        | Cause::Suspended
        | Cause::OutOfMemory
        | Cause::ForbiddenSyscall
        | Cause::Killed
        | Cause::Stopped
        | Cause::Signalled(_) => None,
    };
    if let Some(code) = code.filter(|code| config.no_restart_exit.contains(*code)) {
        return Verdict::GiveUp(GivenUp::ExitCode(code));
    }
    // Only what is expected to end may end well before it was ready.
    let may_end_early = config.kind != Kind::Resident;
    let clean = code.is_some_and(|code| config.ok_exit.contains(code)) && (ended.was_ready || may_end_early);
    match (config.kind, clean, code) {
        (Kind::Main, true, _) => return Verdict::EndAll(Outcome::Stopped),
        (Kind::Main, false, Some(1)) => return Verdict::EndAll(Outcome::MainFailed),
        (Kind::Oneshot, true, _) => return Verdict::Done,
        (Kind::Main, false, _) | (Kind::Oneshot, false, _) | (Kind::Resident, _, _) => {}
    }
    if ended.skipped && code.is_some_and(|code| config.ok_exit.contains(code)) {
        return Verdict::Done;
    }
    let charged = !code.is_some_and(|code| config.uncounted_exit.contains(code));
    // A child that says "try again later" is believed even at its first start.
    if !clean && charged && ended.first && !ended.was_ready && config.is_essential() {
        return Verdict::GiveUp(GivenUp::FirstStart);
    }
    match (restart_type(config), clean) {
        (Restart::Transient, true) => Verdict::Done,
        (Restart::Temporary, true) => Verdict::Done,
        (Restart::Temporary, false) if config.kind == Kind::Oneshot || config.is_essential() => {
            Verdict::GiveUp(GivenUp::Unfinished)
        }
        (Restart::Temporary, false) => Verdict::LetGo,
        (Restart::Transient, false) | (Restart::Permanent, _) => match config.on.reaction(ended.cause) {
            Reaction::Restart => Verdict::Failure { charged },
            Reaction::Stop => Verdict::GiveUp(GivenUp::Policy),
        },
    }
}

fn restart_type(config: &ChildConfig) -> Restart {
    match config.kind {
        Kind::Main => Restart::Transient,
        Kind::Resident | Kind::Oneshot => config.restart,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use crate::tree::Reactions;

    fn end(cause: Cause, was_ready: bool) -> Ended {
        Ended {
            aim: Aim::Judge,
            exit: Some(Exit::Code(0)),
            cause,
            was_ready,
            first: false,
            skipped: false,
            chance: 0,
        }
    }

    fn child(kind: Kind, restart: Restart) -> ChildConfig {
        ChildConfig { kind, restart, ..ChildConfig::default() }
    }

    const FAILURE: Verdict = Verdict::Failure { charged: true };

    #[test]
    fn the_restart_type_decides_by_how_a_ready_child_ended() {
        let table = [
            (Restart::Permanent, Cause::Exited(0), FAILURE),
            (Restart::Permanent, Cause::Exited(1), FAILURE),
            (Restart::Transient, Cause::Exited(0), Verdict::Done),
            (Restart::Transient, Cause::Exited(1), FAILURE),
            (Restart::Transient, Cause::Signalled(9), FAILURE),
            (Restart::Transient, Cause::Signalled(15), FAILURE),
            (Restart::Transient, Cause::Violation, FAILURE),
            (Restart::Temporary, Cause::Exited(0), Verdict::Done),
            (Restart::Temporary, Cause::Signalled(11), Verdict::LetGo),
            (Restart::Permanent, Cause::Exited(78), Verdict::GiveUp(GivenUp::ExitCode(78))),
            (Restart::Permanent, Cause::Exited(75), Verdict::Failure { charged: false }),
        ];
        for (restart, cause, verdict) in table {
            let config = child(Kind::Resident, restart);
            assert_eq!(judge(&config, &end(cause, true)), verdict, "{restart:?} {cause}");
        }
    }

    #[test]
    fn each_cause_has_a_reaction_of_its_own() {
        let stop = Reaction::Stop;
        let none = Reactions::default();
        let table = [
            (Reactions { exit: stop, ..none }, Cause::Exited(1)),
            (Reactions { signal: stop, ..none }, Cause::Signalled(11)),
            (Reactions { oom: stop, ..none }, Cause::OutOfMemory),
            (Reactions { hang: stop, ..none }, Cause::Hung),
            (Reactions { hang: stop, ..none }, Cause::Suspended),
            (Reactions { violation: stop, ..none }, Cause::Violation),
            (Reactions { forbidden_syscall: stop, ..none }, Cause::ForbiddenSyscall),
        ];
        for (on, cause) in table {
            let config = ChildConfig { on, ..ChildConfig::default() };
            assert_eq!(judge(&config, &end(cause, true)), Verdict::GiveUp(GivenUp::Policy), "{cause}");
            assert_eq!(judge(&ChildConfig::default(), &end(cause, true)), FAILURE, "{cause}");
            let others = table.iter().filter(|(_, other)| on.reaction(*other) == Reaction::Restart);
            assert!(others.count() >= 3, "{cause} is not the only one that stops");
        }
    }

    #[test]
    fn a_clean_exit_before_ready_is_a_failure_except_of_what_is_to_end() {
        let early = end(Cause::Exited(0), false);
        assert_eq!(judge(&child(Kind::Resident, Restart::Transient), &early), FAILURE);
        assert_eq!(judge(&child(Kind::Oneshot, Restart::Permanent), &early), Verdict::Done);
        assert_eq!(judge(&child(Kind::Main, Restart::Permanent), &early), Verdict::EndAll(Outcome::Stopped));
    }

    #[test]
    fn what_has_nothing_to_do_is_done_if_it_ends_cleanly() {
        let skipped = Ended { skipped: true, ..end(Cause::Exited(0), false) };
        assert_eq!(judge(&child(Kind::Resident, Restart::Permanent), &skipped), Verdict::Done);
        let crashed = Ended { cause: Cause::Exited(1), ..skipped };
        assert_eq!(judge(&child(Kind::Resident, Restart::Permanent), &crashed), FAILURE);
    }

    #[test]
    fn the_end_of_main_is_the_end_of_all_unless_it_crashed() {
        let main = child(Kind::Main, Restart::Permanent);
        assert_eq!(judge(&main, &end(Cause::Exited(1), true)), Verdict::EndAll(Outcome::MainFailed));
        assert_eq!(judge(&main, &end(Cause::Exited(101), true)), FAILURE);
        assert_eq!(judge(&main, &end(Cause::Signalled(11), true)), FAILURE);
    }

    #[test]
    fn a_oneshot_that_is_not_restarted_is_given_up_when_it_fails() {
        let oneshot = child(Kind::Oneshot, Restart::Temporary);
        assert_eq!(judge(&oneshot, &end(Cause::Exited(1), true)), Verdict::GiveUp(GivenUp::Unfinished));
    }

    #[test]
    fn only_the_first_start_of_an_essential_child_is_decisive() {
        let essential = ChildConfig { essential: true, ..ChildConfig::default() };
        let first = Ended { first: true, ..end(Cause::Exited(1), false) };
        assert_eq!(judge(&essential, &first), Verdict::GiveUp(GivenUp::FirstStart));
        assert_eq!(judge(&essential, &end(Cause::Exited(1), false)), FAILURE);
        assert_eq!(judge(&ChildConfig::default(), &first), FAILURE);
        let later = Ended { cause: Cause::Exited(75), ..first };
        assert_eq!(judge(&essential, &later), Verdict::Failure { charged: false });
    }
}
