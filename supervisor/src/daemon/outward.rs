//! What the machine knows, as the control socket and the peers know it.

use bailiwick_core::child::{Child, Reload};
use bailiwick_core::exit::{Cause, GivenUp};
use bailiwick_core::moves::Signs;
use bailiwick_sys::system_call;

use super::child;
use crate::control;

/// Returns the cause as the control socket and the peers know it.
pub(super) fn cause(cause: Cause) -> control::Cause {
    match cause {
        Cause::SpawnFailed { errno, .. } => {
            control::Cause::SpawnFailed(u16::try_from(errno).unwrap_or_default())
        }
        Cause::Violation => control::Cause::Protocol,
        Cause::StartTimeout => control::Cause::StartTimeout,
        Cause::StopTimeout => control::Cause::StopTimeout,
        Cause::Hung => control::Cause::Hung,
        Cause::Suspended => control::Cause::Suspended,
        Cause::Killed | Cause::Stopped => control::Cause::Stopped,
        Cause::Exited(code) => control::Cause::Exit(code),
        Cause::OutOfMemory => control::Cause::OutOfMemory,
        Cause::ForbiddenSyscall => control::Cause::ForbiddenSyscall,
        Cause::Signalled(signal) => control::Cause::Signal(signal),
    }
}

/// Says why a life ended, with what the process left behind of it.
pub(super) fn what_ended(place: &child::Child, cause: control::Cause) -> String {
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

/// Returns what is odd about a child as the control socket knows it.
pub(super) fn signs(child: &Child) -> control::Signs {
    let signs = Signs::of(child);
    control::Signs {
        sigstopped: signs.sigstopped,
        traced: signs.traced,
        stuck: signs.stuck,
        unkillable: signs.unkillable,
        config_changed: signs.config_changed,
        binary_changed: signs.binary_changed,
        cooling_down: signs.cooling_down,
        skipped: signs.skipped,
    }
}

/// Returns why a child is given up, as the control socket knows it.
pub(super) fn reason(why: GivenUp) -> control::GivenUp {
    match why {
        GivenUp::ExitCode(_) => control::GivenUp::ExitCode,
        GivenUp::BudgetSpent => control::GivenUp::BudgetSpent,
        GivenUp::Dependency(_) => control::GivenUp::Dependency,
        GivenUp::FirstStart => control::GivenUp::FirstStart,
        GivenUp::Policy => control::GivenUp::Policy,
        GivenUp::Offences => control::GivenUp::Offences,
        GivenUp::Unfinished => control::GivenUp::Unfinished,
    }
}

/// Returns how a reload ended, as the control socket knows it.
pub(super) fn reload(reload: Reload) -> control::Reload {
    match reload {
        Reload::Done => control::Reload::Done,
        Reload::TimedOut => control::Reload::TimedOut,
        Reload::Declined => control::Reload::Declined,
        Reload::Refused => control::Reload::Refused,
    }
}
