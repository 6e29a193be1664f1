//! What the machine knows, as the control socket and the peers know it: by the same numbers.

use bailiwick_core::child::State;
use bailiwick_core::exit::Cause;
use bailiwick_sys::system_call;

use super::child;
use crate::control;

/// Returns the cause as the control socket and the peers know it.
pub(super) fn cause(cause: Cause) -> control::Cause {
    // Each has a number, as the test says.
    control::Cause::from_code(cause.code()).unwrap_or(control::Cause::Stopped)
}

/// Returns where a child stands as the control socket knows it.
pub(super) fn state(state: State) -> control::State {
    control::State::from_code(state.code()).unwrap_or_default()
}

/// Says why a life ended, with what the process left behind of it.
pub(super) fn what_ended(place: &child::Place, cause: control::Cause) -> String {
    let call = place.death.as_ref().and_then(|death| death.last_words.forbidden_call);
    match (cause, call) {
        (control::Cause::ForbiddenSyscall, Some(call)) => {
            format!("{cause} {}", system_call::name(call.number).unwrap_or("of unknown name"))
        }
        (control::Cause::SpawnFailed(_), _) if !place.failed_step.is_empty() => {
            format!("{cause}, at {}", place.failed_step)
        }
        (cause, _) => cause.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use bailiwick_core::child::{Aim, Reload};
    use bailiwick_core::exit::{Exit, GivenUp};
    use bailiwick_core::moves::Signs;
    use bailiwick_core::time::Instant;
    use bailiwick_core::tree::ChildId;

    use super::*;

    #[test]
    fn every_cause_is_told_as_what_it_is() {
        use control::Cause as Told;
        let errno = |errno| Cause::SpawnFailed { step: 3, errno };
        for (known, told) in [
            (errno(13), Told::SpawnFailed(13)),
            (errno(0xffff), Told::SpawnFailed(0xffff)),
            (errno(0x1_0000), Told::SpawnFailed(0)),
            (errno(-1), Told::SpawnFailed(0)),
            (Cause::Violation, Told::Protocol),
            (Cause::StartTimeout, Told::StartTimeout),
            (Cause::StopTimeout, Told::StopTimeout),
            (Cause::Hung, Told::Hung),
            (Cause::Suspended, Told::Suspended),
            (Cause::Killed, Told::Stopped),
            (Cause::Stopped, Told::Stopped),
            (Cause::OutOfMemory, Told::OutOfMemory),
            (Cause::ForbiddenSyscall, Told::ForbiddenSyscall),
        ] {
            assert_eq!(control::Cause::from_code(known.code()), Some(told), "{known}");
        }
        for number in 0..=u8::MAX {
            assert_eq!(cause(Cause::Exited(number)), Told::Exit(number));
            assert_eq!(cause(Cause::Signalled(number)), Told::Signal(number));
        }
    }

    #[test]
    fn every_state_is_told_by_its_name() {
        let (until, aim) = (Instant::START, Aim::Judge);
        let states = [
            State::Stopped,
            State::Waiting,
            State::Spawning { until },
            State::Starting { until },
            State::Ready { stable_at: None },
            State::Unready,
            State::Reloading { until, stable_at: None, ordered: true },
            State::Draining { until, aim },
            State::Stopping { until, aim },
            State::Aborting { until, aim },
            State::Killing { until, aim },
            State::Reaping { until, aim, exit: Exit::Code(0), cause: Cause::Stopped },
            State::Backoff { until, held: false },
            State::Done,
            State::Failed(GivenUp::Policy),
        ];
        for one in states {
            assert_eq!(state(one).word(), one.name());
        }
    }

    #[test]
    fn every_reason_and_every_result_is_told_as_what_it_is() {
        use control::{GivenUp as Told, Reload as Ended};
        for (known, told) in [
            (GivenUp::ExitCode(2), Told::ExitCode),
            (GivenUp::BudgetSpent, Told::BudgetSpent),
            (GivenUp::Dependency(ChildId(7)), Told::Dependency),
            (GivenUp::FirstStart, Told::FirstStart),
            (GivenUp::Policy, Told::Policy),
            (GivenUp::Offences, Told::Offences),
            (GivenUp::Unfinished, Told::Unfinished),
        ] {
            assert_eq!(Told::from_code(known.code()), Some(told));
        }
        for (known, told) in [
            (Reload::Done, Ended::Done),
            (Reload::TimedOut, Ended::TimedOut),
            (Reload::Declined, Ended::Declined),
            (Reload::Refused, Ended::Refused),
        ] {
            assert_eq!(Ended::from_code(known.code()), Some(told));
        }
    }

    #[test]
    fn every_sign_is_told_as_what_it_is() {
        let told = |known: Signs| control::Signs::from_bits(known.bits());
        let (none, no_sign) = (Signs::default(), control::Signs::default());
        assert_eq!(told(none), no_sign);
        for (known, expected) in [
            (Signs { sigstopped: true, ..none }, control::Signs { sigstopped: true, ..no_sign }),
            (Signs { traced: true, ..none }, control::Signs { traced: true, ..no_sign }),
            (Signs { stuck: true, ..none }, control::Signs { stuck: true, ..no_sign }),
            (Signs { unkillable: true, ..none }, control::Signs { unkillable: true, ..no_sign }),
            (Signs { config_changed: true, ..none }, control::Signs { config_changed: true, ..no_sign }),
            (Signs { binary_changed: true, ..none }, control::Signs { binary_changed: true, ..no_sign }),
            (Signs { cooling_down: true, ..none }, control::Signs { cooling_down: true, ..no_sign }),
            (Signs { skipped: true, ..none }, control::Signs { skipped: true, ..no_sign }),
            (Signs { rolling: true, ..none }, control::Signs { rolling: true, ..no_sign }),
        ] {
            assert_eq!(told(known), expected);
        }
    }
}
